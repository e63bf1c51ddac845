#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`picket do` as a user meets it: exit statuses, bad input (one line on stderr that names what and where), options,
signals, names of processes, and that nothing outside changes. Each case is a function; run on one platform."""
import argparse
import contextlib
import ctypes
import inspect
import os
import pty
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

from processes import descendants, proc_name, proc_stat, read_proc, threads

PICKET, PLATFORM, SCALE = "", "seccomp", 1.0


def do(*args, options=(), **kw):
    command = [PICKET, "do", "--platform=" + PLATFORM, *options, "--", *args]
    kw.setdefault("stdin", subprocess.DEVNULL)
    kw.setdefault("timeout", 30 * SCALE)
    return subprocess.run(command, capture_output=True, text=True, cwd=kw.pop("cwd", "/"), **kw)


def expect(ok, what):
    if not ok:
        raise AssertionError(what)


def expect_error(done, status, *words):
    expect(done.returncode == status, "exit %d, not %d: %s" % (done.returncode, status, done.stderr))
    lines = done.stderr.strip().splitlines()
    expect(len(lines) == 1, "not one line on stderr: %r" % done.stderr)
    for word in words:
        expect(word in lines[0], "no %r in %r" % (word, lines[0]))


def scratch(mode=0o755):
    folder = tempfile.mkdtemp(prefix="picket-cli-")
    os.chmod(folder, mode)
    return folder


def write(path, data, mode=0o755):
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)
    return path


# ---- Exit statuses -------------------------------------------------------------------------------------------------------
def test_exit_status():
    expect(do("sh", "-c", "exit 42").returncode == 42, "exit 42")
    expect(do("true").returncode == 0, "true")


def test_exit_by_signal():
    for sig in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
        got = do("sh", "-c", "kill -%d $$" % sig).returncode
        expect(got == 128 + sig, "signal %d gave %d" % (sig, got))


def test_uname_is_pickets():
    out = do("uname", "-a").stdout
    expect("picket" in out.lower(), out)
    expect(os.uname().nodename not in out.split()[1], "the host's name")


# ---- Ways to call --------------------------------------------------------------------------------------------------------
def test_fast_calls():
    """--verbose says by which way the calls came; with --fast-calls=off each was an exchange, and no site was changed."""
    program = "import os\nfor i in range(20000): os.getppid()"
    for word in ("on", "off"):
        done = do("python3", "-c", program, options=["--verbose", "--fast-calls=" + word])
        expect(done.returncode == 0, done.stderr)
        ways = re.search(r"calls: (\d+) plain, (\d+) with registers, (\d+) by rings\n.*sites: (\d+) patched", done.stderr)
        expect(ways, "no count of calls: " + done.stderr)
        plain, registers, rings, sites = map(int, ways.groups())
        if word == "off":
            expect(plain + registers > 20000 and rings == 0 and sites == 0, done.stderr)
        elif PLATFORM == "seccomp" and os.cpu_count() > 1:
            expect(sites > 0, "no site was patched: " + done.stderr)
    expect_error(do("true", options=["--fast-calls=some"]), 125, "--fast-calls", "some")


def test_break_is_moved_ahead():
    """A break that goes up and down: --verbose says that memory behind it was there, and how few calls were an exchange."""
    program = "import ctypes\nlibc = ctypes.CDLL(None)\nfor i in range(3000): libc.sbrk(4096); libc.sbrk(-4096)"
    guards = ctypes.CDLL(None).syscall(323, 1) >= 0  # userfaultfd(UFFD_USER_MODE_ONLY)
    for word in ("on", "off"):
        done = do("python3", "-c", program, options=["--verbose", "--fast-calls=" + word])
        heaps = re.search(r"(\d+) behind breaks", done.stderr)
        expect(done.returncode == 0 and heaps, done.stderr)
        if word == "off" or PLATFORM == "ptrace":
            expect(heaps.group(1) == "0", done.stderr)
        elif PLATFORM == "seccomp" and os.cpu_count() > 1 and guards:
            expect(0 < int(heaps.group(1)) < 20, done.stderr)


def test_place_of_a_shrunk_map_is_known():
    """A map that is made shorter and then unmapped, again and again: --verbose says that the next one was made where it belongs."""
    program = """
