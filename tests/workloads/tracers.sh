# SPDX-License-Identifier: Apache-2.0
# ltrace of library calls; what cannot be had says so and ends: perf (the processor's counters see the host's other tenants).
# needs: ltrace gcc
# timeout: 120
cd "$1"
printf '#include <stdlib.h>\n#include <string.h>\nint main(void) { char *p = malloc(5); strcpy(p, "four"); return atoi("3") + (int)strlen(p); }\n' > c.c
gcc -O0 -fno-builtin -Wl,-z,lazy -no-pie c.c -o c || exit 2
ltrace -e 'malloc+strcpy+atoi+strlen' ./c 2>&1 | sed 's/0x[0-9a-f]*/ADDR/g; s/  */ /g' | grep -E '^(c->)?(malloc|strcpy|atoi|strlen)|exited'
ltrace -c ./c 2>&1 | grep -cE 'malloc|strcpy|atoi|strlen'
# Natively it may be there, or be refused as well: either way it ends with a word.
if command -v perf > /dev/null; then perf stat -e cycles true > out 2>&1; else echo none > out; fi
[ -s out ] && echo "perf says something"
