# SPDX-License-Identifier: Apache-2.0
# 2,000 small files out of an archive in memory.
cd "$1"
mkdir in out
for d in $(seq 20); do mkdir in/$d; for f in $(seq 100); do echo "$d $f" > in/$d/$f; done; done
tar cf a.tar in
start=$(date +%s%N)
tar xf a.tar -C out
echo $(($(date +%s%N) - start))
