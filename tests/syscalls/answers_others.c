// SPDX-License-Identifier: Apache-2.0
// covers: futex, mlock, mlock2, msgrcv, sched_setattr, sched_getattr, prctl
// Answers at the edges of what is rarely asked.
#include "guest.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>

static unsigned word;

static void *wait_privately(void *arg) {
    struct timespec half = {0, 500000000};
    return (void *)(long)(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &half, NULL, 0) == 0);
}

TEST(a_shared_wake_is_not_for_who_waits_privately) {
    pthread_t t;
    void *woken;
    ASSERT_EQ(pthread_create(&t, NULL, wait_privately, NULL), 0);
    usleep(200000);
    EXPECT_EQ(syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
    ASSERT_EQ(pthread_join(t, &woken), 0);
    EXPECT_TRUE(woken == NULL);
}

TEST(locking_what_nobody_may_touch) {
    char *m = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_TRUE(m != MAP_FAILED);
    EXPECT_ERRNO(mlock(m, 4096), ENOMEM);
    EXPECT_OK(munlock(m, 4096));
    EXPECT_OK(mlock2(m, 4096, MLOCK_ONFAULT));
}

TEST(a_copy_of_a_message) {
    struct {
        long type;
        char text[16];
    } m = {1, "hello"};
    int q = msgget(IPC_PRIVATE, 0600);
    ASSERT_OK(q);
    ASSERT_OK(msgsnd(q, &m, 10, 0));
    if (msgrcv(q, &m, 16, 0, MSG_COPY | IPC_NOWAIT) == 10) {
        EXPECT_ERRNO(msgrcv(q, &m, 4, 0, MSG_COPY | IPC_NOWAIT), E2BIG);
        EXPECT_ERRNO(msgrcv(q, &m, 4, 0, MSG_COPY | IPC_NOWAIT | MSG_NOERROR), EINVAL);
    }
    EXPECT_EQ(msgrcv(q, &m, 16, 0, IPC_NOWAIT), 10);
    ASSERT_OK(msgctl(q, IPC_RMID, NULL));
}

TEST(attributes_of_another_size) {
    struct {
        uint32_t size, rest[13];
        char more[40];
    } a = {0};
    a.size = sizeof a;
    EXPECT_OK(syscall(SYS_sched_setattr, 0, &a, 0));
    a.more[30] = 1;
    EXPECT_ERRNO(syscall(SYS_sched_setattr, 0, &a, 0), E2BIG);
    EXPECT_EQ(a.size, 56);
    a.size = 10;
    EXPECT_ERRNO(syscall(SYS_sched_setattr, 0, &a, 0), E2BIG);
    EXPECT_EQ(a.size, 56);
    EXPECT_OK(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0));
    EXPECT_EQ(a.size, 56);
    EXPECT_OK(syscall(SYS_sched_getattr, 0, &a, 48, 0));
    EXPECT_EQ(a.size, 48);
    EXPECT_ERRNO(syscall(SYS_sched_getattr, 0, &a, 47, 0), EINVAL);
}

TEST(what_a_core_would_hold) {
    char text[16] = "";
    int fd = open("/proc/self/coredump_filter", O_RDWR);
    ASSERT_OK(fd);
    ASSERT_EQ(write(fd, "0x7f", 4), 4);
    ASSERT_EQ(pread(fd, text, 15, 0), 9);
    EXPECT_STREQ(text, "0000007f\n");
    EXPECT_ERRNO(write(fd, "many", 4), EINVAL);
}

TEST(process_control) {
    EXPECT_OK(prctl(PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0));
    EXPECT_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_DEFAULT);
    EXPECT_OK(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
    EXPECT_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_EARLY);
    EXPECT_ERRNO(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, 7, 0, 0), EINVAL);
    EXPECT_OK(prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0));
    EXPECT_OK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
    EXPECT_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
    EXPECT_OK(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
    EXPECT_TRUE(prctl(PR_GET_SPECULATION_CTRL, 0, 0, 0, 0) >= 0);
    EXPECT_ERRNO(prctl(PR_GET_SPECULATION_CTRL, 99, 0, 0, 0), ENODEV);
}
