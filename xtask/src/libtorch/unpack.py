"""Takes what is needed out of the wheels in a folder: `unpack.py WHEELS TARGET PART`, where PART is `processor` or `whole`.
A wheel is a zip file."""

import os
import re
import shutil
import sys
import zipfile

WANTED = {
    "processor": re.compile(
        r"torch/(include/.*|lib/(libtorch_cpu|libc10)\.so|lib/libgomp[^/]*\.so[^/]*)$"
        r"|nvidia/.*/lib/(libcudart|libcupti)\.so[.0-9]*$"
    ),
    # All but what is Python's.
    "whole": re.compile(
        r"torch/(include/.*|lib/lib(?!torch_python|shm)[^/]*\.so[^/]*)$"
        r"|nvidia/.*/lib/[^/]*\.so[^/]*$"
    ),
}

wheels, target, part = sys.argv[1:]
for wheel in sorted(os.listdir(wheels)):
    path_of_wheel = os.path.join(wheels, wheel)
    with zipfile.ZipFile(path_of_wheel) as archive:
        for name in archive.namelist():
            if name.endswith("/") or not WANTED[part].match(name):
                continue
            inside = name[len("torch/") :] if name.startswith("torch/") else "lib/" + os.path.basename(name)
            path = os.path.join(target, inside)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(name) as source, open(path, "wb") as to:
                shutil.copyfileobj(source, to, 1 << 20)
    os.remove(path_of_wheel)  # what is unpacked needs no room twice