import ctypes
libc, n, seen = ctypes.CDLL(None), ctypes.c_long, set()
libc.mmap.restype = ctypes.c_long
for i in range(2000):
    at = libc.mmap(n(0), n(266240), 3, 0x22, -1, n(0))
    if at not in seen and len(seen) < 100:
        libc.mmap(n(at - 4096), n(4096), 3, 0x100022, -1, n(0))  # a wall, unless there is something already
        seen.add(at)
    libc.mremap(n(at), n(266240), n(4096), 1)
    libc.munmap(n(at), n(4096))
"""
    done = do("python3", "-c", program, options=["--verbose"])
    moved = re.search(r"(\d+) were maps at the wrong place", done.stderr)
    expect(done.returncode == 0 and moved and int(moved.group(1)) < 500, done.stderr)


def test_full_cores_are_shared_with_a_poller():
    """As many busy processes as there are cores: --verbose says that they were put aside for a poller, which took their calls."""
    program = "import os\nn = os.cpu_count()\nwhile n > 1 and os.fork():\n    n -= 1\nfor i in range(100000): os.getppid()"
    for i in range(40 if PLATFORM == "seccomp" and 1 < os.cpu_count() < 16 else 0):
        done = do("python3", "-c", program, options=["--verbose"])
        if re.search(r"[1-9]\d* by rings\n(?:.*\n)*.*, [1-9]\d* put aside", done.stderr):
            return  # where others want the cores it may not get so far each time
        expect(i < 39, done.stderr)


def test_paths_come_along():
    """A path of a busy call site is left in the ring, though nobody polls it: --verbose counts these. Sleeps keep pollers away."""
    program = """
import os, time
for i in range(300):
    os.path.lexists("/usr")
    time.sleep(0.002)
"""
    for word in ("on", "off"):
        done = do("python3", "-c", program, options=["--verbose", "--fast-calls=" + word])
        brought = re.search(r"(\d+) brought their bytes", done.stderr)
        expect(done.returncode == 0 and brought, done.stderr)
        if word == "off" or PLATFORM == "ptrace":
            expect(brought.group(1) == "0", done.stderr)
        elif PLATFORM == "seccomp" and os.cpu_count() > 1:
            expect(int(brought.group(1)) > 150, done.stderr)


def test_threads_are_kept():
    """A thousand threads one after the other need one or two host threads, as --verbose says."""
    program = "import threading\nfor i in range(1000):\n    t = threading.Thread(target=id, args=(1,))\n    t.start(); t.join()"
    done = do("python3", "-c", program, options=["--verbose"])
    kept = re.search(r"threads: (\d+) on kept host threads", done.stderr)
    expect(done.returncode == 0 and kept, done.stderr)
    if PLATFORM == "seccomp":
        expect(int(kept.group(1)) > 900, done.stderr)


def test_thousands_of_threads():
    """More than four thousand in one process, all there at a time: a stub of the seccomp platform has a slot for each."""
    if PLATFORM != "seccomp":
        return
    program = """
import os, threading
threading.stack_size(65536)
over = threading.Event()
threads = [threading.Thread(target=over.wait) for i in range(4200)]
for t in threads:
    t.start()
print(len(os.listdir("/proc/self/task")))
over.set()
for t in threads:
    t.join()
