# SPDX-License-Identifier: Apache-2.0
# Logs: tail -f and -F over appends, truncation and rotation, many writers with O_APPEND, logger loops, head and tail -c.
until_lines() { for _ in $(seq 600); do [ "$(wc -l < "$1")" -ge "$2" ] && return; sleep 0.1; done; echo "only $(wc -l < "$1") lines"; }
seq 5 > log; tail -n 2 -f log > seen & t=$!; until_lines seen 2; seq 6 9 >> log; until_lines seen 6; kill $t; wait $t 2>/dev/null; cat seen
tail -n +1 -F log > seen2 2>/dev/null & t=$!; until_lines seen2 9; mv log log.1; seq 100 103 > log; until_lines seen2 13; kill $t; wait $t 2>/dev/null; cat seen2
for w in 1 2 3 4 5 6; do ( for i in $(seq 100); do echo "writer $w line $i" >> all; done ) & done; wait
wc -l < all; sort all | md5sum; sort -u all | wc -l
for w in a b c; do ( exec 3>> fixed; for i in $(seq 50); do printf '%s%04d\n' $w $i >&3; done ) & done; wait; wc -c < fixed; cut -c1 fixed | sort | uniq -c
tail -c 7 log; tail -c +5 log | head -c 4; head -n -2 log.1; tail -n +8 log.1; tac log; nl log | tail -1
: > log; echo again >> log; cat log; tail --pid=$$ -n 1 log.1; split -n l/3 all part.; cat part.* | cmp - all; rm -f all part.* fixed
