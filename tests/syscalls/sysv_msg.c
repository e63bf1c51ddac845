// SPDX-License-Identifier: Apache-2.0
// covers: msgget, msgsnd, msgrcv, msgctl
// System V message queues: order, types, waiting for room and messages, removal (man 2 msgop, man 2 msgctl).
#include "guest.h"

#include <sys/ipc.h>
#include <sys/msg.h>

struct text {
    long type;
    char text[64];
};

static int send_text(int id, long type, const char *text)
{
    struct text m = {.type = type};
    strncpy(m.text, text, sizeof(m.text) - 1);
    return msgsnd(id, &m, strlen(text), IPC_NOWAIT);
}

static void expect_text(int id, long type, int flags, const char *want)
{
    struct text m = {0};
    EXPECT_EQ(msgrcv(id, &m, sizeof(m.text), type, flags | IPC_NOWAIT), strlen(want));
    EXPECT_STREQ(m.text, want);
}

TEST(order_and_types)
{
    int id = ASSERT_OK(msgget(IPC_PRIVATE, 0600));
    EXPECT_OK(send_text(id, 3, "three"));
    EXPECT_OK(send_text(id, 1, "one"));
    EXPECT_OK(send_text(id, 2, "two"));
    EXPECT_OK(send_text(id, 1, "uno"));
    expect_text(id, 2, 0, "two");
    expect_text(id, 3, MSG_EXCEPT, "one");
    expect_text(id, -5, 0, "uno");
    struct text m;
    EXPECT_ERRNO(msgrcv(id, &m, 64, -2, IPC_NOWAIT), ENOMSG);
    EXPECT_ERRNO(msgrcv(id, &m, 2, 0, IPC_NOWAIT), E2BIG);
    EXPECT_EQ(msgrcv(id, &m, 2, 0, IPC_NOWAIT | MSG_NOERROR), 2);
    EXPECT_MEMEQ(m.text, "th", 2);
    EXPECT_ERRNO(msgrcv(id, &m, 64, 0, IPC_NOWAIT), ENOMSG);
    EXPECT_OK(msgctl(id, IPC_RMID, NULL));
    EXPECT_ERRNO(msgrcv(id, &m, 64, 0, IPC_NOWAIT), EINVAL);
}

TEST(state)
{
    int id = ASSERT_OK(msgget(IPC_PRIVATE, 0640));
    struct msqid_ds ds;
    EXPECT_OK(send_text(id, 1, "12345"));
    EXPECT_OK(msgctl(id, IPC_STAT, &ds));
    EXPECT_EQ(ds.msg_qnum, 1);
    EXPECT_EQ(ds.__msg_cbytes, 5);
    EXPECT_EQ(ds.msg_lspid, getpid());
    EXPECT_EQ(ds.msg_perm.mode & 0777, 0640);
    EXPECT_GE(ds.msg_stime, 1);
    EXPECT_EQ(ds.msg_rtime, 0);
    ds.msg_perm.mode = 0600;
    ds.msg_qbytes = 100;
    EXPECT_OK(msgctl(id, IPC_SET, &ds));
    EXPECT_OK(msgctl(id, IPC_STAT, &ds));
    EXPECT_EQ(ds.msg_qbytes, 100);
    EXPECT_EQ(ds.msg_perm.mode & 0777, 0600);
    EXPECT_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(waiting)
{
    int id = ASSERT_OK(msgget(IPC_PRIVATE, 0600));
    struct msqid_ds ds;
    pid_t pid = fork_child();
    if (pid == 0) {
        struct text m = {0};
        EXPECT_EQ(msgrcv(id, &m, 64, 7, 0), 5);
        sleep_ms(20);
        EXPECT_EQ(msgrcv(id, &m, 64, 8, 0), 4);
        EXPECT_ERRNO(msgrcv(id, &m, 64, 9, 0), EIDRM);
        child_done();
    }
    sleep_ms(20);
    EXPECT_OK(send_text(id, 7, "hello"));
    ASSERT_OK(msgctl(id, IPC_STAT, &ds));
    ds.msg_qbytes = 6;
    ASSERT_OK(msgctl(id, IPC_SET, &ds));
    struct text m = {8, "full"};
    EXPECT_OK(msgsnd(id, &m, 4, 0));
    m.type = 10;
    EXPECT_OK(msgsnd(id, &m, 4, 0));  // waits for the child
    EXPECT_ERRNO(msgsnd(id, &m, 4, IPC_NOWAIT), EAGAIN);
    sleep_ms(20);
    EXPECT_OK(msgctl(id, IPC_RMID, NULL));
    EXPECT_EQ(wait_exit(pid), 0);
}

static void handler(int signal)
{
}

TEST(signal_interrupts)
{
    int id = ASSERT_OK(msgget(IPC_PRIVATE, 0600));
    pid_t pid = fork_child();
    if (pid == 0) {
        struct text m;
        on_signal(SIGALRM, handler, SA_RESTART);
        ualarm(20000, 20000);
        EXPECT_ERRNO(msgrcv(id, &m, 64, 0, 0), EINTR);
        child_done();
    }
    EXPECT_EQ(wait_exit(pid), 0);
    EXPECT_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(errors)
{
    key_t key = 0x5d000000 + getpid();
    struct text m = {0, "x"};
    EXPECT_ERRNO(msgget(key, 0600), ENOENT);
    int id = ASSERT_OK(msgget(key, IPC_CREAT | 0600));
    EXPECT_EQ(msgget(key, 0600), id);
    EXPECT_ERRNO(msgget(key, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    EXPECT_ERRNO(msgsnd(id, &m, 1, 0), EINVAL);
    m.type = 1;
    EXPECT_ERRNO(msgsnd(id, &m, 8193, 0), EINVAL);
    EXPECT_ERRNO(msgsnd(id, &m, -1, 0), EINVAL);
    EXPECT_ERRNO(msgsnd(-1, &m, 1, 0), EINVAL);
    EXPECT_ERRNO(msgsnd(id, KERNEL_POINTER, 1, 0), EFAULT);
    EXPECT_OK(msgsnd(id, &m, 1, 0));
    EXPECT_ERRNO(msgrcv(id, KERNEL_POINTER, 1, 0, 0), EFAULT);
    if (geteuid() == 0) {
        IN_CHILD {
            ASSERT_OK(setuid(54321));
            EXPECT_ERRNO(msgget(key, 0600), EACCES);
            EXPECT_ERRNO(msgctl(id, IPC_RMID, NULL), EPERM);
        }
    }
    EXPECT_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(listed_in_proc)
{
    static char text[65536];
    char line[64];
    int id = ASSERT_OK(msgget(IPC_PRIVATE, 0604));
    EXPECT_OK(send_text(id, 1, "1234567"));
    get_file("/proc/sysvipc/msg", text, sizeof(text));
    snprintf(line, sizeof(line), "%10d %10d  %4o  %10d %10d %5d %5d", 0, id, 0604, 7, 1, getpid(), 0);
    EXPECT_TRUE(strstr(text, line) != NULL);
    EXPECT_OK(msgctl(id, IPC_RMID, NULL));
}
