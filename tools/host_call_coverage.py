#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which rows of the host_syscalls.def and gate_calls.def files does a run use, and which never? Runs a command (usually a part
of the suite) while the host's trace events watch all Picket processes of the machine; as root. A row that the whole suite
never hits should go, or get a test.

    tools/host_call_coverage.py [--timeout SECONDS] -- COMMAND [ARGUMENTS]
"""
import argparse
import os
import re
import select
import subprocess
import sys
import time

import gen_host_syscalls
import source

EVENT = "events/raw_syscalls/sys_enter"
COMMS = {"picket-sentry": gen_host_syscalls.SENTRY, "picket-gofer": gen_host_syscalls.GOFER, "picket-stub": gen_host_syscalls.GATE}


def listed():
    """{process name: [row, ...]} without the rows of sanitizers."""
    found = {comm: [name for name, when, *_ in gen_host_syscalls.rows(path) if when != "SANITIZED"]
             for comm, path in COMMS.items() if path != gen_host_syscalls.GATE}
    gate = re.findall(r"^GATE_CALL\((\w+), (\w+)", source.read(gen_host_syscalls.GATE), re.M)
    found["picket-stub"] = [name for name, when in gate if when != "EXEMPT"]
    return found


class Trace:
    def __init__(self):
        self.path = "/sys/kernel/tracing/instances/picket-coverage-%d" % os.getpid()
        os.mkdir(self.path)
        self.seen = {comm: {} for comm in COMMS}
        self.narrow()
        self.write(EVENT + "/enable", "1")
        self.pipe = os.open(self.path + "/trace_pipe", os.O_RDONLY | os.O_NONBLOCK)

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w") as f:
            f.write(text)

    # What has been seen once is asked for no more: so the trace stays small, however much the command does.
    def narrow(self):
        parts = ['(comm == "%s"%s)' % (comm, "".join(" && id != %d" % nr for nr in seen)) for comm, seen in self.seen.items()]
        self.write(EVENT + "/filter", " || ".join(parts))

    def poll(self):
        if not select.select([self.pipe], [], [], 0.2)[0]:
            return
        try:
            text = os.read(self.pipe, 1 << 20).decode(errors="replace")
        except BlockingIOError:
            return
        new = False
        for comm, nr in re.findall(r"^\s*(picket-\w+)-\d+ .*sys_enter: NR (\d+)", text, re.M):
            if comm in self.seen and int(nr) not in self.seen[comm]:
                self.seen[comm][int(nr)] = new = True
        if new:
            self.narrow()

    def close(self):
        self.write(EVENT + "/enable", "0")
        os.close(self.pipe)
        os.rmdir(self.path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timeout", type=float, default=3600)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command or os.geteuid() != 0 or not os.path.exists("/sys/kernel/tracing/" + EVENT):
        sys.exit("host_call_coverage: needs a command, root, and %s in /sys/kernel/tracing" % EVENT)
    trace, end = Trace(), time.monotonic() + options.timeout
    try:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and time.monotonic() < end:
            trace.poll()
        if process.poll() is None:
            process.kill()
        trace.poll()
    finally:
        trace.close()
    numbers = {row.nr: row.name for row in source.syscalls()}
    for comm, rows in listed().items():
        used = {numbers.get(nr, str(nr)) for nr in trace.seen[comm]}
        never = [name for name in dict.fromkeys(rows) if name not in used]
        print("%s: %d of %d rows used; never: %s" % (comm, len(set(rows)) - len(never), len(set(rows)), " ".join(never) or "-"))
        if used - set(rows):
            print("  before its filter, or not in the rows: " + " ".join(sorted(used - set(rows))))


if __name__ == "__main__":
    main()
