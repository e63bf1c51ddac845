# SPDX-License-Identifier: Apache-2.0
"""As much of a Kubernetes node's client as the tests need: unary gRPC calls (HTTP/2 with plain headers) of runtime.v1, and
messages as lists of fields by their number in the API's api.proto."""
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1


class Failed(Exception):
    pass


# ---- Messages: {number: value}; a value is a number, a text, bytes, another message, or a list of these -----------------------
def varint(n):
    out = bytearray()
    while n > 0x7f:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def encode(message):
    out = b""
    for number, values in message.items():
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, int):
                out += varint(number << 3) + varint(value & (1 << 64) - 1)
                continue
            data = encode(value) if isinstance(value, dict) else value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def entries(texts):
    """A map of texts."""
    return [{1: k, 2: v} for k, v in texts.items()]


def decode(data):
    """{number: [values]}: numbers, or bytes, which may be messages."""
    at, found = 0, {}

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(data):
        key = number()
        if key & 7 == 0:
            value = number()
        else:
            size = number() if key & 7 == 2 else {1: 8, 5: 4}[key & 7]
            value, at = data[at:at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def inner(message, *path):
    """The message that is reached by the numbers; empty when there is none."""
    for number in path:
        message = decode(message.get(number, [b""])[0])
    return message


# ---- Calls -----------------------------------------------------------------------------------------------------------------
def frame(kind, flags, stream, data):
    return struct.pack(">I", len(data))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + data


def headers(path):
    def one(name, value):
        return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
    return b"".join(one(*h) for h in ((":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
                                      ("content-type", "application/grpc"), ("te", "trailers")))


def call(address, method, message=None, timeout=60, service="RuntimeService"):
    """The reply as decode() has it; Failed when the server has none."""
    body = encode(message or {})
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(address)
        stream = s.makefile("rb")
        s.sendall(PREFACE + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, END_HEADERS, 1, headers("/runtime.v1.%s/%s" % (service, method))) +
                  frame(DATA, END_STREAM, 1, b"\0" + struct.pack(">I", len(body)) + body))
        got = b""
        while True:
            head = stream.read(9)
            if len(head) < 9:
                raise Failed(method)
            size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            data = stream.read(size)
            if kind == SETTINGS and not flags & ACK:
                s.sendall(frame(SETTINGS, ACK, 0, b""))
            elif kind == PING and not flags & ACK:
                s.sendall(frame(PING, ACK, 0, data))
            elif kind in (RST, GOAWAY):
                raise Failed(method)
            elif kind == DATA:
                got += data
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                break
    if len(got) < 5:  # a failure has its words in the last headers only
        raise Failed(method)
    return decode(got[5:])
