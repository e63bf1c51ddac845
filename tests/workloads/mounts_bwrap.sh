# SPDX-License-Identifier: Apache-2.0
# Namespaces of mounts and names: util-linux' unshare and mount, and bubblewrap, which pivots into a tree that it puts together.
# needs: bwrap unshare
# timeout: 60
cd "$1" && mkdir -p place a b && echo text > a/f
unshare -mu sh -c '
    hostname inside && hostname
    mount -t tmpfs -o size=64k,mode=700 t place && stat -c %a place
    mount --bind a b && cat b/f
    mount -o remount,bind,ro b && { touch b/g 2> /dev/null || echo "read-only"; }
    mount --move place a && grep -c " $PWD/a tmpfs " /proc/self/mounts
    umount a b && cat a/f
    dd if=/dev/zero of=place/x bs=1k count=1 2> /dev/null; ls place'
ls place b
[ "$(hostname)" != inside ] && echo "the names are apart"
bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --dir /tmp/x --bind "$1" /mnt --chdir /mnt sh -c '
    ls /tmp; cat a/f; echo more > made; { : > /usr/x; } 2> /dev/null || echo "root is read-only"; ls /proc/self/fd | head -1'
cat made
