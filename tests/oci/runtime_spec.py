# SPDX-License-Identifier: Apache-2.0
"""Runtime-spec, point by point, and what programs expect who know other runtimes: what each command answers in each state, hooks,
exec, mounts, namespaces of names, numbers of processes."""
import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time

from runtime import FOREVER, Bundle, at, expect, picket, reap, refused, running, sh

COMMANDS = ("state", "start", "kill", "delete", "exec", "ps", "pause", "resume", "update", "events", "wait")


@contextlib.contextmanager
def created(*args, **kw):
    b = Bundle(*(args or FOREVER), **kw).create()
    try:
        yield b
    finally:
        picket("delete", "--force", b.id)
        with contextlib.suppress(ChildProcessError):
            reap(b.pid)


@contextlib.contextmanager
def stopped(text="exit 0", **kw):
    b = sh(text, **kw).create().start()
    status = b.end()
    try:
        yield b, status
    finally:
        picket("delete", "--force", b.id)


# ---- Commands and states ---------------------------------------------------------------------------------------------------
def test_spec_unknown_ids():
    for command in COMMANDS:
        more = ["true"] if command == "exec" else ["--stats"] if command == "events" else []
        args = [command, *more, "no-such-id"] if command == "events" else [command, "no-such-id", *more]
        refused(*args, words=["no-such-id", "does not exist"])
    expect(picket("delete", "--force", "no-such-id").stderr == "", "delete --force is content")


def test_spec_no_id():
    for command in COMMANDS + ("create", "run"):
        done = picket(command, status=None)
        expect(done.returncode not in (0, 2 ** 7 + 11) and done.stderr.strip(), "%s without an id: %r" % (command, done))


def test_spec_state_of_created():
    with created() as b:
        s = b.state()
        expect(s["status"] == "created" and s["pid"] == b.pid and s["id"] == b.id and s["bundle"] == b.dir, s)
        expect(re.match(r"1\.\d+\.\d+", s["ociVersion"]), s)
        expect(os.path.exists("/proc/%d" % s["pid"]), "a process of the host")


def test_spec_state_of_stopped():
    with stopped("exit 3") as (b, status):
        s = b.state()
        expect(os.WEXITSTATUS(status) == 3 and s["status"] == "stopped" and s.get("pid", 0) == 0, s)


def test_spec_start_twice():
    with running() as b:
        refused("start", b.id, words=["already"])
        expect(b.status() == "running", "it goes on")


def test_spec_start_of_stopped():
    with stopped() as (b, _):
        refused("start", b.id, words=["stopped"])
        expect(b.status() == "stopped", "it stays so")


def test_spec_create_of_an_id_in_use():
    with running() as b:
        for command in ("create", "run"):
            done = picket(command, "--bundle", b.dir, b.id, status=1)
            expect("already exists" in done.stderr, done)
        expect(b.status() == "running", "the first one goes on")
    with stopped() as (b, _):
        refused("create", "--bundle", b.dir, b.id, words=["already exists"])


def test_spec_delete_of_running():
    with running() as b:
        refused("delete", b.id, words=[b.id])
        expect(b.status() == "running", "nothing has changed")
        picket("delete", "--force", b.id)
        refused("state", b.id, words=["does not exist"])


def test_spec_delete_twice():
    with stopped() as (b, _):
        picket("delete", b.id)
        refused("delete", b.id, words=["does not exist"])
        picket("delete", "--force", b.id)


def test_spec_kill_of_stopped():
    with stopped() as (b, _):
        for sig in ("KILL", "TERM", "0"):
            refused("kill", b.id, sig, words=["container not running"])
        expect(b.status() == "stopped", "nothing has changed")


def test_spec_kill_created():
    with created() as b:
        expect(os.WTERMSIG(b.kill("KILL")) == signal.SIGKILL and b.status() == "stopped", "killed")


