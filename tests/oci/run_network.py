#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The network of `picket do` seen from both sides: a loopback of its own, which shares nothing with the host's or another
sandbox's, and which at rest costs nothing."""
import errno
import os
import re
import socket
import subprocess
import sys
import time

import run_cli as cli
from processes import children, read_proc, threads
from run_cli import do, expect


# ---- The loopback inside is the sandbox's own -----------------------------------------------------------------------------
def listening(family, host, kind=socket.SOCK_STREAM):
    s = socket.socket(family, kind)
    s.bind((host, 0))
    if kind == socket.SOCK_STREAM:
        s.listen(5)
    s.settimeout(0.3)
    return s


def test_hosts_loopback_cannot_be_reached():
    """A server on the host's 127.0.0.1 and ::1 hears nothing from inside, and who tries is refused."""
    try_all = """if 1:
        import errno, socket, sys
        for arg in sys.argv[1:]:
            host, port, kind = arg.split("/")
            s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, int(kind))
            s.settimeout(5)
            try:
                s.connect((host, int(port)))
                s.send(b"x")
                print(s.recv(10))
            except OSError as e:
                print(errno.errorcode[e.errno])
    """
    outside = [listening(family, host, kind) for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
               for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
    done = do("python3", "-c", try_all, *["%s/%d/%d" % (*s.getsockname()[:2], s.type) for s in outside])
    expect(done.stdout.split() == ["ECONNREFUSED"] * 4, done.stdout + done.stderr)
    for s in outside:
        try:
            got = s.accept() if s.type == socket.SOCK_STREAM else s.recv(10)
        except socket.timeout:
            got = None
        s.close()
        expect(got is None, "reached from inside: %s" % (got,))


def test_loopbacks_are_apart():
    """What listens inside cannot be reached from outside, nor from another sandbox, which may have the same port."""
    serve = """if 1:
        import socket, sys
        s = socket.create_server(("0.0.0.0", int(sys.argv[1])))
        c = socket.create_connection(("127.0.0.1", s.getsockname()[1]))
        print(s.getsockname()[1], s.accept()[0].send(b"x"), c.recv(1), flush=True)
        sys.stdin.read()
    """
    command = [cli.PICKET, "do", "--platform", cli.PLATFORM, "--", "python3", "-c", serve]
    first = subprocess.Popen(command + ["0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = first.stdout.readline().split()[0]
    second = subprocess.Popen(command + [port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = second.stdout.readline()
    s = socket.socket()
    refused = s.connect_ex(("127.0.0.1", int(port)))
    s.close()
    for p in (first, second):
        p.communicate("")
    expect(line.split() == [port, "1", "b'x'"], line)
    expect(refused == errno.ECONNREFUSED, "port %s answers outside: %d" % (port, refused))
    expect(first.returncode == 0 and second.returncode == 0, (first.returncode, second.returncode))


def test_memory_is_bounded():
    """A hundred thousand sockets, and buffers that were set to 2 GiB and filled, end in an error, and others go on."""
    fill = """if 1:
        import errno, resource, socket
        limit = min(150000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        many, words = [], []
        try:
            while len(many) < 100000:
                many.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM if len(many) % 2 else socket.SOCK_DGRAM))
        except OSError as e:
            words.append(errno.errorcode[e.errno])
        n = len(many)
        for s in many: s.close()
        l, pairs, sent = socket.create_server(("127.0.0.1", 0), backlog=4096), [], 0
        try:
            while sent < 4 << 30:
                c = socket.create_connection(l.getsockname())
                pairs.append((c, l.accept()[0]))
                for s in pairs[-1]:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 0x7fffffff)
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0x7fffffff)
                    s.setblocking(False)
                    try:
                        while True: sent += s.send(b"x" * 100000)
                    except BlockingIOError: pass
        except OSError as e:
            words.append(errno.errorcode[e.errno])
        for c, s in pairs[:8]: c.close(), s.close()
        c = socket.create_connection(l.getsockname())
        l.accept()[0].sendall(b"after")
        print(n > min(limit - 20, 10000), words[-1], sent < 4 << 30, c.recv(10))
    """
    done = do("python3", "-c", fill)
    expect(done.stdout == "True ENOBUFS True b'after'\n", done.stdout + done.stderr)


def sleeps_of(pid):
    """How often the threads of a process have gone to sleep."""
    texts = [read_proc("%d/task/%d/status" % (pid, tid)) or "" for tid in threads(pid)]
    return sum(int(n) for text in texts for n in re.findall(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.M))


def test_idle_network_is_idle():
    """Connections at rest, a listener and a connection in TIME-WAIT wake nobody up."""
    rest = """if 1:
        import socket, sys
        s = socket.create_server(("127.0.0.1", 0))
        pairs = [(socket.create_connection(s.getsockname()), s.accept()[0]) for _ in range(10)]
        for a, b in pairs:
            a.sendall(b"x" * 100000)
            while len(b.recv(100000, socket.MSG_PEEK)) < 50000: pass
        a, b = pairs.pop()
        b.recv(1 << 20); a.close(); b.close()
        print("ready", flush=True)
        sys.stdin.read()
    """
    p = subprocess.Popen([cli.PICKET, "do", "--platform", cli.PLATFORM, "--", "python3", "-c", rest], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
    expect(p.stdout.readline() == "ready\n", "did not come up")
    for _ in range(10):  # timers of what went before are over some time
        before = {c: sleeps_of(c) for c in children(p.pid)}
        time.sleep(2)
        more = {c: sleeps_of(c) - before[c] for c in before}
        if sum(more.values()) <= 8:
            break
    p.communicate("")
    expect(sum(more.values()) <= 8, "wake-ups in two seconds, by process: %s" % more)


if __name__ == "__main__":
    cli.main(sys.modules[__name__])
