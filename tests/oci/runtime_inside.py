# SPDX-License-Identifier: Apache-2.0
"""What is done with a container that runs: terminals, exec, ps, pause, limits."""
import fcntl
import json
import os
import select
import signal
import subprocess
import time

from runtime import at, picket, refused, expect, Bundle, reap, running, FOREVER, sh, Console, read_until, read_to_the_end, hang_up, exec_detached, has_freezer


# ---- Terminals -------------------------------------------------------------------------------------------------------------
def test_terminal():
    b = sh("stty size; test -t 0 && test -t 1 && test -t 2 && echo is a terminal; read x; echo got $x; trap 'echo interrupted; exit 5' INT; "
           "echo ready; while :; do sleep 0.1; done", terminal=True, consoleSize={"height": 33, "width": 77})
    console = Console(b)
    b.create("--console-socket", console.path)
    master = console.master()
    b.start()
    read_until(master, b"33 77")
    read_until(master, b"is a terminal")
    os.write(master, b"typed\n")
    read_until(master, b"got typed")
    read_until(master, b"ready")
    os.write(master, b"\x03")
    read_until(master, b"interrupted")
    expect(os.WEXITSTATUS(b.end()) == 5, "status")
    hang_up(master)
    b.delete()


def test_terminal_hangs_up():
    b = sh("trap 'exit 6' HUP; echo ready; while :; do sleep 0.1; done", terminal=True)
    console = Console(b)
    b.create("--console-socket", console.path)
    master = console.master()
    b.start()
    read_until(master, b"ready")
    hang_up(master)
    expect(os.WEXITSTATUS(b.end()) == 6, "SIGHUP")
    b.delete()


def test_terminal_refusals():
    b = Bundle("true", terminal=True)
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["process.terminal", "--console-socket"])
    refused("create", "--bundle", b.dir, "--console-socket", "/no/such/socket", b.id, words=["/no/such/socket", "no such file or directory"])
    b.process["terminal"] = False
    b.write()
    refused("create", "--bundle", b.dir, "--console-socket", "/no/such/socket", b.id, words=["--console-socket"])


# ---- exec ------------------------------------------------------------------------------------------------------------------
def test_exec():
    with running() as b:
        done = picket("exec", b.id, "sh", "-c", "echo out; echo err >&2; exit 5", status=5)
        expect(done.stdout == "out\n" and done.stderr == "err\n", done)
        expect(picket("exec", b.id, "cat", input="piped", stdin=None).stdout == "piped", "stdin")
        picket("exec", b.id, "sh", "-c", "kill -TERM $$", status=143)
        refused("exec", b.id, "no-such-program", words=["executable file not found in $PATH"])
        refused("exec", b.id, "/no/such", words=["no such file or directory"])
        refused("exec", b.id, "/etc/passwd", words=["permission denied"])
        refused("exec", b.id, words=["exec"])
        expect(b.status() == "running", "the container goes on")


def test_exec_options():
    with running(user={"uid": 0, "gid": 0}) as b:
        out = picket("exec", "--cwd", "/data", "--user", "12:34", "-g", "56", "--env", "A=1", "-e", "HOME=/h", b.id, "sh", "-c",
                     "pwd; id; echo $A $HOME $PATH").stdout.splitlines()
        expect(out[0] == "/data" and "uid=12 gid=34" in out[1] and "56" in out[1] and out[2] == "1 /h /bin", out)
        refused("exec", "--user", "root", b.id, "true", words=["--user", "root"])
        refused("exec", "--user", "-1", b.id, "true", words=["--user"])
        refused("exec", "--cwd", "/no/such", b.id, "true", words=["/no/such"])
        out = picket("exec", "--cap", "CAP_MKNOD", b.id, "busybox", "grep", "CapEff", "/proc/self/status").stdout
        expect(int(out.split()[1], 16) == 0xeb | 1 << 27, out)


