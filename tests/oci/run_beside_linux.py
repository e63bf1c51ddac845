#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole transfers with checksums over veths and a bridge that harms (tests/net/bridge): Linux to Linux, Linux to a sandbox and
back, a sandbox to another, each way round, CUBIC everywhere. A rate more than 15 % below that of Linux to Linux fails, with --quick
only a sum that differs. `./dev goodput --sandboxes`: 200 MB each, some minutes, half an hour with the losses. Needs root."""
import argparse
import json
import os
import sys

import run_cli as cli
from links_world import Harmed, starter, transfer

LEAST = 0.85
BASE = {"rate": 25000000, "queue": 524288, "delay": 5, "seed": 7}  # 200 Mbit/s, 5 ms each way
CASES = (("as it is", {}), ("loss 1 %", {"loss": 1}), ("loss 5 %", {"loss": 5}), ("delay 50 ms", {"delay": 50, "queue": 2097152}))
# Who sends from one side to the other; the bridge's n-th frame of a direction meets the same fate in each.
WAYS = (("Linux to Linux", None, None), ("a sandbox to Linux", "veth", None), ("Linux to a sandbox", None, "veth"),
        ("a sandbox to a sandbox", "veth", "veth"))


def rate(options, harm, sends, receives, back, size):
    with Harmed(options.bridge, **{**BASE, **harm}) as pair:
        sender, receiver, host = pair.here, pair.there, pair.THERE
        if back:
            sender, receiver, host = pair.there, pair.here, pair.HERE
        took = transfer(starter(receiver, net=receives), starter(sender, net=sends), host[back], size, patience=1800)
    return size / took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--platform", default="seccomp")
    parser.add_argument("--bridge", required=True)
    parser.add_argument("--size", type=float, default=200, help="MB of each transfer")
    parser.add_argument("--lossy", type=float, help="MB of those that lose, which take long (those of the others)")
    parser.add_argument("--only", default="", help="a part of a case's name")
    parser.add_argument("--quick", action="store_true", help="nothing is compared with Linux")
    parser.add_argument("--out", help="a folder for sandboxes.json")
    options = parser.parse_args()
    cli.PICKET, cli.PLATFORM = os.path.realpath(options.picket), options.platform
    if os.geteuid() != 0:
        print("skipped: namespaces need root\n0 passed, 0 failed, 1 skipped")
        return 0
    passed, failed, rows = 0, 0, []
    for name, harm in CASES:
        if options.only not in name:
            continue
        size = int(1e6 * (options.lossy if options.lossy and "loss" in harm else options.size))
        for back in (0, 1):  # IPv4 there, IPv6 back
            linux = None
            for way, sends, receives in WAYS:
                try:
                    got = rate(options, harm, sends, receives, back, size)
                except AssertionError as e:
                    got, way = 0, "%s: %s" % (way, e)
                linux = linux or got
                ratio = got / linux if linux else 0
                low = got == 0 or (ratio < LEAST and not options.quick)
                passed, failed = passed + (not low), failed + low
                rows.append({"case": name, "way": way, "family": 6 if back else 4, "size": size, "rate": got, "ratio": ratio})
                print("%-4s %-12s IPv%d %-24s %8.2f MB/s  %5.2f" % ("FAIL" if low else "ok", name, 6 if back else 4, way,
                                                                   got / 1e6, ratio), flush=True)
    if options.out:
        os.makedirs(options.out, exist_ok=True)
        with open(options.out + "/sandboxes.json", "w") as f:
            json.dump(rows, f, indent=1)
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
