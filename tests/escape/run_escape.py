#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The escape suite: attack programs run inside Picket, and what is seen of it from the host.

Inside: every program of tests/escape/guest, whose lines `ok NAME`, `FAIL NAME: why`, `skip NAME: why` are counted, and
`UNJUDGED NAME: why`: nothing could be said (guest/escape.h), also when it was tried again, which fails the suite too. Outside,
all the time: every host task of the sandbox has a seccomp filter and no_new_privs; and at the end, that none of the canaries
(files, sockets, shared memory, a victim process) was touched. The host tests (host_*) are cases of their own; they are the
witness that no call of a stub reaches the host kernel but rt_sigreturn and the calls of platform/stub/gate_calls.def.

Runs as root and as an ordinary user; what needs root or a missing tool is skipped with the reason.
"""
import argparse
import collections
import ctypes
import inspect
import os
import pty
import re
import resource
import secrets
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PR_SET_CHILD_SUBREAPER = 36
EV_TAG, EV_MASK = 0x20000000, 0xf0e00000  # platform/stub/layout.h: STUB_EV_IS
options = None


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


class Unjudged(Exception):
    """Nothing can be said: a wait of the test's own ran out, or its witness was overrun. It is tried again."""


ATTEMPTS = 3  # of what could not be judged, with more patience each time


def expect(ok, what):
    if not ok:
        raise Failed(what)


def until(holds, what, seconds=10):
    """Waits for a state that comes by itself."""
    end = time.monotonic() + seconds * options.scale
    while not holds():
        if time.monotonic() > end:
            raise Unjudged("%s: not within %g s" % (what, seconds * options.scale))
        time.sleep(0.02)


# ---- The host's processes ------------------------------------------------------------------------------------------------
def read(path, mode="r"):
    with open(path, mode, **({} if "b" in mode else {"errors": "replace"})) as f:
        return f.read()


def stat_of(pid):
    text = read("/proc/%s/stat" % pid)
    rest = text[text.rindex(")") + 2:].split()
    return text[text.index("(") + 1:text.rindex(")")], rest[0], int(rest[1])


