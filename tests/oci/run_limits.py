#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Limits, and the one cause for each end: what `do --json`, `run --json`, `wait --json` and `events` say. The programs of
nasty.c are each run under limits: each ends in time, by the right cause, with nothing left, and a neighbour is not harmed."""
import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import runtime
from processes import children, proc_name, read_proc
from runtime import Bundle, at, expect, picket

LIMITS = {"memory": "64m", "pids": "40", "disk": "4m", "files": "300", "output-bytes": "100000", "timeout": "2"}
PATIENCE = 50  # seconds after its time: on a machine that does much else
# what each may end by: causes, and, where it exits by itself, the status
TIMEOUT, MEMORY, DISK = {"timeout"}, {"memory"}, {"disk"}
NASTY = {
    "loop": TIMEOUT, "loop_threads": TIMEOUT, "yield_storm": TIMEOUT, "call_storm": TIMEOUT, "deaf": TIMEOUT, "stopped": TIMEOUT,
    "fork_bomb": {"timeout", "pids"}, "fork_insist": {"pids"}, "fork_exec_bomb": {"timeout", "pids"}, "vfork_bomb": {"timeout", "pids"},
    "thread_bomb": {"pids"}, "zombies": {"timeout", "pids"}, "fd_bomb": TIMEOUT, "epoll_bomb": TIMEOUT, "socket_bomb": TIMEOUT,
    "inotify_bomb": {"timeout", "disk"}, "sysv_bomb": {"timeout", "memory"}, "timer_bomb": TIMEOUT, "signal_storm": TIMEOUT,
    "signal_queue": TIMEOUT, "memory": MEMORY, "memory_children": TIMEOUT, "memory_cow": {"exited", "memory"}, "memory_stack": {"guest-fault"},
    "memory_brk": MEMORY, "memory_populate": MEMORY, "populate_late": 7, "memory_shared": 7, "memory_memfd": 7, "memory_pipes": {"timeout"}, "memory_sockets": TIMEOUT,
    "mmap_bomb": TIMEOUT, "mmap_huge": 7, "grandchildren": 7, "segfault": {"guest-fault"}, "kill_all": TIMEOUT, "output": {"output"},
    "output_errors": {"output"}, "disk": DISK, "disk_stops": 7, "disk_sparse": 7, "disk_unlinked": 7, "tiny_files": DISK,
    "deep_dirs": DISK, "many_links": DISK, "huge_argv": 7,
}


def do(*args, status=None, **limits):
    """The result line of `picket do`, and its output."""
    path = os.path.join(at.base, "result")
    options = ["--%s=%s" % (k.replace("_", "-"), v) for k, v in limits.items()]
    if os.path.exists(path):
        os.unlink(path)
    done = subprocess.run([at.picket, "do", "--platform", at.platform, "--json=" + path, *options, "--", *args], capture_output=True,
                          text=True, timeout=40 * at.scale, stdin=subprocess.DEVNULL)
    lines = open(path).read().splitlines()
    expect(len(lines) == 1, "not one line: %r" % lines)
    result = json.loads(lines[0])
    expect(result["exit"] == done.returncode, "exit %d, told %d" % (done.returncode, result["exit"]))
    expect(status is None or done.returncode == status, "exit %d, not %s: %s %s" % (done.returncode, status, done.stderr, result))
    result["out"], result["err"] = done.stdout, done.stderr
    return result


def bundle(*args, **annotations):
    b = Bundle(*args)
    b.rootfs = os.path.join(b.dir, "rootfs")
    b.config["root"]["path"] = b.rootfs
    for folder in ("proc", "dev", "tmp", "bin"):
        os.makedirs(os.path.join(b.rootfs, folder))
    os.link(os.path.join(at.base, "nasty"), os.path.join(b.rootfs, "nasty"))
    os.link(os.path.join(at.base, "rootfs/bin/busybox"), os.path.join(b.rootfs, "bin/sh"))
    b.config["annotations"] = {"dev.picket." + k.replace("_", "-"): v for k, v in annotations.items()}
    return b


def ended(b, seconds, **limits):
    """`run --json` of a bundle: the result line."""
    path = os.path.join(b.dir, "result")
    b.write()
    options = ["--%s=%s" % (k, v) for k, v in limits.items()]
    started = time.monotonic()
    subprocess.run([at.picket, "--root", at.root, "--platform", at.platform, "run", "--bundle", b.dir, "--json=" + path, *options,
                    b.id], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60 * at.scale)
    took = time.monotonic() - started
    expect(took < seconds * at.scale, "took %.1f s" % took)
    return json.loads(open(path).read())


def nasty(name):
    want = NASTY[name]
    b = bundle("/nasty", name)
    by_time = not isinstance(want, int) and "timeout" in want
    limits = {**LIMITS, "timeout": LIMITS["timeout"] if by_time else "40"}  # what ends otherwise may be slow
    r = ended(b, float(limits["timeout"]) + PATIENCE, **limits)
    if isinstance(want, int):
        expect(r["cause"] == "exited" and r["exit"] == want, "%s" % r)
    else:
        expect(r["cause"] in want, "%s" % r)
    expect(r["stdout"]["captured"] <= 100000 and r["stderr"]["captured"] <= 100000, "%s" % r)
    held = sum(os.lstat(os.path.join(d, f)).st_blocks * 512 for d, _, files in os.walk(os.path.join(b.rootfs, "tmp")) for f in files)
    expect(held <= (4 << 20) + 300 * 4096, "%d bytes on the host's disk" % held)
    shutil.rmtree(b.dir, ignore_errors=True)
    return r


# ---- do ---------------------------------------------------------------------------------------------------
def test_do_result():
    r = do("/bin/sh", "-c", "echo hello; echo oops >&2; exit 3", status=3)
    expect((r["exit"], r["signal"], r["cause"]) == (3, 0, "exited"), "%s" % r)
    expect(r["stdout"] == {"captured": 6, "total": 6, "omitted": 0} and r["stderr"]["total"] == 5, "%s" % r)
    expect(r["out"] == "hello\n" and 0 < r["wall"] < 20 and r["memory_peak"] > 0, "%s" % r)


def test_do_signal():
    r = do("/bin/sh", "-c", "kill -TERM $$", status=143)
    expect((r["signal"], r["cause"]) == (15, "signal"), "%s" % r)


def test_zombies_are_pids():
    """Whoever is not waited for counts, as in a pids cgroup."""
    forks = """if 1:
        import os
        n = 0
        try:
            while n < 100:
                if os.fork() == 0: os._exit(0)
                n += 1
        except BlockingIOError: pass
        print(n)"""
    r = do("/usr/bin/python3", "-c", forks, pids="20", status=0)
    expect(r["out"] == "19\n", "%s" % r)


def test_sockets_without_end():
    """Six processes open sockets until they may not: an errno, not the sandbox' end; then all are closed, and the network works."""
    program = """if 1:
        import errno, os, resource, socket
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        r, w = os.pipe(); go, gone = os.pipe()
        for k in range(6):
            if os.fork() == 0:
                os.close(gone); s, why = [], "ok"
                try:
                    while len(s) < min(most - 50, 20000):
                        n = len(s)
                        s.append(socket.socket(socket.AF_INET if n & 1 else socket.AF_INET6, socket.SOCK_DGRAM if n & 2 else socket.SOCK_STREAM))
                except OSError as e: why = errno.errorcode[e.errno]
                os.write(w, b"%d %s\\n" % (len(s), why.encode())); os.read(go, 1); os._exit(0)
        os.close(w); f = os.fdopen(r); said = [f.readline().split() for k in range(6)]
        os.close(gone)
        for k in range(6): os.wait()
        a = socket.create_server(("127.0.0.1", 0)); b = socket.create_connection(a.getsockname()); c, _ = a.accept()
        b.send(b"x")
        print(sum(int(n) for n, why in said) > 1000, {why for n, why in said} <= {"ok", "ENOBUFS", "ENOMEM", "EMFILE"}, c.recv(1))"""
    r = do("/usr/bin/python3", "-c", program, memory="120m", status=0)
    expect(r["out"] == "True True b'x'\n" and r["memory_peak"] <= 120 << 20, "%s" % r)