"""
    done = do("python3", "-c", program, timeout=120 * SCALE)
    expect(done.returncode == 0 and done.stdout == "4201\n", done)


# ---- Bad input -----------------------------------------------------------------------------------------------------------
def test_missing_program():
    expect_error(do("/no/such/program"), 127, "/no/such/program")
    expect_error(do("no-such-program-in-path"), 127, "no-such-program-in-path", "PATH")


def test_not_executable():
    folder = scratch()
    expect_error(do(write(folder + "/plain", b"#!/bin/sh\n", 0o644)), 126, folder + "/plain")
    expect_error(do(folder), 126, folder)
    shutil.rmtree(folder)


def test_script_without_interpreter():
    folder = scratch()
    expect_error(do(write(folder + "/script", b"#!/no/such/interpreter\n")), 127, folder + "/script")
    shutil.rmtree(folder)


def elf_header(phdrs, phnum=None, machine=62, bits=2):
    head = b"\x7fELF" + bytes([bits, 1, 1, 0]) + bytes(8)
    head += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0x400078, 64, 0, 0, 64, 56, phnum if phnum is not None else len(phdrs),
                        0, 0, 0)
    for p in phdrs:
        head += struct.pack("<IIQQQQQQ", *p)
    return head


def test_bad_elf():
    folder = scratch()
    load = (1, 5, 0, 0x400000, 0x400000, 0x1000, 0x1000, 0x1000)
    with open("/bin/true", "rb") as f:
        whole = f.read()
    cases = {
        "truncated": whole[:100],
        "cut-header": whole[:40],
        "32-bit": elf_header([load], bits=1, machine=3),
        "other-machine": elf_header([load], machine=183),
        "no-segments": elf_header([]),
        "many-segments": elf_header([load], phnum=65535),
        "wraps": elf_header([(1, 5, 0, 0xfffffffffffff000, 0, 0x1000, 0x2000, 0x1000)]),
        "kernel-half": elf_header([(1, 5, 0, 0xffff800000000000, 0, 0x1000, 0x1000, 0x1000)]),
        "text-file": b"hello\n",
    }
    for name, data in cases.items():
        done = do(write(folder + "/" + name, data))
        expect_error(done, 126, folder + "/" + name)
    # Overlapping segments are mapped one over the other, as Linux does: a process' matter, never ours.
    done = do(write(folder + "/overlap", elf_header([load, load, (1, 6, 0, 0x400800, 0, 0x800, 0x1000, 0x1000)])))
    expect(done.returncode in (126, 139, 135, 132), "overlap gave %d" % done.returncode)
    shutil.rmtree(folder)


def test_bad_options():
    for options, words in ((["--no-such-option"], ["--no-such-option"]), (["--platform=kvm"], ["kvm"]),
                           (["--bind", "/no/such/path:/x"], ["/no/such/path", "make it"]), (["--bind", "nocolon"], ["nocolon"]),
                           (["--bind", "/tmp:relative"], ["relative"]), (["--bind", "/tmp:/x:rx"], ["/tmp:/x:rx"]),
                           (["--bind", "/dev/null:/x"], ["/dev/null"]), (["--env", "novalue"], ["novalue"]),
                           (["--cwd", "/no/such/dir"], ["/no/such/dir"]), (["--cwd", "relative"], ["relative"]),
                           (["--hostname", "x" * 65], ["hostname"]), (["--bind"], ["--bind"])):
        done = subprocess.run([PICKET, "do"] + options + (["--", "true"] if options != ["--bind"] else []),
                              capture_output=True, text=True, timeout=30 * SCALE)
        expect_error(done, 125, *words)
    expect_error(subprocess.run([PICKET, "do"], capture_output=True, text=True), 125, "no program")
    expect_error(subprocess.run([PICKET, "frobnicate"], capture_output=True, text=True), 125, "frobnicate")


def test_help():
    done = subprocess.run([PICKET, "do", "--help"], capture_output=True, text=True)
    expect(done.returncode == 0 and "--platform" in done.stdout, "do --help")
    expect(subprocess.run([PICKET, "help"], capture_output=True).returncode == 0, "help")


# ---- Options -------------------------------------------------------------------------------------------------------------
def test_env_is_not_inherited():
    os.environ["PICKET_CANARY"] = "secret"
    expect("PICKET_CANARY" not in do("env").stdout, "the caller's environment went in")
    expect("\nK=v=w\n" in "\n" + do("env", options=["--env", "K=v=w"]).stdout, "--env")


def test_env_that_is_passed_on():
    """The variables that --help lists, and no other, come in."""
    text = subprocess.run([PICKET, "do", "--help"], capture_output=True, text=True).stdout
    listed = re.search(r"passed on:\n\s+([A-Z_ ]+)\n", text)[1].split()
    expect(len(listed) == 10, "--help lists %r" % listed)
    usual = listed + ["PWD", "LANGUAGE", "LC_TIME", "LD_PRELOAD", "LD_LIBRARY_PATH", "SSH_AUTH_SOCK", "DISPLAY", "XDG_RUNTIME_DIR",
                      "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "PICKET_LOG", "EDITOR", "MAIL", "path"]
    env = {name: os.environ["PATH"] if name == "PATH" else "error" if name == "PICKET_LOG" else "/%s" % name for name in usual}
    env.pop("LD_PRELOAD")  # the dynamic loader of Picket's own would follow it
    got = dict(line.split("=", 1) for line in do("env", env=env).stdout.splitlines())
    expect(got == {name: env[name] for name in listed}, "inside: %r" % got)


def test_hostname_and_cwd():
    expect(do("hostname", options=["--hostname", "box"]).stdout == "box\n" or not shutil.which("hostname"), "--hostname")
    expect(do("uname", "-n", options=["--hostname", "box"]).stdout == "box\n", "--hostname")
    expect(do("pwd", options=["--cwd", "/usr/bin"]).stdout == "/usr/bin\n", "--cwd")
    expect(do("pwd", cwd="/usr").stdout == "/usr\n", "the caller's directory")


def test_bind():
    folder = scratch()
    write(folder + "/in", b"from outside\n", 0o644)
    done = do("sh", "-c", "cat /mnt/deep/er/in; echo inside > /mnt/deep/er/out", options=["--bind", folder + ":/mnt/deep/er"])
    expect(done.stdout == "from outside\n" and done.returncode == 0, done.stderr)
    with open(folder + "/out") as f:
        expect(f.read() == "inside\n", "a writable bind is written through")
    done = do("sh", "-c", "echo x > /mnt/ro/new", options=["--bind", folder + ":/mnt/ro:ro"])
    expect(done.returncode != 0 and "ead-only" in done.stderr and not os.path.exists(folder + "/new"), done.stderr)
    done = do("cat", "/etc/bound", options=["--bind", folder + "/in:/etc/bound:ro"])
    expect(done.stdout == "from outside\n", done.stderr)
    shutil.rmtree(folder)


def test_watched_bind():
    """What is changed inside in a bind is told there; what the host changes is not (a limit)."""
    folder = scratch()
    write(folder + "/f", b"x", 0o644)
    program = """if 1:
        import ctypes, os, struct
        libc = ctypes.CDLL(None)
        fd = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(fd, b"/mnt", 0xfff) == 1 and libc.inotify_add_watch(fd, b"/mnt/f", 0xfff) == 2
        with open("/mnt/f", "a") as f: f.write("y")
        os.rename("/mnt/f", "/mnt/g")
        os.unlink("/mnt/g")
        data, text = os.read(fd, 65536), ""
        while data:
            wd, mask, cookie, n = struct.unpack("iIII", data[:16])
            text += "%d:%x%s " % (wd, mask, data[16:16 + n].rstrip(b"\\0").decode())
            data = data[16 + n:]
        print(text)
    """
    done = do("python3", "-c", program, options=["--bind", folder + ":/mnt"])
    expect(done.stdout == "1:20f 2:20 1:2f 2:2 1:8f 2:8 1:40f 1:80g 2:800 2:4 2:400 2:8000 1:200g \n",
           done.stdout + done.stderr)
    shutil.rmtree(folder)


def test_strace():
    done = do("true", options=["--strace"])
    expect(done.returncode == 0 and "execve(" in done.stderr + "execve(" and "exit_group(0" in done.stderr, done.stderr[-300:])


# ---- Nothing outside changes -------------------------------------------------------------------------------------------------
def test_root_is_untouched():
    marker = "picket-cli-%d" % os.getpid()
    before = sorted(os.listdir("/usr/share/doc"))
    done = do("sh", "-c", "touch /etc/%s && ls /etc/%s && rm -rf /usr/share/doc && ls /usr/share/doc; "
              "echo changed > /etc/hostname; cat /etc/hostname" % (marker, marker))
    if os.geteuid() == 0:
        expect("/etc/" + marker in done.stdout and "changed" in done.stdout, done.stdout + done.stderr)
        expect("No such file" in done.stderr, "rm -rf inside: " + done.stderr)
    expect(not os.path.exists("/etc/" + marker), "a new file got out")
    expect(sorted(os.listdir("/usr/share/doc")) == before, "a removal got out")
    with open("/etc/hostname") as f:
        expect("changed" not in f.read(), "a write got out")
    expect(do("test", "-e", "/etc/" + marker).returncode == 1, "a change outlived its sandbox")


def test_tmp_changes_stay_inside():
    folder = scratch(0o777)
    write(folder + "/f", b"old", 0o666)
    done = do("sh", "-c", "echo new > %s/f; mv %s/f %s/g; cat %s/g" % ((folder,) * 4))
    expect(done.stdout == "new\n", done.stderr)
    with open(folder + "/f") as f:
        expect(f.read() == "old", "a write got out")
    expect(os.listdir(folder) == ["f"], "a rename got out")
    shutil.rmtree(folder)


def in_session(*command):
    """Runs a command on a new terminal, below a leader of its session that lives a little longer: the end of a session throws
    away what nobody has read of its terminal. Returns the master side and the leader, who ends as the command did."""
    pid, master = pty.fork()
    if pid > 0:
        return master, pid
    child = os.fork()
    if child == 0:
        os.execvp(command[0], command)
    for sig in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(sig, signal.SIG_IGN)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    time.sleep(1)
    os._exit(code if code >= 0 else 128 - code)


def in_terminal(*args):
    """The same with a program in a sandbox."""
    return in_session(PICKET, "do", "--platform=" + PLATFORM, "--", *args)


def read_until(master, text, seconds=20, got=b""):
    """What comes from a terminal behind GOT, up to TEXT and perhaps more."""
    end = time.monotonic() + seconds * SCALE
    while text not in got and time.monotonic() < end:
        if select.select([master], [], [], 0.2)[0]:
            try:
                got += os.read(master, 4096)
            except OSError:
                break
    expect(text in got, "no %r on the terminal, but %r" % (text, got[-500:]))
    return got


# ---- Signals and processes ---------------------------------------------------------------------------------------------------
def start(*args):
    return subprocess.Popen([PICKET, "do", "--platform=" + PLATFORM, "--", *args], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True)


def test_signals_are_handed_on():
    p = start("sh", "-c", "trap 'echo term; exit 5' TERM; echo ready; while :; do sleep 0.05; done")
    expect(p.stdout.readline() == "ready\n", "ready")
    p.terminate()
    expect(p.stdout.read() == "term\n" and p.wait(20 * SCALE) == 5, "TERM reached the program")


def test_killing_the_cli_ends_all():
    p = start("sh", "-c", "echo ready; sleep 1000 & sleep 1000")
    expect(p.stdout.readline() == "ready\n", "ready")
    below = descendants(p.pid)
    expect(len(below) >= 3, "processes: %r" % below)
    p.kill()
    p.wait()
    end = time.monotonic() + 10 * SCALE
    while time.monotonic() < end and not all(zombie(pid) for pid in below):
        time.sleep(0.02)
    expect(all(zombie(pid) for pid in below), "left over: %r" % below)


def zombie(pid):
    stat = proc_stat(pid)
    return stat is None or stat[0] == "Z"


def test_mounts_that_are_left():
    """They are taken off at the end, whatever lies on what, and the program's status is told."""
    if os.geteuid() != 0:
        return  # only root may mount inside
    here = "mkdir -p /tmp/a /tmp/b; mount -t tmpfs t /tmp/a; mkdir /tmp/a/x; mount -t tmpfs u /tmp/a/x; "
    for left in ("mount --rbind /tmp/a /tmp/b", "mount -t tmpfs v /tmp/b; mkdir /tmp/b/y; mount --move /tmp/a /tmp/b/y"):
        done = do("sh", "-c", here + left + " && exit 7")
        expect(done.returncode == 7 and not done.stderr, "%s: %d %s" % (left, done.returncode, done.stderr))


