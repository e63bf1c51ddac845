# SPDX-License-Identifier: Apache-2.0
"""Pods: containers that share a sandbox, by the annotations of containerd and CRI-O."""
import contextlib
import json
import os
import signal
import time

from processes import descendants, proc_name
from runtime import Bundle, Console, exec_detached, expect, picket, read_to_the_end, read_until, reap, refused

ROUND = "while :; do sleep 1; done"


class Pod:
    """A sandbox that sleeps, and containers in it; all of them are gone at the end."""

    def __init__(self, crio=False, **annotations):
        self.crio, self.members = crio, []
        self.sandbox = self.annotated("sandbox", "echo up; " + ROUND)
        self.sandbox.config["annotations"].update(annotations)
        self.sandbox.config["hostname"] = "the-pod"

    def annotated(self, kind, text):
        b = Bundle("sh", "-c", text, own_root=True)
        sandbox = b.id if kind == "sandbox" else self.sandbox.id
        b.config["annotations"] = ({"io.kubernetes.cri-o.ContainerType": kind, "io.kubernetes.cri-o.SandboxID": sandbox} if self.crio else
                                   {"io.kubernetes.cri.container-type": kind, "io.kubernetes.cri.sandbox-id": sandbox})
        return b

    def member(self, text):
        b = self.annotated("container", text)
        self.members.append(b)
        return b

    def run(self, text):
        b = self.member(text).create().start()
        return b

    def __enter__(self):
        self.sandbox.create().start()
        self.sandbox.output("up")
        return self

    def __exit__(self, *_):
        for b in self.members + [self.sandbox]:
            picket("delete", "--force", b.id)
            if hasattr(b, "pid"):
                with contextlib.suppress(ChildProcessError):
                    reap(b.pid)


def sentries(b):
    return [p for p in descendants(b.pid) if proc_name(p) == "picket-sentry"]


def test_pod_is_one_sandbox():
    with Pod() as pod:
        b = pod.run("echo up; " + ROUND)
        expect(b.output("up") == "up\n", b.output())
        expect(len(sentries(pod.sandbox)) == 1 and not sentries(b), "a sentry for both")
        expect(b.state()["status"] == "running" and b.state()["pid"] == b.pid, b.state())


def test_pod_has_the_users_of_its_sandbox():
    with Pod() as pod:
        b = pod.member("echo no")
        b.config["linux"]["namespaces"].append({"type": "user"})
        b.config["linux"]["uidMappings"] = b.config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        b.write()
        refused("create", "--bundle", b.dir, b.id, words=["linux.uidMappings", "the pod's sandbox"])


def test_pod_of_crio():
    with Pod(crio=True) as pod:
        expect(pod.run("echo up").output("up") == "up\n", "up")
        expect(os.WEXITSTATUS(reap(pod.members[0].pid)) == 0, "ends")


def test_pod_exit_status():
    with Pod() as pod:
        b = pod.run("exit 7")
        expect(os.WEXITSTATUS(b.end()) == 7 and b.status() == "stopped", "its own status")
        expect(json.loads(picket("wait", "--json", b.id, status=None).stdout)["cause"] == "exited", "cause")
        c = pod.run("kill -SEGV $$")
        expect(os.WTERMSIG(c.end()) == signal.SIGSEGV, "its own signal")
        expect(pod.sandbox.status() == "running", "the sandbox goes on")


def test_pod_roots_are_apart():
    with Pod() as pod:
        a, b = pod.member("cat /data/f; echo of-a > /data/new; ls /data"), pod.member("cat /data/f; ls /data")
        for container, text in ((a, "a\n"), (b, "b\n")):
            open(container.rootfs + "/data/f", "w").write(text)
            container.create().start().end()
        expect(a.output() == "a\nf\nnew\n" and b.output() == "b\nf\n", (a.output(), b.output()))
        expect(open(a.rootfs + "/data/new").read() == "of-a\n" and not os.path.exists(pod.sandbox.rootfs + "/data/new"), "written through")


def test_pod_mounts_of_its_own():
    with Pod() as pod:
        b = pod.member("cat /mnt/in/f; touch /mnt/ro/x; mount | grep -c /mnt; cat /hidden")
        source = b.dir + "/source"
        os.mkdir(source)
        open(source + "/f", "w").write("bound\n")
        open(b.rootfs + "/hidden", "w").write("secret\n")
        b.mount("/mnt/in", "bind", source, "rbind")
        b.mount("/mnt/ro", "tmpfs", "tmpfs", "ro")
        b.config["linux"]["maskedPaths"] = ["/hidden"]
        b.create().start().end()
        expect(b.output() == "bound\n2\n" and "Read-only" in open(b.out + ".err").read(), b.output())
        expect("/mnt" not in picket("exec", pod.sandbox.id, "cat", "/proc/mounts").stdout, "not the sandbox's")


