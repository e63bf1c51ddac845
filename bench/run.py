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
HERE = os.path.dirname(os.path.abspath(__file__))
# What Picket on the seccomp platform may take at most, as a multiple of the time of native and of gVisor, and of its own time
# for the row `base`; None: no promise. either: one of them is enough. lines: so many cache lines go there and back between
# two cores at the least (two for the call, one for each piece of bytes), which native calls need not wait for: native's
# multiple is of what remains. What a line takes is measured in the same run (LINE). A key is an operation of micro.c (NAME+N: beside N
# threads that wait), or a script of programs/.
Row = collections.namedtuple("Row", "key title native runsc either base own lines", defaults=(None, None, False, None, None, 0))
LINE, PAGE = Row("line", "a cache line there and back"), Row("page", "... and a page back")
# What is aimed at and not reached yet, (key, by what): measured and shown, but no failure.
OPEN = {
    ("pread", "native"), ("pread+3", "native"),
    ("pwrite_64k", "native"), ("write_gib", "native"), ("unix", "native"), ("unix", "gVisor"), ("pipe", "native"), ("futex", "native"),
    ("mmap_touch", "native"), ("mmap_touch", "gVisor"), ("mmap_touch+3", "native"), ("mmap_touch+3", "gVisor"),
    ("fork", "native"), ("true", "native"), ("programs", ""),
    ("pipe", "gVisor"), ("make-j2", "native"), ("node-fs", "native"),
}
CALLS = [
    Row("getppid", "getppid", 1.5, lines=2), Row("pwrite1", "pwrite of a byte", 1.5, lines=3),
    Row("pipe_self", "pipe: write + read", 2, lines=6), Row("epoll", "epoll_wait, 0 ms", 3, lines=2),
    Row("stat", "stat", 1.5, lines=6), Row("open", "open + close", 1.5, lines=5), Row("pread", "pread 4 KiB", 2.5, lines=2),
]
BESIDE = [Row(r.key + "+3", r.title + ", 4 threads", 1.3 * r.native, lines=r.lines) for r in CALLS]
PARKED = [Row("getppid+%d" % n, "getppid beside %d parked" % n, base="getppid", own=1.2) for n in (1000, 10000)]
DATA = [
    Row("getppid_made", "getppid from code made at run time", None, 1 / 2), Row("pread_64k", "pread 64 KiB", 2.5),
    Row("pwrite_64k", "pwrite 64 KiB", 2.5), Row("read_gib", "read 1 GiB, each MiB", 1.3), Row("write_gib", "write 1 GiB, each MiB", 1.3),
]
PAIRS = [Row(key, key + " ping-pong", 1.0, 1 / 3, True) for key in ("pipe", "unix", "futex")]
TEAMS = [Row("%s_%s%d" % (key, kind, n), "%s, %d %s" % (key, n, word), None, most)
         for key in ("getppids", "preads", "pipes", "futexes") for kind, word, most in (("t", "threads", 1.0), ("p", "processes", 1 / 2))
         for n in (2, 4, 8)]
MEMORY = [
    Row("mmap", "mmap + munmap", 3, 1 / 8), Row("touch", "touch a new page", 3, 1 / 2), Row("mmap_touch", "mmap + touch + munmap", 3, 1 / 8),
    Row("mmap_touch+3", "mmap + touch + munmap, 4 threads", 3, 1 / 8), Row("brk", "brk up and down", 3),
]
PROCESSES = [
    Row("thread", "thread create + join", 2, 1.0), Row("fork", "fork + wait", 1.6, 1 / 8), Row("exec", "fork + exec + wait", 2, 1 / 5),
    Row("vfork_true", "vfork + exec true + wait", 2), Row("true", "do true", 4, 1 / 5), Row("python", "python3 start", 2, 2 / 3),
]
PROGRAMS = [Row(os.path.splitext(name)[0], os.path.splitext(name)[0], 2, 1.0) for name in sorted(os.listdir(HERE + "/programs"))]
# Beside the ops of ops_net.c the scripts of net/. Bounds are of issue 10.
NET = [
    Row("tcp_rr", "TCP, a byte there and back", 2.5, 1.0), Row("udp_rr", "UDP, a byte there and back", 2.5, 1.0),
    Row("tcp_threads", "TCP ping-pong, threads", None, 1.0), Row("unix_threads", "unix ping-pong, threads", None, 1.0),
    Row("tcp_bulk", "TCP, each 64 KiB", 1 / 0.6, 1.0), Row("connect", "TCP connect + close", None, 1.0),
    Row("accept_t8", "TCP accept, 8 threads", None, 1.0), Row("epoll_idle", "epoll, 10,000 connections idle", None, 1.0),
    Row("nginx-wrk", "nginx, each request of wrk", None, 1.0), Row("redis", "redis, each SET", 1.6, 1.0),
    Row("redis-pipelined", "redis, each SET of 16 at a time", 1.6, 1.0), Row("asyncio-echo", "asyncio, each line echoed", 1.6, 1.0),
]
# They have not been measured on a quiet machine yet.
OPEN |= {(row.key, by) for row in NET for by in ("native", "gVisor")} | {("idle", "")}
README = {"getppid", "pread", "stat", "open", "getppid+3", "pread+3", "pipe", "mmap", "touch", "mmap_touch", "thread", "fork", "exec",
          "true", "python", "make-j2", "py-threads", "node-fs", "untar"}  # of these the README has a table
