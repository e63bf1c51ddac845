# SPDX-License-Identifier: Apache-2.0
# busybox: its shell and many applets over the same files, beside what the large programs say.
# places: overlay
# needs: busybox
mkdir d; for i in $(seq 30); do busybox seq $i > d/f$i; done
busybox tar -cf t.tar d; busybox tar -tf t.tar | sort | busybox md5sum; mkdir x; busybox tar -C x -xf t.tar
busybox diff -r d x/d && echo same; rm t.tar
busybox sh -c 'for f in d/f1 d/f2; do wc -l < $f; done; echo $((3 * 4)); trap "echo bye" EXIT; (exit 3); echo $?'
busybox find d -name 'f1*' | busybox sort | busybox head -3; busybox du -a d/f1 > /dev/null; busybox stat -c '%n %s %a' d/f9
busybox cp -a d y; busybox ln -s f1 y/s; busybox readlink y/s; busybox mv y/f2 y/g; busybox ls y | busybox wc -l
busybox gzip -k -n d/f30 2> /dev/null || busybox gzip -c d/f30 > d/f30.gz; busybox zcat d/f30.gz | cmp - d/f30 && echo gzip
busybox sed -i s/1/one/ y/f10; busybox awk '{n += $1} END {print n}' d/f20; busybox grep -c one y/f10; busybox cut -c1 y/f10
busybox xargs -n 2 echo < d/f5; busybox mkfifo p && echo fifo; busybox cat p & echo through > p; wait; rm p
busybox sha256sum d/f3; busybox od -c d/f1; busybox dd if=d/f9 bs=2 count=2 2> /dev/null; busybox expr 3 + 4; busybox cal 2 2024
busybox timeout 1 busybox sleep 5; echo $?; busybox env -i A=1 busybox env; busybox id -u; busybox test -f d/f1; echo $?
busybox cpio --help > /dev/null 2>&1; busybox touch -d '2020-01-01 00:00:00' y/new; busybox rm -r x; rm -f d/*.gz
