# SPDX-License-Identifier: Apache-2.0
"""The fields of config.json: process, root, mounts, hooks; and what is refused or warned about."""
import json
import os
import re
import shutil
import signal
import stat

from runtime import at, picket, refused, expect, Bundle, reap, sh


# ---- process ---------------------------------------------------------------------------------------------------------------
def test_args_env_cwd():
    b = Bundle("sh", "-c", "echo $0 $1 $HOME; pwd; env", "a", "b c", env=["PATH=/bin", "HOME=/x", "EMPTY=", "WITH=a=b"], cwd="/data")
    out = b.run().stdout.splitlines()
    expect(out[0] == "a b c /x" and out[1] == "/data", out)
    expect({"EMPTY=", "WITH=a=b", "HOME=/x"} <= set(out) and not any(v.startswith("LANG") for v in out), out)


def test_user():
    b = sh("id; umask; touch /tmp/made; stat -c %a:%u:%g /tmp/made; rm -f /tmp/made", own_root=True, user={"uid": 1000, "gid": 1001, "umask": 63, "additionalGids": [5, 7]})
    out = b.run(status=0 if os.geteuid() == 0 else None).stdout.splitlines()
    expect("uid=1000 gid=1001" in out[0] and "groups=5,7" in out[0], out)
    owner = "1000:1001" if os.geteuid() == 0 else "%d:%d" % (os.geteuid(), os.getegid())  # who may not chown owns it
    expect(out[1] == "0077" and out[2] == "600:" + owner, out)
    expect(sh("umask").run().stdout == "0022\n", "default")


def test_capabilities():
    caps = ["CAP_CHOWN", "CAP_KILL"]
    b = Bundle("busybox", "grep", "Cap", "/proc/self/status", capabilities={"bounding": caps, "effective": caps, "permitted": caps})
    got = dict(line.split(":\t") for line in b.run().stdout.splitlines())
    expect(int(got["CapBnd"], 16) == 0b100001 and int(got["CapEff"], 16) == 0b100001 and int(got["CapInh"], 16) == 0, got)
    b = Bundle("busybox", "grep", "Cap", "/proc/self/status", capabilities={})
    got = dict(line.split(":\t") for line in b.run().stdout.splitlines())
    expect(all(int(v, 16) == 0 for v in got.values()), got)
    b = Bundle("busybox", "grep", "Cap", "/proc/self/status", user={"uid": 7, "gid": 7},
               capabilities={k: caps for k in ("bounding", "effective", "permitted", "inheritable", "ambient")})
    got = dict(line.split(":\t") for line in b.run().stdout.splitlines())
    expect(int(got["CapEff"], 16) == 0b100001 and int(got["CapAmb"], 16) == 0b100001, got)


def test_no_new_privileges():
    for wanted in (True, False):
        out = Bundle("busybox", "grep", "NoNewPrivs", "/proc/self/status", noNewPrivileges=wanted).run().stdout
        expect(out.split()[1] == str(int(wanted)), out)


def test_rlimits():
    b = sh("ulimit -n; ulimit -Hn; ulimit -c; ulimit -Hv", rlimits=[{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 4194304},
                                                     {"type": "RLIMIT_CORE", "soft": 18446744073709551615, "hard": 18446744073709551615}])
    expect(b.run().stdout.split() == ["100", "4194304", "unlimited", "unlimited"], "limits")


def test_oom_score_adj():
    expect(Bundle("cat", "/proc/self/oom_score_adj", oomScoreAdj=-500).run().stdout == "-500\n", "oom_score_adj")


def test_missing_programs():
    def message(*args, **kw):
        b = Bundle(*args, **kw)
        b.write()
        done = refused("create", "--bundle", b.dir, b.id)
        refused("state", b.id, words=["does not exist"])
        return done.stderr
    expect("executable file not found in $PATH" in message("no-such-program"), "PATH")
    expect("no such file or directory" in message("/no/such/program"), "path")
    expect("permission denied" in message("/etc/passwd"), "not executable")
    expect("permission denied" in message("/etc"), "a directory")
    expect("/etc/passwd" in message("true", cwd="/etc/passwd"), "cwd")


