#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""attacks.py TAP: hostile frames at the stack on TAP, made by scapy. run_clients.py starts it in its network namespace.

Each attack is sent beside a connection that Linux has with the echo service. It passes when the connection goes on
with its own bytes, the counters that name the reason have moved at least as often as the row says, and the stack holds
little memory. Those that need a peer of their own are in hostile_peer.py.
"""
import os
import random
import socket
import struct
import sys
import time

from scapy.all import (
    ARP,
    ICMP,
    IP,
    TCP,
    UDP,
    Ether,
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6PacketTooBig,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    Raw,
    in4_chksum,
    raw,
)

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hostile_peer  # noqa: E402
from wire import EVIL, FOUR, HERE4, HERE6, MAC, SIX, Link, Victim, counted, stats  # noqa: E402

MEMORY = 4 << 20  # what a stack that is attacked may hold when the attack is over
rng = random.Random(7)
M32 = 0xFFFFFFFF


def ip(**fields):
    return IP(src=HERE4, dst=FOUR, **fields)


def ip6(**fields):
    return IPv6(src=HERE6, dst=SIX, **fields)


# ---- Into an established connection: who cannot see it guesses (RFC 5961) ------------------------------------------
def resets(link, v):
    seq, _, _, _ = v.numbers()
    for i in range(200):
        link.send(
            ip()
            / TCP(sport=v.port, dport=7, flags="R", seq=(seq + (i * 299 + 1 if i < 100 else rng.getrandbits(31))) & M32)
        )


def syns(link, v):
    seq, ack, _, _ = v.numbers()
    for i in range(100):
        link.send(
            ip()
            / TCP(sport=v.port, dport=7, flags=("S", "SA", "SF", "SR")[i % 4], seq=(seq + 1 + i * 300) & M32, ack=ack)
        )


def blind_acks(link, v):
    """Numbers in the window, data to be injected, but acknowledgements that nobody who sees it would send."""
    seq, ack, _, _ = v.numbers()
    for i in range(200):
        far = (ack + (1 << 30) + i * 9999) & M32 if i & 1 else (ack - (1 << 30) - i) & M32
        link.send(ip() / TCP(sport=v.port, dport=7, flags="PA", seq=seq, ack=far, window=100) / Raw(b"EVIL" * 10))


def stamps(link, v):
    """Old timestamps are dropped (RFC 7323 5.3); a new one with an impossible ACK must not become the one to beat."""
    seq, ack, ours, theirs = v.numbers()
    for i in range(60):
        link.send(
            ip()
            / TCP(
                sport=v.port,
                dport=7,
                flags="PA",
                seq=seq,
                ack=ack,
                options=[("Timestamp", ((ours - 1 - i * 30000000) & M32, theirs))],
            )
            / Raw(b"OLD!")
        )
        link.send(
            ip()
            / TCP(
                sport=v.port,
                dport=7,
                flags="PA",
                seq=seq,
                ack=(ack + (1 << 30)) & M32,
                options=[("Timestamp", ((ours + (1 << 30)) & M32, theirs))],
            )
            / Raw(b"NEW!")
        )


def option_bombs(link, v):
    """Lengths of 0 and beyond the end, everything twice, sizes of nothing; to the connection and to the listener."""
    seq, ack, _, _ = v.numbers()
    shapes = [
        b"\x02\x00" * 4,
        b"\x08\xff" + b"\0" * 6,
        b"\x05\x03\x01\x01" * 10,
        b"\x01" * 40,
        b"\x02\x04\x00\x00" * 10,
        b"\x03\x03\xff\x00" * 10,
        b"\x08\x0a" + b"\xff" * 8,
        b"\x05\x22" + b"\xff" * 32 + b"\0\0",
    ]
    for i in range(120):
        bomb = shapes[i % 8] if i < 80 else rng.randbytes(rng.randrange(1, 11) * 4)
        ours = i % 3 == 0  # into the connection; else to the listener
        below = ip(proto=6) if ours else IP(src="10.99.0.66", dst=FOUR, proto=6)
        header = (
            struct.pack(
                "!HHIIBBHHH",
                v.port if ours else 40000 + i,
                7,
                seq if ours else i,
                ack,
                (5 + len(bomb) // 4) << 4,
                0x10 if ours else 2,
                65535,
                0,
                0,
            )
            + bomb
        )
        check = in4_chksum(6, below, header)
        link.send(below / Raw(header[:16] + struct.pack("!H", check) + header[18:]))


# ---- IP ------------------------------------------------------------------------------------------------------------
def fragments(link, v):
    """Overlaps, headers cut in two, beyond 64 KiB, no multiples of eight, and 4,000 packets that never get whole."""
    body = b"\x08\0\0\0" + bytes(44)
    for i in range(40):
        link.send(
            ip(id=i, flags="MF", proto=1) / Raw(body[:24]),
            ip(id=i, frag=2, flags="MF", proto=1) / Raw(body[:24]),
            ip(id=i, frag=1, proto=1) / Raw(body[:8]),
        )
        link.send(
            ip(id=100 + i, flags="MF", proto=6) / Raw(b"\1\2\0\7\0\0\0\0"),
            ip(id=100 + i, frag=1, proto=6) / Raw(b"x" * 20),
        )
        link.send(
            ip(id=200 + i, frag=8190, proto=1) / Raw(b"x" * 400), ip(id=300 + i, flags="MF", proto=17) / Raw(b"x" * 13)
        )
    frame = bytearray(
        raw(
            Ether(dst=MAC, src=link.mac)
            / IP(src="10.99.0.66", dst=FOUR, flags="MF", proto=17, chksum=0)
            / Raw(bytes(1400))
        )
    )
    for i in range(4000):
        struct.pack_into("!H", frame, 18, i)
        struct.pack_into("!H", frame, 24, 0)
        total = sum(struct.unpack_from("!10H", frame, 14))
        struct.pack_into("!H", frame, 24, ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)
        link.frame(bytes(frame))


def fragments6(link, v):
    """RFC 5722: overlaps; RFC 8200: chains of headers, in any order, with source routes."""
    for i in range(40):
        part = ip6(nh=44) / IPv6ExtHdrFragment(nh=58, id=i, m=1) / Raw(b"\x80\0\0\0" + bytes(20))
        link.send(part, ip6(nh=44) / IPv6ExtHdrFragment(nh=58, id=i, offset=2, m=1) / Raw(bytes(16)))
        link.send(ip6(nh=44) / IPv6ExtHdrFragment(nh=58, id=100 + i, offset=8190, m=0) / Raw(bytes(200)))
        chain = ip6()
        for _ in range(i):
            chain = chain / IPv6ExtHdrDestOpt()
        link.send(
            chain / IPv6ExtHdrHopByHop() / ICMPv6EchoRequest(),
            ip6() / IPv6ExtHdrRouting(type=0, addresses=[SIX, HERE6], segleft=2) / ICMPv6EchoRequest(),
            ip6(nh=60) / Raw(b"\x3b" + bytes([i]) + bytes(6)),
            ip6(nh=60) / Raw(b"\x3a\0\xc2\xff\0\0\0\0"),
        )


def headers(link, v):
    """Source routes, options without an end, wrong versions, lengths, checksums, protocols nobody has."""
    for i in range(30):
        link.send(
            IP(src=HERE4, dst=FOUR, options=b"\x83\x0b\x04" + bytes(8)) / ICMP(),
            IP(src=HERE4, dst=FOUR, options=b"\x07\x00\x00\x00") / ICMP(),
            ip(version=5) / ICMP(),
            ip(len=2000) / ICMP(),
            ip(len=10) / ICMP(),
            ip(ihl=3) / ICMP(),
            ip(chksum=1) / ICMP(),
            ip(proto=200 + i) / Raw(b"x"),
            ip6(plen=5000) / ICMPv6EchoRequest(),
            Ether(dst=MAC, src=link.mac) / Raw(bytes([0x45])),
        )


def land(link, v):
    """From us to us, from groups, from loopback: addresses no packet has (RFC 1122 3.2.1.3)."""
    for source in (FOUR, "127.0.0.1", "224.0.0.1", "255.255.255.255", "10.99.0.255"):
        for _ in range(20):
            link.send(
                IP(src=source, dst=FOUR) / TCP(sport=7, dport=7, flags="S"),
                IP(src=source, dst=FOUR) / UDP(sport=7, dport=7),
            )
    for source in (SIX, "::1", "ff02::1"):
        link.send(
            IPv6(src=source, dst=SIX) / TCP(sport=7, dport=7, flags="S"),
            IPv6(src=source, dst=SIX) / UDP(sport=7, dport=7),
        )


def datagrams(link, v):
    for i in range(30):
        link.send(
            ip() / UDP(sport=9, dport=7, len=4),
            ip() / UDP(sport=9, dport=7, len=60),
            ip() / UDP(sport=9, dport=0),
            ip() / UDP(sport=9, dport=7, chksum=1) / Raw(b"x"),
            ip6() / UDP(sport=9, dport=7, chksum=1) / Raw(b"x"),
        )


# ---- Neighbours ----------------------------------------------------------------------------------------------------
def arp_spoof(link, v):
    """That we are elsewhere, that the stack is elsewhere, that a group is somewhere, and 3,000 hosts nobody asked for."""
    ether = Ether(dst=MAC, src=EVIL)
    for _ in range(20):
        link.send(
            ether / ARP(op=2, psrc=HERE4, hwsrc=EVIL, pdst="10.99.0.200", hwdst=MAC),
            ether / ARP(op=2, psrc=FOUR, hwsrc=EVIL, pdst=FOUR),
            ether / ARP(op=1, psrc="224.0.0.1", hwsrc=EVIL, pdst=FOUR),
            ether / ARP(op=2, psrc="10.99.0.9", hwsrc="ff:ff:ff:ff:ff:ff", pdst=FOUR),
            ether / ARP(op=9, pdst=FOUR),
        )
        for at in range(14, 20):  # types and lengths of other networks
            odd = bytearray(raw(ether / ARP(op=1, psrc=HERE4, hwsrc=EVIL, pdst=FOUR)))
            odd[at] ^= 0x10
            link.frame(bytes(odd))
    frame = bytearray(raw(ether / ARP(op=1, psrc="10.99.0.0", hwsrc=EVIL, pdst=FOUR)))
    for i in range(3000):
        struct.pack_into("!H", frame, 30, 3 + i)
        link.frame(bytes(frame))


def nd_spoof(link, v):
    """Advertisements and router's ones from everybody, also from behind a router, with options without a length."""
    target = ICMPv6NDOptDstLLAddr(lladdr=EVIL)
    for i in range(20):
        link.send(
            IPv6(src=SIX, dst="ff02::1", hlim=255) / ICMPv6ND_NA(tgt=SIX, R=0, S=0, O=1) / target,
            IPv6(src=HERE6, dst=SIX, hlim=64) / ICMPv6ND_NA(tgt=HERE6, O=1) / target,
            IPv6(src=HERE6, dst=SIX, hlim=255) / ICMPv6ND_NA(tgt="ff02::9", O=1) / target,
            IPv6(src="fe80::66", dst="ff02::1", hlim=255)
            / ICMPv6ND_RA(routerlifetime=9000)
            / ICMPv6NDOptPrefixInfo(prefix="2001:db8:%x::" % i, prefixlen=64),
            IPv6(src=HERE6, dst=SIX, hlim=255) / ICMPv6ND_NS(tgt=SIX) / Raw(b"\x01\x00" + bytes(6)),
        )
    for i in range(600):
        link.send(
            IPv6(src="fd99::%x" % (i + 256), dst=SIX, hlim=255)
            / ICMPv6ND_NS(tgt=SIX)
            / ICMPv6NDOptSrcLLAddr(lladdr=EVIL)
        )


