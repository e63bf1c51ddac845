#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which functions of Picket nearly every sandbox runs: tools/start_functions.txt, from which the build makes the order of the text.

The kernel maps 64 KiB of a file around each place that is touched, so these functions must lie together, or all of the text is mapped
for each sandbox. A breakpoint at each function of the binary is taken away when it is met, in all processes of a
sandbox at once (ptrace; needs a build of type RelWithDebInfo, and is best run as root). Functions of the C library, where that is
linked in, have no sections of their own: of them the list names the object.

    tools/start_order.py build/dev/picket            # writes the list anew
    tools/start_order.py --check build/dev/picket    # fails when the list is no longer what a start runs
"""
import argparse
import ctypes
import os
import re
import signal
import subprocess
import sys

LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "start_functions.txt")
HEAD = """# SPDX-License-Identifier: Apache-2.0
# Functions (and objects of the C library) that a start and a small program run, as they are met; written by tools/start_order.py.
"""
# What is at rest comes first, then a little more.
PROGRAMS = [["sleep", "0.1"], ["/bin/sh", "-c", "ls -l / | cat > /dev/null; sleep 0.1"]]
FRESH = 0.7  # of the list must be met, and of what is met be in the list
TRACEME, CONT, GETREGS, SETREGS, SETOPTIONS = 0, 7, 12, 13, 0x4200
FORKS = 2 | 4 | 8  # PTRACE_O_TRACEFORK, VFORK, CLONE
WALL = 0x40000000
RIP, NREGS = 16, 27
KINDS = "tTWi"  # of symbols that are code, as nm(1) tells them
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def functions(binary):
    """{address: [names without what the compiler has appended]}."""
    lines = subprocess.run(["nm", binary], check=True, capture_output=True, text=True).stdout.splitlines()
    words = (line.split() for line in lines)
    found = {}
    for w in words:
        if len(w) == 3 and w[1] in KINDS:
            found.setdefault(int(w[0], 16), []).append(re.sub(r"\.(constprop|part|isra|cold)\b.*", "", w[2]))
    return found


def library():
    """{function: its object} of the C library that a static program is linked with."""
    path = subprocess.run(["cc", "-print-file-name=libc.a"], capture_output=True, text=True).stdout.strip()
    if not os.path.isabs(path):
        return {}
    lines = subprocess.run(["nm", "-A", path], check=True, capture_output=True, text=True).stdout.splitlines()
    words = (line.split() for line in lines)
    return {w[2]: w[0].split(":")[1] for w in words if len(w) == 3 and w[1] in KINDS.replace("t", "")}


class Trace:
    def __init__(self, binary):
        self.names = functions(binary)
        self.objects = library()
        self.met = {}  # name: None, in order
        self.bytes = {}
        self.binary = os.path.realpath(binary)

    def run(self, command):
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            libc.ptrace(TRACEME, 0, None, None)
            os.execv(command[0], command)
        os.waitpid(self.pid, 0)
        with open("/proc/%d/maps" % self.pid) as maps:
            self.base = next(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith(self.binary))
        with open("/proc/%d/mem" % self.pid, "r+b", 0) as mem:
            for address in self.names:
                mem.seek(self.base + address)
                self.bytes[address] = mem.read(1)
                mem.seek(self.base + address)
                mem.write(b"\xcc")
        libc.ptrace(SETOPTIONS, self.pid, None, FORKS)
        libc.ptrace(CONT, self.pid, None, None)
        return self.follow()

    def follow(self):
        """Until the first process has ended; its exit status."""
        while True:
            pid, status = os.waitpid(-1, WALL)
            if os.WIFSTOPPED(status):
                libc.ptrace(CONT, pid, None, self.signal(pid, status))
            elif pid == self.pid:
                return os.waitstatus_to_exitcode(status)

    def signal(self, pid, status):
        """What the stopped thread is to be given."""
        sig = os.WSTOPSIG(status)
        if status >> 16 or sig == signal.SIGSTOP:
            return 0
        return 0 if sig == signal.SIGTRAP and self.breakpoint(pid) else sig

    def breakpoint(self, pid):
        regs = (ctypes.c_ulong * NREGS)()
        libc.ptrace(GETREGS, pid, None, regs)
        address = regs[RIP] - 1 - self.base
        if address not in self.bytes:
            return False
        names = self.names[address]
        self.met[next((self.objects[name] for name in names if name in self.objects), names[0])] = None
        regs[RIP] -= 1
        libc.ptrace(SETREGS, pid, None, regs)
        with open("/proc/%d/mem" % pid, "r+b", 0) as mem:
            mem.seek(self.base + address)
            mem.write(self.bytes[address])
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("picket")
    options = parser.parse_args()
    trace = Trace(options.picket)
    signal.alarm(300)
    code = max(trace.run([options.picket, "do", "--platform=seccomp", "--"] + program) for program in PROGRAMS)
    if code == 125:
        print("skipped: no sandbox can be made here")
        return 77
    if code or not trace.met:
        sys.exit("start_order: picket gave %d" % code)
    if not options.check:
        with open(LIST, "w") as out:
            out.write(HEAD + "".join(name + "\n" for name in trace.met))
        return 0
    with open(LIST) as lines:
        known = {line.strip() for line in lines if not line.startswith("#")}
    both = len(known & set(trace.met))
    print("%d functions listed, %d met, %d of these listed" % (len(known), len(trace.met), both))
    return 0 if both >= FRESH * max(len(known), len(trace.met)) else 1


if __name__ == "__main__":
    sys.exit(main())
