#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `picket do` inherits from its caller: signals of the process group, dispositions, masks, limits, umask, directory.
All of it is meant for the program inside, and none of it may end or hinder the processes of the sandbox."""
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import run_cli as cli
from processes import descendants, proc_name
from run_cli import do, expect, scratch

FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGSYS, signal.SIGABRT}
# Says which signals come. The second SIGTERM ends it, with a look at a file. (Not by handlers: of a signal that comes just
# before a read(2) Python would not tell.)
COUNT = """import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
os.write(1, b'ready\\n')
ends = 0
while ends < 2:
    n = signal.sigwait(signal.valid_signals())
    os.write(1, b'got %d\\n' % n)
    ends += n == signal.SIGTERM
os.write(1, open('/etc/passwd', 'rb').read(0) + b'still here\\n')
sys.exit(4)"""


def command(*args):
    return [cli.PICKET, "do", "--platform=" + cli.PLATFORM, "--", *args]


def popen(*args, **kw):
    kw.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(command(*args), stdout=subprocess.PIPE, text=True, start_new_session=True, **kw)


# ---- PATH, and what a start takes ------------------------------------------------------------------------------------------
def test_path():
    """The first of PATH that has the program, wherever it lies; and what no directory has is looked for without the gofer."""
    folder = scratch()
    for name in ("early", "late", "bound"):
        os.mkdir(folder + "/" + name)
        cli.write(folder + "/" + name + "/picket-prog", b"#!/bin/sh\necho " + name.encode() + b"\n", 0o644 if name == "early" else 0o755)
    nowhere = ":".join("%s/none%d" % (folder, i) for i in range(20))

    def run(path, options=(), cwd="/", strace=()):
        command = [*strace, cli.PICKET, "do", "--platform=" + cli.PLATFORM, *options, "--", "picket-prog"]
        return subprocess.run(command, env={"PATH": path}, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=30 * cli.SCALE)
    late = folder + "/late"
    expect(run(nowhere + ":" + late).stdout == "late\n", "behind what is missing")
    expect(run(folder + "/early:" + late).stdout == "late\n", "behind what cannot be executed")
    expect(run(nowhere + ":" + folder + "/early").returncode == 126, "what cannot be executed is not 126")
    expect(run(nowhere + ":").returncode == 127 and run(nowhere + ":", cwd=late).stdout == "late\n", "the working directory")
    expect(run("%s/unseen:%s" % (folder, late), ["--bind", folder + "/bound:/mnt"]).stdout == "late\n", "beside a bind")
    expect(run("/mnt:" + late, ["--bind", folder + "/bound:/mnt"]).stdout == "bound\n", "below a bind")
    strace = shutil.which("strace")
    if strace:
        def messages(path):
            done = run(path, strace=[strace, "-f", "-qq", "-e", "trace=sendmsg", "-e", "signal=none"])
            return len(re.findall(r"sendmsg\(", done.stderr))
        short, long = messages(late), messages(nowhere + ":" + late)
        expect(long <= short + 8, "%d messages to and from the gofer, %d with 20 more directories" % (short, long))
    shutil.rmtree(folder)


def test_start_touches_few_pages():
    """A static Picket, whose functions lie in the order of a start, and the least of programs: page faults of all processes."""
    with open(cli.PICKET, "rb") as f:
        if b"ld-linux" in f.read(4096):  # with a dynamic loader (sanitizers)
            return
    faults = []
    for _ in range(5):
        child = os.posix_spawn(cli.PICKET, [cli.PICKET, "do", "--platform=" + cli.PLATFORM, "--", "/bin/true"], os.environ)
        faults.append(os.wait4(child, 0)[2].ru_minflt)
    expect(min(faults) < 370, "%d page faults (300 are usual)" % min(faults))


# ---- Signals ---------------------------------------------------------------------------------------------------------------
def test_every_signal_of_the_group():
    """Each reaches the program, once, and ends nothing else: files can be opened afterwards."""
    p = popen("python3", "-c", COUNT)
    expect(p.stdout.readline() == "ready\n", "ready")
    # Not SIGKILL; SIGSTOP stops the CLI, which hands on nothing then; SIGCHLD is for the end of a child of the CLI.
    for sig in sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}):
        os.killpg(p.pid, sig)
        expect(p.stdout.readline() == "got %d\n" % sig, "signal %d" % sig)
    os.killpg(p.pid, signal.SIGCHLD)
    os.killpg(p.pid, signal.SIGSTOP)
    os.killpg(p.pid, signal.SIGCONT)
    expect(p.stdout.readline() == "got %d\n" % signal.SIGCONT, "SIGCONT")
    os.killpg(p.pid, signal.SIGTERM)
    expect(p.stdout.read() == "got 15\nstill here\n" and p.wait(20 * cli.SCALE) == 4, "after all signals: %r" % p.returncode)


def test_every_signal_to_each_process():
    """pkill(1) reaches more than a group: what the sentry and the gofer get they ignore. Only a fault's signal, or SIGKILL
    and SIGSTOP, do what they say."""
    p = popen("python3", "-c", COUNT)
    expect(p.stdout.readline() == "ready\n", "ready")
    for pid in descendants(p.pid):
        name = proc_name(pid)
        for sig in set(range(1, 65)) - {9, 19} - set(map(int, FAULTS)) if name in ("picket-sentry", "picket-gofer") else ():
            os.kill(pid, sig)
    for _ in range(2):
        p.terminate()
        expect(p.stdout.readline() == "got 15\n", "SIGTERM")
    expect(p.stdout.read() == "still here\n" and p.wait(20 * cli.SCALE) == 4, "after all signals: %r" % p.returncode)


def test_a_signal_ends_the_program():
    for sig in (signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGVTALRM, signal.SIGRTMIN, signal.SIGSEGV, 32):
        p = popen("sh", "-c", "echo ready; exec sleep 100")
        expect(p.stdout.readline() == "ready\n", "ready")
        os.killpg(p.pid, sig)
        expect(p.wait(20 * cli.SCALE) == 128 + sig, "signal %d gave %d" % (sig, p.returncode))


def test_an_early_signal():
    """One that comes while the sandbox starts is not lost."""
    for delay in (0, 0.002, 0.01, 0.03):
        p = popen("sleep", "100")
        while b"picket" not in open("/proc/%d/cmdline" % p.pid, "rb").read():
            pass
        time.sleep(delay)
        p.terminate()
        expect(p.wait(20 * cli.SCALE) in (128 + 15, -15), "status %r" % p.returncode)


def test_pending_at_the_start():
    """One that waited, blocked, when the CLI was started: it is for the program, and nothing of ours takes it away."""
    def pending():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        subprocess.run(["kill", "-TERM", str(os.getpid())])  # (what a process sends to itself is not handed on)

    p = popen("sleep", "100", preexec_fn=pending)
    expect(p.wait(20 * cli.SCALE) == 128 + 15, "status %r" % p.returncode)


def test_interrupted_at_the_start():
    """Ctrl-C while gofer and sentry are being started ends the program and neither of them first."""
    for delay in (0.001 * i for i in range(12)):
        p = popen("sleep", "100")
        while b"picket" not in open("/proc/%d/cmdline" % p.pid, "rb").read():
            pass
        time.sleep(delay)
        os.killpg(p.pid, signal.SIGINT)
        expect(p.wait(20 * cli.SCALE) in (128 + 2, -2), "status %r" % p.returncode)


def test_ignored_stays_ignored():
    """nohup(1), and a shell's jobs in the background: what the caller ignores, the program ignores, and is not handed on."""
    script = "trap '' HUP INT CHLD; exec \"$@\""
    program = "grep SigIgn /proc/self/status; kill -HUP $$; kill -INT $$; echo alive; sleep 0.6; echo end"
    seen = []
    for runner in ([], command()):
        p = subprocess.Popen(["sh", "-c", script, "sh", *runner, "sh", "-c", program], stdout=subprocess.PIPE, text=True)
        first = [p.stdout.readline(), p.stdout.readline()]
        os.kill(p.pid, signal.SIGHUP)
        seen.append((first, p.stdout.read(), p.wait(20 * cli.SCALE)))
    expect(seen[0] == seen[1], "%r" % seen)