def test_pod_root_in_memory():
    with Pod() as pod:
        b = pod.member("echo x > /data/new; ls /data")
        b.config["annotations"]["dev.picket.overlay"] = "memory"
        b.create().start().end()
        expect(b.output() == "new\n" and os.listdir(b.rootfs + "/data") == [], "its own alone")


def test_pod_read_only_root():
    with Pod() as pod:
        b = pod.member("touch /x; echo $?")
        b.config["root"]["readonly"] = True
        b.create().start().end()
        expect(b.output() == "1\n", b.output())


def test_pod_shares_the_network():
    with Pod() as pod:
        server = pod.run("echo up; echo hello | nc -l -p 7777; echo done")
        server.output("up")
        time.sleep(0.3)
        client = pod.run("nc 127.0.0.1 7777 < /dev/null")
        client.end()
        expect(client.output("hello") == "hello\n", (client.output(), open(client.out + ".err").read(), open(server.out + ".err").read()))


def test_pod_shares_memory():
    """/dev/shm is a bind of one directory of the host into each."""
    with Pod() as pod:
        shm = pod.sandbox.dir + "/shm"
        os.mkdir(shm)
        a, b = pod.member("echo shared > /dev/shm/f"), pod.member("cat /dev/shm/f")
        for container in (a, b):
            container.mount("/dev/shm", "bind", shm, "rbind", "rw")
            container.create().start().end()
        expect(b.output() == "shared\n", b.output())


def test_pod_names():
    with Pod() as pod:
        a, b = pod.member("hostname"), pod.member("hostname")
        b.config["hostname"] = "another"
        for container in (a, b):
            container.create().start().end()
        expect((a.output(), b.output()) == ("the-pod\n", "another\n"), (a.output(), b.output()))


def test_pod_filters_are_apart():
    with Pod() as pod:
        a, b = pod.member("mkdir /data/x && echo made"), pod.member("mkdir /data/x || echo refused")
        b.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}
        for container in (a, b):
            container.create().start().end()
        expect((a.output(), b.output()) == ("made\n", "refused\n"), (a.output(), b.output()))


def test_pod_users_are_apart():
    with Pod() as pod:
        b = pod.member("id -u; id -g; umask; pwd")
        b.process.update(user={"uid": 1000, "gid": 7, "umask": 0o77}, cwd="/data", capabilities={})
        b.create().start().end()
        expect(b.output().split() == ["1000", "7", "0077", "/data"], b.output())


def test_pod_exec():
    with Pod() as pod:
        b = pod.run("echo up; " + ROUND)
        b.output("up")
        open(b.rootfs + "/data/mine", "w").write("m\n")
        expect(picket("exec", b.id, "cat", "/data/mine").stdout == "m\n", "its root")
        expect(picket("exec", b.id, "sh", "-c", "exit 9", status=9).stdout == "", "status")
        picket("exec", pod.sandbox.id, "cat", "/data/mine", status=1)
        pid = exec_detached(b, {"args": ["sleep", "100"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}})
        b.kill()
        expect(os.WTERMSIG(reap(pid)) == signal.SIGKILL, "ends with its container")
        refused("exec", b.id, "true", words=["container not running"])
        expect(picket("exec", pod.sandbox.id, "echo", "on").stdout == "on\n", "the sandbox goes on")


def test_pod_death_of_one_leaves_the_others():
    with Pod() as pod:
        a = pod.run("(%s) & (%s) & echo up; %s" % (ROUND, ROUND, ROUND))
        b = pod.run("echo up; " + ROUND)
        a.output("up"), b.output("up")
        expect(len(json.loads(picket("ps", "-f", "json", a.id).stdout)) >= 3, "its processes")
        expect(os.WTERMSIG(a.kill()) == signal.SIGKILL, "a")
        time.sleep(0.3)
        listed = {name: json.loads(picket("ps", "-f", "json", c.id).stdout) for name, c in (("b", b), ("sandbox", pod.sandbox))}
        expect(all(1 <= len(pids) <= 2 for pids in listed.values()), listed)
        expect(b.status() == "running" and pod.sandbox.status() == "running", "others")
        text = picket("exec", pod.sandbox.id, "ps").stdout
        expect(text.count(ROUND) == 2, text)  # nothing of a's is left


