#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real work of real programs, done twice from the same start: scripts/NAME.sh runs in an empty folder
natively and inside Picket. Exit status, stdout, stderr and the folder it leaves (tree.py) must be identical;
the path is the same, too.

A script's header may say `# needs: PROGRAM ...` (or PYTHON:MODULE; skipped with that reason when one is
missing), `# timeout: SECONDS`, `# lacks: WHAT` (what Picket does not have yet: skipped) and `# places:
overlay bind`. The place is where the folder is inside: in the sandbox's own upper layer (then the host's must
stay as it was), or one of the host's that is bound, unless what it does is refused there (docs/CAVEATS.md).
With --place both, each script runs in each of its places, else in the first. It prints nothing that differs
from run to run."""
import argparse
import concurrent.futures
import difflib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "scripts")
MARK = "--- tree ---"
# $1 the script, $2 the folder, $3 tree.py. The tree is printed after the script has ended, whatever became of it.
WRAP = ('cd "$2"; bash "$1"; code=$?; echo "{0}"; cd /; PATH=/usr/bin:/bin python3 -I "$3" "$2"; '
        'exit $code')


def header(text, key, default):
    found = re.search(r"^# %s: (.*)$" % key, text, re.M)
    return found.group(1) if found else default


def there(need):
    program, _, module = need.partition(":")
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not path or not module:
        return path
    return subprocess.run([path, "-c", "import " + module], capture_output=True).returncode == 0


class Script:
    def __init__(self, path, options):
        with open(path) as f:
            text = f.read()
        self.path, self.name = path, os.path.basename(path)[:-3]
        self.lacks = header(text, "lacks", "")
        self.missing = [p for p in header(text, "needs", "").split() if not there(p)]
        self.timeout = float(header(text, "timeout", "60")) * options.timeout_scale
        self.places = header(text, "places", "overlay bind").split()


def run(prefix, script, base, folder, kept=False):
    """Returns exit status, stdout, tree, stderr. kept: the host's own folder must be as it was."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": folder, "TMPDIR": folder + "/.tmp",
           "TERM": "dumb", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", "SHELL": "/bin/bash",
           "USER": "somebody", "LOGNAME": "somebody"}
    tree_py = os.path.join(HERE, "tree.py")
    command = prefix + ["bash", "-c", WRAP.format(MARK), "bash", script.path, folder, tree_py]
    os.makedirs(folder + "/.tmp")
    child = subprocess.Popen(command, env=env, cwd=base, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, errors="surrogateescape", text=True, start_new_session=True)
    try:
        out, err = child.communicate(timeout=script.timeout)
        code = child.returncode
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        out, err = child.communicate()
        code, err = -1, err + "\ntimed out after %d s\n" % script.timeout
    if kept and os.listdir(folder) + os.listdir(folder + "/.tmp") != [".tmp"]:
        err += "\nthe host's folder was changed\n"
    shutil.rmtree(folder, ignore_errors=True)
    out, _, tree = out.partition(MARK + "\n")
    return {"exit status": "%d\n" % code, "stdout": out, "tree": tree, "stderr": err}


def differences(want, got):
    lines = []
    for what in want:
        if want[what] != got[what]:
            lines += list(difflib.unified_diff(want[what].splitlines(), got[what].splitlines(), "native " + what,
                                               "inside " + what, lineterm="", n=1))[:40]
    return "\n".join("    " + line.encode("utf-8", "backslashreplace").decode() for line in lines)


def pair(script, options, base):
    """Returns the word and the text of one script's line."""
    if script.lacks:
        return "skipped", "Picket lacks " + script.lacks
    if script.missing:
        return "skipped", "no %s here" % ", ".join(script.missing)
    folder = os.path.join(base, script.name)
    started = time.monotonic()
    want = run([], script, base, folder)
    native = time.monotonic() - started
    if want["exit status"] != "0\n":
        return "failed", "the native run itself: exit %s%s%s" % (
            want["exit status"], want["stdout"][-1500:], want["stderr"][-1500:])
    places = [p for p in script.places if options.place in (p, "first", "both")]
    places = places if options.place == "both" else places[:1]
    took, text = [], ""
    for place in places:
        bind = ["--bind", "%s:%s" % (base, base)] if place == "bind" else []
        started = time.monotonic()
        command = [options.picket, "do", "--platform=" + options.platform] + bind + ["--"]
        got = run(command, script, base, folder, place == "overlay")
        took.append("%s %.1f s" % (place, time.monotonic() - started))
        different = differences(want, got)
        if different:
            text += "\n  %s:\n%s" % (place, different)
    return ("failed" if text else "passed"), "native %.1f s, %s%s" % (native, ", ".join(took), text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--platform", default="seccomp")
    parser.add_argument("--filter", default=".")
    parser.add_argument("--place", default="first", choices=["overlay", "bind", "both", "first"])
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--timeout-scale", type=float, default=1)
    options = parser.parse_args()
    options.picket = os.path.abspath(options.picket)
    os.umask(0o022)
    base = tempfile.mkdtemp(prefix="picket-paired-", dir="/tmp")
    os.chmod(base, 0o755)
    scripts = [Script(os.path.join(SCRIPTS, f), options) for f in sorted(os.listdir(SCRIPTS))
               if f.endswith(".sh") and re.search(options.filter, f)]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    try:
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            jobs = [(script, pool.submit(pair, script, options, base)) for script in scripts]
            for script, job in jobs:
                word, text = job.result()
                counts[word] += 1
                word = {"passed": "ok", "failed": "FAIL"}.get(word, word)
                print("%-22s %-7s %s" % (script.name, word, text), flush=True)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % counts)
    sys.exit(1 if counts["failed"] else 0)


if __name__ == "__main__":
    main()
