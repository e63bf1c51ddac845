# SPDX-License-Identifier: Apache-2.0
# needs: python3:pexpect
# pexpect: a dialogue with bash (job control, line editing, keys), with python's own prompt, echo off, end of file, a time limit.
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"
TERM=dumb PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 python3 - <<'X'
import pexpect
from terminal_front import wait_in_front
c = pexpect.spawn('bash', ['--norc', '-i'], encoding='utf-8', timeout=20, env={'PS1': 'ready> ', 'TERM': 'dumb', 'PATH': '/usr/bin:/bin'})
c.expect('ready> '); c.sendline('echo $((6*7))x'); c.expect('42x'); print('answer')
c.expect('ready> '); c.sendline('sleep 60'); c.expect('sleep 60'); wait_in_front(c.child_fd, 'sleep'); c.sendcontrol('z'); c.expect('Stopped'); print('stopped')
c.expect('ready> '); c.sendline('fg'); c.expect('sleep 60'); wait_in_front(c.child_fd, 'sleep'); c.sendcontrol('c'); c.expect('ready> '); print('interrupted')
c.sendline('cat > f'); c.expect('cat > f'); wait_in_front(c.child_fd, 'cat'); c.send('lone\x08\x08\x08ine'.replace('\x08', '\x7f') + '\n'); c.sendeof(); c.expect('ready> ')
c.sendline('cat f'); c.expect('line'); print('edited')
c.expect('ready> '); c.sendline('stty rows 40 cols 100; stty size'); c.expect('40 100'); print('size')
c.expect('ready> '); c.sendline('stty -echo; read -p pass: x; stty echo; echo got $x'); c.expect('pass:'); print(c.waitnoecho(10)); c.sendline('word'); c.expect('got word')
c.expect('ready> '); c.sendeof(); c.expect(pexpect.EOF); c.close(); print('status', c.exitstatus)
c = pexpect.spawn('sleep', ['60'], timeout=.3); print(c.expect([pexpect.TIMEOUT, pexpect.EOF])); c.terminate(force=True); print(c.isalive())
print(pexpect.run('sh -c "echo out; exit 3"', withexitstatus=True))
c = pexpect.spawn('python3 -q', encoding='utf-8', timeout=20); c.expect('>>> '); c.sendline('6 * 7'); c.expect('42'); c.expect('>>> '); c.sendline('exit(4)'); c.expect(pexpect.EOF); c.close(); print(c.exitstatus)
X
