#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One transfer between a server here and a client elsewhere, which is nstool or this file run as a program.

The bytes are a known pattern from their first to their last, so whatever part has arrived can be compared by SHA-256.
A transfer ends after `size` bytes, or after `seconds`: then it is cut off with a reset, and what came counts.
"""
import fcntl
import hashlib
import random
import socket
import struct
import subprocess
import sys
import threading
import time

BLOCK = random.Random(2).randbytes(1048573)  # a prime: a block that is missing or twice cannot hide
RAW = bytes(1 << 18)
F_SETPIPE_SZ = 1031
PIPE = 1 << 20


def widen(pipe):
    try:
        fcntl.fcntl(pipe, F_SETPIPE_SZ, PIPE)
    except OSError:
        pass  # slower, not wrong


def use_cubic(s):
    """By socket: a namespace may not have a default that the host does not allow everybody."""
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")


def pattern_hash(size):
    h = hashlib.sha256()
    while size > 0:
        h.update(BLOCK[:size] if size < len(BLOCK) else BLOCK)
        size -= len(BLOCK)
    return h.digest()


def feed(write, size, until, piped):
    """Gives the pattern to write(), which says how much it took: `size` bytes, or until the time `until`."""
    block, at = (BLOCK, 0) if piped else (RAW, 0)
    view = memoryview(block)
    while size is None or size > 0:
        if until and time.monotonic() >= until:
            return
        piece = view[at:at + PIPE // 4]
        n = write(piece if size is None or len(piece) <= size else piece[:size])
        at = (at + n) % len(block)
        size = None if size is None else size - n


class Receiver:
    """Counts and sums what comes; what comes after `until` is summed and not counted."""

    def __init__(self, summed):
        self.hash, self.summed = hashlib.sha256(), summed
        self.total = self.counted = 0

    def take(self, piece, late):
        self.total += len(piece)
        self.counted += 0 if late else len(piece)
        if self.summed:
            self.hash.update(piece)

    def check(self):
        if self.summed and self.hash.digest() != pattern_hash(self.total):
            raise AssertionError("the sums of %d bytes differ" % self.total)


class Transfer:
    """run() returns (bytes, seconds). `words` start the client; verb: what the client does, send or recv."""

    def __init__(self, family, verb, size=None, seconds=None, piped=True):
        self.listener = socket.create_server(("::" if family == 6 else "0.0.0.0", 0),
                                             family=socket.AF_INET6 if family == 6 else socket.AF_INET)
        self.listener.settimeout(30)
        use_cubic(self.listener)
        self.port = self.listener.getsockname()[1]
        self.verb, self.size, self.seconds, self.piped = verb, size, seconds, piped
        self.receiver = Receiver(piped)
        self.process = self.socket = self.until = None
        self.started = self.ended = 0.0
        self.notes = ""

    def late(self):
        return self.until is not None and time.monotonic() >= self.until

    def feed_client(self):
        """The client's standard input; it ends when the client has enough."""
        try:
            with self.process.stdin as pipe:
                widen(pipe)
                feed(pipe.write, self.size, None, True)
        except BrokenPipeError:
            pass

    def upload(self):
        buffer = bytearray(PIPE)
        view = memoryview(buffer)
        self.socket.settimeout(0.1 if self.until else 60)
        while not self.late():
            try:
                n = self.socket.recv_into(buffer)
            except TimeoutError:
                if not self.until:
                    raise
                continue
            if n == 0:
                break
            self.receiver.take(view[:n], False)

    def serve(self):
        """Linux sends; a timed transfer is torn down when the time is over."""
        self.socket.settimeout(60)
        send = self.socket.send
        if self.until:
            self.socket.settimeout(0.1)

            def send(piece):
                try:
                    return self.socket.send(piece)
                except TimeoutError:
                    return 0
        try:
            feed(send, self.size, self.until, self.piped)
            if self.until:
                self.cut()
            else:
                self.socket.shutdown(socket.SHUT_WR)
        except OSError as e:
            self.notes = "the server: %s" % e

    def read_client(self):
        widen(self.process.stdout)
        while True:
            piece = self.process.stdout.read1(PIPE)
            if not piece:
                return
            self.receiver.take(piece, self.late())

    def cut(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def download(self):
        thread = threading.Thread(target=self.serve, daemon=True)
        thread.start()
        if self.piped:
            self.read_client()
        else:
            self.process.wait(120)
            self.receiver.counted = self.size
        self.ended = time.monotonic()
        thread.join(60)

    def run(self, words):
        sends = self.verb == "send"
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, bufsize=0 if sends else -1,
                                        stdin=subprocess.PIPE if sends and self.piped else subprocess.DEVNULL,
                                        stdout=subprocess.PIPE if self.piped and not sends else subprocess.DEVNULL)
        if sends and self.piped:
            threading.Thread(target=self.feed_client, daemon=True).start()
        try:
            self.socket, _ = self.listener.accept()
            self.started = time.monotonic()
            self.until = self.started + self.seconds if self.seconds else None
            if sends:
                self.upload()
                self.ended = time.monotonic()
                self.cut() if self.until else self.socket.close()
            else:
                self.download()
            self.judge()
        finally:
            self.listener.close()
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        took = self.seconds or self.ended - self.started
        return self.receiver.counted, took

    def judge(self):
        errors = self.process.stderr.read().decode(errors="replace").strip()
        self.process.wait(30)
        self.notes += errors.splitlines()[-1] if errors else ""
        self.receiver.check()
        # A transfer that was cut off ends with an error of its own; these are not of that kind.
        if self.process.returncode < 0 or any(word in errors for word in ("panic", "Sanitizer", "runtime error")):
            raise AssertionError("the client ended with %d: %s" % (self.process.returncode, errors))
        if self.size and (self.process.returncode or self.receiver.counted != self.size):
            raise AssertionError("%d of %d bytes, status %d: %s" % (self.receiver.counted, self.size,
                                                                    self.process.returncode, errors))


def main(verb, host, port, size):
    """Linux as the client. size -1: standard input or output; else that many bytes of nothing in particular."""
    s, size = socket.create_connection((host, int(port)), timeout=30), int(size)
    use_cubic(s)
    s.settimeout(None)
    try:
        while verb == "send" and size:
            piece = sys.stdin.buffer.read1(1 << 18) if size < 0 else RAW[:size]
            if not piece:
                break
            s.sendall(piece)
            size -= len(piece) if size > 0 else 0
        if verb == "send":
            s.shutdown(socket.SHUT_WR)
        while True:
            piece = s.recv(1 << 18)
            if not piece:
                return 0
            if size < 0:
                sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()
    except (ConnectionResetError, BrokenPipeError):
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
