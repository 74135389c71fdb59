# SPDX-License-Identifier: Apache-2.0
"""The exports: what the headers declare = what fedn.map lists = what the library shows; and no declaration
differs from exports.txt, so that a change of the ABI is a change of a file.

usage: check_exports.py <root of the source tree> <generated include> <library> <abi major>
       check_exports.py --update <root of the source tree> <generated include>
--update writes exports.txt anew: look at its diff, and think of the callers of the last release.
"""
import difflib
import os
import re
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(here), "headers"))
from declarations import api_functions, constants, declarations, public_headers, read  # noqa: E402

LIST = os.path.join(here, "exports.txt")
MACHINERY = re.compile(r"#define FEDN_(VERSION_|API |NODISCARD |BEGIN_DECLS |END_DECLS )")


def promised(texts):
    """One line per thing that a caller compiled against."""
    lines = set()
    for text in texts:
        lines.update(re.sub(r"^(FEDN_API |FEDN_NODISCARD )+", "", d) for d in declarations(text))
        lines.update(c for c in constants(text) if not MACHINERY.match(c))
    return [line + "\n" for line in sorted(lines)]


def of_library(library):
    shown = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    names = {line.split()[-1].split("@")[0] for line in shown.splitlines()}
    return {n for n in names if not re.match(r"FEDN_[0-9.]+$", n)}  # the version nodes


def of_map(path):
    part = re.findall(r"global:(.*?)local:", read(path), flags=re.S)
    return set(re.findall(r"\b(\w+);", " ".join(part)))


def compare(what, names, other, other_names):
    lines = [f"{n} is in {what}, not in {other}" for n in sorted(names - other_names)]
    return lines + [f"{n} is in {other}, not in {what}" for n in sorted(other_names - names)]


update = sys.argv[1] == "--update"
root, generated = sys.argv[2:4] if update else sys.argv[1:3]
texts = [read(path) for path in public_headers(os.path.join(root, "include"), generated).values()]
if update:
    with open(LIST, "w", encoding="utf-8") as file:
        file.writelines(promised(texts))
    sys.exit(0)

library, abi_major = sys.argv[3:5]
declared = {name for text in texts for name in api_functions(text)}
mapped = of_map(os.path.join(root, "lib/fedn.map"))
problems = compare("the headers", declared, "fedn.map", mapped)
problems += compare("fedn.map", mapped, "the library", of_library(library))
dynamic = subprocess.run(["readelf", "-d", library], check=True, capture_output=True, text=True).stdout
soname = re.search(r"SONAME.*\[(.*)\]", dynamic)
if not soname or soname.group(1) != "libfedn.so." + abi_major:
    problems.append(f"the soname is {soname and soname.group(1)}, not libfedn.so.{abi_major}")
with open(LIST, encoding="utf-8") as file:
    saved = file.readlines()
changes = list(difflib.unified_diff(saved, promised(texts), "exports.txt", "headers", n=0))
if changes:
    problems.append("".join(changes) + "the ABI changed: if that is meant, run tests/abi/check_exports.py --update "
                    + "<root> <build>/include")
print("\n".join(problems))
print(f"{len(declared)} exports, {len(saved)} lines in exports.txt, {len(problems)} problems")
sys.exit(1 if problems or not declared else 0)
