#!/usr/bin/env bash
# Puts the Python partners (SCIM conformance suites, a client, a server; a checker of the API) into a virtual environment.
#   python.sh DIR [REQUIREMENTS]   makes DIR, or leaves it alone when it holds exactly the wanted versions already
set -euo pipefail

directory=$(realpath -m "${1:?directory}")
requirements=$(realpath "${2:-$(dirname "${BASH_SOURCE[0]}")/../scim/requirements.txt}")
done_mark=$directory/requirements.txt

if [ -x "$directory/bin/python" ] && cmp -s "$requirements" "$done_mark"; then
  echo "python: present in $directory"
  exit 0
fi
rm -rf "$directory"
python3 -m venv "$directory"
"$directory/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$requirements"
cp "$requirements" "$done_mark"
echo "python: installed $(grep -c == "$requirements") packages in $directory"
