#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""containerd and ctr with Picket as the binary of its runc shim: the daemon is started here with folders of its own. The image is
made of busybox; without a network."""
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

import client_runs
import engine
import runtime
from engine import tool
from runtime import at, expect

IMAGE = "docker.io/library/picket-test:latest"


def ctr(*args, status=0, **kw):
    kw.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([tool("ctr"), "--address", at.base + "/sock", *args], capture_output=True, text=True, timeout=60 * at.scale, **kw)
    expect(status is None or done.returncode == status, "%s: exit %d, not %s: %s%s" % (" ".join(args), done.returncode, status,
                                                                                     done.stdout, done.stderr))
    return done


def run(name, *args, options=(), **kw):
    return ctr("run", "--snapshotter", "native", "--runc-binary", at.wrapper, "--runc-root", at.base + "/runc", *options,
               IMAGE, name, *args, **kw)


class Running:
    def __init__(self, *args, options=()):
        self.args, self.options = args or ("sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.1; done"), options

    def __enter__(self):
        run("box", *self.args, options=["--detach", *self.options])

    def __exit__(self, *exc):
        ctr("task", "kill", "--signal", "KILL", "box", status=None)
        ctr("task", "delete", "--force", "box", status=None)
        ctr("container", "delete", "box")


def execute(*args, **kw):
    return ctr("task", "exec", "--exec-id", "e%d" % time.monotonic_ns(), *args, **kw)


def task(column):
    lines = [line.split() for line in ctr("task", "list").stdout.splitlines()]
    return dict((line[0], line[column]) for line in lines[1:]).get("box")


def until(what, seconds=20):
    limit = time.monotonic() + seconds * at.scale
    while not what():
        expect(time.monotonic() < limit, "it does not come to pass")
        time.sleep(0.1)


def test_run():
    done = run("one", "sh", "-c", "echo out; echo err >&2; exit 42", options=["--rm"], status=42)
    expect(done.stdout == "out\n" and "err" in done.stderr, done)


def test_stdin():
    # ctr does not hand the end of its stdin on
    expect(run("one", "head", "-1", options=["--rm"], stdin=None, input="piped\n").stdout == "piped\n", "stdin")


def test_options():
    out = run("one", "sh", "-c", "pwd; echo $A; id; cat /v/f; touch /x", options=[
        "--rm", "--cwd", "/data", "--env", "A=B", "--read-only", "--mount",
        "type=bind,src=%s/volume,dst=/v,options=rbind:ro" % at.base], status=1)
    expect(out.stdout == "/data\nB\nuid=0(root) gid=0 groups=0\nfrom outside\n" and "Read-only" in out.stderr, out)


def test_no_program():
    expect("not found" in run("one", "no-such-program", options=["--rm"], status=1).stderr, "no program")
    ctr("container", "delete", "one", status=None)


def test_terminal():
    done = subprocess.run(["script", "-qec", "%s --address %s/sock run --rm -t --snapshotter native --runc-binary %s %s one sh -c 'test -t 0 && echo is one'" % (
        tool("ctr"), at.base, at.wrapper, IMAGE), "/dev/null"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * at.scale)
    expect("is one" in done.stdout, done)


def test_life():
    with Running():
        expect(task(2) == "RUNNING", "running")
        ctr("task", "kill", "--signal", "TERM", "box")
        until(lambda: task(2) == "STOPPED")
        expect("exit code 3" in ctr("task", "delete", "box").stderr, "its status")


def test_exec():
    with Running():
        expect(execute("box", "sh", "-c", "echo inside; exit 9", status=9).stdout == "inside\n", "exec")
        execute("box", "no-such-program", status=1)


def test_exec_many_times():
    with Running():
        # ctr 1.6 on a busy machine loses an output now and then, of runc's execs too
        client_runs.many_execs(lambda *args, **kw: execute("box", *args, **kw), loses=True)


def test_pause():
    with Running():
        ctr("task", "pause", "box")
        expect(task(2) == "PAUSED", "paused")
        ctr("task", "resume", "box")
        expect(task(2) == "RUNNING", "running")


def test_ps_and_metrics():
    with Running():
        expect(len(ctr("task", "ps", "box").stdout.splitlines()) >= 2, "ps")
        expect("memory" in ctr("task", "metrics", "box").stdout, "metrics")


def test_memory_limit():
    with Running(options=["--memory-limit", str(64 << 20)]):
        expect("65536 kB" in execute("box", "head", "-1", "/proc/meminfo").stdout, "its memory")


def test_oom_event():
    """The shim says so, and once."""
    events = subprocess.Popen([tool("ctr"), "--address", at.base + "/sock", "events"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    seen = []
    threading.Thread(target=lambda: seen.extend(iter(events.stdout.readline, "")), daemon=True).start()
    until(lambda: run("one", "true", options=["--rm"]) and seen)  # it listens when something was told
    run("one", "/bin/nasty", "memory", options=["--rm", "--memory-limit", str(48 << 20)], status=137)
    run("two", "true", options=["--rm"])
    until(lambda: any("/tasks/delete" in line and '"two"' in line for line in seen))
    events.terminate()
    expect(len([line for line in seen if "/tasks/oom" in line]) == 1, seen)


def test_checkpoint_is_refused():
    with Running():
        done = ctr("task", "checkpoint", "box", status=1)
        expect("not supported" in done.stderr, done)
        expect(task(2) == "RUNNING", "goes on")


def test_kill_all():
    with Running():
        execute("box", "sh", "-c", "sleep 1000 &")
        ctr("task", "kill", "--all", "--signal", "KILL", "box")
        until(lambda: task(2) == "STOPPED")


def test_many():
    for i in range(5):
        run("box%d" % i, "sleep", "1000", options=["--detach"])
    expect(len(ctr("task", "list", "-q").stdout.split()) == 5, "five")
    for i in range(5):
        ctr("task", "delete", "--force", "box%d" % i, status=None)
        ctr("container", "delete", "box%d" % i)


def test_nothing_is_left():
    until(lambda: ctr("task", "list", "-q").stdout == "" and not os.listdir(at.base + "/runc/default"))


# ---- The daemon ----------------------------------------------------------------------------------------------------------------
def start_daemon():
    with open(at.base + "/config.toml", "w") as f:
        f.write('version = 2\nroot = "%s/root"\nstate = "%s/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n'
                'address = "%s/sock"\n' % ((at.base,) * 3))
    command = [tool("containerd"), "--config", at.base + "/config.toml"]
    return engine.start(command, lambda: not ctr("version", status=None).returncode, 20)


def add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def image(command=("sh",), options=()):
    """An archive as `docker save` writes it."""
    runtime.make_rootfs(at.base + "/rootfs")
    if not os.path.lexists(at.base + "/rootfs/bin/head"):
        os.symlink("busybox", at.base + "/rootfs/bin/head")
    shutil.copy(at.nasty, at.base + "/rootfs/bin/nasty")
    layer = subprocess.run(["tar", "-C", at.base + "/rootfs", "-c", "."], check=True, capture_output=True).stdout
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"], "Cmd": list(command)},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}).encode()
    with tarfile.open(at.base + "/image.tar", "w") as tar:
        add(tar, "layer.tar", layer)
        add(tar, "config.json", config)
        add(tar, "manifest.json", json.dumps([{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]).encode())
    ctr(*options, "images", "import", "--snapshotter", "native", at.base + "/image.tar")


def wrapper():
    """ctr gives its runtime no options of ours: where it looks for state, and the platform of this run."""
    at.wrapper = at.base + "/picket"
    with open(at.wrapper, "w") as f:
        f.write('#!/bin/sh\nexec %s --platform=%s "$@"\n' % (at.picket, at.platform))
    os.chmod(at.wrapper, 0o755)


def clear():
    for left in ("box", "one"):
        ctr("task", "delete", "--force", left, status=None)
        ctr("container", "delete", left, status=None)


def main():
    options = runtime.options(nasty=True)
    if os.geteuid() != 0 or not all(map(tool, ("containerd", "ctr", "containerd-shim-runc-v2", "busybox"))):
        print("skipped: not root, or no containerd, ctr, shim or busybox\n0 passed, 0 failed, 1 skipped")
        return 0
    at.base = tempfile.mkdtemp(prefix="pc-")
    os.chmod(at.base, 0o755)
    os.makedirs(at.base + "/volume")
    with open(at.base + "/volume/f", "w") as f:
        f.write("from outside\n")
    wrapper()
    daemon = start_daemon()
    if not daemon:
        return engine.skip("containerd")
    try:
        image()
        results = engine.run(dict(globals()), options.filter, clear)
    finally:
        engine.end(daemon)
    return engine.told(results)


if __name__ == "__main__":
    sys.exit(main())
