#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev bench`: Picket on both platforms against native, gVisor (runsc, systrap) and bubblewrap.

All systems are measured in turn, round by round, in one run: these machines are noisy, and only the ratio within a round
means something. Prints a table of medians and ratios, writes bench.json and bench.html into the build folder.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

import page

PYTHON = ["python3", "-c", "import json,re,os,subprocess"]
# key, title, what Picket (seccomp) must be against runsc: at most this share of its time
ROWS = [
    ("getppid", "getppid", 1.0), ("pread", "pread 4 KiB", 1.0), ("stat", "stat", 1.0), ("open", "open + close", None),
    ("pipe", "pipe ping-pong", None), ("mmap", "mmap + munmap", 1 / 8), ("touch", "touch a new page", None),
    ("mmap_touch", "mmap + touch + munmap", 1 / 8), ("fork", "fork + wait", 1 / 8), ("exec", "fork + exec + wait", 1 / 5),
    ("true", "do true", 1 / 5), ("python", "python3 start", 1 / 3),
]


def find_runsc():
    for path in (os.environ.get("PICKET_RUNSC"), os.path.expanduser("~/.cache/picket-peers/usr/bin/runsc"),
                 shutil.which("runsc")):
        if path and os.access(path, os.X_OK):
            return path
    return None


def systems(picket):
    found = [("native", "native", []), ("ptrace", "Picket, ptrace", [picket, "do", "--platform=ptrace", "--"]),
             ("seccomp", "Picket, seccomp", [picket, "do", "--platform=seccomp", "--"])]
    runsc = find_runsc()
    if runsc and os.geteuid() == 0:
        found.append(("runsc", "gVisor, systrap", [runsc, "--platform=systrap", "--network=none", "--ignore-cgroups", "do"]))
    if shutil.which("bwrap"):
        found.append(("bwrap", "bubblewrap", ["bwrap", "--bind", "/", "/", "--dev", "/dev", "--unshare-pid", "--proc", "/proc"]))
    return [(key, title, prefix) for key, title, prefix in found if works(key, prefix)]


def works(key, prefix):
    done = subprocess.run(prefix + ["/bin/true"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        print("bench: %s is left out: %s" % (key, (done.stderr.strip() or "exit %d" % done.returncode)[:200]))
    return done.returncode == 0


def timed(command):
    started = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError("%s: exit %d: %s" % (" ".join(command), done.returncode, done.stderr.strip()[-300:]))
    return (time.perf_counter() - started) * 1e9


def measure(key, prefix, micro):
    if key == "true":
        return timed(prefix + ["/bin/true"])
    if key == "python":
        return timed(prefix + PYTHON)
    # A pipe, not a file: gVisor writes to a file from its start on, over what others wrote.
    done = subprocess.run(prefix + [micro, key], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=300)
    if done.returncode:
        raise RuntimeError("%s %s: exit %d: %s" % (prefix, key, done.returncode, done.stderr.strip()[-300:]))
    return float(done.stdout)


def rest_cpu(prefix):
    """CPU time that a sandbox uses in 2 s while its program sleeps, in percent of one core, start and end included once:
    the time of a run that sleeps 0 s is taken off."""
    def cpu(seconds):
        before = os.times()
        subprocess.run(prefix + ["sleep", str(seconds)], stdin=subprocess.DEVNULL, check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system
    return max(0.0, statistics.median([cpu(2) - cpu(0) for _ in range(3)]) / 2 * 100)


def human(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return "%.3g %s" % (ns / size, unit)
    return "%.3g ns" % ns


def table(result, order):
    titles = [title for _, title, _ in order]
    print("%-24s" % "median" + "".join("%18s" % t for t in titles) + "   seccomp / gVisor")
    for key, title, limit in ROWS:
        cells = result["rows"].get(key, {})
        line = "%-24s" % title
        for system, _, _ in order:
            line += "%18s" % (human(cells[system]["median"]) if system in cells else "-")
        ratio = result["ratios"].get(key)
        if ratio is not None:
            line += "   %.3f" % ratio
            if limit is not None:
                line += "  (at most %.3f: %s)" % (limit, "met" if ratio <= limit else "MISSED")
        print(line)
    print("CPU while the guest sleeps: " + ", ".join("%s %.2f %%" % kv for kv in result["rest_cpu_percent"].items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="comma list of rows")
    options = parser.parse_args()
    subprocess.run(["ninja", "-C", os.path.join(options.build, "dev"), "--quiet", "bench_micro"], check=True)
    micro = os.path.join(options.build, "dev", "bench", "micro")
    order = systems(options.picket)
    rows = [r for r in ROWS if not options.only or r[0] in options.only.split(",")]
    samples = {key: {system: [] for system, _, _ in order} for key, _, _ in rows}
    for number in range(options.rounds):
        for key, _, _ in rows:
            for system, _, prefix in order:
                try:
                    samples[key][system].append(measure(key, prefix, micro))
                except (RuntimeError, subprocess.TimeoutExpired, ValueError) as e:
                    print("bench: %s on %s: %s" % (key, system, e), file=sys.stderr)
        print("round %d of %d" % (number + 1, options.rounds), file=sys.stderr, flush=True)
    result = {"rows": {}, "ratios": {}, "limits": {k: l for k, _, l in ROWS if l is not None},
              "titles": {k: t for k, t, _ in ROWS}, "systems": [[k, t] for k, t, _ in order]}
    for key, by_system in samples.items():
        result["rows"][key] = {s: {"median": statistics.median(v), "all": v} for s, v in by_system.items() if v}
        ours, theirs = by_system.get("seccomp"), by_system.get("runsc")
        if ours and theirs:
            result["ratios"][key] = statistics.median([a / b for a, b in zip(ours, theirs)])
    result["rest_cpu_percent"] = {s: rest_cpu(prefix) for s, _, prefix in order}
    table(result, order)
    with open(os.path.join(options.build, "bench.json"), "w") as f:
        json.dump(result, f, indent=1)
    with open(os.path.join(options.build, "bench.html"), "w") as f:
        f.write(page.render(result))
    print("wrote %s and bench.html beside it" % os.path.join(options.build, "bench.json"))


if __name__ == "__main__":
    main()
