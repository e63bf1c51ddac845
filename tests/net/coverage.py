#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coverage.py BUILD: how many lines of the stack's receive paths scripts, the fuzzers' corpora and unit tests run.

BUILD is a build folder with -DPICKET_COVERAGE=ON in which netpkt, the replay_netstack* programs and the unit_netstack*
tests are built. It runs them there and asks gcov. Run by hand; docs/NETSTACK.md has the figure. It exits with 1 below 85 %.
"""
import collections
import glob
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LEAST = 85
# Where bytes of a peer come by: from a frame to the socket's queue.
RECEIVE = (
    "core/pkt.c",
    "core/pktq.c",
    "core/addr.c",
    "ip/deliver.c",
    "ip/frag.c",
    "ip/group.c",
    "ip/igmp.c",
    "ip/filter.c",
    "ip/icmp.c",
    "ip/ip4_in.c",
    "ip/ip6_in.c",
    "ip/route.c",
    "link/gro.c",
    "link/netif.c",
    "neigh/arp.c",
    "neigh/ndp.c",
    "neigh/neigh.c",
    "neigh/slaac.c",
    "sock/membership.c",
    "sock/packet.c",
    "sock/ports.c",
    "sock/raw.c",
    "udp/udp.c",
    "tcp/tcp_ack.c",
    "tcp/tcp_cookie.c",
    "tcp/tcp_data.c",
    "tcp/tcp_in.c",
    "tcp/tcp_listen.c",
    "tcp/tcp_options.c",
    "tcp/tcp_rack.c",
    "tcp/tcp_sack.c",
    "tcp/tcp_state.c",
    "tcp/tcp_urgent.c",
)


def run_all(build):
    for old in glob.glob(build + "/**/*.gcda", recursive=True):
        os.remove(old)
    commands = [[build + "/tests/net/netpkt", ROOT + "/tests/net"]]
    for program in sorted(glob.glob(build + "/tests/fuzz/replay_netstack*")):
        commands.append([program, ROOT + "/tests/fuzz/corpus/" + os.path.basename(program)[len("replay_") :]])
    commands += [[program] for program in sorted(glob.glob(build + "/unit_netstack*"))]
    for command in commands:
        status = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
        if status:
            sys.exit("%s failed" % " ".join(command))


def lines_of(build):
    """{file: {line: times}} of everything below netstack/."""
    found = collections.defaultdict(dict)
    for data in glob.glob(build + "/CMakeFiles/netstack.dir/**/*.gcda", recursive=True):
        text = subprocess.run(
            ["gcov", "--json-format", "--stdout", data], capture_output=True, text=True, cwd=build
        ).stdout
        for part in (json.loads(line) for line in text.splitlines() if line.startswith("{")):
            for one in part["files"]:
                name = os.path.relpath(os.path.join(build, one["file"]), ROOT)
                for line in one["lines"]:
                    at = found[name]
                    at[line["line_number"]] = at.get(line["line_number"], 0) + line["count"]
    return found


def main():
    build = os.path.abspath(sys.argv[1])
    run_all(build)
    found, all_lines, all_run = lines_of(build), 0, 0
    for name in RECEIVE:
        lines = found["netstack/" + name]
        ran = sum(1 for times in lines.values() if times)
        all_lines, all_run = all_lines + len(lines), all_run + ran
        missed = " ".join(str(n) for n in sorted(lines) if not lines[n]) if "-v" in sys.argv else ""
        print("%-22s %4d of %4d lines  %5.1f %%  %s" % (name, ran, len(lines), 100 * ran / max(len(lines), 1), missed))
    share = 100 * all_run / max(all_lines, 1)
    print("receive paths: %d of %d lines, %.1f %%" % (all_run, all_lines, share))
    return int(share < LEAST)


if __name__ == "__main__":
    sys.exit(main())
