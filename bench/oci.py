#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Picket as an OCI runtime beside crun and runsc, in one run, round by round: create, start, wait and delete of /bin/true; exec into a
running one; 20 at once; and of idle ones the memory (PSS of every process that was made for one) and the processor time; and, where there is
strace, host calls and processes of a whole life and of an exec, which do not depend on what else the machine does. Needs root.
Prints a table and writes oci.json into the build folder; --write puts the table into docs/PERFORMANCE.md, and docs/containers.svg beside
it. A container is busybox without a network."""
import argparse
import contextlib
import ctypes
import json
import math
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/oci"))
import runtime  # noqa: E402
from processes import children, descendants, proc_stat, read_proc  # noqa: E402

RUNSC = os.environ.get("PICKET_RUNSC", os.path.expanduser("~/.cache/picket-peers/usr/bin/runsc"))


class Runtime:
    def __init__(self, name, command, base, reaps=False):
        self.name, self.n, self.reaps = name, 0, reaps
        self.base = os.path.join(base, name)
        os.makedirs(self.base)
        self.command = command + ["--root", self.base + "/run"]

    def call(self, *args):
        # a container keeps its stderr: no pipe, whose end would be waited for
        with open(self.base + "/err", "w") as err:
            done = subprocess.Popen([*self.command, *args], stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        if self.reaps:  # its sandbox is our child too, and is waited for
            while done.poll() is None:
                reap(done.pid)
                time.sleep(0.0005)
        if done.wait():
            raise RuntimeError("%s: %s: %s" % (self.name, " ".join(args), open(self.base + "/err").read()[-300:]))

    def bundle(self, *args):
        self.n += 1
        folder = "%s/b%d" % (self.base, self.n)
        os.makedirs(folder)
        config = {"ociVersion": "1.0.2", "process": {"user": {"uid": 0, "gid": 0}, "args": list(args), "cwd": "/", "env": ["PATH=/bin"]},
                  "root": {"path": runtime.at.base + "/rootfs", "readonly": True}, "linux": {"cgroupsPath": "/picket-bench/%s%d" % (self.name, self.n),
                  "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")]},
                  "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}]}
        json.dump(config, open(folder + "/config.json", "w"))
        return folder, "b%d" % self.n

    def create(self, *args):
        folder, name = self.bundle(*args)
        self.call("create", "--bundle", folder, "--pid-file", folder + "/pid", name)
        return name, int(open(folder + "/pid").read())

    def life(self):
        """Seconds for a whole life."""
        started = time.monotonic()
        name, pid = self.create("/bin/true")
        self.call("start", name)
        wait(pid)
        self.call("delete", name)
        return time.monotonic() - started

    def execs(self, n):
        name, pid = self.create("/bin/sleep", "1000")
        self.call("start", name)
        took = []
        for _ in range(n):
            started = time.monotonic()
            self.call("exec", name, "/bin/true")
            took.append(time.monotonic() - started)
        self.end(name, pid)
        return statistics.median(took)

    def traced(self, *args):
        """Host calls, and processes and threads, of a command and of all that it makes."""
        log = self.base + "/trace"
        subprocess.run(["strace", "-f", "-o", log, *self.command, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=True, timeout=120)
        lines = [line.split(None, 1) for line in open(log, errors="replace")]
        return sum(1 for _, what in lines if re.match(r"\w+\(", what)), len({task for task, _ in lines})

    def counts(self):
        """Of run (create, start, wait, delete), and of exec."""
        folder, name = self.bundle("/bin/true")
        whole = self.traced("run", "--bundle", folder, name)
        name, pid = self.create("/bin/sleep", "1000")
        self.call("start", name)
        inner = self.traced("exec", name, "/bin/true")
        self.end(name, pid)
        return (*whole, *inner)

    def end(self, name, pid):
        self.call("kill", name, "KILL")
        wait(pid)
        self.call("delete", name)

    def at_once(self, n):
        started = time.monotonic()
        made = [self.bundle("/bin/true") for _ in range(n)]
        commands = [subprocess.Popen([*self.command, "run", "--bundle", folder, name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL) for folder, name in made]
        if any([c.wait() for c in commands]):
            print("%s: one of many at once failed" % self.name)
            return float("nan")
        return time.monotonic() - started

    def idle(self, n, seconds):
        """KiB of PSS for each, and percent of a processor for all."""
        before = set(descendants(os.getpid()))
        made = [self.create("/bin/sleep", "1000") for _ in range(n)]
        for name, _ in made:
            self.call("start", name)
        time.sleep(1)
        pids = [p for p in descendants(os.getpid()) if p not in before]
        pss = sum(int(line.split()[1]) for p in pids for line in (read_proc("%d/smaps_rollup" % p) or "").splitlines() if line.startswith("Pss:"))
        used = cpu(pids)
        time.sleep(seconds)
        used = cpu(pids) - used
        for name, pid in made:
            self.end(name, pid)
        return pss / n, 100 * used / seconds


def wait(pid):
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def reap(but):
    for pid in children(os.getpid()):
        stat = proc_stat(pid)
        if pid != but and stat and stat[0] == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def cpu(pids):
    ticks = 0
    for p in pids:
        stat = proc_stat(p)
        ticks += int(stat[11]) + int(stat[12]) if stat else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def plain_cgroups():
    """Debian's crun refuses a hybrid of both versions: of a mount namespace of ours the second one is taken off."""
    second = [line.split()[1] for line in open("/proc/self/mounts") if line.split()[2] == "cgroup2"]
    if second == ["/sys/fs/cgroup"] or not second:
        return
    if ctypes.CDLL(None, use_errno=True).unshare(0x20000):  # CLONE_NEWNS
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for path in second:
        subprocess.run(["umount", "-l", path], check=True)


