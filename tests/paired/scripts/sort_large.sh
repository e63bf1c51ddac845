# SPDX-License-Identifier: Apache-2.0
# sort of a file larger than its buffer, with temporary files, in parallel, merge, unique, keys, checks; join, uniq, comm, shuf, tac.
seq 1 7 1000000 | awk '{print ($1 * 7919) % 1000003, $1}' > in; sort -S 1M -T .tmp --parallel=4 in > s1
md5sum < s1; sort -n -S 500k -T .tmp --batch-size=4 in | md5sum; sort -c s1; echo $?; ls .tmp
sort -k2,2nr -S 1M -T .tmp in | head -2; split -n l/5 in part.; for p in part.*; do sort $p -o $p; done
sort -m part.* | cmp - s1 && echo merged; rm part.*
sort --compress-program=gzip -S 300k -T .tmp in | cmp - s1 && echo compressed
tac in | tac | cmp - in && echo tac; shuf --random-source=in -n 5 in; shuf in | sort | cmp - s1 && echo shuf
sort -u -k1,1.1 in | wc -l; uniq -c -w 1 s1 | sort -rn | head -2
join <(seq 1 3 100 | sort) <(seq 1 5 100 | sort) | wc -l
sort -T /nothing -S 300k in 2>&1 > /dev/null | sed 's/nothing.*:/N/'; sort -o in in; cmp in s1 && echo inplace
sort nofile; echo $?; sort -z -R /dev/null; rm s1; truncate -s 100 in
