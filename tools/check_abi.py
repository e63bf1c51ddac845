#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares abi/*.h with the headers of the build machine.

Each LINUX_X whose X the host's headers define as a macro must have the same value, and each number of
abi/syscalls.def must be the host's where the host has one. The comparison is a generated C file of static assertions
that is only parsed, one per header, so that host headers that exclude each other can both be used.
"""
import os
import re
import subprocess
import sys

import source

# What each header of ours is compared with.
HOST = {
    "auxv.h": ["linux/auxvec.h", "asm/auxvec.h"],
    "caps.h": ["linux/capability.h", "linux/securebits.h"],
    "errno.h": ["errno.h"],
    "fcntl.h": ["fcntl.h", "unistd.h", "linux/limits.h", "linux/openat2.h"],
    "fanotify.h": ["linux/fanotify.h"],
    "futex.h": ["linux/futex.h"],
    "inotify.h": ["sys/inotify.h"],
    "ioctl.h": ["stddef.h", "linux/fiemap.h", "asm/termbits.h", "asm/ioctls.h", "linux/sockios.h", "linux/fs.h", "linux/nsfs.h"],
    "inet.h": ["netinet/in.h", "netinet/tcp.h", "netinet/udp.h"],
    "landlock.h": ["linux/landlock.h"],
    "mman.h": ["sys/mman.h", "sys/shm.h", "linux/mempolicy.h"],
    "misc.h": ["linux/random.h", "linux/close_range.h", "linux/membarrier.h", "sys/timerfd.h", "sys/eventfd.h",
               "sys/signalfd.h", "linux/falloc.h", "linux/kcmp.h", "linux/mount.h", "linux/xattr.h", "linux/reboot.h"],
    "netdevice.h": ["sys/socket.h", "linux/if.h", "linux/if_arp.h", "linux/sockios.h"],
    "netlink.h": ["sys/socket.h", "linux/netlink.h", "linux/rtnetlink.h", "linux/if_link.h", "linux/if_addr.h", "linux/fib_rules.h", "linux/sock_diag.h"],
    "poll.h": ["poll.h", "sys/epoll.h"],
    "prctl.h": ["linux/prctl.h", "asm/prctl.h", "linux/securebits.h"],
    "resource.h": ["sys/resource.h"],
    "sched.h": ["linux/sched.h"],
    "seccomp.h": ["sys/ioctl.h", "linux/seccomp.h", "linux/audit.h", "linux/filter.h"],
    "signal.h": ["signal.h"],
    "socket.h": ["sys/socket.h", "netinet/in.h", "netinet/tcp.h"],
    "stat.h": ["sys/stat.h", "sys/statvfs.h", "linux/magic.h", "dirent.h"],
    "time.h": ["time.h", "sys/time.h", "sys/timex.h", "fcntl.h"],
    "uio.h": ["sys/uio.h", "linux/fs.h"],
    "wait.h": ["sys/wait.h"],
}

# libc's own value on purpose differs from the kernel's, or the name means another thing.
DIFFERENT = {
    "O_LARGEFILE",   # libc hides it on 64-bit
    "SIGRTMIN",      # libc keeps two for itself
    "SIGSTKSZ", "MINSIGSTKSZ",  # libc asks the kernel
    "SA_RESTORER",   # not in libc
    "NSIG",          # one more in libc
    "F_GETLK", "F_SETLK", "F_SETLKW",
    "FASYNC",
    "RLIM_INFINITY",  # as a signed number in libc
    "PRIO_MAX",
    "WCOREFLAG",
    "DT_WHT", "S_ISVTX",
    "AF_MAX",        # grows with the kernel
    "CAP_LAST_CAP",
    "__O_TMPFILE",   # with O_DIRECTORY in libc
    "SIG_DFL", "SIG_IGN", "SIGRTMAX",  # pointers, and a function
    "IOC_NONE", "IO", "IOR", "IOW", "IOWR",
}
DEFINE = re.compile(r"^#define LINUX_(\w+)\s+\S", re.M)


def check(header, hosts):
    names = [n for n in dict.fromkeys(DEFINE.findall(source.read("abi/" + header))) if n not in DIFFERENT]
    lines = ["#include <assert.h>", f'#include "abi/{header}"']
    lines += [f"#if __has_include(<{host}>)\n#include <{host}>\n#endif" for host in hosts]
    for name in names:
        lines.append(f'#ifdef {name}\nstatic_assert((long long)(LINUX_{name}) == (long long)({name}) || '
                     f'(unsigned)(LINUX_{name}) == (unsigned)({name}), "{name}");\n#endif')
    return compile_text("\n".join(lines), header)


def check_numbers():
    lines = ["#include <assert.h>", "#include <asm/unistd.h>"]
    for row in source.syscalls():
        lines.append(f'#ifdef __NR_{row.name}\nstatic_assert(__NR_{row.name} == {row.nr}, "{row.name}");\n#endif')
    return compile_text("\n".join(lines), "syscalls.def")


def compile_text(text, what):
    compiler = os.environ.get("CC", "cc")
    run = subprocess.run([compiler, "-std=gnu17", "-D_GNU_SOURCE", "-I", source.ROOT, "-fsyntax-only", "-x", "c", "-"],
                         input=text + "\n", capture_output=True, text=True, check=False)
    if run.returncode:
        errors = [line for line in run.stderr.splitlines() if "error" in line]
        print(f"abi/{what}: differs from the host's headers")
        print("\n".join("    " + line for line in errors[:20]))
    return run.returncode


def main():
    return int(any([check(header, hosts) for header, hosts in HOST.items()] + [check_numbers()]))


if __name__ == "__main__":
    sys.exit(main())
