# SPDX-License-Identifier: Apache-2.0
# FUSE: bindfs and squashfuse, daemons of libfuse, mount with fusermount3; trees are copied, compared, packed, run and removed there.
# needs: unshare bindfs fusermount3 squashfuse mksquashfs
# timeout: 60
[ -n "$OWN_MOUNTS" ] || OWN_MOUNTS=1 exec unshare -m bash "$0" "$1"
cd "$1" && mkdir -p src mnt && echo hello > src/a
bindfs src mnt
awk -v at="$PWD/mnt" '$2 == at { print $3, $4 }' /proc/mounts
cat mnt/a
mkdir -p mnt/x/y && cp -r /usr/include/linux mnt/x/
diff -r /usr/include/linux src/x/linux && echo "same below"
diff -r /usr/include/linux mnt/x/linux && echo "same above"
tar cf mnt/t.tar -C mnt x && tar xf mnt/t.tar -C mnt/x/y && diff -r mnt/x/linux mnt/x/y/x/linux && echo "same from the archive"
mv mnt/x mnt/z && rm -r mnt/z mnt/t.tar && ls mnt
dd if=/dev/zero of=mnt/big bs=64k count=50 2> /dev/null && stat -c %s src/big && rm mnt/big
fusermount3 -u mnt
ls mnt | wc -l
mkdir -p tree && cp "$(command -v ls)" tree/list && mksquashfs tree image -quiet -no-progress > /dev/null
squashfuse image mnt && mnt/list mnt && { touch mnt/x 2> /dev/null || echo read-only; }
umount mnt
