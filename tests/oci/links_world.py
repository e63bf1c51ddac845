# SPDX-License-Identifier: Apache-2.0
"""Network namespaces and what runs in them, for run_links.py: spaces, veths between them, programs inside and outside."""
import contextlib
import os
import re
import subprocess
import time

import run_cli as cli
from run_cli import expect

# One end of a transfer: `recv` reads to the end and says the sum to its peer; `send` sends N bytes and compares.
TRANSFER = """if 1:
    import hashlib, socket, sys, time
    what, host, port, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    cubic = socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic"
    block = bytes(range(256)) * 999
    def family(): return socket.AF_INET6 if ":" in host else socket.AF_INET
    if what == "recv":
        l = socket.socket(family()); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); l.setsockopt(*cubic)
        l.bind((host, port)); l.listen(); print("ready", flush=True)
        s, _ = l.accept(); h = hashlib.md5()
        while True:
            piece = s.recv(1 << 20)
            if not piece: break
            h.update(piece)
        s.sendall(h.hexdigest().encode()); s.close()
    else:
        s = socket.create_connection((host, port), timeout=60); s.setsockopt(*cubic); h = hashlib.md5(); left = size; started = time.monotonic()
        while left:
            piece = block[:min(left, len(block))]; s.sendall(piece); h.update(piece); left -= len(piece)
        s.shutdown(socket.SHUT_WR); said = b""
        while True:
            piece = s.recv(100)
            if not piece: break
            said += piece
        print("same" if said.decode() == h.hexdigest() else "differs", round(time.monotonic() - started, 3))
"""
ECHO = """if 1:
    import socket, sys
    host, port = sys.argv[1], int(sys.argv[2])
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((host, port)); print("ready", flush=True)
    while True:
        data, peer = s.recvfrom(70000)
        s.sendto(data, peer)
        if data == b"end": break
"""


class Space:
    """A network namespace, as long as its process lives."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"], stdin=subprocess.DEVNULL)
        while os.readlink("/proc/%d/ns/net" % self.holder.pid) == os.readlink("/proc/self/ns/net"):
            time.sleep(0.01)
        self.path = "/proc/%d/ns/net" % self.holder.pid
        self.sh("ip", "link", "set", "lo", "up")
        self.sh("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad")

    def words(self, words):
        return ["nsenter", "-t", str(self.holder.pid), "-n", *words]

    def sh(self, *words, check=True):
        done = subprocess.run(self.words(words), capture_output=True, text=True, timeout=60 * cli.SCALE)
        expect(not check or done.returncode == 0, "%s: %s" % (" ".join(words), done.stderr))
        return done.stdout

    def python(self, *args):
        return Running(self.words(["python3", "-c", *args]))

    def end(self):
        self.holder.kill()
        self.holder.wait()

    def picture(self):
        """Addresses and routes, without what changes by itself."""
        text = "".join(self.sh("ip", *what) for what in (("addr",), ("route",), ("-6", "route")))
        return sorted(line.strip() for line in re.sub(r" tentative| expires \d+sec", "", text).splitlines() if "valid_lft" not in line)


class Running:
    """A program whose output is read; `ready` waits for its first line."""

    def __init__(self, words, ready=True):
        self.p = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.words = words
        if ready:
            line = self.p.stdout.readline()
            if line != "ready\n":
                self.p.kill()
                raise AssertionError("did not come up: %r %s" % (line, self.p.communicate()[1]))

    def end(self, timeout=90):
        try:
            out, err = self.p.communicate("", timeout=timeout * cli.SCALE)
        except subprocess.TimeoutExpired:
            self.p.kill()
            raise
        expect(self.p.returncode == 0, "exit %d: %s%s" % (self.p.returncode, out, err))
        return out

    def kill(self):
        self.p.kill()
        self.p.communicate()


class Pair:
    """Two namespaces and a veth from va (in `here`) to vb (in `there`), with addresses of both families."""
    HERE, THERE = ("10.77.0.1", "fd77::1"), ("10.77.0.2", "fd77::2")

    def __enter__(self):
        self.here, self.there = Space(), Space()
        try:
            self.connect()
        except BaseException:
            self.__exit__()
            raise
        return self

    def connect(self):
        self.here.sh("ip", "link", "add", "name", "va", "type", "veth", "peer", "name", "vb", "netns", str(self.there.holder.pid))
        for space, name, addresses in ((self.here, "va", self.HERE), (self.there, "vb", self.THERE)):
            space.sh("ip", "addr", "add", addresses[0] + "/24", "dev", name)
            space.sh("ip", "addr", "add", addresses[1] + "/64", "dev", name, "nodad")
            space.sh("ip", "link", "set", name, "up")
        for space, name in ((self.here, "va"), (self.there, "vb")):
            limit = time.monotonic() + 5
            while "fe80" not in space.sh("ip", "addr", "show", "dev", name) and time.monotonic() < limit:
                time.sleep(0.02)

    def __exit__(self, *exc):
        self.here.end()
        self.there.end()


# transmit checksums, scatter-gather, TSO, generic segmentation, generic receive offload: off (ethtool's "set" commands)
OFFLOADS_OFF = """if 1:
    import ctypes, fcntl, socket, struct, sys
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for command in (0x17, 0x19, 0x1F, 0x24, 0x2C):
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
            fcntl.ioctl(s, 0x8946, struct.pack("=16sQ16x", sys.argv[1].encode(), ctypes.addressof(value)))