def tree(pid):
    """{pid: name} of every live process below pid."""
    children, names = collections.defaultdict(list), {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            name, state, parent = stat_of(entry)
        except (OSError, ValueError):
            continue
        if state not in "ZX":
            children[parent].append(int(entry))
            names[int(entry)] = name
    found, todo = {}, [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            if child not in found:
                found[child] = names[child]
                todo.append(child)
    return found


def status_of(pid, tid):
    return dict(re.findall(r"^(\w+):[ \t]*(.*?)$", read("/proc/%d/task/%d/status" % (pid, tid)), re.M))


def tasks_of(pid):
    return [int(t) for t in os.listdir("/proc/%d/task" % pid)]


def by_role(pid):
    roles = collections.defaultdict(list)
    for child, name in tree(pid).items():
        roles[name].append(child)
    return roles


# ---- Canaries ----------------------------------------------------------------------------------------------------------------
class Canaries:
    """Things on the host that no guest may reach, and whose state tells whether one did."""

    def __init__(self):
        self.name = "picket-canary-%s" % secrets.token_hex(6)
        self.secret = "secret%s" % secrets.token_hex(12)
        self.victim = subprocess.Popen(["sleep", "100000"])
        self.tcp = socket.socket()
        self.tcp.bind(("127.0.0.1", 0))
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind("\0" + self.name)
        self.path = socket.socket(socket.AF_UNIX)
        self.path.bind("/tmp/%s.sock" % self.name)
        os.chmod("/tmp/%s.sock" % self.name, 0o777)
        for s in (self.tcp, self.abstract, self.path):
            s.listen(8)
            s.setblocking(False)
        with open("/tmp/%s.file" % self.name, "w") as f:
            f.write("untouched")
        os.chmod("/tmp/%s.file" % self.name, 0o666)
        os.mkfifo("/tmp/%s.fifo" % self.name, 0o666)
        self.fifo = os.open("/tmp/%s.fifo" % self.name, os.O_RDWR | os.O_NONBLOCK)
        self.key = secrets.randbelow(1 << 30) + 1
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.shm = self.libc.shmget(self.key, 4096, 0o1666)
        self.leak = tempfile.TemporaryFile()  # left open, and inheritable, when the sandbox is started
        self.leak.write(self.secret.encode())
        self.leak.flush()
        os.set_inheritable(self.leak.fileno(), True)

    def check(self):
        expect(self.victim.poll() is None, "the victim process was killed: %s" % self.victim.returncode)
        for what, s in (("TCP", self.tcp), ("abstract", self.abstract), ("path", self.path)):
            try:
                s.accept()
                raise Failed("somebody connected to the host's %s socket" % what)
            except BlockingIOError:
                pass
        path = "/tmp/%s.file" % self.name
        expect(os.path.exists(path) and read(path) == "untouched", "a host file was changed")
        try:
            got = os.read(self.fifo, 10)
        except BlockingIOError:
            got = b""
        expect(not got, "something was written to the host's fifo")
        mine = {self.name + ending for ending in (".file", ".fifo", ".sock")}
        others = [n for n in os.listdir("/tmp") if self.name in n and n not in mine]
        expect(not others, "files came into being on the host: %r" % others)

    def close(self):
        self.victim.kill()
        self.victim.wait()
        if self.shm >= 0:
            self.libc.shmctl(self.shm, 0, None)
        os.close(self.fifo)
        for ending in (".file", ".fifo", ".sock"):
            if os.path.exists("/tmp/%s%s" % (self.name, ending)):
                os.unlink("/tmp/%s%s" % (self.name, ending))


# ---- Sandboxes ---------------------------------------------------------------------------------------------------------------
CAGED = ("2", "3")  # a filter; dying by it (SECCOMP_MODE_DEAD, before the task counts as a zombie)


class Posture(threading.Thread):
    """Looks at every task below a process, until told to stop; collects those that are not caged."""

    def __init__(self, pid, pause):
        super().__init__(daemon=True)
        self.pid, self.pause, self.bad, self.seen, self.over = pid, pause, [], set(), threading.Event()
        self.start()

    def look(self, pid, name):
        for tid in tasks_of(pid):
            status = status_of(pid, tid)
            if status.get("State", "Z")[0] in "ZX":
                continue
            self.seen.add(tid)
            if status.get("Seccomp") not in CAGED or status.get("NoNewPrivs") != "1":
                self.bad.append((name, pid, tid, status.get("Seccomp"), status.get("NoNewPrivs")))

    def run(self):
        while not self.over.wait(self.pause):
            for pid, name in tree(self.pid).items():
                if name == "picket":
                    continue  # the command line's own child, before it has become one of ours
                try:
                    self.look(pid, name)
                except (OSError, ProcessLookupError):
                    pass

    def stop(self):
        self.over.set()
        self.join()
        expect(not self.bad, "tasks without filter or no_new_privs: %r" % self.bad[:5])
        return len(self.seen)


class Sandbox:
    """`picket do` with pipes for stdio. `wrap` goes before the command line."""

    def __init__(self, *command, wrap=(), extra=(), fds=(), env=None):
        environ = dict(os.environ, PICKET_CANARY=options.canaries.secret, **(env or {}))
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*wrap, options.picket, "do", "--platform=" + options.platform, *extra, "--", *command], cwd="/", env=environ,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, pass_fds=(options.canaries.leak.fileno(), *fds))
        self.pid, self.text = self.process.pid, b""

    def line(self, seconds=30):
        end = time.monotonic() + seconds * options.scale
        while b"\n" not in self.text:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Unjudged("no answer from the sandbox in %g s; %s" % (seconds * options.scale, self.stderr()))
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return None
            self.text += data
        line, self.text = self.text.split(b"\n", 1)
        return line.decode(errors="replace")

    def send(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def roles(self):
        return by_role(self.pid)

    def stub(self):
        return max(self.roles()["picket-stub"])

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")[-options.stderr_bytes:]

    def end(self, seconds=30):
        """Its status. One that does not end keeps something, and no load explains half a minute."""
        try:
            self.process.stdin.close()
            return self.process.wait(seconds * options.scale)
        except subprocess.TimeoutExpired:
            raise Failed("the sandbox does not end in %g s" % (seconds * options.scale))
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def maps_of(pid):
    """[(start, end, permissions, name)]"""
    rows = []
    for line in read("/proc/%d/maps" % pid).splitlines():
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
        rows.append((int(match[1], 16), int(match[2], 16), match[3], match[4]))
    return rows


def place_of(stub):
    """Where blob and slots lie in a stub: (base, text_end, slots, end, gate, sigreturn), from its header."""
    for start, end, permissions, name in maps_of(stub):
        if permissions != "r-xp" or name or not 0x7e9000000000 <= start < 0x7f0000000000:
            continue
        with open("/proc/%d/mem" % stub, "rb", buffering=0) as mem:
            mem.seek(start)
            blob = mem.read(32)
        if blob[:8] != b"pck-stub":
            continue
        gate, sigreturn = int.from_bytes(blob[12:16], "little"), int.from_bytes(blob[16:20], "little")
        after = [m for m in maps_of(stub) if m[0] >= start + 32768 and m[3] == "" and m[0] < start + 32768 * 4200]
        return (start, end, start + 32768, after[0][1], start + gate, start + sigreturn)
    raise Failed("no stub text in the maps of %d" % stub)


def host_line(sandbox):
    place = place_of(sandbox.stub())
    c = options.canaries
    return "%x %x %x %x %x %x %s %d %d %d %u %s %s %d" % (
        *place, options.platform, c.victim.pid, sandbox.roles()["picket-sentry"][0], c.tcp.getsockname()[1], c.key, c.secret,
        c.name, options.scale)


# ---- Attacks from inside -------------------------------------------------------------------------------------------------------
def refuse_namespaces():
    """As some hosts do: unshare is EPERM for this process and its children, by a seccomp filter."""
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, 272), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)]
    array = b"".join(struct.pack("HBBI", *row) for row in code)
    keep = ctypes.create_string_buffer(array)
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(keep)))
    libc = ctypes.CDLL(None)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program):
        raise Failed("no filter against namespaces")


