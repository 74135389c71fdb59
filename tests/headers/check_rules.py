# SPDX-License-Identifier: Apache-2.0
"""What every public header keeps to, so that any language can bind it.

usage: check_rules.py <include> <generated include>
"""
import re
import sys

from declarations import api_functions, declarations, parameters, public_headers, read

ALLOWED_INCLUDES = {"stdint.h", "stddef.h"}
SIZE_T_HEADERS = {"fedn/alloc.h"}  # as malloc has it
problems = []


def check_includes(name, text):
    for quote, target in re.findall(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)', text, flags=re.M):
        if quote == '"' or not (target.startswith("fedn/") or target in ALLOWED_INCLUDES):
            problems.append(f"{name}: includes {target}; a public header includes <fedn/...> and the C library only")


def check_docstrings(name, text):
    """Each block of exported functions without an empty line between them has a comment that says the thread."""
    for block in re.split(r"\n[ \t]*\n", text):
        if "FEDN_API" not in re.sub(r"/\*.*?\*/|^[ \t]*#.*$", "", block, flags=re.S | re.M):
            continue
        first = block.index("FEDN_API")
        comment = re.search(r"/\*.*?\*/", block[:first], flags=re.S)
        # an empty line inside the comment cuts it in two: " *" lines are not empty, so none does
        if not comment or "Thread:" not in comment.group(0):
            exported = re.search(r"FEDN_API[^(]*?\b(fedn_\w+)\s*\(", block)
            problems.append(f"{name}: {exported.group(1) if exported else block[:40]}: no comment with \"Thread:\" above")


def structs_of(texts):
    names = set()
    for text in texts:
        names.update(re.findall(r"typedef struct \w+ (fedn_\w+)", " ".join(declarations(text))))
        names.update(re.findall(r"\}\s*(fedn_\w+)$", "\n".join(declarations(text)), flags=re.M))
    return names


def check_function(name, function, declaration, structs):
    if "..." in declaration:
        problems.append(f"{name}: {function}: has a variable argument list")
    if "(*" in declaration:
        problems.append(f"{name}: {function}: takes a function without a typedef")
    if re.search(r"\bsize_t\b|\bbool\b|\blong\b|\bunsigned\b|\bint\b", declaration) and name not in SIZE_T_HEADERS:
        problems.append(f"{name}: {function}: a type without a fixed width")
    result = declaration[: declaration.index(function)]
    for part in [result] + parameters(declaration):
        words = re.findall(r"\w+", part)
        if "*" not in part and structs.intersection(words):
            problems.append(f"{name}: {function}: a struct by value in \"{part}\"")


def check_callbacks(name, text):
    for declaration in declarations(text):
        match = re.match(r"typedef .*\(\*(fedn_\w+)\)\(", declaration)
        if not match:
            continue
        if not match.group(1).endswith("_fn"):
            problems.append(f"{name}: {match.group(1)}: the type of a callback ends in _fn")
        # extension tables are told their own context: `self` first, or a sink
        if not name.startswith("fedn/ext/") and parameters(declaration)[-1] != "void *user_data":
            problems.append(f"{name}: {match.group(1)}: void *user_data must come last")


headers = public_headers(*sys.argv[1:3])
texts = {name: read(path) for name, path in headers.items()}
structs = structs_of(texts.values())
count = 0
for name, text in texts.items():
    check_includes(name, text)
    check_docstrings(name, text)
    check_callbacks(name, text)
    for function, declaration in api_functions(text).items():
        count += 1
        if function is None:
            problems.append(f"{name}: \"{declaration}\" exports something that is no function")
        else:
            check_function(name, function, declaration, structs)
print("\n".join(problems))
print(f"{count} functions in {len(headers)} headers, {len(problems)} problems")
sys.exit(1 if problems or count == 0 else 0)
