# SPDX-License-Identifier: Apache-2.0
# flock(1) between shells: exclusive, shared, non-blocking, timeouts, on descriptors, inherited by children.
# needs: flock
echo 0 > n; for p in 1 2 3 4; do ( for i in $(seq 10); do flock l sh -c 'read x < n; echo $((x + 1)) > n'
done ) & done; wait; cat n
flock l sleep 1 & sleep 0.4; flock -n l true; echo $?; flock -w 0.1 -E 9 l true; echo $?; flock l echo waited
wait
flock -s l sleep 0.6 & sleep 0.2; flock -sn l echo shared; flock -n l true; echo $?; wait
exec 8> l; flock 8; flock -n l true; echo $?; ( sleep 0.3 ) & exec 8>&-; flock -n l true; echo $?; wait
flock -n l true; echo $?
exec 8< l 9< l; flock -s 8; flock -s 9; flock -n 8; echo $?; flock -u 9; flock -n 8; echo $?; exec 8<&- 9<&-
flock -o l sh -c 'sleep 0.2 & exit' ; flock -n . echo folder; flock -n /nothing/x true; echo $?
