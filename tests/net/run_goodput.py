#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The stack's goodput beside Linux', in network namespaces of the test's own.

First whole transfers over a clean tap and a clean veth, compared by SHA-256. Then through harmbridge, with loss, delay,
reordering and so on, IPv4 and IPv6, nstool behind a veth and behind a tap: nstool to Linux, Linux to nstool, and Linux to
Linux through the same bridge with the same seed and CUBIC on both sides. With --quick each case takes one of those ways
in turn, data that differs fails and speed does not; without it a goodput that is more than 15 % below Linux' fails too.
Needs root, veth and /dev/net/tun: without them it exits with 77.
"""
import argparse
import os
import re
import subprocess
import sys
import time

import goodput_chart
from goodput_transfer import Transfer
from goodput_world import Bridge, World

LEAST = 0.85       # of Linux' goodput through the bridge
LEAST_BULK = 0.70  # of Linux' over a veth with offloads
BULK, TURNS = 2000000000, 9
# What every case has besides its own harm: 200 Mbit/s, a queue of 512 KiB, 5 ms one way.
BASE = {"rate": 25000000, "queue": 524288, "delay": 5, "seed": 7}
CASES = [
    # name, the bridge's options, MTU, whether both sides look for black holes
    ("loss 1 %", {"loss": 1}, 1500, False),
    ("loss 5 %", {"loss": 5}, 1500, False),
    ("delay 50 ms", {"delay": 50, "queue": 2097152}, 1500, False),
    ("reorder 25 %", {"reorder": 25, "reorder-delay": 4}, 1500, False),
    ("loss 1 %, reorder 5 %", {"loss": 1, "reorder": 5, "reorder-delay": 4}, 1500, False),
    ("duplicate 10 %", {"dup": 10}, 1500, False),
    ("corrupt 1 %", {"corrupt": 1}, 1500, False),
    ("MTU 576", {}, 576, False),
    ("MTU 1280", {}, 1280, False),
    ("MTU 1500", {}, 1500, False),
    ("MTU 9000", {}, 9000, False),
    ("black hole 1400", {"blackhole": 1400}, 1500, True),
]
counts = {"passed": 0, "failed": 0, "skipped": 0}


def case(name, function, *arguments):
    """Runs and reports; what the function returns, or None when it failed."""
    try:
        result, note = function(*arguments)
        counts["passed"] += 1
        print("ok   %-46s %s" % (name, note), flush=True)
        return result
    except Exception as e:  # whatever goes wrong is that case's failure
        counts["failed"] += 1
        print("FAIL %-46s %s: %s" % (name, type(e).__name__, e), flush=True)
        return None


def transfer(world, kind, link, family, mtu, verb, limits):
    """Returns bytes per second and a note. `limits` are Transfer's."""
    t = Transfer(family, verb, **limits)
    moved, took = t.run(world.client(kind, link, family, mtu, verb, t.port, t.piped, t.size))
    if moved == 0:
        raise AssertionError("nothing arrived: " + t.notes)
    return moved / took, "%8.2f MB/s  %s" % (moved / took / 1e6, t.notes if kind == "nstool" else "")


def clean(world, options):
    """Whole transfers, every byte of them summed."""
    rows = []
    for link in ("tap", "veth"):
        for family in (4, 6):
            for verb in ("send", "recv"):
                name = "%s, IPv%d, nstool %ss %d MB" % (link, family, verb.replace("recv", "receive"), options.clean)
                rate = case(name, transfer, world, "nstool", link, family, 1500, verb, {"size": options.clean * 1000000})
                rows.append({"case": name, "rate": rate})
    return rows


def bulk(world, options):
    """Without sums and pipes: what the stacks do, not what the test costs. The best of some, taken in turns."""
    rows = []
    for verb in ("send", "recv"):
        rates = {"linux": [], "nstool": []}
        for kind in ["linux", "nstool"] * TURNS:
            rates[kind].append(case("veth with offloads, %s %ss" % (kind, verb.replace("recv", "receive")), transfer,
                                    world, kind, "veth", 4, 1500, verb, {"piped": False, "size": BULK}))
        best = {kind: max((r for r in got if r), default=None) for kind, got in rates.items()}
        rows.append(row("bulk, " + ("to" if verb == "send" else "from") + " Linux", verb, best, LEAST_BULK))
    return rows


def row(name, verb, rates, least, **way):
    ratio = rates["nstool"] / rates["linux"] if rates.get("nstool") and rates.get("linux") else None
    return {"case": name, "verb": verb, "linux": rates.get("linux"), "nstool": rates.get("nstool"), "ratio": ratio,
            "least": least, **way}


