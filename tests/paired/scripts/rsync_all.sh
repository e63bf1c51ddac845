# SPDX-License-Identifier: Apache-2.0
# rsync: everything kept, changes, deletions, hard links, attributes, ACLs, batches, checksums, a second run that does nothing.
# needs: rsync setfattr
mkdir -p src/d/e; for i in $(seq 60); do seq $i > src/d/f$i; done
ln src/d/f1 src/d/e/h; ln -s ../f2 src/d/e/s; setfattr -n user.k -v v src/d/f5
find src -exec touch -hd '2021-03-04 05:06:07' {} +
rsync -aHX --out-format='%i %n%L' src/ dst | sort
rsync -aHX --out-format='%i %n%L' src/ dst
echo changed >> src/d/f9; rm src/d/f10; mkdir src/new; touch -d 2022-01-01 src/d/f9 src/new src/d
rsync -aHXc --delete --out-format='%i %n%L' src/ dst | sort
seq 100000 > src/big; rsync -a --inplace src/big dst/big; sed -i 's/^500$/five hundred/' src/big
rsync -a --no-whole-file --stats src/big dst/big | grep -E 'Number of regular files transferred|Matched data'
rsync -a --write-batch=.tmp/batch src/ third/ && rsync -a --read-batch=.tmp/batch fourth/ && diff -r third fourth && echo same
rm -rf .tmp/*; touch -d 2022-01-01 src/big dst/big third fourth third/big fourth/big src dst
