# SPDX-License-Identifier: Apache-2.0
# gcc under make -j2, 24 small files, linked.
cd "$1"
for i in $(seq 24); do printf '#include <stdio.h>\n#include <stdlib.h>\nint f%s(void) { return printf("%%d", %s); }\n' $i $i > f$i.c; done
echo 'int main(void) { return 0; }' > main.c
printf 'O=$(patsubst %%.c,%%.o,$(wildcard *.c))\nall: $O\n\tgcc -o all $O\n' > Makefile
start=$(date +%s%N)
make -s -j2 > /dev/null
echo $(($(date +%s%N) - start))