def test_process_names():
    p = start("sh", "-c", "echo ready; sleep 1000")
    expect(p.stdout.readline() == "ready\n", "ready")
    names = {proc_name(pid) for pid in descendants(p.pid)}
    p.terminate()
    p.wait(20 * SCALE)
    expect({"picket-sentry", "picket-gofer", "picket-stub"} <= names, "names: %r" % names)


def test_every_process_is_filtered():
    p = start("sh", "-c", "echo ready; sleep 1000")
    expect(p.stdout.readline() == "ready\n", "ready")
    bad = []
    for pid in descendants(p.pid):
        for tid in threads(pid):
            text = read_proc("%d/task/%d/status" % (pid, tid))
            if text is None:
                continue
            if not re.search(r"^Seccomp:\s*2$", text, re.M) or not re.search(r"^NoNewPrivs:\s*1$", text, re.M):
                bad.append((pid, tid, re.search(r"^Name:\s*(.*)$", text, re.M).group(1)))
    p.terminate()
    p.wait(20 * SCALE)
    expect(not bad, "without filter or no_new_privs: %r" % bad)


def test_rest_costs_nothing():
    p = start("sh", "-c", "echo ready; sleep 1000")
    expect(p.stdout.readline() == "ready\n", "ready")

    def ticks():
        total = 0
        for pid in descendants(p.pid):
            fields = proc_stat(pid)
            if fields:
                total += int(fields[11]) + int(fields[12])
        return total
    for _ in range(20):  # it comes to rest
        before = ticks()
        time.sleep(1)
        used = ticks() - before
        if used <= 1:
            break
    p.terminate()
    p.wait(20 * SCALE)
    expect(used <= 1, "%d ticks of CPU in a second of sleep" % used)


