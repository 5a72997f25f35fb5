"""scim2-server with its own command: serve.py PORT. It keeps everything in memory."""

import json
import os
import sys
from importlib.metadata import version

TOKEN = "peer-token-0123456789abcdef"
hello = {"base": "/v2", "token": TOKEN, "version": version("scim2-server"), "storage": "memory"}
print(json.dumps(hello), flush=True)
program = os.path.join(os.path.dirname(sys.executable), "scim2-server")
os.execv(program, [program, "--port", sys.argv[1], "--bearer-token", TOKEN])
