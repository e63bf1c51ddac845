#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev bench`: Picket on both platforms against native, gVisor (runsc, systrap) and bubblewrap.

All systems are measured in turn, round by round, in one run: these machines are noisy, and only the ratio within a round
means something. Prints a table of medians and ratios, then each promise (ROWS, TOTALS) with what was measured, and fails when
one is missed. Writes bench.json, bench.html and bench.md into the build folder.
"""
import argparse
import collections
import datetime
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time

import page

PYTHON = ["python3", "-c", "import json,re,os,subprocess"]
# What Picket on the seccomp platform may take at most, as a multiple of the time of native and of gVisor; None: no promise.
Row = collections.namedtuple("Row", "key title native runsc")
ROWS = [
    Row("getppid", "getppid", 5, 1.0), Row("pread", "pread 4 KiB", 10, 1.0), Row("stat", "stat", 10, 1.0),
    Row("open", "open + close", 20, 1.0), Row("pipe", "pipe ping-pong", None, None), Row("mmap", "mmap + munmap", 10, 1 / 8),
    Row("touch", "touch a new page", 3, 1 / 2), Row("mmap_touch", "mmap + touch + munmap", 20, 1 / 3),
    Row("fork", "fork + wait", 5, 1 / 8), Row("exec", "fork + exec + wait", 6, 1 / 5), Row("true", "do true", None, 1 / 5),
    Row("python", "python3 start", 5, 2 / 3),
]
# key, title, unit, at most: of Picket on the seccomp platform, in absolute terms
Total = collections.namedtuple("Total", "key title unit most")
TOTALS = [
    Total("start", "start and end of a sandbox, beyond the program's own", "ms", 20),
    Total("rest", "CPU while the program sleeps", "%", 0.5),
    Total("memory", "memory of the sandbox beyond the program's own (PSS)", "MB", 8),
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


def descendants(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        children = [int(word) for word in f.read().split()]
    return [pid] + [p for child in children for p in descendants(child)]


def pss(pid):
    """Bytes of memory of a process, shared pages by their share."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return int(re.search(r"^Pss:\s+(\d+) kB", f.read(), re.M).group(1)) * 1024


def memory(prefix):
    """Bytes that all processes of a sandbox use while its program sleeps."""
    run = subprocess.Popen(prefix + ["sleep", "3"], stdin=subprocess.DEVNULL)
    try:
        time.sleep(1)
        return sum(pss(pid) for pid in descendants(run.pid))
    finally:
        run.wait()


def totals(result, order):
    prefixes = {key: prefix for key, _, prefix in order}
    rest = {key: rest_cpu(prefix) for key, prefix in prefixes.items()}
    result["rest_cpu_percent"] = rest
    found = {"rest": rest["seccomp"]}
    try:
        found["memory"] = (memory(prefixes["seccomp"]) - memory(prefixes["native"])) / 1e6
    except OSError as e:  # smaps of a process that may not be read: an ordinary user's view of the sentry
        print("bench: memory is left out: %s" % e)
    cells = result["rows"].get("true", {})
    if "seccomp" in cells and "native" in cells:
        found["start"] = (cells["seccomp"]["median"] - cells["native"]["median"]) / 1e6
    return found


def human(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return "%.3g %s" % (ns / size, unit)
    return "%.3g ns" % ns


def table(result, order):
    print("%-24s" % "median" + "".join("%18s" % t for _, t, _ in order))
    for row in ROWS:
        cells = result["rows"].get(row.key, {})
        if cells:
            print("%-24s" % row.title + "".join("%18s" % (human(cells[s]["median"]) if s in cells else "-") for s, _, _ in order))
    print("CPU while the program sleeps: " + ", ".join("%s %.2f %%" % kv for kv in result["rest_cpu_percent"].items()))


def promises(result):
    """(what, measured, bound, kept) of each promise that this run could judge; and how many it could not."""
    judged, missing = [], 0
    for row in ROWS:
        if row.key not in result["rows"]:
            continue
        for other, title, most in (("native", "native", row.native), ("runsc", "gVisor", row.runsc)):
            ratio = result["ratios"][other].get(row.key)
            if most is not None and ratio is not None:
                judged.append(("%s / %s" % (row.title, title), "%.3f" % ratio, "%.3f" % most, ratio <= most))
            missing += most is not None and ratio is None
    for total in TOTALS:
        value = result["totals"].get(total.key)
        missing += value is None
        if value is not None:
            judged.append((total.title, "%.2f %s" % (value, total.unit), "%g %s" % (total.most, total.unit), value <= total.most))
    return judged, missing


def machine():
    model = "?"
    with open("/proc/cpuinfo") as f:
        found = re.search(r"^model name\s*: (.*)$", f.read(), re.M)
        model = found.group(1) if found else model
    return {"processor": model, "cpus": os.cpu_count(), "kernel": platform.release(),
            "date": datetime.date.today().isoformat()}


def markdown(result):
    """The table of the README."""
    systems = [(k, t) for k, t in result["systems"] if k in ("native", "seccomp", "runsc", "bwrap")]
    lines = ["| | " + " | ".join(t for _, t in systems) + " |", "| --- |" + " --- |" * len(systems)]
    for key, cells in result["rows"].items():
        lines.append("| %s | " % result["titles"][key] +
                     " | ".join(human(cells[s]["median"]) if s in cells else "-" for s, _ in systems) + " |")
    return "\n".join(lines + ["", "%(processor)s, %(cpus)d CPUs, Linux %(kernel)s, %(date)s" % result["machine"], ""])


def ratios(samples, other):
    """The median over the rounds of Picket's time by the other's, row by row."""
    found = {}
    for key, by_system in samples.items():
        ours, theirs = by_system.get("seccomp"), by_system.get(other)
        if ours and theirs:
            found[key] = statistics.median([a / b for a, b in zip(ours, theirs)])
    return found


def write(options, result):
    for name, text in (("json", json.dumps(result, indent=1)), ("html", page.render(result)), ("md", markdown(result))):
        with open(os.path.join(options.build, "bench." + name), "w") as f:
            f.write(text)
    print("wrote bench.json, bench.html and bench.md into %s" % options.build)


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
    rows = [r for r in ROWS if not options.only or r.key in options.only.split(",")]
    samples = {row.key: {system: [] for system, _, _ in order} for row in rows}
    for number in range(options.rounds):
        for row in rows:
            for system, _, prefix in order:
                try:
                    samples[row.key][system].append(measure(row.key, prefix, micro))
                except (RuntimeError, subprocess.TimeoutExpired, ValueError) as e:
                    print("bench: %s on %s: %s" % (row.key, system, e), file=sys.stderr)
        print("round %d of %d" % (number + 1, options.rounds), file=sys.stderr, flush=True)
    result = {"machine": machine(), "ratios": {other: ratios(samples, other) for other in ("native", "runsc")},
              "rows": {key: {s: {"median": statistics.median(v), "all": v} for s, v in by_system.items() if v}
                       for key, by_system in samples.items()},
              "limits": {row.key: row.runsc for row in ROWS if row.runsc is not None},
              "titles": {row.key: row.title for row in ROWS}, "systems": [[k, t] for k, t, _ in order]}
    result["totals"] = totals(result, order)
    table(result, order)
    judged, missing = promises(result)
    for what, value, most, kept in judged:
        print("%-6s %-64s %10s, at most %s" % ("kept" if kept else "MISSED", what, value, most))
    write(options, result)
    missed = sum(not kept for _, _, _, kept in judged)
    print("%d passed, %d failed, %d skipped" % (len(judged) - missed, missed, missing))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