def test_do_137_is_no_memory():
    r = do("/bin/sh", "-c", "exit 137", memory="64m", status=137)
    expect((r["signal"], r["cause"]) == (0, "exited"), "%s" % r)


def test_do_no_program():
    r = do("/missing", status=127)
    expect(r["cause"] == "exited", "%s" % r)


def test_do_timeout():
    r = do("/bin/sleep", "60", timeout="0.5", status=137)
    expect(r["cause"] == "timeout" and 0.5 <= r["wall"] < 5 * at.scale, "%s" % r)


def test_do_cpu_time():
    r = do("/bin/sh", "-c", "sleep 1; while :; do :; done", cpu_time="0.5", timeout="30", status=137)
    expect(r["cause"] == "timeout" and r["cpu_user"] + r["cpu_system"] < 3, "%s" % r)


def test_do_memory_error():
    r = do("python3", "-c", "bytearray(10**10)", memory="256m", status=1)
    expect(r["err"].strip().endswith("MemoryError") and r["cause"] == "exited", "%s" % r)


def test_do_memory_child():
    """One process ends, not the sandbox; who is protected by its oom_score_adj goes last."""
    r = do("python3", "-c", """
import os
open('/proc/self/oom_score_adj', 'w').write('-900')
keep = bytearray(30 << 20)
pid = os.fork()
if pid == 0:
    open('/proc/self/oom_score_adj', 'w').write('0')
    x = []
    while True:
        x.append(bytearray(1 << 20))
print(os.waitpid(pid, 0)[1])
""", memory="96m", status=0)
    expect(r["out"] == "9\n" and r["cause"] == "exited" and r["memory_kills"] == 1, "%s" % r)