GROUPS = {"calls": [LINE, PAGE] + CALLS, "beside": BESIDE, "parked": PARKED, "data": DATA, "pairs": PAIRS, "teams": TEAMS, "memory": MEMORY,
          "processes": PROCESSES, "programs": PROGRAMS, "net": NET}
ROWS = [row for group in GROUPS.values() for row in group]
MEAN_OF_PROGRAMS = 1.25  # geometric, of native's time
# key, title, unit, at most: of Picket on the seccomp platform, in absolute terms
Total = collections.namedtuple("Total", "key title unit most")
TOTALS = [
    Total("start", "start and end of a sandbox, beyond the program's own", "ms", 20),
    Total("rest", "CPU while the program sleeps", "%", 0.5),
    Total("memory", "memory of all processes while the program sleeps (PSS)", "MB", 2.2),
    Total("threads", "host threads while the program sleeps", "", 10),
    Total("programs", "programs, geometric mean by native", "", MEAN_OF_PROGRAMS),
    Total("idle", "memory of a TCP connection that is idle, both ends (PSS)", "KB", 16),
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
    for folder in ("programs", "net"):
        script = "%s/%s/%s.sh" % (HERE, folder, key)
        if os.path.exists(script):
            return run_program(prefix, script)
    # A pipe, not a file: gVisor writes to a file from its start on, over what others wrote.
    done = subprocess.run(prefix + [micro, key], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=300)
    if done.returncode:
        raise RuntimeError("%s %s: exit %d: %s" % (prefix, key, done.returncode, done.stderr.strip()[-300:]))
    return float(done.stdout)


def run_program(prefix, path):
    """A script times itself, without the start of the sandbox. It works in a folder in memory, on every system."""
    with open(path) as f:
        needs = re.search(r"^# needs: (.*)$", f.read(), re.M)
    for need in needs.group(1).split() if needs else []:
        if not shutil.which(need):
            raise RuntimeError("no %s here" % need)
    script = 'd=$(mktemp -d -p /dev/shm) && sh "$0" "$d"; status=$?; rm -rf "$d"; exit $status'
    done = subprocess.run(prefix + ["sh", "-c", script, path], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
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


def at_rest(prefix):
    """Bytes that all processes of a sandbox use while its program sleeps, and how many threads they have."""
    run = subprocess.Popen(prefix + ["sleep", "3"], stdin=subprocess.DEVNULL)
    try:
        time.sleep(1)
        found = descendants(run.pid)
        return sum(pss(pid) for pid in found), sum(len(os.listdir("/proc/%d/task" % pid)) for pid in found)
    finally:
        run.wait()


def idle_memory(prefix, micro):
    """KB of all processes of a sandbox for each of the 10,000 connections that `micro stay_idle` holds."""
    def held(op):
        run = subprocess.Popen(prefix + [micro, op], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            if run.stdout.readline() != b"ready\n":
                raise OSError("micro %s did not begin" % op)
            return sum(pss(pid) for pid in descendants(run.pid))
        finally:
            run.stdin.close()
            run.stdout.close()
            run.wait()
    return (held("stay_idle") - held("stay")) / 1e3 / 10000


def totals(result, order, micro, rows):
    prefixes = {key: prefix for key, _, prefix in order}
    rest = {key: rest_cpu(prefix) for key, prefix in prefixes.items()}
    result["rest_cpu_percent"] = rest
    found = {"rest": rest["seccomp"]}
    try:
        memory, found["threads"] = at_rest(prefixes["seccomp"])
        found["memory"] = memory / 1e6
    except OSError as e:  # smaps of a process that may not be read: an ordinary user's view of the sentry
        print("bench: memory is left out: %s" % e)
    if any(row in NET for row in rows):
        try:
            found["idle"] = idle_memory(prefixes["seccomp"], micro)
        except OSError as e:
            print("bench: memory of connections is left out: %s" % e)
    cells = result["rows"].get("true", {})
    if "seccomp" in cells and "native" in cells:
        found["start"] = (cells["seccomp"]["median"] - cells["native"]["median"]) / 1e6
    programs = [result["ratios"]["native"][row.key] for row in PROGRAMS if row.key in result["ratios"]["native"]]
    if len(programs) == len(PROGRAMS):
        found["programs"] = statistics.geometric_mean(programs)
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


def own_ratio(result, row):
    """Picket's time by its own for another row, both of this run."""
    rows = result["rows"]
    if row.base not in rows or "seccomp" not in rows[row.key] or "seccomp" not in rows[row.base]:
        return None
    return rows[row.key]["seccomp"]["median"] / rows[row.base]["seccomp"]["median"]


def line_share(result, row):
    """What of Picket's time goes to the row's cache lines, as a multiple of native's time for it; 0 when it is not known."""
    line, cells = result["rows"].get(LINE.key, {}).get("native"), result["rows"][row.key].get("native")
    return row.lines * min(line["all"]) / cells["median"] if line and cells else 0


def verdict(kept, name):
    if kept:
        return "kept"
    return "open" if name in OPEN else "MISSED"


def promises(result):
    """(what, measured, bound, "kept", "MISSED" or "open") of each that this run could judge; and how many it could not."""
    judged, missing = [], 0
    for row in ROWS:
        if row.key not in result["rows"]:
            continue
        native = row.native and row.native + line_share(result, row)
        bounds = [("native", native, result["ratios"]["native"].get(row.key)),
                  ("gVisor", row.runsc, result["ratios"]["runsc"].get(row.key)),
                  (row.base, row.own, own_ratio(result, row))]
        bounds = [(title, most, ratio) for title, most, ratio in bounds if most is not None]
        missing += sum(ratio is None for _, _, ratio in bounds)
        bounds = [(title, most, ratio) for title, most, ratio in bounds if ratio is not None]
        enough = row.either and any(ratio <= most for _, most, ratio in bounds)
        for title, most, ratio in bounds:
            judged.append(("%s / %s" % (row.title, title), "%.3f" % ratio, "%.3f" % most,
                           verdict(enough or ratio <= most, (row.key, title))))
    for total in TOTALS:
        value = result["totals"].get(total.key)
        missing += value is None
        if value is not None:
            judged.append((total.title, "%.2f %s" % (value, total.unit), "%g %s" % (total.most, total.unit),
                           verdict(value <= total.most, (total.key, ""))))
    return judged, missing


def machine():
    model = "?"
    with open("/proc/cpuinfo") as f:
        found = re.search(r"^model name\s*: (.*)$", f.read(), re.M)
        model = found.group(1) if found else model
    return {"processor": model, "cpus": os.cpu_count(), "kernel": platform.release(),
            "date": datetime.date.today().isoformat()}


def markdown(result):
    """The table of the README, and every promise with what was measured."""
    systems = [(k, t) for k, t in result["systems"] if k in ("native", "seccomp", "runsc", "bwrap")]
    lines = ["| | " + " | ".join(t for _, t in systems) + " |", "| --- |" + " --- |" * len(systems)]
    for key, cells in result["rows"].items():
        if key in README:
            lines.append("| %s | " % result["titles"][key] +
                         " | ".join(human(cells[s]["median"]) if s in cells else "-" for s, _ in systems) + " |")
    lines += ["", "%(processor)s, %(cpus)d CPUs, Linux %(kernel)s, %(date)s" % result["machine"], "", "| what | measured | at most | |",
              "| --- | --- | --- | --- |"]
    lines += ["| %s | %s | %s | %s |" % row for row in promises(result)[0]]
    return "\n".join(lines + [""])


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


def chosen(words):
    if not words:
        return ROWS
    keys = {row.key for word in words.split(",") for row in GROUPS.get(word, [])} | set(words.split(","))
    return [row for row in ROWS if row.key in keys]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("group", nargs="?", help="the same as --only GROUP")
    parser.add_argument("--only", help="comma list of rows and groups: " + " ".join(GROUPS))
    options = parser.parse_args()
    subprocess.run(["ninja", "-C", os.path.join(options.build, "dev"), "--quiet", "bench_micro"], check=True)
    micro = os.path.join(options.build, "dev", "bench", "micro")
    order = systems(options.picket)
    rows = chosen(options.only or options.group)
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
    result["totals"] = totals(result, order, micro, rows)
    table(result, order)
    judged, missing = promises(result)
    for what, value, most, state in judged:
        print("%-6s %-64s %10s, at most %s" % (state, what, value, most))
    write(options, result)
    missed = sum(state == "MISSED" for _, _, _, state in judged)
    print("%d passed, %d failed, %d skipped" % (len(judged) - missed, missed, missing))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