def test_pod_killed_init():
    """Whoever kills the number that clients know ends that container alone."""
    with Pod() as pod:
        a, b = pod.run("echo up; " + ROUND), pod.run("echo up; " + ROUND)
        a.output("up"), b.output("up")
        os.kill(a.pid, signal.SIGKILL)
        a.end()
        time.sleep(0.3)
        expect(a.status() == "stopped" and b.status() == "running", "states")
        expect(picket("exec", pod.sandbox.id, "ps").stdout.count(ROUND) == 2, "its processes have ended")


def test_pod_end_of_the_sandbox():
    pod = Pod()
    with pod:
        b = pod.run("echo up; " + ROUND)
        b.output("up")
        pod.sandbox.kill()
        expect(os.WIFSIGNALED(b.end()) and b.status() == "stopped", "all end")


def test_pod_signals():
    with Pod() as pod:
        b = pod.run("trap 'echo usr1; exit 3' USR1; echo up; %s" % ROUND)
        b.output("up")
        picket("kill", b.id, "USR1")
        expect(os.WEXITSTATUS(b.end()) == 3 and "usr1" in b.output(), b.output())
        refused("kill", b.id, "TERM", words=["container not running"])
        picket("kill", "--all", b.id, "KILL", status=None)
        expect(pod.sandbox.status() == "running", "the sandbox is meant by its own id alone")


def test_pod_kill_created():
    with Pod() as pod:
        b = pod.member("echo it ran").create()
        expect(b.status() == "created" and b.output() == "", "not started")
        expect(os.WTERMSIG(b.kill()) == signal.SIGKILL and b.output() == "", "ended")


def test_pod_restarts():
    """As kubelet restarts containers in a pod that stays."""
    with Pod() as pod:
        for i in range(8):
            b = pod.run("echo %d; exit %d" % (i, i))
            expect(os.WEXITSTATUS(b.end()) == i and b.output() == "%d\n" % i, i)
            b.delete()
            pod.members.remove(b)


def test_pod_terminal():
    with Pod() as pod:
        b = pod.member("test -t 0 && echo a terminal; read line; echo got $line")
        b.process["terminal"] = True
        console = Console(b)
        b.create("--console-socket", console.path)
        master = console.master()
        b.start()
        read_until(master, b"a terminal")
        os.write(master, b"word\n")
        read_until(master, b"got word")
        expect(os.WEXITSTATUS(b.end()) == 0, "status")
        read_to_the_end(master)


def test_pod_missing_program():
    with Pod() as pod:
        b = pod.member("")
        b.process["args"] = ["no-such-program"]
        b.write()
        refused("create", "--bundle", b.dir, b.id, words=["executable file not found in $PATH"])
        b.process.update(args=["true"], cwd="/etc/passwd")
        b.write()
        refused("create", "--bundle", b.dir, b.id, words=["/etc/passwd"])
        expect(pod.run("echo fine").output("fine") == "fine\n", "the next one")


def test_pod_refusals():
    pod = Pod()
    b = pod.member("true")
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["does not exist"])
    b.config["annotations"]["io.kubernetes.cri.sandbox-id"] = "../../etc"
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["io.kubernetes.cri.sandbox-id"])
    del b.config["annotations"]["io.kubernetes.cri.sandbox-id"]
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["io.kubernetes.cri.sandbox-id"])
    pod.members.clear()
    pod.sandbox.create()
    b = pod.annotated("container", "true")
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["sandbox", "created"])
    pod.__exit__()


def test_pod_pause_is_the_pods():
    with Pod() as pod:
        b = pod.run("echo up; " + ROUND)
        refused("pause", b.id, words=["pod"])


def test_pod_limits_from_annotations():
    limit = {"io.kubernetes.cri.sandbox-memory": str(64 << 20), "io.kubernetes.cri.sandbox-cpu-quota": "100000",
             "io.kubernetes.cri.sandbox-cpu-period": "100000"}
    with Pod(**limit) as pod:
        b = pod.run("head -1 /proc/meminfo; nproc; dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null && echo too much")
        b.end()
        out = b.output()
        expect("65536 kB" in out and out.split("\n")[1] == "1" and "too much" not in out, out)


EATER = "awk 'BEGIN { while (1) a[i++] = \"0123456789012345678901234567890123456789012345678901234567890123456789\" i }'"


