#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The threaded workload (guest/stress.c) natively, and inside Picket; the sanitizers' runs of the sentry live from it. The
sums of the workload must agree, the exit status be its own, and nothing be said on stderr (a leak, a race, an error)."""
import argparse
import os
import subprocess
import sys
import tempfile


def run(command, timeout):
    with tempfile.TemporaryFile() as errors:
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, timeout=timeout,
                                  cwd="/tmp")
            code, out = done.returncode, done.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as e:
            code, out = "timed out", (e.stdout or b"").decode(errors="replace")
        errors.seek(0)
        return code, out, errors.read().decode(errors="replace")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--guest", required=True)
    parser.add_argument("--platform", default="seccomp")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--timeout-scale", type=float, default=1)
    options = parser.parse_args()
    guest = os.path.realpath(options.guest)
    sandbox = [os.path.realpath(options.picket), "do", "--platform=" + options.platform, "--", guest]
    # Short-lived sandboxes too: start, threads and teardown are where much of the locking is.
    runs = [("native", [guest, "1"], 30)] + [("inside", sandbox + [str(options.seconds)], 60)]
    runs += [("inside, short", sandbox + ["0.3"], 60)] * 5
    # What is mounted over the names of processes is taken off when these have gone.
    runs += [("mounts left", sandbox[:-1] + ["sh", "-c", "mount -t tmpfs t /proc/$$ && echo sums agree"], 60)]
    failed = 0
    for name, command, timeout in runs:
        code, out, errors = run(command, timeout * options.timeout_scale)
        ok = code == 0 and "sums agree" in out and not errors
        failed += not ok
        print("%-4s %-14s %s" % ("ok" if ok else "FAIL", name, " ".join(out.split("\n")[:1])), flush=True)
        if not ok:
            print("     exit %s\n%s\n%s" % (code, out[-1000:], errors[:12000]))
    print("%d passed, %d failed, 0 skipped" % (len(runs) - failed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
