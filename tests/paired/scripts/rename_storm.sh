# SPDX-License-Identifier: Apache-2.0
# mv and rename: storms of renames by several processes, exchanges, over files, into and out of folders, across mounts.
# needs: perl
mkdir a b; for i in $(seq 200); do echo $i > a/f$i; done
for p in 0 1 2 3
do ( perl -e 'for my $r (1..10) { for (my $i = $ARGV[0]; $i <= 200; $i += 4) { rename("a/f$i", "b/g$i") or die; rename("b/g$i", "a/f$i") or die; } }' $p ) & done
wait; ls a | wc -l; ls b | wc -l
perl -e 'for my $i (1..300) { open(my $f, ">", "tmp.$i"); print $f $i; close $f; rename("tmp.$i", "target") or die; }'
cat target; echo
( for i in $(seq 150); do mv -f target t2; mv -f t2 target; done ) & ok=0; for i in $(seq 100)
do { cat target || cat t2; } > /dev/null 2>&1 && ok=1; done; wait; echo $ok
mkdir -p d1/sub d2; mv d1 d2/; mv d2/d1/sub .; mv d2/d1 d2/d1/x; echo $?; mkdir full; touch full/x
mv -T sub full; echo $?
perl -e 'print rename("d2", "d2/d1/x") ? "" : "$!\n"; print rename("a", "target") ? "" : "$!\n"; print rename("target", "a") ? "" : "$!\n"; print rename("no", "x") ? "" : "$!\n"'
mkdir -p /dev/shm/paired.$$; mv a/f1 a/f2 /dev/shm/paired.$$; mv b /dev/shm/paired.$$; ls /dev/shm/paired.$$
mv /dev/shm/paired.$$/* .; rmdir /dev/shm/paired.$$; ln f1 f1b; mv f1 f1b; ls f1*; mv -n f2 f1b; mv -b f2 f1b
ls
