# SPDX-License-Identifier: Apache-2.0
"""A TCP peer without a kernel, which reads chargen and cheats: it acknowledges in pieces and ahead of time, reports nonsense
by SACK, keeps its window shut, says that packets are too big. Called by attacks.py; each game returns a note or raises.
"""
import select
import struct
import time

from scapy.all import ARP, ICMP, IP, TCP, Ether, Raw, raw

from wire import FOUR, MAC, Victim, stats

M32 = 0xFFFFFFFF
MSS = 1000
count = 0


class Peer:
    """10.99.0.N, at a link address of its own; every game gets a new one."""

    def __init__(self, link, window=65535, options=()):
        global count
        count += 1
        self.link, self.window = link, window
        self.ip, self.mac, self.port = "10.99.0.%d" % (100 + count), "02:77:00:00:00:%02x" % count, 6000 + count
        self.seq, self.una, self.high, self.bytes, self.last = 1000, 0, 0, 0, None
        self.send("S", window=window, options=[("MSS", MSS)] + list(options))
        self.until(lambda: self.high, 5)
        assert self.high, "no answer to the SYN"
        self.seq += 1
        self.una = self.high
        self.send("A")

    def send(self, *what, **fields):
        self.link.frame(self.frame(*what, **fields))

    def frame(self, flags, ack=None, seq=None, window=None, options=(), data=b""):
        ack = self.una if ack is None else ack
        t = TCP(
            sport=self.port,
            dport=19,
            flags=flags,
            seq=(self.seq if seq is None else seq) & M32,
            ack=ack & M32,
            window=self.window if window is None else window,
            options=list(options),
        )
        return raw(Ether(dst=MAC, src=self.mac) / IP(src=self.ip, dst=FOUR) / t / Raw(data))

    def take(self, frame):
        """One frame that the stack has sent: ARP is answered, our own segments are noted."""
        if (
            frame[12:14] == b"\x08\x06"
            and frame[20:22] == b"\0\1"
            and frame[38:42] == bytes(map(int, self.ip.split(".")))
        ):
            self.link.send(Ether(dst=MAC, src=self.mac) / ARP(op=2, psrc=self.ip, hwsrc=self.mac, pdst=FOUR, hwdst=MAC))
        if (
            len(frame) < 54
            or frame[12:14] != b"\x08\0"
            or frame[23] != 6
            or struct.unpack_from("!HH", frame, 34) != (19, self.port)
        ):
            return
        self.last = frame
        seq, flags = struct.unpack_from("!I", frame, 38)[0], frame[47]
        n = struct.unpack_from("!H", frame, 16)[0] - 20 - (frame[46] >> 4) * 4
        end = (seq + n + (flags & 1) + (flags >> 1 & 1)) & M32
        self.bytes += n
        if not self.high or 0 < (end - self.high) & M32 < 1 << 31:
            self.high = end

    def until(self, done, seconds):
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            select.select([self.link.sock], [], [], 0.02)
            for frame in self.link.drain():
                self.take(frame)

    def flight(self):
        return (self.high - self.una) & M32

    def wait(self, seconds=0.3):
        self.until(lambda: False, seconds)

    def gone(self):
        self.send("R", seq=self.seq)


def ack_division(link):
    """One segment acknowledged in a hundred pieces opens the window by a segment, not by a hundred (RFC 3465 2.3)."""
    p = Peer(link)
    p.wait()
    first = p.flight()
    for i in range(1, 101):
        p.send("A", ack=p.una + i * 10)
    p.una = (p.una + 1000) & M32
    p.wait()
    assert 0 < first <= 10 * MSS, "%d bytes at once" % first
    assert p.flight() <= first + 2 * MSS, "%d in flight, %d before" % (p.flight(), first)
    p.gone()
    return "%d in flight, then %d" % (first, p.flight())


def optimistic_ack(link):
    """Acknowledging what was not sent is answered, counted and opens nothing (RFC 9293 3.10.7.4)."""
    p = Peer(link)
    p.wait()
    before, sent = stats()["tcp_drop_ack"], p.bytes
    for i in range(200):
        p.send("A", ack=p.high + 1 + i * MSS)
    p.wait(0.15)
    assert stats()["tcp_drop_ack"] - before >= 200 and p.bytes - sent <= 2 * MSS, "%d bytes sent for it" % (
        p.bytes - sent
    )
    p.gone()
    return "%d bytes sent for it" % (p.bytes - sent)


