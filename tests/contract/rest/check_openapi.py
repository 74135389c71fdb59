# SPDX-License-Identifier: Apache-2.0
"""The reducer's OpenAPI document by the rules of OpenAPI 3.1: check_openapi.py <fednctl>

Exit code 77 means that the package openapi-spec-validator is not installed. FEDN_INTEROP_PYTHON names another
interpreter to run in.
"""
import json
import os
import sys
import urllib.request

other = os.environ.pop("FEDN_INTEROP_PYTHON", None)
if other and os.path.exists(other):
    os.execv(other, [other] + sys.argv)
try:
    import openapi_spec_validator
except ModuleNotFoundError as missing:
    print(f"SKIPPED: {missing.name} package is not importable")
    sys.exit(77)
import roles


def main():
    with roles.Roles(sys.argv[1]) as network:
        ports = network.start("reducer", "reducer", "--http-listen", "127.0.0.1:0")
        url = f"http://127.0.0.1:{ports['http_port']}/api/v1/openapi.json"
        with urllib.request.urlopen(url, timeout=30) as reply:
            document = json.load(reply)
    openapi_spec_validator.validate(document)
    names = [item["operationId"] for path in document["paths"].values() for item in path.values()]
    assert len(names) == len(set(names))
    print(f"{len(document['paths'])} paths, {len(names)} operations: valid")


if __name__ == "__main__":
    main()
