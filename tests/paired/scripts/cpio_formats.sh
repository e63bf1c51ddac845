# SPDX-License-Identifier: Apache-2.0
# cpio: copy-out in newc, odc and ustar, copy-in, pass-through with links, hard links, lists.
# needs: cpio
mkdir -p s/d; for i in 1 2 3 4 5; do seq $((i * 100)) > s/d/f$i; done; ln s/d/f1 s/hard; ln -s d/f2 s/soft
chmod 640 s/d/f3; find s -exec touch -hd 2020-05-05 {} +
for f in newc odc ustar crc; do (cd s; find . | sort | cpio -o --quiet -H $f) > a.$f; (mkdir o.$f; cd o.$f
cpio -idm --quiet < ../a.$f); cpio -t --quiet < a.$f | sort | md5sum; done
(cd s; find . -depth | cpio -pdlm --quiet ../linked); (cd s; find . | cpio -pdm --quiet ../passed)
diff -r s passed && echo same; cpio -it --quiet 'd/f*' < a.newc
head -c 300 a.newc | cpio -i --quiet 2>/dev/null; echo $?; cpio -i --quiet --to-stdout d/f1 < a.odc | tail -1
rm a.*; touch -d 2021-01-01 s s/d
