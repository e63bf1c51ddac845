# SPDX-License-Identifier: Apache-2.0
# tar, find, sort, gzip, rm over 3,000 files.
# needs: tar gzip find sort
# timeout: 120
cd "$1" && mkdir t && cd t
for d in $(seq 30); do mkdir d$d; for f in $(seq 100); do echo "$d $f" > d$d/f$f; done; done
find . -type f | wc -l
find . -type f | sort | md5sum
cat $(find . -name 'f7*' | sort) | sort -n | md5sum
tar cf - --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner . | gzip -n | gzip -d | tar xf - -C "$(mkdir ../u && echo ../u)"
diff -r . ../u && echo same
du -a ../u | wc -l
find . -name 'f*5' -delete; find . -type f | wc -l
rm -rf ../u && ls ..
mv d1 moved && ls moved | wc -l