def test_blocked_by_the_caller():
    """A mask that is inherited keeps nothing from us: neither the end of a child, nor a signal that is handed on."""
    p = popen("sh", "-c", "echo ready; exec sleep 100",
              preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()))
    expect(p.stdout.readline() == "ready\n", "ready")
    p.terminate()
    expect(p.wait(20 * cli.SCALE) == 128 + 15, "status %r" % p.returncode)


def test_alarm_of_the_caller():
    """setitimer(2) lives on over exec: it is the program's."""
    p = popen("sleep", "100", preexec_fn=lambda: signal.setitimer(signal.ITIMER_REAL, 1.5))
    expect(p.wait(20 * cli.SCALE) == 128 + 14, "status %r" % p.returncode)


# ---- Limits ----------------------------------------------------------------------------------------------------------------
def limited(limits, *args):
    def set_them():
        for which, value in limits.items():
            resource.setrlimit(which, value if isinstance(value, tuple) else (value, value))
    return do(*args, preexec_fn=set_them)


def test_size_of_files():
    """The limit is the program's, on its own files and on those that it was handed: SIGXFSZ for it, or EFBIG."""
    program = ("import os, signal\nfor name in ('/tmp/own', '/proc/self/fd/1', None):\n"
               " fd = os.open(name, os.O_WRONLY | os.O_CREAT) if name else 1\n"
               " try:\n  n = 0\n  while True: n += os.write(fd, bytes(3000))\n except OSError as e: print(n, e.errno, file=os.sys.stderr)\n"
               "signal.signal(signal.SIGXFSZ, signal.SIG_DFL); os.write(1, b'x')")
    seen = []
    for runner in ([], command()):
        folder = scratch(0o777)
        with open(folder + "/out", "wb") as out:
            done = subprocess.run(runner + ["python3", "-c", program.replace("/tmp/own", folder + "/own")], stdout=out,
                                  stderr=subprocess.PIPE, text=True, timeout=30 * cli.SCALE,
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)))
        code = done.returncode if done.returncode >= 0 else 128 - done.returncode
        seen.append((code, done.stderr.splitlines()[:3], os.path.getsize(folder + "/out")))
        shutil.rmtree(folder)
    expect(seen[0] == seen[1] and seen[1][0] == 128 + 25, "%r" % seen)