# ---- The root --------------------------------------------------------------------------------------------------------------
def test_root_is_written_through():
    b = sh("echo inside > /data/f; mkdir /data/d; chmod 600 /data/f; chown 12:34 /data/f; ln -s f /data/l", own_root=True)
    b.run()
    st = os.stat(b.rootfs + "/data/f")
    expect(open(b.rootfs + "/data/f").read() == "inside\n" and stat.S_IMODE(st.st_mode) == 0o600, "the host sees it")
    expect(os.geteuid() != 0 or (st.st_uid, st.st_gid) == (12, 34), "owner")
    expect(os.path.isdir(b.rootfs + "/data/d") and os.readlink(b.rootfs + "/data/l") == "f", "more")


def test_root_readonly():
    b = sh("touch /x; echo $?; touch /data/x; echo $?; touch /mnt/t/x; echo $?", own_root=True)
    b.config["root"]["readonly"] = True
    b.mount("/mnt/t", "tmpfs")
    done = b.run()
    expect(done.stdout.split() == ["1", "1", "0"] and "Read-only" in done.stderr, done)
    expect(not os.path.exists(b.rootfs + "/x") and os.path.isdir(b.rootfs + "/mnt/t"), "only the place was made")


def test_root_missing():
    b = Bundle("true")
    for path, word in (("/no/such/rootfs", "no such file or directory"), ("", "root.path"), (b.dir + "/config.json", "not a directory")):
        b.config["root"]["path"] = path
        b.write()
        refused("create", "--bundle", b.dir, b.id, words=["root.path", word])


def test_relative_root():
    b = sh("ls /data", own_root=True)
    b.config["root"]["path"] = "rootfs"
    b.run()


# ---- mounts ----------------------------------------------------------------------------------------------------------------
def test_bind_mounts():
    b = sh("cat /mnt/in/f /one; echo new > /mnt/in/g; echo no > /mnt/ro/g")
    source = b.dir + "/source"
    os.mkdir(source)
    open(source + "/f", "w").write("from the host\n")
    b.config["root"] = {"path": b.rootfs}
    b.mount("/mnt/in", "bind", source, "rbind", "rprivate")
    b.mount("/mnt/ro", "none", source, "bind", "ro")
    b.mount("/one", "bind", source + "/f", "bind", "ro")
    done = b.run(status=1)
    expect(done.stdout == "from the host\n" * 2 and "Read-only" in done.stderr, done)
    expect(open(source + "/g").read() == "new\n", "written through")
    for place in ("mnt/in", "mnt/ro", "one"):
        path = os.path.join(b.rootfs, place)
        os.rmdir(path) if os.path.isdir(path) else os.unlink(path)
    os.rmdir(b.rootfs + "/mnt")


def test_bind_refusals():
    b = Bundle("true")
    b.mount("/x", "bind", "/no/such/source", "bind")
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["/no/such/source", "no such file or directory"])
    b.config["mounts"][-1] = {"destination": "/", "type": "tmpfs"}
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["root"])
    b.config["mounts"][-1] = {"destination": "/x", "type": "ext4", "source": "/dev/sda"}
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["ext4", "not supported"])
    b.config["mounts"][-1] = {"destination": "/x", "type": "tmpfs", "options": ["size=many"]}
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["size=many"])


def test_mounts_in_order():
    """Parents first, whatever the order; of two on one place the last is on top."""
    b = sh("cat /mnt/a/b/f; ls /mnt/a; stat -c %a /mnt/twice", own_root=True)
    source = b.dir + "/source"
    os.mkdir(source)
    open(source + "/f", "w").write("deep\n")
    b.mount("/mnt/a/b", "bind", source, "bind")
    b.mount("/mnt/a", "tmpfs", "tmpfs", "mode=700")
    b.mount("/mnt/twice", "tmpfs", "tmpfs", "mode=711")
    b.mount("/mnt/twice/", "tmpfs", "tmpfs", "mode=722")
    expect(b.run().stdout.split() == ["deep", "b", "722"], "order")