def test_pod_memory_of_one():
    """A container past its own limit ends, by the cause memory, and its neighbour with as much does not."""
    with Pod() as pod:
        b, other = pod.member("echo up; exec " + EATER), pod.run("echo up; " + ROUND)
        b.config["linux"]["resources"] = {"memory": {"limit": 24 << 20}}
        b.create().start()
        expect(os.WTERMSIG(b.end()) == signal.SIGKILL, "ended")
        done = json.loads(picket("wait", "--json", b.id).stdout)
        expect(done["cause"] == "memory" and done["memory_kills"] == 1 and done["memory_peak"] > 24 << 20, done)
        expect(os.path.exists(b.dir + "/oom") and not os.path.exists(pod.sandbox.dir + "/oom"), "for conmon, in its bundle")
        lines = picket("events", "--stats", b.id, status=None)
        expect("container not running" in lines.stderr, lines)
        expect(other.status() == "running" and pod.sandbox.status() == "running", "the others go on")


def test_pod_memory_of_one_inside():
    with Pod() as pod:
        b, other = (pod.member("head -1 /proc/meminfo; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max; "
                               "dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null || echo no") for _ in range(2))
        for c in (b, other):
            c.mount("/sys/fs/cgroup", "cgroup2")
        b.config["linux"]["resources"] = {"memory": {"limit": 32 << 20}, "pids": {"limit": 9}}
        for c in (b, other):
            c.create().start().end()
        expect("32768 kB" in b.output() and b.output().split()[-3:] == [str(32 << 20), "9", "no"], b.output())
        expect("32768 kB" not in other.output() and other.output().split()[-2:] == ["max", "max"], other.output())


def test_pod_processes_in_its_cgroup():
    with Pod() as pod:
        for text, count in (("sleep 100 & sleep 100 & ", 3), ("", 1)):
            b = pod.member(text + "echo up; " + ROUND)
            b.mount("/sys/fs/cgroup", "cgroup2")
            b.create().start().output("up")
            # and cat itself, which reads
            told = picket("exec", b.id, "sh", "-c", "cat /sys/fs/cgroup/pids.current; exec wc -l < /sys/fs/cgroup/cgroup.procs").stdout.split()
            expect(count + 2 <= int(told[0]) <= count + 3 and count + 1 <= int(told[1]) <= count + 2, (count, told))


def test_pod_pids_of_one():
    with Pod() as pod:
        text = "echo up; i=0; while [ $i -lt 12 ]; do sleep 100 & i=$((i+1)); done; echo all; " + ROUND
        b, other = pod.member(text), pod.member(text)
        b.config["linux"]["resources"] = {"pids": {"limit": 5}}
        for c in (b, other):
            c.create().start()
        other.output("all")
        expect(os.WEXITSTATUS(b.end()) == 2 and "all" not in b.output(), "fork is refused")
        expect("can't fork" in open(b.out + ".err").read(), open(b.out + ".err").read())
        expect(other.status() == "running", "its neighbour's are its own")


def test_pod_update_of_one():
    with Pod() as pod:
        b = pod.member("echo up; read x < /go; exec " + EATER)
        os.mkfifo(b.rootfs + "/go")
        b.create().start().output("up")
        other = pod.run("echo up; " + ROUND)
        other.output("up")
        picket("update", "--memory", str(20 << 20), b.id)
        picket("exec", b.id, "sh", "-c", "echo > /go")
        expect(os.WTERMSIG(b.end()) == signal.SIGKILL, "ended")
        expect(json.loads(picket("wait", "--json", b.id).stdout)["cause"] == "memory", "cause")
        expect(other.status() == "running", "its neighbour goes on")
        expect(picket("exec", other.id, "head", "-1", "/proc/meminfo").stdout.split()[1] != str(20 << 10), "which has no limit")


def test_pod_limits_that_are_the_pods():
    with Pod() as pod:
        b = pod.member("true")
        b.config["linux"]["resources"] = {"cpu": {"quota": 50000, "period": 100000}}
        b.config["annotations"]["dev.picket.timeout"] = "5"
        b.write()
        log = b.dir + "/log.json"
        picket("run", "--bundle", b.dir, b.id, log=log)
        text = open(log).read()
        expect("linux.resources.cpu.quota" in text and "dev.picket.*" in text, text)
        pod.members.remove(b)


def test_pod_hooks():
    with Pod() as pod:
        b = pod.member("cat /data/hooked")
        b.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo inside > /data/hooked"], "env": ["PATH=/bin"]}],
                             "createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "cat > %s/state" % b.dir]}]}
        b.create().start().end()
        expect(b.output() == "inside\n", b.output())
        expect(json.load(open(b.dir + "/state"))["pid"] == b.pid, "state on stdin")


def test_pod_many():
    with Pod() as pod:
        for i in range(10):
            pod.run("echo %d; %s" % (i, ROUND))
        expect([b.output("\n") for b in pod.members] == ["%d\n" % i for i in range(10)], "each its own")
        expect(len(json.loads(picket("list", "-f", "json").stdout)) == 11, "listed")
