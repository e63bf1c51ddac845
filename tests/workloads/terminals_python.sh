# SPDX-License-Identifier: Apache-2.0
# needs: python3
# python's pty: openpty, spawn of a shell, termios and tty, a child on its own terminal, sizes, an interactive interpreter.
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"
PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 python3 - <<'X'
import fcntl, os, pty, select, signal, struct, sys, termios, tty
from terminal_front import wait_in_front
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

def talk(argv, *steps):
    """Each step: what must have been seen, the program that must then have the terminal (or None), what is typed."""
    pid, fd = pty.fork()
    if pid == 0: os.execvp(argv[0], argv)
    seen, steps = b'', list(steps)
    while True:
        if steps and steps[0][0] in seen:
            text, front, typed = steps.pop(0)
            seen = seen[seen.index(text) + len(text):]
            if front: wait_in_front(fd, front)
            os.write(fd, typed)
        try: got = os.read(fd, 4096)
        except OSError: break
        if not got: break
        seen += got
    return seen, os.waitpid(pid, 0)[1]

os.environ['PS1'] = 'ready> '
bash = ['bash', '--norc', '--noediting', '-i']
print(talk(bash, (b'ready> ', None, b'echo $((6*7)); stty size; tty | cut -c-9\n'), (b'ready> ', None, b'exit 3\n')))
print(talk(['python3', '-q', '-c', 'import sys; print(sys.stdin.isatty(), input("name? "))'], (b'name? ', None, b'me\n')))
print(talk(['sh', '-c', 'echo go; cat'], (b'go', None, b'one\n'), (b'one\r\n', None, b'\x04')))
seen, status = talk(['sh', '-c', 'echo go; exec sleep 100'], (b'go', 'sleep', b'\x03')); print(os.WTERMSIG(status))
print(talk(bash, (b'ready> ', 'bash', b'sleep 50\n'), (b'sleep 50\r\n', 'sleep', b'\x1a'), (b'Stopped', 'bash', b'jobs; fg\n'),
           (b'sleep 50\r\n', 'sleep', b'\x03'), (b'ready> ', 'bash', b'exit 5\n'))[1])
sys.stdout.flush()
print(pty.spawn(['sh', '-c', 'stty -echo; echo spawned']))
X
