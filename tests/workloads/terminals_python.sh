# SPDX-License-Identifier: Apache-2.0
# needs: python3
# python's pty: openpty, spawn of a shell, termios and tty, a child on its own terminal, sizes, an interactive interpreter.
cd "$1"
python3 - <<'X'
import fcntl, os, pty, select, signal, struct, sys, termios, time, tty
m, s = pty.openpty()
os.write(s, b'x\n'); print(os.read(m, 9), os.isatty(s), os.ttyname(s).startswith('/dev/pts/'))
os.write(m, b'typo\x7fe\n'); print(os.read(s, 99))
tty.setraw(s); os.write(m, b'\x03\x04'); print(os.read(s, 9))
fcntl.ioctl(m, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 44, 0, 0)); print(os.get_terminal_size(s))
os.close(s)
try:
    while True: os.read(m, 99)
except OSError as e: print('master:', e.strerror)
os.close(m)

def talk(argv, *typed):
    pid, fd = pty.fork()
    if pid == 0: os.execvp(argv[0], argv)
    seen, typed = b'', list(typed)
    while True:
        if typed and typed[0][0] in seen:
            seen = seen[seen.index(typed[0][0]) + len(typed[0][0]):]
            time.sleep(.3)  # what runs in front is there, and reads
            os.write(fd, typed.pop(0)[1])
        try: got = os.read(fd, 4096)
        except OSError: break
        if not got: break
        seen += got
    return seen, os.waitpid(pid, 0)[1]

os.environ['PS1'] = 'ready> '
print(talk(['bash', '--norc', '--noediting', '-i'], (b'ready> ', b'echo $((6*7)); stty size; tty | cut -c-9\n'), (b'ready> ', b'exit 3\n')))
print(talk(['python3', '-q', '-c', 'import sys; print(sys.stdin.isatty(), input("name? "))'], (b'name? ', b'me\n')))
print(talk(['sh', '-c', 'echo go; cat'], (b'go', b'one\n'), (b'one\r\n', b'\x04')))
seen, status = talk(['sh', '-c', 'echo go; exec sleep 100'], (b'go', b'\x03')); print(os.WTERMSIG(status))
print(talk(['bash', '--norc', '--noediting', '-i'], (b'ready> ', b'sleep 50\n'), (b'sleep 50\r\n', b'\x1a'), (b'Stopped', b'jobs; kill -9 %1\n'), (b'ready> ', b'true\n'), (b'ready> ', b'exit 5\n'))[1])
sys.stdout.flush()
print(pty.spawn(['sh', '-c', 'stty -echo; echo spawned']))
X
