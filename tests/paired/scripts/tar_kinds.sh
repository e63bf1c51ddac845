# SPDX-License-Identifier: Apache-2.0
# tar: sparse files, attributes, hard links, fifos, long names; lists, extracts, compares, updates, deletes.
# needs: tar setfattr
# places: overlay
mkdir -p src/a/b && cd src
for i in $(seq 40); do echo "line $i" > a/f$i; done
ln a/f1 a/b/hard; ln -s ../f2 a/b/soft; ln -s nowhere dangling; mkfifo pipe
truncate -s 3M sparse; echo middle | dd of=sparse bs=1 seek=1500000 conv=notrunc status=none
setfattr -n user.colour -v green a/f3; chmod 4750 a/f4; chmod 1777 a; : > empty
mkdir -p $(printf 'long%.0s' $(seq 30))/$(printf 'name%.0s' $(seq 40)); touch long*/name*/x
find . -exec touch -hd '2020-02-02 02:02:02.123456789' {} +
cd .. && mkdir posix gnu
P=--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime
tar -C src -S --xattrs --format=posix $P --sort=name -cf p.tar . && tar -C src -S --format=gnu --sort=name -cf g.tar .
tar -tvf p.tar | sed 's/root.root//' ; tar -C posix --xattrs -xpf p.tar; tar -C gnu -xpf g.tar
tar -C src -df g.tar; echo compare $?
tar --delete -f g.tar ./a/f7; tar -tf g.tar | wc -l
tar -C src -cf - . | tar -C gnu --overwrite -xf - ; echo pipe ${PIPESTATUS[*]}
tar -C src -czf z.tgz a && tar -tzf z.tgz | sort | md5sum; tar -C src -cJf z.txz a && tar -tJf z.txz | wc -l
stat -c '%b' posix/sparse | awk '{print ($1 < 2000) ? "sparse" : "full"}'
rm -f z.tgz z.txz p.tar
