#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/ARCHITECTURE.md follows one read(2) and one fork(2) through the code. Here both are made, and the sentry is watched:
gdb says in which order the functions are entered that the tables' rows name, strace which host calls it makes. Run for the
seccomp platform, each call an exchange (--fast-calls=off), as the tables say. Needs gdb and strace, and the right to trace."""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from processes import children, proc_name, proc_stat

GUEST = """
import os
f = os.open('/etc/passwd', 0); os.read(f, 1)
if os.fork() == 0: os._exit(0)
os.wait()
print('ready', flush=True); os.read(0, 1)
os.getppid(); os.read(f, 4096); os.getppid()
if os.fork() == 0: os._exit(0)
os.wait(); os._exit(0)
"""
MARK = "sentry/syscalls/sys_ids.c:sys_getppid"  # before the read, and between read and fork
SCALE = 1.0


def table(text, title):
    """The rows of the first table below a heading: lists of cells."""
    section = text.split("\n## " + title + "\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    first = [i for i, row in enumerate(rows) if row[0] == "#"]
    end = first[1] if len(first) > 1 else len(rows)
    return [row for row in rows[first[0] + 2:end]]


def functions(rows, wanted=lambda number: True):
    """What the rows name in backquotes as file.c:function, in their order. What has returned is not entered."""
    texts = [" ".join(row[1:]) for row in rows if wanted(row[0])]
    return [name for text in texts for name, returned in re.findall(r"`([\w/]+\.c:\w+)`( has returned)?", text) if not returned]


def host_calls(rows):
    return re.findall(r"\*(\w+(?:\(\w+\))?)\*", " ".join(" ".join(row[1:]) for row in rows))


def command(options):
    return [options.picket, "do", "--platform=seccomp", "--fast-calls=off", "--", "/usr/bin/python3", "-c", GUEST]


def sentry_of(pid):
    for child in children(pid):
        if proc_name(child) == "picket-sentry":
            return child
    raise AssertionError("no sentry below the CLI")


def is_stopped(pid):
    return proc_stat(pid)[0] == "t"


def wait_until(what, condition):
    end = time.monotonic() + 60 * SCALE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("%s: not in time" % what)
        time.sleep(0.02)


def trace_functions(options, names):
    """The functions that are entered from the mark on, in order, and those that gdb does not know (inlined and renamed)."""
    folder = tempfile.mkdtemp(prefix="picket-trace-")
    attached = os.path.join(folder, "attached")
    # A function that is inlined everywhere is known to gdb by its name alone.
    points = []
    for name in dict.fromkeys([*names, MARK]):
        points += ['dprintf %s,"ENTER %s\\n"' % (name, name), 'dprintf %s,"INLINE %s\\n"' % (name.split(":")[1], name)]
    script = ["set pagination off", "set confirm off", "set breakpoint pending off", "handle all nostop noprint pass",
              *points, "shell touch " + attached, "continue"]
    with open(os.path.join(folder, "script"), "w") as f:
        f.write("\n".join("python\ntry:\n  gdb.execute(%r)\nexcept gdb.error as e:\n  print('UNKNOWN', %r, e)\nend" % (line, line)
                          for line in script[:-2]) + "\n" + "\n".join(script[-2:]) + "\n")
    guest = subprocess.Popen(command(options), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if guest.stdout.readline() != b"ready\n":
            raise AssertionError("the guest did not start")
        sentry = sentry_of(guest.pid)
        gdb = subprocess.Popen(["gdb", "-q", "-nx", "-batch", "-iex", "set sysroot /", "-iex", "set auto-load off",
                                options.picket, "-p", str(sentry), "-x", os.path.join(folder, "script")],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wait_until("gdb", lambda: os.path.exists(attached) or gdb.poll() is not None)
        wait_until("gdb goes on", lambda: gdb.poll() is not None or not is_stopped(sentry))
        guest.communicate(b"x", timeout=60 * SCALE)
        out = gdb.communicate(timeout=60 * SCALE)[0]
    finally:
        guest.kill()
        guest.wait()
        shutil.rmtree(folder)
    known = set(re.findall(r"^ENTER (\S+)$", out, re.M))
    entered = [name for kind, name in re.findall(r"^(ENTER|INLINE) (\S+)$", out, re.M) if kind == "ENTER" or name not in known]
    if MARK not in entered:
        raise AssertionError("gdb saw nothing:\n" + out[-2000:])
    return entered, out


def between(entered, first):
    """What comes after the mark number `first`, up to the next one."""
    marks = [i for i, name in enumerate(entered) if name == MARK] + [len(entered)]
    return entered[marks[first] + 1:marks[first + 1]]


def out_of_order(wanted, entered):
    """The first of `wanted` that does not come, in its turn, among `entered`; None: all do."""
    rest = iter(entered)
    for name in wanted:
        if name not in rest:
            return name
    return None


def check_functions(what, rows, entered, out):
    names = functions(rows)
    if len(names) < 12:
        raise AssertionError("%s: only %d functions in the table" % (what, len(names)))
    seen = [name for name in names if name in entered]
    blind = [name for name in names if name not in entered and '"%s" not defined' % name.split(":")[1] in out]
    for name in names:
        if name not in seen and name not in blind:
            raise AssertionError("%s: %s was not entered" % (what, name))
    if len(blind) > len(names) / 4:
        raise AssertionError("%s: gdb knows too few of them: not %s" % (what, " ".join(blind)))
    late = out_of_order([name for name in functions(rows, lambda number: number != "any") if name in seen], entered)
    if late:
        raise AssertionError("%s: %s does not come where the table has it; entered were:\n%s" % (what, late, "\n".join(entered)))
    return len(seen)


# ---- Host calls ----------------------------------------------------------------------------------------------------------
def trace_host_calls(options):
    """{"read": host calls of the sentry during the read; "fork": ..., until parent and child go on}"""
    with tempfile.NamedTemporaryFile("r", prefix="picket-strace-") as log:
        subprocess.run(["strace", "-f", "-o", log.name, *command(options)], input=b"x", capture_output=True, check=True,
                       timeout=120 * SCALE)
        lines = log.read().splitlines()
    guest = [line.split()[0] for line in lines if re.match(r"\d+ +getppid\(", line)][-1]
    marks = [i for i, line in enumerate(lines) if re.match(guest + r" +(getppid\(.*=|<\.\.\. getppid resumed)", line)]
    pid = re.findall(r"pid=(\d+), flags=0, data=\{nr=__NR_getppid", "\n".join(lines))[-1]
    behind = lines[marks[-1] + 1:]
    child = re.findall(r"^%s +(?:clone\(child_stack=NULL, flags=CLONE_PARENT[^=]*|<\.\.\. clone resumed>\)) += (\d+)$" % guest,
                       "\n".join(behind), re.M)[0]
    return {"read": sentry_calls(lines[marks[-2] + 1:marks[-1]], {pid}, 1), "fork": sentry_calls(behind, {pid, child}, 4)}


def sentry_calls(lines, pids, exchanges):
    """By the name, of ioctls the request, from the first notification received until `exchanges` were answered. Others than
    those of `pids` do not count (the pool may still be filled), nor does the parent's wait."""
    calls, ids, tid = [], [], None
    for line in lines:
        got = re.match(r"(\d+) +(?:<\.\.\. )?ioctl.*\{id=(\w+), pid=(\d+), flags=0, data=\{nr=(\w+)", line)
        if got:
            if got.group(3) in pids and got.group(4) != "__NR_wait4" and len(ids) < exchanges:
                tid = tid or got.group(1)
                ids.append(got.group(2))
                calls.append("ioctl(NOTIF_RECV)")
            continue
        if not tid or not line.startswith(tid + " "):
            continue
        sent = re.search(r"SECCOMP_IOCTL_NOTIF_SEND, \{id=(\w+)", line)
        if sent:
            calls += ["ioctl(NOTIF_SEND)"] if sent.group(1) in ids else []
            if calls.count("ioctl(NOTIF_SEND)") == exchanges:
                return calls
            continue
        call = re.match(r"\d+ +(\w+)\((\d*)", line)
        about_others = call and (call.group(1) == "tgkill" or call.group(1).startswith("process_vm")) and call.group(2) not in pids
        if call and call.group(1) != "ioctl" and not about_others:
            calls.append(call.group(1))
    raise AssertionError("the trace ends too early: %r" % calls)


