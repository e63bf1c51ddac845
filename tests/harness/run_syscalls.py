#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the guest programs of tests/syscalls natively and inside Picket, and prints a table of program x mode.

The native run is the oracle: a program that does not pass natively is itself broken. A program passes in a mode when it
exits 0 there, in time, and leaves no process behind. Every worker process is a child subreaper and runs one program at a
time, so what is still below it after a run is a leak of that run.
"""
import argparse
import concurrent.futures
import ctypes
import json
import os
import re
import resource
import select
import signal
import subprocess
import sys
import time

MODES = ("native", "ptrace", "seccomp")
EXIT_SKIP = 77
WATCHDOG = 60  # seconds of one TEST; generous, as is what a program may take: two suites run at once on slow machines
LEAK_GRACE = 1.0  # seconds that processes of a finished run may take to vanish
PR_SET_CHILD_SUBREAPER = 36


def command_for(mode, program, options):
    if mode == "native":
        return [program]
    command = [options["picket"], "do", "--platform=" + mode]
    command += ["--env", "GUEST_WATCHDOG=%d" % (WATCHDOG * options["scale"])]
    return command + options["picket_args"] + ["--", program]


def init_worker():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which the programs would inherit


def read_output(process, deadline):
    """Reads stdout until the process itself has ended: a leaked process holding the pipe must not hang us."""
    fd = process.stdout.fileno()
    os.set_blocking(fd, False)
    chunks, ended, closed = [], False, False
    while True:
        if not closed and select.select([fd], [], [], 0 if ended else 0.02)[0]:
            data = os.read(fd, 65536)
            chunks.append(data)
            closed = not data
            if data:
                continue
        if ended:
            return b"".join(chunks), False
        if closed:
            try:
                process.wait(max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
        ended = process.poll() is not None
        if not ended and time.monotonic() > deadline:
            return b"".join(chunks), True


def descendants():
    """[(pid, name)] of every live process below this one, deepest last."""
    parents, names = {}, {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % entry, errors="replace") as stat:
                text = stat.read()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
        if rest[0] not in "ZX":
            parents.setdefault(int(rest[1]), []).append(int(entry))
            names[int(entry)] = name
    found, queue = [], [os.getpid()]
    while queue:
        for child in parents.get(queue.pop(0), []):
            found.append((child, names[child]))
            queue.append(child)
    return found


def reap():
    """Reaps all that ended; True when no child is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return False
    except ChildProcessError:
        return True


def end_of_run():
    """Waits for the last processes of a run and returns the names of those that stayed, which it ends."""
    deadline = time.monotonic() + LEAK_GRACE
    while not reap():
        if time.monotonic() > deadline:
            break
        time.sleep(0.005)
    else:
        return []
    left = descendants()
    for _ in range(100):
        for pid, _name in descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if reap():
            break
        time.sleep(0.02)
    return ["%s(%d)" % (name, pid) for pid, name in left]


def run_one(job):
    program, mode, options = job
    command = command_for(mode, program, options)
    environment = dict(os.environ, GUEST_WATCHDOG=str(int(WATCHDOG * options["scale"])))
    started = time.monotonic()
    result = {"program": os.path.basename(program), "mode": mode, "command": command, "notes": []}
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True, env=environment)
    except OSError as error:
        result.update(status="FAIL", seconds=0, tests={}, output="", notes=["cannot run: %s" % error])
        return result
    output, late = read_output(process, started + options["timeout"] * options["scale"])
    if late:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        result["notes"].append("killed after %g s" % (options["timeout"] * options["scale"]))
    process.stdout.close()
    seconds = time.monotonic() - started
    left = end_of_run()
    if left and not late:
        result["notes"].append("left processes: " + " ".join(left[:12]))
    code = process.returncode
    text = output.decode(errors="replace")
    if late:
        status = "TIME"
    elif left:
        status = "LEAK"
    elif code == 0:
        status = "ok"
    elif code == EXIT_SKIP:
        status = "skip"
    else:
        status = "FAIL"
        result["notes"].append("exit %d" % code if code > 0 else "killed by signal %d" % -code)
    result.update(status=status, code=code, seconds=round(seconds, 3), tests=parse(text), output=text)
    return result


def parse(text):
    """{test: (state, detail)} from the lines that guest.h prints; one FAIL line decides a test."""
    tests = {}
    for line in text.splitlines():
        match = re.match(r"(ok|skip|FAIL) (\w+):?\s?(.*)", line)
        if match:
            state, name, detail = match.groups()
            if state == "FAIL" or name not in tests:
                tests[name] = (state, detail)
    return tests


