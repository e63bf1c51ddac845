#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The stdio of `picket do`: whatever the caller hands in as 0, 1 and 2 behaves as it does for a program without a sandbox.
Most cases are shell lines that are run both ways, natively first: {} is where `picket do` goes."""
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import run_cli as cli
from run_cli import do, expect, in_terminal, read_until, scratch, write

HERE = os.path.dirname(os.path.abspath(__file__))
# Sizes around what is moved at once: a page, PIPE_BUF, the bounce buffer and the chunk of a copy (64 KiB), a slice (4 MiB).
SIZES = (0, 1, 4097, 65535, 65536, 65537, 131073, 4194305)


def picket(*options):
    return " ".join([cli.PICKET, "do", "--platform=" + cli.PLATFORM, *options, "--"])


def sh(script, folder, runner, **kw):
    kw.setdefault("stdin", subprocess.DEVNULL)
    # The limit: a copy without end must not take the disk.
    done = subprocess.run(["bash", "-c", "ulimit -f 200000; " + script.replace("{}", runner)], cwd=folder, capture_output=True, timeout=60 * cli.SCALE,
                          **kw)
    files = {}
    for name in sorted(os.listdir(folder)):
        with open(folder + "/" + name, "rb") as f:
            files[name] = f.read()
    return done.returncode, done.stdout, done.stderr, files


def same(script, files=(), **kw):
    """The script's status, output and files are the same natively and inside."""
    seen = []
    for runner in ("env", picket()):
        folder = scratch(0o777)
        for name, data in dict(files).items():
            write(folder + "/" + name, data, 0o666)
        seen.append(sh(script, folder, runner, **kw))
        shutil.rmtree(folder)
    for what, native, inside in zip(("status", "stdout", "stderr", "files"), *seen):
        if what == "files":
            native, inside = ({k: (len(v), hash(v)) for k, v in x.items()} for x in (native, inside))
        expect(native == inside, "%s\n%s natively %.300r\n%s inside   %.300r" % (script, what, native, what, inside))
    return seen[0]


