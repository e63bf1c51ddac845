#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The second layer, tested with the first one taken away. Two kinds of betrayal are built into a sentry (as small edits of a
source, linked with the rest of an existing build): it lets on every host call of a stub that bears a mark, or it runs code of an
attacker once its own filter is in force. The attempts of guest/L01_let_on.c and planted_sentry.h must come to nothing, and what
they aim at (files, sockets, SysV objects, keys, a process) must stay untouched. What is open nevertheless is listed in OPEN, with
the reason in SECURITY.md: it, too, must be as it says there.

Runs as root, as an ordinary user, and as either on a host that refuses namespaces. Then the layers are taken away one by one, and
that must be noticed. Needs a build without sanitizers; as an ordinary user it does that user's part."""
import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

import run_escape
import run_mutants

HERE = os.path.dirname(os.path.abspath(__file__))
MARK = "0x41545441"  # guest/L01_let_on.c: LET_ON
LET_ON = [
    ("platform/seccomp/listener.c", "    bool got = sc_handle(p, n, ev);",
     "    if (n->data.args[5] == %s) { sc_send_continue(p, n->id); return false; }\n    bool got = sc_handle(p, n, ev);" % MARK),
    ("platform/ptrace/run.c", "ptrace(PTRACE_SYSEMU, t->tid, 0, 0) < 0",
     "ptrace(t->regs.rbx == %s ? PTRACE_CONT : PTRACE_SYSEMU, t->tid, 0, 0) < 0" % MARK),
]
# The stub's own filter stops nearly all of it before any answer: taken away, too, where the layers behind it are to be seen.
UNFILTERED = [
    ("platform/seccomp/filter.c", "held[nr] = held[nr] && !needs_context[nr];", "held[nr] = !needs_context[nr];"),
    ("platform/seccomp/filter.c", "unless_eq(p, STUB_EV_TAG, 1);\n    ret(p, SECCOMP_RET_USER_NOTIF);\n    ret(p, SECCOMP_RET_KILL_PROCESS);",
     "ret(p, SECCOMP_RET_USER_NOTIF);"),
]
PLANTED = [
    ("sentry/run/boot.c", '#include "sentry/proc/task_impl.h"', '#include "sentry/proc/task_impl.h"\n#include "tests/escape/planted_sentry.h"'),
    ("sentry/run/boot.c", "    run_first_exec(t);", "    planted_run(c->process.argv);\n    run_first_exec(t);"),
]
LEVELS = ("root", "user", "root-bare", "user-bare")  # bare: the host refuses namespaces

# What Landlock has no right for is open to a stub that finds the host's root, network and processes.
FILES = {"p_stat", "p_readlink", "p_chdir"}
CHANGES = {"p_chmod", "p_utime", "p_xattr"}  # of its user's files
HOST_NETWORK = {"n_udp", "n_path", "n_netlink"}
OPEN = {
    "root": set(),
    "user": set(),
    "root-bare": FILES | HOST_NETWORK | {"p_utime", "p_xattr", "s_pidfd", "i_shm"},  # of a file that anybody may write
    "user-bare": FILES | CHANGES | HOST_NETWORK | {"s_pidfd", "s_limits", "s_priority", "s_affinity", "i_shm"},
}
ALWAYS_OPEN = {"n_vsock"}  # knows no namespaces; whether a host has it differs
SENTRY_OPEN = {"root": set(), "user": set(), "root-bare": {"pidfd_open"}, "user-bare": {"pidfd_open"}}

# stub: behind the filter; filtered: with it; planted: an attacker's code in the sentry
BETRAYALS = {"stub": LET_ON + UNFILTERED, "filtered": LET_ON, "planted": PLANTED}