def test_limits_go_in():
    lower = {resource.RLIMIT_NOFILE: 200, resource.RLIMIT_FSIZE: 1 << 20, resource.RLIMIT_CPU: 77, resource.RLIMIT_MEMLOCK: 0,
             resource.RLIMIT_AS: 2000 << 20, resource.RLIMIT_DATA: 1000 << 20, resource.RLIMIT_STACK: (256 << 10, 4 << 20),
             resource.RLIMIT_MSGQUEUE: 0, resource.RLIMIT_CORE: 0, resource.RLIMIT_SIGPENDING: 100}
    program = "import resource\nfor i in range(16): print(i, *resource.getrlimit(i))"
    done = limited(lower, "python3", "-c", program)
    expect(done.returncode == 0, repr(done))
    got = {int(i): (int(a), int(b)) for i, a, b in (line.split() for line in done.stdout.splitlines())}
    for which, value in lower.items():
        want = value if isinstance(value, tuple) else (value, value)
        expect(got[which] == want, "limit %d is %r, not %r" % (which, got[which], want))


def test_soft_limits_do_not_bind_us():
    for which in (resource.RLIMIT_NOFILE, resource.RLIMIT_STACK, resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_CPU,
                  resource.RLIMIT_SIGPENDING, resource.RLIMIT_FSIZE):
        small = {resource.RLIMIT_NOFILE: 20, resource.RLIMIT_STACK: 128 << 10, resource.RLIMIT_CPU: 1,
                 resource.RLIMIT_SIGPENDING: 0, resource.RLIMIT_FSIZE: 0}.get(which, 64 << 20)
        done = limited({which: (small, resource.getrlimit(which)[1])}, "sh", "-c", "ls /etc | wc -l | cat")
        expect(done.returncode == 0 and int(done.stdout) > 5, "limit %d: %r" % (which, done))