# ---- ICMP lies (RFC 5927) --------------------------------------------------------------------------------------------
def icmp_lies(link, v):
    """Redirects, quench, unreachable, and too big for dust: about the connection, with numbers that are not in flight."""
    seq, ack, _, _ = v.numbers()
    for i in range(40):
        quoted = IP(src=FOUR, dst=HERE4) / TCP(sport=7, dport=v.port, seq=(ack + (1 << 30) + i * 77777) & M32)
        link.send(
            ip() / ICMP(type=5, code=1, gw="10.99.0.66") / quoted,
            ip() / ICMP(type=4) / quoted,
            ip() / ICMP(type=3, code=2 + i % 2) / quoted,
            ip() / ICMP(type=3, code=4, nexthopmtu=(0, 68, 600)[i % 3]) / quoted,
            ip() / ICMP(type=3, code=4, nexthopmtu=68) / Raw(raw(quoted)[:21]),
            ip() / ICMP(type=12) / quoted,
            ip() / ICMP(type=3, code=4, nexthopmtu=600) / IP(src=FOUR, dst="8.8.%d.1" % i) / UDP(),
        )
        quoted6 = IPv6(src=SIX, dst=HERE6) / TCP(sport=7, dport=v.port, seq=i)
        link.send(
            ip6() / ICMPv6PacketTooBig(mtu=1280 - i) / quoted6,
            ip6() / ICMPv6DestUnreach(code=4) / quoted6,
            ip6(hlim=255) / ICMPv6ND_Redirect(tgt="fe80::66", dst=HERE6),
        )


