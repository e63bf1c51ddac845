# SPDX-License-Identifier: Apache-2.0
"""User namespaces of config.json: linux.uidMappings and gidMappings."""
import ctypes
import os

from runtime import Bundle, at, expect, picket, reap, refused, sh

FIRST = 100000
CLONE_NEWUSER = 0x10000000


def as_root(test):
    """Only root can give files to users of the host: for others there is nothing to be seen."""
    return test if os.geteuid() == 0 else lambda: None


def mapped(text, uids=((0, FIRST, 65536),), gids=None, own_root=True):
    b = sh(text, own_root=own_root)
    b.config["linux"]["namespaces"].append({"type": "user"})
    for field, ranges in (("uidMappings", uids), ("gidMappings", gids or uids)):
        b.config["linux"][field] = [dict(zip(("containerID", "hostID", "size"), r)) for r in ranges]
    return b


def give(b, uid, gid):
    for folder, dirs, files in os.walk(b.rootfs):
        for name in dirs + files:
            os.lchown(os.path.join(folder, name), uid, gid)
    os.chown(b.rootfs, uid, gid)


@as_root
def test_ids_are_translated():
    b = mapped("stat -c %u:%g /etc/passwd /data; echo new > /data/f; mkdir /data/d; ln -s x /data/l; "
               "chown 5:6 /data/f; stat -c %u:%g /data/f; ls -ln /data | head -2")
    give(b, FIRST, FIRST)
    out = b.run().stdout
    expect(out.split("\n")[:3] == ["0:0", "0:0", "5:6"], out)
    owners = {n: os.lstat(os.path.join(b.rootfs, "data", n)) for n in "fdl"}
    expect([(s.st_uid - FIRST, s.st_gid - FIRST) for s in (owners[n] for n in "fdl")] == [(5, 6), (0, 0), (0, 0)], "on the host")


@as_root
def test_ids_that_are_not_mapped():
    """Files of others belong to nobody inside; nobody can be given a file whom the host has no number for."""
    b = mapped("stat -c %u:%g /etc/passwd; chown 7 /data; chown 0:70000 /data; touch /data/f; id -u", uids=[(0, FIRST, 5)])
    give(b, FIRST, FIRST)
    os.chown(b.rootfs + "/etc/passwd", 1, 2)
    done = b.run()
    expect(done.stdout.split() == ["65534:65534", "0"] and done.stderr.count("Invalid argument") == 2, done)
    expect(os.stat(b.rootfs + "/data/f").st_uid == FIRST, "the others go on")


@as_root
def test_ids_of_others_are_guarded():
    """A capability does not reach a file whose owner is not mapped; and to be nobody is not to own what nobody has."""
    text = "cat /data/s; echo x > /data/s; chmod 666 /data/s; chown 0:0 /data/s; ls /data/d; touch /data/d/n; cat /data/d/in; cat /data/o; rm /data/t/f"
    for user in (0, 65534):
        b = mapped(text)
        give(b, FIRST, FIRST)
        os.mkdir(b.rootfs + "/data/d", 0o700)
        os.mkdir(b.rootfs + "/data/t")
        os.chmod(b.rootfs + "/data/t", 0o1777)
        for name, mode in (("s", 0o600), ("o", 0o644), ("d/in", 0o644), ("t/f", 0o644)):
            with open(b.rootfs + "/data/" + name, "w") as f:
                f.write(name + "\n")
            os.chmod(b.rootfs + "/data/" + name, mode)
        b.process["user"] = {"uid": user, "gid": user}
        done = b.run(status=None)
        st = os.stat(b.rootfs + "/data/s")
        expect(done.stdout == "o\n", done)
        expect((st.st_uid, st.st_mode & 0o777, st.st_size) == (0, 0o600, 2), "as it was")
        expect(sorted(os.listdir(b.rootfs + "/data/d")) == ["in"] and os.path.exists(b.rootfs + "/data/t/f"), "names")


@as_root
def test_ids_of_a_user():
    """As podman's --userns=keep-id: a user's own number is the same inside."""
    b = mapped("id -u; touch /data/f; stat -c %u /data", uids=[(0, FIRST, 1000), (1000, 1000, 1), (1001, FIRST + 1001, 60000)])
    give(b, 1000, 1000)
    b.process["user"], b.process["capabilities"] = {"uid": 1000, "gid": 1000}, {}
    out = b.run().stdout.split()
    expect(out == ["1000", "1000"] and os.stat(b.rootfs + "/data/f").st_uid == 1000, out)


@as_root
def test_ids_of_binds():
    b = mapped("stat -c %u /mnt/in; echo x > /mnt/in/g; stat -c %u:%g /mnt/in/g")
    give(b, FIRST, FIRST)
    source = b.dir + "/source"
    os.mkdir(source)
    os.chown(source, FIRST, FIRST)
    b.mount("/mnt/in", "bind", source, "rbind")
    out = b.run().stdout.split()
    expect(out == ["0", "0:0"] and os.stat(source + "/g").st_gid == FIRST, out)


