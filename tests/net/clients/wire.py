# SPDX-License-Identifier: Apache-2.0
"""What the attack scripts share: frames on the tap by scapy, the stack's counters by its web page, and a connection of
Linux's own to the echo service, which has to live on whatever is done to it. Used by attacks.py and hostile_peer.py; it
decides nothing about what is an attack.
"""
import random
import socket
import struct
import time
import urllib.request

from scapy.all import Ether, get_if_hwaddr, raw

SIX, FOUR = "fd99::2", "10.99.0.2"  # the stack; Linux has .1
HERE6, HERE4 = "fd99::1", "10.99.0.1"
MAC = "02:6e:73:00:00:01"
EVIL = "02:66:66:66:66:66"


class Link:
    """The tap as the attacker has it: any frame goes in, every frame is seen."""

    def __init__(self, name):
        self.name = name
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.sock.bind((name, 3))
        self.mac = get_if_hwaddr(name)

    def send(self, *packets):
        """Layers above Ethernet, as if this host had sent them; a packet with an Ether layer goes as it is."""
        for p in packets:
            self.frame(raw(p if isinstance(p, Ether) else Ether(dst=MAC, src=self.mac) / p))

    def frame(self, data):
        while True:
            try:
                self.sock.send(data)
                return
            except OSError as e:  # the tap's queue is full: the stack is slower than this loop
                if e.errno != 105:
                    raise
                time.sleep(0.001)

    def drain(self):
        """Every frame since the last time, without waiting."""
        frames = []
        while True:
            try:
                frames.append(self.sock.recv(65536, socket.MSG_DONTWAIT))
            except BlockingIOError:
                return frames


def stats():
    """The counters, by name."""
    with urllib.request.urlopen("http://%s/" % FOUR, timeout=10) as answer:
        return {k: int(v) for k, v in (line.split() for line in answer.read().decode().splitlines())}


class Victim:
    """An established connection to the echo service. What an attacker may know of it is in numbers()."""

    def __init__(self, link, host=FOUR):
        self.link, self.host = link, host
        self.sock = socket.create_connection((host, 7), timeout=15)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self.sock.getsockname()[1]
        self.rng = random.Random(self.port)
        self.alive()

    def alive(self, size=3000):
        """Bytes of ours come back, these and no others."""
        data, got = self.rng.randbytes(size), b""
        self.sock.sendall(data)
        while len(got) < size:
            piece = self.sock.recv(size - len(got))
            assert piece, "the connection ended"
            got += piece
        assert got == data, "foreign bytes in the stream"

    def numbers(self):
        """(our next number, what we have acknowledged, our clock's stamp, the stack's): from the last ACK of Linux."""
        self.link.drain()
        self.alive(10)
        time.sleep(0.06)  # a delayed ACK
        found = None
        for frame in self.link.drain():
            at = 34 if self.host == FOUR else 54
            if len(frame) >= at + 32 and struct.unpack_from("!HH", frame, at) == (self.port, 7):
                seq, ack = struct.unpack_from("!II", frame, at + 4)
                header = (frame[at + 12] >> 4) * 4
                total = (
                    struct.unpack_from("!H", frame, 16)[0] - 20 if at == 34 else struct.unpack_from("!H", frame, 18)[0]
                )
                stamp = struct.unpack_from("!II", frame, at + 24) if header >= 32 else (0, 0)
                found = ((seq + total - header) & 0xFFFFFFFF, ack) + stamp
        assert found, "nothing seen of the connection"
        return found

    def close(self):
        self.sock.close()


def counted(name, before, after, *rows):
    """How far these counters went up, together."""
    for row in rows:
        assert row in after, "no counter %s" % row
    moved = sum(after[row] - before[row] for row in rows)
    assert moved > 0, "%s: none of %s moved" % (name, ", ".join(rows))
    return moved
