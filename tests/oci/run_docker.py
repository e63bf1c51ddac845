#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""dockerd and the docker CLI with Picket as the default runtime, unchanged: the daemon, containerd and its shim are the machine's, started
here with folders of their own and ended afterwards. The image is made of busybox; without a network (none is taken over yet)."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import client_runs
import engine
import runtime
from engine import tool
from runtime import at, expect

IMAGE = "picket-test"
LOOP = ("sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done")


def docker(*args, status=0, seconds=60, **kw):
    kw.setdefault("stdin", subprocess.DEVNULL)
    try:
        done = subprocess.run([tool("docker"), "--host", "unix://%s/sock" % at.base, *args], capture_output=True, text=True,
                              timeout=seconds * at.scale, env={**os.environ, "DOCKER_BUILDKIT": "0", "DOCKER_CONFIG": at.base + "/config"}, **kw)
    except subprocess.TimeoutExpired as e:
        raise AssertionError("%s does not end: %r\n%s" % (" ".join(args), e.stdout, situation())) from None
    expect(status is None or done.returncode == status, "%s: exit %d, not %s: %s%s" % (" ".join(args), done.returncode, status,
                                                                                     done.stdout, done.stderr))
    return done


def situation():
    """Who waits for whom, for one who reads the failure later."""
    lines = subprocess.run(["ps", "-eo", "pid,ppid,stat,wchan:16,etimes,args"], capture_output=True, text=True).stdout.splitlines()
    logs = [os.path.join(d, "log") for d, _, names in os.walk(at.base + "/exec/runtime-picket") if "log" in names]
    return "\n".join([line[:180] for line in lines if "picket" in line or at.base in line] + open(at.base + "/log").read().splitlines()[-12:] +
                     [line for log in logs for line in open(log).read().splitlines()[-5:]])


def run(*args, options=(), **kw):
    return docker("run", "--rm", "--network=none", *options, IMAGE, *args, **kw)


def field(name, path):
    return docker("inspect", name, "--format", "{{.%s}}" % path).stdout.strip()


def until(what, seconds=20):
    limit = time.monotonic() + seconds * at.scale
    while not what():
        expect(time.monotonic() < limit, "it does not come to pass")
        time.sleep(0.1)


class Running:
    def __init__(self, *args, options=()):
        self.args, self.options = args or LOOP, options

    def __enter__(self):
        docker("run", "-d", "--name", "box", "--network=none", *self.options, IMAGE, *self.args)
        until(lambda: "up" in docker("logs", "box").stdout)

    def __exit__(self, *exc):
        docker("rm", "-fv", "box")


def test_run():
    done = run("sh", "-c", "echo out; echo err >&2; exit 42", status=42)
    expect(done.stdout == "out\n" and done.stderr == "err\n", done)


def test_stdin():
    text = "piped\n" * 5000
    expect(run("cat", options=["-i"], stdin=None, input=text).stdout == text, "stdin")


def test_large_output():
    expect(len(run("sh", "-c", "dd if=/dev/zero bs=65536 count=100 2>/dev/null | tr '\\0' x").stdout) == 6553600, "the last byte")


def test_terminal():
    expect("is one" in run("sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo is one", options=["-t"]).stdout, "-t")


def test_terminal_interactive():
    """Through a terminal of the client's: keys, sizes, the end."""
    command = "%s --host unix://%s/sock run --rm --network=none -it %s sh -c 'read x; echo got $x; until stty size | grep -v ^0; do sleep 0.1; done; kill -INT $$'" % (
        tool("docker"), at.base, IMAGE)
    done = subprocess.run(["script", "-qec", "stty rows 33 cols 77; " + command, "/dev/null"], input="words\n", capture_output=True, text=True,
                          timeout=60 * at.scale)
    expect("got words" in done.stdout and "33 77" in done.stdout and done.returncode == 130, done)


def test_no_program():
    expect("not found" in run("no-such-program", status=127).stderr, "127")


def test_not_executable():
    expect("permission denied" in run("/etc", status=126).stderr, "126")


def test_user_and_environment():
    out = run("sh", "-c", "id; hostname; pwd; echo $A", options=["--user", "5:6", "--group-add", "9", "--hostname", "hh", "--workdir", "/data",
                                                                "-e", "A=B"]).stdout.split("\n")
    expect(out[0].startswith("uid=5") and "gid=6" in out[0] and "9" in out[0] and out[1:4] == ["hh", "/data", "B"], out)


def test_read_only_and_tmpfs():
    done = run("sh", "-c", "touch /x; touch /data/x && df -k /data | tail -1", options=["--read-only", "--tmpfs", "/data:size=1m"])
    expect("Read-only" in done.stderr and "1024" in done.stdout, done)


