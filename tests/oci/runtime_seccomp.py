# SPDX-License-Identifier: Apache-2.0
"""linux.seccomp and linux.sysctl of config.json."""
import json
import os
import signal

from runtime import Bundle, exec_detached, expect, picket, reap, refused, running, sh

OTHERS = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]


def filtered(text, *rules, default="SCMP_ACT_ALLOW", **more):
    b = sh(text)
    b.config["linux"]["seccomp"] = {"defaultAction": default, "architectures": OTHERS, "syscalls": list(rules), **more}
    return b


def rule(names, action="SCMP_ACT_ERRNO", **more):
    return {"names": names if isinstance(names, list) else [names], "action": action, **more}


def arg(index, value, op, two=0):
    return {"index": index, "value": value, "valueTwo": two, "op": op}


# ---- What a call gets ------------------------------------------------------------------------------------------------------
def test_seccomp_refuses_a_call():
    done = filtered("mkdir /tmp/x || echo refused; echo on", rule(["mkdir", "mkdirat"])).run()
    expect(done.stdout == "refused\non\n" and "Operation not permitted" in done.stderr, done)


def test_seccomp_errno():
    done = filtered("mkdir /tmp/x", rule(["mkdir", "mkdirat"], errnoRet=28)).run(status=1)
    expect("No space left" in done.stderr, done)
    done = filtered("mkdir /tmp/x; mkdir /tmp/y", rule("mkdir", errnoRet=0)).run()
    expect(done.stderr == "", done)  # nothing is done, and the call says that it was


def test_seccomp_kill():
    for action in ("SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"):
        out = filtered("mkdir /tmp/x; echo $?", rule("mkdir", action)).run().stdout
        expect(out == "%d\n" % (128 + signal.SIGSYS), out)
    b = filtered("exec mkdir /tmp/x", rule("mkdir", "SCMP_ACT_KILL_PROCESS")).create().start()
    expect(os.WTERMSIG(b.end()) == signal.SIGSYS, "ends by SIGSYS")
    b.delete()


def test_seccomp_default_action():
    """What is not named gets the default; the calls that a shell needs are named."""
    names = ("read write open openat close stat fstat lstat newfstatat poll mmap mprotect munmap brk rt_sigaction rt_sigprocmask "
             "rt_sigreturn ioctl access execve exit exit_group arch_prctl set_tid_address set_robust_list prlimit64 getrandom rseq "
             "getuid geteuid getgid getegid getpid getppid fcntl dup2 fork vfork clone wait4 uname getcwd readlink prctl "
             "readlinkat pread64 lseek futex gettid sysinfo setsid getpgrp setpgid dup dup3 pipe pipe2 faccessat").split()
    b = filtered("echo up; mkdir /tmp/never", rule(names, "SCMP_ACT_ALLOW"), default="SCMP_ACT_ERRNO", defaultErrnoRet=95)
    done = b.run(status=1)
    expect(done.stdout == "up\n" and "not supported" in done.stderr, done)
    b.config["linux"]["seccomp"]["defaultErrnoRet"] = 1
    expect("not permitted" in b.run(status=1).stderr, "EPERM")


def test_seccomp_log_lets_it_happen():
    expect(filtered("mkdir /tmp/logged && rm -r /tmp/logged && echo made", rule("mkdir", "SCMP_ACT_LOG"), flags=["SECCOMP_FILTER_FLAG_LOG"]).run()
           .stdout == "made\n", "SCMP_ACT_LOG")


# ---- Arguments -------------------------------------------------------------------------------------------------------------
def kill_tells(signals, *args):
    """Which of the signals (all of them harmless) may be sent."""
    text = "trap '' USR1 USR2 WINCH URG CONT; " + "; ".join("kill -%d $$ 2>/dev/null && echo %d" % (s, s) for s in signals)
    return [int(n) for n in filtered(text + "; true", rule("kill", args=list(args))).run().stdout.split()]


def test_seccomp_operators():
    for op, value, two, sent in (("SCMP_CMP_EQ", 12, 0, [10, 23, 28]), ("SCMP_CMP_NE", 12, 0, [12]), ("SCMP_CMP_LT", 12, 0, [12, 23, 28]),
                                 ("SCMP_CMP_LE", 12, 0, [23, 28]), ("SCMP_CMP_GT", 12, 0, [10, 12]), ("SCMP_CMP_GE", 12, 0, [10]),
                                 ("SCMP_CMP_MASKED_EQ", 8, 8, [23])):
        got = kill_tells([10, 12, 23, 28], arg(1, value, op, two))
        expect(got == sent, "%s %d: %r" % (op, value, got))


