#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which includes check_deps.py takes to go upward."""
import unittest

import check_deps


class Upward(unittest.TestCase):
    def test_netstack(self):
        for path, target in (("netstack/core/stack.c", "netstack/ip/ip.h"), ("netstack/ip/deliver.c", "netstack/tcp/tcp.h"),
                             ("netstack/link/netif.c", "netstack/sock/sock.h"), ("netstack/prot/wire.h", "netstack/core/pkt.h")):
            self.assertTrue(check_deps.upward(path, target), path)
        for path, target in (("netstack/tcp/tcp_in.c", "netstack/sock/sock.h"), ("netstack/link/netif.c", "netstack/ip/ip.h"),
                             ("netstack/netstack.c", "netstack/tcp/tcp.h"), ("netstack/core/pkt.h", "netstack/netstack.h"),
                             ("tests/net/runner/calls.c", "netstack/core/pkt.h")):
            self.assertFalse(check_deps.upward(path, target), path)

    def test_top_folders(self):
        self.assertIsNotNone(check_deps.quoted("fs", "fs/open.c", "sentry/task.h"))
        self.assertIsNotNone(check_deps.quoted("netstack", "netstack/core/pkt.c", "netstack/ip/ip.h"))
        self.assertIsNone(check_deps.quoted("sentry", "sentry/task.h", "fs/vfs.h"))


if __name__ == "__main__":
    unittest.main()