def test_too_low_is_said():
    for which, value, word in ((resource.RLIMIT_STACK, 64 << 10, "-s"), (resource.RLIMIT_SIGPENDING, 0, "-i"),
                               (resource.RLIMIT_NOFILE, 20, "-n"), (resource.RLIMIT_AS, 100 << 20, "-v")):
        if os.geteuid() == 0 and which != resource.RLIMIT_NOFILE:
            continue  # root may raise them again
        cli.expect_error(limited({which: value}, "true"), 125, "ulimit " + word)


FLOOD = """if 1:
    import array, os, socket
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    null = os.open("/dev/null", os.O_RDONLY)
    for _ in range(6):
        a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null] * 50))])
    print("under way", flush=True)
    os.read(0, 1)
"""


def test_descriptors_under_way():
    """Those that other processes of its user have sent and nobody has received yet count against its limit: no file can be opened then,
    and the sandbox lives on."""
    if os.geteuid() != 0:
        return  # a user of its own, for the sake of what runs beside this
    folder = scratch(0o755)
    shutil.copy(cli.PICKET, folder + "/picket")
    uid = 100000 + os.getpid()

    def be_user(limit):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": "/"}
    p = subprocess.Popen([folder + "/picket", "do", "--platform=" + cli.PLATFORM, "--", "sh", "-c",
                          "echo ready; read x; cat /etc/hostname; read x; cat /etc/passwd > /dev/null && echo read"], preexec_fn=lambda: be_user(200), **pipes)
    expect(p.stdout.readline() == "ready\n", "ready")
    flood = subprocess.Popen(["/usr/bin/python3", "-c", FLOOD], preexec_fn=lambda: be_user(1000), **pipes)
    said = flood.stdout.readline()
    expect(said == "under way\n", said)
    p.stdin.write("\n")
    p.stdin.flush()
    said = p.stdout.readline()
    expect("Too many open files" in said, said)
    flood.communicate("\n", timeout=20 * cli.SCALE)
    out = p.communicate("\n", timeout=60 * cli.SCALE)[0]
    expect(out == "read\n", out)
    shutil.rmtree(folder)


def test_cpu_time():
    """SIGXCPU is the program's, to be handled; the sandbox's own time does not count."""
    program = ("import signal, sys\nsignal.signal(signal.SIGXCPU, lambda *a: sys.exit(5))\nwhile True: pass")
    expect(limited({resource.RLIMIT_CPU: (1, 100)}, "python3", "-c", program).returncode == 5, "SIGXCPU")


def test_no_core_of_ours():
    done = limited({resource.RLIMIT_CORE: (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2}, "sh", "-c",
                   "ulimit -c; ulimit -H -c")
    expect(done.stdout.splitlines()[0] == "0", repr(done))


# ---- The rest --------------------------------------------------------------------------------------------------------------
def test_umask():
    for mask in (0, 0o27, 0o777):
        done = do("sh", "-c", "umask; mkdir /tmp/made; stat -c %a /tmp/made", preexec_fn=lambda m=mask: os.umask(m))
        expect(done.stdout == "%04o\n%o\n" % (mask, 0o777 & ~mask), repr(done))


def test_directory_that_is_gone():
    folder = scratch()
    done = do("sh", "-c", "pwd; cat /etc/hostname > /dev/null && echo ok", cwd=folder, preexec_fn=lambda: os.rmdir(folder))
    expect(done.returncode == 0 and done.stdout == "/\nok\n", repr(done))


def test_one_cpu_and_low_priority():
    def narrow():
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        os.nice(10)
    expect(do("sh", "-c", "ls /etc | wc -l", preexec_fn=narrow).returncode == 0, "on one CPU")


def test_other_descriptors_stay_out():
    secret = os.dup2(os.open("/etc/passwd", os.O_RDONLY), 50)
    done = do("sh", "-c", "ls /proc/self/fd", pass_fds=(secret,))
    expect(str(secret) not in done.stdout.split(), "descriptor %d came in: %r" % (secret, done.stdout))
    os.close(secret)


if __name__ == "__main__":
    cli.main(sys.modules[__name__])
