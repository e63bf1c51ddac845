#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Podman of an ordinary user with Picket as its runtime: without a network, and with slirp4netns. Started by root, who makes a mount namespace
in which that user may open /dev/ptmx and /dev/net/tun, as on machines that people use; nobody's podman has one id alone (no /etc/subuid)."""
import ctypes
import http.server
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import runtime
from processes import descendants
from runtime import at, expect

IMAGE = "localhost/picket-test"
USER = 65534
LOOP = ("sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done")
CLONE_NEWNS = 0x20000


def as_user():
    os.setgroups([])
    os.setresgid(USER, USER, USER)
    os.setresuid(USER, USER, USER)


def podman(*args, status=0, **kw):
    kw.setdefault("stdin", subprocess.DEVNULL)
    command = ["podman", "--root", at.base + "/store", "--runroot", at.base + "/run", "--tmpdir", at.base + "/tmp", "--storage-driver", "vfs",
               "--cgroup-manager", "cgroupfs", "--runtime", at.base + "/picket", "--runtime-flag", "platform=" + at.platform, *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90 * at.scale, cwd=at.base, preexec_fn=as_user, env={
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": at.base + "/home", "XDG_RUNTIME_DIR": at.base + "/xdg",
        "CONTAINERS_CONF": at.base + "/containers.conf", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/none"}, **kw)
    expect(status is None or done.returncode == status, "%s: exit %d, not %s: %s%s" % (" ".join(args), done.returncode, status,
                                                                                     done.stdout, done.stderr))
    return done


def run(*args, options=("--network=none",), **kw):
    return podman("run", "--rm", *options, IMAGE, *args, **kw)


def until(what, seconds=30):
    limit = time.monotonic() + seconds * at.scale
    while not what():
        expect(time.monotonic() < limit, "it does not come to pass")
        time.sleep(0.1)


class Running:
    def __init__(self, *args, options=("--network=none",)):
        self.args, self.options = args or LOOP, options

    def __enter__(self):
        podman("run", "-d", "--name", "box", *self.options, IMAGE, *self.args)
        until(lambda: "up" in podman("logs", "box").stdout)

    def __exit__(self, *exc):
        podman("rm", "-f", "-t", "0", "box")


# ---- Without a network -----------------------------------------------------------------------------------------------------
def test_run():
    done = run("sh", "-c", "id -u; echo err >&2; exit 42", status=42)
    expect(done.stdout == "0\n" and "err\n" in done.stderr, done)
    expect(run("cat", options=["--network=none", "-i"], stdin=None, input="piped\n").stdout == "piped\n", "stdin")
    run("no-such-program", status=127)


def test_no_link():
    expect(re.findall(r"(?m)^\d+: (\w+)", run("busybox", "ip", "link").stdout) == ["lo"], "lo alone")


def test_terminal():
    expect("is a terminal" in run("sh", "-c", "test -t 0 && test -t 1 && echo is a terminal", options=["--network=none", "-t"]).stdout, "-t")


def test_files_are_the_users():
    os.makedirs(at.base + "/volume")
    os.chown(at.base + "/volume", USER, USER)
    run("sh", "-c", "echo mine > /v/f; stat -c %u /v/f", options=["--network=none", "-v", at.base + "/volume:/v"])
    expect(os.stat(at.base + "/volume/f").st_uid == USER and open(at.base + "/volume/f").read() == "mine\n", "the user's")


def test_another_user_inside():
    expect(run("id", options=["--network=none", "--user", "5:6"]).stdout.startswith("uid=5"), "whom the host does not know here")


def test_life():
    with Running():
        expect(podman("exec", "box", "sh", "-c", "echo inside; exit 9", status=9).stdout == "inside\n", "exec")
        expect("yes" in podman("exec", "-t", "box", "sh", "-c", "test -t 0 && echo yes").stdout, "exec -t")
        podman("stop", "-t", "30", "box")
        expect(podman("inspect", "box", "--format", "{{.State.Status}} {{.State.ExitCode}}").stdout == "exited 3\n", "stop")
        podman("start", "box")
        podman("kill", "box")
        podman("wait", "box")
        expect(podman("inspect", "box", "--format", "{{.State.ExitCode}}").stdout == "137\n", "kill")


def test_diff_and_commit():
    with Running():
        podman("exec", "box", "sh", "-c", "echo made > /tmp/made")
        expect("A /tmp/made" in podman("diff", "box").stdout.splitlines(), "diff")
        podman("commit", "box", "localhost/changed")
    expect(podman("run", "--rm", "--network=none", "localhost/changed", "cat", "/tmp/made").stdout == "made\n", "commit")


# ---- With slirp4netns ------------------------------------------------------------------------------------------------------
def has_slirp():
    if shutil.which("slirp4netns") and os.access("/dev/net/tun", os.F_OK):
        return True
    print("     skipped: no slirp4netns, or no /dev/net/tun")
    return False


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the host's page\n")

    def log_message(self, *args):
        pass


def test_slirp():
    """The tap of slirp4netns is the container's link: its address, the way to the host, and a connection to one of its programs."""
    if not has_slirp():
        return
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    network = "--network=slirp4netns:allow_host_loopback=true"
    try:
        out = run("sh", "-c", "busybox ip addr show tap0; busybox wget -q -O - http://10.0.2.2:%d/" % server.server_port, options=[network]).stdout
        expect("10.0.2.100/24" in out and out.endswith("the host's page\n"), out)
    finally:
        server.shutdown()


def test_slirp_published_port():
    """As slirp4netns publishes it; podman's own way is a socket of the host's in the namespace, where nobody listens any more."""
    if not has_slirp():
        return
    with subprocess.Popen(["python3", "-c", "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])"],
                          stdout=subprocess.PIPE, text=True) as p:
        port = p.stdout.read().strip()
    get = ["python3", "-c", "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:%s/passwd', timeout=20).read().decode())" % port]
    with Running("sh", "-c", "echo up; exec busybox httpd -f -p 80 -h /etc", options=[
            "--network=slirp4netns:port_handler=slirp4netns", "-p", "127.0.0.1:%s:80" % port]):
        until(lambda: "root:x:0:0" in subprocess.run(get, capture_output=True, text=True).stdout)
        podman("exec", "box", "true")


# ---- The world ---------------------------------------------------------------------------------------------------------------
def make_devices():
    """In a mount namespace of our own: what an ordinary user may open where people work."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "devpts", "-o", "newinstance,gid=5,mode=620,ptmxmode=666", "devpts", "/dev/pts"], check=True)
    subprocess.run(["mount", "--bind", "/dev/pts/ptmx", "/dev/ptmx"], check=True)
    if os.path.exists("/dev/net/tun"):
        os.mknod(at.base + "/tun", 0o20666, os.makedev(10, 200))
        os.chmod(at.base + "/tun", 0o666)
        subprocess.run(["mount", "--bind", at.base + "/tun", "/dev/net/tun"], check=True)


def setup():
    at.base = tempfile.mkdtemp(prefix="pr-")  # short: sockets lie in it
    os.chmod(at.base, 0o755)
    make_devices()
    shutil.copy(at.picket, at.base + "/picket")
    for name in ("store", "run", "tmp", "home", "xdg"):
        os.mkdir(at.base + "/" + name, 0o700)
        os.chown(at.base + "/" + name, USER, USER)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with open(at.base + "/containers.conf", "w") as f:
        f.write('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n[engine]\nevents_logger = "file"\n'
                'runtime_supports_json = ["picket"]\n')
    runtime.make_rootfs(at.base + "/rootfs")
    subprocess.run(["tar", "-C", at.base + "/rootfs", "--owner=0", "--group=0", "-cf", at.base + "/image.tar", "."], check=True)
    podman("import", at.base + "/image.tar", IMAGE)


def end():
    """Podman's pause process and what else it keeps is ours, by the subreaper."""
    podman("rm", "-fa", "-t", "0", status=None)
    limit = time.monotonic() + 10 * at.scale
    while (left := descendants(os.getpid())) and time.monotonic() < limit:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break
        time.sleep(0.05)
    shutil.rmtree(at.base, ignore_errors=True)


def main():
    options = runtime.options()
    if os.geteuid() != 0 or not shutil.which("podman") or not shutil.which("busybox"):
        print("skipped: not root, or no podman, or no busybox\n0 passed, 0 failed, 1 skipped")
        return 0
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    passed = failed = 0
    try:
        setup()
        for name, test in [(n, f) for n, f in globals().items() if n.startswith("test_") and re.search(options.filter, n)]:
            started = time.monotonic()
            try:
                test()
                passed += 1
                print("ok   %-40s %6.1f s" % (name[5:], time.monotonic() - started), flush=True)
            except Exception as e:
                failed += 1
                print("FAIL %s: %s: %s" % (name[5:], type(e).__name__, e), flush=True)
                podman("rm", "-fa", "-t", "0", status=None)
    finally:
        end()
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
