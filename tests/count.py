# SPDX-License-Identifier: Apache-2.0
"""Counts one run of `meson test`: each test function of a cmocka program, and each other program, is one.

usage: count.py <build directory>
Prints what failed and what was skipped, and as the last line "<passed> <failed> <skipped>".
"""
import json
import os
import re
import sys

REASON = re.compile(r"^.*\b(?:SKIP|skip)\w*\b.*$", flags=re.M)


def tail(text, lines=60):
    return "\n".join(text.rstrip().split("\n")[-lines:])


def count(test):
    """(passed, failed, skipped) of one program."""
    output = test.get("stdout", "") + test.get("stderr", "")
    # cmocka names failures again in its summary: only the lines that end a test count
    passed = len(re.findall(r"^\[ +OK \]", output, flags=re.M))
    skipped = len(re.findall(r"^\[ +SKIPPED \] \w", output, flags=re.M))
    failed = output.split("test(s) run.")[0].count("[  FAILED  ]")
    if test["result"] == "SKIP":
        return 0, 0, 1
    if test["result"] in ("OK", "EXPECTEDFAIL"):
        return (passed or 1), 0, skipped
    return passed, failed or 1, skipped


totals = [0, 0, 0]
with open(os.path.join(sys.argv[1], "meson-logs/testlog.json"), encoding="utf-8") as log:
    for line in log:
        test = json.loads(line)
        numbers = count(test)
        totals = [a + b for a, b in zip(totals, numbers)]
        output = test.get("stdout", "") + test.get("stderr", "")
        if numbers[1]:
            print(f"FAILED {test['name']} ({test['result']}, {test.get('duration', 0):.1f} s)\n{tail(output)}")
        elif test["result"] == "SKIP" or numbers[2]:
            reason = REASON.search(output)
            print(f"SKIPPED {test['name']}: {reason.group(0).strip() if reason else 'it gave no reason'}")
print(*totals)