def test_mounts_in_what_is_read_only():
    b = sh("touch /sys/x; ls /sys/fs; touch /sys/fs/cgroup/x; touch /ro/in/x && echo written", own_root=True)
    b.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid")
    b.mount("/sys", "sysfs", "sysfs", "ro")
    b.mount("/ro", "tmpfs", "tmpfs", "ro")
    b.mount("/ro/in", "tmpfs", "tmpfs")
    done = b.run()
    expect(done.stdout == "cgroup\nwritten\n" and done.stderr.count("Read-only") == 2, done)


def test_tmpfs_options():
    b = sh("stat -c %a:%u:%g /mnt; dd if=/dev/zero of=/mnt/f bs=1k count=100; stat -c %s /mnt/f", own_root=True)
    b.mount("/mnt", "tmpfs", "tmpfs", "mode=1750", "uid=3", "gid=4", "size=64k", "noexec", "strictatime", "frob=1")
    done = b.run()
    expect(done.stdout.split()[0] == "1750:3:4" and int(done.stdout.split()[1]) <= 65536 and "space" in done.stderr, done)


def test_tmpcopyup():
    b = sh("cat /data/f; echo other > /data/f; cat /data/f", own_root=True)
    open(b.rootfs + "/data/f", "w").write("image\n")
    b.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
    expect(b.run().stdout == "image\nother\n", "shows through")
    expect(open(b.rootfs + "/data/f").read() == "image\n", "is not written through")


def test_symlinks_do_not_lead_out():
    b = sh("ls /mnt/; cat /etc/passwd", own_root=True)
    outside = b.dir + "/outside"
    os.mkdir(outside)
    shutil.rmtree(b.rootfs + "/proc")
    os.symlink(outside, b.rootfs + "/proc")
    os.symlink("../../../../../.." + outside, b.rootfs + "/mnt")
    for readonly in (False, True):
        b.config["root"]["readonly"] = readonly
        b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] != "/mnt/t"]
        b.mount("/mnt/t", "tmpfs")
        b.write()
        picket("run", "--bundle", b.dir, b.id, status=None)
        expect(os.listdir(outside) == [], "made outside: %r" % os.listdir(outside))


def test_devices():
    b = sh("for d in null zero full random urandom tty ptmx pts; do test -e /dev/$d || echo no $d; done; echo x > /dev/null; "
           "readlink /dev/fd; readlink /dev/stdin; head -c 4 /dev/urandom | wc -c")
    expect(b.run().stdout.split() == ["/proc/self/fd", "/proc/self/fd/0", "4"], "devices")
    b.config["mounts"] = []
    expect(b.run(status=None).stdout.split()[-1] == "4", "without a mount on /dev")
    b.config["linux"]["devices"] = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 438}]
    b.run(status=None)
    b.config["linux"]["devices"][0] = {"path": "/dev/sda", "type": "b", "major": 8, "minor": 0}
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["linux.devices", "/dev/sda"])


def test_masked_and_readonly_paths():
    b = sh("cat /etc/passwd; ls /data; touch /etc/x; touch /tmp/x; ls /masked", own_root=True)
    open(b.rootfs + "/data/secret", "w").write("s")
    b.config["linux"]["maskedPaths"] = ["/etc/passwd", "/data", "/no/such/path", "/etc/passwd/below"]
    b.config["linux"]["readonlyPaths"] = ["/etc", "/no/such/path"]
    done = b.run(status=1)
    expect(done.stdout == "" and "/etc/x: Read-only file system" in done.stderr, done)
    expect(os.path.exists(b.rootfs + "/tmp/x") and not os.path.exists(b.rootfs + "/etc/x"), "others are writable")


def test_masked_and_readonly_paths_of_proc():
    b = sh("ls /proc/sysvipc; echo 1 > /proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward")
    b.config["linux"]["maskedPaths"] = ["/proc/version", "/proc/sysvipc"]
    b.config["linux"]["readonlyPaths"] = ["/proc/sys"]
    done = b.run()
    expect(done.stdout.split()[-1] == "0" and "Read-only file system" in done.stderr, done)
    expect("shm" not in done.stdout, "a masked directory is empty")
    b = sh("cat /proc/version")
    b.config["linux"]["maskedPaths"] = ["/proc/version"]
    expect(b.run().stdout == "", "a masked file is empty")


