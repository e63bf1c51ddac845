#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pods as Kubernetes makes them: containerd's CRI plugin with Picket as its runtime, asked as kubelet asks it. The daemon has
folders and a network namespace of its own; pods get their network by CNI's ptp plugin."""
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import cri
import engine
import run_containerd
import runtime
from engine import tool
from processes import descendants, proc_name
from runtime import at, expect

NODE, CONTAINER, POD = 2, 1, 0  # NamespaceMode
RUNNING, EXITED, READY = 1, 2, 0
ROUND = "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done"
NUMBER = [0]
PARENT = "/pk-cri-%d" % os.getpid()  # as kubelet has one for each pod


def call(method, message=None, **kw):
    return cri.call(at.base + "/sock", method, message, timeout=60 * at.scale, **kw)


class Pod:
    """Its sandbox runs; removed with all that is in it."""

    def __init__(self, annotations=None, **linux):
        NUMBER[0] += 1
        self.config = {1: {1: "pod%d" % NUMBER[0], 2: "uid%d" % NUMBER[0], 3: "default", 4: 0}, 2: "the-pod", 3: "%s/logs/%d" % (at.base, NUMBER[0]),
                       7: cri.entries(annotations or {}), 8: {1: PARENT, 2: {1: {1: linux.get("network", POD), 2: linux.get("pid", CONTAINER)}}}}
        self.n, self.logs = 0, self.config[3]
        os.makedirs(self.logs)

    def __enter__(self):
        self.id = call("RunPodSandbox", {1: self.config, 2: "picket"})[1][0].decode()
        return self

    def __exit__(self, *_):
        call("StopPodSandbox", {1: self.id})
        call("RemovePodSandbox", {1: self.id})

    def create(self, *command, resources=None, **fields):
        self.n += 1
        config = {1: {1: "c%d" % self.n, 2: 0}, 2: {1: run_containerd.IMAGE}, 3: list(command), 11: "c%d.log" % self.n,
                  15: {1: resources or {}}}
        config.update({int(k[1:]): v for k, v in fields.items()})
        return call("CreateContainer", {1: self.id, 2: config, 3: self.config})[1][0].decode()

    def start(self, *command, **kw):
        name = self.create(*command, **kw)
        call("StartContainer", {1: name})
        return name

    def log(self, n, word=None):
        """What the nth container has printed."""
        limit = time.monotonic() + 20 * at.scale
        while True:
            with contextlib.suppress(FileNotFoundError):
                text = "".join(re.sub(r"^\S+ std\w+ [FP] ", "", line) for line in open(self.logs + "/c%d.log" % n))
                if word is None or word in text:
                    return text
            expect(time.monotonic() < limit, "no %r in its log" % word)
            time.sleep(0.05)

    def sandbox_pid(self):
        return json.loads(runtime_state(self.id))["pid"]


def runtime_state(name):
    return subprocess.run([at.picket, "--root", at.base + "/state/runc/k8s.io", "state", name], check=True, capture_output=True).stdout


def status(name):
    return cri.inner(call("ContainerStatus", {1: name}), 1)


def until_exited(name):
    run_containerd.until(lambda: status(name)[3][0] == EXITED)
    return status(name).get(7, [0])[0]


def execute(name, *command):
    reply = call("ExecSync", {1: name, 2: list(command), 3: 20})
    return reply.get(1, [b""])[0].decode(), reply.get(3, [0])[0]


# ---- Tests -----------------------------------------------------------------------------------------------------------------
def test_version():
    expect(call("Version")[2][0] == b"containerd", "containerd")
    conditions = [cri.decode(c) for c in cri.inner(call("Status"), 1)[1]]
    expect(all(c.get(2) == [1] for c in conditions), conditions)


def test_pod_of_two():
    with Pod() as pod:
        a, b = pod.start("sh", "-c", ROUND), pod.start("sh", "-c", ROUND)
        expect(status(a)[3][0] == RUNNING and status(b)[3][0] == RUNNING, "running")
        names = [proc_name(p) for p in descendants(pod.sandbox_pid())]
        expect(names.count("picket-sentry") == 1, names)
        expect(execute(a, "sh", "-c", "hostname; exit 5") == ("the-pod\n", 5), "exec")
        call("StopContainer", {1: a, 2: 10})
        expect(until_exited(a) == 3 and status(b)[3][0] == RUNNING, "one ends")
        call("RemoveContainer", {1: a})
        expect(execute(b, "echo", "on") == ("on\n", 0), "the other one goes on")


def test_exit_status_and_logs():
    with Pod() as pod:
        expect(until_exited(pod.start("sh", "-c", "echo out; echo err >&2; exit 42")) == 42, "status")
        expect(sorted(pod.log(1, "err").split()) == ["err", "out"], pod.log(1))


def test_network_is_the_pods():
    with Pod() as pod:
        pod.start("sh", "-c", "echo up; echo hello | nc -l -p 7000; sleep 100")
        pod.log(1, "up")
        address = cri.inner(call("PodSandboxStatus", {1: pod.id}), 1, 5)[1][0].decode()
        expect(re.match(r"10\.88\.", address), address)
        expect(until_exited(pod.start("sh", "-c", "until nc 127.0.0.1 7000 < /dev/null; do sleep 0.1; done; grep -c 10.88 /proc/net/fib_trie; true")) == 0, "second")
        expect("hello" in pod.log(2, "hello"), "by the loopback of both")


def test_shared_memory():
    with Pod() as pod:
        until_exited(pod.start("sh", "-c", "echo shared > /dev/shm/f"))
        until_exited(pod.start("cat", "/dev/shm/f"))
        expect(pod.log(2, "shared") == "shared\n", "one /dev/shm")


