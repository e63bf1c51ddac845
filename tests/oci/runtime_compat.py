# SPDX-License-Identifier: Apache-2.0
"""What suites for other runtimes look at, and what was in no test: options of mounts, sources that are devices or sockets, sockets that
systemd hands on, fields that are refused or warned about, places for the state that are full or read-only, config.json of any size."""
import contextlib
import ctypes
import json
import os
import shutil
import socket
import stat
import subprocess

from runtime import FOREVER, Bundle, at, exec_detached, expect, has_freezer, make_rootfs, picket, reap, refused, running, sh


# ---- Mounts ----------------------------------------------------------------------------------------------------------------
def options_of(*options):
    b = sh("mount | grep ' /mnt/m '", own_root=True)
    os.mkdir(b.dir + "/source")
    b.mount("/mnt/m", "bind", b.dir + "/source", "rbind", *options)
    return set(b.run().stdout.strip().rsplit("(", 1)[1].rstrip(")").split(","))


def test_compat_recursive_mount_options():
    expect({"ro", "nosuid", "nodev", "noexec"} <= options_of("rro", "rnosuid", "rnodev", "rnoexec"), "each as without the r")
    expect(not {"ro", "nosuid", "nodev", "noexec"} & options_of("ro", "nosuid", "nodev", "noexec", "rrw", "rsuid", "rdev", "rexec"), "taken back")


def test_compat_recursive_read_only_covers_what_lies_below():
    """A file system that the host has below the source: rro is of it too, and so is ro."""
    if os.geteuid() != 0:
        return
    for option in ("rro", "ro"):
        b = sh("touch /mnt/m/below/x; touch /mnt/m/x; ls /mnt/m/below", own_root=True)
        below = b.dir + "/source/below"
        os.makedirs(below)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", below], check=True)
        try:
            b.mount("/mnt/m", "bind", b.dir + "/source", "rbind", option)
            done = b.run()
            expect(done.stderr.count("Read-only") == 2 and done.stdout == "", done)
        finally:
            subprocess.run(["umount", below], check=True)


def test_compat_places_in_a_read_only_root_stay_in_it():
    """They are made before there is a sandbox: neither a symlink of the root's nor the same name outside leads out."""
    b = sh("ls /data")
    b.rootfs = os.path.join(b.dir, "rootfs")
    make_rootfs(b.rootfs)
    b.config["root"] = {"path": b.rootfs, "readonly": True}
    outside = b.dir + "/outside"
    os.mkdir(outside)
    os.symlink(outside, b.rootfs + "/data/link")
    b.mount("/data/link/made", "tmpfs")
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["mounts", "/data/link/made"])
    b.config["mounts"][-1]["destination"] = outside + "/made"
    expect(b.run().stdout == "link\n", "runs")
    expect(os.listdir(outside) == [] and os.path.isdir(b.rootfs + outside + "/made"), "made beneath the root")


