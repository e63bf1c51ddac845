#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Create, start, exec, kill and delete, over and over, while at a random moment one of the processes (the command, init, sentry, gofer, a
stub) is killed or stopped. Whatever happens: each command ends within 10 s, `delete --force` leaves nothing, and the next cycle uses the
same id. `./dev cycles 300` is the long run; --seed N repeats one."""
import argparse
import contextlib
import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import runtime
from processes import descendants, proc_name, proc_stat
from runtime import Bundle, at, expect

STEPS = ("create", "start", "exec", "kill", "delete")
TARGETS = ("command", "picket-init", "picket-sentry", "picket-gofer", "picket-stub", "picket-exec")
STANDS = ("picket-sentry", "picket-gofer", "picket-stub")  # what a program of exec's goes on by
PATIENCE = 10.0  # seconds


def read_link(path):
    try:
        return os.readlink(path)
    except OSError:
        return None


def titled(name):
    """Descendants with that title; what is dead already is none."""
    found = []
    for pid in descendants(os.getpid()):
        stat = proc_stat(pid)
        if stat and stat[0] not in "ZX" and proc_name(pid) == name:
            found.append(pid)
    return found


class Saboteur:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.step, self.target = self.random.choice(STEPS), self.random.choice(TARGETS)
        self.signal = self.random.choice((signal.SIGKILL, signal.SIGSTOP))
        self.delay = self.random.choice((0, 0.002, 0.01, 0.03, 0.1)) * self.random.random()
        self.hit = None

    def __str__(self):
        return "%s to %s during %s after %.4f s (%s)" % (self.signal.name, self.target, self.step, self.delay, self.hit or "missed")

    def stops_program(self):
        """A program that is stopped from outside stands still, on any kernel; its user gives up. Of exec's init, it is stopped in any
        case; of the others, once it has begun: then its init's stdio is the init's own."""
        if not self.hit or self.step != "exec" or self.signal != signal.SIGSTOP:
            return False
        return self.target == "picket-exec" or self.target in STANDS and any(
            read_link("/proc/%d/fd/1" % pid) == "/dev/null" for pid in titled("picket-exec"))

    def strike(self, command):
        time.sleep(self.delay)
        found = [command.pid] if self.target == "command" else titled(self.target)
        if not found or (self.target == "command" and command.poll() is not None):
            return
        self.hit = self.random.choice(found)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.hit, self.signal)
        if self.target == "command" and self.signal == signal.SIGSTOP:
            time.sleep(0.1)  # its user gives up
            command.kill()


def call(step, b, saboteur=None):
    words = {"create": ["create", "--bundle", b.dir], "start": ["start"], "exec": ["exec"], "kill": ["kill"],
             "delete": ["delete", "--force"]}[step] + [b.id]
    words += {"exec": ["sh", "-c", "echo inside"], "kill": ["KILL"]}.get(step, [])
    with open(b.dir + "/out", "w") as out:
        command = subprocess.Popen([at.picket, "--root", at.root, "--platform", at.platform, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    started = time.monotonic()
    if saboteur:
        saboteur.strike(command)
    limit, given_up = started + PATIENCE * at.scale + 2, False
    while command.poll() is None and time.monotonic() < limit and not given_up:
        time.sleep(0.01)
        if saboteur and saboteur.stops_program():
            time.sleep(0.2)
            given_up = True
    command.kill()
    command.wait()
    took = time.monotonic() - started
    expect(took < PATIENCE * at.scale + 1.5, "%s took %.1f s" % (step, took))
    return command.returncode


def cycle(b, saboteur, mounts):
    for step in STEPS:
        status = call(step, b, saboteur if saboteur.step == step else None)
        if saboteur.hit and saboteur.step == step:
            break  # what a client does when something went wrong
        expect(status == 0 or step in ("kill", "delete"), "%s: exit %d: %s" % (step, status, open(b.dir + "/out").read()))
    if saboteur.hit and saboteur.target != "command" and saboteur.step != "delete":
        call("kill", b)
    expect(call("delete", b) == 0, "delete --force: " + open(b.dir + "/out").read())
    left = runtime.leftovers(mounts)
    expect(not left, "left behind: " + ", ".join(left[:5]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--picket", required=True)
    parser.add_argument("--platform", default="seccomp")
    parser.add_argument("--timeout-scale", type=float, default=1.0)
    parser.add_argument("--cycles", type=int, default=40)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    at.picket, at.platform, at.scale = os.path.abspath(options.picket), options.platform, options.timeout_scale
    if not shutil.which("busybox"):
        print("no busybox: skipped\n0 passed, 0 failed, 1 skipped")
        return 0
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    at.base = tempfile.mkdtemp(prefix="picket-cycles-")
    os.chmod(at.base, 0o755)
    at.root = os.path.join(at.base, "run")
    os.mkdir(at.root)
    runtime.make_rootfs(os.path.join(at.base, "rootfs"))
    b = Bundle("sh", "-c", "while :; do sleep 1; done")
    b.write()
    first = options.seed if options.seed is not None else int(time.time()) % 1000000 * 1000
    passed, failed, hits = 0, 0, {}
    mounts = set(open("/proc/self/mountinfo").read().splitlines())
    for seed in range(first, first + options.cycles):
        saboteur = Saboteur(seed)
        try:
            cycle(b, saboteur, mounts)
            passed += 1
        except Exception as e:
            failed += 1
            print("FAIL seed %d: %s: %s: %s" % (seed, saboteur, type(e).__name__, e), flush=True)
            runtime.clean()
        if saboteur.hit:
            key = (saboteur.target, saboteur.signal.name)
            hits[key] = hits.get(key, 0) + 1
    for key, n in sorted(hits.items()):
        print("     %-16s %-8s %d times" % (*key, n))
    expect(len(hits) >= min(options.cycles // 20, 8), "hardly anything was hit")
    shutil.rmtree(at.base, ignore_errors=True)
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