def through(world, options, link, family, harm, mtu, verb, kind, seconds):
    """One run through the bridge. The bridge starts anew, so every run meets its n-th frame's fate."""
    with Bridge(world, link, {**BASE, "seed": options.seed, **harm}) as bridge:
        rate, note = transfer(world, kind, link, family, mtu, verb, {"seconds": seconds})
    done = bridge.counters[0 if verb == "recv" else 1]
    return rate, note + "  %d frames, %d lost" % (done["frames"], done["lost"] + done["overflowed"])


def ways(options, number, mtu):
    """Which families a case is run with, and over which links; quickly one of the four, by the case's number."""
    families, links = (4, 6) if mtu >= 1280 else (4,), ("bridge", "bridge-tap")
    if options.quick:
        families, links = (families[number % len(families)],), (links[number // 2 % 2],)
    return [(family, links) for family in families]


def one_way(world, options, name, harm, mtu, family, links, verb, seconds):
    """A case of one family and direction: Linux once, and nstool over each link beside it."""
    rows, run = [], [world, options]
    both = "" if verb == "send" else ", back"
    linux = None if options.quick else case("%s, Linux to Linux%s" % (name, both), through, *run, "bridge", family, harm,
                                            mtu, verb, "linux", seconds)
    for link in links:
        what = "%s, %s" % (name, "tap" if link == "bridge-tap" else "veth")
        rate = case("%s, %s" % (what, "nstool to Linux" if verb == "send" else "Linux to nstool"), through, *run, link,
                    family, harm, mtu, verb, "nstool", seconds)
        rows.append(row(what, verb, {"linux": linux, "nstool": rate}, LEAST, family=family, link=link))
    return rows


def impaired(world, options):
    rows = []
    for number, (path, harm, mtu, hole) in enumerate(CASES):
        # A black hole is found by timeouts, which take longer than a quick run.
        seconds = max(options.seconds, 6) if hole else options.seconds
        for family, links in ways(options, number, mtu):
            name = "%s, IPv%d" % (path, family)
            if options.only and not re.search(options.only, name):
                continue
            world.set_mtu(mtu)
            world.probing(hole)
            for verb in ("send", "recv"):
                got = one_way(world, options, name, harm, mtu, family, links, verb, seconds)
                rows += [{**r, "path": path} for r in got]
    return rows


def judge(options, rows):
    """Prints the ratios; in a full run one that is too low is a failure."""
    for r in rows:
        if r["ratio"] is None:
            continue
        low = r["ratio"] < r["least"]
        print("%s %-38s nstool %7.2f MB/s, Linux %7.2f MB/s, ratio %.2f%s" % (
            "LOW " if low else "    ", "%s, nstool %ss" % (r["case"], r["verb"].replace("recv", "receive")),
            r["nstool"] / 1e6, r["linux"] / 1e6, r["ratio"], " (at least %.2f)" % r["least"] if low else ""))
        counts["failed"] += int(low and not options.quick)


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nstool", required=True)
    parser.add_argument("--bridge", required=True)
    parser.add_argument("--quick", action="store_true", help="50 MB and 1.8 s a case, nothing compared with Linux")
    parser.add_argument("--seconds", type=float, help="of each run through the bridge")
    parser.add_argument("--seed", type=int, default=BASE["seed"])
    parser.add_argument("--only", help="of the cases through the bridge ('loss 1 %%, IPv6') those whose name matches")
    parser.add_argument("--part", choices=("clean", "bulk", "bridge"), help="nothing but that")
    parser.add_argument("--out", help="a folder for goodput.json, goodput.svg and goodput.md")
    options = parser.parse_args()
    options.seconds = options.seconds or (1.8 if options.quick else 15)
    options.clean = 50 if options.quick else 500
    options.part = "bridge" if options.only else options.part
    return options


def run(options):
    world = World(options.nstool, options.bridge)
    try:
        result = {"seed": options.seed, "seconds": options.seconds, "kernel": os.uname().release, "clean": [], "bulk": [],
                  "bridge": []}
        if options.part in (None, "clean"):
            result["clean"] = clean(world, options)
        if options.part == "bulk" or (options.part is None and not options.quick):
            result["bulk"] = bulk(world, options)
        if options.part in (None, "bridge"):
            result["bridge"] = impaired(world, options)
    finally:
        world.end()
    judge(options, result["bulk"] + result["bridge"])
    if options.out:
        goodput_chart.write(result, options.out)


def can_run():
    if os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return False
    trial = ["unshare", "-n", "ip", "link", "add", "t0", "type", "veth", "peer", "name", "t1"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0


def main():
    options = parse()
    if not can_run():
        print("skip: needs root, /dev/net/tun, veth and namespaces")
        return 77
    if os.environ.get("NETSTACK_NETNS") != "1":
        os.environ["NETSTACK_NETNS"] = "1"
        return subprocess.run(["unshare", "-n", sys.executable] + sys.argv, check=False).returncode
    started = time.monotonic()
    run(options)
    print("%.0f s" % (time.monotonic() - started))
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % counts)
    return int(counts["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main())