# ---- What is written --------------------------------------------------------------------------------------------------------
DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../docs")
BEGIN, END = "<!-- containers: written by bench/oci.py --write -->", "<!-- end of containers -->"
COLOURS = {"picket": "#1f6f54", "crun": "#9aa7b1", "runc": "#c3ccd3", "runsc": "#d08a3c"}


def table(found):
    rows, names = list(found["picket"]), list(found)
    out = ["| | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
    for row in rows:
        values = [found[name].get(row) for name in names]
        out.append("| %s | %s |" % (row, " | ".join("-" if v is None else "{:,.{}f}".format(v, 0 if v >= 100 or isinstance(v, int) else 1) for v in values)))
    return "\n".join(out)


def chart(found):
    """A bar for each number, on a scale of powers of ten; a number of zero has none."""
    rows, names = [r for r in found["picket"] if "processor" not in r], list(found)
    bar, gap, left, width = 14, 14, 250, 560
    height = len(rows) * (len(names) * bar + gap) + 40
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (left + width + 80, height),
           '<rect width="100%" height="100%" fill="white"/>']
    for i, name in enumerate(names):
        out.append('<rect x="%d" y="8" width="12" height="12" fill="%s"/><text x="%d" y="18">%s</text>' % (
            left + 90 * i, COLOURS.get(name, "#777"), left + 90 * i + 16, name))
    y = 34
    for row in rows:
        values = [found[name].get(row) or 0 for name in names]
        most = max(values + [1])
        scale = width / max(math.log10(most / min([v for v in values if v > 0] + [most])) + 0.5, 0.5)
        out.append('<text x="%d" y="%d" text-anchor="end">%s</text>' % (left - 10, y + len(names) * bar / 2 + 4, row.replace("&", "&amp;")))
        for name, value in zip(names, values):
            length = width + scale * math.log10(value / most) if value > 0 else 0
            out.append('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>' % (left, y, max(length, 0), bar - 2, COLOURS.get(name, "#777")))
            out.append('<text x="%.1f" y="%d" font-size="10">%s</text>' % (left + max(length, 0) + 4, y + bar - 4, "{:,.{}f}".format(value, 0 if value >= 100 or isinstance(value, int) else 1) if value else "-"))
            y += bar
        y += gap
    return "\n".join(out + ["</svg>\n"])


def write(found, options):
    path = DOCS + "/PERFORMANCE.md"
    text = open(path).read()
    before, after = text.index(BEGIN) + len(BEGIN), text.index(END)
    words = "%d processors, Linux %s, medians of %d rounds, %d idle ones.\n\n" % (
        os.cpu_count(), ".".join(platform.release().split(".")[:2]), options.rounds, options.idle)
    with open(path, "w") as f:
        f.write(text[:before] + "\n\n" + words + table(found) + "\n\n" + text[after:])
    with open(DOCS + "/containers.svg", "w") as f:
        f.write(chart(found))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--picket", required=True)
    parser.add_argument("--build", default=".")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--idle", type=int, default=20)
    parser.add_argument("--write", action="store_true", help="into docs/")
    options = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("busybox"):
        print("needs root and busybox")
        return 1
    plain_cgroups()
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: inits are waited for here
    runtime.at.base = tempfile.mkdtemp(prefix="picket-bench-")
    runtime.make_rootfs(runtime.at.base + "/rootfs")
    os.chmod(runtime.at.base, 0o755)
    systems = [Runtime("picket", [os.path.abspath(options.picket)], runtime.at.base)]
    if shutil.which("crun"):
        systems.append(Runtime("crun", ["crun", "--cgroup-manager=disabled"], runtime.at.base))
    if shutil.which("runc"):
        systems.append(Runtime("runc", ["runc"], runtime.at.base))
    if os.path.exists(RUNSC):
        systems.append(Runtime("runsc", [RUNSC, "--network=none", "--platform=systrap"], runtime.at.base, reaps=True))
    found = {s.name: {} for s in systems}
    for s in list(systems):
        try:
            s.life()  # what is read for the first time
        except RuntimeError as e:
            print("left out: %s" % e)
            systems.remove(s)
    lives = {s.name: [] for s in systems}
    for _ in range(options.rounds):
        for s in systems:
            lives[s.name].append(s.life())
    for s in systems:
        found[s.name]["create, start, wait, delete (ms)"] = 1000 * statistics.median(lives[s.name])
        found[s.name]["exec (ms)"] = 1000 * s.execs(options.rounds)
        found[s.name]["20 at once (ms)"] = 1000 * s.at_once(20)
        pss, percent = s.idle(options.idle, 3)
        found[s.name]["PSS of an idle one (KiB)"] = pss
        found[s.name]["%d idle: processor (%%)" % options.idle] = percent
        if shutil.which("strace") and s.name != "runsc":  # whose sandbox's processes do not end with the command
            names = ("run: host calls", "run: processes and threads", "exec: host calls", "exec: processes and threads")
            found[s.name].update(zip(names, s.counts()))
    found = {s.name: found[s.name] for s in systems}
    print(table(found))
    json.dump(found, open(os.path.join(options.build, "oci.json"), "w"), indent=1)
    if options.write:
        write(found, options)
    shutil.rmtree(runtime.at.base, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
