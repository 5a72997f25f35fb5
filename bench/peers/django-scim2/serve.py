"""django-scim2 on Django's own user model, served by waitress: serve.py postgres://… PORT."""

import json
import sys
from importlib.metadata import version
from urllib.parse import urlsplit

import django
from django.conf import settings

DATABASE, PORT = urlsplit(sys.argv[1]), int(sys.argv[2])
TOKEN = "peer-token-0123456789abcdef"

settings.configure(
    SECRET_KEY="only-for-a-benchmark",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF="__main__",
    INSTALLED_APPS=["django.contrib.contenttypes", "django_scim", "bench_scim"],
    MIDDLEWARE=["__main__.token_middleware"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": DATABASE.hostname,
            "PORT": DATABASE.port,
            "USER": DATABASE.username,
            "NAME": DATABASE.path.lstrip("/"),
            "CONN_MAX_AGE": None,
        }
    },
    AUTH_USER_MODEL="bench_scim.Person",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    SCIM_SERVICE_PROVIDER={
        "NETLOC": f"127.0.0.1:{PORT}",
        "SCHEME": "http",
        "AUTHENTICATION_SCHEMES": [],
        "USER_MODEL_GETTER": "bench_scim.models.person",
        "GROUP_MODEL": "bench_scim.models.Team",
    },
)


def token_middleware(get_response):
    """Lets a bearer token in as a user that may do everything."""
    from bench_scim.models import Person

    allowed = Person(pk=0, username="directory")

    def handle(request):
        request.user = allowed if request.headers.get("Authorization") == f"Bearer {TOKEN}" else None
        return get_response(request)

    return handle


django.setup()

from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path  # noqa: E402
from waitress import serve  # noqa: E402

urlpatterns = [path("scim/v2/", include("django_scim.urls"))]

call_command("migrate", run_syncdb=True, verbosity=0)
hello = {"base": "/scim/v2", "token": TOKEN, "version": version("django-scim2"), "storage": "PostgreSQL"}
print(json.dumps(hello), flush=True)
serve(get_wsgi_application(), host="127.0.0.1", port=PORT, threads=8, _quiet=True)
