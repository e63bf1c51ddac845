# SPDX-License-Identifier: Apache-2.0
# mkfifo pipelines: readers and writers that come late, several writers, SIGPIPE, process substitution, tee, pv-less copying.
# places: overlay
mkfifo a b c; seq 10000 > a & tee b < a | md5sum > m1 & sort -rn < b > s; wait; cat m1; head -1 s
for i in 1 2 3; do (for j in $(seq 50); do echo "w$i"; done > c) & done; (sort | uniq -c) < c; wait
yes | head -3; echo ${PIPESTATUS[*]}; seq 100000 | head -1 > /dev/null; echo ${PIPESTATUS[0]}
diff <(seq 5) <(seq 6); tee >(md5sum > m2) < s > /dev/null; sleep 0.5; cat m2
exec 7<> a; echo through >&7; read x <&7; echo $x; read -t 0.1 y <&7; echo $?; exec 7>&-; timeout 0.3 cat a
echo $?; timeout 0.3 sh -c 'echo x > b'; echo $?
coproc { tr a-z A-Z; }; echo coproc >&${COPROC[1]}; eval "exec ${COPROC[1]}>&-"; cat <&${COPROC[0]}
dd if=/dev/zero bs=100000 count=5 status=none | wc -c; (sleep 0.2; echo late) | cat; stat -c '%F %s' a
ls -l a | cut -c1-10; echo x | (cat; cat; cat)