def test_compat_mapped_ids_are_refused():
    for change in ({"options": ["bind", "idmap"]}, {"options": ["rbind", "ridmap"]},
                   {"uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]},
                   {"gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}):
        b = Bundle("true")
        b.config["mounts"].append({"destination": "/mnt", "type": "bind", "source": "/tmp", **change})
        b.write()
        refused("create", "--bundle", b.dir, b.id, words=["config.json", "mounts"])


def test_compat_devices_as_sources():
    """What every sandbox has is its own, as a mask of files often is; no other device is let in."""
    b = sh("test -c /etc/hidden && echo a device; wc -c < /etc/hidden; echo x > /etc/hidden && echo written; "
           "dd if=/data/zero bs=3 count=1 2>/dev/null | wc -c; echo y > /data/full", own_root=True)
    with open(b.rootfs + "/etc/hidden", "w") as f:
        f.write("secret")
    b.mount("/etc/hidden", "bind", "/dev/null", "rbind")
    b.mount("/data/zero", "bind", "/dev/zero", "bind", "ro")
    b.mount("/data/full", "bind", "/dev/full", "bind")
    done = b.run(status=1)
    expect(done.stdout.split("\n") == ["a device", "0", "written", "3", ""] and "No space" in done.stderr, done)
    expect(open(b.rootfs + "/etc/hidden").read() == "secret", "the file below is as it was")
    if os.geteuid() != 0:
        return
    for kind, major, minor in ((stat.S_IFCHR, 1, 1), (stat.S_IFBLK, 7, 0)):  # mem, loop0
        b = Bundle("true")
        os.mknod(b.dir + "/node", kind | 0o600, os.makedev(major, minor))
        b.mount("/data/node", "bind", b.dir + "/node", "bind")
        b.write()
        refused("create", "--bundle", b.dir, b.id, words=["mounts", "/data/node", "device"])


def test_compat_devices_at_other_places():
    def device(path, major, minor, kind="c"):
        return {"path": path, "type": kind, "major": major, "minor": minor, "fileMode": 0o20666, "uid": 0, "gid": 0}
    b = sh("test -c /dev/mynull && echo > /dev/mynull && echo null; dd if=/srv/z bs=7 count=1 2>/dev/null | wc -c; test -c /dev/null && echo both", own_root=True)
    b.config["linux"]["devices"] = [device("/dev/mynull", 1, 3), device("/srv/z", 1, 5, "u"), device("/dev/null", 1, 3)]
    expect(b.run().stdout == "null\n7\nboth\n", "each of them")
    for one in (device("/dev/fuse", 10, 229), device("relative", 1, 3), device("/dev/sda", 8, 0, "b"), device("/dev/p", 0, 0, "p"),
                device("/dev/x", 2 ** 40 + 1, 3), device("/dev/x", -1, 3)):
        b.config["linux"]["devices"] = [one]
        b.write()
        refused("create", "--bundle", b.dir, b.id, words=["linux.devices", one["path"]])


def test_compat_sockets_as_sources():
    """docker.sock and its like: there, and of no use to anybody inside; a warning says so."""
    b = sh("test -S /data/sock && echo a socket; cat < /data/sock; test -p /data/pipe && echo a pipe", own_root=True)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        here = os.getcwd()
        os.chdir(b.dir)  # the path may be too long for an address
        listener.bind("sock")
        os.chdir(here)
        listener.listen()
        os.mkfifo(b.dir + "/pipe")
        b.mount("/data/sock", "bind", b.dir + "/sock", "rbind")
        b.mount("/data/pipe", "bind", b.dir + "/pipe", "rbind")
        log = b.dir + "/log.json"
        done = b.run(log=log)
        expect(done.stdout == "a socket\na pipe\n", done)
        lines = [json.loads(line) for line in open(log)]
        expect([x["level"] for x in lines] == ["warning"] * 2 and "/data/sock" in lines[0]["msg"] + lines[1]["msg"], lines)
        listener.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            listener.accept()
            expect(False, "somebody came")


def test_compat_other_options_are_left_alone():
    b = sh("grep -c ' /mnt/t ' /proc/mounts", own_root=True)
    b.mount("/mnt/t", "tmpfs", "tmpfs", "nr_inodes=4k", "huge=never", "relatime", "noatime", "strictatime", "nodiratime", "x-frob", "size=1m")
    expect(b.run().stdout == "1\n", "mounted")


# ---- A root that stays as it is ----------------------------------------------------------------------------------------------
CHANGES = "echo changed > /etc/passwd; echo new > /data/f; rm /data/old; mkdir /data/d; cat /etc/passwd /data/f; ls /data"


def in_memory(text, **kw):
    b = sh(text, own_root=True, **kw)
    with open(b.rootfs + "/data/old", "w") as f:
        f.write("old\n")
    return b


def unchanged(b):
    with open(b.rootfs + "/etc/passwd") as f:
        return os.listdir(b.rootfs + "/data") == ["old"] and "changed" not in f.read()


def test_compat_overlay_in_memory():
    b = in_memory(CHANGES)
    expect(b.run(options=["--overlay", "memory"]).stdout == "changed\nnew\nd\nf\n" and unchanged(b), "by option")
    b = in_memory(CHANGES)
    b.config["annotations"] = {"dev.picket.overlay": "memory"}
    expect(b.run().stdout == "changed\nnew\nd\nf\n" and unchanged(b), "by annotation")
    expect(b.run(options=["--overlay", "none"]).stdout == "changed\nnew\nd\nf\n" and not unchanged(b), "the option wins")


def test_compat_overlay_of_exec():
    with contextlib.ExitStack() as stack:
        b = in_memory("echo in > /data/f; echo up; while :; do sleep 1; done").create("--overlay", "memory").start()
        stack.callback(lambda: (picket("delete", "--force", b.id), reap(b.pid)))
        b.output("up")
        expect(picket("exec", b.id, "sh", "-c", "cat /data/f; echo by exec > /data/g").stdout == "in\n", "the same files")
        expect(picket("exec", b.id, "cat", "/data/g").stdout == "by exec\n" and unchanged(b), "in memory")


def test_compat_overlay_read_only():
    """The places of mounts are made in memory too."""
    b = in_memory("touch /x; ls -d /made/here; cat /data/old")
    b.config["root"]["readonly"] = True
    b.mount("/made/here", "tmpfs")
    done = b.run(options=["--overlay", "memory"])
    expect("Read-only" in done.stderr and done.stdout == "/made/here\nold\n" and not os.path.exists(b.rootfs + "/made"), done)


def test_compat_overlay_has_limits():
    b = in_memory("dd if=/dev/zero of=/data/f bs=100k count=30 2>&1 | grep -c space; ls -l /data/f | awk '{ print ($5 <= 1048576) }'")
    done = b.run(options=["--overlay=memory", "--disk", "1m"])
    expect(done.stdout == "1\n1\n", done)


def test_compat_overlay_refusals():
    b = Bundle("true")
    b.write()
    for value in ("dir:/tmp", "", "Memory"):
        refused("run", "--overlay", value, "--bundle", b.dir, b.id, words=["--overlay", "none or memory"])
    b.config["annotations"] = {"dev.picket.overlay": "disk"}
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["dev.picket.overlay"])


def test_compat_stdin_from_a_file():
    b = sh("cat; echo end")
    with open(b.dir + "/words", "w") as f:
        f.write("some words\n")
    expect(b.run(options=["--stdin", b.dir + "/words"]).stdout == "some words\nend\n", "run")
    done = subprocess.run([at.picket, "do", "--platform", at.platform, "--stdin", b.dir + "/words", "--", "cat"], capture_output=True, text=True,
                          timeout=40 * at.scale, stdin=subprocess.DEVNULL)
    expect(done.stdout == "some words\n" and done.returncode == 0, done)
    refused("run", "--stdin", "/no/such", "--bundle", b.dir, b.id, words=["--stdin /no/such", "no such file"])


# ---- Descriptors that systemd hands on --------------------------------------------------------------------------------------
def listening(b, more, *options):
    """picket run as systemd would start it: LISTEN_PID is its own number, descriptor 3 and on are open."""
    b.write()
    command = [at.picket, "--root", at.root, "--platform", at.platform, "run", *options, "--bundle", b.dir, b.id]
    script = "exec 3<%s/first 4<%s/second; export LISTEN_PID=%s LISTEN_FDS=1; exec \"$@\"" % (b.dir, b.dir, more)
    for name in ("first", "second"):
        with open(os.path.join(b.dir, name), "w") as f:
            f.write(name + "\n")
    return subprocess.run(["sh", "-c", script, "sh", *command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=40 * at.scale)


def test_compat_listen_fds():
    text = "echo fds=$LISTEN_FDS pid=$LISTEN_PID own=$$; cat <&3; cat <&4"
    done = listening(sh(text), "$$")
    expect(done.stdout == "fds=1 pid=1 own=1\nfirst\n" and "bad file descriptor" in done.stderr.lower(), done)
    done = listening(sh(text), "$$", "--preserve-fds", "1")
    expect(done.stdout == "fds=1 pid=1 own=1\nfirst\nsecond\n", done)
    done = listening(sh(text), "1")  # meant for another
    expect(done.stdout == "fds= pid= own=1\n", done)


# ---- Fields ----------------------------------------------------------------------------------------------------------------
def test_compat_fields_that_are_refused():
    notify = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/x", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}
    for field, value in (("intelRdt", {"closID": "x"}), ("memoryPolicy", {"mode": "MPOL_BIND", "nodes": "0"}),
                         ("timeOffsets", {"boottime": {"secs": 1, "nanosecs": 0}}), ("netDevices", {"eth9": {}}), ("seccomp", notify),
                         ("personality", {"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]})):
        b = Bundle("true")
        b.config["linux"][field] = value
        b.write()
        refused("create", "--bundle", b.dir, b.id, words=["config.json", "linux." + field])


def test_compat_personality_linux():
    b = sh("cat /proc/self/personality")
    b.config["linux"]["personality"] = {"domain": "LINUX"}
    expect(b.run().stdout == "00000000\n", "the plain one")


def test_compat_fields_that_are_warned_about():
    b = Bundle("true", scheduler={"policy": "SCHED_BATCH", "nice": 5}, ioPriority={"class": "IOPRIO_CLASS_IDLE", "priority": 0},
               execCPUAffinity={"initial": "0"}, selinuxLabel="a:b:c:d")
    b.config["linux"]["resources"] = {"hugepageLimits": [{"pageSize": "2MB", "limit": 0}], "rdma": {"x": {"hcaHandles": 1}},
                                      "network": {"classID": 1}, "memory": {"swappiness": 10}}
    log = b.dir + "/log.json"
    b.run(log=log)
    text = open(log).read()
    for field in ("process.scheduler", "process.ioPriority", "process.execCPUAffinity", "process.selinuxLabel", "hugepageLimits", "rdma",
                  "network", "swappiness"):
        expect(text.count("." + field) + text.count(field + ":") >= 1, field + ": " + text)


def test_compat_user_without_a_name():
    b = sh("id -u; id -g; echo $HOME; whoami", user={"uid": 4242, "gid": 4343, "additionalGids": [7, 8]}, env=["PATH=/bin"], capabilities={})
    done = b.run(status=1)  # whoami
    expect(done.stdout == "4242\n4343\n/\n", done)


def test_compat_users_of_the_host_are_not_looked_up():
    for where, target in (("etc/passwd", "passwd"), ("etc", "")):
        b = sh("echo $HOME", own_root=True, env=["PATH=/bin"])
        with open(b.dir + "/passwd", "w") as f:
            f.write("root:x:0:0:root:/from-outside:/bin/sh\n")
        shutil.rmtree(b.rootfs + "/etc")
        if where != "etc":
            os.mkdir(b.rootfs + "/etc")
        os.symlink(os.path.join(b.dir, target), os.path.join(b.rootfs, where))
        expect(b.run().stdout == "/\n", "no user of that name inside")


def test_compat_id_shows_the_groups():
    expect(sh("id -G", user={"uid": 5, "gid": 6, "additionalGids": [9, 7]}).run().stdout.split() == ["6", "7", "9"], "in their order")


# ---- The place of the state ------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def tiny(options):
    """A file system that only root can make, as --root."""
    path = os.path.join(at.base, "tiny")
    os.mkdir(path)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)
        os.rmdir(path)


def test_compat_full_root():
    """Whatever of its files has no room: one message, nothing left, and the id can be used when there is room."""
    if os.geteuid() != 0:
        return
    for pages in range(1, 5):  # the directory's own; config.json, state.json
        with tiny("size=%dk,nr_inodes=64" % (4 * pages)) as root:
            b = Bundle("true")
            with open(root + "/ballast", "w") as f:
                f.write("x" * 4096 if pages < 4 else "")
            b.config["annotations"] = {"a": "y" * 9000}
            b.write()
            done = picket("run", "--bundle", b.dir, b.id, root=root, status=None)
            if done.returncode != 0:
                expect(len(done.stderr.splitlines()) == 1 and b.id in done.stderr and "space" in done.stderr, done)
            os.unlink(root + "/ballast")
            expect(os.listdir(root) == [], os.listdir(root))
            subprocess.run(["mount", "-o", "remount,size=4m", root], check=True)
            picket("run", "--bundle", b.dir, b.id, root=root)
            expect(os.listdir(root) == [], os.listdir(root))


def test_compat_no_inodes_in_root():
    if os.geteuid() != 0:
        return
    with tiny("size=1m,nr_inodes=3") as root:
        b = Bundle("true")
        b.write()
        refused("create", "--bundle", b.dir, b.id, root=root, words=[b.id, "space"])
        expect(os.listdir(root) == [], os.listdir(root))


def test_compat_root_becomes_full():
    """A container that runs is not lost when its place is: it ends as ever, and can be deleted."""
    if os.geteuid() != 0:
        return
    with tiny("size=64k") as root:
        b = Bundle(*FOREVER)
        b.write()
        with open(b.out, "w") as out:
            subprocess.run([at.picket, "--root", root, "--platform", at.platform, "run", "--detach", "--bundle", b.dir, b.id], check=True,
                           stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=40 * at.scale)
        b.output("up")
        pid = json.loads(picket("state", b.id, root=root).stdout)["pid"]
        with open(root + "/ballast", "wb", buffering=0) as f, contextlib.suppress(OSError):
            while True:
                f.write(b"x" * 512)
        picket("exec", b.id, "true", root=root)
        picket("kill", b.id, "KILL", root=root)
        reap(pid)
        expect(json.loads(picket("state", b.id, root=root).stdout)["status"] == "stopped", "known to be so")
        picket("delete", b.id, root=root)
        os.unlink(root + "/ballast")
        expect(os.listdir(root) == [], os.listdir(root))


def test_compat_read_only_root():
    if os.geteuid() != 0:
        return
    with tiny("size=1m,ro") as root:
        b = Bundle("true")
        b.write()
        refused("create", "--bundle", b.dir, b.id, root=root, words=["read-only file system"])
        expect(picket("list", "-q", root=root).stdout == "", "looking is allowed")
        refused("state", b.id, root=root, words=["does not exist"])
        picket("delete", "--force", b.id, root=root)


def test_compat_cgroup_that_cannot_be_made():
    if not has_freezer():
        return
    b = Bundle("true")
    b.config["linux"]["cgroupsPath"] = "/cgroup.procs/" + b.id
    b.write()
    refused("create", "--bundle", b.dir, b.id, words=["cgroup", "not a directory"])
    refused("state", b.id, words=["does not exist"])


# ---- Sizes -----------------------------------------------------------------------------------------------------------------
def test_compat_huge_config():
    def config(**change):
        b = Bundle("true")
        for key, value in change.items():
            place = b.config
            for part in key.split("__")[:-1]:
                place = place.setdefault(part, {})
            place[key.split("__")[-1]] = value
        b.write()
        return b
    many = [{"destination": "/mnt/%d" % i, "type": "tmpfs"} for i in range(300)]
    for b, words in ((config(annotations={"a": "x" * (5 << 20)}), ["4 MiB"]), (config(mounts=many), ["mounts", "256"]),
                     (config(process__args=["true"] * 9000), ["process.args", "too many"]),
                     (config(process__args=["true", "x" * 150000, "y" * 150000]), ["too long"]),
                     (config(process__env=["A%d=1" % i for i in range(9000)]), ["process.env", "too many"]),
                     (config(linux__maskedPaths=["/m%d" % i for i in range(1200)]), ["mounts"]),
                     (config(process__user={"uid": 0, "gid": 0, "additionalGids": list(range(70000))}), ["additionalGids", "too many"]),
                     (config(hostname="h" * 65), ["hostname", "64"])):
        refused("create", "--bundle", b.dir, b.id, words=words)
    b = config(annotations={"key%d" % i: "x" * 1000 for i in range(2000)})  # 2 MB: what is large and right is taken
    expect(b.run().returncode == 0, "runs")


def test_compat_many_mounts():
    b = sh("grep -c ' /mnt/' /proc/mounts", own_root=True)
    for i in range(100):
        b.mount("/mnt/%d/%d" % (i % 10, i), "tmpfs")
    expect(b.run().stdout == "100\n", "all of them")


# ---- Resources -------------------------------------------------------------------------------------------------------------
def test_compat_update_of_each_resource():
    """Each option and its field reaches the file of the host's cgroup that it is about."""
    if not has_freezer():
        return
    v2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    files = {"--cpu-quota": ("cpu", "cpu.cfs_quota_us", "cpu.max", "70000"), "--cpu-period": ("cpu", "cpu.cfs_period_us", None, "90000"),
             "--cpu-share": ("cpu", "cpu.shares", None, "512"), "--cpuset-cpus": ("cpuset", "cpuset.cpus", "cpuset.cpus", "0"),
             "--cpuset-mems": ("cpuset", "cpuset.mems", "cpuset.mems", "0"),
             "--memory-reservation": ("memory", "memory.soft_limit_in_bytes", "memory.low", str(64 << 20))}
    with running() as b:
        for option, (controller, v1, file, value) in files.items():
            picket("update", option, value, b.id)
            where = "/sys/fs/cgroup/picket/%s/%s" % (b.id, file) if v2 else "/sys/fs/cgroup/%s/picket/%s/%s" % (controller, b.id, v1)
            if v2 and not file:
                continue
            expect(open(where).read().split()[0] == value, (option, open(where).read()))
        for option in ("--blkio-weight", "--kernel-memory"):  # accepted, as others' are
            picket("update", option, "0", b.id)
        refused("update", "--cpuset-cpus", "4000", b.id, words=["cpu.cpus"])
        refused("update", "--frob", "1", b.id, words=["--frob"])
        expect(b.status() == "running", "goes on")


def test_compat_update_from_a_file_that_is_none():
    with running() as b:
        for text, words in (("", ["line 1"]), ('{"memory": 1}', ["memory", "an object"]), ('{"memory": {"limit": "x"}}', ["memory.limit"]),
                            ('{"cpu": {"cpus": 3}}', ["cpu.cpus", "a string"])):
            path = b.dir + "/resources"
            with open(path, "w") as f:
                f.write(text)
            refused("update", "--resources", path, b.id, words=words)
        refused("update", "--resources", "/no/such", b.id, words=["/no/such"])


# ---- exec 200 times --------------------------------------------------------------------------------------------------------
def test_compat_detached_execs_end_as_their_programs():
    with running() as b:
        process = {"cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}
        pids = [exec_detached(b, {**process, "args": ["sh", "-c", "exit %d" % i]}) for i in range(12)]
        expect([os.WEXITSTATUS(reap(pid)) for pid in pids] == list(range(12)), "each its own")


def test_compat_no_child_of_the_caller_but_the_init():
    """Who is a subreaper gets one process for a container, and none when it was deleted."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    b = Bundle("true").create()
    parent = int(open("/proc/%d/stat" % b.pid).read().rsplit(")", 1)[1].split()[1])
    expect(parent == os.getpid(), "the init's parent: %d" % parent)
    b.start()
    b.end()
    b.delete()
