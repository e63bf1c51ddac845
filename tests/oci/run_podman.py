#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Podman with Picket as its runtime, unchanged: podman, conmon and Picket as a user of podman meets them. The image is made of
busybox. Needs root, podman and busybox; for its bridge network CNI's plugins or netavark, and iptables, in a namespace of the test's."""
import fcntl
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import client_runs
import run_cli as cli
import runtime
from links_world import Space
from runtime import at, expect

IMAGE = "localhost/picket-test"


def podman(*args, status=0, within=(), seconds=60, **kw):
    kw.setdefault("stdin", subprocess.DEVNULL)
    command = [*within, "podman", "--root", at.base + "/store", "--runroot", at.base + "/run", "--tmpdir", at.base + "/tmp", "--storage-driver", "vfs",
               "--cgroup-manager", "cgroupfs", "--runtime", at.picket, "--runtime-flag", "platform=" + at.platform,
               "--network-config-dir", at.base + "/networks", *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds * at.scale,
                          env={**os.environ, "CONTAINERS_CONF": at.base + "/containers.conf"}, **kw)
    expect(status is None or done.returncode == status, "%s: exit %d, not %s: %s%s" % (" ".join(args), done.returncode, status,
                                                                                     done.stdout, done.stderr))
    return done


def run(*args, options=(), **kw):
    return podman("run", "--rm", "--network=none", *options, IMAGE, *args, **kw)


class Running:
    """A container called box: a name of hexadecimal digits could be the beginning of an image's id, which `podman diff` looks up first."""

    def __init__(self, *args, options=()):
        self.args, self.options = args or ("sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done"), options

    def __enter__(self):
        podman("run", "-d", "--name", "box", "--network=none", *self.options, IMAGE, *self.args)
        limit = time.monotonic() + 20 * at.scale
        while "up" not in podman("logs", "box").stdout and time.monotonic() < limit:
            time.sleep(0.05)

    def __exit__(self, *exc):
        podman("rm", "-f", "box")


def test_run():
    expect(run("sh", "-c", "echo out; echo err >&2; exit 42", status=42).stdout == "out\n", "run")
    expect(run("cat", options=["-i"], stdin=None, input="piped\n").stdout == "piped\n", "stdin")


def test_errors():
    expect("not found" in run("no-such-program", status=127).stderr, "127")
    expect("permission denied" in run("/etc", status=126).stderr, "126")


def test_options():
    out = run("sh", "-c", "id; hostname; pwd; echo $A; echo x > /v/f", options=[
        "--user", "5:6", "--hostname", "hh", "--workdir", "/data", "-e", "A=B", "--memory", "100m", "--pids-limit", "200", "-v",
        at.base + "/volume:/v"]).stdout.split("\n")
    expect(out[0].startswith("uid=5") and "gid=6" in out[0] and out[1:4] == ["hh", "/data", "B"], out)
    expect(open(at.base + "/volume/f").read() == "x\n", "the volume")


def test_read_only():
    done = run("sh", "-c", "touch /x; touch /data/x /tmp/x && echo fine", options=["--read-only", "--tmpfs", "/data"])
    expect(done.stdout == "fine\n" and "Read-only" in done.stderr, done)


def test_terminal():
    expect("is a terminal" in run("sh", "-c", "test -t 0 && test -t 1 && echo is a terminal", options=["-t"]).stdout, "-t")


def test_life():
    with Running():
        expect(podman("inspect", "box", "--format", "{{.State.Status}}").stdout == "running\n", "running")
        podman("pause", "box")
        expect(podman("inspect", "box", "--format", "{{.State.Status}}").stdout == "paused\n", "paused")
        podman("unpause", "box")
        podman("stop", "-t", "10", "box")
        expect(podman("inspect", "box", "--format", "{{.State.Status}} {{.State.ExitCode}}").stdout == "exited 3\n", "stop")
        podman("start", "box")
        podman("kill", "box")
        podman("wait", "box")
        expect(podman("inspect", "box", "--format", "{{.State.ExitCode}}").stdout == "137\n", "kill")


def test_exec():
    with Running():
        expect(podman("exec", "box", "sh", "-c", "echo inside; exit 9", status=9).stdout == "inside\n", "exec")
        expect(podman("exec", "-i", "box", "cat", stdin=None, input="piped").stdout == "piped", "stdin")
        expect("yes" in podman("exec", "-t", "box", "sh", "-c", "test -t 0 && echo yes").stdout, "-t")
        expect("uid=7" in podman("exec", "--user", "7:8", "-w", "/data", "-e", "A=b", "box", "sh", "-c", "id; pwd; echo $A").stdout, "options")
        podman("exec", "box", "no-such-program", status=127)


def test_exec_many_times():
    with Running():
        client_runs.many_execs(lambda *args, **kw: podman("exec", "box", *args, **kw))


