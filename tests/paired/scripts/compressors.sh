# SPDX-License-Identifier: Apache-2.0
# gzip, bzip2, xz, zstd, lz4, zip: round trips, -k, -t, -l, threads, concatenation, damaged files, rights and times kept.
# needs: gzip bzip2 xz zstd lz4 zip unzip
seq 200000 > f; chmod 640 f; touch -d 2020-01-01 f; for z in 'gzip -n' bzip2 'xz -T2' 'zstd -q -T2' 'lz4 -q'
do set -- $z; $z -k f; e=$(ls f.* | head -1); $1 -t $e 2>/dev/null; echo $1 $?
$1 -dc $e | cmp - f && stat -c '%a %Y' $e; cat $e $e | $1 -dc | wc -l
head -c 1000 $e | $1 -dc > /dev/null 2>&1; echo damaged $?; rm $e; done; gzip f
gzip -l f.gz | tail -1 | awk '{print $2}'; gunzip f.gz; zcat nothing.gz 2>&1; gzip -n < f | zcat | md5sum
mkdir d; echo a > d/a; ln -s a d/s; TZ=UTC zip -qry z.zip d f; unzip -tq z.zip; unzip -q z.zip -d o
diff -r d o/d && echo zip
zip -q z.zip -d f; unzip -Z1 z.zip | sort; zipinfo -t z.zip | cut -d, -f1; split -b 300000 f part
gzip -n part*; zcat part*.gz | cmp - f && echo parts; zgrep -c 77777 part*.gz; xz -9 -e -k f
xz --robot -l f.xz | head -1 | cut -f1; unxz -f f.xz; rm -f z.zip; touch -d 2020-01-01 d o