def details(row, native):
    """The lines below the table for one run that deserves them."""
    lines = []
    if row["status"] not in ("ok", "skip"):
        lines += ["    " + line for line in row["output"].splitlines() if not re.match(r"(ok|skip) ", line)][-30:]
        lines += ["    (%s)" % note for note in row["notes"]]
        if not any(row["tests"]) and row["mode"] != "native":
            lines.append("    (no test reported)")
    if native and native["status"] == "ok" and row is not native:
        if row["status"] not in ("ok", "skip"):
            missing = [name for name in native["tests"] if name not in row["tests"]]
            if missing:
                lines.append("    (not reached: %s)" % " ".join(missing))
        for name, (state, detail) in row["tests"].items():
            if state == "skip" and native["tests"].get(name, ("", ""))[0] == "ok":
                lines.append("    skip %s: %s (runs natively)" % (name, detail))
    return lines


def print_table(results, modes):
    by_program = {}
    for row in results:
        by_program.setdefault(row["program"], {})[row["mode"]] = row
    width = max([len(name) for name in by_program] + [8])
    print("%-*s  tests  %s" % (width, "program", "  ".join("%-14s" % mode for mode in modes)))
    for name in sorted(by_program):
        rows = by_program[name]
        count = max(len(row["tests"]) for row in rows.values())
        cells = ["%-5s%6.0f ms" % (rows[mode]["status"], rows[mode]["seconds"] * 1000) for mode in modes]
        print(("%-*s  %5d  %s" % (width, name, count, "  ".join("%-14s" % cell for cell in cells))).rstrip())
    for name in sorted(by_program):
        rows = by_program[name]
        native = rows.get("native")
        for mode in modes:
            lines = details(rows[mode], native)
            if not lines:
                continue
            broken = mode == "native" and rows[mode]["status"] not in ("ok", "skip")
            print("\n%s on %s: %s%s" % (name, mode, rows[mode]["status"], " (broken oracle)" if broken else ""))
            print("\n".join(lines))


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("guests", help="directory of built guest programs (BUILD/guest), or one program", nargs="+")
    parser.add_argument("--picket", help="the picket binary; without it only the native mode runs")
    parser.add_argument("--picket-arg", action="append", default=[], help="further option for `picket do`")
    parser.add_argument("--modes", help="comma separated: " + ", ".join(MODES))
    parser.add_argument("--filter", default="", help="only programs whose name matches this regular expression")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=180, help="seconds per program")
    parser.add_argument("--timeout-scale", type=float, default=1, help="factor on all timeouts, for slow builds")
    parser.add_argument("--json", help="write all results to this file")
    parser.add_argument("--quiet", action="store_true", help="no table, only what failed and the last line")
    parsed = parser.parse_args(arguments)
    parsed.modes = parsed.modes.split(",") if parsed.modes else list(MODES if parsed.picket else MODES[:1])
    for mode in parsed.modes:
        if mode not in MODES:
            parser.error("no mode %r, there are: %s" % (mode, ", ".join(MODES)))
        if mode != "native" and not parsed.picket:
            parser.error("mode %s needs --picket PATH" % mode)
    return parsed


def programs_of(paths, pattern):
    found = []
    for path in paths:
        names = [path] if os.path.isfile(path) else [os.path.join(path, name) for name in os.listdir(path)]
        found += [os.path.abspath(name) for name in names if os.path.isfile(name) and os.access(name, os.X_OK)]
    return sorted(name for name in set(found) if re.search(pattern, os.path.basename(name)))


def main():
    arguments = options_of(sys.argv[1:])
    programs = programs_of(arguments.guests, arguments.filter)
    if not programs:
        sys.exit("no guest program matches in: " + " ".join(arguments.guests))
    options = {"picket": arguments.picket and os.path.abspath(arguments.picket), "timeout": arguments.timeout,
               "scale": arguments.timeout_scale, "picket_args": arguments.picket_arg}
    jobs = [(program, mode, options) for program in programs for mode in arguments.modes]
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs, initializer=init_worker) as pool:
        results = list(pool.map(run_one, jobs))
    if arguments.quiet:
        results_shown = [row for row in results if row["status"] not in ("ok", "skip")]
        for row in results_shown:
            print("\n%s on %s: %s\n%s" % (row["program"], row["mode"], row["status"], "\n".join(details(row, None))))
    else:
        print_table(results, arguments.modes)
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(results, file, indent=1)
    passed = sum(row["status"] == "ok" for row in results)
    skipped = sum(row["status"] == "skip" for row in results)
    failed = len(results) - passed - skipped
    print("\n%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
