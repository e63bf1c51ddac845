#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goodput over a bad wire: netstack and Linux, each toward Linux, through the same bridge with the same seed.

For each impairment the same transfer runs three ways for --seconds each: Linux to Linux, netstack to Linux, Linux to
netstack. CUBIC all. The table shows MB/s; with --bound R it fails where netstack has less than R of Linux's.
Needs root and /dev/net/tun: without them it exits with 77.
"""
import argparse
import fcntl
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

WIRES = {
    "clean, 10 ms": "delay=5 rate=12500000 queue=250000",
    "loss 1 %": "delay=5 rate=12500000 queue=250000 loss=10000",
    "loss 5 %": "delay=5 rate=12500000 queue=250000 loss=50000",
    "100 ms": "delay=50 rate=12500000 queue=1250000",
    "reordering 25 %": "delay=10 rate=12500000 queue=250000 reorder=250000",
    "duplication 10 %": "delay=5 rate=12500000 queue=250000 dup=100000",
    "corruption 1 %": "delay=5 rate=12500000 queue=250000 corrupt=10000",
    "loss 1 % and reordering 5 %": "delay=10 rate=12500000 queue=250000 loss=10000 reorder=50000",
}
LINUX, OTHER = "10.98.0.1", "10.98.0.2"


def sh(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def cubic(s):
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")


def receive(listener, seconds, out):
    s, _ = listener.accept()
    total, started = 0, time.monotonic()
    s.settimeout(1)
    while time.monotonic() < started + seconds:
        try:
            piece = s.recv(1 << 18)
        except TimeoutError:
            continue
        if not piece:
            break
        total += len(piece)
    out.append(total / (time.monotonic() - started))
    s.close()


def send(host, port, seconds):
    """What the other side has acknowledged, per second."""
    s = socket.create_connection((host, port), timeout=10)
    cubic(s)
    s.settimeout(0.5)
    block, sent, started = bytes(1 << 16), 0, time.monotonic()
    while time.monotonic() < started + seconds:
        try:
            sent += s.send(block)
        except TimeoutError:
            pass
    waiting = struct.unpack("i", fcntl.ioctl(s, 0x5411, bytes(4)))[0]  # SIOCOUTQ
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    return (sent - waiting) / (time.monotonic() - started)


class Wire:
    """The bridge, with Linux' tap in this namespace; the other end is a tap in another one, or nstool's socket."""

    def __init__(self, options, words, other):
        self.process = subprocess.Popen([options.bridge, "imp0@/proc/%d/ns/net" % os.getpid(), other] + words.split(),
                                        stdout=subprocess.PIPE, text=True)
        self.line = self.process.stdout.readline()
        sh("ip", "addr", "add", LINUX + "/24", "dev", "imp0")
        sh("ip", "link", "set", "imp0", "up")

    def close(self):
        self.process.kill()
        self.process.wait()
        time.sleep(0.1)


def linux_to_linux(options, words):
    other = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
    time.sleep(0.2)
    space = "/proc/%d/ns/net" % other.pid
    wire = Wire(options, words, "imp1@" + space)
    inside = ["nsenter", "--net=" + space]
    sh(*inside, "ip", "addr", "add", OTHER + "/24", "dev", "imp1")
    sh(*inside, "ip", "link", "set", "imp1", "up")
    out, listener = [], socket.create_server((LINUX, 0))
    thread = threading.Thread(target=receive, args=(listener, options.seconds, out))
    thread.start()
    sender = subprocess.Popen(inside + [sys.executable, __file__, "--bridge", "x", "--nstool", "x", "--seconds",
                                        str(options.seconds + 2), "--send-to", str(listener.getsockname()[1])],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    thread.join()
    sender.kill()
    wire.close()
    other.kill()
    return out[0]


def with_nstool(options, words, verb):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "wire")
        wire = Wire(options, words, "unix:" + path)
        assert wire.line == "listening\n"
        out, listener = [], socket.create_server((LINUX, 0))
        base = [options.nstool, verb, "unix:" + path, OTHER + "/24"]
        if verb == "send":
            thread = threading.Thread(target=receive, args=(listener, options.seconds, out))
            thread.start()
            tool = subprocess.Popen(base + ["to", LINUX, str(listener.getsockname()[1]), str(10 ** 12)], stdout=subprocess.DEVNULL)
            thread.join()
        else:
            tool = subprocess.Popen(base, stdout=subprocess.PIPE, text=True)
            tool.stdout.readline()
            out.append(send(OTHER, 9, options.seconds))
        tool.terminate()
        try:
            status = tool.wait(10)
        finally:
            wire.close()
        if verb == "serve" and status:
            raise AssertionError("nstool ended with %d" % status)
        return out[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nstool", required=True)
    parser.add_argument("--bridge", required=True)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--bound", type=float, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--send-to", type=int, default=0)
    options = parser.parse_args()
    if options.send_to:
        send(LINUX, options.send_to, options.seconds)
        return 0
    if os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        print("skip: needs root and /dev/net/tun")
        return 77
    if os.environ.get("NETSTACK_NETNS") != "1":
        os.environ["NETSTACK_NETNS"] = "1"
        return subprocess.run(["unshare", "-n", sys.executable] + sys.argv, check=False).returncode
    sh("ip", "link", "set", "lo", "up")
    passed = failed = 0
    print("%-30s %14s %18s %18s" % ("MB/s", "Linux > Linux", "netstack > Linux", "Linux > netstack"))
    for name, words in WIRES.items():
        if options.only not in name:
            continue
        base = linux_to_linux(options, words)
        ours = [with_nstool(options, words, verb) for verb in ("send", "serve")]
        print("%-30s %14.2f %11.2f (%3.0f%%) %11.2f (%3.0f%%)" % (
            name, base / 1e6, ours[0] / 1e6, 100 * ours[0] / base, ours[1] / 1e6, 100 * ours[1] / base), flush=True)
        good = min(ours) > 0 and min(ours) >= options.bound * base
        passed, failed = passed + good, failed + (not good)
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
