# SPDX-License-Identifier: Apache-2.0
"""What the tests of container engines share that have a daemon: docker and containerd."""
import os
import re
import shutil
import subprocess
import time

from runtime import at


def tool(name):
    """Debian's, where there are several."""
    for place in ("/usr/bin/", "/usr/sbin/"):
        if os.access(place + name, os.X_OK):
            return place + name
    return shutil.which(name)


def start(command, is_up, seconds):
    """The daemon, with its words in at.base/log; None when it does not come up."""
    with open(at.base + "/log", "w") as log:
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    limit = time.monotonic() + seconds * at.scale
    while not is_up():
        if daemon.poll() is not None or time.monotonic() > limit:
            stop(daemon)
            return None
        time.sleep(0.2)
    return daemon


def stop(daemon):
    daemon.terminate()
    try:
        daemon.wait(20)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def skip(name):
    words = open(at.base + "/log").read()[-400:].replace("\n", " | ")
    print("skipped: %s does not start here: %s\n0 passed, 0 failed, 1 skipped" % (name, words))
    shutil.rmtree(at.base, ignore_errors=True)
    return 0


def run(names, chosen, clear):
    """Each test_* among `names`; clear() takes away what one has left that failed. The results."""
    results = []
    for name, test in [(n, f) for n, f in names.items() if n.startswith("test_") and re.search(chosen, n)]:
        started = time.monotonic()
        try:
            test()
            results.append(True)
            print("ok   %-40s %6.1f s" % (name[5:], time.monotonic() - started), flush=True)
        except Exception as e:
            results.append(False)
            print("FAIL %s: %s: %s" % (name[5:], type(e).__name__, e), flush=True)
            clear()
    return results


def end(daemon):
    stop(daemon)
    for line in reversed(open("/proc/self/mounts").read().splitlines()):
        if line.split()[1].startswith(at.base + "/"):
            subprocess.run(["umount", "-l", line.split()[1]], check=False)
    shutil.rmtree(at.base, ignore_errors=True)


def told(results):
    print("%d passed, %d failed, 0 skipped" % (results.count(True), results.count(False)))
    return int(False in results)