def test_restart_in_a_pod_that_stays():
    with Pod() as pod:
        for n in range(1, 5):
            name = pod.start("sh", "-c", "echo %d; exit %d" % (n, n))
            expect(until_exited(name) == n, n)
            call("RemoveContainer", {1: name})


def test_missing_program():
    with Pod() as pod:
        name = pod.create("no-such-program")
        with contextlib.suppress(cri.Failed):
            call("StartContainer", {1: name})
            expect(False, "started")
        expect(status(name)[3][0] == EXITED and "not found" in status(name)[11][0].decode(), status(name))


def test_stats_and_lists():
    with Pod() as pod:
        name = pod.start("sh", "-c", ROUND)
        expect(cri.inner(call("ContainerStats", {1: name}), 1, 3), "memory")
        expect(cri.inner(call("PodSandboxStats", {1: pod.id}), 1), "of the pod")
        listed = [cri.decode(c)[1][0].decode() for c in call("ListContainers").get(1, [])]
        expect(name in listed, listed)
        call("UpdateContainerResources", {1: name, 2: {4: 64 << 20}})


def test_limits_of_the_pod():
    with Pod() as pod:
        name = pod.start("sh", "-c", "echo up; nproc; " + ROUND, resources={1: 100000, 2: 100000, 4: 64 << 20})
        pod.log(1, "up")
        expect(execute(name, "sh", "-c", "echo fine")[0] == "fine\n", "exec")


def test_kill_at_the_time_out():
    with Pod() as pod:
        name = pod.start("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
        pod.log(1, "up")
        call("StopContainer", {1: name, 2: 1})
        expect(until_exited(name) == 137, status(name))


def test_fields_of_a_container():
    with Pod() as pod:
        name = pod.start("sh", "-c", "pwd; echo $A; cat /v/f; id -u", f5="/data", f6=[{1: "A", 2: "B"}],
                         f7=[{1: "/v", 2: at.base + "/volume", 3: 1}], f15={2: {5: {1: 1000}}})
        expect(until_exited(name) == 0, pod.log(1))
        expect(pod.log(1, "1000").split("\n")[:2] == ["/data", "B"] and "from outside" in pod.log(1), pod.log(1))


def test_stop_of_a_pod():
    with Pod() as pod:
        name = pod.start("sh", "-c", ROUND)
        call("StopPodSandbox", {1: pod.id})
        expect(status(name)[3][0] == EXITED, "its containers end")
        expect(cri.inner(call("PodSandboxStatus", {1: pod.id}), 1)[3][0] != READY, "not ready")


def test_nothing_is_left():
    folder = at.base + "/state/runc/k8s.io"
    run_containerd.until(lambda: not os.path.isdir(folder) or not os.listdir(folder))
    expect(not call("ListPodSandbox").get(1), "pods")


# ---- The daemon ----------------------------------------------------------------------------------------------------------------
def start_daemon():
    os.makedirs(at.base + "/cni")
    with open(at.base + "/cni/10-test.conflist", "w") as f:
        json.dump({"cniVersion": "0.4.0", "name": "test", "plugins": [{"type": "ptp", "ipam": {
            "type": "host-local", "subnet": "10.88.0.0/24", "dataDir": at.base + "/ipam"}}]}, f)
    with open(at.base + "/config.toml", "w") as f:
        f.write('''version = 2
root = "%(b)s/root"
state = "%(b)s/state"
[grpc]
address = "%(b)s/sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "%(i)s"
disable_tcp_service = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "%(b)s/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
default_runtime_name = "picket"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.picket]
runtime_type = "io.containerd.runc.v2"
pod_annotations = ["dev.picket.*"]
container_annotations = ["dev.picket.*"]
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.picket.options]
BinaryName = "%(w)s"
Root = "%(b)s/state/runc"
''' % {"b": at.base, "i": run_containerd.IMAGE, "w": at.wrapper})
    command = ["unshare", "--net", tool("containerd"), "--config", at.base + "/config.toml"]
    return engine.start(command, is_up, 30)


def is_up():
    with contextlib.suppress(OSError, cri.Failed):
        return bool(call("Version"))
    return False


def remove_cgroups():
    for hierarchy in os.listdir("/sys/fs/cgroup"):
        for folder, _, _ in os.walk("/sys/fs/cgroup/" + hierarchy + PARENT, topdown=False):
            os.rmdir(folder)


def clear():
    with contextlib.suppress(OSError, cri.Failed):
        for pod in call("ListPodSandbox").get(1, []):
            name = cri.decode(pod)[1][0].decode()
            call("StopPodSandbox", {1: name})
            call("RemovePodSandbox", {1: name})


def main():
    options = runtime.options(nasty=True)
    if os.geteuid() != 0 or not os.path.exists("/usr/lib/cni/ptp") or \
            not all(map(tool, ("containerd", "ctr", "containerd-shim-runc-v2", "busybox", "unshare"))):
        print("skipped: not root, or no containerd, ctr, shim, busybox or CNI's ptp\n0 passed, 0 failed, 1 skipped")
        return 0
    at.base = tempfile.mkdtemp(prefix="pk-")
    os.chmod(at.base, 0o755)
    for name in ("volume", "logs"):
        os.makedirs(os.path.join(at.base, name))
    with open(at.base + "/volume/f", "w") as f:
        f.write("from outside\n")
    run_containerd.wrapper()
    daemon = start_daemon()
    if not daemon:
        return engine.skip("containerd")
    try:
        run_containerd.image(["sh", "-c", "while :; do sleep 1000; done"], ("--namespace", "k8s.io"))
        results = engine.run(dict(globals()), options.filter, clear)
    finally:
        clear()
        engine.end(daemon)
        remove_cgroups()
    return engine.told(results)


if __name__ == "__main__":
    sys.exit(main())