def test_hostname():
    b = sh("hostname; dnsdomainname 2>/dev/null; cat /proc/sys/kernel/domainname")
    b.config["hostname"], b.config["domainname"] = "inner", "example.net"
    out = b.run().stdout.split()
    expect(out[0] == "inner" and out[-1] == "example.net", out)
    b.config["hostname"] = "x" * 65
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["hostname", "64"])


# ---- config.json -----------------------------------------------------------------------------------------------------------
def test_bad_json():
    b = Bundle("true")
    for text, words in (("", ["config.json"]), ("{", ["config.json", "line 1"]), ("[]", ["not a JSON object"]), ("null", ["config.json"]),
                        ('{"a": 1, "a": 2}', ["duplicate"]), ("{" + '"x":[' * 5000 + "]" * 5000 + "}", ["config.json"]),
                        ('{"ociVersion": "1.0.0\\u0000"}', ["config.json"]), ('{"ociVersion": 1}', ["ociVersion"]),
                        ('{"ociVersion": "2.0.0"}', ["ociVersion"]), ('{"ociVersion": "1.0.0"}', ["process"]),
                        (" " * (5 << 20), ["4 MiB"]), ("\xff", ["config.json"])):
        b.write(text)
        refused("create", "--bundle", b.dir, b.id, words=words)
    os.unlink(b.dir + "/config.json")
    refused("create", "--bundle", b.dir, b.id, words=["config.json", "no such file or directory"])
    os.mkfifo(b.dir + "/config.json")
    refused("create", "--bundle", b.dir, b.id, words=["config.json", "regular"])
    refused("create", "--bundle", "/no/such/bundle", b.id, words=["/no/such/bundle", "no such file or directory"])
    expect(picket("list", "-q").stdout == "", "nothing was made")


def test_bad_fields():
    cases = [
        (["process", "args"], "sh", ["process.args", "a list"]), (["process", "args"], [], ["process.args", "empty"]),
        (["process", "args"], [1], ["process.args[]", "a string"]), (["process", "args"], [None], ["process.args", "null"]),
        (["process", "cwd"], "relative", ["process.cwd", "absolute"]), (["process", "user", "uid"], -1, ["process.user.uid"]),
        (["process", "user", "uid"], 2 ** 32, ["process.user.uid"]), (["process", "user", "umask"], 4096, ["umask"]),
        (["process", "oomScoreAdj"], 1001, ["oomScoreAdj"]), (["process", "terminal"], "yes", ["process.terminal"]),
        (["process", "rlimits"], [{"type": "RLIMIT_FROB", "soft": 1, "hard": 1}], ["RLIMIT_FROB"]),
        (["process", "rlimits"], [{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}], ["RLIMIT_CORE", "soft"]),
        (["process", "rlimits"], [{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}] * 2, ["RLIMIT_CORE", "twice"]),
        (["process", "rlimits"], [{"type": "RLIMIT_CORE", "soft": 1.5, "hard": 2}], ["rlimits"]),
        (["process", "user", "additionalGids"], [-1], ["additionalGids"]),
        (["process", "env"], {"A": "b"}, ["process.env"]), (["linux", "namespaces"], [{"type": "frob"}], ["frob"]),
        (["linux", "namespaces"], [{"type": "pid"}] * 2, ["twice"]), (["linux", "namespaces"], [{"type": "time"}], ["time"]),
        (["linux", "uidMappings"], [{"containerID": 0, "hostID": 1, "size": 1}], ["linux.uidMappings", "no user namespace"]),
        (["linux", "netDevices"], {"eth0": {"name": "x"}}, ["linux.netDevices"]),
        (["linux", "personality"], {"domain": "LINUX32"}, ["personality"]),
        (["linux", "maskedPaths"], ["relative"], ["maskedPaths"]), (["linux", "cgroupsPath"], "a:b:c", ["cgroupsPath", "systemd"]),
        (["linux", "cgroupsPath"], "/../../x", ["cgroupsPath"]),
        (["hooks", "startContainer"], [{"path": 1}], ["hooks.startContainer[].path", "a string"]),
        (["hooks", "prestart"], [{"path": "relative"}], ["hooks.prestart", "absolute"]),
        (["hooks", "prestart"], [{"path": "/bin/true", "timeout": 0}], ["timeout"]),
        (["mounts"], [{"type": "tmpfs"}], ["destination"]), (["annotations"], {"a": 1}, ["annotations"]),
        (["hostname"], 7, ["hostname"]),
    ]
    for path, value, words in cases:
        b = Bundle("true")
        place = b.config
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value
        b.write()
        refused("create", "--bundle", b.dir, b.id, words=words)
    expect(picket("list", "-q").stdout == "", "nothing was made")


