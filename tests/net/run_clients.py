#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The stack against the clients and the attackers that people have: nstool on a tap, in a network namespace of the test's
own; ping, nc, curl, nmap, hping3 and scapy from the host's side of it.

A client that is not installed is skipped by name. At the end nstool is asked to stop, and panics if anything is left.
Timings do not fail the suite's run: under a SYN flood an established transfer has to go on; with --full it has to keep
half of its rate under 50,000 SYNs a second. Needs root and /dev/net/tun: without them it exits with 77.
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import run_linux
from run_linux import FOUR, HERE4, HERE6, SIX, sh

TAP, MAC = "nst0", "02:6e:73:00:00:01"
HERE = os.path.dirname(os.path.abspath(__file__))
skipped = 0
only = re.compile("")


def case(title, function, *arguments):
    if only.search(title):
        run_linux.case(title, function, *arguments)


def with_client(name, title, function, *arguments):
    """A case that needs a program of the host's."""
    global skipped
    if not only.search(title):
        return
    if shutil.which(name) or os.access("/usr/sbin/" + name, os.X_OK):
        case(title, function, *arguments)
    else:
        skipped += 1
        print("skip %-52s %s is not installed" % (title, name), flush=True)


def run(*words, timeout=60, data=b"", code=0):
    done = subprocess.run(words, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    if code is not None and done.returncode != code:
        raise AssertionError(
            "%s: status %d: %s" % (words[0], done.returncode, done.stdout.decode(errors="replace")[-400:])
        )
    return done.stdout


def stat(name):
    s = run_linux.connect(FOUR, 80)
    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
    text = b""
    for piece in iter(lambda: s.recv(65536), b""):
        text += piece
    return int(re.search(r"^%s (\d+)$" % name, text.decode(), re.M).group(1))


# ---- Clients -------------------------------------------------------------------------------------------------------
def ping(host, size):
    text = run(
        "ping", "-6" if ":" in host else "-4", "-n", "-c", "5", "-i", "0.05", "-s", str(size), "-W", "2", host
    ).decode()
    assert " 0% packet loss" in text and "DUP" not in text, text
    return re.search(r"rtt.*", text).group(0)


def nc_echo(host):
    data = os.urandom(300000)
    assert run("nc", "-N", host, "7", data=data) == data, "another thing came back"


def nc_datagram(host):
    """nc does not end by itself here: it is read from until the answer is there."""
    p = subprocess.Popen(["nc", "-u", host, "7"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        p.stdin.write(b"hello\n")
        p.stdin.flush()
        got = p.stdout.readline()
        assert got == b"hello\n", got
    finally:
        p.kill()
        p.wait()


def nc_listens(options, host, verb):
    """nstool connects to a listening nc; what it reads or sends is counted at both ends."""
    port, size = "4%d%d" % (":" in host, 700 + (verb == "send")), 2000000
    with tempfile.TemporaryFile() as data, tempfile.TemporaryFile() as got:
        if verb == "recv":
            data.write(bytes(size))
            data.seek(0)
        listener = subprocess.Popen(
            ["nc", "-N", "-l", host, port], stdin=data if verb == "recv" else subprocess.DEVNULL, stdout=got
        )
        time.sleep(0.2)
        words = [options.nstool, verb, "nst1", FOUR + "/24", SIX + "/64", "to", host, port]
        text = run(*words, *([str(size)] if verb == "send" else [])).decode()
        listener.wait(10)
        assert verb == "recv" and text.startswith("%d bytes" % size) or os.fstat(got.fileno()).st_size == size, text
    return text.strip()


def curl(url):
    text = run("curl", "-gsS", "-i", "--max-time", "10", url).decode()
    assert text.startswith("HTTP/1.1 200 OK") and re.search(r"^tcp_in \d+$", text, re.M), text[:200]


def nmap(host):
    """A scan finds what is open and what is not, and a guess at the system does no harm."""
    words = [
        "nmap",
        "-n",
        "-Pn",
        "-sS",
        "-sU",
        "-p",
        "T:7,9,19,80,81,443,U:7,81",
        "--max-retries",
        "1",
        "--max-os-tries",
        "1",
        "-T4",
        "--host-timeout",
        "40s",
    ]
    text = run(*words, *(["-6"] if ":" in host else []), "-O", host, timeout=60).decode()
    for line in (
        "7/tcp +open",
        "9/tcp +open",
        "19/tcp +open",
        "80/tcp +open",
        "81/tcp +closed",
        "443/tcp +closed",
        "7/udp +open",
        "81/udp +closed",
    ):
        assert re.search("^" + line, text, re.M), "%s: %s" % (line, text)


# ---- A connection that has to live -----------------------------------------------------------------------------------
class Bulk(threading.Thread):
    """One transfer from Linux to discard, as iperf3 would make it."""

    def __init__(self):
        super().__init__(daemon=True)
        self.sock, self.sent, self.stop, self.error = run_linux.connect(FOUR, 9), 0, False, None
        self.start()

    def run(self):
        block = bytes(1 << 17)
        try:
            while not self.stop:
                self.sent += self.sock.send(block)
            self.sock.close()
        except OSError as e:
            self.error = e

    def rate(self, seconds):
        """MB/s over the next seconds."""
        start, had = time.monotonic(), self.sent
        time.sleep(seconds)
        if self.error:
            raise self.error
        return (self.sent - had) / (time.monotonic() - start) / 1e6

    def end(self):
        """It must go on within seconds: what the tap has lost is sent again by Linux' timer, which may have backed off."""
        had, until = self.sent, time.monotonic() + 15
        while self.sent == had and not self.error and time.monotonic() < until:
            time.sleep(0.01)
        assert self.error or self.sent > had, "the transfer stands still"
        self.stop = True
        self.join(20)
        if self.error:
            raise self.error


def hping(name, *words):
    """A flood of some thousand packets while a transfer goes on."""
    bulk = Bulk()
    before = stat("link_in")
    p = subprocess.Popen(
        ["hping3", "-q", "-n", "-I", TAP, "-i", "u20", "-c", "10000", *words, FOUR],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(0.2)
        rate = bulk.rate(0.4)
    finally:
        p.terminate()
        p.wait(10)
    bulk.end()
    held = stat("usage_bytes")
    assert held < 8 << 20, "%d bytes held" % held
    return "%.0f MB/s meanwhile, %d frames in" % (rate, stat("link_in") - before)


def flooded(options, seconds, bulk):
    """The rate beside a flood of 50,000 SYNs a second, and how many there were."""
    flood = subprocess.Popen(
        [options.netflood, TAP, MAC, FOUR, "7", "50000", str(seconds + 0.5)], stdout=subprocess.PIPE, text=True
    )
    time.sleep(0.3)
    rate = bulk.rate(seconds)
    sent, per_second = map(int, re.findall(r"\d+", flood.communicate(timeout=30)[0]))
    return rate, per_second


def syn_flood(options):
    """Rounds without and with the flood in turns, so that what else the machine does meets both: each round is compared
    with the rates before and after it, and the median counts. Half is demanded only where nothing else runs."""
    rounds, seconds = (9, 1.5) if options.full else (1, 1.0)
    bulk = Bulk()
    bulk.rate(0.5)
    without, beside, floods = [bulk.rate(seconds)], [], []
    for _ in range(rounds):
        rate, per_second = flooded(options, seconds, bulk)
        beside.append(rate)
        floods.append(per_second)
        without.append(bulk.rate(seconds))
    bulk.end()
    ratios = sorted(2 * beside[i] / (without[i] + without[i + 1]) for i in range(rounds))
    ratio, per_second = statistics.median(ratios), statistics.median(floods)
    cookies, held = stat("tcp_syn_cookies"), stat("usage_bytes")
    note = "%.0f MB/s, %.0f under %d SYNs/s: %.2f" % (
        statistics.median(without), statistics.median(beside), per_second, ratio)
    note += " (%.2f to %.2f); %d cookies, %d KiB held" % (ratios[0], ratios[-1], cookies, held >> 10)
    assert cookies > 0 and held < 8 << 20, note
    assert not options.full or (ratio > 0.5 and per_second > 40000), note
    return note


def attacks():
    """attacks.py needs an interpreter that has scapy; its lines are cases."""
    global skipped
    for python in (sys.executable, "/usr/bin/python3"):
        if (
            os.access(python, os.X_OK)
            and subprocess.run([python, "-c", "import scapy.all"], capture_output=True).returncode == 0
        ):
            break
    else:
        skipped += 1
        print("skip %-52s scapy is not installed" % "attacks by scapy", flush=True)
        return
    p = subprocess.Popen(
        [python, os.path.join(HERE, "clients", "attacks.py"), TAP],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for line in p.stdout:
        print(line, end="", flush=True)
        run_linux.passed += line.startswith("ok ")
        run_linux.failed += line.startswith("FAIL ")
    code = p.wait()
    case("attacks by scapy came to their end (status %d)" % code, lambda: None if code == 0 else 1 / 0)


def clients(options):
    for host in (FOUR, SIX):
        with_client("ping", "ping " + host, ping, host, 56)
        with_client("ping", "ping of 20,000 bytes " + host, ping, host, 20000)
        with_client("nc", "nc, echo " + host, nc_echo, host)
        with_client("nc", "nc, a datagram " + host, nc_datagram, host)
        with_client("curl", "curl " + host, curl, "http://[%s]/" % host if ":" in host else "http://%s/" % host)
        with_client("nmap", "nmap -sS -sU -O " + host, nmap, host)
        case("bulk from Linux " + host, run_linux.echo, host, 20000000)
    for title, words in (
        ("SYNs of everybody", ("-S", "-p", "7", "--rand-source")),
        ("SYNs with data", ("-S", "-p", "80", "-d", "400")),
        ("ACKs", ("-A", "-p", "9")),
        ("resets", ("-R", "-p", "9", "--rand-source")),
        ("christmas trees", ("-F", "-S", "-R", "-P", "-A", "-U", "-X", "-Y", "-p", "9")),
        (
            "no flags",
            (
                "-p",
                "9",
            ),
        ),
        ("datagrams to nobody", ("--udp", "-p", "81")),
        ("datagrams in fragments", ("--udp", "-p", "7", "-d", "3000", "-f")),
        ("echo requests", ("--icmp", "-d", "1000")),
        ("unknown protocols", ("--rawip", "--ipproto", "99", "--rand-source")),
    ):
        with_client("hping3", "hping3: " + title, hping, title, *words)
    if only.search("attacks by scapy"):
        attacks()
    case("SYN flood beside a transfer", syn_flood, options)


def main():
    global only
    parser = argparse.ArgumentParser()
    parser.add_argument("--nstool", required=True)
    parser.add_argument("--netflood", required=True)
    parser.add_argument("--full", action="store_true", help="longer, and rates count")
    parser.add_argument("--only", default="", metavar="REGEX", help="the cases whose title matches")
    options = parser.parse_args()
    only = re.compile(options.only)
    status = run_linux.own_namespace()
    if status is not None:
        return status
    run_linux.make_tap(TAP, 1500)
    # As many frames as a card's ring; a tap's 500 are full whenever nstool does not run for 10 ms of such a flood.
    sh("ip", "link", "set", TAP, "txqueuelen", "4096")
    server = subprocess.Popen(
        [options.nstool, "serve", TAP, FOUR + "/24", SIX + "/64", "gw", HERE4], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout.readline() == "ready\n"
    clients(options)
    server.terminate()
    status = server.wait(20)
    case("nothing left (status %d)" % status, lambda: None if status == 0 else 1 / 0)
    sh("ip", "link", "del", TAP)
    run_linux.make_tap("nst1", 1500)
    # A tap that is attached anew is deaf for a second or more, so not all of these are for everyday.
    for host, verb in ((HERE4, "send"), (HERE4, "recv"), (HERE6, "send"), (HERE6, "recv"))[: 4 if options.full else 2]:
        with_client("nc", "nstool %s, nc -l %s" % (verb, host), nc_listens, options, host, verb)
    print("%d passed, %d failed, %d skipped" % (run_linux.passed, run_linux.failed, skipped))
    return int(run_linux.failed > 0)


if __name__ == "__main__":
    sys.exit(main())
