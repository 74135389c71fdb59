# SPDX-License-Identifier: Apache-2.0
"""House style that a machine can see: licence line, blanks, formatter, words that promise instead of doing.

usage: check_style.py <root of the source tree>
"""
import os
import re
import shutil
import subprocess
import sys

TOPS = ("lib", "cli", "examples", "include", "tests", "proto", ".ci")
WORDS = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
SLEEP = re.compile(r"(?<![\w.])(u|nano)?sl" r"eep\s*\(|time\.sl" r"eep\s*\(")
problems = []


def report(path, line, text):
    problems.append(f"{os.path.relpath(path, root)}:{line}: {text}")


def check_text(path, lines):
    relative = os.path.relpath(path, root)
    source = path.endswith((".c", ".h", ".h.in"))
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            report(path, number, "a tab")
        if line != line.rstrip():
            report(path, number, "blanks at the end of the line")
        if source and len(line) > 100 and "clang-format off" not in "".join(lines):
            report(path, number, f"{len(line)} columns, 100 at most")
        if WORDS.search(line):
            report(path, number, "a word that promises instead of doing")
        if SLEEP.search(line) and relative.startswith(("lib/", "tests/")):
            report(path, number, "a pause: wait for the event instead")


def check_licence(path, lines):
    first = lines[1] if lines and lines[0].startswith("#!") and len(lines) > 1 else (lines or [""])[0]
    if path.endswith((".c", ".h", ".h.in", ".py", ".sh", ".proto")) and "SPDX-License-Identifier: Apache-2.0" not in first:
        report(path, 1, "the licence line comes first")


def check_format(paths):
    formatter = shutil.which("clang-format")
    if not formatter:
        print("warning: clang-format is not installed, formatting was not checked")
        return
    for start in range(0, len(paths), 40):
        done = subprocess.run([formatter, "--dry-run", "-Werror", "--style=file"] + paths[start:start + 40],
                              capture_output=True, text=True, cwd=root)
        found = re.findall(r"^(.*?):(\d+):\d+: error: code should be clang-formatted", done.stderr, flags=re.M)
        for name in sorted({name for name, _ in found}):
            first = min(int(line) for other, line in found if other == name)
            report(os.path.join(root, name), first, "not as clang-format writes it, here first")


root = os.path.abspath(sys.argv[1])
sources, count = [], 0
for top in TOPS:
    for directory, folders, names in os.walk(os.path.join(root, top)):
        folders.sort()
        folders[:] = [f for f in folders if f != "__pycache__"]
        for name in sorted(names):
            path = os.path.join(directory, name)
            if not name.endswith((".c", ".h", ".h.in", ".py", ".sh", ".rst", ".proto", ".build", ".map", "run")):
                continue
            with open(path, encoding="utf-8") as file:
                text = file.read()
            lines = text.split("\n")
            if text and not text.endswith("\n"):
                report(path, len(lines), "no line feed at the end of the file")
            check_text(path, lines)
            check_licence(path, lines)
            count += 1
            if name.endswith((".c", ".h")):
                sources.append(path)
check_format(sources)
print("\n".join(problems))
print(f"{count} files, {len(problems)} problems")
sys.exit(1 if problems or count == 0 else 0)
