# SPDX-License-Identifier: Apache-2.0
# Run by run_stdio.py: stdin is a file, open for reading and writing, at offset 9; stdout a file that is appended to. Says
# on stderr's stead, in one list, what each call on an offset answers; the same natively and inside. Leaves stdin at 18.
import fcntl
import mmap
import os

said = []


def say(what, value):
    if isinstance(value, bytes):
        value = "%d bytes %s" % (len(value), value[:9].hex())
    said.append("%s: %s" % (what, value))


def attempt(what, call, *args):
    try:
        say(what, call(*args))
    except OSError as e:
        say(what, "errno %d" % e.errno)


def at(fd=0):
    return os.lseek(fd, 0, os.SEEK_CUR)


def info(fd):
    with open("/proc/self/fdinfo/%d" % fd) as f:
        return f.readline().split()


say("start", at())
say("fdinfo", info(0))
for size in (1, 65535, 65536, 65537, 200000):
    say("pread %d" % size, os.pread(0, size, 18))
    say("still", at())
    os.lseek(0, 9, os.SEEK_SET)
    say("read %d" % size, os.read(0, size))
    say("now", at())
os.lseek(0, 9, os.SEEK_SET)
buffers = [bytearray(70000), bytearray(3)]
say("readv", os.readv(0, buffers))
say("preadv", os.preadv(0, buffers, 27))
say("preadv at -1", os.preadv(0, buffers, -1) if hasattr(os, "RWF_HIPRI") else 0)
say("now", at())
say("pwrite", os.pwrite(0, b"P" * 70000, 100))
say("still", at())
os.lseek(0, 200, os.SEEK_SET)
say("write", os.write(0, b"W" * 5))
say("after", os.pread(0, 12, 198))
for whence, offset in ((os.SEEK_END, -5), (os.SEEK_CUR, -5), (os.SEEK_DATA, 9), (os.SEEK_HOLE, 9), (os.SEEK_SET, -1), (9, 0)):
    attempt("lseek %d %d" % (whence, offset), os.lseek, 0, offset, whence)

# From file to file
other = os.open("other", os.O_RDWR | os.O_CREAT, 0o600)
for n in (1, 65536, 150000):
    os.lseek(0, 9, os.SEEK_SET)
    attempt("copy_file_range %d" % n, os.copy_file_range, 0, other, n)
    say("in out", (at(), at(other)))
    attempt("copy_file_range from 50", os.copy_file_range, 0, other, n, 50)
    say("in out", (at(), at(other)))
    attempt("sendfile %d" % n, os.sendfile, other, 0, None, n)
    attempt("sendfile from 60", os.sendfile, other, 0, 60, n)
    say("in out", (at(), at(other)))
os.lseek(other, 0, os.SEEK_SET)
attempt("copy back", os.copy_file_range, other, 0, 100, 0, 1000)
say("in out", (at(), at(other)))
attempt("onto itself", os.copy_file_range, 0, 0, 100, 0, 50)
attempt("within itself", os.copy_file_range, 0, 0, 100, 0, 5000)
attempt("to its end", os.copy_file_range, 0, 0, 1 << 30, os.fstat(0).st_size - 7, 0)
attempt("behind the end", os.copy_file_range, 0, other, 10, 1 << 30)
attempt("into an appending one", os.copy_file_range, 0, 1, 10, 0)
attempt("sendfile into it", os.sendfile, 1, 0, 0, 10)
r, w = os.pipe()
os.lseek(0, 9, os.SEEK_SET)
attempt("splice", os.splice, 0, w, 10)
say("now", at())
attempt("splice from 40", os.splice, 0, w, 10, 40)
say("now", at())
say("came", os.read(r, 100))
os.write(w, b"from the pipe")
attempt("splice out", os.splice, r, 0, 13, None, 300)
say("now", at())
attempt("splice into an appending one", os.splice, r, 1, 13)
say("there", os.pread(0, 13, 300))

# Flags, size, maps
say("flags", (fcntl.fcntl(0, fcntl.F_GETFL), fcntl.fcntl(1, fcntl.F_GETFL)))
os.write(1, b"append\n")
os.pwrite(1, b"pwrite appends too\n", 0)
say("out at", at(1) == os.fstat(1).st_size)
copy = os.dup(0)
os.lseek(copy, 77, os.SEEK_SET)
say("dup shares", at())
again = os.open("/proc/self/fd/0", os.O_RDWR)
say("opened again", (at(again), os.read(again, 9), at(again), at(0)))
fcntl.fcntl(again, fcntl.F_SETFL, os.O_APPEND)
os.write(again, b"at the end")
say("appended", (os.pread(0, 10, os.fstat(0).st_size - 10), at(0)))
size = os.fstat(0).st_size
with mmap.mmap(0, size) as m:
    m[5:8] = b"map"
    say("mapped", (os.pread(0, 3, 5), m[300:313]))
os.ftruncate(0, size + 1000)
say("longer", (os.fstat(0).st_size - size, os.pread(0, 4, size)))
os.ftruncate(0, size)
os.lseek(0, 18, os.SEEK_SET)
os.unlink("other")
os.write(1, ("\n".join(said) + "\n").encode())