def test_copy_and_diff():
    with Running():
        podman("exec", "box", "sh", "-c", "echo made > /tmp/made")
        podman("cp", "box:/tmp/made", at.base + "/copied")
        expect(open(at.base + "/copied").read() == "made\n", "out")
        podman("cp", at.base + "/copied", "box:/tmp/back")
        expect(podman("exec", "box", "cat", "/tmp/back").stdout == "made\n", "in")
        expect(open(podman("mount", "box").stdout.strip() + "/tmp/made").read() == "made\n", "written through")
        changes = podman("diff", "box").stdout
        expect("A /tmp/made" in changes, "%r, and in the directory: %s" % (changes, os.listdir(podman("mount", "box").stdout.strip() + "/tmp")))
        podman("commit", "box", "localhost/changed")
        expect(podman("run", "--rm", "--network=none", "localhost/changed", "cat", "/tmp/made").stdout == "made\n", "commit")


def test_top_and_stats():
    with Running():
        expect("picket-stub" in podman("top", "box").stdout, "top")
        stats = json.loads(podman("stats", "--no-stream", "--format", "json", "box").stdout)
        expect(stats[0]["name"] == "box" and stats[0]["pids"] not in ("", "0"), stats)


def test_build():
    folder = at.base + "/build"
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/Dockerfile", "w") as f:
        f.write("FROM %s\nRUN echo one > /data/one\nRUN cat /data/one > /data/two && chmod 600 /data/two\nCMD cat /data/two\n" % IMAGE)
    podman("build", "--network=none", "--isolation=oci", "-t", "localhost/built", folder, seconds=300)
    expect(podman("run", "--rm", "--network=none", "localhost/built").stdout == "one\n", "the built image")


def test_logs():
    podman("run", "--name", "box", "--network=none", IMAGE, "sh", "-c", "for i in 1 2 3; do echo $i; done; echo e >&2")
    try:
        done = podman("logs", "box")
        expect(done.stdout == "1\n2\n3\n" and done.stderr == "e\n", done)
        expect(podman("logs", "--tail", "1", "box").stderr == "e\n", "tail")
    finally:
        podman("rm", "box")


def test_made_and_started_later():
    podman("create", "--name", "box", "--network=none", IMAGE, "sh", "-c", "echo up; exit 6")
    try:
        podman("init", "box")
        expect(podman("inspect", "box", "--format", "{{.State.Status}}").stdout == "initialized\n", "init: created, and not started")
        expect(podman("start", "--attach", "box", status=6).stdout == "up\n", "start")
    finally:
        podman("rm", "-f", "box")


def test_restart_policy():
    podman("run", "-d", "--name", "box", "--restart", "on-failure:2", "--network=none", IMAGE, "sh", "-c", "echo again; exit 4")
    try:
        limit = time.monotonic() + 60 * at.scale
        while podman("logs", "box").stdout.count("again") < 3 and time.monotonic() < limit:
            time.sleep(0.1)
        podman("wait", "box")
        expect(podman("inspect", "box", "--format", "{{.RestartCount}} {{.State.ExitCode}}").stdout == "2 4\n", "twice more")
    finally:
        podman("rm", "-f", "box")


def test_healthcheck():
    with Running(options=["--health-cmd", "test -e /tmp/well", "--health-interval", "disable"]):
        podman("healthcheck", "run", "box", status=1)
        podman("exec", "box", "touch", "/tmp/well")
        podman("healthcheck", "run", "box")


def test_restart():
    with Running():
        before = podman("inspect", "box", "--format", "{{.State.Pid}}").stdout
        podman("restart", "-t", "30", "box")
        expect(podman("inspect", "box", "--format", "{{.State.Running}}").stdout == "true\n", "runs")
        expect(podman("inspect", "box", "--format", "{{.State.Pid}}").stdout != before, "anew")


def test_named_volume():
    run("sh", "-c", "echo kept > /v/f", options=["-v", "vol:/v"])
    try:
        expect(run("cat", "/v/f", options=["-v", "vol:/v:ro"]).stdout == "kept\n", "the next one sees it")
    finally:
        podman("volume", "rm", "vol")


def test_volumes_from_another():
    with Running(options=["-v", at.base + "/volume:/v"]):
        podman("exec", "box", "sh", "-c", "echo by box > /v/shared")
        expect(run("cat", "/v/shared", options=["--volumes-from", "box"]).stdout == "by box\n", "while both run")


def test_export():
    with Running():
        podman("export", "-o", at.base + "/export.tar", "box")
    expect("bin/busybox" in subprocess.run(["tar", "-tf", at.base + "/export.tar"], capture_output=True, text=True).stdout, "export")


def test_time_limit():
    started = time.monotonic()
    done = run("sh", "-c", "trap '' TERM; sleep 1000", options=["--timeout", "1"], status=None)
    expect(done.returncode != 0 and 1 <= time.monotonic() - started, done)


