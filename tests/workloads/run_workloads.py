#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real programs as tests: each NAME.sh is run natively (the oracle) and inside Picket on each platform, and must print the
same and exit the same. A script's header may say `# needs: PROGRAM ...`, or PYTHON:MODULE (skipped with that reason when
one is missing), and `# timeout: SECONDS`. Scripts work in a fresh folder below /tmp, print only what is the same on every machine and run,
and never touch anything outside."""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def header(path, key, default):
    with open(path) as f:
        found = re.search(r"^# %s: (.*)$" % key, f.read(), re.M)
    return found.group(1) if found else default


def there(need):
    program, _, module = need.partition(":")
    path = shutil.which(program)
    return path and (not module or subprocess.run([path, "-c", "import " + module], capture_output=True).returncode == 0)


def run(prefix, script, timeout):
    folder = tempfile.mkdtemp(prefix="picket-workload-")
    os.chmod(folder, 0o777)
    try:
        done = subprocess.run(prefix + ["bash", script, folder], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout, cwd="/tmp", errors="replace", text=True)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as e:
        out = e.stdout or b""
        return -1, (out if isinstance(out, str) else out.decode(errors="replace")) + "\ntimed out after %d s" % timeout
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--platform", default="seccomp")
    parser.add_argument("--filter", default=".")
    parser.add_argument("--timeout-scale", type=float, default=1)
    options = parser.parse_args()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for name in sorted(f for f in os.listdir(HERE) if f.endswith(".sh") and re.search(options.filter, f)):
        path = os.path.join(HERE, name)
        missing = [p for p in header(path, "needs", "").split() if not there(p)]
        if missing:
            print("%-22s skipped: no %s here" % (name, ", ".join(missing)))
            counts["skipped"] += 1
            continue
        timeout = float(header(path, "timeout", "60")) * options.timeout_scale
        want = run([], path, timeout)
        if want[0] != 0:
            print("%-22s FAIL: the native run itself: exit %d\n%s" % (name, want[0], want[1][-2000:]))
            counts["failed"] += 1
            continue
        started = time.monotonic()
        got = run([options.picket, "do", "--platform=" + options.platform, "--"], path, timeout)
        ok = got == want
        counts["passed" if ok else "failed"] += 1
        print("%-22s %-6s %6.1f s" % (name, "ok" if ok else "FAIL", time.monotonic() - started), flush=True)
        if not ok:
            print("  expected exit %d:\n%s\n  got exit %d:\n%s" % (want[0], want[1][-1500:], got[0], got[1][-3000:]))
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % counts)
    sys.exit(1 if counts["failed"] else 0)


if __name__ == "__main__":
    main()