def test_warnings_name_the_field():
    b = Bundle("true", apparmorProfile="docker-default")
    b.config["linux"]["mountLabel"] = "system_u:object_r:container_file_t:s0"
    b.config["linux"]["resources"] = {"blockIO": {"weight": 100}}
    b.config["linux"]["intelRdt"] = {}  # asks for nothing
    b.config["frob"] = 1
    log = b.dir + "/log.json"
    b.create(before=["--log", log, "--log-format", "json"])
    lines = [json.loads(line) for line in open(log)]
    expect(all(line["level"] == "warning" and re.match(r"\d{4}-\d\d-\d\dT", line["time"]) for line in lines), lines)
    text = "\n".join(line["msg"] for line in lines)
    for field in ("process.apparmorProfile", "linux.mountLabel", "linux.resources.blockIO", "frob"):
        expect(text.count(field) == 1, field + ": " + text)
    expect("intelRdt" not in text, text)
    b.delete("--force")
    reap(b.pid)


def test_json_log_has_the_error_last():
    b = Bundle("no-such-program")
    b.write()
    log = b.dir + "/log.json"
    picket("create", "--bundle", b.dir, b.id, log=log, status=1)
    lines = [json.loads(line) for line in open(log)]
    expect(lines[-1]["level"] == "error" and "executable file not found in $PATH" in lines[-1]["msg"], lines)
    log2 = b.dir + "/empty.json"
    picket("list", "-q", log=log2)
    expect(open(log2).read() == "", "made though nothing failed")


def test_annotations():
    b = Bundle("true")
    b.config["annotations"] = {"org.example.a": "x", "io.container.manager": "libpod"}
    b.create()
    expect(b.state()["annotations"] == b.config["annotations"], "state")
    b.delete("--force")
    reap(b.pid)


def test_config_after_create_means_nothing():
    b = sh("echo the first").create()
    b.process["args"] = ["sh", "-c", "echo the second"]
    b.write()
    b.start()
    b.end()
    expect(b.output() == "the first\n", b.output())
    b.delete()


def test_home():
    """As clients rely on it: of the user in the root's /etc/passwd, when the environment has none; whatever that file is."""
    b = sh("echo $HOME", own_root=True)
    b.config["process"]["env"] = ["PATH=/bin"]
    passwd = b.rootfs + "/etc/passwd"
    with open(passwd, "a") as f:
        f.write("broken\n:::\nfive:x:5:5::/home/five:/bin/sh\nsix:x:6:6::relative:\n" + "x" * 10000 + "\nlast:x:7:7::/home/last:")
    for uid, home in ((0, "/"), (5, "/home/five"), (6, "/"), (7, "/home/last"), (8, "/")):
        b.process["user"] = {"uid": uid, "gid": 0}
        expect(b.run().stdout == home + "\n", uid)
    b.process["user"] = {"uid": 5, "gid": 5}
    for given, home in (("HOME=/given", "/given"), ("HOME=", "/home/five")):
        b.process["env"] = ["PATH=/bin", given]
        expect(b.run().stdout == home + "\n", given)
    b.process["env"] = ["PATH=/bin"]
    os.unlink(passwd)
    for make in (lambda: os.mkfifo(passwd), lambda: os.symlink("/proc/self/environ", passwd), lambda: os.symlink(at.base + "/no", passwd)):
        make()
        expect(b.run().stdout == "/\n", "no such file")
        os.unlink(passwd)


# ---- hooks -----------------------------------------------------------------------------------------------------------------
def hook_into(path, name):
    return {"path": "/bin/sh", "args": ["sh", "-c", "cat >> %s; echo ' %s' $HOOKED >> %s" % (path, name, path)], "env": ["HOOKED=yes", "PATH=/bin:/usr/bin"]}