def test_do_memory_inside():
    r = do("python3", "-c", """
import os
print(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGESIZE'), os.cpu_count(), len(os.sched_getaffinity(0)))
""", memory="128m", cpus="1", status=0)
    expect(r["out"].split() == [str(128 << 20), "1", "1"], "%s" % r)
    r = do("/bin/sh", "-c", "cd /sys/fs/cgroup && cat memory.max pids.max cpu.max cgroup.controllers; grep -c . cgroup.procs; "
           "test $(cat memory.current) -le $(cat memory.max) && test $(cat pids.current) -le 9 && echo within", memory="100m", pids="9", cpus="0.5")
    expect(r["out"].splitlines()[:4] == [str(100 << 20), "9", "50000 100000", "cpuset cpu memory pids"] and "within" in r["out"], "%s" % r)


def test_do_pids():
    r = do("python3", "-c", """
import os, time
n = 1
try:
    while True:
        if os.fork() == 0:
            time.sleep(100)
        n += 1
except BlockingIOError:
    print(n)
""", pids="12", status=0)
    expect(r["out"] == "12\n" and r["refused"]["pids"] == 1, "%s" % r)


def test_do_output():
    r = do("/bin/sh", "-c", "head -c 5000 /dev/zero; echo; echo e >&2", output_bytes="1000", status=0)
    expect(len(r["out"]) == 1000 and r["stdout"] == {"captured": 1000, "total": 5001, "omitted": 4001}, "%s" % r)
    expect(r["err"] == "e\n", "%s" % r)


def test_do_disk():
    r = do("/bin/sh", "-c", "cd $(mktemp -d); head -c 3000000 /dev/zero >x; ls -l x >&2; rm x; head -c 900000 /dev/zero >y",
           disk="1m", status=0)
    expect("No space left" in r["err"] and r["refused"]["disk"] > 0 and r["bytes_written"] >= 1900000, "%s" % r)


def test_do_bad_limits():
    for option in ("--memory=0", "--memory=x", "--memory=-5", "--pids=1.5", "--cpus=", "--timeout=1e99", "--disk=5q", "--files=0x10",
                   "--timeout=nan", "--memory=99999999999t"):
        done = subprocess.run([at.picket, "do", option, "--", "/bin/true"], capture_output=True, text=True, timeout=20)
        expect(done.returncode == 125 and len(done.stderr.splitlines()) == 1, "%s: %d %s" % (option, done.returncode, done.stderr))


# ---- run, wait, events, update ----------------------------------------------------------------------------
def test_run_annotations():
    r = ended(bundle("/nasty", "loop", timeout="0.5"), 10)
    expect(r["cause"] == "timeout", "%s" % r)


def test_run_bad_annotation():
    b = bundle("/nasty", "loop", timeout="soon")
    b.write()
    runtime.refused("create", "--bundle", b.dir, b.id, words=("annotations", "dev.picket.timeout", "soon"))


