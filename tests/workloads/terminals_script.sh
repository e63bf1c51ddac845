# SPDX-License-Identifier: Apache-2.0
# needs: script
# script(1): a command on a terminal of its own, its status, its input, a record; programs that behave otherwise there.
cd "$1"
script -qec 'test -t 0 && test -t 1 && echo on a terminal; stty -a | grep -c icanon' /dev/null < /dev/null
script -qec 'exit 7' /dev/null < /dev/null; echo status $?
script -qec 'stty rows 30 cols 50; stty size; tput cols 2>/dev/null | head -1' record < /dev/null > out; tail -1 out
grep -c 'rows\|30 50' record
mkdir d; touch d/a d/b; script -qec 'ls d' /dev/null < /dev/null
script -qec 'sh -c "sleep 0.1; kill -INT 0; echo not reached"' /dev/null < /dev/null; echo int $?
script -qec 'ps -o tty= -p $$ | cut -c-4; cat /proc/self/fd/../../../../dev/tty < /dev/null >/dev/null; readlink /proc/self/fd/0 | cut -c-9' /dev/null < /dev/null
for i in 1 2 3 4 5 6; do script -qec "seq $i 20000 | tail -1" /dev/null < /dev/null & done; wait
seq 50000 > many; script -qec 'cat many' /dev/null < /dev/null | tr -d '\r' | cmp - many && echo whole