def test_capabilities():
    out = run("sh", "-c", "grep Cap /proc/self/status; chown 5 /data; mkdir /data/x", options=["--cap-drop", "ALL"], status=0)
    expect("CapEff:\t0000000000000000" in out.stdout and "Operation not permitted" in out.stderr, out)


def test_privileges_stay():
    expect("NoNewPrivs:\t1" in run("cat", "/proc/self/status", options=["--security-opt", "no-new-privileges"]).stdout, "no_new_privs")


def test_init():
    out = run("sh", "-c", "sleep 0 & wait; echo fine", options=["--init"])
    expect(out.stdout == "fine\n", out)


def test_ulimits():
    expect(run("sh", "-c", "ulimit -n; ulimit -c", options=["--ulimit", "nofile=77:99"]).stdout.split()[0] == "77", "nofile")


def test_shm():
    expect("32768" in run("sh", "-c", "df -k /dev/shm | tail -1", options=["--shm-size", "32m"]).stdout, "--shm-size")


def test_sysctl():
    run("true", options=["--sysctl", "net.ipv4.ip_unprivileged_port_start=0"])


def test_logs():
    docker("run", "--name", "box", "--network=none", IMAGE, "sh", "-c", "for i in 1 2 3; do echo $i; done; echo e >&2")
    try:
        expect(docker("logs", "--tail", "2", "box").stdout == "2\n3\n" or "e" in docker("logs", "--tail", "2", "box").stderr, "tail")
        expect(docker("logs", "box").stdout == "1\n2\n3\n", "logs")
    finally:
        docker("rm", "box")


def test_stop_start_restart():
    with Running():
        expect(field("box", "State.Status") == "running" and int(field("box", "State.Pid")) > 0, "running")
        docker("stop", "box")
        expect(field("box", "State.Status") == "exited" and field("box", "State.ExitCode") == "3", "stop")
        docker("start", "box")
        docker("restart", "-t", "5", "box")
        expect(field("box", "State.Running") == "true", "restart")


def test_kill():
    with Running():
        docker("kill", "--signal", "TERM", "box")
        expect(docker("wait", "box").stdout == "3\n", "TERM")
        docker("start", "box")
        docker("kill", "box")
        expect(docker("wait", "box").stdout == "137\n" and field("box", "State.OOMKilled") == "false", "KILL")


def test_stop_deaf():
    with Running("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"):
        started = time.monotonic()
        docker("stop", "-t", "1", "box")
        expect(time.monotonic() - started >= 1 and field("box", "State.ExitCode") == "137", "killed in the end")


def test_pause():
    with Running():
        docker("pause", "box")
        expect(field("box", "State.Status") == "paused", "paused")
        docker("exec", "box", "true", status=1)
        docker("unpause", "box")
        docker("exec", "box", "true")


def test_kill_paused():
    with Running():
        docker("pause", "box")
        docker("rm", "-f", "box")
        docker("run", "-d", "--name", "box", "--network=none", IMAGE, "true")


def test_exec():
    with Running():
        expect(docker("exec", "box", "sh", "-c", "echo inside; exit 9", status=9).stdout == "inside\n", "exec")
        expect(docker("exec", "-i", "box", "cat", stdin=None, input="piped").stdout == "piped", "stdin")
        expect("yes" in docker("exec", "-t", "box", "sh", "-c", "test -t 0 && echo yes").stdout, "-t")
        out = docker("exec", "--user", "7:8", "-w", "/data", "-e", "A=b", "box", "sh", "-c", "id; pwd; echo $A").stdout
        expect("uid=7" in out and "/data\nb\n" in out, out)
        done = docker("exec", "box", "no-such-program", status=None)
        expect(done.returncode in (126, 127) and "executable file not found in $PATH" in done.stderr + done.stdout, done)
        docker("exec", "-d", "box", "touch", "/tmp/later")
        until(lambda: docker("exec", "box", "test", "-e", "/tmp/later", status=None).returncode == 0)


def test_exec_many_times():
    with Running():
        client_runs.many_execs(lambda *args, **kw: docker("exec", "box", *args, **kw))
        pids = docker("exec", "box", "ps").stdout
        expect(not re.search(r"echo \d", pids), pids)


def test_copy():
    with Running():
        docker("exec", "box", "sh", "-c", "echo made > /tmp/made; mkdir /tmp/d; echo two > /tmp/d/two")
        docker("cp", "box:/tmp/made", at.base + "/copied")
        docker("cp", "box:/tmp/d", at.base + "/copied-d")
        expect(open(at.base + "/copied").read() == "made\n" and open(at.base + "/copied-d/two").read() == "two\n", "out")
        docker("cp", at.base + "/copied", "box:/tmp/back")
        docker("cp", at.base + "/copied-d", "box:/data/dd")
        expect(docker("exec", "box", "cat", "/tmp/back", "/data/dd/two").stdout == "made\ntwo\n", "in")


