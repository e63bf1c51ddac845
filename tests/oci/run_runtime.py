#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Picket as an OCI runtime: every command and state, the fields of config.json, the phrases that clients look for, and that
after each test nothing is left: no process, mount, cgroup or file. Each case is a function; run on one platform."""
import ctypes
import inspect
import os
import re
import shutil
import sys
import tempfile
import time

import runtime
import runtime_compat
import runtime_config
import runtime_ids
import runtime_inside
import runtime_life
import runtime_pods
import runtime_seccomp
import runtime_spec
from runtime import at, expect


def cases():
    for module in (runtime_life, runtime_compat, runtime_config, runtime_ids, runtime_inside, runtime_pods, runtime_seccomp, runtime_spec):
        yield from ((n, f) for n, f in inspect.getmembers(module, inspect.isfunction) if n.startswith("test_"))


def main():
    options = runtime.options()
    if not shutil.which("busybox"):
        print("no busybox: skipped\n0 passed, 0 failed, 1 skipped")
        return 0
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: as conmon and the shim
    at.base = tempfile.mkdtemp(prefix="picket-oci-")
    os.chmod(at.base, 0o755)
    at.root = os.path.join(at.base, "run")
    os.mkdir(at.root)
    runtime.make_rootfs(os.path.join(at.base, "rootfs"))
    passed = failed = 0
    for name, test in cases():
        if not re.search(options.filter, name):
            continue
        mounts, started = set(open("/proc/self/mountinfo").read().splitlines()), time.monotonic()
        try:
            test()
            left = runtime.leftovers(mounts)
            expect(not left, "left behind: " + ", ".join(left[:5]))
            passed += 1
            print("ok   %-40s %6.1f s" % (name[5:], time.monotonic() - started), flush=True)
        except Exception as e:
            failed += 1
            print("FAIL %s: %s: %s" % (name[5:], type(e).__name__, e), flush=True)
            runtime.clean()
    shutil.rmtree(at.base, ignore_errors=True)
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
