# SPDX-License-Identifier: Apache-2.0
"""Commands, ids, states, ends, signals."""
import json
import os
import re
import select
import shutil
import signal
import subprocess
import time

from processes import descendants, proc_name, proc_stat
from runtime import at, picket, refused, expect, Bundle, reap, running, FOREVER, sh


# ---- Commands that need no container ---------------------------------------------------------------------------------------
def test_version():
    out = picket("--version").stdout
    expect(re.match(r"picket version \d+\.\d+\.\d+\nspec: 1\.\d+\.\d+\n$", out), out)


def test_features():
    f = json.loads(picket("features").stdout)
    expect(f["ociVersionMin"] == "1.0.0" and f["linux"]["seccomp"]["enabled"] is True, f)
    expect("startContainer" in f["hooks"] and "prestart" in f["hooks"], f["hooks"])


def test_spec():
    b = Bundle()
    picket("spec", "--bundle", b.dir)
    config = json.load(open(b.dir + "/config.json"))
    expect(config["process"]["args"] == ["sh"], config)
    refused("spec", "--bundle", b.dir, words=["config.json", "file exists"])


def test_spec_rootless():
    b = Bundle()
    picket("spec", "--rootless", "--bundle", b.dir)
    config = json.load(open(b.dir + "/config.json"))
    expect({"type": "user"} in config["linux"]["namespaces"], config)
    expect(config["linux"]["uidMappings"] == [{"containerID": 0, "hostID": os.geteuid(), "size": 1}], config)
    config["root"] = {"path": b.rootfs, "readonly": True}
    config["process"].update(terminal=False, args=["stat", "-c", "%u", "/etc/passwd"])
    b.config = config
    expect(b.run().stdout == "0\n", "runs")


def test_spec_can_be_run():
    b = Bundle()
    picket("spec", "--bundle", b.dir)
    b.config = json.load(open(b.dir + "/config.json"))
    b.config["root"] = {"path": b.rootfs, "readonly": True}
    b.process.update(terminal=False, args=["sh", "-c", "echo from spec; touch /x"])
    done = b.run(status=1)
    expect("from spec" in done.stdout and "Read-only file system" in done.stderr, done)


def test_unknown_command_and_option():
    refused("frobnicate", words=["frobnicate"], status=125)
    refused("list", "--frobnicate", words=["unknown option", "--frobnicate"])
    refused("create", words=["usage"])
    refused("start", "a", "b", words=["usage"])


def test_checkpoint_is_not_supported():
    refused("checkpoint", "--image-path", "/tmp/x", "some-id", words=["not supported"])
    refused("restore", "some-id", words=["not supported"])


def test_global_options():
    expect(picket("--debug", "--systemd-cgroup", "--rootless=false", "--log-format=text", "list", "-q").stdout == "", "list")
    refused("--log-format", "xml", "list", words=["--log-format", "xml"])
    refused("--log", "/no/such/dir/log", "list", words=["/no/such/dir/log", "no such file or directory"])
    refused("--rootless=maybe", "list", words=["--rootless", "maybe"])


def test_delete_force_past_a_standing_init():
    """An init that stands still while it has the container's lock, as one that is stopped just then: here in the note of its end."""
    b = Bundle(*FOREVER).create().start()
    os.mkfifo(os.path.join(at.root, b.id, "state.json.new"))
    picket("kill", b.id, "KILL")
    limit = time.monotonic() + 20 * at.scale
    while "FLOCK  ADVISORY  WRITE %d " % b.pid not in open("/proc/locks").read() and time.monotonic() < limit:
        time.sleep(0.01)
    b.delete("--force")
    expect(os.WTERMSIG(b.end()) == signal.SIGKILL, "by force")


# ---- Ids -------------------------------------------------------------------------------------------------------------------
def test_bad_ids():
    b = Bundle("true")
    b.write()
    for bad in ("", "a/b", "..", ".x", "a b", "x" * 1000, "a\nb", "\x1b[31m", "ü"):
        for command in (["create", "--bundle", b.dir], ["state"], ["start"], ["delete"], ["exec", "-d"]):
            words = ["invalid container id"]
            args = command + [bad] + (["true"] if command[0] == "exec" else [])
            refused(*args, words=words)


def test_good_ids():
    for good in ("a", "_x", "-x"[1:], "a.b-c_d+e", "x" * 255, "0"):
        b = Bundle("true")
        b.id = good
        b.create()
        expect(b.status() == "created", good)
        b.delete("--force")
        reap(b.pid)


