# SPDX-License-Identifier: Apache-2.0
"""What the tests of Picket as an OCI runtime share: bundles, calls, a client's side of terminals, and the look for leftovers."""
import argparse
import array
import contextlib
import errno
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time

from processes import children, proc_name


class At:
    """Of this run."""
    picket, platform, scale = "", "seccomp", 1.0
    base = ""  # a folder for rootfs and all that tests make
    root = ""  # --root


at = At()


def options(nasty=False):
    """Of a program of tests; `at` is set by them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--picket", required=True)
    parser.add_argument("--platform", default="seccomp")
    parser.add_argument("--timeout-scale", type=float, default=1.0)
    parser.add_argument("--filter", default=".")
    if nasty:
        parser.add_argument("--nasty", required=True)
    found = parser.parse_args()
    at.picket, at.platform, at.scale = os.path.abspath(found.picket), found.platform, found.timeout_scale
    at.nasty = found.nasty if nasty else None
    return found


SHELLS = ("sh ls cat echo true false sleep id touch mkdir rm kill hostname pwd tty stty env test dd mount chmod chown ln "
          "readlink stat wc head nproc dnsdomainname ps nc grep df tail awk tr whoami tee").split()
CAPS = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"]
NUMBER = [0]


def expect(ok, what):
    if not ok:
        raise AssertionError(what)


def picket(*args, status=0, **kw):
    kw.setdefault("stdin", subprocess.DEVNULL)
    log = kw.pop("log", None)
    options = ["--root", kw.pop("root", at.root), "--platform", at.platform] + (["--log", log, "--log-format", "json"] if log else [])
    done = subprocess.run([at.picket, *options, *args], capture_output=True, text=True, timeout=40 * at.scale, cwd=kw.pop("cwd", at.base),
                          **kw)
    expect(status is None or done.returncode == status,
           "%s: exit %d, not %s: %s%s" % (" ".join(args), done.returncode, status, done.stdout, done.stderr))
    return done


def refused(*args, words=(), status=1, **kw):
    """One line on stderr with these words."""
    done = picket(*args, status=status, **kw)
    lines = done.stderr.strip().splitlines()
    expect(len(lines) == 1, "not one line: %r" % done.stderr)
    for word in words:
        expect(word in lines[0], "no %r in %r" % (word, lines[0]))
    return done


class Bundle:
    """A bundle with the root file system that all share, or one of its own, and a container's id."""

    def __init__(self, *args, own_root=False, **process):
        NUMBER[0] += 1
        self.id = "pt-%d-%d" % (os.getpid(), NUMBER[0])
        self.dir = os.path.join(at.base, self.id)
        os.mkdir(self.dir)
        self.rootfs = os.path.join(at.base, "rootfs")
        if own_root:
            self.rootfs = os.path.join(self.dir, "rootfs")
            make_rootfs(self.rootfs)
        self.config = {
            "ociVersion": "1.2.0",
            "process": {"user": {"uid": 0, "gid": 0}, "args": list(args), "cwd": "/", "env": ["PATH=/bin", "HOME=/"],
                        "capabilities": {name: CAPS for name in ("bounding", "effective", "permitted")}, **process},
            "root": {"path": self.rootfs},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                       {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                       {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["gid=5", "mode=0620"]}],
            "linux": {"namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")]},
        }
        self.out = os.path.join(self.dir, "out")

    @property
    def process(self):
        return self.config["process"]

    def mount(self, destination, kind, source="none", *options):
        self.config["mounts"].append({"destination": destination, "type": kind, "source": source, "options": list(options)})

    def write(self, text=None):
        with open(os.path.join(self.dir, "config.json"), "w") as f:
            f.write(json.dumps(self.config) if text is None else text)

    def run(self, status=0, options=(), **kw):
        """picket run in the foreground; what it printed."""
        self.write()
        return picket("run", "--bundle", self.dir, *options, self.id, status=status, **kw)

    def create(self, *options, status=0, before=()):
        """picket create, as conmon does it: the program's stdout is a file, the pid file is read."""
        self.write()
        pid_file = os.path.join(self.dir, "pid")
        with open(self.out, "w") as out, open(self.out + ".err", "w") as err:
            done = subprocess.run([at.picket, "--root", at.root, "--platform", at.platform, *before, "create", "--bundle", self.dir,
                                   "--pid-file", pid_file, *options, self.id], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                  timeout=40 * at.scale, cwd=at.base)
        expect(done.returncode == status, "create: exit %d: %s" % (done.returncode, open(self.out + ".err").read()))
        if status == 0:
            self.pid = int(open(pid_file).read())
        return self

    def start(self):
        picket("start", self.id)
        return self

    def output(self, until=None):
        """What the program has printed; with a word: waits for it."""
        limit = time.monotonic() + 20 * at.scale
        while True:
            text = open(self.out).read()
            if until is None or until in text or time.monotonic() > limit:
                return text
            time.sleep(0.02)

    def state(self):
        return json.loads(picket("state", self.id).stdout)

    def status(self):
        return self.state()["status"]

    def end(self):
        """The wait status of the init, which is our child: we are the subreaper."""
        return reap(self.pid)

    def kill(self, sig="KILL"):
        picket("kill", self.id, str(sig))
        return self.end()

    def delete(self, *options):
        picket("delete", *options, self.id)


