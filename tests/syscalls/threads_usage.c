// SPDX-License-Identifier: Apache-2.0
// covers: getrusage, times
// What a process has used is asked for while its threads and children end.
#include "guest.h"
#include <pthread.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <sys/wait.h>

static _Atomic int over;

static void *asks(void *unused) {
    long most = 0;
    while (!over) {
        struct rusage self, thread, children;
        struct tms t;
        if (getrusage(RUSAGE_SELF, &self) || getrusage(RUSAGE_THREAD, &thread) ||
            getrusage(RUSAGE_CHILDREN, &children) || times(&t) == (clock_t)-1)
            return "refused";
        if (self.ru_maxrss < most)
            return "the peak of the memory fell";
        most = self.ru_maxrss;
    }
    return NULL;
}

static void *ends(void *unused) { return NULL; }

TEST(asked_while_threads_end) {
    pthread_t asking, t;
    void *why;
    ASSERT_EQ(pthread_create(&asking, NULL, asks, NULL), 0);
    for (int i = 0; i < 40; i++) {
        ASSERT_EQ(pthread_create(&t, NULL, ends, NULL), 0);
        ASSERT_EQ(pthread_join(t, NULL), 0);
        if (i % 4 == 0) {
            pid_t pid = fork();
            ASSERT_OK(pid);
            if (pid == 0)
                _exit(0);
            ASSERT_EQ(waitpid(pid, NULL, 0), pid);
        }
    }
    over = 1;
    ASSERT_EQ(pthread_join(asking, &why), 0);
    if (why)
        guest_fail(__FILE__, __LINE__, "%s", (const char *)why);
}
