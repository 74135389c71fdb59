# SPDX-License-Identifier: Apache-2.0
"""What the public headers declare, read from their text; shared by the checks beside it."""
import os
import re


def public_headers(include, generated=None):
    """{"fedn/x.h": path}, the generated version.h among them when its directory is given."""
    found = {}
    for root in [include] + ([generated] if generated else []):
        for directory, _, names in os.walk(os.path.join(root, "fedn")):
            for name in names:
                if name.endswith(".h"):
                    path = os.path.join(directory, name)
                    found[os.path.relpath(path, root)] = path
    return dict(sorted(found.items()))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def declarations(text):
    """Each declaration on one line, without comments and preprocessor lines; macro calls of the
    FEDN_BEGIN_DECLS kind are dropped."""
    text = without_comments(text).replace("\\\n", " ")
    text = re.sub(r"^[ \t]*#.*$", "", text, flags=re.M)
    text = re.sub(r"\bFEDN_(BEGIN|END)_DECLS\b", "", text)
    result, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if char == ";" and depth == 0:
            result.append(re.sub(r"\s+", " ", text[start:at]).strip())
            start = at + 1
    return [d for d in result if d]


def constants(text):
    """Macros of the headers with their values; guards and function-like macros are no constants."""
    text = without_comments(text).replace("\\\n", " ")
    found = re.findall(r"^[ \t]*#[ \t]*define[ \t]+(FEDN_[A-Z0-9_]+)[ \t]+(\S.*?)[ \t]*$", text, flags=re.M)
    return [f"#define {name} {value}" for name, value in found]


def function_name(declaration):
    match = re.search(r"\b(fedn_\w+)\s*\(", declaration)
    return match.group(1) if match else None


def api_functions(text):
    """{name: declaration} of what FEDN_API exports."""
    exported = [d for d in declarations(text) if re.match(r"FEDN_API\b", d)]
    return {function_name(d): d for d in exported}


def parameters(declaration):
    """The parameters of a function, or of a typedef of a pointer to one."""
    inside = declaration[declaration.rindex(")(") + 2 if ")(" in declaration else declaration.index("(") + 1:]
    inside = inside[: inside.rindex(")")]
    return [p.strip() for p in inside.split(",")]