# Descriptors of the host are few: a user inside who takes all it can get must leave the others enough, here as on Linux
# (where each process has its own limit and all have one together).
HOG = """
import mmap, os, time
r, w = os.pipe()
hog = os.fork()
if hog == 0:
    os.setgid(4000); os.setuid(4000)
    kept = []
    try:
        while True:
            f = os.memfd_create("x"); os.ftruncate(f, 4096); kept.append((f, mmap.mmap(f, 4096)))
    except OSError as e:
        os.write(1, b"hog got %d: %s\\n" % (len(kept), e.strerror.encode()))
    os.write(w, b"x")
    time.sleep(1000)
os.read(r, 1)
f = os.open("/etc/passwd", os.O_RDONLY)
g = os.open("/tmp/new-file", os.O_CREAT | os.O_RDWR, 0o600); os.write(g, b"x" * (2 << 20)); mmap.mmap(g, 4096)
mmap.mmap(-1, 4096)
r = os.spawnlp(os.P_WAIT, "cat", "cat", "/etc/hostname")
other = os.fork()
if other == 0:
    os.setgid(4001); os.setuid(4001)
    os.open("/etc/passwd", os.O_RDONLY)
    mmap.mmap(-1, 4096)
    os._exit(os.spawnlp(os.P_WAIT, "cat", "cat", "/etc/hostname"))
print("others", r, os.waitpid(other, 0)[1])
os.kill(hog, 9); os.waitpid(hog, 0)
"""


