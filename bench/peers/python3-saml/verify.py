"""Verifies the sign-in in DIRECTORY over and over for SECONDS and prints one line of JSON, as every peer here does.

The time is processor time, which other work on the machine disturbs least.

usage: python verify.py DIRECTORY SECONDS
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings

directory, seconds = Path(sys.argv[1]), float(sys.argv[2])
context = json.loads((directory / "context.json").read_text())
response = (directory / "response.b64").read_text()
acs = urlsplit(context["acs_url"])

settings = OneLogin_Saml2_Settings(
    {
        "strict": True,
        "sp": {
            "entityId": context["service_provider"],
            "assertionConsumerService": {"url": context["acs_url"]},
        },
        "idp": {
            "entityId": context["identity_provider"],
            "singleSignOnService": {"url": context["sso_url"]},
            "x509cert": (directory / "idp.pem").read_text(),
        },
        "security": {"wantAssertionsSigned": True, "rejectDeprecatedAlgorithm": True},
    },
    sp_validation_only=True,
)
request = {
    "https": "on" if acs.scheme == "https" else "off",
    "http_host": acs.netloc,
    "script_name": acs.path,
    "get_data": {},
    "post_data": {},
}


def verify_for(duration):
    start, before, rounds = time.perf_counter(), time.process_time(), 0
    while True:
        answer = OneLogin_Saml2_Response(settings, response)
        answer.is_valid(request, context["request_id"], raise_exceptions=True)
        rounds += 1
        if time.perf_counter() - start >= duration:
            spent = time.process_time() - before
            return answer.get_nameid(), rounds, spent * 1000 / rounds


verify_for(seconds * 0.3)
subject, rounds, each = verify_for(seconds)
print(
    json.dumps(
        {
            "peer": "python3-saml",
            "version": version("python3-saml"),
            "subject": subject,
            "rounds": rounds,
            "milliseconds": each,
        }
    )
)