def numbered(size):
    return b"".join(b"%08d\n" % i for i in range(size // 9 + 1))[:size]


# ---- Pipes ---------------------------------------------------------------------------------------------------------------
def test_pipes():
    done = do("sh", "-c", "cat; echo err >&2", stdin=None, input="one\ntwo\n")
    expect(done.stdout == "one\ntwo\n" and done.stderr == "err\n", repr(done))
    data = "x" * 3000000
    expect(do("cat", stdin=None, input=data).stdout == data, "3 MB through a pipe")


def test_reader_leaves():
    """The writer gets SIGPIPE, or EPIPE when it ignores that; it alone ends, not the sandbox."""
    code, out, err, _ = same("{} yes | head -1; echo ${PIPESTATUS[0]}")
    expect(out == b"y\n141\n" and not err, repr((code, out, err)))
    same("{} sh -c 'yes; echo after $? >&2' | head -1")
    same("{} sh -c 'trap \"\" PIPE; yes; echo after $? >&2' | head -1")
    same("(trap '' PIPE; {} sh -c 'yes; echo after $? >&2') | head -1")
    same("{} sh -c 'dd if=/dev/zero bs=1M count=100 2>/dev/null; echo after $? >&2' | head -c 1 | wc -c")
    calls = "os.sendfile(1, 0, 0, 1 << 20) os.splice(p, 1, 1 << 20) os.pwritev(1, [b'x' * 9], 0) os.writev(1, [b'x'] * 9)"
    for call in calls.replace(") os", ")\nos").splitlines():
        same("(sleep 0.3; {} python3 -c \"import os, time\np, q = os.pipe(); os.write(q, b'y' * 4000)\n"
             "for i in range(99):\n %s\n time.sleep(0.02)\n\" < in; echo $? >&2) | true" % call, {"in": bytes(1 << 20)})


def test_nonblocking_pipe():
    same("python3 -c \"import os, subprocess, sys\nr, w = os.pipe(); os.set_blocking(r, False)\n"
         "print(subprocess.run(sys.argv[1:], stdin=r).returncode)\" {} dd bs=1 count=1 status=none 2>&1")


# ---- Files and their offsets ---------------------------------------------------------------------------------------------
def test_sizes():
    for size in SIZES:
        code, out, err, files = same("(dd bs=9 count=1 2>/dev/null; {} cat) < in > out; {} cat < in > copy",
                                     {"in": numbered(size)})
        expect(files["copy"] == numbered(size) and files["out"] == numbered(size), "size %d" % size)


def test_offset_is_shared():
    data = {"in": numbered(300000)}
    same("(read a; {} sh -c 'read b; echo $b'; read c; echo $a $c) < in", data)
    same("(read a; {} head -c 20; cat) < in | md5sum", data)  # head gives back what it has read too much
    same("(read a; {} dd bs=70000 count=1 2>/dev/null; cat) < in | md5sum", data)  # one read, one result
    same("(read a; {} dd bs=100000 count=1 if=/dev/stdin 2>/dev/null; cat) < in | md5sum", data)  # opened again: from 0
    same("(echo a; {} sh -c 'echo b; echo c >&2'; echo d) > out 2>&1", data)
    same("(echo a; {} dd if=in bs=200000 count=1 2>/dev/null; echo d) > out", data)
    same("(echo a; {} sh -c 'echo b > /dev/stdout'; echo d) > out", data)  # opened again, and cut
    same("(echo a; {} sh -c 'echo b >> /dev/stdout'; echo d) > out", data)
    same("(echo a; {} sh -c 'echo b; echo c') >> out; echo e >> out", {"out": b"old\n"})
    same("{} cat < in >> in", data)  # "input file is output file"
    same("{} sh -c 'cat <&1 >&0' 0<> in 1<> in", data)


def test_calls_on_files():
    """Every call that has to do with an offset, on a file handed in as 0 (read and write) and one as 1 (appending)."""
    probe = os.path.join(scratch(), "probe.py")
    with open(os.path.join(HERE, "offsets.py"), "rb") as f:
        write(probe, f.read(), 0o644)
    code, out, err, files = same("(read a; {} python3 %s; echo status $?; read b; echo rest $b) 0<> in >> out" % probe,
                                 {"in": numbered(300000), "out": b"old\n"})
    expect(b"status 0" in files["out"], files["out"].decode())
    shutil.rmtree(os.path.dirname(probe))


def test_big_copy():
    folder = scratch(0o777)
    with open(folder + "/in", "wb") as f:
        for i in range(64):
            f.write(os.urandom(1 << 20))
    code, out, err, _ = sh("{} cat < in > out && cmp in out && {} sha256sum < in > a && sha256sum < in > b && cmp a b", folder,
                           picket())
    expect(code == 0, repr((code, out, err)))
    shutil.rmtree(folder)


def test_copy_ends_by_a_signal():
    """A copy of a TiB of nothing: a call moves 2 GiB of it, and the program is to end long before."""
    folder = scratch(0o777)
    with open(folder + "/in", "wb") as f:
        f.truncate(1 << 40)
    program = "import os, sys\nprint('ready', flush=True)\nnull = os.open('/dev/null', 1)\nwhile True: os.sendfile(null, 0, None, 1 << 40)"
    for sig in (signal.SIGINT, signal.SIGTERM):
        with open(folder + "/in", "rb") as f:
            p = subprocess.Popen(picket().split() + ["python3", "-c", program], stdin=f, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, text=True)
        expect(p.stdout.readline() == "ready\n", "ready")
        time.sleep(0.3)
        p.send_signal(sig)
        expect(p.wait(20 * cli.SCALE) in (128 + sig, 1), "status %r" % p.returncode)
    shutil.rmtree(folder)


def test_copy_lets_others_run():
    """While one process copies 2 GiB in one call, another one's calls are answered."""
    folder = scratch(0o777)
    with open(folder + "/in", "wb") as f:
        f.truncate(1 << 31)
    program = ("import mmap, os, struct\nm = mmap.mmap(-1, 4096)\ndef calls(): return struct.unpack('Q', m[:8])[0]\n"
               "if os.fork() == 0:\n null = os.open('/dev/null', 1); before = calls()\n os.sendfile(null, 0, None, 0x7ffff000)\n"
               " print('ok' if calls() - before > 20 else '%d calls meanwhile' % (calls() - before), flush=True); os._exit(0)\n"
               "while os.waitpid(-1, os.WNOHANG)[0] == 0: m[:8] = struct.pack('Q', calls() + 1)")
    with open(folder + "/in", "rb") as f:
        done = do("python3", "-c", program, stdin=f, timeout=300 * cli.SCALE)
    expect(done.stdout == "ok\n", done.stdout + done.stderr)
    shutil.rmtree(folder)


def test_large_read_ends_by_a_kill():
    """read(2) of 1 GiB of a regular file in one call, and a signal that ends the program in the middle."""
    folder = scratch(0o777)
    with open(folder + "/in", "wb") as f:
        f.truncate(1 << 40)
    program = ("import mmap, os\nm = mmap.mmap(-1, 1 << 21); v = [m] * 1000\nprint('ready', flush=True)\n"
               "while True: os.readv(0, v)")
    with open(folder + "/in", "rb") as f:
        p = subprocess.Popen(picket().split() + ["python3", "-c", program], stdin=f, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True)
    expect(p.stdout.readline() == "ready\n", "ready")
    time.sleep(0.2)
    p.send_signal(signal.SIGTERM)
    expect(p.wait(20 * cli.SCALE) == 128 + signal.SIGTERM, "status %r" % p.returncode)
    shutil.rmtree(folder)


# ---- Odd ends ------------------------------------------------------------------------------------------------------------
def test_closed():
    same("{} sh -c 'cat; echo $?' 2>&1 <&-")
    same("{} sh -c 'echo out; echo $? >&2' >&-")
    same("{} sh -c 'echo err >&2; echo $?' 2>&-")
    same("{} sh -c 'ls /proc/self/fd | tail -1' <&- 2>&-")


def test_directory():
    for script in ("{} cat < .", "{} sh -c 'cd /dev/fd/0 2>/dev/null; echo x' < .", "{} sh -c 'read x; echo $?' < .",
                   "{} sh -c 'test -d /dev/stdin && echo directory' < ."):
        same(script + " 2>&1")
    done = do("sh", "-c", "ls /proc/self/fd/0/; ls /proc/self/fd/0/etc; cat /proc/self/fd/0/etc/passwd",
              stdin=os.open("/", os.O_RDONLY))
    expect(not done.stdout and done.stderr.count("ermission denied") == 3, "neither listed nor searched: %r" % done)


def test_wrong_way():
    same("{} cat 0> f; echo $?")
    same("{} sh -c 'echo hi; echo $? >&2' 1< in", {"in": b"x"})
    same("{} sh -c 'echo hi >&0; echo $?' 0> f")


def test_devices():
    same("{} sh -c 'echo hi; echo $? >&2' > /dev/full")
    same("{} head -c 100000 < /dev/zero | md5sum")
    same("{} dd bs=1M count=3 < /dev/zero > /dev/null 2> err; grep -c . err; rm err")
    same("{} sh -c 'cat; echo $?' < /dev/null")
    same("{} head -c 16 < /dev/urandom | wc -c")


def test_path_only():
    same("python3 -c \"import os, subprocess, sys\nfd = os.open('in', os.O_PATH)\n"
         "print(subprocess.run(sys.argv[1:], stdin=fd).returncode)\" {} cat 2>&1", {"in": b"x"})


def test_socket():
    ours, theirs = socket.socketpair()
    p = subprocess.Popen(picket().split() + ["cat"], stdin=theirs, stdout=theirs)
    theirs.close()
    data = os.urandom(500000)
    sender = threading.Thread(target=lambda: (ours.sendall(data), ours.shutdown(socket.SHUT_WR)))
    sender.start()
    back = b""
    while len(back) < len(data):
        part = ours.recv(65536)
        expect(part, "the other end closed early")
        back += part
    sender.join()
    expect(back == data and p.wait(20 * cli.SCALE) == 0, "bytes through a socket")


def test_other_descriptors():
    """An epoll set, an event counter, a memfd: what can be read is read, the rest is an error and no end of the sandbox."""
    for make in ("os.eventfd(3)", "select.epoll().fileno()", "os.memfd_create('m')", "os.pidfd_open(os.getpid())"):
        same("python3 -c \"import os, select, subprocess, sys\ne = select.epoll(); fd = %s\n"
             "print(subprocess.run(sys.argv[1:], stdin=fd).returncode)\" {} sh -c 'dd bs=8 count=1 2>/dev/null | wc -c' 2>&1"
             % make.replace("select.epoll()", "e"))


def test_full_disk():
    if os.geteuid() != 0:
        return  # a file system of one page takes root to mount
    script = ("ulimit -f 1000; mkdir m && mount -t tmpfs -o size=64k none m && cd m && {} sh -c 'cat /dev/zero; echo $? >&2' > f; "
              "echo $?; wc -c < f")
    for runner in ("env", picket()):
        folder = scratch()
        done = subprocess.run(["unshare", "-m", "bash", "-c", "cd %s; %s" % (folder, script.replace("{}", runner))],
                              capture_output=True, text=True, timeout=60 * cli.SCALE, stdin=subprocess.DEVNULL)
        expect("No space left" in done.stderr and done.stderr.endswith("\n1\n") and done.stdout == "0\n65536\n",
               "%s: %r" % (runner, done))
        shutil.rmtree(folder)


# ---- Terminals -----------------------------------------------------------------------------------------------------------
def test_terminal():
    master, pid = in_terminal("sh", "-c", "test -t 0 && test -t 1 && stty size && read x && echo got $x")
    read_until(master, b"\n")
    os.write(master, b"line\n")
    read_until(master, b"got line")
    expect(os.waitpid(pid, 0)[1] == 0, "exit")
    os.close(master)


def test_terminal_interrupt():
    master, pid = in_terminal("sh", "-c", "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.1; done")
    read_until(master, b"ready")
    os.write(master, b"\x03")
    read_until(master, b"caught")
    expect(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7, "exit status after ^C")
    os.close(master)


def test_find_interrupted():
    """Ctrl-C in the middle of a walk over all files ends the program alone: the shell that waits for it goes on."""
    master, pid = in_terminal("bash", "-c", "trap 'echo trapped' INT; find / -path / 2> /dev/null; echo find $?; md5sum /bin/sh; exit 4")
    read_until(master, b"/\r\n")  # it has begun
    os.write(master, b"\x03")
    got = read_until(master, b"/bin/sh")
    expect(b"find 130" in got and b"trapped" in got, repr(got))
    expect(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4, "exit status")
    os.close(master)


def test_interrupt_without_terminal_inside():
    """Ctrl-C reaches all of the pipeline inside, as it does natively, though none of its stdio is the terminal."""
    folder = scratch(0o777)
    for runner in ("env", picket()):
        pid, master = pty.fork()
        if pid == 0:
            os.execvp("bash", ["bash", "-c", "%s sh -c 'sleep 100 & sleep 100; echo no' < /dev/null > %s/out 2>&1 | cat; "
                               "echo ${PIPESTATUS[0]}" % (runner, folder)])
        time.sleep(1 * cli.SCALE)
        os.write(master, b"\x03")
        os.waitpid(pid, 0)
        with open(folder + "/out") as f:
            expect("no" not in f.read(), "went on after ^C: " + runner)
        os.close(master)
    shutil.rmtree(folder)


class Shell:
    """An interactive shell on a terminal of its own, natively or (inside) in a sandbox."""

    def __init__(self, inside):
        command = (picket().split() if inside else []) + ["bash", "--norc", "--noprofile", "-i"]
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)
        self.say("bind 'set enable-bracketed-paste off'; PS1='@ '; PS2=")
        self.say("echo begin$((1 + 1))", b"begin2")

    def say(self, line, answer=None):
        os.write(self.master, line if isinstance(line, bytes) else line.encode() + b"\n")
        return read_until(self.master, answer) if answer else b""

    def end(self):
        self.say("exit 0\nexit 0")
        os.waitpid(self.pid, 0)
        os.close(self.master)


def job_control(inside, runner):
    s = Shell(inside)
    # (Not a loop of sh: a stop that hits a vfork(2) before its exec waits for ever, natively too.)
    s.say(runner + " python3 -uc 'import time; [print(\"tick%d\" % i) or time.sleep(0.02) for i in range(9999)]'", b"tick3")
    s.say(b"\x1a", b"Stopped")
    s.say("echo prompt$((3 + 3))", b"prompt6")
    read_quiet(s)
    s.say("fg", b"\ntick")
    s.say(b"\x03", b"@ ")
    s.say("echo status$?", b"status130")
    s.say(runner + " sh -c 'echo run$((2+2)); sleep 4; echo after$((4+4))'", b"run4")
    time.sleep(0.2)
    s.say(b"\x1a", b"Stopped")
    expect(b"after8" in s.say("bg; wait; echo waited$((5+5))", b"waited10"), "it did not go on")
    s.end()


def read_quiet(s):
    """What is stopped writes no more."""
    time.sleep(0.3)
    while cli.select.select([s.master], [], [], 0)[0]:
        os.read(s.master, 65536)
    time.sleep(0.3)
    expect(not cli.select.select([s.master], [], [], 0)[0], "it goes on though it is stopped")


def test_stop_natively():
    job_control(False, "env")


def test_stop_of_the_sandbox():
    """Ctrl-Z at `picket do -- CMD` stops it like any job of the caller's shell, and fg and bg go on with it."""
    job_control(False, picket())


def test_stop_inside():
    """Ctrl-Z at a program of an interactive shell inside gives that shell the terminal back."""
    job_control(True, "env")


def background(inside):
    s = Shell(inside)
    s.say("cat > /dev/null &\nsleep 0.4; jobs", b"Stopped")
    s.say("stty tostop\n(stty -echo) &\nsleep 0.4; jobs -s | wc -l", b"\n2")
    s.say("fg %1", b"cat > /dev/null")
    time.sleep(0.3)
    s.say(b"line\n\x04")
    s.say("echo status$?", b"status0")
    s.say("kill %2; wait; stty -tostop; echo done$((3+4))", b"done7")
    s.end()


def test_background_natively():
    background(False)


def test_background_of_the_callers_terminal():
    """Who reads or changes the terminal from the background is stopped, as natively, and goes on in front."""
    background(True)


def test_dev_tty():
    """/dev/tty is the caller's terminal, whatever became of the descriptors on it; without one there is none."""
    for command in (["sh"], picket().split() + ["sh"]):
        script = "exec < /dev/null > /dev/null 2>&1; read x < /dev/tty; echo got $x > /dev/tty; exit 6"
        master, pid = cli.in_session(*command, "-c", script)
        time.sleep(0.5)
        os.write(master, b"word\n")
        read_until(master, b"got word")
        expect(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 6, "exit")
        os.close(master)
    r = do("sh", "-c", "exec < /dev/tty")
    expect(r.returncode != 0, "a terminal out of nowhere")


def test_stop_of_an_orphan():
    """Nobody could continue it: the terminal's stop is ignored, natively and inside."""
    for command in (["sh"], picket().split() + ["sh"]):
        master, pid = cli.in_session(*command, "-c", "echo ready; sleep 1; echo end")
        got = read_until(master, b"ready")
        os.write(master, b"\x1a")
        read_until(master, b"end", got=got)
        expect(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, "exit")
        os.close(master)


def test_stop_in_an_orphaned_group():
    """The same for each member of the group, also when the first one would not be the one to stop."""
    for command in (["sh"], picket().split() + ["sh"]):
        master, pid = cli.in_session(*command, "-c", "sh -c 'kill -TSTP $$; echo goes on'; echo end")
        expect(b"goes on" in read_until(master, b"end"), "the stopped member")
        expect(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, "exit")
        os.close(master)


if __name__ == "__main__":
    cli.main(sys.modules[__name__])