def test_diff_and_commit():
    with Running():
        docker("exec", "box", "sh", "-c", "echo made > /data/made; rm /etc/passwd")
        lines = docker("diff", "box").stdout.splitlines()
        expect("A /data/made" in lines and "D /etc/passwd" in lines, lines)
        docker("commit", "box", "changed")
        expect(docker("run", "--rm", "--network=none", "changed", "cat", "/data/made").stdout == "made\n", "commit")
    docker("rmi", "changed")


def test_export():
    with Running():
        docker("export", "-o", at.base + "/export.tar", "box")
    expect("bin/busybox" in subprocess.run(["tar", "-tf", at.base + "/export.tar"], capture_output=True, text=True).stdout, "export")


def test_top_and_stats():
    with Running(options=["--memory", "100m"]):
        expect("picket-stub" in docker("top", "box").stdout, "top")
        stats = json.loads(docker("stats", "--no-stream", "--format", "{{json .}}", "box").stdout)
        expect(int(stats["PIDs"]) > 0 and not stats["MemUsage"].startswith("0B"), stats)


def test_inspect():
    with Running(options=["--memory", "64m", "--label", "a=b"]):
        c = json.loads(docker("inspect", "box").stdout)[0]
        expect(c["HostConfig"]["Memory"] == 64 << 20 and c["HostConfig"]["Runtime"] == "picket" and c["Config"]["Labels"] == {"a": "b"}, c)


def test_volumes():
    docker("volume", "create", "vol")
    try:
        run("sh", "-c", "echo kept > /v/f", options=["-v", "vol:/v"])
        done = run("sh", "-c", "cat /v/f; echo no > /v/g", options=["-v", "vol:/v:ro"], status=1)
        expect(done.stdout == "kept\n" and "Read-only" in done.stderr, done)
    finally:
        docker("volume", "rm", "vol")


def test_bind_mounts():
    folder = at.base + "/volume"
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/one", "w") as f:
        f.write("one\n")
    out = run("sh", "-c", "cat /file; echo back > /b/back", options=["-v", folder + ":/b", "--mount", "type=bind,src=%s/one,dst=/file,readonly" % folder])
    expect(out.stdout == "one\n" and open(folder + "/back").read() == "back\n", out)


def test_shared_volume():
    """What one container writes, another sees while both run."""
    with Running(options=["-v", "shared:/v"]):
        run("sh", "-c", "echo hello > /v/hello", options=["-v", "shared:/v"])
        until(lambda: docker("exec", "box", "cat", "/v/hello", status=None).stdout == "hello\n")
    docker("volume", "rm", "shared")


def test_memory_limit():
    done = run("sh", "-c", "head -1 /proc/meminfo; nproc", options=["--memory", "100m", "--cpus", "1"])
    expect("102400 kB" in done.stdout and done.stdout.endswith("\n1\n"), done)


def test_out_of_memory():
    docker("run", "--name", "box", "--network=none", "--memory", "32m", IMAGE, "/bin/nasty", "memory", status=137)
    try:
        expect(field("box", "State.OOMKilled") == "true" and field("box", "State.ExitCode") == "137", docker("inspect", "box").stdout)
    finally:
        docker("rm", "box")


def test_137_is_no_oom():
    docker("run", "--name", "box", "--network=none", "--memory", "32m", IMAGE, "sh", "-c", "exit 137", status=137)
    try:
        expect(field("box", "State.OOMKilled") == "false", "never guessed")
    finally:
        docker("rm", "box")


def test_pids_limit():
    done = run("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done", options=["--pids-limit", "5"], status=None)
    expect("fork" in done.stderr and "Resource temporarily unavailable" in done.stderr or "can't fork" in done.stderr, done)


def test_update():
    with Running(options=["--memory", "200m"]):
        docker("update", "--memory", "64m", "--memory-swap", "128m", "--pids-limit", "30", "box")
        expect("65536 kB" in docker("exec", "box", "head", "-1", "/proc/meminfo").stdout, "at once")


def test_fork_bomb():
    started = time.monotonic()
    docker("run", "-d", "--name", "box", "--network=none", "--pids-limit", "30", IMAGE, "/bin/nasty", "fork_bomb")
    run("true")
    docker("rm", "-f", "box")
    expect(time.monotonic() - started < 30 * at.scale, "the machine is not harmed")


def test_healthcheck():
    with Running(options=["--health-cmd", "test -e /tmp/well", "--health-interval", "500ms", "--health-retries", "1"]):
        until(lambda: field("box", "State.Health.Status") == "unhealthy")
        docker("exec", "box", "touch", "/tmp/well")
        until(lambda: field("box", "State.Health.Status") == "healthy")