def run_guest(report, path):
    """Runs one program of attacks; reports each of them, and the program as a whole. The program itself tries again what it
    could not judge."""
    name = os.path.basename(path)
    sandbox = Sandbox(path, *options.attack)
    posture, lines, done = None, [], False
    try:
        expect(sandbox.line(60) == "ready", "the program did not start: %s" % sandbox.stderr())
        posture = Posture(sandbox.pid, 0.001 if "A08" in name else 0.02)  # from the first guest instruction on
        sandbox.send(host_line(sandbox))
        while not done and (line := sandbox.line(400)) is not None:  # longer than the attempts of one attack take
            lines.append(line)
            match = re.match(r"(ok|FAIL|UNJUDGED|skip) ([\w]+):?\s?(.*)", line)
            if match:
                why = " | ".join([match[3]] + [l for l in lines[-6:-1] if re.match("escaped|failed|unjudged|info", l)])
                report(match[1], match[2], why if match[1] != "ok" else "")
            done = line == "done"
        status = sandbox.end()
        expect(done and status in (0, 1), "the sandbox ended with %s before its program: %s" % (status, sandbox.stderr()))
        seen = posture.stop()
        options.canaries.check()
        report("ok", name + "_outside", "%d host tasks seen" % seen)
    except Unjudged as e:
        report("UNJUDGED", name + "_outside", str(e))
    except (Failed, OSError, ValueError) as e:
        report("FAIL", name + "_outside", str(e))
    finally:
        if posture:
            posture.over.set()
        sandbox.kill()


# ---- The host's view: posture ---------------------------------------------------------------------------------------------------
IDLE = ("sh", "-c", "echo ready; sleep 1000 & read x; kill $!")


def idle_sandbox(**kw):
    sandbox = Sandbox(*IDLE, **kw)
    expect(sandbox.line() == "ready", "no start: " + sandbox.stderr())
    try:
        # Its shell and sleep(1), the first stub, and two that are made ahead.
        until(lambda: len(sandbox.roles()["picket-stub"]) >= 5, "the sandbox is at rest")
        before = None
        while (now := tree(sandbox.pid)) != before:
            before = now
            time.sleep(0.15)
        return sandbox
    except Unjudged:
        sandbox.kill()
        raise


def fd_classes(pid):
    """{number: what it is}; none of a process that does not let its user look (the gofer, for an ordinary user)."""
    found = {}
    try:
        numbers = os.listdir("/proc/%d/fd" % pid)
    except PermissionError:
        return found
    for fd in numbers:
        try:
            found[int(fd)] = os.readlink("/proc/%d/fd/%s" % (pid, fd))
        except OSError:
            pass
    return found


