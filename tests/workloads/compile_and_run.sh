# SPDX-License-Identifier: Apache-2.0
# gcc compiles inside, and the result runs: 8 threads, mutexes, condition variables, signals.
# needs: gcc
# timeout: 120
cd "$1" && cat > t.c <<'C'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static int ready, sum;
static int hits;
static void hit(int s) { __atomic_add_fetch(&hits, 1, __ATOMIC_RELAXED); }
static void *work(void *n) {
    pthread_mutex_lock(&m);
    while (!ready) pthread_cond_wait(&c, &m);
    pthread_mutex_unlock(&m);
    for (int i = 0; i < 10000; i++) { pthread_mutex_lock(&m); sum++; pthread_mutex_unlock(&m); }
    pthread_kill(pthread_self(), SIGUSR1);
    return n;
}
int main(void) {
    pthread_t t[8];
    signal(SIGUSR1, hit);
    for (long i = 0; i < 8; i++) pthread_create(&t[i], 0, work, (void *)i);
    usleep(1000);
    pthread_mutex_lock(&m); ready = 1; pthread_cond_broadcast(&c); pthread_mutex_unlock(&m);
    long got = 0;
    for (int i = 0; i < 8; i++) { void *r; pthread_join(t[i], &r); got += (long)r; }
    printf("%d %ld %d\n", sum, got, hits);
}
C
gcc -O2 -pthread -o t t.c && ./t && ./t && file=$(ls -1 | sort | tr '\n' ' ') && echo "$file"
