# SPDX-License-Identifier: Apache-2.0
# split, csplit, cat, head, tail -f, paste, fold, od, wc, dd, join of pieces, md5sum -c.
seq 20000 > f; split -b 10000 -d f p.; cat p.* | cmp - f && echo same
split -l 3000 --additional-suffix=.txt f l.; wc -l l.*; split -n 3 f n.; csplit -s f /^5000$/ '{*}'; ls xx*
split -b 20k --filter='md5sum > $FILE.sum' f q.; cat q.*
head -c -100 f | tail -c 10; tail -n +19999 f; head -n -19998 f; tail -c 20 f | od -c; (echo a; sleep 0.5
echo b) > g & sleep 0.2; timeout 1.5 tail -f g; wait; paste -d, <(seq 3) <(seq 4 6); fold -w 5 <<< abcdefghij
md5sum f g > sums; md5sum -c sums; echo x >> g; md5sum -c sums; echo $?
nl -ba <<< $'x\ny'; pr -t -2 -l 3 <(seq 6); expand <<< $'a\tb'; tr -dc 0-5 < f | wc -c
cut -c1-2 f | sort -u | wc -l; rev <<< abc; cksum f; sum f; wc f; b2sum f | cut -c1-20; base64 g | base64 -d
rm p.* l.* n.*