def sizes_kept(link, v):
    """After the lies: a new connection's segments are as large as before, both ways (tcp(7), TCP_INFO)."""
    s = socket.create_connection((FOUR, 19), timeout=10)
    got = 0
    while got < 100000:
        got += len(s.recv(20000))
    sizes = struct.unpack_from("II", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 16)
    s.close()
    assert min(sizes) >= 1400, "segments of %d bytes out, %d in" % sizes


ATTACKS = [  # function, counters, how often they move together at least
    (resets, ["tcp_challenge_acks", "tcp_challenge_limited", "tcp_drop_window"], 150),
    (syns, ["tcp_challenge_acks", "tcp_challenge_limited", "tcp_drop_window", "tcp_drop_malformed"], 60),
    (blind_acks, ["tcp_drop_ack"], 200),
    (stamps, ["tcp_drop_paws"], 60),
    (stamps, ["tcp_drop_ack"], 60),
    (option_bombs, ["tcp_drop_malformed"], 30),
    (fragments, ["frag_drop_overlap"], 40),
    (fragments, ["frag_drop_malformed"], 80),
    (fragments, ["frag_drop_full"], 300),  # the tap loses some of the 4,000
    (fragments6, ["frag_drop_overlap"], 20),
    (fragments6, ["ip6_drop_chain", "ip6_drop_option"], 100),
    (headers, ["ip_drop_header", "ip_drop_length", "ip_drop_checksum", "ip_drop_options", "proto_drop_unknown"], 200),
    (land, ["ip_drop_martian"], 200),
    (datagrams, ["udp_drop_malformed"], 90),
    (datagrams, ["udp_drop_checksum"], 60),
    (arp_spoof, ["arp_drop_martian", "arp_drop_malformed"], 180),
    (nd_spoof, ["nd_drop_malformed", "nd_drop_ignored"], 80),
    (icmp_lies, ["icmp_drop_unmatched"], 100),
    (icmp_lies, ["icmp_drop_ignored"], 80),
    (sizes_kept, [], 0),
]


