# SPDX-License-Identifier: Apache-2.0
"""Model files both ways between numpy, safetensors and this library.

usage: test_numpy.py <model_tool> numpy|safetensors
Exit code 77 means that the package is not installed, so that nothing was tested. FEDN_INTEROP_PYTHON names
another interpreter to run under, such as that of a virtual environment which has the packages.
"""
import io
import os
import subprocess
import sys
import tempfile
import zipfile

other = os.environ.pop("FEDN_INTEROP_PYTHON", None)
if other:
    os.execv(other, [other] + sys.argv)

TOOL = sys.argv[1]
WHAT = sys.argv[2]

try:
    import numpy as np
    if WHAT == "safetensors":
        import safetensors
        import safetensors.numpy
except ImportError as missing:
    print(f"SKIPPED: {missing.name} package is not importable", file=sys.stderr)
    print(f"SKIPPED: {missing.name} package is not importable")
    sys.exit(77)

TYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]
SHAPES = [(), (1,), (7,), (3, 5), (2, 3, 4), (1, 9), (9, 1), (2, 3, 4, 5, 6), (1, 2, 1, 3, 1, 2, 2), (0,), (3, 0, 2)]
checks = 0


def fill(shape, kind, seed):
    """Every bit pattern that the type can have, NaN and infinities among them."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(kind)
    count = int(np.prod(shape, dtype=np.int64))
    if dtype.kind == "b":
        return (rng.integers(0, 2, count) == 1).reshape(shape)
    return np.frombuffer(rng.bytes(count * dtype.itemsize), dtype=dtype).reshape(shape).copy()


def native(array):
    return array.astype(array.dtype.newbyteorder("<"), order="C")


def same(name, got, wanted):
    global checks
    wanted = native(wanted)
    if got.dtype != wanted.dtype or got.shape != wanted.shape or native(got).tobytes() != wanted.tobytes():
        sys.exit(f"{name}: got {got.dtype} {got.shape}, wanted {wanted.dtype} {wanted.shape} or bytes differ")
    checks += 1


def convert(directory, source, source_format, target_format, how):
    target = os.path.join(directory, "out." + target_format)
    done = subprocess.run([TOOL, how, source, source_format, target, target_format], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{how} {source} to {target_format}: {done.stderr}")
    return target, done.stdout.split("\n")[:-1]


def every_way(directory, source, wanted, source_format="-"):
    """Read by us in each of our ways, written by us in each, read by numpy again."""
    for how in ("load", "copy"):
        for target_format in ("npz", "npz-deflate"):
            target, order = convert(directory, source, source_format, target_format, how)
            if order != list(wanted):
                sys.exit(f"{source}: order is {order}, wanted {list(wanted)}")
            with np.load(target) as got:
                if got.files != list(wanted):
                    sys.exit(f"{source}: members are {got.files}, wanted {list(wanted)}")
                for name, array in wanted.items():
                    same(f"{source} {how} {target_format} {name}", got[name], array)
            if zipfile.ZipFile(target).testzip() is not None:
                sys.exit(f"{target}: a CRC-32 is wrong")


def numpy_arrays(seed):
    arrays = {}
    for kind in TYPES:
        for shape in SHAPES:
            plain = fill(shape, kind, seed + len(arrays))
            arrays[str(len(arrays))] = plain
            if len(shape) > 1:
                arrays[str(len(arrays))] = np.asfortranarray(plain)
            if np.dtype(kind).itemsize > 1:
                arrays[str(len(arrays))] = plain.astype(plain.dtype.newbyteorder(">"))
                arrays[str(len(arrays))] = np.asfortranarray(plain).astype(plain.dtype.newbyteorder(">"), order="K")
    return arrays


def save_unseekable(path, arrays):
    """As numpy writes into a pipe: sizes come behind the data."""
    class Pipe(io.RawIOBase):
        def __init__(self, file):
            self.file = file

        def writable(self):
            return True

        def write(self, data):
            return self.file.write(data)

    with open(path, "wb") as file:
        with zipfile.ZipFile(Pipe(file), "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in arrays.items():
                with archive.open(name + ".npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)


def save_versions(path, arrays):
    with zipfile.ZipFile(path, "w") as archive:
        for at, (name, array) in enumerate(arrays.items()):
            member = io.BytesIO()
            np.lib.format.write_array(member, array, version=[(1, 0), (2, 0), (3, 0)][at % 3])
            archive.writestr(name + ".npy", member.getvalue())


def test_numpy(directory):
    arrays = numpy_arrays(1)
    for writer in (np.savez, np.savez_compressed, save_unseekable, save_versions):
        path = os.path.join(directory, writer.__name__ + ".npz")
        if writer in (np.savez, np.savez_compressed):
            writer(path, **arrays)
        else:
            writer(path, arrays)
        every_way(directory, path, arrays)

    # "10" before "2" in the file, numbers in order for us
    path = os.path.join(directory, "order.npz")
    shuffled = {name: np.full(3, int(name), "f4") for name in ("10", "2", "0", "1")}
    np.savez(path, **shuffled)
    every_way(directory, path, {name: shuffled[name] for name in ("0", "1", "2", "10")})

    path = os.path.join(directory, "named.npz")
    named = {"layer1/weight": fill((4, 3), "f4", 2), "b": fill((3,), "f8", 3), "größe": fill((), "i4", 4)}
    np.savez_compressed(path, **named)
    every_way(directory, path, named)

    path = os.path.join(directory, "empty.npz")
    np.savez(path)
    every_way(directory, path, {})

    # more members than a plain archive can count
    path = os.path.join(directory, "many.safetensors")
    many = 66000
    header = "{%s}" % ",".join(
        f'"{at}":{{"dtype":"U32","shape":[],"data_offsets":[{4 * at},{4 * at + 4}]}}' for at in range(many))
    with open(path, "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header.encode() + np.arange(many, dtype="<u4").tobytes())
    target, order = convert(directory, path, "-", "npz", "copy")
    with np.load(target) as got:
        if got.files != order or order != [str(at) for at in range(many)]:
            sys.exit("names of many tensors differ")
        for at in (0, 1, 65534, 65535, many - 1):
            same("many", got[str(at)], np.array(at, "u4"))

    # one tensor of several pieces, column-major and compressed
    path = os.path.join(directory, "large.npz")
    large = {"0": np.asfortranarray(fill((700, 611, 3), "f4", 5)), "1": fill((2_000_001,), ">f8", 6), "2": fill((1_500_000,), "u1", 7)}
    for writer in (np.savez, np.savez_compressed):
        writer(path, **large)
        every_way(directory, path, large)

    # bfloat16 as the ml_dtypes package has numpy store it
    path = os.path.join(directory, "bf16.npz")
    half = {"0": np.frombuffer(np.random.default_rng(8).bytes(24), "V2").reshape(3, 4)}
    np.savez(path, **half)
    for how in ("load", "copy"):
        target, _ = convert(directory, path, "-", "npz", how)
        with np.load(target) as got:
            same("bf16", got["0"].view("u2"), half["0"].view("u2"))

    # raw elements
    path = os.path.join(directory, "raw.bin")
    for kind, name in (("f4", "float32"), ("f8", "float64"), ("i8", "int64")):
        flat = fill((1001,), kind, 9)
        flat.tofile(path)
        every_way(directory, path, {"0": flat}, "raw-" + name)
        target, _ = convert(directory, path, "raw-" + name, "raw-" + name, "copy")
        same("raw " + name, np.fromfile(target, kind), flat)


def refused(directory, array, words, **options):
    path = os.path.join(directory, "refused.npz")
    np.savez(path, array, **options)
    done = subprocess.run([TOOL, "load", path, "-", path + ".out", "npz"], capture_output=True, text=True)
    if done.returncode != 1 or words not in done.stderr:
        sys.exit(f"{array.dtype} was not refused for {words}: {done.stderr}")
    global checks
    checks += 1


def test_refused(directory):
    refused(directory, np.array([{"a": 1}], dtype=object), "pickled")
    refused(directory, np.zeros(3, dtype=[("x", "f4"), ("y", "i4")]), "structured")
    refused(directory, np.zeros(3, dtype="c8"), "<c8")
    refused(directory, np.zeros(3, dtype="U5"), "<U5")
    refused(directory, np.zeros(3, dtype="M8[s]"), "<M8[s]")


def test_safetensors(directory):
    arrays = {}
    for kind in TYPES:
        for shape in SHAPES:
            arrays[str(len(arrays))] = fill(shape, kind, len(arrays))
    path = os.path.join(directory, "in.safetensors")
    safetensors.numpy.save_file(arrays, path, metadata={"format": "np", "note": "{\"a\": [1]}"})
    every_way(directory, path, arrays)

    for how in ("load", "copy"):
        back = os.path.join(directory, "in.npz")
        np.savez(back, **arrays)
        target, _ = convert(directory, back, "-", "safetensors", how)
        got = safetensors.numpy.load_file(target)
        if set(got) != set(arrays):
            sys.exit("safetensors: other names came back")
        for name, array in arrays.items():
            same("safetensors " + name, got[name], array)

    # bfloat16: looked at as bytes, since numpy has no such type
    half = np.random.default_rng(11).bytes(24)
    header = b'{"0":{"dtype":"BF16","shape":[3,4],"data_offsets":[0,24]}}'
    with open(path, "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header + half)
    for how in ("load", "copy"):
        target, _ = convert(directory, path, "-", "npz", how)
        with np.load(target) as got:
            same("bf16", got["0"].view("u2"), np.frombuffer(half, "u2").reshape(3, 4))
        target, _ = convert(directory, target, "-", "safetensors", how)
        with open(target, "rb") as file:
            (name, tensor), = safetensors.deserialize(file.read())
        same("bf16", np.frombuffer(tensor["data"], "u2"), np.frombuffer(half, "u2"))
        if name != "0" or tensor["dtype"] != "BF16" or tensor["shape"] != [3, 4]:
            sys.exit(f"bf16 came back as {tensor}")


with tempfile.TemporaryDirectory() as scratch:
    if WHAT == "numpy":
        test_numpy(scratch)
        test_refused(scratch)
    else:
        test_safetensors(scratch)
print(f"{checks} tensors agree")
