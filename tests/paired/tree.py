# SPDX-License-Identifier: Apache-2.0
"""Prints a folder as text that is the same for equal trees: of each name the type, mode, owner, and what the
type has (size and sum of the contents, the first other name of the same file, link target, device), user.*
attributes and ACLs, and the time of change where it lies in the past, which is what programs set. Sizes of
directories and holes are a file system's own matter."""
import hashlib
import os
import stat
import sys
import time

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket",
         stat.S_IFCHR: "char", stat.S_IFBLK: "block"}
OLD_S = 3600


def attributes(path):
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return []
    return ["%s=%s" % (n, os.getxattr(path, n, follow_symlinks=False).hex()) for n in sorted(names)
            if n.startswith("user.") or n.startswith("system.posix_acl")]


def content(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        for piece in iter(lambda: f.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()[:24]


def describe(path, name, first_names, now):
    st = os.lstat(path)
    kind = KINDS[stat.S_IFMT(st.st_mode)]
    words = [kind, "%04o" % stat.S_IMODE(st.st_mode), "%d:%d" % (st.st_uid, st.st_gid), repr(name)]
    if kind == "file":
        words += ["size=%d" % st.st_size, content(path)]
    if kind == "link":
        words.append("-> " + repr(os.readlink(path)))
    if kind in ("char", "block"):
        words.append("device=%d,%d" % (os.major(st.st_rdev), os.minor(st.st_rdev)))
    if kind != "dir":
        words.append("names=%d" % st.st_nlink)
        first = first_names.setdefault((st.st_dev, st.st_ino), name)
        if first != name:
            words.append("same as " + repr(first))
    if st.st_mtime < now - OLD_S:
        words.append("mtime=%d" % st.st_mtime_ns)
    return " ".join(words + attributes(path))


def tree(root):
    now, first_names, found = time.time(), {}, [(root, ".")]
    for folder, folders, files in os.walk(root):
        folders.sort()
        found += [(os.path.join(folder, n), os.path.relpath(os.path.join(folder, n), root)) for n in folders + files]
    for path, name in sorted(found, key=lambda pair: os.fsencode(pair[1])):
        yield describe(path, name, first_names, now)


if __name__ == "__main__":
    for line in tree(sys.argv[1]):
        sys.stdout.buffer.write(line.encode("utf-8", "surrogateescape") + b"\n")
