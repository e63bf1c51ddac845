#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The stack against the Linux kernel's: nstool on a tap, in a network namespace of the test's own.

Linux connects to the services of nstool and nstool to servers of Linux, over IPv4 and IPv6, with and without offloads, at
several MTUs; what comes back must be what was sent. Then echo requests, datagrams, closed ports and foreign garbage.
Needs root and /dev/net/tun: without them it exits with 77.
"""
import argparse
import hashlib
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time

SIX, FOUR = "fd99::2", "10.99.0.2"
HERE6, HERE4 = "fd99::1", "10.99.0.1"
passed = failed = 0


def sh(*words):
    subprocess.run(words, check=True)


def case(name, function, *arguments):
    global passed, failed
    started = time.monotonic()
    try:
        note = function(*arguments) or ""
        passed += 1
        print("ok   %-52s %6.2f s  %s" % (name, time.monotonic() - started, note), flush=True)
    except Exception as e:  # whatever goes wrong is that case's failure
        failed += 1
        print("FAIL %-52s %s: %s" % (name, type(e).__name__, e), flush=True)


def connect(host, port, timeout=20):
    s = socket.create_connection((host, port), timeout=timeout)
    s.settimeout(timeout)
    return s


def echo(host, size):
    """Sends from one thread, reads in this one; both sums must be the same."""
    s, data = connect(host, 7), random.Random(size).randbytes(1 << 16)
    sent, got, left = hashlib.sha256(), hashlib.sha256(), size

    def send():
        todo = size
        while todo:
            piece = data[:min(todo, len(data))]
            s.sendall(piece)
            sent.update(piece)
            todo -= len(piece)
        s.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=send)
    started = time.monotonic()
    thread.start()
    while left:
        piece = s.recv(1 << 18)
        if not piece:
            raise AssertionError("ended with %d bytes left" % left)
        got.update(piece)
        left -= len(piece)
    thread.join()
    if s.recv(1) or sent.digest() != got.digest():
        raise AssertionError("the sums differ")
    return "%.0f MB/s each way" % (size / (time.monotonic() - started) / 1e6)


def chargen(host, size):
    s, left = connect(host, 19), size
    while left > 0:
        left -= len(s.recv(1 << 18))
    s.close()


def page(host):
    s = connect(host, 80)
    s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    text = b""
    while True:
        piece = s.recv(65536)
        if not piece:
            break
        text += piece
    assert text.startswith(b"HTTP/1.1 200 OK") and b"tcp_in " in text


def refused(host):
    try:
        connect(host, 81)
    except ConnectionRefusedError:
        return
    raise AssertionError("not refused")


def udp(host, family):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(5)
    for size in (0, 1, 100, 1400, 5000, 20000):  # the last ones in fragments
        data = os.urandom(size)
        s.sendto(data, (host, 7))
        assert s.recv(65536) == data, size
    s.connect((host, 81))
    s.send(b"x")
    try:
        s.recv(1)
    except ConnectionRefusedError:
        return
    raise AssertionError("no port unreachable")


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ping(host, size):
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    s.settimeout(5)
    body = os.urandom(size & ~1)
    head = struct.pack("!BBHHH", 8, 0, 0, 77, size)
    head = struct.pack("!BBHHH", 8, 0, checksum(head + body), 77, size)
    s.sendto(head + body, (host, 0))
    while True:
        reply = s.recv(65536)[20:]
        if reply[0] == 0:
            assert reply[4:8] == head[4:8] and reply[8:] == body
            return


def ping6(host, size):
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    s.settimeout(5)
    body = os.urandom(size)
    s.sendto(struct.pack("!BBHHH", 128, 0, 0, 77, 1) + body, (host, 0, 0, 0))
    while True:
        reply = s.recv(65536)
        if reply[0] == 129:
            assert reply[8:] == body
            return


def many(host, count):
    """Connections at the same time, each with a few bytes."""
    socks = [connect(host, 7) for _ in range(count)]
    for i, s in enumerate(socks):
        s.sendall(b"%d" % i)
    for i, s in enumerate(socks):
        assert s.recv(100) == b"%d" % i
        s.close()


def garbage(tap, count):
    """Frames of random bytes behind plausible headers; the services must go on."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((tap, 0))
    rng = random.Random(1)
    for _ in range(count):
        kind = rng.choice((0x0800, 0x86DD, 0x0806))
        frame = bytes.fromhex("026e73000001" + "020000000099") + struct.pack("!H", kind)
        frame += {0x0800: b"\x45", 0x86DD: b"\x60"}.get(kind, b"\x00\x01") + rng.randbytes(rng.randrange(200))
        s.send(frame)


