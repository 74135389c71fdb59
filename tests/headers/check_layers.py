# SPDX-License-Identifier: Apache-2.0
"""Who includes whom in lib/, cli/ and examples/, checked from the #include lines; and how long files are.

usage: check_layers.py <root of the source tree>
The table below is the one of lib/README.rst.
"""
import os
import re
import sys

LIBC = set("""assert ctype dirent dlfcn errno fcntl fenv float fnmatch ftw getopt inttypes langinfo limits locale malloc math netdb poll pthread
 sched setjmp signal spawn stdarg stdatomic stdbool stddef stdint stdio stdlib string strings syslog termios time unistd wchar
 arpa/inet net/if netinet/in netinet/tcp sys/epoll sys/eventfd sys/file sys/ioctl sys/mman sys/prctl sys/random sys/resource sys/select
 sys/socket sys/stat sys/statvfs sys/time sys/types sys/uio sys/un sys/utsname sys/wait linux/filter""".split())

# folder: (folders of lib/ besides itself, foreign headers); jansson is part of core's interface
LAYERS = {
    "core": ([], ["jansson.h", "yaml.h", "xxhash.h"]),
    "model": (["core"], ["jansson.h", "zlib.h", "libdeflate.h"]),
    "aggregate": (["core", "model"], ["jansson.h"]),
    "security": (["core"], ["jansson.h", "mbedtls/"]),
    "store": (["core"], ["jansson.h"]),
    "http": (["core"], ["microhttpd.h", "curl/"]),
    "rpc": (["core"], ["grpc/", "protobuf-c/", ".pb-c.h"]),
    "package": (["core", "security"], ["archive.h", "archive_entry.h", "yaml.h"]),
    "control": (["core", "http"], ["jansson.h"]),
    "roles": (["core", "model", "aggregate", "security", "package", "store", "http", "rpc"], ["jansson.h", ".pb-c.h"]),
}
# a file of this name may include this besides
FILES = {
    r"store/sqlite\w*\.[ch]": ["sqlite3.h"],
    r"store/mongo\w*\.[ch]": ["mongoc/", "bson/", "mongoc.h", "bson.h"],
}
# an engine is pure: values of core, what two roles share, its own headers
ENGINE_CORE = {"alloc", "buffer", "error", "json", "limits", "map", "text", "uuid"}
ENGINE_FOREIGN = {"assert.h", "float.h", "jansson.h", "limits.h", "math.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h",
                  "stdio.h", "stdlib.h", "string.h"}
MOST_LINES, MANY_LINES = 500, 450
LONG_TABLES = set()  # files that are one table, exempt from MOST_LINES

problems, warnings = [], []


def includes(path):
    with open(path, encoding="utf-8") as file:
        return re.findall(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', file.read(), flags=re.M)


def is_one_of(target, allowed):
    return any(target == a or (a[-1] == "/" and target.startswith(a)) or (a[0] == "." and target.endswith(a))
               for a in allowed)


def is_libc(target):
    return target[-2:] == ".h" and target[:-2] in LIBC


def check_engine(relative, seen):
    """The engine and the headers of its own folder that it includes, however deep."""
    for target in includes(os.path.join(root, "lib", relative)):
        if target.startswith(os.path.dirname(relative) + "/"):
            if target not in seen:
                seen.add(target)
                check_engine(target, seen)
        elif not (re.fullmatch(r"roles/\w+\.h", target) or target.startswith("fedn/")
                  or (target.startswith("core/") and target[5:-2] in ENGINE_CORE) or target in ENGINE_FOREIGN):
            problems.append(f"lib/{relative}: an engine is pure and may not include {target}")


def check_library_file(relative, path):
    layer = relative.split("/")[0]
    allowed, foreign = LAYERS[layer]
    extra = [e for pattern, more in FILES.items() if re.fullmatch(pattern, relative) for e in more]
    role = relative.split("/")[1] if relative.count("/") > 1 and layer == "roles" else None
    for target in includes(path):
        if is_libc(target) or target.startswith("fedn/") or is_one_of(target, foreign + extra):
            pass
        elif target.split("/")[0] in LAYERS and "/" in target:
            other = target.split("/")
            if other[0] != layer and other[0] not in allowed:
                problems.append(f"lib/{relative}: {layer}/ may not include {target}")
            if role and other[0] == "roles" and len(other) > 2 and other[1] != role:
                problems.append(f"lib/{relative}: the {role} may not include {target} of another role")
            if layer == "roles" and not role and other[0] == "roles" and len(other) > 2:
                problems.append(f"lib/{relative}: what roles share may not include {target} of one of them")
        else:
            problems.append(f"lib/{relative}: {layer}/ may not include {target}")
    if role and re.match(r"engine\w*\.c$", os.path.basename(relative)):
        check_engine(relative, set())


def check_outside_file(relative, path):
    """cli/ and examples/ see what any user of the library sees."""
    folder = os.path.dirname(path)
    for target in includes(path):
        own = os.path.exists(os.path.join(folder, target)) and "/" not in target
        json = relative.startswith("cli/") and target == "jansson.h"
        if not (own or json or is_libc(target) or target.startswith("fedn/")):
            problems.append(f"{relative}: may include <fedn/...>, the C library and its own folder, not {target}")


def check_length(relative, path):
    with open(path, encoding="utf-8") as file:
        lines = sum(1 for _ in file)
    if lines > MOST_LINES and relative not in LONG_TABLES:
        problems.append(f"{relative}: {lines} lines, {MOST_LINES} at most")
    elif lines > MANY_LINES and relative not in LONG_TABLES:
        warnings.append(f"{relative}: {lines} lines, over {MANY_LINES}: is there a second noun in it?")


root = sys.argv[1]
count = 0
for top in ("lib", "cli", "examples", "include", "tests"):
    for directory, folders, names in os.walk(os.path.join(root, top)):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(directory, name)
            relative = os.path.relpath(path, root)
            if name.endswith((".c", ".h", ".py", ".sh")):
                count += 1
                check_length(relative, path)
            if not name.endswith((".c", ".h")):
                continue
            if top == "lib":
                check_library_file(os.path.relpath(path, os.path.join(root, "lib")), path)
            elif top in ("cli", "examples"):
                check_outside_file(relative, path)
for line in warnings:
    print("warning:", line)
print("\n".join(problems))
print(f"{count} files, {len(problems)} problems, {len(warnings)} warnings")
sys.exit(1 if problems or count == 0 else 0)