def test_seccomp_arguments_together():
    """Of two arguments both conditions hold; of one argument twice, each is a rule of its own."""
    expect(kill_tells([10, 12, 28], arg(1, 12, "SCMP_CMP_EQ"), arg(0, 999999, "SCMP_CMP_EQ")) == [10, 12, 28], "both")
    expect(kill_tells([10, 12, 28], arg(1, 12, "SCMP_CMP_EQ"), arg(0, 999999, "SCMP_CMP_NE")) == [10, 28], "both hold")
    expect(kill_tells([10, 12, 28], arg(1, 12, "SCMP_CMP_EQ"), arg(1, 28, "SCMP_CMP_EQ")) == [10], "either")


def test_seccomp_large_values():
    expect(kill_tells([10], arg(1, 2 ** 64 - 1, "SCMP_CMP_NE")) == [], "2^64-1")
    expect(kill_tells([10], arg(1, 0x100000000, "SCMP_CMP_LT")) == [], "beyond 32 bits")


# ---- Whom it concerns ------------------------------------------------------------------------------------------------------
def test_seccomp_status_and_children():
    out = filtered("cat /proc/self/status; sh -c 'sh -c \"mkdir /tmp/x\"'", rule("mkdir")).run(status=1)
    expect("Seccomp:\t2" in out.stdout and "Seccomp_filters:\t1" in out.stdout and "not permitted" in out.stderr, out)
    expect("Seccomp:\t0" in sh("cat /proc/self/status").run().stdout, "without a profile")


def test_seccomp_of_exec():
    with running() as plain:
        picket("exec", plain.id, "mkdir", "/tmp/of-exec")
        picket("exec", plain.id, "rm", "-r", "/tmp/of-exec")
    b = filtered("echo up; while :; do sleep 1; done", rule("mkdir")).create().start()
    b.output("up")
    done = picket("exec", b.id, "mkdir", "/tmp/x", status=1)
    expect("not permitted" in done.stderr, done)
    status = reap(exec_detached(b, {"args": ["mkdir", "/tmp/x"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}))
    expect(os.WEXITSTATUS(status) == 1, "detached")
    b.kill()
    b.delete()


def test_seccomp_with_no_new_privileges_and_a_user():
    b = filtered("id -u; mkdir /tmp/x", rule("mkdir"))
    b.process["noNewPrivileges"], b.process["user"] = True, {"uid": 1000, "gid": 1000}
    b.process["capabilities"] = {}
    done = b.run(status=1)
    expect(done.stdout == "1000\n" and "not permitted" in done.stderr, done)


def test_seccomp_may_not_be_left():
    """A program's own filters come on top."""
    done = filtered("mkdir /tmp/x; echo $?", rule("mkdir", errnoRet=28), rule("mkdir", errnoRet=28)).run()
    expect(done.stdout == "1\n", done)


def test_seccomp_names_of_others():
    done = filtered("echo fine", rule(["no_such_call", "socketcall", "sigreturn", "set_thread_area"])).run()
    expect(done.stdout == "fine\n", done)


def test_seccomp_newer_calls_do_not_exist():
    """With a profile that refuses what it does not name, calls newer than it are ENOSYS."""
    done = sh("true")
    done.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule(["execve"], "SCMP_ACT_ALLOW")]}
    status = done.create().start().end()
    # exit_group (231) is newer than execve (59): it does not exist, and the program ends by what it does then
    expect(os.WIFSIGNALED(status) or os.WEXITSTATUS(status) != 0, status)
    done.delete()


# ---- Profiles of engines ---------------------------------------------------------------------------------------------------
def test_seccomp_profile_of_podman():
    """The file of Debian's package golang-github-containers-common, in the form that podman writes into config.json."""
    path = "/usr/share/containers/seccomp.json"
    if not os.path.exists(path):
        return
    profile = json.load(open(path))
    caps = set()
    rules = []
    for entry in profile["syscalls"]:
        needs, without = (entry.get(k) or {} for k in ("includes", "excludes"))
        if set(needs.get("caps") or []) - caps or set(without.get("caps") or []) & caps:
            continue
        if (needs.get("arches") and "amd64" not in needs["arches"]) or "amd64" in (without.get("arches") or []):
            continue
        rules.append({k: entry[k] for k in ("names", "action", "args", "errnoRet") if entry.get(k)})
    b = sh("echo $(id -u) up; mkdir /tmp/fine && rm -r /tmp/fine; ls / > /dev/null; mount -t tmpfs none /mnt 2>&1 | head -c 5; cat /proc/self/status")
    b.config["linux"]["seccomp"] = {"defaultAction": profile["defaultAction"], "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
                                    "architectures": OTHERS, "syscalls": rules}
    b.process["capabilities"] = {}
    out = b.run(status=None).stdout
    expect(out.startswith("0 up\n") and "Seccomp:\t2" in out, out)