def test_restart_policy():
    docker("run", "-d", "--name", "box", "--restart", "on-failure:2", "--network=none", IMAGE, "sh", "-c", "exit 4")
    try:
        until(lambda: field("box", "RestartCount") == "2" and field("box", "State.Status") == "exited")
        expect(field("box", "State.ExitCode") == "4", "its status")
    finally:
        docker("rm", "-f", "box")


def test_pid_of_another():
    """Containers do not see each other."""
    with Running():
        expect("sleep 0.1" not in run("ps").stdout, "ps")


def test_build():
    folder = at.base + "/build"
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/file", "w") as f:
        f.write("copied\n")
    with open(folder + "/Dockerfile", "w") as f:
        f.write("""FROM %s
RUN echo one > /data/one
RUN mkdir -p /a/b/c && touch /a/b/c/d
RUN chmod 600 /data/one && ln -s one /data/link
ENV X=y
WORKDIR /data
RUN echo $X >> one
COPY file /data/file
RUN cat file >> one && rm file
USER 5:6
RUN id > /tmp/id
CMD cat /tmp/id /data/link
""" % IMAGE)
    docker("build", "--network=none", "-q", "-t", "built", folder, seconds=600)
    done = docker("run", "--rm", "--network=none", "--user", "0", "built")
    expect("uid=5 gid=6" in done.stdout and done.stdout.endswith("one\ny\ncopied\n"), done)
    expect(docker("run", "--rm", "--network=none", "built", "ls", "/data/file", status=1).stdout == "", "removed")
    docker("rmi", "built")


def test_dead_init():
    """Somebody kills what the client knows as the container's process: the daemon hears of it, and all can be used again."""
    with Running():
        os.kill(int(field("box", "State.Pid")), signal.SIGKILL)
        expect(docker("wait", "box").stdout == "137\n", "wait")
        docker("start", "box")
        docker("exec", "box", "true")


def left():
    states = [name for _, names, _ in os.walk(at.base + "/exec/runtime-picket") for name in names if len(name) == 64]
    return states + [p for p in os.listdir("/proc") if p.isdigit() and b"picket-" in (read_or_none("/proc/%s/cmdline" % p) or b"") and
                     at.base.encode() in (read_or_none("/proc/%s/environ" % p) or b"")]


def test_nothing_is_left():
    until(lambda: not left())


def read_or_none(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return None


client_runs.define(globals(), run, client_runs.make_folder)


# ---- The daemon ----------------------------------------------------------------------------------------------------------------
def start_daemon():
    """None, and why not, where one cannot run."""
    config = {"runtimes": {"picket": {"path": at.picket, "runtimeArgs": ["--platform=" + at.platform]}}, "default-runtime": "picket",
              "storage-driver": "vfs", "iptables": False, "ip6tables": False, "bridge": "none", "ip-forward": False,
              "data-root": at.base + "/data", "exec-root": at.base + "/exec", "pidfile": at.base + "/pid", "hosts": ["unix://%s/sock" % at.base],
              "exec-opts": ["native.cgroupdriver=cgroupfs"], "shutdown-timeout": 2}
    with open(at.base + "/daemon.json", "w") as f:
        json.dump(config, f)
    return engine.start([tool("dockerd"), "--config-file", at.base + "/daemon.json"], lambda: not docker("version", status=None).returncode, 30)


def image():
    runtime.make_rootfs(at.base + "/rootfs")
    for name in ("tr", "df", "ln", "tail", "head"):
        path = at.base + "/rootfs/bin/" + name
        if not os.path.lexists(path):
            os.symlink("busybox", path)
    shutil.copy(at.nasty, at.base + "/rootfs/bin/nasty")
    tar = subprocess.run(["tar", "-C", at.base + "/rootfs", "-c", "."], check=True, capture_output=True).stdout
    subprocess.run([tool("docker"), "--host", "unix://%s/sock" % at.base, "import", "-", IMAGE], input=tar, check=True, capture_output=True)


def main():
    options = runtime.options(nasty=True)
    if os.geteuid() != 0 or not all(map(tool, ("dockerd", "docker", "containerd", "busybox"))):
        print("skipped: not root, or no dockerd, docker, containerd or busybox\n0 passed, 0 failed, 1 skipped")
        return 0
    at.base = tempfile.mkdtemp(prefix="pd-")  # short: sockets lie in it
    daemon = start_daemon()
    if not daemon:
        return engine.skip("dockerd")
    try:
        image()
        results = engine.run(dict(globals()), options.filter, lambda: docker("rm", "-fv", "box", status=None))
    finally:
        engine.end(daemon)
    return engine.told(results)


if __name__ == "__main__":
    sys.exit(main())