def flood(tap, count):
    """SYNs from everywhere while a transfer goes on."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((tap, 0))
    rng = random.Random(2)
    for _ in range(count):
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, bytes([10, 99, 0, rng.randrange(3, 255)]),
                         socket.inet_aton(FOUR))
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        tcp = struct.pack("!HHIIBBHHH", rng.randrange(1024, 65536), 7, rng.randrange(1 << 32), 0, 0x50, 2, 65535, 0, 0)
        tcp = tcp[:16] + struct.pack("!H", checksum(ip[12:20] + struct.pack("!HH", 6, 20) + tcp)) + tcp[18:]
        s.send(bytes.fromhex("026e73000001" + "020000000099" + "0800") + ip + tcp)


def under_flood(tap):
    thread = threading.Thread(target=flood, args=(tap, 20000))
    thread.start()
    note = echo(FOUR, 5000000)
    thread.join()
    return note


class Server(threading.Thread):
    """Linux' side of nstool send and recv: reads to the end, or sends `give` bytes."""

    def __init__(self, family, give=0):
        super().__init__(daemon=True)
        self.listener = socket.create_server((HERE4 if family == socket.AF_INET else HERE6, 0), family=family)
        self.port = self.listener.getsockname()[1]
        self.give, self.got = give, 0
        self.start()

    def run(self):
        s, _ = self.listener.accept()
        with s:
            block = bytes(1 << 18)
            while self.give:
                self.give -= s.send(block[:min(len(block), self.give)])
            if not self.got and self.give == 0:
                s.shutdown(socket.SHUT_WR)
            while True:
                piece = s.recv(1 << 18)
                if not piece:
                    return
                self.got += len(piece)


def active(options, verb, family, size):
    server = Server(family, size if verb == "recv" else 0)
    here = HERE4 if family == socket.AF_INET else HERE6
    words = [options.nstool, verb, "nst1", FOUR + "/24", SIX + "/64", "to", here, str(server.port)]
    run = subprocess.run(words + ([str(size)] if verb == "send" else []), capture_output=True, text=True, timeout=60)
    server.join(10)
    if run.returncode or (verb == "send" and server.got != size) or (verb == "recv" and str(size) not in run.stdout):
        raise AssertionError("%d, %d of %d: %s%s" % (run.returncode, server.got, size, run.stdout, run.stderr))
    return run.stdout.strip()


def make_tap(name, mtu):
    sh("ip", "tuntap", "add", name, "mode", "tap", "vnet_hdr")
    sh("ip", "link", "set", name, "mtu", str(mtu), "up")
    sh("ip", "addr", "add", HERE4 + "/24", "dev", name)
    if mtu >= 1280:
        sh("ip", "-6", "addr", "add", HERE6 + "/64", "dev", name, "nodad")


def serve(options, mtu, offload, size):
    make_tap("nst0", mtu)
    words = [options.nstool, "serve", "nst0", FOUR + "/24"] + ([SIX + "/64"] if mtu >= 1280 else []) + ["mtu", str(mtu)]
    server = subprocess.Popen(words + ([] if offload else ["nooffload"]), stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "ready\n"
    tag = "mtu %d%s" % (mtu, "" if offload else ", no offload")
    for host, family in ((FOUR, socket.AF_INET), (SIX, socket.AF_INET6)):
        if mtu < 1280 and family == socket.AF_INET6:
            continue
        four = family == socket.AF_INET
        case("%s: echo %s, %d MB" % (tag, host, size // 1000000), echo, host, size)
        case("%s: chargen %s" % (tag, host), chargen, host, size)
        case("%s: web page %s" % (tag, host), page, host)
        case("%s: closed port %s" % (tag, host), refused, host)
        case("%s: datagrams %s" % (tag, host), udp, host, family)
        case("%s: ping %s" % (tag, host), ping if four else ping6, host, 56)
        case("%s: long ping %s" % (tag, host), ping if four else ping6, host, 4000)
        case("%s: 100 connections %s" % (tag, host), many, host, 100)
    case("%s: garbage" % tag, garbage, "nst0", 5000)
    case("%s: SYN flood" % tag, under_flood, "nst0")
    server.terminate()
    status = server.wait(20)
    case("%s: nothing left (status %d)" % (tag, status), lambda: None if status == 0 else 1 / 0)
    sh("ip", "link", "del", "nst0")


def own_namespace():
    """None in a network namespace of our own. Else the status of this program run again in one; 77: it cannot be had."""
    if os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        print("skip: needs root and /dev/net/tun")
        return 77
    if os.environ.get("NETSTACK_NETNS") != "1":
        os.environ["NETSTACK_NETNS"] = "1"
        return subprocess.run(["unshare", "-n", sys.executable] + sys.argv, check=False).returncode
    sh("ip", "link", "set", "lo", "up")
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nstool", required=True)
    parser.add_argument("--size", type=int, default=20000000)
    options = parser.parse_args()
    status = own_namespace()
    if status is not None:
        return status
    serve(options, 1500, True, options.size)
    serve(options, 1500, False, options.size // 4)
    serve(options, 9000, False, options.size // 4)
    serve(options, 576, False, options.size // 10)
    make_tap("nst1", 1500)
    for verb in ("send", "recv"):
        for family in (socket.AF_INET, socket.AF_INET6):
            case("nstool %s, IPv%d" % (verb, 4 if family == socket.AF_INET else 6), active, options, verb, family,
                 5 * options.size)
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