"""


class Harmed(Pair):
    """A Pair with harmbridge (tests/net/bridge) between its ends, with these options."""

    def __init__(self, program, **harm):
        self.words = [program, "veth:x", "veth:y"] + [str(w) for name, value in harm.items() for w in (name.replace("_", "-"), value)]
        self.middle = self.bridge = None

    def connect(self):
        self.middle = Space()
        for space, name, other, addresses in ((self.here, "va", "x", self.HERE), (self.there, "vb", "y", self.THERE)):
            space.sh("ip", "link", "add", "name", name, "type", "veth", "peer", "name", other, "netns", str(self.middle.holder.pid))
            space.sh("ip", "addr", "add", addresses[0] + "/24", "dev", name)
            space.sh("ip", "addr", "add", addresses[1] + "/64", "dev", name, "nodad")
            space.sh("python3", "-c", OFFLOADS_OFF, name)  # the bridge takes frames as they would be on a wire
            space.sh("ip", "link", "set", name, "up")
            space.sh("sh", "-c", "echo 1 > /proc/sys/net/ipv4/tcp_no_metrics_save")  # nothing is learnt from the run before
            self.middle.sh("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/%s/disable_ipv6" % other)
            self.middle.sh("ip", "link", "set", other, "up")
        self.bridge = Running(self.middle.words(self.words))

    def __exit__(self, *exc):
        if self.bridge:
            self.bridge.kill()
        if self.middle:
            self.middle.end()
        super().__exit__(*exc)


def inside(space, *args, options=(), ready=True, net="veth"):
    """A sandbox in that namespace."""
    return Running(space.words([cli.PICKET, "do", "--platform", cli.PLATFORM, "--net", net, *options, "--", *args]), ready)


def run_inside(space, *args, options=(), net="veth"):
    return inside(space, *args, options=options, ready=False, net=net).end()


@contextlib.contextmanager
def running(*programs):
    """Ends what a failure has left."""
    try:
        yield programs
    finally:
        for program in programs:
            if program.p.poll() is None:
                program.kill()


def transfer(receiver, sender, host, size, port=5000, patience=90):
    """receiver, sender: functions that start a Python program. How long it took."""
    with running(receiver(TRANSFER, "recv", host, str(port), "0")) as (r,):
        with running(sender(TRANSFER, "send", host, str(port), str(size))) as (s,):
            word, seconds = s.end(patience).split()
            expect(word == "same", "the sums differ")
            r.end(patience)
    return float(seconds)


def starter(space, options=(), net=None):
    """Programs of a space; in a sandbox there when net is given. A sender says nothing before its end."""
    def start(text, what, *args):
        words = ["python3", "-c", text, what, *args]
        if net:
            words = [cli.PICKET, "do", "--platform", cli.PLATFORM, "--net", net, *options, "--", *words]
        return Running(space.words(words), what != "send")
    return start
