# SPDX-License-Identifier: Apache-2.0
# truncate and fallocate: lengths, punched holes, zeroed ranges, keep-size, limits; SEEK_HOLE by cp and python; blocks that a file has.
# needs: fallocate python3
# places: overlay
truncate -s 100 a; truncate -s +50 a; truncate -s -20 a; truncate -s '<100' a; truncate -s '>4096' a
truncate -s %1000 a; truncate -s /300 a; truncate -r a b; stat -c '%n %s' a b; truncate -s 1E huge 2>/dev/null
rm -f huge; truncate -s 100G big; stat -c '%s %b' big; truncate -c -s 5 none; ls none
fallocate -l 1M f; stat -c %s f; [ $(stat -c %b f) -ge 2048 ] && echo allocated; yes | head -c 1000000 > g
fallocate -p -o 100000 -l 300000 g; md5sum g; [ $(stat -c %b g) -lt 1600 ] && echo punched
fallocate -z -o 0 -l 5000 g; md5sum g; fallocate -n -o 1M -l 1M g; stat -c %s g; fallocate -o 2000000 -l 100 g
stat -c %s g; fallocate -l 0 g; fallocate -l -1 g; fallocate -l 10 /nothing/x; fallocate -d g; stat -c %s g
python3 -c 'import os
f = os.open("h", os.O_RDWR | os.O_CREAT); os.ftruncate(f, 1 << 20); os.pwrite(f, b"data", 400000)
d = os.lseek(f, 65536, os.SEEK_DATA); h = os.lseek(f, d, os.SEEK_HOLE); print(d, h, os.lseek(f, 4096, os.SEEK_HOLE), os.lseek(f, 0, os.SEEK_DATA))
for w, o in ((os.SEEK_DATA, 1 << 20), (os.SEEK_DATA, 500000), (os.SEEK_HOLE, 1 << 21)):
    try: print(os.lseek(f, o, w))
    except OSError as e: print(e.errno)'
(ulimit -f 4; trap '' XFSZ; truncate -s 5000 lim; echo $?; truncate -s 4096 lim; echo x >> lim; echo $?; fallocate -l 9000 lim; echo $?; stat -c %s lim) 2>&1; rm big