@as_root
def test_ids_of_exec():
    b = mapped("echo up; while :; do sleep 1; done")
    give(b, FIRST, FIRST)
    b.create().start()
    b.output("up")
    expect(picket("exec", b.id, "sh", "-c", "touch /data/e; stat -c %u /data/e").stdout == "0\n", "inside")
    expect(os.stat(b.rootfs + "/data/e").st_uid == FIRST, "outside")
    b.kill()
    b.delete()


@as_root
def test_ids_with_gaps_between_users_and_groups():
    b = mapped("touch /data/f; chown 3:9 /data/f; stat -c %u:%g /data/f", uids=[(0, FIRST, 10)], gids=[(0, 300000, 5), (5, 400000, 10)])
    give(b, FIRST, 300000)
    expect(b.run().stdout == "3:9\n", "inside")
    st = os.stat(b.rootfs + "/data/f")
    expect((st.st_uid, st.st_gid) == (FIRST + 3, 400004), (st.st_uid, st.st_gid))


def test_ids_refused():
    def change(**linux):
        b = mapped("echo no", own_root=False)
        for key, value in linux.items():
            b.config["linux"][key] = value
        b.write()
        return b

    def one(inside, outside, size):
        return [{"containerID": inside, "hostID": outside, "size": size}]

    for linux, words in (({"uidMappings": []}, ["linux.uidMappings", "missing"]), ({"gidMappings": []}, ["linux.gidMappings", "missing"]),
                         ({"uidMappings": one(0, 1, 0)}, ["uidMappings[0]"]), ({"uidMappings": one(0, 2 ** 32 - 2, 5)}, ["uidMappings[0]"]),
                         ({"uidMappings": one(0, 1, 5) + one(4, 100, 5)}, ["uidMappings[1]", "maps what"]),
                         ({"uidMappings": one(0, 1, 5) + one(10, 5, 5)}, ["uidMappings[1]", "maps what"]),
                         ({"uidMappings": one(0, -1, 5)}, ["uidMappings[0]"]), ({"uidMappings": [{"containerID": 0}]}, ["uidMappings[0]"]),
                         ({"uidMappings": one(1, 1, 5)}, ["process.user.uid", "uidMappings"]),
                         ({"gidMappings": one(1, 1, 5)}, ["process.user.gid", "gidMappings"]),
                         ({"uidMappings": [], "gidMappings": [], "namespaces": [{"type": "user", "path": "/proc/self/ns/user"}]}, ["Mappings", "missing"]),
                         ({"namespaces": [{"type": "mount"}]}, ["linux.uidMappings", "no user namespace"]),
                         ({"uidMappings": one(0, 1, 1) * 341}, ["uidMappings", "340"])):
        b = change(**linux)
        refused("create", "--bundle", b.dir, b.id, words=words)


def run_in_namespace(user, ids, out, *args):
    """As podman of an ordinary user runs us: as root of a user namespace of its own, with these maps. The exit status."""
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            if ctypes.CDLL(None).unshare(CLONE_NEWUSER) != 0:
                os._exit(120)
            os.write(ready[1], b"x")
            os.read(go[0], 1)
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
            for fd, to in ((os.open("/dev/null", os.O_RDONLY), 0), (os.open(out, os.O_WRONLY | os.O_CREAT, 0o600), 1)):
                os.dup2(fd, to)
            os.dup2(1, 2)
            os.execv(at.picket, [at.picket, *args])
        finally:
            os._exit(121)
    os.close(ready[1])
    if os.read(ready[0], 1):
        for name in ("uid_map", "gid_map"):
            with open("/proc/%d/%s" % (pid, name), "w") as f:
                f.write("".join("%d %d %d\n" % r for r in ids))
    os.write(go[1], b"x")
    status = reap(pid)
    for fd in (ready[0], *go):
        os.close(fd)
    return os.waitstatus_to_exitcode(status)


@as_root
def test_ids_of_podmans_keep_id():
    """--userns=keep-id: the caller has the same number inside, 5000 here; all others are some of the caller's subordinate ones."""
    user, sub = 65534, 200000
    b = mapped("id -u; stat -c %u /data/mine /etc/passwd; echo by the caller > /data/mine; touch /data/no",
               uids=[(0, 1, 5000), (5000, 0, 1), (5001, 5001, 60000)])
    give(b, sub, sub)
    mine, root, out = b.rootfs + "/data/mine", b.dir + "/root", b.dir + "/told"
    open(mine, "w").close()
    os.mkdir(root)
    for path in (b.dir, mine, root):
        os.chown(path, user, user)
    b.process["user"] = {"uid": 5000, "gid": 5000}
    b.write()
    status = run_in_namespace(user, [(0, user, 1), (1, sub, 65536)], out, "--root", root, "--platform", at.platform, "run", "--bundle",
                              b.dir, b.id)
    told = open(out).read()
    if status == 120:
        return  # no user namespaces here
    expect(told.startswith("5000\n5000\n0\n") and "Permission denied" in told and status == 1, (status, told))
    expect(open(mine).read() == "by the caller\n" and os.stat(mine).st_uid == user, "the caller's own file")
    expect(not os.path.exists(b.rootfs + "/data/no") and os.listdir(root) == [], "another's directory")