def test_spec_every_signal():
    """Each that ends a process ends this one, by number, name and the name without SIG."""
    for sig in (1, 2, 3, 6, 9, 10, 12, 13, 14, 15):
        name = signal.Signals(sig).name
        for how in (str(sig), name, name[3:]):
            if (sig + len(how)) % 3:
                continue
            b = Bundle("sleep", "100").create().start()
            expect(os.WTERMSIG(b.kill(how)) == sig, how)
            b.delete()


def test_spec_bad_signals():
    with running() as b:
        for bad in ("65", "-1", "FROB", "SIGFROB", "", "9x"):
            picket("kill", b.id, bad, status=1)
        expect(b.status() == "running", "it goes on")


def test_spec_kill_without_a_signal_is_term():
    b = sh("trap 'exit 4' TERM; echo up; while :; do sleep 0.1; done").create().start()
    b.output("up")
    picket("kill", b.id)
    expect(os.WEXITSTATUS(b.end()) == 4, "SIGTERM")
    b.delete()


def test_spec_exec_in_stopped():
    with stopped() as (b, _):
        refused("exec", b.id, "true", words=["not running"])


def test_spec_pause_of_others():
    with created() as b:
        refused("pause", b.id, words=["created"])
    with stopped() as (b, _):
        refused("pause", b.id, words=["stopped"])
        refused("resume", b.id, words=["stopped"])


def test_spec_update_of_stopped():
    with stopped() as (b, _):
        refused("update", "--memory", "100000000", b.id, words=["not running"])


def test_spec_ps_of_stopped():
    with stopped() as (b, _):
        refused("ps", b.id, words=["not running"])


# ---- list beside create ----------------------------------------------------------------------------------------------------
def test_spec_list_beside_create():
    """Who looks at all containers does not take away the directory of one that is being made."""
    done = threading.Event()

    def look():
        while not done.is_set():
            picket("list", "-q")
    lookers = [threading.Thread(target=look) for _ in range(3)]
    for t in lookers:
        t.start()
    try:
        for _ in range(12):
            b = Bundle("true").create()
            b.delete("--force")
            reap(b.pid)
    finally:
        done.set()
        for t in lookers:
            t.join()


# ---- update without a cgroup -----------------------------------------------------------------------------------------------
def test_spec_update_without_a_cgroup():
    """An ordinary user's container: the sentry keeps memory and pids; what only a cgroup could keep is refused."""
    if os.geteuid() != 0:
        return
    b = Bundle("sleep", "100")
    b.write()
    root, user = b.dir + "/root", {"user": 65534, "group": 65534, "extra_groups": []}
    os.mkdir(root)
    os.chown(root, 65534, 65534)
    subprocess.run([at.picket, "--root", root, "--platform", at.platform, "run", "--detach", "--bundle", b.dir, b.id], check=True, cwd="/",
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=40 * at.scale, **user)
    pid = json.loads(picket("state", b.id, root=root, **user).stdout)["pid"]
    refused("update", "--cpu-quota", "50000", b.id, words=["cpu.quota", "no cgroup"], root=root, **user)
    refused("update", "--cpuset-cpus", "0", b.id, words=["cpu.cpus", "no cgroup"], root=root, **user)
    picket("update", "--memory", "100000000", "--pids-limit", "50", b.id, root=root, **user)
    picket("delete", "--force", b.id, root=root, **user)
    with contextlib.suppress(ChildProcessError):
        reap(pid)


# ---- process ---------------------------------------------------------------------------------------------------------------
def test_spec_cwd_is_made():
    b = Bundle("pwd", own_root=True, cwd="/srv/work/here")
    expect(b.run().stdout == "/srv/work/here\n" and os.path.isdir(b.rootfs + "/srv/work/here"), "made")
    b.process["user"] = {"uid": 1000, "gid": 1000}
    b.process["cwd"] = "/srv/other"
    expect(b.run().stdout == "/srv/other\n" and os.stat(b.rootfs + "/srv/other").st_uid == os.geteuid(), "as root")


def test_spec_cwd_of_exec_is_not():
    with running() as b:
        refused("exec", "--cwd", "/not/there", b.id, "pwd", words=["/not/there"])