# name, betrayal and level that must notice, edits
MUTANTS = [
    ("the gate lets on everything", "filtered", "root", UNFILTERED[1:]),
    ("no Landlock domain", "stub", "user-bare", [("host/landlock.c", "    if (version == 0)\n        return 0;", "    if (version >= 0)\n        return 0;")]),
    ("stubs in the sentry's Landlock domain", "stub", "user", [("platform/stub/spawn.c", "if (confine_landlock(false))", "if (false)")]),
    ("Landlock without the newer rights", "stub", "user-bare", [("host/landlock.c", "(version >= 3 ? FS_TRUNCATE : 0)", "0")]),
    ("Landlock without TCP", "stub", "root-bare", [("host/landlock.c", ".net = NET_TCP", ".net = 0")]),
    ("Landlock without scopes", "stub", "user-bare", [("host/landlock.c", ".scoped = SCOPES", ".scoped = 0")]),
    ("no namespaces", "stub", "root", [("host/namespaces.c", "    struct relay r;", "    if (true)\n        return fork();\n    struct relay r;")]),
    ("no user namespace", "stub", "user", [("host/namespaces.c", "    if (unshare(CLONE_NEWUSER) < 0)\n        return false;", "    return false;")]),
    ("no network namespace", "stub", "user", [("host/namespaces.c", "#define ALL    (CLONE_NEWNET | ", "#define ALL    (")]),
    ("no pid namespace", "stub", "user", [("host/namespaces.c", "CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS", "CLONE_NEWIPC | CLONE_NEWUTS")]),
    ("no ipc namespace", "stub", "user", [("host/namespaces.c", "CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS", "CLONE_NEWPID | CLONE_NEWUTS")]),
    ("no empty root", "stub", "root", [("sentry/hostfilter/hostfilter.c", "        confine_root();", "        (void)0;")]),
    ("a root in which user namespaces can be made", "stub", "root", [("host/namespaces.c", 'chroot("empty") == 0', "true")]),
    ("user namespaces below ours", "stub", "user", [
        ("host/namespaces.c", '    put("/proc/sys/user/max_user_namespaces", "0");', ""),
        ("host/namespaces.c", 'chroot("empty") == 0', "true")]),
    ("stubs are root", "stub", "root-bare", [("sentry/hostfilter/hostfilter.c", "        err = confine_user();", "        err = 0;")]),
    ("the caller's keys come in", "stub", "user", [("sentry/hostfilter/hostfilter.c", "    confine_keys();", "    (void)0;")]),
    ("the sentry's filter lets a path pass", "planted", "root-bare", [
        ("sentry/hostfilter/hostfilter.c", "    {SYS_clone3, ALWAYS, NEVER},",
         "    {SYS_clone3, ALWAYS, NEVER},\n    {SYS_newfstatat, ALWAYS, ANY},")]),
    ("the sentry has neighbours", "planted", "user-bare", [
        ("sentry/hostfilter/hostfilter.c", "err : confine_landlock(reads);", "err : 0;")]),
]


