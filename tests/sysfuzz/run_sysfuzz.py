#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the system call fuzzer's guest (guest/main.c) inside Picket, one sandbox after another with a seed each, and judges.

What counts as a fault: a report of a sanitizer, a death or panic of the sentry, anything said on stderr (leaks at the end, a
host that refuses), a sandbox that hangs (the supervisor's words stop, or a killed process does not go), and an exit status
that is not the supervisor's. When the supervisor itself was ended by a signal, the guest has ended itself: that is told
apart, and counts as a fault only when every run ends so. When it was stopped (by a tracer of its own that ended, say), the
CLI stops too and is continued here, as a shell's fg would do it.

Evidence of a fault (the output, and of a hang the stacks of all threads of the sentry and the states of its stubs) is left
in --out. A seed gives the same calls again; how threads interleave is not repeated.
"""
import argparse
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time

DONE = re.compile(r"^sysfuzz: done (\d+) (\d+)$", re.M)
STUCK = re.compile(r"^sysfuzz: stuck", re.M)
REPORT = re.compile(r"Sanitizer|runtime error|panic|broken invariant|the sentry ended|leak|left over|rank", re.I)
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=0:exitcode=99:allocator_may_return_null=1:symbolize=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
    "TSAN_OPTIONS": "halt_on_error=1:exitcode=99:detect_deadlocks=0:history_size=4",
}
# A parent that looks at whatever it sees is disturbed by nothing here; but the memory of the host is not without end.
MAX_MEMORY = 6 << 30


def tree(pid):
    """Our process and all below it."""
    found, new = [pid], [pid]
    while new:
        below = []
        for parent in new:
            try:
                for tid in os.listdir("/proc/%d/task" % parent):
                    with open("/proc/%d/task/%s/children" % (parent, tid)) as f:
                        below += [int(word) for word in f.read().split()]
            except OSError:
                continue
        found += below
        new = below
    return found


def read(path):
    try:
        with open(path) as f:
            return f.read().strip()
    except OSError as e:
        return str(e.strerror)


def stopped(pid):
    return read("/proc/%d/stat" % pid).rsplit(")", 1)[-1].split()[:1] == ["T"]


def memory(pids):
    total = 0
    for pid in pids:
        words = read("/proc/%d/statm" % pid).split()
        total += int(words[1]) * 4096 if len(words) > 1 and words[1].isdigit() else 0
    return total


def evidence(pid):
    """What a hanging sandbox looks like."""
    lines = []
    for p in tree(pid):
        for tid in sorted(os.listdir("/proc/%d/task" % p)) if os.path.isdir("/proc/%d/task" % p) else []:
            at = "/proc/%d/task/%s/" % (p, tid)
            stat = read(at + "stat").rsplit(")", 1)[-1].split()
            lines.append("%d/%s %s state %s cpu %s wchan %s syscall %s" % (
                p, tid, read(at + "comm"), stat[0] if stat else "?", stat[11:13], read(at + "wchan"), read(at + "syscall")))
        if read("/proc/%d/comm" % p) == "picket-sentry" and shutil.which("gdb"):
            stacks = subprocess.run(["gdb", "-p", str(p), "-batch", "-ex", "thread apply all bt 24"], capture_output=True,
                                    text=True, errors="replace", timeout=120, stdin=subprocess.DEVNULL)
            lines.append(stacks.stdout)
    return "\n".join(lines)


class Run:
    """One sandbox."""

    def __init__(self, options, seed):
        self.options, self.seed = options, seed
        self.out = self.evidence = ""
        self.calls = self.stops = 0

    def command(self, scratch):
        picket = [os.path.realpath(self.options.picket), "do", "--platform=" + self.options.platform, "--cwd", "/tmp",
                  "--bind", scratch + ":/host", "--"]
        return picket + [os.path.realpath(self.options.guest), str(self.seed), str(self.options.run_seconds)]

    def watch(self, process):
        """Reads its output until the end; None, or why it had to be ended."""
        bound = self.options.run_seconds + self.options.hang
        last = time.monotonic()
        started = last
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                if selector.select(1):
                    data = os.read(process.stdout.fileno(), 65536)
                    if not data:
                        return None
                    self.out += data.decode(errors="replace")
                    last = time.monotonic()
                    if STUCK.search(self.out):
                        return "hang: a killed process does not go"
                if stopped(process.pid):
                    self.stops += 1
                    os.kill(process.pid, signal.SIGCONT)
                now = time.monotonic()
                if now - last > self.options.hang or now - started > bound:
                    return "hang: nothing was heard for %.0f s" % (now - last)
                if memory(tree(process.pid)) > MAX_MEMORY:
                    return "memory: more than %d bytes" % MAX_MEMORY

    def run(self):
        scratch = tempfile.mkdtemp(prefix="sysfuzz-")
        os.chmod(scratch, 0o777)
        env = {**os.environ, **SANITIZERS}
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(self.command(scratch), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                       cwd=scratch, env=env, start_new_session=True)
            why = self.watch(process)
            if why:
                self.evidence = evidence(process.pid)
                for pid in reversed(tree(process.pid)):
                    os.kill(pid, signal.SIGKILL)
            try:
                status = process.wait(self.options.hang)
            except subprocess.TimeoutExpired:
                why, status = "hang: the sandbox closed its output and does not end", None
                self.evidence = evidence(process.pid)
                for pid in reversed(tree(process.pid)):
                    os.kill(pid, signal.SIGKILL)
                process.wait()
            errors.seek(0)
            self.errors = errors.read().decode(errors="replace")
        shutil.rmtree(scratch, ignore_errors=True)
        return self.judge(why, status)

    def judge(self, why, status):
        """(verdict, words): ok, guest (it has ended itself) or FAULT."""
        done = DONE.search(self.out)
        self.calls = int(done.group(1)) if done else 0
        report = next((line for line in self.errors.splitlines() if REPORT.search(line)), None)
        if report and not why:
            return "FAULT", report
        if why:
            return "FAULT", why
        if self.errors:
            return "FAULT", "said on stderr: " + ascii(self.errors.splitlines()[0][:200])
        if status == 0 and done:
            stops = ", continued %d times" % self.stops if self.stops else ""
            return "ok", "%d calls, %s generations%s" % (self.calls, done.group(2), stops)
        if not done and status > 128:
            return "guest", "the guest's first process was ended by signal %d" % (status - 128)
        return "FAULT", "exit status %s%s" % (status, "" if done else ", and the supervisor did not finish")

    def save(self, words):
        os.makedirs(self.options.out, exist_ok=True)
        path = os.path.join(self.options.out, "%s-%d.txt" % (self.options.platform, self.seed))
        with open(path, "w") as f:
            f.write("%s\n\n%s\n\n%s\n\n%s\n" % (words, self.out[-4000:], self.errors, self.evidence))
        return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--guest", required=True)
    parser.add_argument("--platform", default="seccomp", choices=("seccomp", "ptrace"))
    parser.add_argument("--seed", type=int, help="of the first run; the next ones count up (default: from the clock)")
    parser.add_argument("--seconds", type=float, default=60, help="in all; the run under way is finished")
    parser.add_argument("--runs", type=int, help="so many instead")
    parser.add_argument("--run-seconds", type=int, default=10, help="of one sandbox")
    parser.add_argument("--hang", type=float, default=90, help="seconds of silence that count as a hang")
    parser.add_argument("--out", default="sysfuzz-out")
    parser.add_argument("--keep-going", action="store_true", help="go on after a fault")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else int(time.time()) * 1000
    end = time.monotonic() + options.seconds
    counts = {"ok": 0, "guest": 0, "FAULT": 0}
    calls = runs = 0
    while runs < options.runs if options.runs else time.monotonic() < end:
        run = Run(options, seed + runs)
        started = time.monotonic()
        verdict, words = run.run()
        runs += 1
        counts[verdict] += 1
        calls += run.calls
        print("%-5s seed %d %s: %s (%.0f s)" % (verdict, run.seed, options.platform, words, time.monotonic() - started), flush=True)
        if verdict == "FAULT":
            print("      " + run.save(words))
            lines = (run.errors + "\n" + run.evidence).splitlines()[:60]
            print("\n".join("      | " + ascii(line)[1:-1] for line in lines), flush=True)
            if not options.keep_going:
                break
    failed = counts["FAULT"] + (counts["guest"] if not counts["ok"] else 0)
    print("%d calls; %d runs in which the guest ended itself" % (calls, counts["guest"]))
    print("%d passed, %d failed, 0 skipped" % (runs - failed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
