# SPDX-License-Identifier: Apache-2.0
"""Each public header compiles alone, cleanly, as a C and a C++ program includes it.

usage: check_alone.py <include> <generated include> <compiler> <language> <standard>
"""
import subprocess
import sys

from declarations import public_headers

include, generated, compiler, language, standard = sys.argv[1:]
headers = public_headers(include, generated)
failed = 0
for name in headers:
    done = subprocess.run(
        [compiler, "-x", language, "-std=" + standard, "-Wall", "-Wextra", "-pedantic", "-Werror", "-Wundef",
         "-fsyntax-only", "-I", include, "-I", generated, "-"],
        input=f"#include <{name}>\n#include <{name}>\nint main(void) {{ return 0; }}\n", capture_output=True, text=True)
    if done.returncode:
        failed += 1
        print(f"{name} as {standard} with {compiler}:\n{done.stderr}")
print(f"{len(headers) - failed} of {len(headers)} headers stand alone as {standard} with {compiler}")
sys.exit(1 if failed or not headers else 0)