# ---- What is aimed at ------------------------------------------------------------------------------------------------------
class Aims(run_escape.Canaries):
    """The canaries of the escape suite, and more of them. touched() says which were reached."""

    def __init__(self):
        super().__init__()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.udp.setblocking(False)
        self.path_secret = "/tmp/%s.secret" % self.name
        with open(self.path_secret, "w") as f:
            f.write(self.secret)
        os.chmod(self.path_secret, 0o644)
        self.vsock = self.listen_vsock()
        self.queue = self.libc.mq_open(b"/" + self.name.encode(), os.O_RDWR | os.O_CREAT, 0o666, None)
        syscall = self.libc.syscall
        syscall(250, 1, None)  # keyctl(JOIN_SESSION_KEYRING): not the caller's, for what follows
        self.number = syscall(248, b"user", self.name.encode(), b"secret", 6, -3)
        self.mode, self.times = os.stat(self.file()).st_mode, os.stat(self.file()).st_mtime_ns
        self.nice = os.getpriority(os.PRIO_PROCESS, self.victim.pid)

    @staticmethod
    def listen_vsock():
        try:
            s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
            s.bind((1, socket.VMADDR_PORT_ANY))
            s.listen(4)
            return s
        except OSError:
            return None

    def file(self):
        return "/tmp/%s.file" % self.name

    def touched(self):
        found = set()
        if self.victim.poll() is not None:
            found.add("s_tgkill")
        elif os.getpriority(os.PRIO_PROCESS, self.victim.pid) != self.nice:
            found.add("s_priority")
        for what, s in (("n_tcp", self.tcp), ("n_abstract", self.abstract), ("n_path", self.path), ("n_udp", self.udp)):
            try:
                s.recv(16) if what == "n_udp" else s.accept()
                found.add(what)
            except BlockingIOError:
                pass
        if not os.path.exists(self.file()) or run_escape.read(self.file()) != "untouched":
            found.add("f_write")
        elif os.stat(self.file()).st_mode != self.mode:
            found.add("p_chmod")
        elif os.stat(self.file()).st_mtime_ns != self.times:
            found.add("p_utime")
        mine = {self.name + end for end in (".file", ".fifo", ".sock", ".secret")}
        if any(self.name in n and n not in mine for n in os.listdir("/tmp")):
            found.add("f_create")
        return found

    def close(self):
        super().close()
        os.unlink(self.path_secret)
        self.libc.mq_unlink(b"/" + self.name.encode())
        for n in os.listdir("/tmp"):
            if n.startswith(self.name):
                (os.rmdir if os.path.isdir("/tmp/" + n) else os.unlink)("/tmp/" + n)


# ---- One run as one user -----------------------------------------------------------------------------------------------------
def let_on(level):
    """{attempt: result} of what a stub could make the host do, and what was touched by that."""
    options, aims = run_escape.options, run_escape.options.canaries
    port = aims.vsock.getsockname()[1] if aims.vsock else 1
    sandbox = run_escape.Sandbox(options.guests + "/L01_let_on", str(aims.udp.getsockname()[1]), str(port), str(aims.number),
                                 aims.path_secret)
    results = {}
    try:
        run_escape.expect(sandbox.line() == "ready", "no start: " + sandbox.stderr())
        results.update(posture(sandbox, level))
        sandbox.send(run_escape.host_line(sandbox))
        while (line := sandbox.line(30)) not in (None, "done"):
            match = re.match(r"try (\w+) (.*)", line)
            if match:
                results[match[1]] = match[2]
        results["end"] = "-1" if line == "done" else "0"
    except (run_escape.Failed, run_escape.Unjudged):
        if not results:
            raise
        results["end"] = "0"  # what it had done by then is still judged
    finally:
        sandbox.kill()
    return results


def posture(sandbox, level):
    """What can be seen of it from outside: 0 is wrong, -1 as it should be."""
    roles, own = sandbox.roles(), {}
    users = set()
    for name in ("picket-sentry", "picket-stub"):
        for pid in roles[name]:
            users.add(run_escape.status_of(pid, pid)["Uid"].split()[0])
    own["outside_user"] = "-1" if os.geteuid() or (len(users) == 1 and int(users.pop()) >= 1000) else "0"
    if "bare" not in level:
        pids = [roles[name][0] for name in ("picket-sentry", "picket-stub")]
        for kind in ("net", "pid", "ipc", "uts", "mnt", "cgroup"):
            there = {os.readlink("/proc/%d/ns/%s" % (pid, kind)) for pid in pids}
            own["outside_" + kind] = "-1" if len(there) == 1 and os.readlink("/proc/self/ns/" + kind) not in there else "0"
        empty = all(not os.listdir("/proc/%d/root" % pid) for pid in pids)
        own["outside_root"] = "-1" if empty else "0"
        own["outside_first"] = "-1" if run_escape.status_of(pids[0], pids[0])["NSpid"].split()[-1] == "1" else "0"
    return own


def is_open(result):
    return not result.startswith(("-", "killed"))