def test_hooks():
    b = sh("echo up; exit 0")
    path = b.dir + "/hooked"
    b.config["hooks"] = {name: [hook_into(path, name)] for name in ("poststop", "poststart", "createContainer", "createRuntime", "prestart")}
    b.create()
    lines = open(path).read().splitlines()
    expect([line.split()[-2] for line in lines] == ["prestart", "createRuntime", "createContainer"], lines)
    state = json.loads(lines[0].rsplit(" prestart", 1)[0])
    expect(state["id"] == b.id and state["status"] == "creating" and state["pid"] == b.pid and state["bundle"] == b.dir, state)
    expect(all(line.endswith(" yes") for line in lines), "environment")
    b.start()
    b.end()
    b.delete()
    lines = open(path).read().splitlines()
    expect([line.split()[-2] for line in lines[3:]] == ["poststart", "poststop"], lines)


def test_hooks_in_their_namespaces():
    """createRuntime's in the caller's; createContainer's in the container's, with the caller's files, and no way to mount."""
    b = Bundle("true")
    seen = {name: "%s/%s" % (b.dir, name) for name in ("createRuntime", "createContainer")}
    text = {"createRuntime": "cd /proc/self/ns; readlink net mnt > %s"}
    text["createContainer"] = text["createRuntime"] + "; mount -t tmpfs none %s 2> /dev/null && echo mounted >> %%s; test -e %s" % (b.dir, at.picket)
    b.config["hooks"] = {name: [{"path": "/bin/sh", "args": ["sh", "-c", text[name].replace("%s", path)], "env": ["PATH=/bin:/usr/bin"]}]
                         for name, path in seen.items()}
    b.create()
    here, there = [[os.readlink("/proc/%s/ns/%s" % (pid, kind)) for kind in ("net", "mnt")] for pid in ("self", b.pid)]
    b.start().end()
    b.delete()
    expect(open(seen["createRuntime"]).read().split() == here, "the caller's")
    expect(open(seen["createContainer"]).read().split() == there, "the container's, and nothing mounted")
    expect(os.geteuid() != 0 or here[0] != there[0] and here[1] != there[1], "they are others")


def test_failing_hooks():
    for name in ("prestart", "createRuntime", "createContainer"):
        b = Bundle("true")
        b.config["hooks"] = {name: [{"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}]}
        b.write()
        refused("create", "--bundle", b.dir, b.id, words=["hooks." + name, "/bin/sh", "exit status 3"])
        refused("state", b.id, words=["does not exist"])
    b.config["hooks"] = {"prestart": [{"path": "/no/such/hook"}]}
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["/no/such/hook", "no such file or directory"])
    b.config["hooks"] = {"prestart": [{"path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 1}]}
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["killed", "1 s"])


def test_start_container_hooks():
    """Run inside, before the program, with the state on stdin."""
    b = sh("cat /data/hooked; echo the program", own_root=True)
    b.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "cat > /data/hooked; echo $X >> /data/hooked"], "env": ["X=yes", "PATH=/bin"]}]}
    b.create()
    expect(not os.path.exists(b.rootfs + "/data/hooked"), "only at start")
    b.start()
    expect(os.WEXITSTATUS(b.end()) == 0, "status")
    out = b.output()
    state = json.loads(out[:out.index("}") + 1])
    expect(state["id"] == b.id and state["status"] == "created" and out.endswith("yes\nthe program\n"), out)
    b.delete()
    for hook, word in (({"path": "/bin/false"}, "exit status 1"), ({"path": "/no/such"}, "no such file"),
                       ({"path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 1}, "timed out")):
        b = sh("echo it ran")
        b.config["hooks"] = {"startContainer": [hook]}
        b.create()
        refused("start", b.id, words=["hooks.startContainer", hook["path"], word])
        expect(os.WTERMSIG(b.end()) == signal.SIGKILL and b.status() == "stopped" and b.output() == "", "ended")
        b.delete()


def test_failing_poststop():
    b = sh("exit 0")
    b.config["hooks"] = {"poststop": [{"path": "/bin/false"}]}
    b.create().start()
    b.end()
    b.delete()