def host_A31_privileges():
    """No capability in any set (the gofer: file access alone), no_new_privs, a filter on every thread, no core file."""
    sandbox = idle_sandbox()
    try:
        roles = sandbox.roles()
        expect(roles["picket-sentry"] and roles["picket-gofer"] and len(roles["picket-stub"]) >= 3, "roles: %r" % dict(roles))
        file_caps = sum(1 << c for c in (0, 1, 2, 3, 4))  # CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID
        for name, pids in roles.items():
            for pid in pids:
                for tid in tasks_of(pid):
                    status = status_of(pid, tid)
                    may = file_caps if name == "picket-gofer" else 0
                    for field in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                        expect(int(status[field], 16) & ~may == 0, "%s has %s %s" % (name, field, status[field]))
                    expect(status["CapBnd"] == "0" * 16 or os.geteuid() != 0, "%s: CapBnd %s" % (name, status["CapBnd"]))
                    expect(status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", "%s: %r" % (name, status))
                limits = read("/proc/%d/limits" % pid)
                expect(re.search(r"Max core file size\s+0\s+0", limits), "%s may write core files" % name)
    finally:
        sandbox.kill()


def host_A31_filters_equal():
    """All threads of a process have the same number of filters: none was started before they were loaded."""
    sandbox = idle_sandbox()
    try:
        for name, pids in sandbox.roles().items():
            for pid in pids:
                counts = {status_of(pid, tid).get("Seccomp_filters") for tid in tasks_of(pid)}
                expect(len(counts) == 1, "%s: numbers of filters differ: %r" % (name, counts))
    finally:
        sandbox.kill()


def host_A31_descriptors():
    """Sentry: no directory, no terminal it was not given, nothing inherited. Stubs: at most the channel and a file."""
    sandbox = idle_sandbox()
    try:
        roles = sandbox.roles()
        for pid in roles["picket-stub"]:
            fds = fd_classes(pid)
            allowed = {fd for fd in fds if fd % 4 == 3} if options.platform == "seccomp" else {0, 1}
            expect(set(fds) <= allowed, "a stub has descriptors %r" % fds)
        secret = os.readlink("/proc/self/fd/%d" % options.canaries.leak.fileno())
        for name, pids in roles.items():
            for pid in pids:
                fds = fd_classes(pid)
                expect(secret not in fds.values(), "%s has inherited a descriptor of its caller: %r" % (name, fds))
                if name == "picket-sentry":
                    dirs = [fd for fd in fds if os.path.isdir("/proc/%d/fd/%d" % (pid, fd))]
                    expect(not dirs, "the sentry has directories: %r" % {fd: fds[fd] for fd in dirs})
    finally:
        sandbox.kill()


def in_terminal(command, **kw):
    """Text that a command says inside, with a terminal of its own."""
    master, slave = pty.openpty()
    process = subprocess.Popen([options.picket, "do", "--platform=" + options.platform, "--", *command], cwd="/", stdin=slave,
                               stdout=slave, stderr=slave, start_new_session=True, **kw)
    os.close(slave)
    text, end = b"", time.monotonic() + 30 * options.scale
    try:
        while time.monotonic() < end:
            if select.select([master], [], [], 0.2)[0]:
                try:
                    data = os.read(master, 4096)
                except OSError:
                    data = b""
                if not data:
                    return text.decode(errors="replace")
                text += data
        raise Unjudged("nothing more after %r" % text[-200:])
    finally:
        os.close(master)
        process.kill()
        process.wait()


def host_A37_terminal():
    """A program on the caller's terminal cannot type into it, nor reach the console."""
    for request in ("TIOCSTI", "TIOCLINUX"):
        text = in_terminal(["python3", "-c", "import fcntl, termios\ntry: fcntl.ioctl(0, termios.%s, b'x'); print('granted')\n"
                        "except OSError as e: print('refused', e.errno)" % request])
        expect("refused" in text, "%s: %r" % (request, text[-300:]))


def host_A31_gofer_cage():
    """The gofer, as seen from outside: in an empty root where that is allowed, and closed to others of its user."""
    sandbox = idle_sandbox()
    try:
        if os.geteuid() == 0:
            pid = sandbox.roles()["picket-gofer"][0]
            root = os.readlink("/proc/%d/root" % pid)
            expect(root != "/", "the gofer has the host's root")
    finally:
        sandbox.kill()
    folder = tempfile.mkdtemp(prefix="picket-user-")  # for an ordinary user, who may not read where it was built
    try:
        os.chmod(folder, 0o755)
        mine = shutil.copy2(options.picket, folder)
        os.chmod(mine, 0o755)
        user = [] if os.geteuid() else ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        if user and not shutil.which("setpriv"):
            raise Skipped("setpriv(1) is missing")
        process = subprocess.Popen([*user, mine, "do", "--platform=" + options.platform, "--", "sh", "-c", "echo ready; read x"],
                                   cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            expect(process.stdout.readline() == b"ready\n", "no start as an ordinary user")
            pid = by_role(process.pid)["picket-gofer"][0]
            owner = os.stat("/proc/%d/maps" % pid).st_uid  # root's: its user may not look, nor trace
            expect(owner == 0, "the gofer can be traced and read by its user (its files in /proc are %d's)" % owner)
        finally:
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(folder)


def host_A36_signal_state():
    """A stub handles what it must, blocks nothing while guest code runs, and has no controlling terminal."""
    sandbox = idle_sandbox()
    try:
        for pid in sandbox.roles()["picket-stub"]:
            status = status_of(pid, pid)
            if options.platform == "seccomp":
                need = sum(1 << s - 1 for s in (signal.SIGSYS, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL,
                                                signal.SIGTRAP, 63))
                expect(int(status["SigCgt"], 16) == need, "caught signals %s" % status["SigCgt"])
            expect(int(status["SigIgn"], 16) == 0, "ignored signals %s" % status["SigIgn"])
            rest = read("/proc/%d/stat" % pid).rsplit(")", 1)[1].split()
            expect(rest[4] == "0", "a stub has a controlling terminal")
    finally:
        sandbox.kill()


def host_A19_stub_memory():
    """A stub's memory: the stub, vdso, what the guest mapped; nothing of the sentry's, no secret of the caller's."""
    sandbox = idle_sandbox()
    try:
        sentry = sandbox.roles()["picket-sentry"][0]
        theirs = {m[3] for m in maps_of(sentry) if m[3].startswith("/")} - {""}
        pages = [(a, b) for a, b, p, n in maps_of(sentry) if n in ("[heap]", "[stack]")]
        for pid in sandbox.roles()["picket-stub"]:
            maps = maps_of(pid)
            names = {m[3] for m in maps}
            expect(options.picket not in names and "[heap]" not in names and "[stack]" not in names,
                   "a stub has mappings of the sentry: %r" % (names & (theirs | {"[heap]", "[stack]"})))
            with open("/proc/%d/mem" % pid, "rb", buffering=0) as mem:
                for start, end, permissions, name in maps:
                    if name in ("[vvar]", "[vvar_vclock]", "[vsyscall]") or permissions[0] != "r" or end - start > 1 << 28:
                        continue
                    try:
                        mem.seek(start)
                        data = mem.read(end - start)
                    except (OSError, OverflowError, ValueError):
                        continue
                    for what, text in (("the caller's secret", options.canaries.secret), ("the caller's variable", "PICKET_CANARY")):
                        expect(text.encode() not in data, "%s lies in a stub at %#x %s" % (what, start, name))
        expect(pages, "the sentry's maps could not be read")
    finally:
        sandbox.kill()


def host_A19_pool_stub():
    """A clean stub of the pool has blob, slots and vdso mapped, and nothing else."""
    if options.platform != "seccomp":
        raise Skipped("the pool of the seccomp platform")
    sandbox = idle_sandbox()
    try:
        time.sleep(0.2)
        small = min((maps_of(p) for p in sandbox.roles()["picket-stub"]), key=len)
        place = place_of(sandbox.stub())
        rest = [m for m in small if not (place[0] <= m[0] < place[3]) and not m[3].startswith("[v")]
        expect(not rest, "more than the stub is mapped: %r" % rest)
    finally:
        sandbox.kill()


def host_A37_guest_descriptors():
    """The guest has its stdio and no descriptor besides, and no variable of its caller's."""
    sandbox = Sandbox("sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; echo; env; cat /proc/*/environ | tr '\\0' '\\n'; echo end")
    lines = []
    while (line := sandbox.line()) not in (None, "end"):
        lines.append(line)
    sandbox.end()
    expect(lines and lines[0].split() in (["0", "1", "2", "3"], ["0", "1", "2"]), "descriptors: %r" % lines[:1])
    expect(not any(options.canaries.secret in l or "PICKET_CANARY" in l for l in lines), "the caller's environment is inside")


def host_A36_identity():
    """/proc, /sys and uname tell nothing of the host: its kernel, boot, uptime, processes."""
    files = ("version cmdline cpuinfo meminfo mounts uptime stat loadavg self/status self/stat self/mountinfo self/cgroup "
             "sys/kernel/hostname sys/kernel/osrelease sys/kernel/version sys/kernel/random/boot_id self/environ self/maps "
             "kallsyms modules iomem ioports keys timer_list sched_debug kcore net/tcp net/unix net/route partitions "
             "1/status 1/cmdline sysvipc/shm").split()
    script = "uname -a; for f in %s; do echo \"== $f\"; head -c 20000 /proc/$f 2>/dev/null; echo; done; ls /proc; ls -R /sys; echo end" % (
        " ".join(files))
    sandbox = Sandbox("sh", "-c", script)
    text = []
    while (line := sandbox.line()) not in (None, "end"):
        text.append(line)
    roles_before = os.uname()
    sandbox.end()
    whole = "\n".join(text)
    expect(len(text) > 50, "nothing was printed: %s" % sandbox.stderr())
    secrets_ = {"kernel release": roles_before.release, "kernel version": roles_before.version,
                "boot id": read("/proc/sys/kernel/random/boot_id").strip(), "caller's secret": options.canaries.secret,
                "socket": options.canaries.name}
    try:
        secrets_["kernel command line"] = read("/proc/cmdline").strip()
    except OSError:
        pass
    for what, value in secrets_.items():
        expect(len(value) < 4 or value not in whole, "the guest sees the host's %s: %r" % (what, value))
    sections = dict(re.findall(r"^== (\S+)\n(.*?)(?=^== |\Z)", whole, re.M | re.S))
    host = float(read("/proc/uptime").split()[0])
    if sections.get("uptime", "").strip() and host > 300:
        expect(float(sections["uptime"].split()[0]) < host - 200, "the host's uptime")
    for name in ("kallsyms", "kcore", "iomem", "keys"):
        expect(not sections.get(name, "").strip(), "/proc/%s has content" % name)
    expect(str(options.canaries.victim.pid) not in re.findall(r"^\d+$", whole, re.M), "host processes are listed")
    expect(os.uname().nodename not in text[0].split()[1:2], "the host's name")


def host_A38_two_sandboxes_differ():
    """Places of the stub and of the guest's own memory are drawn anew for each sandbox."""
    places, stacks = set(), set()
    for _ in range(4):
        sandbox = idle_sandbox()
        try:
            places.add(place_of(sandbox.stub())[0])
            stub = max(sandbox.roles()["picket-stub"], key=lambda p: len(maps_of(p)))
            stacks.add(tuple(m[0] for m in maps_of(stub) if m[3].startswith("/"))[:3])
        finally:
            sandbox.kill()
    expect(len(places) == 4, "stubs of 4 sandboxes lie at %r" % places)
    expect(len(stacks) == 4, "programs of 4 sandboxes lie at the same places")


def host_A44_killed_parts():
    """SIGKILL to a stub, the gofer, the sentry: the rest follows, or lives on as it must; nothing is left over."""
    for role in ("picket-stub", "picket-gofer", "picket-sentry"):
        sandbox = idle_sandbox()
        try:
            below = [(p, start_of(p)) for p in tree(sandbox.pid)]
            os.kill(max(sandbox.roles()[role]), signal.SIGKILL)
            if role != "picket-stub":
                time.sleep(0.1)
            sandbox.kill()
            end = time.monotonic() + 20 * options.scale
            while time.monotonic() < end and any(alive(*p) for p in below):
                time.sleep(0.02)
            expect(not any(alive(*p) for p in below), "left over after the death of %s" % role)
        finally:
            sandbox.kill()


def dies_with(sandbox, doomed, what):
    """All of these are gone soon."""
    end = time.monotonic() + 20 * options.scale
    while time.monotonic() < end and any(alive(*p) for p in doomed):
        time.sleep(0.02)
    left = [p for p, start in doomed if alive(p, start)]
    expect(not left, "left over after %s: %r" % (what, left))


def host_A44_spinning_stub():
    """Guest code that makes no call ends with its sentry all the same."""
    sandbox = Sandbox("sh", "-c", "echo ready; while :; do :; done")
    try:
        expect(sandbox.line() == "ready", "no start: " + sandbox.stderr())
        stubs = [(p, start_of(p)) for p in sandbox.roles()["picket-stub"]]
        os.kill(sandbox.roles()["picket-sentry"][0], signal.SIGKILL)
        dies_with(sandbox, stubs, "the sentry's death")
    finally:
        sandbox.kill()


def host_A44_stopped_parts():
    """When the command line is killed, sentry and gofer die with it, whatever they do or wait for: here they are stopped."""
    for role in ("picket-sentry", "picket-gofer"):
        sandbox = idle_sandbox()
        try:
            pid = sandbox.roles()[role][0]
            doomed = [(pid, start_of(pid))]
            os.kill(pid, signal.SIGSTOP)
            sandbox.kill()
            dies_with(sandbox, doomed, "the death of the command line")
        finally:
            for pid, start in doomed:
                if alive(pid, start):
                    os.kill(pid, signal.SIGKILL)
            sandbox.kill()


def start_of(pid):
    """When it started: with its number, a name that is never given again."""
    try:
        return read("/proc/%s/stat" % pid).rsplit(")", 1)[1].split()[19]
    except OSError:
        return None


def alive(pid, start):
    try:
        return stat_of(pid)[1] not in "ZX" and start_of(pid) == start
    except (OSError, ValueError):
        return False


# ---- The host's view: which calls reach the kernel ----------------------------------------------------------------------------------
def gate_rows():
    """{call: reason} of platform/stub/gate_calls.def for this platform."""
    rows = re.findall(r'^GATE_CALL\((\w+), (\w+), "([^"]*)"\)', read(ROOT + "/platform/stub/gate_calls.def"), re.M)
    expect(rows, "no rows in gate_calls.def")
    return {name: why for name, when, why in rows if when in ("ALWAYS", "EXEMPT", options.platform.upper())}


def call_numbers():
    rows = re.findall(r"^SYSCALL\((\d+), *(\w+)", read(ROOT + "/abi/syscalls.def"), re.M)
    return {int(nr): name for nr, name in rows}


def drive(sandbox):
    expect(sandbox.line(60) == "ready", "no start: " + sandbox.stderr())
    sandbox.send(host_line(sandbox))
    lines = []
    while (line := sandbox.line(30)) is not None:
        lines.append(line)
    sandbox.end()
    finished(lines, sandbox)
    return lines


def finished(lines, sandbox):
    if lines and lines[-1].startswith("unjudged: "):
        raise Unjudged(lines[-1])
    expect(lines and lines[-1] == "done", "the guest did not finish: %r %s" % (lines[-3:], sandbox.stderr()))


class Tracing:
    """A trace instance of the host kernel that records the calls of a process and its descendants. The event comes after
    seccomp and ptrace have let a call pass, so exactly what the host really executes is in it."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Skipped("needs root (tracefs)")
        self.mounted = None if os.path.exists("/sys/kernel/tracing/events") else self.mount()
        root = self.mounted or "/sys/kernel/tracing"
        self.path = "%s/instances/picket-%d" % (root, os.getpid())
        try:
            if not os.path.exists(root + "/events/raw_syscalls/sys_enter"):
                raise Skipped("the host has no raw_syscalls events in tracefs")
            os.mkdir(self.path)
        except (Skipped, OSError) as e:
            self.unmount()
            raise e if isinstance(e, Skipped) else Skipped("no trace instance: %s" % e)
        self.write("buffer_size_kb", "32768")
        self.write("trace_clock", "global")  # one order of events on all CPUs
        self.write("options/event-fork", "1")
        for event in ("fork", "exit"):
            self.write("events/sched/sched_process_%s/enable" % event, "1")
        self.write("events/raw_syscalls/sys_enter/filter", 'comm == "picket-stub"')
        self.write("events/raw_syscalls/sys_enter/enable", "1")

    @staticmethod
    def mount():
        """A tracefs of our own, on hosts that have it nowhere. Its path."""
        folder = tempfile.mkdtemp(prefix="picket-tracefs-")
        done = subprocess.run(["mount", "-t", "tracefs", "tracefs", folder], capture_output=True, text=True)
        if done.returncode:
            os.rmdir(folder)
            raise Skipped("no tracefs: %s" % done.stderr.strip())
        return folder

    def unmount(self):
        if self.mounted:
            subprocess.run(["umount", self.mounted], check=True)
            os.rmdir(self.mounted)

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w") as f:
            f.write(text)

    def calls(self, root):
        """{tid: [(number, arguments), ...]} in order, of the descendants of `root`."""
        for cpu in os.listdir(self.path + "/per_cpu"):
            if re.search(r"^(overrun|dropped events): [1-9]", read("%s/per_cpu/%s/stats" % (self.path, cpu)), re.M):
                raise Unjudged("the trace buffer was too small")
        found, ours = collections.defaultdict(list), {root}
        # In one pass: a number that is free again may be taken by a stranger before the kernel has forgotten it here.
        for line in read(self.path + "/trace").splitlines():
            if fork := re.match(r"\s*.*: sched_process_fork: comm=.* pid=(\d+) child_comm=.* child_pid=(\d+)", line):
                if int(fork[1]) in ours:
                    ours.add(int(fork[2]))
            elif exit_ := re.match(r"\s*.*: sched_process_exit: comm=.* pid=(\d+) ", line):
                ours.discard(int(exit_[1]))
            elif call := re.match(r"\s*.*-(\d+)\s+\[\d+\].*: sys_enter: NR (-?\d+) \(([^)]*)\)", line):
                if int(call[1]) in ours:
                    found[int(call[1])].append((int(call[2]), [int(a, 16) for a in call[3].split(", ")]))
        return found

    def close(self):
        self.write("events/raw_syscalls/sys_enter/enable", "0")
        for event in ("fork", "exit"):
            self.write("events/sched/sched_process_%s/enable" % event, "0")
        os.rmdir(self.path)
        self.unmount()


def traced_calls(command, driver):
    tracing = Tracing()
    try:
        gate_r, gate_w = os.pipe()
        sandbox = Sandbox(*command, wrap=["sh", "-c", 'read x <&%d; exec "$@"' % gate_r, "sh"], fds=(gate_r,))
        tracing.write("set_event_pid", str(sandbox.pid))
        os.write(gate_w, b"go\n")
        late = None
        try:
            driver(sandbox)
        except Unjudged as e:
            late = e  # what has been seen until then counts all the same
        finally:
            sandbox.kill()
            os.close(gate_r)
            os.close(gate_w)
        time.sleep(0.1)
        return tracing.calls(sandbox.pid), late
    finally:
        tracing.close()


def bad_arguments(nr, args):
    """What the arguments of an approved call must be, whatever the guest has made of the stub's memory."""
    if nr == 56:  # clone: platform/seccomp/clone.c, platform/ptrace/pt.h; never CLONE_UNTRACED or a namespace
        good = {0x8000, 0x8100, 0x50f00} if options.platform == "seccomp" else {0xa011, 0xa111, 0x52f00}
        return args[0] not in good
    if nr == 157:  # prctl: PR_SET_PDEATHSIG, SIGKILL; PR_SET_SYSCALL_USER_DISPATCH, on
        return args[:2] not in ([1, 9], [59, 1])
    if nr == 9:  # mmap: a file only from a number meant for that
        fd = args[4] & 0xffffffff
        if args[3] == 0x4032 and options.platform == "seccomp" and (~fd & 0xffffffff) & ~0x24000 == 0x22:
            return False  # a proposal, with the guest's flags: platform/stub/layout.h
        return fd != 0xffffffff and (not 3 <= fd < 3 + 16384 if options.platform == "seccomp" else fd != 1)
    return False


def witness(arguments, least):
    numbers, rows = call_numbers(), gate_rows()
    calls, late = traced_calls([os.path.join(options.guests, "W_all_calls"), *arguments], drive)
    used, wrong = collections.Counter(), collections.Counter()
    for tid, made in calls.items():
        booted = [i for i, (nr, _) in enumerate(made) if nr == 317]
        if booted:  # the first stub: what it did before seccomp(2) put the filter in force is set-up
            made = made[booted[-1] + 1:]
        for nr, args in made:
            used[nr] += 1
            if numbers.get(nr) not in rows:
                wrong[numbers.get(nr, nr)] += 1
            elif bad_arguments(nr, args):
                wrong["%s(%s)" % (numbers[nr], ", ".join("%#x" % a for a in args))] += 1
    expect(not wrong, "host calls of stubs that nobody ordered: %r" % wrong.most_common(6))
    if late:
        raise late
    expect(sum(used.values()) > least, "the witness saw only %r" % used)
    unused = sorted(set(rows) - {numbers.get(nr) for nr in used})
    return "%d calls of %d threads: %s%s" % (sum(used.values()), len(calls), ", ".join(
        "%s %d" % (numbers[nr], n) for nr, n in used.most_common()), "; never seen: " + " ".join(unused) if unused else "")


def host_W_kernel_trace():
    """What the host kernel executes of all that stubs do: rt_sigreturn and gate calls, each by a row with a reason."""
    return witness([], 500)


def host_W_kernel_trace_of_forgery():
    """The same while a guest overwrites the orders in its stub's memory, to have other calls made."""
    return witness(["forgery"], 100)


def strace_lines(folder):
    """(tid, ip, name, result) of every call that strace saw, and the process names."""
    for name in sorted(os.listdir(folder), key=lambda n: int(n.rsplit(".", 1)[1])):
        tid = int(name.rsplit(".", 1)[1])
        for line in read(os.path.join(folder, name)).splitlines():
            match = re.match(r"\[([0-9a-f?]+)\] (\w+)\((.*)$", line)
            if match and match[1][0] != "?":
                result = re.search(r"= (-?\d+|0x[0-9a-f]+|\?)[^=]*$", match[3])
                yield tid, int(match[1], 16), match[2], result[1] if result else "?", line


def ended_by_filter(folder, tid):
    last = next((name for name in os.listdir(folder) if name.endswith(".%d" % tid)), None)
    return last and "+++ killed by SIGSYS" in read(os.path.join(folder, last))


def host_W_strace():
    """strace of the whole sandbox, with instruction pointers. strace stands before the filter and so sees the guest's calls
    too; these never have the stub's two addresses. From those two: rt_sigreturn, and events and calls of the gate. And what a
    guest's own call gives is the sentry's answer: numbers of processes inside, never those of the host."""
    if options.platform != "seccomp":
        raise Skipped("a traced stub cannot be traced twice; the kernel trace is the witness there")
    if not shutil.which("strace"):
        raise Skipped("strace(1) is missing")
    rows = gate_rows()
    folder = tempfile.mkdtemp(prefix="picket-strace-")
    os.chmod(folder, 0o777)
    try:
        sandbox = Sandbox(os.path.join(options.guests, "W_all_calls"), "short",
                          wrap=["strace", "-ff", "-i", "-qq", "-s0", "-o", folder + "/t"])
        place = None
        expect(sandbox.line(60) == "ready", "no start: " + sandbox.stderr())
        place = place_of(sandbox.stub())
        stubs_seen = set(sandbox.roles()["picket-stub"])
        drive_rest(sandbox)
        gate, sigreturn, wrong, used = place[4] + 2, place[5] + 2, [], collections.Counter()
        host_pids = {int(n.rsplit(".", 1)[1]) for n in os.listdir(folder)}
        guests, filtered = set(stubs_seen), {}
        lines = list(strace_lines(folder))
        # By their filter, which strace shows as a call that gave its own number.
        last_of = {tid: line for tid, ip, call, result, line in lines if ended_by_filter(folder, tid)}
        for tid, ip, call, result, line in lines:
            if place[0] < ip <= place[1]:
                guests.add(tid)
        for tid, ip, call, result, line in lines:
            if tid not in guests:
                continue
            if call == "seccomp":
                filtered[tid] = True
                continue
            if tid == min(stubs_seen) and tid not in filtered:
                continue
            if ip == sigreturn:
                if call != "rt_sigreturn":
                    wrong.append(line)
                used["rt_sigreturn"] += 1
            elif ip == gate and (result == "?" and call != "exit" or line == last_of.get(tid)):
                used["refused"] += 1  # the process ended in it
            elif ip == gate:
                event = re.match(r"syscall_(0x[0-9a-f]+)$", call)
                if event and int(event[1], 16) & EV_MASK != EV_TAG or not event and call not in rows:
                    wrong.append(line)
                used[call if not event else "event"] += 1
            elif place[0] < ip <= place[1]:
                wrong.append(line)
            elif call in ("getpid", "gettid", "getppid", "clone", "fork", "vfork") and result.lstrip("-").isdigit():
                if int(result) in host_pids:
                    wrong.append("answered by the host: " + line)
                used["guest"] += 1
            else:
                used["guest"] += 1
        expect(not wrong, "host calls of stubs: %r" % wrong[:5])
        expect(used["rt_sigreturn"] > 10 and used["event"] > 10 and used["guest"] > 100, "strace saw only %r" % used)
        return ", ".join("%s %d" % row for row in used.most_common())
    finally:
        shutil.rmtree(folder)


def drive_rest(sandbox):
    sandbox.send(host_line(sandbox))
    lines = []
    while (line := sandbox.line(30)) is not None:
        lines.append(line)
    sandbox.end()
    finished(lines, sandbox)


# ---- Running all of it -----------------------------------------------------------------------------------------------------------
class Enough(Exception):
    """--stop-at-first, and something failed."""


class Report:
    def __init__(self):
        self.counts = collections.Counter()

    def __call__(self, word, name, detail=""):
        self.counts[word] += 1
        print("%-8s %-32s %s" % (word, name, detail), flush=True)
        if word == "FAIL" and options.stop_at_first:
            raise Enough()


def run_host_test(report, name, test):
    scale = options.scale
    for attempt in range(1, ATTEMPTS + 1):
        options.scale = scale * attempt
        try:
            return judge_host_test(report, name, test)
        except Unjudged as e:
            why = str(e)
        finally:
            options.scale = scale
    report("UNJUDGED", name, why[:1500])


def judge_host_test(report, name, test):
    started = time.monotonic()
    try:
        detail = test()
        options.canaries.check()
        report("ok", name, "%5.1f s%s" % (time.monotonic() - started, "  " + detail if detail else ""))
    except Skipped as e:
        report("skip", name, "skipped: %s" % e)
    except (Failed, OSError, ValueError, IndexError, KeyError) as e:
        report("FAIL", name, "%s: %s" % (type(e).__name__, str(e)[:1500]))


def rest():
    """All processes of all sandboxes come to us, their subreaper, when their parents have ended."""
    return {p: name for p, name in tree(os.getpid()).items() if p != options.canaries.victim.pid}


def end_rest():
    for pid in rest():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass


def look_for_rest(report):
    try:
        until(lambda: not rest(), "all processes have ended")
    except Unjudged:
        left = rest()
        end_rest()
        report("FAIL", "left_over", "processes: %r" % left)


def main():
    global options
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--guests", required=True, help="directory of the built attack programs")
    parser.add_argument("--platform", default="seccomp")
    parser.add_argument("--filter", default=".", help="only programs and host tests whose name matches; PROGRAM/ATTACK: "
                        "of the programs, only attacks with that in their name")
    parser.add_argument("--bare", action="store_true", help="as on a host that refuses namespaces")
    parser.add_argument("--stop-at-first", action="store_true", help="end at the first failure")
    parser.add_argument("--stderr-bytes", type=int, default=1500, help="how much of a sandbox's stderr a failure shows")
    parser.add_argument("--timeout-scale", dest="scale", type=int, default=1)
    options = parser.parse_args()
    options.picket, options.guests = os.path.realpath(options.picket), os.path.realpath(options.guests)
    options.filter, *options.attack = options.filter.split("/", 1)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)  # so that it has to be taken away
    options.canaries = Canaries()
    if options.bare:
        refuse_namespaces()
    report = Report()
    try:
        for name in sorted(os.listdir(options.guests)):
            if name.startswith("A") and re.search(options.filter, name):
                run_guest(report, os.path.join(options.guests, name))
        for name, test in inspect.getmembers(sys.modules[__name__], inspect.isfunction):
            if name.startswith("host_") and name != "host_line" and re.search(options.filter, name):
                run_host_test(report, name[5:], test)
        look_for_rest(report)
    except Enough:
        end_rest()
    finally:
        options.canaries.close()
    print("%d passed, %d failed, %d skipped" % (
        report.counts["ok"], report.counts["FAIL"] + report.counts["UNJUDGED"], report.counts["skip"]))
    sys.exit(1 if report.counts["FAIL"] + report.counts["UNJUDGED"] else 0)


if __name__ == "__main__":
    main()
