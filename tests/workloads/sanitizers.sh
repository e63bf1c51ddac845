# SPDX-License-Identifier: Apache-2.0
# gcc's sanitizers: a correct program ends with 0, one that leaks with 1 and the report (LeakSanitizer stops all threads of
# the process by ptrace from a child that shares its memory), a race and an overflow are found.
# needs: gcc
# timeout: 240
cd "$1" && cat > ok.c <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static void *work(void *p) { free(malloc(100)); return p; }
int main(void) {
    pthread_t t[4];
    char *p = malloc(10);
    for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, work, 0);
    for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
    free(p);
    puts("fine");
}
C
cat > leak.c <<'C'
#include <stdlib.h>
#include <unistd.h>
#include <pthread.h>
static void *sleeper(void *p) { for (;;) pause(); return p; }
static char *volatile kept;
int main(void) {
    pthread_t t;
    pthread_create(&t, 0, sleeper, 0);
    kept = malloc(77);
    kept = malloc(33);
    return 0;
}
C
cat > race.c <<'C'
#include <pthread.h>
static int n;
static void *work(void *p) { for (int i = 0; i < 1000; i++) n++; return p; }
int main(void) {
    pthread_t a, b;
    pthread_create(&a, 0, work, 0);
    pthread_create(&b, 0, work, 0);
    pthread_join(a, 0);
    pthread_join(b, 0);
    return 0;
}
C
cat > over.c <<'C'
#include <limits.h>
int main(int argc, char **argv) { return argc + INT_MAX == 0; }
C
gcc -pthread -fsanitize=address ok.c -o ok && ./ok && echo "address $?"
gcc -pthread -fsanitize=address leak.c -o leak && ./leak 2> err
echo "leak $?"; grep -o '^Direct leak of 77 byte(s) in 1 object(s)' err; grep -c '^Direct leak' err
gcc -pthread -fsanitize=thread ok.c -o ok && ./ok && echo "thread $?"
gcc -pthread -fsanitize=thread race.c -o race && ./race 2> err; echo "race $?"; grep -c 'WARNING: ThreadSanitizer: data race' err
gcc -pthread -fsanitize=undefined ok.c -o ok && ./ok && echo "undefined $?"
gcc -fsanitize=undefined -fno-sanitize-recover over.c -o over && ./over 2> err; echo "overflow $?"
grep -o 'runtime error: signed integer overflow' err