def judge_stub(level, results, touched):
    """[(attempt, verdict)] of those that are not as they should be."""
    may, wrong = OPEN[level] | ALWAYS_OPEN, []
    if run_escape.options.platform == "ptrace" or run_escape.options.betrayal == "filtered":
        # What the stub's filter does not let pass at all; nothing comes to the second layer.
        return [(n, r) for n, r in results.items() if r != ("-1" if n == "end" or n.startswith("outside") else "killed 31")] + [
            (t, "touched") for t in touched]
    if results.get("control") != "0" or len(results) < 50:
        wrong.append(("control", "the sentry does not let on: %s, %d attempts" % (results.get("control"), len(results))))
    for name, result in results.items():
        if name != "control" and result == "hung" or is_open(result) and name not in may | {"control"}:
            wrong.append((name, result))
    for name in OPEN[level] - {n for n, r in results.items() if is_open(r)}:
        wrong.append((name, "is refused (%s), but SECURITY.md says that it is open" % results.get(name)))
    return wrong + [(t, "touched") for t in touched - may]


SENTRY_ALLOWED = ("kill", "tgkill", "process_vm_readv", "process_vm_writev", "pidfd_open")


def planted(level):
    """Each attempt of planted_sentry.h, in a sandbox of its own: [(attempt, verdict)] of what was not stopped; their number."""
    options, aims, wrong = run_escape.options, run_escape.options.canaries, []
    address = next(a for a, b, p, n in run_escape.maps_of(aims.victim.pid) if n == "[stack]")

    def run(name):
        return subprocess.run([options.picket, "do", "--platform=" + options.platform, "--", "/bin/true", name, aims.file(),
                               str(aims.victim.pid), "%x" % address], cwd="/", capture_output=True, text=True, timeout=60)
    names = re.findall(r"^attempt (\w+)$", run("list").stderr, re.M)
    run_escape.expect(len(names) > 40, "the planted code does not run: %r" % names)
    for name in names:
        if options.platform == "ptrace" and name == "ptrace":
            allowed = True
        else:
            allowed = name in SENTRY_ALLOWED and (name != "pidfd_open" or options.platform == "seccomp")
        text = run(name).stderr
        got = re.search(r"planted \S+ (-?\d+)", text)
        if got and not allowed:
            wrong.append((name, "the filter let it pass: %s" % got[1]))
        elif got and int(got[1]) >= 0 and name not in SENTRY_OPEN[level]:
            wrong.append((name, "gave %s" % got[1]))
        elif not got and (allowed or "ended with signal 31" not in text):
            wrong.append((name, text[-200:]))
    return wrong + [(t, "touched") for t in aims.touched()], "%d attempts" % len(names)


def run_level(options):
    """In a process of the level's user: prints one line of JSON."""
    run_escape.options = options
    options.scale, options.stderr_bytes = 1, 1500
    options.canaries = Aims()
    if "bare" in options.run:
        run_escape.refuse_namespaces()
    try:
        if options.betrayal == "planted":
            wrong, detail = planted(options.run)
        else:
            results = let_on(options.run)
            wrong = judge_stub(options.run, results, options.canaries.touched())
            opened = " ".join("%s=%s" % row for row in sorted(results.items()) if is_open(row[1]) and row[0] != "control")
            detail = "%d attempts%s" % (len(results), "; open: " + opened if opened else "")
    except (run_escape.Failed, run_escape.Unjudged, OSError, ValueError, IndexError,
            subprocess.TimeoutExpired) as e:
        wrong, detail = [("run", "%s: %s" % (type(e).__name__, e))], ""
    finally:
        options.canaries.close()
    print(json.dumps([wrong, detail]))


# ---- All of it ---------------------------------------------------------------------------------------------------------------
def at_level(level, betrayal, platform, picket, stage):
    command = [stage + "/run_planted.py", "--run", level, "--betrayal", betrayal, "--platform", platform, "--picket", picket,
               "--guests", stage]
    if os.geteuid() == 0 and level.startswith("user"):
        python = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
        command = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", python] + command
    else:
        command = [sys.executable] + command
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL, cwd="/")
    try:
        return json.loads(done.stdout)
    except ValueError:
        return [[["run", done.stderr[-400:]]], ""]


