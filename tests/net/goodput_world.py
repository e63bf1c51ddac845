# SPDX-License-Identifier: Apache-2.0
"""The network of run_goodput.py: three namespaces, the links between them, and harmbridge on the long way round.

    here  a0 --- a1  harm  b1 --- b0  peer      through harmbridge, which runs in `harm`; no offloads
    here  a0 --- a1  harm  nst2                 the same bridge with a tap as its far end; nstool sits behind it
    here  d0 ------------------- d1   peer      direct, with all offloads
    here  nst1                                  a tap; nstool sits behind it

Either Linux or nstool talks on the peer's side. While nstool does, the peer's interface has no address of Linux.
"""
import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import time

SIOCETHTOOL = 0x8946
# ethtool's "set" commands: transmit checksums, scatter-gather, TSO, generic segmentation, generic receive offload
OFF = (0x17, 0x19, 0x1F, 0x24, 0x2C)
LINKS = {  # link: interface here, the peer's, prefix of IPv4 and IPv6; hosts: .1 here, .2 Linux, .3 nstool
    "bridge": ("a0", "b0", "10.97.0.", "fd97::"),
    "bridge-tap": ("a0", None, "10.97.0.", "fd97::"),
    "veth": ("d0", "d1", "10.98.0.", "fd98::"),
    "tap": ("nst1", None, "10.99.0.", "fd99::"),
}


def sh(*words):
    subprocess.run(words, check=True)


def offloads_off(name):
    """The segments of a TCP are then never longer than the MTU, and have their checksums."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for command in OFF:
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
            fcntl.ioctl(s, SIOCETHTOOL, struct.pack("=16sQ16x", name.encode(), ctypes.addressof(value)))


class Space:
    """A network namespace, as long as its process lives. Without a process: the one we are in."""

    def __init__(self, here=False):
        self.holder = None
        if not here:
            self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"], stdin=subprocess.DEVNULL)
            while os.readlink("/proc/%d/ns/net" % self.holder.pid) == os.readlink("/proc/self/ns/net"):
                time.sleep(0.01)
        self.sh("ip", "link", "set", "lo", "up")
        self.set("ipv4/tcp_no_metrics_save", 1)  # a case learns nothing from the one before
        self.set("ipv6/conf/default/accept_dad", 0)

    def words(self, words):
        return ["nsenter", "-t", str(self.holder.pid), "-n"] + list(words) if self.holder else list(words)

    def sh(self, *words):
        sh(*self.words(words))

    def set(self, name, value):
        self.sh("sh", "-c", "printf %s > /proc/sys/net/%s" % (value, name))

    def end(self):
        if self.holder:
            self.holder.kill()
            self.holder.wait()


class World:
    def __init__(self, nstool, bridge):
        self.nstool, self.harmbridge = nstool, bridge
        self.here, self.peer, self.harm = Space(True), Space(), Space()
        self.harm.set("ipv6/conf/default/disable_ipv6", 1)
        peer, harm = str(self.peer.holder.pid), str(self.harm.holder.pid)
        sh("ip", "link", "add", "a0", "type", "veth", "peer", "name", "a1", "netns", harm)
        sh("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1", "netns", peer)
        self.peer.sh("ip", "link", "add", "b0", "type", "veth", "peer", "name", "b1")
        self.peer.sh("ip", "link", "set", "b1", "netns", harm)
        sh("ip", "tuntap", "add", "nst1", "mode", "tap", "vnet_hdr")
        self.harm.sh("ip", "tuntap", "add", "nst2", "mode", "tap", "vnet_hdr")
        for space, name in ((self.here, "a0"), (self.here, "d0"), (self.here, "nst1"), (self.peer, "b0"),
                            (self.peer, "d1"), (self.harm, "a1"), (self.harm, "b1"), (self.harm, "nst2")):
            if space is not self.harm:
                space.sh("ip", "link", "set", name, "addrgenmode", "none")
            space.sh("ip", "link", "set", name, "up")
        for space, name in ((self.here, "a0"), (self.peer, "b0")):
            space.sh(sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1]); import goodput_world;"
                     "goodput_world.offloads_off(sys.argv[2])", os.path.dirname(os.path.abspath(__file__)), name)
        for link in ("bridge", "veth", "tap"):
            name, _, four, six = LINKS[link]
            self.address(self.here, name, four, six, 1)

    @staticmethod
    def address(space, name, four, six, host):
        if four:
            space.sh("ip", "addr", "add", "%s%d/24" % (four, host), "dev", name)
        if six:
            space.sh("ip", "-6", "addr", "replace", "%s%d/64" % (six, host), "dev", name, "nodad")

    def set_mtu(self, mtu):
        for space, name in ((self.here, "a0"), (self.harm, "a1"), (self.harm, "b1"), (self.harm, "nst2"),
                            (self.peer, "b0")):
            space.sh("ip", "link", "set", name, "mtu", str(mtu))
        if mtu >= 1280:  # below it Linux takes IPv6 off an interface
            self.address(self.here, "a0", None, LINKS["bridge"][3], 1)

    def probing(self, on):
        """Linux' answer to a black hole is off when nobody asks for it."""
        for space in (self.here, self.peer):
            space.set("ipv4/tcp_mtu_probing", int(on))

    def client(self, kind, link, family, mtu, verb, port, piped, size):
        """The words that start the peer's side: it connects to `port` here and sends or receives."""
        _, name, four, six = LINKS[link]
        to = (four if family == 4 else six) + "1"
        if name:
            self.peer.sh("ip", "addr", "flush", "dev", name)
        if kind == "linux":
            self.address(self.peer, name, four, six if mtu >= 1280 else None, 2)
            script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "goodput_transfer.py")
            return self.peer.words([sys.executable, script, verb, to, str(port), str(-1 if piped else size)])
        tap = "nst2" if link == "bridge-tap" else "nst1"
        words = [self.nstool, verb, "veth:" + name if name else tap, four + "3/24"]
        words += [six + "3/64"] if mtu >= 1280 else []
        words += ["to", to, str(port)] + ([str(size)] if verb == "send" and not piped else [])
        words += ["stdin" if verb == "send" else "stdout"] if piped else []
        words += ["mtu", str(mtu)] + (["nooffload"] if link.startswith("bridge") else [])
        return (self.peer if name else self.harm if link == "bridge-tap" else self.here).words(words)

    def end(self):
        self.peer.end()
        self.harm.end()


class Bridge:
    """harmbridge for the time of a `with`; `counters` is there afterwards."""

    def __init__(self, world, link, options):
        far = "veth:nst2" if link == "bridge-tap" else "veth:b1"
        words = [world.harmbridge, "veth:a1", far] + [str(w) for pair in options.items() for w in pair]
        self.process = subprocess.Popen(world.harm.words(words), stdout=subprocess.PIPE, text=True)
        self.counters = None
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError("harmbridge did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.counters = json.loads(self.process.stdout.read() or "null")
        if self.process.wait(10):
            raise AssertionError("harmbridge ended with %d" % self.process.returncode)
