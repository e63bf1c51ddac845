# SPDX-License-Identifier: Apache-2.0
# gcc: -pg and gprof, coverage, address and undefined sanitizers, static, shared with dlopen, LTO, assembler, threads, a crash's status.
# needs: gcc gprof gcov
# timeout: 180
cat > p.c <<'P'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static __thread int mine; static int spin(int n) { volatile int s = 0; for (int i = 0; i < n; i++) s += i; return s; }
static void *run(void *p) { mine = (int)(long)p; spin(10000); return (void *)(long)(mine * 2); }
int main(int argc, char **argv) { long sum = 0; pthread_t t[8]; for (long i = 0; i < 8; i++) pthread_create(&t[i], NULL, run, (void *)i);
  for (int i = 0; i < 8; i++) { void *r; pthread_join(t[i], &r); sum += (long)r; } char *m = malloc(10); printf("%ld\n", sum); fflush(stdout); if (argc > 1 && !strcmp(argv[1], "over")) m[argc + 9] = 1;
  if (argc > 1 && !strcmp(argv[1], "null")) *(volatile int *)0 = 1; if (argc > 1 && !strcmp(argv[1], "shift")) return 1 << (argc + 40) & 0; free(m); return 0; }
P
exec 2> .tmp/err; gcc -pg -o prof p.c -lpthread && ./prof && ls gmon.out && gprof -b prof gmon.out | grep -c spin; gcc --coverage -o cov p.c && ./cov && gcov -n cov-p.gcda | sed -n 2p; gcc -g -fsanitize=address -o asan p.c && ./asan; ./asan over 2>&1 | grep -E -o 'heap-buffer-overflow|p.c:[0-9]+' | sort -u; gcc -fsanitize=undefined -o ub p.c && ./ub shift 2>&1 | grep -o 'shift exponent'
gcc -static -O2 -o st p.c && ./st; timeout 20 ./st null 2> /dev/null; echo $?; gcc -flto -O2 -o lto p.c && ./lto; gcc -S -o - p.c | grep -c 'main:'; echo 'int f(void) { return 42; }' > l.c; gcc -shared -fPIC -o libl.so l.c; printf '#include <dlfcn.h>\nint main(void) { void *h = dlopen("./libl.so", RTLD_NOW); return ((int (*)(void))dlsym(h, "f"))(); }' > d.c; gcc -o d d.c && ./d; echo $?
echo 'int main(void) { return x; }' | gcc -x c - 2>&1 | grep -c error; gcc -E p.c | grep -c pthread_create; ar rcs libl.a l.c && ar t libl.a; nm p.c 2>&1 | head -1; objdump -d st | grep -c '<main>:'; strip st && ./st; ldd d | grep -c libc; size -A lto | grep -c text; strings st | grep -c '%ld'; LD_PRELOAD=./libl.so ./lto; LD_LIBRARY_PATH=. ./lto; LD_DEBUG=libs ./d 2>&1 | grep -c 'find library'; gcc -pie -fPIE -o pie p.c && ./pie; rm -f prof cov asan ub st lto d pie *.g* libl.* .tmp/*
