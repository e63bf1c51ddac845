#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom: each include is written from the root, and goes downward; headers of the host's kernel interface
stay in the parts that talk to it. Prints file:line for each offence and fails when there are any.
"""
import os
import re
import sys

import source

# Per top folder: the folders and single files it may include besides its own.
MAY = {
    "abi": [],
    "base": ["abi/errno.h"],
    "netstack": ["base/", "abi/errno.h"],
    "host": ["base/", "abi/"],
    "platform": ["base/", "abi/", "host/confine.h"],
    "gofer": ["base/", "abi/", "host/confine.h"],
    "egress": ["base/", "abi/"],
    "fs": ["base/", "abi/", "gofer/proto.h", "gofer/proto.def"],
    "sentry": ["base/", "abi/", "host/confine.h", "fs/", "platform/platform.h", "netstack/netstack.h", "egress/proto.h"],
    # the entry header of each process, and what the probe and the platform choice need
    "oci": ["base/", "abi/", "host/confine.h", "platform/platform.h", "sentry/sentry.h", "gofer/gofer.h", "gofer/proto.h",
            "egress/egress.h"],
}
# Included from the build tree, not from the root.
GENERATED = ("gen/", "syscalls_missing")
# The host's kernel interface.
HOST = re.compile(r"^(linux/|asm/|asm-generic/|net/|netinet/|netpacket/|arpa/|seccomp\.h|netdb\.h|liburing"
                  r"|sys/(ptrace|user|socket|un|mount|prctl|wait|syscall|epoll|inotify|signalfd|rseq|auxv|capability)"
                  r"\.h)")
HOST_FREE = ("host/", "platform/", "gofer/", "egress/", "oci/", "sentry/hostfilter/")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def host_allowed(path):
    name = os.path.basename(path)
    return path.startswith(HOST_FREE) or (name.startswith("host") and name.endswith(".c"))


def quoted(top, path, target):
    if not os.path.exists(os.path.join(source.ROOT, target)):
        if target.startswith(GENERATED):
            return None
        return f'"{target}" is not a path from the root'
    if target.startswith(top + "/"):
        return None
    if any(target.startswith(may) if may.endswith("/") else target == may for may in MAY[top]):
        return None
    return f'{top}/ may not include "{target}"'


def offences(top, path):
    for number, line in enumerate(source.read(path).splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        kind, target = match.groups()
        if kind == '"':
            problem = quoted(top, path, target)
        elif HOST.match(target) and not host_allowed(path):
            problem = f"<{target}> is for the parts that talk to the host, and for host*.c"
        else:
            problem = None
        if problem:
            yield f"{path}:{number}: {problem}"


def main():
    found = [text for top in MAY for path in source.sources(top) for text in offences(top, path)]
    print("\n".join(found + [f"{len(found)} includes against the rules"]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