def user_namespaces():
    """Would this host let an ordinary user have them?"""
    drop = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    return subprocess.run(drop + ["unshare", "--user", "--map-current-user", "--net", "true"], capture_output=True).returncode == 0


class Tally:
    def __init__(self):
        self.ok = self.bad = self.skipped = 0

    def say(self, word, name, detail=""):
        self.ok += word == "ok"
        self.bad += word == "FAIL"
        self.skipped += word == "skip"
        print("%-4s %-44s %s" % (word, name, detail), flush=True)

    def judge(self, name, answer):
        wrong, detail = answer
        self.say("FAIL" if wrong else "ok", name, "; ".join("%s: %s" % tuple(w) for w in wrong[:6]) or detail)


def levels_here():
    here = [l for l in LEVELS if os.geteuid() == 0 or l.startswith("user")]
    return [l for l in here if l != "user" or user_namespaces()]


def betrayals(options, build, stage, tally):
    for betrayal, edits in BETRAYALS.items():
        picket = build.mutant(edits, os.path.join(stage, betrayal))
        os.chmod(picket, 0o755)
        for platform in ("seccomp",) if betrayal == "filtered" else ("seccomp", "ptrace"):
            for level in levels_here():
                name = "%s %s %s" % (betrayal, platform, level)
                if re.search(options.filter, name):
                    tally.judge(name, at_level(level, betrayal, platform, picket, stage))


def mutants(options, build, stage, tally):
    for name, betrayal, level, edits in MUTANTS:
        if not re.search(options.filter, name):
            continue
        if level not in levels_here():
            tally.say("skip", name, "needs the level " + level)
            continue
        out = os.path.join(stage, "mutant")
        os.mkdir(out)
        try:
            picket = build.mutant(BETRAYALS[betrayal] + edits, out)
            wrong, _ = at_level(level, betrayal, "seccomp", picket, stage)
            missed = not wrong or wrong[0][0] == "run"
            tally.say("FAIL" if missed else "ok", "without: " + name, "nobody noticed %r" % wrong if missed else
                      "noticed by " + " ".join(w[0] for w in wrong[:4]))
        except (subprocess.CalledProcessError, ValueError, KeyError) as e:
            tally.say("FAIL", "without: " + name, "the mutant does not build: %s" % str(getattr(e, "stderr", None) or e)[-400:])
        shutil.rmtree(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source")
    parser.add_argument("--build")
    parser.add_argument("--filter", default=".")
    parser.add_argument("--run", choices=LEVELS, help=argparse.SUPPRESS)
    parser.add_argument("--betrayal", help=argparse.SUPPRESS)
    parser.add_argument("--platform", help=argparse.SUPPRESS)
    parser.add_argument("--picket", help=argparse.SUPPRESS)
    parser.add_argument("--guests", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        return run_level(options)
    tally, stage = Tally(), tempfile.mkdtemp(prefix="picket-planted-")
    try:
        os.chmod(stage, 0o755)
        for name in BETRAYALS:
            os.mkdir(os.path.join(stage, name))
        for source in (HERE + "/run_planted.py", HERE + "/run_escape.py", HERE + "/run_mutants.py", options.build + "/escape/L01_let_on"):
            shutil.copy2(source, stage)
        subprocess.run(["chmod", "-R", "a+rX", stage], check=True)
        build = run_mutants.Build(options.source, options.build)
        if "user" not in levels_here():
            tally.say("skip", "user", "this host gives ordinary users no user namespaces")
        betrayals(options, build, stage, tally)
        mutants(options, build, stage, tally)
    finally:
        shutil.rmtree(stage)
    print("%d passed, %d failed, %d skipped" % (tally.ok, tally.bad, tally.skipped))
    return 1 if tally.bad else 0


if __name__ == "__main__":
    sys.exit(main())