def test_descriptors_are_shared_out():
    if os.geteuid() != 0:
        return  # one user inside: nobody to leave anything to
    for limit in (256, 1024):
        done = do("python3", "-c", HOG, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        got = re.search(r"hog got (\d+): Too many open files", done.stdout)
        expect(got and limit // 4 < int(got.group(1)) < limit * 3 // 4, "%d: %r" % (limit, done))
        expect("others 0 0" in done.stdout, "%d: %r" % (limit, done))


def test_memory_files_are_bounded():
    script = """
import ctypes, errno, os
total = os.sysconf("SC_PHYS_PAGES") * 4096
libc = ctypes.CDLL(None, use_errno=True)
for f in os.memfd_create("m"), os.open("/dev/shm/f", os.O_CREAT | os.O_RDWR), os.open("/tmp/a-file-in-memory", os.O_CREAT | os.O_RDWR):
    r = libc.fallocate(f, 1, ctypes.c_long(0), ctypes.c_long(total // 2 + (64 << 20)))
    print(r, errno.errorcode[ctypes.get_errno()], os.fstat(f).st_blocks)
s = os.statvfs("/dev/shm")
print(abs(s.f_blocks * 4096 - total // 2) < 8192, s.f_files)
"""
    lines = do("python3", "-c", script).stdout.splitlines()
    expect(lines[:3] == ["-1 ENOSPC 0"] * 3 and lines[3].startswith("True"), lines)


def test_boots_when_it_starts():
    script = "import time; print(time.clock_gettime(time.CLOCK_BOOTTIME), open('/proc/uptime').read())"
    boot, up = do("python3", "-c", script).stdout.split()[:2]
    with open("/proc/uptime") as f:
        host = float(f.read().split()[0])
    if os.geteuid() == 0 and os.path.exists("/proc/self/timens_offsets"):
        expect(0 < float(boot) < 30 * SCALE < host, "the host's uptime: %s, %s" % (boot, host))
    expect(abs(float(boot) - float(up)) < 5 * SCALE, "%s and %s" % (boot, up))


def test_no_clock_begins_at_zero():
    """A second of 0 is taken for "not set", by ping for one."""
    script = "import time; print(min(int(time.clock_gettime(c)) for c in (1, 4, 6, 7)))"
    for i in range(10):
        out = do("python3", "-c", script).stdout
        expect(int(out) >= 1, out)


def test_processors_are_those_allowed():
    last = max(os.sched_getaffinity(0))
    script = "import os; print(os.sched_getaffinity(0))"
    done = do("sh", "-c", "nproc; python3 -c '%s'; cut -d' ' -f39 /proc/self/stat" % script,
              preexec_fn=lambda: os.sched_setaffinity(0, {last}))
    expect(done.stdout.split() == ["1", "{%d}" % last, str(last)], done)


def main(module=None):
    """Runs the tests of a module (this one), which finds the helpers and PICKET, PLATFORM and SCALE here."""
    global PICKET, PLATFORM, SCALE
    module = module or sys.modules[__name__]
    parser = argparse.ArgumentParser(description=module.__doc__)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--platform", default="seccomp")
    parser.add_argument("--filter", default=".")
    parser.add_argument("--timeout-scale", type=float, default=1)
    options = parser.parse_args()
    PICKET, PLATFORM, SCALE = os.path.abspath(options.picket), options.platform, options.timeout_scale
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: what is left over is ours to see
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it runs in the background
    for sig in (signal.SIGQUIT, signal.SIGTSTP, signal.SIGHUP):
        signal.signal(sig, signal.SIG_DFL)
    passed = failed = 0
    for name, test in inspect.getmembers(module, inspect.isfunction):
        if not name.startswith("test_") or not re.search(options.filter, name):
            continue
        try:
            test()
            passed += 1
            print("ok   %s" % name, flush=True)
        except (AssertionError, subprocess.TimeoutExpired, OSError) as e:
            failed += 1
            print("FAIL %s: %s" % (name, str(e)[:1500]), flush=True)
    left = [pid for pid in descendants(os.getpid()) if not zombie(pid)]
    if left:
        failed += 1
        print("FAIL processes are left over: %r" % left)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