def attack(link, function, rows, least):
    victims = [Victim(link), Victim(link, SIX)]
    before = stats()
    function(link, victims[0])
    for v in victims:
        v.alive()
    after = stats()
    moved = counted(function.__name__, before, after, *rows) if rows else 0
    assert moved >= least, "%s moved %d times, not %d" % ("+".join(rows), moved, least)
    assert after["usage_bytes"] < MEMORY, "%d bytes held" % after["usage_bytes"]
    assert after["tcp_pmtu_reduced"] == before["tcp_pmtu_reduced"], "a lie about the path was believed"
    for v in victims:
        v.close()
    return "%d counted, %d KiB held" % (moved, after["usage_bytes"] >> 10)


def main():
    link, failed = Link(sys.argv[1]), 0
    cases = [("%s: %s" % (f.__name__, rows[0] if rows else "-"), attack, (link, f, rows, n)) for f, rows, n in ATTACKS]
    cases += [("peer: " + f.__name__, f, (link,)) for f in hostile_peer.GAMES]
    for name, function, arguments in cases:
        started = time.monotonic()
        try:
            print("ok   %-44s %s, %.2f s" % (name, function(*arguments), time.monotonic() - started), flush=True)
        except Exception as e:  # that attack's failure; the others still run
            failed += 1
            print("FAIL %-44s %s: %s" % (name, type(e).__name__, e), flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
