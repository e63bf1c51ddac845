# SPDX-License-Identifier: Apache-2.0
"""What the checks and generators share: the rows of abi/syscalls.def, and the source files of the tree."""
import os
import re
from collections import namedtuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROW = re.compile(r'^SYSCALL\((\d+), *(\w+), *(\w+)(?:\((\w+)\))?, *(\w+), *"([^"]*)", *"([^"]*)"\)$')
Syscall = namedtuple("Syscall", "nr name support errno context args note")


def syscalls(path=None):
    """All rows of abi/syscalls.def, in order; a line that is no row and no comment is an error."""
    path = path or os.path.join(ROOT, "abi/syscalls.def")
    rows = []
    with open(path) as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("//"):
                continue
            match = ROW.match(line)
            if not match:
                raise SystemExit(f"{path}:{number}: not a row: {line[:60]}")
            nr, name, support, errno, context, args, note = match.groups()
            rows.append(Syscall(int(nr), name, support, errno, context, args, note))
    return rows


COVERS = re.compile(r"^//\s*covers:\s*(.*)$", re.M)


def covers():
    """Which calls each program of tests/syscalls says that it proves, in lines `// covers: read, write` at its head:
    {path: [names]}."""
    found = {}
    for path in sources("tests/syscalls", endings=(".c",)):
        text = " ".join(COVERS.findall(read(path)))
        found[path] = [name for name in re.split(r"[,\s]+", text) if name]
    return found


def sources(*tops, endings=(".c", ".h", ".S", ".def")):
    """Source files below the given top folders, relative to the root, in a stable order."""
    for top in tops:
        for folder, folders, files in os.walk(os.path.join(ROOT, top)):
            folders.sort()
            for name in sorted(files):
                if name.endswith(endings):
                    yield os.path.relpath(os.path.join(folder, name), ROOT)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def write_if_changed(path, text):
    """Leaves the time of a file alone when its text is the same, so that nothing is rebuilt for it."""
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return False
    except FileNotFoundError:
        pass
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def emit(path, text, check):
    """Writes a generated document, or with check says whether the one in the tree is stale. Returns an exit status."""
    full = os.path.join(ROOT, path)
    if not check:
        write_if_changed(full, text)
        return 0
    try:
        stale = read(path) != text
    except FileNotFoundError:
        stale = True
    if stale:
        print(f"{path}: stale; run the generator again")
    return int(stale)