# ---- What is refused -------------------------------------------------------------------------------------------------------
def test_seccomp_refusals():
    for change, words in (({"defaultAction": "SCMP_ACT_FROB"}, ["linux.seccomp.defaultAction", "SCMP_ACT_FROB"]),
                          ({"defaultAction": None}, ["defaultAction"]),
                          ({"defaultErrnoRet": 5000, "defaultAction": "SCMP_ACT_ERRNO"}, ["defaultErrnoRet", "range"]),
                          ({"defaultErrnoRet": -1}, ["defaultErrnoRet"]),
                          ({"architectures": ["SCMP_ARCH_FROB"]}, ["linux.seccomp.architectures", "SCMP_ARCH_FROB"]),
                          ({"flags": ["SECCOMP_FILTER_FLAG_NEW_LISTENER"]}, ["linux.seccomp.flags", "NEW_LISTENER"]),
                          ({"listenerPath": "/run/listener"}, ["linux.seccomp.listenerPath", "not supported"]),
                          ({"syscalls": [rule("mkdir", "SCMP_ACT_NOTIFY")]}, ["SCMP_ACT_NOTIFY", "not supported"]),
                          ({"syscalls": [rule("mkdir", "SCMP_ACT_FROB")]}, ["SCMP_ACT_FROB"]),
                          ({"syscalls": [rule([])]}, ["names"]),
                          ({"syscalls": [rule("mkdir", args=[arg(6, 0, "SCMP_CMP_EQ")])]}, ["index"]),
                          ({"syscalls": [rule("mkdir", args=[arg(0, 0, "SCMP_CMP_FROB")])]}, ["op", "SCMP_CMP_FROB"]),
                          ({"syscalls": [rule("mkdir", args=[arg(0, 0, "SCMP_CMP_EQ")] * 7)]}, ["args", "6"]),
                          ({"syscalls": [rule("mkdir", errnoRet=70000)]}, ["errnoRet"]),
                          ({"syscalls": {}}, ["linux.seccomp.syscalls", "a list"])):
        b = filtered("echo no")
        b.config["linux"]["seccomp"].update(change)
        b.write()
        refused("create", "--bundle", b.dir, b.id, words=words)


# ---- sysctl ----------------------------------------------------------------------------------------------------------------
def test_sysctl():
    names = {"net.ipv4.ip_unprivileged_port_start": "80", "net.ipv4.ping_group_range": "0 0", "net.core.somaxconn": "77",
             "net/ipv4/ip_forward": "1", "kernel.domainname": "example.org", "kernel.msgmax": "8192", "kernel.sem": "32000 1024000 500 4096"}
    b = sh("cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range /proc/sys/net/core/somaxconn "
           "/proc/sys/net/ipv4/ip_forward /proc/sys/kernel/domainname")
    b.config["linux"]["sysctl"] = names
    expect(b.run().stdout.split() == ["80", "0", "0", "77", "1", "example.org"], "values")


def test_sysctl_refusals():
    for name, value, words in (("net.frob", "1", ["net.frob", "no such setting"]), ("net.core.optmem_max", "1", ["net.core.optmem_max", "always 131072"]),
                               ("net.core.somaxconn", "many", ["net.core.somaxconn", "'many'"]), ("kernel", "1", ["kernel"]),
                               ("", "1", ["no such setting"]), ("kernel.hostname", "x", ["kernel.hostname", "cannot be changed"]),
                               ("net.core.somaxconn", "9" * 500, ["too long"]), ("net.ipv4.ip_unprivileged_port_start", "70000", ["port_start"]),
                               ("../../etc/passwd", "x", ["no such setting"])):
        b = sh("echo no")
        b.config["linux"]["sysctl"] = {name: value}
        b.write()
        refused("create", "--bundle", b.dir, b.id, words=["linux.sysctl"] + words)
