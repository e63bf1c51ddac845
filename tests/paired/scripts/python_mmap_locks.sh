# SPDX-License-Identifier: Apache-2.0
# python: mmap (shared, private, resize), fcntl locks between processes, lockf ranges, flock, select/epoll/poll, pty without curses.
# needs: python3
cat > .tmp/p.py <<'P'
import fcntl, mmap, os, pty, select, struct, sys, termios, time
with open("m", "w+b") as f:
    f.truncate(8192); m = mmap.mmap(f.fileno(), 8192); m[0:5] = b"hello"; m[8190:8192] = b"zz"; m.flush()
    print(os.pread(f.fileno(), 5, 0), m.find(b"zz")); f.write(b"HELLO"); f.flush(); print(m[0:5]); m.resize(16384); m[16000] = 65; print(len(m))
    c = mmap.mmap(f.fileno(), 8192, flags=mmap.MAP_PRIVATE); c[0:5] = b"other"; print(m[0:5], c[0:5]); m.madvise(mmap.MADV_WILLNEED)
    if os.fork() == 0: m[100:105] = b"child"; os._exit(0)
    os.wait(); print(m[100:105]); m.close()
f = open("l", "w+b"); f.write(b"x" * 100); f.flush()
def child(what):
    r, w = os.pipe(); pid = os.fork()
    if pid == 0:
        g = open("l", "r+b")
        try: what(g); os.write(w, b"got")
        except OSError as e: os.write(w, b"errno %d" % e.errno)
        os._exit(0)
    os.waitpid(pid, 0); print(os.read(r, 50))
fcntl.lockf(f, fcntl.LOCK_EX, 10, 20)
child(lambda g: fcntl.lockf(g, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 25)); child(lambda g: fcntl.lockf(g, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 30))
child(lambda g: fcntl.lockf(g, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, 20)); fcntl.lockf(f, fcntl.LOCK_SH, 10, 20)
child(lambda g: fcntl.lockf(g, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, 20))
def asks(g):
    a = struct.unpack("hhqqi4x", fcntl.fcntl(g, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)))
    raise OSError(a[0] * 1000 + a[2] * 10 + a[3], "")
child(asks)
fcntl.flock(f, fcntl.LOCK_EX); child(lambda g: fcntl.flock(g, fcntl.LOCK_SH | fcntl.LOCK_NB)); fcntl.flock(f, fcntl.LOCK_UN)
child(lambda g: fcntl.flock(g, fcntl.LOCK_SH | fcntl.LOCK_NB))
r, w = os.pipe(); e = select.epoll(); e.register(r, select.EPOLLIN | select.EPOLLET); print(e.poll(0)); os.write(w, b"a"); print(len(e.poll(1)), e.poll(0))
print(select.select([r], [w], [], 0) == ([r], [w], []), [x[1] for x in select.poll().poll(1)])
print(fcntl.fcntl(w, fcntl.F_GETPIPE_SZ), fcntl.fcntl(w, fcntl.F_SETPIPE_SZ, 5000), fcntl.fcntl(w, fcntl.F_GETFL))
pid, fd = pty.fork()
if pid == 0: os.execvp("sh", ["sh", "-c", "tty | grep -c /dev/pts; stty size; read x; echo got $x; stty -a | grep -c icanon"])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0)); os.write(fd, b"word\n"); out = b""
while True:
    try: piece = os.read(fd, 1000)
    except OSError as e: print(e.errno); break
    out += piece
print(sorted(out.split()), os.wait()[1])
P
python3 .tmp/p.py; rm -f .tmp/p.py
