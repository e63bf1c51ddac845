#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Connections of a guest for long (guest_soak/main.c), natively for a moment and then inside: every byte compared by the guest, and
at the end nothing of it left: no socket in /proc/net, no open file; what the sentry has kept is its own check's matter when it ends.
`./dev soak SECONDS` (7200 by nightly); the test `netsoak.guest` is some seconds of it."""
import argparse
import os
import subprocess
import sys

# After the guest: TIME-WAIT runs out (60 s) in a long run, so that none is left at all.
AFTER = """if 1:
    import subprocess, sys, time
    guest, seconds, connections, wait = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
    done = subprocess.run([guest, seconds, connections, "7"])
    def left():
        rows = []
        for name in ("tcp", "tcp6", "udp", "udp6"):
            with open("/proc/net/" + name) as f: rows += [l.split()[3] for l in f.readlines()[1:]]
        return rows
    end = time.monotonic() + wait
    while left() and time.monotonic() < end: time.sleep(0.5)
    rows = left()
    print("left:", sum(r != "06" for r in rows), "and in TIME-WAIT", len(rows) if wait > 60 else "some")
    sys.exit(done.returncode)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--guest", required=True)
    parser.add_argument("--platform", default="seccomp")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--connections", type=int, default=100)
    options = parser.parse_args()
    guest = os.path.realpath(options.guest)
    native = subprocess.run([guest, "1", "20"], capture_output=True, text=True, timeout=120)
    long = options.seconds > 120
    words = ["python3", "-c", AFTER, guest, str(options.seconds), str(options.connections), "130" if long else "1"]
    inside = subprocess.run([os.path.realpath(options.picket), "do", "--platform=" + options.platform, "--"] + words,
                            capture_output=True, text=True, timeout=options.seconds + 400)
    print("natively: " + native.stdout.strip() + native.stderr)
    print("inside: " + inside.stdout.strip() + inside.stderr)
    want = "left: 0 and in TIME-WAIT " + ("0" if long else "some")
    bad = [native.returncode != 0, inside.returncode != 0 or want not in inside.stdout or bool(inside.stderr)]
    print("%d passed, %d failed, 0 skipped" % (2 - sum(bad), sum(bad)))
    return int(any(bad))


if __name__ == "__main__":
    sys.exit(main())
