#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions per packet, by path: the table of docs/NETSTACK.md.

`nstool packets PATH N` runs under callgrind, which collects inside of the calls named in PATHS only; twice, with
different N, so that what is done once cancels out. The same build gives the same numbers. --quick runs each path without
valgrind, as a test that they work. Without valgrind the table is skipped (77).
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

IN, BATCH = "netif_input", "netif_input_batch"
PATHS = [  # title, path, calls that are counted
    ("TCP receive in order, 1,448 bytes", "receive", [IN, "ns_recv"]),
    ("the same, 16 frames in a batch", "receive-batch", [BATCH, "ns_recv"]),
    ("TCP receive in order, 44 segments in a frame", "receive-long", [BATCH, "ns_recv"]),
    ("TCP send, 1,448 bytes, checksum ours", "send", ["ns_send"]),
    ("TCP send, 44 segments in a frame, checksum the link's", "send-long", ["ns_send"]),
    ("pure ACK in, of one segment", "send", [IN]),
    ("UDP in, 1,024 bytes", "udp-in", [IN, "ns_recv"]),
    ("UDP out, 1,024 bytes", "udp-out", ["ns_send"]),
    ("ICMP echo, answered", "echo", [IN]),
    ("TCP over loopback, 63,712 bytes, both ends", "loopback", ["ns_send", "ns_recv"]),
    ("connect, accept and close over loopback, both ends", "connect", ["ns_socket", "ns_connect", "ns_accept", "ns_close"]),
    ("dropped by a rule", "filtered", [IN]),
    ("TCP, 1,448 bytes, bad checksum", "bad-checksum", [IN]),
]
FEW, MORE = 160, 480
# valgrind counts a "rep movsb" by its bytes: the C library is asked to copy long pieces as it copies short ones.
COPY_BY_WORDS = {"GLIBC_TUNABLES": "glibc.cpu.x86_rep_movsb_threshold=1000000000"}


def collected(nstool, path, calls, n):
    with tempfile.TemporaryDirectory() as folder:
        words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + os.path.join(folder, "out")]
        words += ["--toggle-collect=" + call for call in calls] + [nstool, "packets", path, str(n)]
        done = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, **COPY_BY_WORDS})
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def table(nstool):
    print("| the path | instructions per packet |\n| --- | --- |")
    for title, path, calls in PATHS:
        few, more = collected(nstool, path, calls, FEW), collected(nstool, path, calls, MORE)
        print("| %s | %s |" % (title, format(round((more - few) / (MORE - FEW)), ",")), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nstool", required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        for path in sorted({path for _, path, _ in PATHS}):
            subprocess.run([options.nstool, "packets", path, str(MORE)], check=True)
        print("%d passed, 0 failed, 0 skipped" % len(PATHS))
        return 0
    if not shutil.which("valgrind"):
        print("skip: needs valgrind")
        return 77
    table(options.nstool)
    return 0


if __name__ == "__main__":
    sys.exit(main())
