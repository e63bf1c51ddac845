# SPDX-License-Identifier: Apache-2.0
"""Processes of the host as the tests look at them. Any of them may end between two looks: then there is nothing to say, and no error."""
import os


def read_proc(path):
    """What /proc says of a process or thread; None when it has ended meanwhile."""
    try:
        with open("/proc/" + path) as f:
            return f.read()
    except (FileNotFoundError, ProcessLookupError):
        return None


def proc_stat(pid):
    """The fields of its stat behind the name, the state first; None when it has ended."""
    text = read_proc("%d/stat" % pid)
    return text and text.rsplit(")", 1)[1].split()


def proc_name(pid):
    """Its name; "" when it has ended."""
    return (read_proc("%d/comm" % pid) or "").strip()


def threads(pid):
    try:
        return [int(tid) for tid in os.listdir("/proc/%d/task" % pid)]
    except (FileNotFoundError, ProcessLookupError):
        return []


def children(pid):
    """Those that any of its threads has made."""
    return [int(child) for tid in threads(pid) for child in (read_proc("%d/task/%d/children" % (pid, tid)) or "").split()]


def descendants(pid):
    """Those that have ended and not been waited for are among them."""
    found = []
    for child in children(pid):
        found += [child] + descendants(child)
    return found