def sack_games(link):
    """Blocks upside down, of the future, of the past, everything but the first byte and then nothing (reneging)."""
    p = Peer(link, options=[("SAckOK", b"")])
    p.wait()
    una, high = p.una, p.high
    for a, b in [
        (high, una),
        (high + 1000, high + 2000),
        (una - 5000, una - 4000),
        (una, una),
        (una + 1, una + 2),
        (una - 1, high + 1),
        (una + (1 << 31), una),
        (una + 1, high),
        (una + 3, high - 1),
    ] * 10:
        p.send("A", options=[("SAck", (a & M32, b & M32))])
        p.send("A", options=[("SAck", (a & M32, b & M32, b & M32, a & M32, a & M32, b & M32, una, high))])
    p.wait()
    # The first window, as much for what the blocks say has left, two by limited transmit, a probe.
    assert p.flight() <= 24 * MSS, "%d in flight" % p.flight()
    p.una = p.high  # and on with it
    p.send("A")
    had = p.bytes
    p.until(lambda: p.bytes > had, 5)
    assert p.bytes > had, "it has stopped"
    p.gone()
    return "%d retransmitted bytes" % (p.bytes - p.flight())


def duplicate_acks(link):
    """A thousand of them inflate no window (RFC 5681 3.2, RFC 6675: only what was sent can have left)."""
    p = Peer(link)
    p.wait()
    once = p.frame("A")
    for _ in range(1000):
        link.frame(once)
    p.wait()
    assert p.flight() <= 24 * MSS, "%d in flight" % p.flight()
    p.gone()
    return "%d in flight" % p.flight()


def window_zero(link):
    """50 peers that never open their window hold no more than a send buffer each, and are probed, not flooded."""
    peers = [Peer(link) for _ in range(50)]
    for p in peers:
        p.send("A", ack=p.una, window=0)
    time.sleep(0.5)
    link.drain()
    time.sleep(1)
    frames = len(link.drain())
    held = stats()["usage_bytes"]
    for p in peers:
        p.gone()
    assert frames < 50 * 40 and held < 32 << 20, "%d frames in a second, %d bytes" % (frames, held)
    return "%d frames in a second, %d KiB held" % (frames, held >> 10)


def window_shrinks(link):
    """A window taken back, and one of a byte (RFC 9293 3.8.6)."""
    p = Peer(link)
    p.wait()
    for w in (1, 0, 5, 0, 65535, 0, 1):
        p.send("A", window=w)
        p.wait(0.05)
    p.una = p.high
    p.send("A", window=65535)
    had = p.bytes
    p.until(lambda: p.bytes > had, 5)
    assert p.bytes > had, "it has stopped"
    p.gone()
    return "goes on"


def too_big(link):
    """Who sees the connection may lower the size, but not to dust (RFC 1191; the floor as in Linux)."""
    p = Peer(link)
    p.wait()
    quoted = raw(IP(raw(IP(p.last[14:42]))))[:28]
    for size in (0, 68, 100, 1):
        link.send(
            Ether(dst=MAC, src=p.mac) / IP(src=p.ip, dst=FOUR) / ICMP(type=3, code=4, nexthopmtu=size) / Raw(quoted)
        )
    p.wait(0.2)
    p.una = p.high
    p.send("A")
    p.last = None
    p.wait(0.5)
    n = struct.unpack_from("!H", p.last, 16)[0]
    assert n >= 552, "packets of %d bytes" % n
    p.gone()
    return "packets of %d bytes" % n


def half_open(link):
    """12,000 requests from as many ports: cookies, no memory, and a connection made meanwhile (RFC 4987)."""
    before = stats()
    frame = bytearray(
        raw(Ether(dst=MAC, src="02:77:00:00:00:ff") / IP(src="20.0.0.1", dst=FOUR) / TCP(sport=1, dport=7, flags="S"))
    )
    for i in range(12000):
        struct.pack_into("!H", frame, 34, 1024 + i)
        patch_sum(frame)
        link.frame(bytes(frame))
        if i % 4000 == 2000:
            v = Victim(link)
            v.close()
    after = stats()
    assert after["tcp_syn_cookies"] > before["tcp_syn_cookies"], "no cookies"
    assert after["usage_bytes"] < 4 << 20, "%d bytes" % after["usage_bytes"]
    return "%d cookies, %d KiB held" % (
        after["tcp_syn_cookies"] - before["tcp_syn_cookies"],
        after["usage_bytes"] >> 10,
    )


def patch_sum(frame):
    """The TCP checksum of a bare SYN, made anew."""
    struct.pack_into("!H", frame, 50, 0)
    total = sum(struct.unpack_from("!14H", frame, 26)) + 6 + 20
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("!H", frame, 50, ~total & 0xFFFF)


GAMES = [ack_division, optimistic_ack, sack_games, duplicate_acks, window_zero, window_shrinks, too_big, half_open]
