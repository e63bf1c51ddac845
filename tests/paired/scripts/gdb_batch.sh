# SPDX-License-Identifier: Apache-2.0
# gdb in batch on a small program: breakpoints, steps, watch, call, backtrace, threads, signals, a changed variable, exit status.
# needs: gdb gcc
# timeout: 120
cat > p.c <<'P'
#include <signal.h>
#include <stdio.h>
int total; static int add(int n) { total += n; return total; }
int main(void) { for (int i = 1; i <= 5; i++) { add(i);
 }
 raise(SIGUSR1);
 printf("total %d\n", total); return total; }
P
gcc -g -O0 -o p p.c
gdb -nx -batch -ex 'set disable-randomization on' -ex 'set style enabled off' -ex 'break add if n == 3' -ex run -ex bt -ex 'print total' -ex finish -ex 'watch total' -ex c -ex 'set var total = 100' -ex 'delete' -ex 'handle SIGUSR1 stop print nopass' -ex c -ex 'print add(1)' -ex c ./p 2>&1 | grep -v -E '^warning|libthread|debuginfod|^$|Using host' | sed -E 's/0x[0-9a-f]+/X/g; s/process [0-9]+/process P/'
gdb -nx -batch -ex 'info functions add' -ex 'disassemble add' ./p | grep -c push
gdb -nx -batch -ex start -ex next -ex 'x/2i $pc' -ex 'info registers rip' -ex kill ./p 2>&1 | grep -c main
rm p
