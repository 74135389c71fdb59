# SPDX-License-Identifier: Apache-2.0
"""Every module that allocates has a test that fails each of its allocations once.

usage: check_scenarios.py <root of the source tree>
A folder of lib/ without any such scenario fails; single files without one of their own are listed, since
a scenario of a neighbour often runs through them.
"""
import os
import re
import sys

ALLOCATES = re.compile(r"\bfedn__(alloc\w*|realloc_array|str(n?dup|f))\s*\(")
# the driver, or a loop of the test's own where another thread allocates as well
SCENARIO = re.compile(r"\b(test_fail_each_allocation|fedn__alloc_fail_at)\(")
root = sys.argv[1]


def c_files(folder):
    for directory, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".c"):
                yield os.path.join(directory, name)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


problems, alone = [], []
tests = {}
for path in c_files(os.path.join(root, "tests")):
    tests[os.path.relpath(path, os.path.join(root, "tests"))] = bool(SCENARIO.search(read(path)))
for folder in sorted(os.listdir(os.path.join(root, "lib"))):
    modules = [p for p in c_files(os.path.join(root, "lib", folder)) if ALLOCATES.search(read(p))]
    have = [t for t, has in tests.items() if has and re.match(rf"(unit/)?{folder}/", t)]
    if modules and not have:
        problems.append(f"lib/{folder}: no test fails its allocations ({len(modules)} files allocate)")
    for path in modules:
        name = os.path.basename(path)
        if not any(os.path.basename(t) in (f"test_{name}", f"test_{os.path.basename(os.path.dirname(path))}_{name}")
                   for t in have):
            alone.append(os.path.relpath(path, root))
print("no scenario of their own:", ", ".join(alone))
print("\n".join(problems))
print(f"{sum(tests.values())} test programs fail allocations, {len(problems)} folders lack one")
sys.exit(1 if problems else 0)
