# SPDX-License-Identifier: Apache-2.0
# awk and sed on many files: in place, pipes from awk, getline, printf, associative arrays, w files, ranges.
# needs: awk sed
for i in $(seq 100); do seq $i | sed "s/^/$i /" > f$i; done
awk '{s[FILENAME] += $2} END {for (f in s) print f, s[f]}' f* | sort -V | md5sum
sed -i 's/^\([0-9]*\) \(.*\)$/\2:\1/' f*; cat f50 | head -2; sed -i.bak '1d' f1? f2?; ls *.bak | wc -l
sed -n '/^3:/,/^5:/p' f9; sed -s -n '$=' f1 f30; sed -n 'w out' f3 f4; wc -l < out
awk -F: '{print > ("by" ($1 % 5))} END {close("by0"); while ((getline l < "by0") > 0) n++; print n}' f6*
awk 'BEGIN {"echo cmd" | getline x; print x; print "to sort\nb\na" | "sort"; close("sort"); print system("exit 3"); printf "%5.2f|%-5s|%x\n", 3.14159, "ab", 255; print ENVIRON["USER"], substr("hello", 2, 3), match("foobar", /o+/), RSTART, RLENGTH}'
awk 'END {print NR}' f*; cat f* | awk '{a[$0]++} END {n = 0; for (k in a) n++; print n}'; sed '' nofile
echo $?; sed -i 's/x/y/' nodir/f; echo $?; grep -c : f1? | head -3; grep -rl '^77:' . | sort | head -3
rm *.bak; sed -e '2{h;d}' -e '$G' f5; sed = f2 | sed 'N;s/\n/ /'