def reap(pid):
    limit = time.monotonic() + 20 * at.scale
    while time.monotonic() < limit:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(0.01)
    raise AssertionError("process %d does not end" % pid)


FOREVER = ("sh", "-c", "echo up; while :; do sleep 1; done")


@contextlib.contextmanager
def running(*args, **kw):
    b = Bundle(*(args or FOREVER), **kw).create().start()
    b.output("up")
    try:
        yield b
    finally:
        picket("delete", "--force", b.id)
        with contextlib.suppress(ChildProcessError):
            reap(b.pid)


def make_rootfs(path):
    for name in ("bin", "etc", "tmp", "data", "proc", "dev", "sys"):
        os.makedirs(os.path.join(path, name))
    os.chmod(os.path.join(path, "tmp"), 0o1777)
    shutil.copy2(shutil.which("busybox"), os.path.join(path, "bin/busybox"))
    for name in SHELLS:
        os.symlink("busybox", os.path.join(path, "bin", name))
    with open(os.path.join(path, "etc/passwd"), "w") as f:
        f.write("root:x:0:0:root:/:/bin/sh\n")


def sh(text, **kw):
    return Bundle("sh", "-c", text, **kw)


class Console:
    """What conmon and the shim do: a socket on which the master comes."""

    def __init__(self, b, name="console.sock"):
        self.path = os.path.join(b.dir, name)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()

    def master(self):
        conn, _ = self.listener.accept()
        data, control, _, _ = conn.recvmsg(4096, socket.CMSG_SPACE(4))
        expect(len(control) == 1 and data.startswith(b"/dev/pts/"), (data, control))
        conn.close()
        self.listener.close()
        return array.array("i", control[0][2])[0]


UNREAD = {}


def read_until(fd, word, seconds=20):
    """What comes before the word stays unread for the next one."""
    got, limit = UNREAD.pop(fd, b""), time.monotonic() + seconds * at.scale
    while word not in got and time.monotonic() < limit:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                data = os.read(fd, 4096)
            except OSError:
                break
            if not data:
                break
            got += data
    expect(word in got, "no %r in %r" % (word, got))
    UNREAD[fd] = got.split(word, 1)[1]


def read_to_the_end(fd):
    """Until nobody has the other end any more; closes it. What came, with what read_until() has left."""
    got, limit = UNREAD.pop(fd, b""), time.monotonic() + 20 * at.scale
    try:
        while True:
            expect(select.select([fd], [], [], max(limit - time.monotonic(), 0))[0], "somebody still has the other end; %r came" % got)
            data = os.read(fd, 65536)
            if not data:
                return got
            got += data
    except OSError as e:
        expect(e.errno == errno.EIO, e)
        return got
    finally:
        os.close(fd)


def hang_up(fd):
    UNREAD.pop(fd, None)
    os.close(fd)


def exec_detached(b, process, *options):
    """As all clients do it; returns the pid of the exec's init, which is our child."""
    path, pid_file = b.dir + "/process.json", b.dir + "/exec.pid"
    json.dump(process, open(path, "w"))
    with open(b.dir + "/exec.out", "w") as out:
        done = subprocess.run([at.picket, "--root", at.root, "--platform", at.platform, "exec", "--process", path, "--detach", "--pid-file", pid_file,
                               *options, b.id], stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=40 * at.scale)
    expect(done.returncode == 0, open(b.dir + "/exec.out").read())
    return int(open(pid_file).read())


def has_freezer():
    return os.geteuid() == 0 and (os.path.exists("/sys/fs/cgroup/freezer") or os.path.exists("/sys/fs/cgroup/cgroup.controllers"))


# ---- Leftovers -------------------------------------------------------------------------------------------------------------
OURS = set()  # children that stay for the whole run


def left_children():
    for pid in children(os.getpid()):
        with contextlib.suppress(ChildProcessError):
            if pid not in OURS:
                os.waitpid(pid, os.WNOHANG)
    return [pid for pid in children(os.getpid()) if pid not in OURS]


def cgroups():
    found = []
    for hierarchy in [""] + (os.listdir("/sys/fs/cgroup") if os.path.isdir("/sys/fs/cgroup") else []):
        for place in ("", "picket"):
            path = os.path.join("/sys/fs/cgroup", hierarchy, place)
            if os.access(path, os.R_OK | os.X_OK):
                found += [os.path.join(path, n) for n in os.listdir(path) if n.startswith("pt-%d-" % os.getpid())]
    return found


def leftovers(mounts):
    """What a test has left behind, a moment later at the latest."""
    limit = time.monotonic() + 5 * at.scale
    while True:
        found = ["process %d %s" % (pid, proc_name(pid)) for pid in left_children()]
        found += ["in --root: " + name for name in os.listdir(at.root)] if os.path.isdir(at.root) else []
        found += ["mount: " + line for line in set(open("/proc/self/mountinfo").read().splitlines()) - mounts if at.base in line]
        found += ["cgroup " + path for path in cgroups()]
        if not found or time.monotonic() > limit:
            return found
        time.sleep(0.05)


def clean():
    for name in os.listdir(at.root) if os.path.isdir(at.root) else []:
        picket("delete", "--force", name, status=None)
    for pid in left_children():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    time.sleep(0.1)
    left_children()
    for path in cgroups():
        for folder, _, _ in os.walk(path, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