def test_run_resources():
    b = bundle("/nasty", "memory")
    b.config["linux"]["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 10}}
    b.create()
    b.start()
    done = json.loads(picket("wait", "--json", b.id).stdout)
    expect(done["cause"] == "memory" and done["memory_kills"] == 1 and done["signal"] == 9, "%s" % done)
    expect(os.path.exists(os.path.join(b.dir, "oom")), "no file 'oom'")
    state = json.load(open(os.path.join(at.root, b.id, "state.json")))
    expect(state["cause"] == "memory" and state["result"]["memory_kills"] == 1, "%s" % state)
    picket("delete", b.id)


def test_delete_force_after_its_last_note():
    """An init that stands still when its end is in the state, the lock still its own: here before it tells conmon that memory ran out."""
    b = bundle("/nasty", "memory")
    b.config["linux"]["resources"] = {"memory": {"limit": 64 << 20}}
    b.create()
    os.mkfifo(os.path.join(b.dir, "oom"))
    b.start()
    limit = time.monotonic() + 30 * at.scale
    while b.status() != "stopped" and time.monotonic() < limit:
        time.sleep(0.02)
    expect(b.state()["pid"] == 0, "%s" % b.state())
    wait = subprocess.Popen([at.picket, "--root", at.root, "wait", b.id], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait.wait(0.5)
        early = True
    except subprocess.TimeoutExpired:
        early = False
    picket("delete", "--force", b.id)
    wait.communicate(timeout=30 * at.scale)
    expect(not early, "the end is told before all that belongs to it")
    expect(b.end() == 9, "by force")


def test_events_end():
    b = bundle("/nasty", "memory")
    b.config["linux"]["resources"] = {"memory": {"limit": 64 << 20}}
    b.create()
    watch = subprocess.Popen([at.picket, "--root", at.root, "events", "--interval", "1", b.id], stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    b.start()
    lines = [json.loads(x) for x in watch.communicate(timeout=30 * at.scale)[0].splitlines()]
    expect([x["type"] for x in lines if x["type"] != "stats"] == ["oom", "exit"], "%s" % lines)
    expect(lines[-1]["data"]["cause"] == "memory", "%s" % lines[-1])
    picket("delete", b.id)


def test_one_cause_for_each_end():
    """wait --json, events, state.json and the bundle's file say the same of the same end, whatever it was."""
    programs = {"exited": (["/bin/sh", "-c", "exit 5"], {}), "signal": (["/bin/sh", "-c", "kill -TERM $$; sleep 9"], {}),
                "timeout": (["/nasty", "loop"], {"timeout": "0.5"}), "pids": (["/nasty", "fork_insist"], {"pids": "20"}),
                "output": (["/nasty", "output"], {"output_bytes": "1000"}), "disk": (["/nasty", "disk"], {"disk": "1m"}),
                "guest-fault": (["/nasty", "segfault"], {}), "memory": (["/nasty", "memory"], {"memory": "48m"})}
    made = {cause: bundle(*args, **limits) for cause, (args, limits) in programs.items()}
    for b in made.values():
        b.create()
    watch = {cause: subprocess.Popen([at.picket, "--root", at.root, "events", "--interval", "1", b.id], stdout=subprocess.PIPE, text=True)
             for cause, b in made.items()}
    for cause, b in made.items():
        watch[cause].stdout.readline()  # it looks
        b.start()
    for cause, b in made.items():
        told = json.loads(picket("wait", "--json", b.id).stdout)
        last = json.loads(watch[cause].communicate(timeout=30 * at.scale)[0].splitlines()[-1])
        with open(os.path.join(at.root, b.id, "state.json")) as f:
            kept = json.load(f)
        expect(told["cause"] == cause and last["type"] == "exit" and last["data"] == told, "%s: %s, %s" % (cause, told, last))
        expect(kept["cause"] == cause and kept["result"]["cause"] == cause, "%s: %s" % (cause, kept))
        expect(os.path.exists(os.path.join(b.dir, "oom")) == (cause == "memory"), "file oom: " + cause)
        picket("delete", b.id)


def test_memory_overshoot():
    """How far memory gets beyond the limit before one ends: what is touched between two looks, however much is asked for at once."""
    for name, how in (("memory", "by pages"), ("memory_populate", "60 MiB a call, eight threads")):
        r = ended(bundle("/nasty", name), 40, memory="64m")
        print("     %s: %.1f MiB of 64" % (how, r["memory_peak"] / (1 << 20)))
        expect(r["cause"] == "memory" and 64 << 20 < r["memory_peak"] < 192 << 20, "%s" % r)


def test_update():
    """Limits that are changed while it runs hold at once."""
    b = bundle("/bin/sh", "-c", "read x < /go; exec /nasty memory")
    os.mkfifo(os.path.join(b.rootfs, "go"))
    b.create()
    b.start()
    picket("update", "--memory", str(48 << 20), "--pids-limit", "7", b.id)
    picket("exec", b.id, "/bin/sh", "-c", "echo > /go")
    done = json.loads(picket("wait", "--json", b.id).stdout)
    expect(done["cause"] == "memory", "%s" % done)
    picket("delete", b.id)


def memory_cgroup(pid):
    for line in (read_proc("%d/cgroup" % pid) or "").splitlines():
        _, controllers, path = line.split(":", 2)
        base = "/sys/fs/cgroup" + ("/memory" if "memory" in controllers.split(",") else "")
        if (controllers == "" or "memory" in controllers.split(",")) and "/picket/" in path and os.path.exists(base + path):
            return base + path
    return None


def test_kernel_hears_of_oom():
    """containerd's shim looks at the cgroup."""
    b = bundle("/nasty", "memory")
    b.config["linux"]["resources"] = {"memory": {"limit": 64 << 20}}
    b.create()
    path = memory_cgroup(b.pid)
    if not path:
        picket("delete", "--force", b.id)
        return
    b.start()
    picket("wait", b.id)
    name = "memory.oom_control" if os.path.exists(path + "/memory.oom_control") else "memory.events"
    fields = dict(line.split() for line in open(os.path.join(path, name)))
    expect(int(fields.get("oom_kill", 0)) > 0, "%s" % fields)
    picket("delete", b.id)


def test_host_cause():
    """A sentry that somebody kills: the host's doing."""
    b = bundle("/nasty", "deaf")
    b.create()
    b.start()
    sentry = [p for p in children(b.pid) if "sentry" in proc_name(p)]
    os.kill(sentry[0], 9)
    done = json.loads(picket("wait", "--json", b.id).stdout)
    expect(done["cause"] == "host", "%s" % done)
    picket("delete", b.id)


def run_case(name, test):
    mounts, started = set(open("/proc/self/mountinfo").read().splitlines()), time.monotonic()
    try:
        test()
        left = runtime.leftovers(mounts)
        expect(not left, "left behind: " + ", ".join(left[:5]))
        print("ok   %-40s %6.1f s" % (name, time.monotonic() - started), flush=True)
        return True
    except Exception as e:
        print("FAIL %s: %s: %s" % (name, type(e).__name__, e), flush=True)
        runtime.clean()
        return False


def main():
    options = runtime.options(nasty=True)
    if not shutil.which("busybox"):
        print("no busybox: skipped\n0 passed, 0 failed, 1 skipped")
        return 0
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: as conmon and the shim
    at.base = tempfile.mkdtemp(prefix="picket-limits-")
    os.chmod(at.base, 0o755)
    at.root = os.path.join(at.base, "run")
    os.mkdir(at.root)
    runtime.make_rootfs(os.path.join(at.base, "rootfs"))
    shutil.copy(options.nasty, os.path.join(at.base, "nasty"))
    cases = [(n[5:], f) for n, f in sorted(globals().items()) if n.startswith("test_")]
    cases += [("nasty " + n, lambda n=n: nasty(n)) for n in NASTY]
    neighbour = subprocess.Popen([at.picket, "do", "--platform", at.platform, "--", "/bin/sh", "-c",
                                  "while read x; do echo $x; done"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    runtime.OURS.add(neighbour.pid)
    results = [run_case(n, f) for n, f in cases if re.search(options.filter, n)]
    out = neighbour.communicate("still here\n", timeout=20)[0]
    if out != "still here\n" or neighbour.returncode:
        print("FAIL neighbour: %r, exit %d" % (out, neighbour.returncode))
        results.append(False)
    shutil.rmtree(at.base, ignore_errors=True)
    print("%d passed, %d failed, 0 skipped" % (results.count(True), results.count(False)))
    return int(False in results)


if __name__ == "__main__":
    sys.exit(main())