def test_unknown_container():
    for args in (["state"], ["start"], ["kill"], ["delete"], ["ps"], ["pause"], ["resume"], ["wait"], ["events", "--stats"], ["update"]):
        refused(*args, "nobody", words=["nobody", "does not exist"])
    refused("exec", "nobody", "true", words=["does not exist"])
    picket("delete", "--force", "nobody")
    picket("delete", "--force", "nobody", root="/no/such/root")
    refused("state", "nobody", root="/no/such/root", words=["does not exist"])


# ---- The life of a container -----------------------------------------------------------------------------------------------
def test_states():
    b = Bundle(*FOREVER).create()
    s = b.state()
    expect(s["status"] == "created" and s["pid"] == b.pid and s["bundle"] == b.dir and s["id"] == b.id, s)
    expect(b.output() == "", "it runs before start")
    b.start()
    expect("up" in b.output("up") and b.status() == "running", "running")
    refused("start", b.id, words=["already running"])
    refused("delete", b.id, words=["not stopped"])
    expect(os.WTERMSIG(b.kill()) == signal.SIGKILL, "the init ends by the same signal")
    s = b.state()
    expect(s["status"] == "stopped" and s["pid"] == 0, s)
    refused("start", b.id, words=["stopped"])
    refused("kill", b.id, "TERM", words=["container not running"])
    picket("kill", "--all", b.id, "KILL")
    refused("exec", b.id, "true", words=["container not running"])
    refused("ps", b.id, words=["container not running"])
    refused("pause", b.id, words=["stopped"])
    b.delete()
    refused("delete", b.id, words=["does not exist"])
    b.delete("--force")


def test_exit_status():
    for code in (0, 1, 42, 255):
        b = sh("exit %d" % code).create().start()
        expect(os.WEXITSTATUS(b.end()) == code, "exit %d" % code)
        expect(picket("wait", b.id).stdout == "%d\n" % code, "wait")
        w = json.loads(picket("wait", "--json", b.id).stdout)
        told = {"id": b.id, "exit": code, "signal": 0, "cause": "exited"}
        expect(told.items() <= w.items() and w["wall"] > 0, w)
        b.delete()


def test_end_by_signal():
    for sig in (signal.SIGTERM, signal.SIGSEGV, signal.SIGUSR1):
        b = sh("kill -%d $$; sleep 5" % sig).create().start()
        status = b.end()
        expect(os.WIFSIGNALED(status) and os.WTERMSIG(status) == sig, "signal %d: %x" % (sig, status))
        w = json.loads(picket("wait", "--json", b.id).stdout)
        expect(w["signal"] == sig and w["exit"] == 128 + sig and w["cause"] == "signal", w)
        b.delete()


def test_run():
    done = sh("echo out; echo err >&2; exit 3").run(status=3)
    expect(done.stdout == "out\n" and done.stderr == "err\n", done)
    expect(sh("kill -9 $$").run(status=137).stdout == "", "signal")


def test_run_detached():
    b = Bundle(*FOREVER)
    b.write()
    with open(b.out, "w") as out:
        subprocess.run([at.picket, "--root", at.root, "--platform", at.platform, "run", "-d", "--bundle", b.dir, "--pid-file", b.dir + "/pid",
                        b.id], stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=40 * at.scale, check=True)
    b.pid = int(open(b.dir + "/pid").read())
    expect("up" in b.output("up") and b.status() == "running", "running")
    b.kill()
    b.delete()


def test_run_keep():
    b = sh("exit 4")
    b.run(status=4, options=["--keep"])
    expect(b.status() == "stopped", "kept")
    b.delete()


def test_second_create_of_an_id():
    with running() as b:
        refused("create", "--bundle", b.dir, b.id, words=["already exists"])
        expect(b.status() == "running", "the first goes on")


def test_two_roots_are_apart():
    other = os.path.join(at.base, "other-root")
    with running() as b:
        refused("state", b.id, root=other, words=["does not exist"])
        expect(picket("list", "-q", root=other).stdout == "" if os.path.exists(other) else True, "list")
    shutil.rmtree(other, ignore_errors=True)


def test_list():
    with running() as b:
        expect(picket("list", "-q").stdout == b.id + "\n", "quiet")
        found = json.loads(picket("list", "--format", "json").stdout)
        expect(len(found) == 1 and found[0]["id"] == b.id and found[0]["status"] == "running", found)
        table = picket("list").stdout.splitlines()
        expect(table[0].split()[:3] == ["ID", "PID", "STATUS"] and b.id in table[1] and "running" in table[1], table)
        refused("list", "--format", "xml", words=["xml"])
    expect(picket("list", "-f", "json").stdout == "[]\n", "none")


