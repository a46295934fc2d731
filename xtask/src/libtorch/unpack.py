"""Takes what is needed out of the wheels in a folder: `unpack.py WHEELS TARGET`. A wheel is a zip file."""

import os
import re
import shutil
import sys
import zipfile

WANTED = re.compile(
    r"torch/(include/.*|lib/(libtorch_cpu|libc10)\.so|lib/libgomp[^/]*\.so[^/]*)$"
    r"|nvidia/.*/lib/(libcudart|libcupti)\.so[.0-9]*$"
)

wheels, target = sys.argv[1:]
for wheel in sorted(os.listdir(wheels)):
    with zipfile.ZipFile(os.path.join(wheels, wheel)) as archive:
        for name in archive.namelist():
            if name.endswith("/") or not WANTED.match(name):
                continue
            inside = name[len("torch/") :] if name.startswith("torch/") else "lib/" + os.path.basename(name)
            path = os.path.join(target, inside)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(name) as source, open(path, "wb") as to:
                shutil.copyfileobj(source, to, 1 << 20)
