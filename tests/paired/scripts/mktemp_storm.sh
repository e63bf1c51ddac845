# SPDX-License-Identifier: Apache-2.0
# mktemp in many shells at once, folders and dry runs, then a folder of 5,000 names, listed, globbed and removed.
for p in 1 2 3 4; do ( for i in $(seq 40); do mktemp > /dev/null; done ) & done; wait; ls .tmp | wc -l
stat -c %a .tmp/* | sort -u; rm .tmp/*; d=$(mktemp -d); stat -c %a $d; rmdir $d; mktemp -u XXXX | wc -c
mktemp -p nothing 2>&1 | sed 's/tmp\..*:/T:/'; mktemp aXX 2>&1; mktemp --suffix=.c nXXXXXX | wc -c; rm n*.c
mkdir m; cd m; seq 5000 | xargs touch; ls | wc -l; ls -U | sort -n | md5sum; echo * | wc -w; rm [1-3]*
ls | wc -l; find . -type f -delete; ls -A | wc -l; cd ..; rmdir m; for i in $(seq 300)
do mkdir -p x/$i/y && rmdir x/$i/y; done; ls x | wc -l; rm -r x; ls -A
