# SPDX-License-Identifier: Apache-2.0
# dd with every conv and flag: swab, case, block, sync, noerror, notrunc, excl, nocreat, sparse, fsync; skip, seek, count_bytes, append, direct.
seq 3000 > f; for c in swab ucase lcase ebcdic ibm block unblock sync noerror fsync fdatasync
do dd if=f of=o.$c conv=$c bs=512 cbs=20 status=none; echo $c $?; done
dd if=o.ebcdic of=back conv=ascii status=none; cmp f back && echo back
dd if=f of=o.swab conv=excl status=none 2>&1; dd if=f of=none conv=nocreat status=none 2>&1
dd if=f of=part bs=100 skip=3 count=2 status=none; cat part
dd if=f of=part bs=10 seek=5 conv=notrunc count=1 status=none
dd if=/dev/zero of=sp bs=64k count=20 conv=sparse status=none; stat -c '%s %b' sp | awk '{print $1, $2 < 100}'
dd if=f of=app oflag=append conv=notrunc status=none; dd if=f of=app oflag=append conv=notrunc status=none
wc -c app
dd if=f iflag=skip_bytes,count_bytes skip=100 count=50 status=none
dd if=f of=seeked oflag=seek_bytes seek=77 status=none; dd if=f of=/dev/null bs=1000 2>&1 | sed "s,copied.*,,"
seq 1000 | dd bs=7 iflag=fullblock count=3 status=none; echo; dd if=. of=/dev/null status=none
dd if=f of=. status=none; dd if=f of=/dev/full status=none; dd if=f oflag=nofollow of=x status=none
dd if=f iflag=directory of=/dev/null status=none
dd if=f bs=1M count=0 of=f2 seek=1 status=none; stat -c %s f2; dd if=/dev/null of=f2 bs=500 seek=1 status=none
stat -c %s f2; dd if=f of=sync oflag=dsync,sync,noatime status=none; echo $?; echo abc | dd of=st status=none
dd if=/dev/zero bs=1M count=3 status=none | dd bs=1M of=pipe status=none iflag=fullblock; stat -c %s pipe