def test_preserved_descriptors():
    """podman's --preserve-fds, by way of conmon."""
    with open(at.base + "/three", "w+") as three, Running():
        def place():  # (it may be 3 already, and closed on exec)
            os.dup2(fcntl.fcntl(three.fileno(), fcntl.F_DUPFD, 100), 3)
        run("sh", "-c", "echo of run >&3", options=["--preserve-fds", "1"], preexec_fn=place, close_fds=False)
        podman("exec", "--preserve-fds", "1", "box", "sh", "-c", "echo of exec >&3", preexec_fn=place, close_fds=False)
        three.seek(0)
        expect(three.read() == "of run\nof exec\n", "through descriptor 3")


def test_build_of_ten_steps():
    folder = at.base + "/ten"
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
CMD cat /tmp/id; cat /data/link
""" % IMAGE)
    podman("build", "--network=none", "--isolation=oci", "-t", "localhost/ten", folder, seconds=600)
    done = podman("run", "--rm", "--network=none", "--user", "0", "localhost/ten")
    expect("uid=5 gid=6" in done.stdout and done.stdout.endswith("one\ny\ncopied\n"), done)
    podman("run", "--rm", "--network=none", "localhost/ten", "ls", "/data/file", status=1)


def test_bridge():
    """Podman's bridge network: names and addresses inside, the way out through the host's address, a published port, one
    container to another, and nothing left in the host's tables."""
    if not shutil.which("iptables") or not (os.path.exists("/usr/lib/cni/bridge") or os.path.exists("/usr/lib/podman/netavark")):
        print("     skipped: no iptables, or neither CNI's plugins nor netavark")
        return
    cli.SCALE = at.scale
    host, outside = Space(), Space()
    try:
        host.sh("ip", "link", "add", "name", "up0", "type", "veth", "peer", "name", "out0", "netns", str(outside.holder.pid))
        for space, name, address in ((host, "up0", "192.168.50.1/24"), (outside, "out0", "192.168.50.2/24")):
            space.sh("ip", "addr", "add", address, "dev", name)
            space.sh("ip", "link", "set", name, "up")
        host.sh("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        within = host.words([])
        podman("network", "create", "--disable-dns", "net", within=within)
        tables = re.sub(r"(?m)^#.*|\[\d+:\d+\]", "", host.sh("iptables-save"))
        options = ["--network=net", "--hostname", "hh", "--cap-add", "NET_RAW"]
        inside = podman("run", "--rm", *options, IMAGE, "sh", "-c", "cat /etc/hosts; busybox ip addr; busybox ping -c 1 192.168.50.2", within=within)
        expect("eth0" in inside.stdout and "1 packets received" in inside.stdout and "hh" in inside.stdout, inside.stdout)
        podman("run", "-d", "--name", "web", *options, "-p", "8080:80", IMAGE, "busybox", "httpd", "-f", "-p", "80", "-h", "/etc", within=within)
        get = ["sh", "-c", "i=0; until busybox wget -q -O - http://%s/passwd; do i=$((i+1)); test $i -lt 100 || exit 1; sleep 0.2; done"]
        for space, where in ((outside, "192.168.50.1:8080"), (host, "127.0.0.1:8080")):
            expect("root:x:0:0" in space.sh(*get[:2], get[2] % where), where)
        address = podman("inspect", "web", "--format", "{{.NetworkSettings.Networks.net.IPAddress}}", within=within).stdout.strip()
        other = podman("run", "--rm", *options, IMAGE, *get[:2], get[2] % address, within=within)
        expect("root:x:0:0" in other.stdout, other.stdout)
        podman("rm", "-f", "web", within=within)
        after = re.sub(r"(?m)^#.*|\[\d+:\d+\]", "", host.sh("iptables-save"))
        expect(not [line for line in after.splitlines() if "8080" in line or address in line], after)
        expect(len(after.splitlines()) <= len(tables.splitlines()) + 40, after)
    finally:
        podman("rm", "-fa", status=None)
        host.end()
        outside.end()


# (a working directory has to be in the image)
client_runs.define(globals(), run, client_runs.make_folder, ("workdir_that_is_made",) + (
    () if os.path.exists("/usr/libexec/podman/catatonit") else ("init",)))


def setup():
    at.base = tempfile.mkdtemp(prefix="picket-podman-")
    os.chmod(at.base, 0o755)
    os.makedirs(at.base + "/networks")
    os.makedirs(at.base + "/volume", mode=0o777)
    os.chmod(at.base + "/volume", 0o777)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with open(at.base + "/containers.conf", "w") as f:
        f.write('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n[engine]\nevents_logger = "file"\n'
                'runtime_supports_json = ["picket"]\n')
    runtime.make_rootfs(at.base + "/rootfs")
    subprocess.run(["tar", "-C", at.base + "/rootfs", "-cf", at.base + "/image.tar", "."], check=True)
    podman("import", at.base + "/image.tar", IMAGE)


def main():
    options = runtime.options()
    if os.geteuid() != 0 or not shutil.which("podman") or not shutil.which("busybox"):
        print("skipped: not root, or no podman, or no busybox\n0 passed, 0 failed, 1 skipped")
        return 0
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
    finally:
        podman("rm", "-fa", status=None)
        shutil.rmtree(at.base, ignore_errors=True)
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