def test_spec_umask():
    for umask, shown in ((None, "0022"), (0o77, "0077"), (0, "0000")):
        user = {"uid": 0, "gid": 0}
        if umask is not None:
            user["umask"] = umask
        expect(sh("umask", user=user).run().stdout == shown + "\n", shown)


def test_spec_groups():
    out = sh("id -G", user={"uid": 5, "gid": 6, "additionalGids": [7, 8, 1000]}).run().stdout
    expect(sorted(map(int, out.split())) == [6, 7, 8, 1000], out)


def test_spec_rlimits():
    b = sh("ulimit -n; ulimit -Hn; cat /proc/self/limits", rlimits=[{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 2000},
                                                                     {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}])
    out = b.run().stdout
    expect(out.startswith("100\n2000\n") and re.search(r"Max core file size +0 +0 ", out), out)


def test_spec_oom_score_adj():
    for value in (-500, 0, 777):
        expect(sh("cat /proc/self/oom_score_adj", oomScoreAdj=value).run().stdout == "%d\n" % value, value)


def test_spec_capabilities():
    b = sh("grep Cap /proc/self/status", capabilities={"bounding": ["CAP_KILL", "CAP_CHOWN"], "effective": ["CAP_KILL"],
                                                        "permitted": ["CAP_KILL", "CAP_CHOWN"], "inheritable": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN"]},
           user={"uid": 1, "gid": 1})
    found = dict(line.split() for line in b.run().stdout.splitlines())
    expect(int(found["CapBnd:"], 16) == 1 << 5 | 1 and int(found["CapAmb:"], 16) == 1 and int(found["CapInh:"], 16) == 1, found)


def test_spec_no_new_privileges():
    for value in (True, False):
        expect("NoNewPrivs:\t%d" % value in sh("cat /proc/self/status", noNewPrivileges=value).run().stdout, value)


def test_spec_args():
    for name in ("", "/bin/", "./bin/", "bin/"):
        expect(Bundle(name + "echo", "a b", "", "c").run().stdout == "a b  c\n", name)


def test_spec_env_is_all_there_is():
    """But for HOME, which every runtime sets where it is missing."""
    out = Bundle("env", env=["PATH=/bin", "ONLY=this"]).run().stdout
    expect(set(out.splitlines()) - {"SHLVL=1", "PWD=/"} == {"PATH=/bin", "ONLY=this", "HOME=/"}, out)


# ---- exec ------------------------------------------------------------------------------------------------------------------
def test_spec_exec_environment():
    with running(env=["PATH=/bin", "A=1", "B=2"]) as b:
        out = picket("exec", "--env", "B=3", "--env", "C=4", b.id, "env").stdout.splitlines()
        expect({"A=1", "B=3", "C=4"} <= set(out) and "B=2" not in out, out)


def test_spec_exec_user_and_groups():
    with running() as b:
        out = picket("exec", "--user", "1000:1001", "--additional-gids", "7", "--additional-gids", "8", b.id, "id").stdout
        expect(re.match(r"uid=1000 gid=1001 groups=(1001,)?7,8$", re.sub(r"\(.*?\)", "", out).strip()), out)
        expect(picket("exec", "--user", "9", b.id, "id", "-u").stdout == "9\n", "a user alone")
        for bad in ("root", "1:", ":1", "-1", "1:2:3", "4294967296"):
            refused("exec", "--user", bad, b.id, "true", words=["--user"])


def test_spec_exec_capabilities():
    with running(capabilities={}) as b:
        out = picket("exec", "--cap", "CAP_NET_RAW", b.id, "grep", "Cap", "/proc/self/status").stdout
        found = dict(line.split() for line in out.splitlines())
        expect(int(found["CapEff:"], 16) == int(found["CapBnd:"], 16) == 1 << 13, out)


def test_spec_exec_exit_status():
    with running() as b:
        for status in (0, 1, 42, 255):
            picket("exec", b.id, "sh", "-c", "exit %d" % status, status=status)
        picket("exec", b.id, "sh", "-c", "kill -TERM $$", status=128 + 15)


def test_spec_exec_stdio():
    with running() as b:
        done = picket("exec", b.id, "sh", "-c", "cat; echo err >&2", stdin=None, input="through\n")
        expect(done.stdout == "through\n" and done.stderr == "err\n", done)


def test_spec_exec_missing_program():
    with running() as b:
        refused("exec", b.id, "no-such-program", words=["executable file not found in $PATH"])
        refused("exec", b.id, "/no/such", words=["no such file or directory"])
        refused("exec", b.id, "/etc/passwd", words=["permission denied"])


def test_spec_exec_process_and_options():
    with running() as b:
        path = b.dir + "/p.json"
        json.dump({"args": ["sh", "-c", "id -u; pwd; echo $V"], "cwd": "/data", "env": ["PATH=/bin", "V=from-file"], "user": {"uid": 3, "gid": 4}}, open(path, "w"))
        expect(picket("exec", "--process", path, b.id).stdout == "3\n/data\nfrom-file\n", "as the file says")
        refused("exec", "--process", "/no/such.json", b.id, words=["/no/such.json"])
        refused("exec", b.id, words=["program"])


def test_spec_exec_no_new_privs():
    with running() as b:
        expect("NoNewPrivs:\t1" in picket("exec", "--no-new-privs", b.id, "cat", "/proc/self/status").stdout, "set")


def test_spec_exec_pid_file():
    with running() as b:
        path = b.dir + "/exec.pid"
        done = subprocess.run([at.picket, "--root", at.root, "--platform", at.platform, "exec", "--detach", "--pid-file", path, b.id, "sleep", "100"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=40 * at.scale)
        pid = int(open(path).read())
        expect(done.returncode == 0 and os.path.exists("/proc/%d" % pid), "a process of the host")
        os.kill(pid, signal.SIGKILL)
        expect(os.WTERMSIG(reap(pid)) == signal.SIGKILL, "ends")


# ---- ps and events ---------------------------------------------------------------------------------------------------------
def test_spec_ps():
    with running("sh", "-c", "sleep 100 & echo up; wait") as b:
        pids, until = [], time.monotonic() + 30
        # One that is just between two programs has no process of the host.
        while len(pids) < 2 and time.monotonic() < until:
            pids = json.loads(picket("ps", "--format", "json", b.id).stdout)
        expect(len(pids) == 2 and all(os.path.exists("/proc/%d" % p) for p in pids), pids)
        table = picket("ps", b.id).stdout.splitlines()
        expect("PID" in table[0] and len(table) == 3, table)
        table = picket("ps", b.id, "-o", "pid").stdout.split()
        expect(table[0] == "PID" and sorted(map(int, table[1:])) == sorted(pids), table)
        refused("ps", "--format", "frob", b.id, words=["frob"])


def test_spec_events_stats():
    with running() as b:
        event = json.loads(picket("events", "--stats", b.id).stdout)
        expect(event["type"] == "stats" and event["id"] == b.id and "memory" in event["data"] and "cpu" in event["data"], event)


# ---- hooks -----------------------------------------------------------------------------------------------------------------
def noted(path, word):
    return {"path": "/bin/sh", "args": ["sh", "-c", "echo %s >> %s" % (word, path)]}


def test_spec_hooks_in_order():
    """Of one point in the order of the list, and the points one after the other."""
    b = sh("echo program >> /data/order", own_root=True)
    path = b.rootfs + "/data/order"
    b.config["hooks"] = {point: [noted("/data/order" if point == "startContainer" else path, point + str(i)) for i in (1, 2)]
                         for point in ("poststop", "startContainer", "createContainer", "createRuntime", "prestart")}
    for hook in b.config["hooks"]["startContainer"]:
        hook["env"] = ["PATH=/bin"]
    b.create().start().end()
    b.delete()
    want = [p + i for p in ("prestart", "createRuntime", "createContainer", "startContainer") for i in "12"]
    got = open(path).read().split()
    expect(got == want + ["program", "poststop1", "poststop2"], got)


def test_spec_hook_sees_the_state():
    b = Bundle("true")
    path = b.dir + "/state-%s"
    b.config["annotations"] = {"a": "b"}
    b.config["hooks"] = {p: [{"path": "/bin/sh", "args": ["sh", "-c", "cat > " + path % p]}] for p in ("createRuntime", "poststart", "poststop")}
    b.create().start().end()
    b.delete()
    for point, status in (("createRuntime", ("creating", "created")), ("poststart", ("running",)), ("poststop", ("stopped",))):
        state = json.load(open(path % point))
        expect(state["status"] in status and state["id"] == b.id and state["bundle"] == b.dir and state["annotations"] == {"a": "b"}, (point, state))


def test_spec_hook_environment_is_its_own():
    b = Bundle("true")
    b.config["hooks"] = {"createRuntime": [{"path": "/usr/bin/env", "args": ["env"], "env": ["ONLY=this"]}]}
    b.config["hooks"]["createRuntime"][0] = {"path": "/bin/sh", "args": ["sh", "-c", "/usr/bin/env > %s/env" % b.dir], "env": ["ONLY=this"]}
    b.create()
    got = set(open(b.dir + "/env").read().split()) - {"PWD=" + b.dir, "PWD=/", "SHLVL=0", "_=/usr/bin/env"}
    expect({g for g in got if not g.startswith("PWD=")} == {"ONLY=this"}, got)
    b.delete("--force")
    reap(b.pid)


def test_spec_failing_poststart_ends_it():
    b = Bundle(*FOREVER)
    b.config["hooks"] = {"poststart": [{"path": "/bin/false"}]}
    b.create()
    refused("start", b.id, words=["hooks.poststart"])
    b.end()
    expect(b.status() == "stopped", "ended")
    b.delete()


def test_spec_failing_create_leaves_nothing():
    for hook in ({"path": "/bin/false"}, {"path": "/bin/sh", "args": ["sh", "-c", "kill -9 $$"]}):
        b = Bundle("true")
        b.config["hooks"] = {"createRuntime": [hook]}
        b.write()
        refused("create", "--bundle", b.dir, "--pid-file", b.dir + "/pid", b.id, words=["hooks.createRuntime"])
        refused("state", b.id, words=["does not exist"])
        expect(not os.path.exists(b.dir + "/pid"), "no pid file")


# ---- mounts ----------------------------------------------------------------------------------------------------------------
def options_of(*options, kind="tmpfs"):
    b = sh("grep ' /mnt/m ' /proc/mounts", own_root=True)
    if kind == "bind":
        os.mkdir(b.dir + "/source")
        b.mount("/mnt/m", "bind", b.dir + "/source", *options)
    else:
        b.mount("/mnt/m", kind, kind, *options)
    return b.run().stdout.split()[3].split(",")


def test_spec_mount_flags():
    for given, shown in ((["ro"], ["ro"]), (["rw"], ["rw"]), (["ro", "rw"], ["rw"]), (["nosuid", "nodev", "noexec"], ["nosuid", "nodev", "noexec"]),
                         (["nosuid", "suid"], []), (["defaults"], ["rw"]), (["rro"], ["ro"])):
        for kind in ("tmpfs", "bind"):
            got = options_of(*(["rbind"] if kind == "bind" else []), *given, kind=kind)
            expect(set(shown) <= set(got) and ("nosuid" in got) == ("nosuid" in shown), (kind, given, got))


def test_spec_noexec_is_kept():
    b = sh("cp /bin/busybox /mnt/m/x; /mnt/m/x true", own_root=True)
    os.symlink("busybox", b.rootfs + "/bin/cp")
    b.mount("/mnt/m", "tmpfs", "tmpfs", "noexec")
    expect("ermission denied" in b.run(status=126).stderr, "noexec")


def test_spec_mounts_that_are_refused():
    for mount, word in (({"type": "tmpfs"}, "destination"), ({"destination": "/x", "type": "frobfs", "source": "x"}, "frobfs"),
                        ({"destination": "/x", "type": "bind"}, "source"),
                        ({"destination": "/x", "type": "bind", "source": "/tmp", "options": ["bind"], "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]},
                         "uidMappings")):
        b = Bundle("true")
        b.config["mounts"].append(mount)
        b.write()
        refused("create", "--bundle", b.dir, b.id, words=[word])


def test_spec_relative_bind_source():
    b = sh("cat /mnt/m/f", own_root=True)
    os.mkdir(b.dir + "/beside")
    open(b.dir + "/beside/f", "w").write("relative\n")
    b.mount("/mnt/m", "bind", "beside", "bind")
    expect(b.run().stdout == "relative\n", "from the bundle")


def test_spec_read_only_root():
    for read_only, status in ((True, 1), (False, 0)):
        b = sh("touch /new", own_root=True)
        b.config["root"]["readonly"] = read_only
        b.run(status=status)


def test_spec_masked_directory_is_empty_and_read_only():
    b = sh("ls /data; touch /data/x || echo read-only", own_root=True)
    open(b.rootfs + "/data/secret", "w").write("x")
    b.config["linux"]["maskedPaths"] = ["/data"]
    expect(b.run().stdout == "read-only\n", "masked")


def test_spec_root_path_relative_and_missing():
    b = sh("echo fine", own_root=True)
    b.config["root"]["path"] = "rootfs"
    expect(b.run().stdout == "fine\n", "relative")
    b.config["root"]["path"] = "no/such"
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["root.path", "no such file or directory"])


# ---- The command line ------------------------------------------------------------------------------------------------------
def test_spec_root_option_anywhere():
    b = Bundle("true")
    b.write()
    for root in (b.dir + "/deep/er/root", b.dir + "/with space", b.dir + "/r//oo/../oo", b.dir + "/" + "l" * 150):
        os.makedirs(os.path.dirname(os.path.normpath(root)), exist_ok=True)
        expect(picket("run", "--bundle", b.dir, b.id, root=root).stdout == "", root)
        expect(picket("list", "-q", root=root).stdout == "", root)
    expect(picket("list", "-q", root="rel", cwd=b.dir).stdout == "", "relative")


def test_spec_bundle_is_the_working_directory():
    b = sh("echo here")
    b.write()
    expect(picket("run", b.id, cwd=b.dir).stdout == "here\n", "without --bundle")


def test_spec_log_formats():
    b = Bundle("no-such-program")
    b.write()
    for form in ("text", "json"):
        log = b.dir + "/log-" + form
        picket("--log", log, "--log-format", form, "create", "--bundle", b.dir, b.id, status=1)
        text = open(log).read()
        expect("executable file not found" in text and (form == "text" or json.loads(text.splitlines()[-1])["level"] == "error"), text)
    picket("--log-format", "frob", "list", status=1)


def test_spec_long_and_short_options():
    b = sh("echo fine")
    b.write()
    for option in (["--bundle", b.dir], ["-b", b.dir], ["--bundle=" + b.dir]):
        expect(picket("run", *option, b.id).stdout == "fine\n", option)


def test_spec_pid_file_that_cannot_be_made():
    b = Bundle("true")
    b.write()
    refused("create", "--bundle", b.dir, "--pid-file", "/no/such/dir/pid", b.id, words=["--pid-file"])
    refused("state", b.id, words=["does not exist"])


def test_spec_features_say_what_is_true():
    features = json.loads(picket("features").stdout)["linux"]
    for action in features["seccomp"]["actions"]:
        b = sh("echo fine")
        b.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["reboot"], "action": action}]}
        expect(b.run().stdout == "fine\n", action)
    for kind in features["namespaces"]:
        b = sh("echo fine")
        b.config["linux"]["namespaces"] = [{"type": kind}]
        if kind == "user":
            b.config["linux"]["uidMappings"] = b.config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
        expect(b.run().stdout == "fine\n", kind)
    for option in json.loads(picket("features").stdout)["mountOptions"]:
        b = sh("echo fine", own_root=True)
        os.mkdir(b.dir + "/source")
        b.mount("/mnt/m", "bind" if "bind" in option else "tmpfs", b.dir + "/source", option)
        expect(b.run().stdout == "fine\n", option)
