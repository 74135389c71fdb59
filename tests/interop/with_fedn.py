#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a test under the interpreter that has FEDn's package.

usage: with_fedn.py script [argument ...]
FEDN_INTEROP_FEDN_PYTHON names it; without it the test is skipped, and says so.
"""
import os
import sys

python = os.environ.get("FEDN_INTEROP_FEDN_PYTHON", "")
if not os.access(python, os.X_OK):
    print(f"SKIPPED: FEDN_INTEROP_FEDN_PYTHON is \"{python}\": no interpreter with FEDn's package is there "
          "(sh tests/run.sh fedn makes one)")
    sys.exit(77)
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
os.execv(python, [python] + sys.argv[1:])