def test_exec_process_detached():
    with running() as b:
        process = {"args": ["sh", "-c", "echo $X; exit 7"], "cwd": "/", "env": ["PATH=/bin", "X=y"], "user": {"uid": 0, "gid": 0},
                   "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 64}], "capabilities": {"bounding": ["CAP_KILL"]}, "oomScoreAdj": 0}
        status = reap(exec_detached(b, process))
        expect(os.WEXITSTATUS(status) == 7 and open(b.dir + "/exec.out").read() == "y\n", status)
        process["args"] = ["sh", "-c", "kill -USR2 $$"]
        expect(os.WTERMSIG(reap(exec_detached(b, process))) == signal.SIGUSR2, "by a signal")
        process["args"] = ["sleep", "100"]
        pid = exec_detached(b, process)
        os.kill(pid, signal.SIGTERM)  # handed on
        expect(os.WTERMSIG(reap(pid)) == signal.SIGTERM, "handed on")
        pid = exec_detached(b, process)
        os.kill(pid, signal.SIGKILL)  # its program goes with it
        reap(pid)
        limit = time.monotonic() + 10 * at.scale
        while "sleep 100" in picket("exec", b.id, "ps").stdout and time.monotonic() < limit:
            time.sleep(0.05)
        expect("sleep 100" not in picket("exec", b.id, "ps").stdout, "its program is gone")


def test_exec_terminal():
    with running() as b:
        for round in range(4):
            console = Console(b, "exec%d.sock" % round)
            pid = exec_detached(b, {"args": ["sh", "-c", "test -t 0 && echo a terminal; read x; echo got $x; exit 3"], "cwd": "/", "env": ["PATH=/bin"],
                                    "user": {"uid": 0, "gid": 0}, "terminal": True}, "--console-socket", console.path)
            master = console.master()
            read_until(master, b"a terminal")
            os.write(master, b"line\n")
            read_until(master, b"got line")
            expect(os.WEXITSTATUS(reap(pid)) == 3, "status")
            read_to_the_end(master)  # nobody inside has it any more


def test_exec_terminal_of_none():
    """A program that is not there: its terminal is given back all the same, more often than there can be terminals at a time."""
    with running() as b:
        path = b.dir + "/none.json"
        json.dump({"args": ["/none"], "cwd": "/", "env": [], "user": {"uid": 0, "gid": 0}, "terminal": True}, open(path, "w"))
        for round in range(70):
            console = Console(b, "none%d.sock" % round)
            refused("exec", "--process", path, "--detach", "--console-socket", console.path, b.id, words=["/none", "no such file or directory"])
            read_to_the_end(console.master())


def with_fds(fds, *args):
    """`picket ARGS` with these as its descriptors 3 and on, and one more that is not meant for the program."""
    def place():
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in (*fds, os.open("/dev/null", os.O_RDONLY))]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i, inheritable=True)
    return subprocess.run([at.picket, "--root", at.root, "--platform", at.platform, *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=40 * at.scale, close_fds=False, preexec_fn=place)


def test_preserve_fds():
    """Of exec and run: the descriptors that are named are the program's, the one behind them is nobody's, and nothing of ours keeps them."""
    text = "echo three >&3; exec 3>&-; read x <&4; echo got $x; test -e /proc/self/fd/5 && echo five; "

    def check(command, *args):
        out, into = os.pipe()
        back, give = os.pipe()
        os.write(give, b"four\n")
        done = with_fds((into, back), command, "--preserve-fds", "2", *args)
        os.close(into)
        os.close(back)
        expect(done.returncode == 0 and done.stdout == "got four\n", done)
        expect(select.select([out], [], [], 20 * at.scale)[0] and os.read(out, 100) == b"three\n", "through 3")
        expect(select.select([out], [], [], 20 * at.scale)[0] and os.read(out, 100) == b"", "and its end")
        os.close(out)
        os.close(give)
    with running() as b:
        check("exec", b.id, "sh", "-c", text + "true")
        check("exec", b.id, "sh", "-c", text + "sleep 100 > /dev/null 2>&1 &")
        refused("exec", "--preserve-fds", "2", b.id, "true", words=["--preserve-fds 2", "descriptor 3 is not open"])
        refused("exec", "--preserve-fds", "17", b.id, "true", words=["--preserve-fds 17", "up to 16"])
        refused("exec", "--preserve-fds", "x", b.id, "true", words=["--preserve-fds x"])
    b = sh(text + "true")
    b.write()
    check("run", "--bundle", b.dir, b.id)


def test_exec_ends_with_the_container():
    b = Bundle(*FOREVER).create().start()
    b.output("up")
    pid = exec_detached(b, {"args": ["sleep", "100"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}})
    b.kill()
    expect(os.WTERMSIG(reap(pid)) == signal.SIGKILL, "with it")
    b.delete()


def test_exec_many_times():
    with running() as b:
        for i in range(40):
            picket("exec", b.id, "true")
        pids = [exec_detached(b, {"args": ["sleep", "100"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}) for _ in range(20)]
        expect(len(json.loads(picket("ps", "--format", "json", b.id).stdout)) >= 21, "20 at once")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            reap(pid)


def test_exec_bad_process():
    with running() as b:
        for text, words in (("{", ["line 1"]), ('{"args": ["true"]}', ["process.cwd"]), ('{"args": "true", "cwd": "/"}', ["process.args"]),
                            ('{"args": ["true"], "cwd": "/", "user": {"uid": -5}}', ["process.user.uid"])):
            open(b.dir + "/bad.json", "w").write(text)
            refused("exec", "--process", b.dir + "/bad.json", b.id, words=words)
        refused("exec", "--process", "/no/such.json", b.id, words=["/no/such.json", "no such file or directory"])
        big = {"args": ["true"], "cwd": "/", "env": ["A=" + "x" * 150000, "B=" + "y" * 150000]}
        json.dump(big, open(b.dir + "/bad.json", "w"))
        refused("exec", "--process", b.dir + "/bad.json", b.id, words=["too long"])


def test_exec_in_created():
    b = Bundle(*FOREVER).create()
    expect(picket("exec", b.id, "echo", "early").stdout == "early\n", "exec before start")
    b.start()
    expect("up" in b.output("up"), "starts")
    b.kill()
    b.delete()


# ---- ps, pause, events, update ---------------------------------------------------------------------------------------------
def test_ps():
    with running("sh", "-c", "sleep 100 & echo up; wait") as b:
        limit, pids = time.monotonic() + 10 * at.scale, []
        while len(pids) < 2 and time.monotonic() < limit:  # a process that has just been forked has no number yet
            pids = json.loads(picket("ps", "--format", "json", b.id).stdout)
        expect(len(pids) == 2 and all(os.path.exists("/proc/%d" % pid) for pid in pids), pids)
        expect(str(pids[0]) in picket("ps", b.id).stdout, "table")


def test_mount_namespace():
    """Who enters it by the init's pid sees the root, what is bound in it, and the processes of the sandbox in /proc."""
    if os.geteuid() != 0:
        return
    with running("sh", "-c", "echo inside > /tmp/made; echo up; sleep 100", own_root=True) as b:
        enter = lambda *args: subprocess.run(["nsenter", "-t", str(b.pid), "-m", *args], capture_output=True, text=True, timeout=10 * at.scale)
        expect(enter("/bin/cat", "/tmp/made").stdout == "inside\n", "the root")
        expect("picket-stub" in enter("/bin/sh", "-c", "/bin/cat /proc/[0-9]*/comm").stdout, "its processes")
        expect(not os.path.exists("/proc/1/root" + b.rootfs + "/proc/1"), "the host sees nothing of it")


def test_pause_resume():
    if not has_freezer():
        return
    with running("sh", "-c", "echo up; i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done") as b:
        picket("pause", b.id)
        expect(b.status() == "paused", "paused")
        before = b.output()
        time.sleep(0.5)
        expect(b.output() == before, "it stands still")
        refused("exec", b.id, "true", words=["paused"])
        refused("pause", b.id, words=["paused"])
        picket("resume", b.id)
        limit = time.monotonic() + 10 * at.scale
        while b.output() == before and time.monotonic() < limit:
            time.sleep(0.02)
        expect(b.output() != before and b.status() == "running", "goes on")
        refused("resume", b.id, words=["running"])


def test_kill_paused():
    if not has_freezer():
        return
    for command in (["kill", "{}", "KILL"], ["delete", "--force", "{}"]):
        with running() as b:
            picket("pause", b.id)
            picket(*[word.format(b.id) for word in command])
            expect(os.WTERMSIG(b.end()) == signal.SIGKILL, "ends")


def test_cgroup_limits():
    if not has_freezer():
        return
    v2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    b = Bundle(*FOREVER)
    b.config["linux"]["cgroupsPath"] = "/%s/inner" % b.id
    b.config["linux"]["resources"] = {"memory": {"limit": 200 << 20, "swap": 0}, "pids": {"limit": 500}, "cpu": {"shares": 0},
                                      "devices": [{"allow": False, "access": "rwm"}]}
    b.create()
    base = "/sys/fs/cgroup" if v2 else "/sys/fs/cgroup/memory"
    folder = "%s/%s/inner/" % (base, b.id)
    file = folder + ("memory.max" if v2 else "memory.limit_in_bytes")
    ours = 32 << 20  # of Picket's own processes: the sentry keeps the limit itself
    expect(int(open(file).read()) == (200 << 20) + ours, "memory")
    members = open(folder + "cgroup.procs").read().split()
    expect(str(b.pid) in members and len(members) >= 4, "all of ours are in it before create returns: %r" % members)
    b.start()
    picket("update", "--memory", str(300 << 20), "--pids-limit", "400", b.id)
    expect(int(open(file).read()) == (300 << 20) + ours, "update")
    picket("update", "--resources", "-", b.id, input=json.dumps({"memory": {"limit": 250 << 20, "kernel": 0}, "blockIO": {"weight": 0}}), stdin=None)
    expect(int(open(file).read()) == (250 << 20) + ours, "update from stdin")
    refused("update", "--memory", "much", b.id, words=["--memory", "much"])
    stats = json.loads(picket("events", "--stats", b.id).stdout)
    expect(stats["type"] == "stats" and stats["data"]["memory"]["usage"]["limit"] == 250 << 20 and stats["data"]["pids"]["limit"] == 400, stats)
    b.kill()
    b.delete()
    for hierarchy in ([""] if v2 else os.listdir("/sys/fs/cgroup")):
        path = os.path.join("/sys/fs/cgroup", hierarchy, b.id)
        if os.path.isdir(path):
            os.rmdir(path)  # the parent, which the client makes


def test_bad_limit_leaves_nothing():
    if not has_freezer():
        return
    b = Bundle("true")
    b.config["linux"]["resources"] = {"cpu": {"cpus": "4000"}}
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["linux.resources.cpu.cpus"])
