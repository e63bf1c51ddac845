#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom: each include is written from the root, and goes downward; headers of the host's kernel interface
stay in the parts that talk to it; functions of the C library that make host calls of their own accord are not for what
runs under a filter, which kills for them; and a handler reads its arguments as what they are (sentry/run/args.h), not
as bare registers. Prints file:line for each offence and fails when there are any.
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
    "fs": ["base/", "abi/", "gofer/proto.h", "gofer/proto.def"],
    "sentry": ["base/", "abi/", "host/confine.h", "fs/", "platform/platform.h", "netstack/netstack.h", "netstack/filter/nft.h",
               "netstack/link/pcapng.h"],
    # the entry header of each process, and what the probe and the platform choice need
    "oci": ["base/", "abi/", "host/confine.h", "platform/platform.h", "sentry/sentry.h", "sentry/control.h", "sentry/netconfig.h", "sentry/report.h",
            "gofer/gofer.h",
            "gofer/proto.h"],
}
# The folders of netstack/ from the ground up: each may include its own row and those before it; "" is netstack.c, which
# puts a stack together. Interfaces, neighbours and IP are one layer: a link's end takes routes along, and NDP is IPv6.
NETSTACK = (("prot",), ("core",), ("link", "neigh", "ip", "filter"), ("sock",), ("udp", "tcp"), ("",), ("tools",))
NETSTACK_ROW = {folder: row for row, folders in enumerate(NETSTACK) for folder in folders}
# Included from the build tree, not from the root.
GENERATED = ("gen/", "syscalls_missing")
# The host's kernel interface.
HOST = re.compile(r"^(linux/|asm/|asm-generic/|net/|netinet/|netpacket/|arpa/|seccomp\.h|netdb\.h|liburing"
                  r"|sys/(ptrace|user|socket|un|mount|prctl|wait|syscall|epoll|inotify|signalfd|rseq|auxv|capability)"
                  r"\.h)")
HOST_FREE = ("host/", "platform/", "gofer/", "oci/", "sentry/hostfilter/")
# Functions whose host calls one does not see: qsort asks for the host's memory, others open files.
HIDDEN = re.compile(r"\b(qsort(_r)?|sysconf|get_nprocs\w*|get_\w*phys_pages|fopen|opendir|scandir|glob|tmpfile64|localtime\w*|mktime"
                    r"|getpw\w+|getgr\w+|getaddrinfo|syslog|system|popen|dlopen|backtrace|pthread_cancel|setlocale|iconv_open)\(")
FILTERED = ("fs/", "sentry/", "platform/", "netstack/", "base/")
# A register of a call, read without saying how wide the argument is.
REGISTER = re.compile(r"\ba->v\[")
ACCESSORS = "sentry/run/args.h"
BEFORE_FILTER = ("sentry/run/boot.c", "sentry/kernel.c", "platform/stub/place.c", "netstack/tools/")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def host_allowed(path):
    name = os.path.basename(path)
    return path.startswith(HOST_FREE) or (name.startswith("host") and name.endswith(".c"))


def netstack_row(path):
    folder = path.split("/")[1] if path.count("/") > 1 else ""
    return NETSTACK_ROW[folder]


def upward(path, target):
    """Whether an include within netstack/ goes up; netstack.h, which all others see, is for all."""
    return (path.startswith("netstack/") and target.startswith("netstack/") and target != "netstack/netstack.h"
            and netstack_row(target) > netstack_row(path))


def quoted(top, path, target):
    if not os.path.exists(os.path.join(source.ROOT, target)):
        if target.startswith(GENERATED):
            return None
        return f'"{target}" is not a path from the root'
    if upward(path, target):
        return f'"{target}" lies above {os.path.dirname(path)}/'
    if target.startswith(top + "/"):
        return None
    if any(target.startswith(may) if may.endswith("/") else target == may for may in MAY[top]):
        return None
    return f'{top}/ may not include "{target}"'


def offences(top, path):
    filtered = path.startswith(FILTERED) and not path.startswith(BEFORE_FILTER)
    for number, line in enumerate(source.read(path).splitlines(), 1):
        hidden = HIDDEN.search(line.split("//")[0]) if filtered else None
        if hidden:
            yield f"{path}:{number}: {hidden[1]}() makes host calls of its own accord"
        if top == "sentry" and path != ACCESSORS and REGISTER.search(line):
            yield f"{path}:{number}: an argument is read by its type, as in {ACCESSORS}"
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
    print("\n".join(found + [f"{len(found)} offences against the rules"]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