def check_host_calls(options, what, rows):
    """What else goes on in the sentry may fall in between (another waiter is made or woken): one trace of some is to have the
    calls of the table and no others."""
    # (a fork's child and its parent's report come in any order)
    order = sorted if what == "fork" else list
    want = host_calls(rows)
    for _ in range(5):
        made = trace_host_calls(options)[what]
        if order(made) == order(want):
            return len(want)
    raise AssertionError("%s: the table has the host calls\n  %s\nmade were\n  %s" % (what, want, made))


def main():
    global SCALE
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--doc", required=True)
    parser.add_argument("--timeout-scale", type=float, default=1)
    options = parser.parse_args()
    SCALE = options.timeout_scale
    with open(options.doc) as f:
        text = f.read()
    rows = {"read": table(text, "The life of one read(2)"), "fork": table(text, "fork, step by step")}
    missing = [tool for tool in ("gdb", "strace") if not shutil.which(tool)]
    if missing or os.geteuid() != 0:
        print("skipped: %s" % ("no %s here" % missing[0] if missing else "only root may trace the sentry"))
        print("0 passed, 0 failed, 2 skipped")
        return
    entered, out = trace_functions(options, functions(rows["read"]) + functions(rows["fork"]))
    failed = 0
    for first, what in enumerate(("read", "fork")):
        try:
            seen = check_functions(what, rows[what], between(entered, first), out)
            n = check_host_calls(options, what, rows[what])
            print("%-8s ok: %d functions in their order, %d host calls" % (what, seen, n))
        except AssertionError as e:
            print("%-8s FAIL: %s" % (what, e))
            failed += 1
    print("%d passed, %d failed, 0 skipped" % (2 - failed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