def sentry_of(b):
    return next(pid for pid in descendants(b.pid) if proc_name(pid) == "picket-sentry")


def test_init_is_ours():
    """The pid of the pid file is a child of the nearest subreaper, and holds none of our descriptors."""
    with running() as b:
        stat = proc_stat(b.pid)
        expect(int(stat[1]) == os.getpid(), "parent: %r" % stat)
        for fd in ("0", "1", "2"):
            expect(os.readlink("/proc/%d/fd/%s" % (b.pid, fd)) == "/dev/null", "descriptor " + fd)
        if os.geteuid() == 0:
            sentry = sentry_of(b)
            held = [os.readlink("/proc/%d/fd/%s" % (sentry, fd)) for fd in os.listdir("/proc/%d/fd" % sentry)]
            paths = {name for name in held if name.startswith("/") and not name.startswith(("/memfd:", "/dev/", b.rootfs))}
            expect(paths == {b.out, b.out + ".err", os.path.join(at.root, b.id, "log")}, "the sentry holds %r" % paths)


def test_stdout_closes_with_the_program():
    """Nothing of ours keeps the caller's pipe open once the program has ended."""
    b = sh("echo bye")
    b.write()
    r, w = os.pipe()
    subprocess.run([at.picket, "--root", at.root, "--platform", at.platform, "create", "--bundle", b.dir, "--pid-file", b.dir + "/pid", b.id],
                   stdin=subprocess.DEVNULL, stdout=w, stderr=w, timeout=40 * at.scale, check=True)
    os.close(w)
    b.pid = int(open(b.dir + "/pid").read())
    b.start()
    got = b""
    while select.select([r], [], [], 20 * at.scale)[0]:
        data = os.read(r, 4096)
        if not data:
            break
        got += data
    else:
        raise AssertionError("the pipe stays open")
    os.close(r)
    expect(got == b"bye\n", got)
    b.end()
    b.delete()


def test_killed_init_ends_all():
    b = Bundle(*FOREVER).create().start()
    b.output("up")
    os.kill(b.pid, signal.SIGKILL)
    b.end()
    s = b.state()
    expect(s["status"] == "stopped" and s["pid"] == 0, s)
    expect(json.loads(picket("wait", "--json", b.id).stdout)["cause"] == "host", "cause")
    b.delete()


def test_killed_sentry():
    b = Bundle(*FOREVER).create().start()
    b.output("up")
    os.kill(sentry_of(b), signal.SIGKILL)
    expect(os.WTERMSIG(b.end()) == signal.SIGKILL, "as if killed")
    expect(b.status() == "stopped", "stopped")
    b.delete()


def test_killed_and_stopped_parts():
    """Whichever process of ours is killed or stopped: delete --force ends all in time, and the id can be used again."""
    for name in ("picket-init", "picket-sentry", "picket-gofer", "picket-stub"):
        for sig in (signal.SIGKILL, signal.SIGSTOP):
            b = Bundle(*FOREVER).create().start()
            b.output("up")
            victims = [pid for pid in [b.pid] + descendants(b.pid) if proc_name(pid) == name]
            os.kill(victims[-1], sig)
            started = time.monotonic()
            b.delete("--force")
            expect(time.monotonic() - started < 10 * at.scale, "%s, signal %d: too long" % (name, sig))
            reap(b.pid)
            expect(not os.path.exists(os.path.join(at.root, b.id)), "its directory")
            b.create()
            b.delete("--force")
            reap(b.pid)


def test_kill_of_a_sentry_that_stands_still():
    b = Bundle(*FOREVER).create().start()
    b.output("up")
    os.kill(sentry_of(b), signal.SIGSTOP)
    refused("kill", b.id, "TERM", words=["does not answer"])
    b.kill("KILL")
    b.delete()


def test_killed_creates():
    """kill -9 of `create` at any time: the id can be used again, and nothing runs on."""
    for delay in (0.002, 0.005, 0.008, 0.011, 0.014, 0.017, 0.02, 0.025, 0.03, 0.04):
        b = Bundle(*FOREVER)
        b.write()
        p = subprocess.Popen([at.picket, "--root", at.root, "--platform", at.platform, "create", "--bundle", b.dir, b.id],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        p.kill()
        p.wait()
        picket("delete", "--force", b.id)
        b.create()
        b.delete("--force")
        reap(b.pid)


def test_remains_of_a_create():
    """A directory without a state is what a create that was killed leaves: the next one takes it, delete --force too."""
    b = Bundle("true")
    os.makedirs(os.path.join(at.root, b.id), exist_ok=True)
    refused("state", b.id, words=["does not exist"])
    b.create()
    b.delete("--force")
    reap(b.pid)
    os.mkdir(os.path.join(at.root, b.id))
    picket("delete", "--force", b.id)
    expect(not os.path.exists(os.path.join(at.root, b.id)), "gone")


def test_damaged_state():
    with running() as b:
        path = os.path.join(at.root, b.id, "state.json")
        good = open(path).read()
        for bad, word in (("{", "state.json"), ("[]", "not a JSON object"), ('{"version": 2}', "version"),
                          (good.replace('"running"', '"flying"'), "damaged"), (good.replace('"pid": ', '"pid": -'), "damaged")):
            open(path, "w").write(bad)
            refused("state", b.id, words=[word])
        open(path, "w").write(good)


def test_delete_created():
    b = Bundle("true").create()
    refused("delete", b.id, words=["not stopped"])
    b.delete("--force")
    expect(os.WTERMSIG(b.end()) == signal.SIGKILL, "killed")


# ---- kill ------------------------------------------------------------------------------------------------------------------
TRAPS = ("sh", "-c", "trap 'echo got TERM' TERM; trap 'echo got USR1' USR1; trap 'echo got HUP; exit 9' HUP; echo up; "
                     "while :; do sleep 0.1; done")


def test_signals_by_name_and_number():
    b = Bundle(*TRAPS).create().start()
    b.output("up")
    for word in ("TERM", "15", "SIGTERM", "sigterm"):
        before = b.output().count("got TERM")
        picket("kill", b.id, word)
        limit = time.monotonic() + 10 * at.scale
        while b.output().count("got TERM") == before and time.monotonic() < limit:
            time.sleep(0.02)
        expect(b.output().count("got TERM") == before + 1, word)
    picket("kill", b.id, "0")
    for bad in ("FROB", "65", "-1", "SIGFROB", "RTMIN+99"):
        expect("signal" in picket("kill", "--", b.id, bad, status=1).stderr, bad)
    os.kill(b.pid, signal.SIGUSR1)  # sent to the init by somebody on the host
    expect("got USR1" in b.output("got USR1"), "handed on")
    picket("kill", b.id, "HUP")
    expect(os.WEXITSTATUS(b.end()) == 9, "HUP")
    b.delete()


def test_kill_created():
    for sig, kills in (("TERM", True), ("KILL", True), ("CHLD", False)):
        b = sh("echo it ran").create()
        picket("kill", b.id, sig)
        if not kills:
            expect(b.status() == "created", "still there")
            b.start()
        status = b.end()
        expect(os.WIFSIGNALED(status) == kills, "%s: %x" % (sig, status))
        expect(("it ran" in b.output()) == (not kills), sig)
        b.delete()


def test_kill_all():
    with running("sh", "-c", "sleep 100 & trap '' TERM; echo up; wait; echo sleep is gone; sleep 100") as b:
        picket("kill", "--all", b.id, "TERM")
        expect("sleep is gone" in b.output("sleep is gone"), "the other one")


# ---- Places that cannot be used --------------------------------------------------------------------------------------------
def test_root_that_cannot_be_used():
    b = Bundle("true")
    b.write()
    file = b.dir + "/file"
    open(file, "w").close()
    refused("create", "--bundle", b.dir, b.id, root=file, words=[file])
    refused("create", "--bundle", b.dir, b.id, root="/proc/nothing", words=["/proc/nothing"])
    refused("create", "--bundle", b.dir, "--pid-file", "/no/such/dir/pid", b.id, words=["--pid-file", "no such file or directory"])
    refused("state", b.id, words=["does not exist"])


def test_long_root():
    """A control socket's path may be longer than a socket's address can be."""
    b = sh("exit 3")
    long = os.path.join(at.base, "l" * 100, "m" * 100)
    b.write()
    done = subprocess.run([at.picket, "--root", long, "--platform", at.platform, "run", "--bundle", b.dir, b.id], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=40 * at.scale)
    expect(done.returncode == 3, done)
    shutil.rmtree(os.path.join(at.base, "l" * 100))


def test_looks_while_it_ends():
    """A state that is read in the moment of the end is the old one or the new one, never a guess."""
    for _ in range(4):
        b = sh("exit 5").create()
        waits = [subprocess.Popen([at.picket, "--root", at.root, "wait", "--json", b.id], stdout=subprocess.PIPE, text=True) for _ in range(3)]
        b.start()
        for w in waits:
            told = json.loads(w.communicate(timeout=20 * at.scale)[0])
            expect((told["exit"], told["cause"]) == (5, "exited"), told)
        b.end()
        b.delete()
