// SPDX-License-Identifier: Apache-2.0
// covers: semget, semop, semtimedop, semctl
// System V semaphores: operations all or none, waiting, undo at exit, removal (man 2 semop, man 2 semctl).
#include "guest.h"

#include <sys/ipc.h>
#include <sys/sem.h>

union arg {
    int val;
    struct semid_ds *ds;
    unsigned short *array;
};

static int op1(int id, int num, int op, int flags)
{
    struct sembuf b = {num, op, flags};
    return semop(id, &b, 1);
}

static void wait_for_count(int id, int cmd, int want)
{
    int64_t start = now_ms();
    while (semctl(id, 0, cmd) != want && now_ms() - start < 25000)
        sleep_ms(2);
    EXPECT_EQ(semctl(id, 0, cmd), want);
}

TEST(values)
{
    int id = ASSERT_OK(semget(IPC_PRIVATE, 3, 0600));
    unsigned short all[3] = {5, 0, 7}, got[3];
    EXPECT_OK(semctl(id, 0, SETALL, (union arg){.array = all}));
    EXPECT_OK(semctl(id, 0, GETALL, (union arg){.array = got}));
    EXPECT_MEMEQ(got, all, sizeof(all));
    EXPECT_OK(semctl(id, 1, SETVAL, (union arg){.val = 9}));
    EXPECT_EQ(semctl(id, 1, GETVAL), 9);
    EXPECT_EQ(semctl(id, 1, GETPID), getpid());
    EXPECT_ERRNO(semctl(id, 3, GETVAL), EINVAL);
    EXPECT_ERRNO(semctl(id, 0, SETVAL, (union arg){.val = 40000}), ERANGE);
    struct semid_ds ds;
    EXPECT_OK(semctl(id, 0, IPC_STAT, (union arg){.ds = &ds}));
    EXPECT_EQ(ds.sem_nsems, 3);
    EXPECT_EQ(ds.sem_perm.mode & 0777, 0600);
    EXPECT_EQ(ds.sem_otime, 0);
    EXPECT_OK(semctl(id, 0, IPC_RMID));
    EXPECT_ERRNO(semctl(id, 0, GETVAL), EINVAL);
}

TEST(all_or_none)
{
    int id = ASSERT_OK(semget(IPC_PRIVATE, 2, 0600));
    struct sembuf ops[2] = {{0, 3, 0}, {1, -1, IPC_NOWAIT}};
    EXPECT_ERRNO(semop(id, ops, 2), EAGAIN);
    EXPECT_EQ(semctl(id, 0, GETVAL), 0);
    ops[1].sem_op = 1;
    EXPECT_OK(semop(id, ops, 2));
    EXPECT_EQ(semctl(id, 0, GETVAL), 3);
    EXPECT_EQ(semctl(id, 1, GETVAL), 1);
    EXPECT_ERRNO(op1(id, 0, 0, IPC_NOWAIT), EAGAIN);
    // What waits for zero has nothing to undo, also when it says so and a later one fails.
    struct sembuf undo[2] = {{0, -3, 0}, {1, 0, IPC_NOWAIT | SEM_UNDO}};
    EXPECT_ERRNO(semop(id, undo, 2), EAGAIN);
    struct sembuf zero[2] = {{0, -3, 0}, {0, 0, SEM_UNDO}};
    EXPECT_OK(semop(id, zero, 2));
    struct sembuf both[2] = {{0, 0, SEM_UNDO}, {1, 0, IPC_NOWAIT | SEM_UNDO}};
    EXPECT_ERRNO(semop(id, both, 2), EAGAIN);
    EXPECT_OK(semctl(id, 0, SETVAL, (union arg){.val = 3}));
    EXPECT_ERRNO(op1(id, 0, 32767, 0), ERANGE);
    EXPECT_ERRNO(op1(id, 5, 1, 0), EFBIG);
    EXPECT_ERRNO(semop(id, ops, 0), EINVAL);
    EXPECT_ERRNO(semop(id, ops, 501), E2BIG);
    EXPECT_ERRNO(semop(id, KERNEL_POINTER, 1), EFAULT);
    EXPECT_OK(semctl(id, 0, IPC_RMID));
}

TEST(waiting)
{
    int id = ASSERT_OK(semget(IPC_PRIVATE, 1, 0600));
    pid_t pid = fork_child();
    if (pid == 0) {
        EXPECT_OK(op1(id, 0, -2, 0));
        EXPECT_OK(op1(id, 0, 0, 0));
        EXPECT_ERRNO(op1(id, 0, -1, 0), EIDRM);
        child_done();
    }
    wait_for_count(id, GETNCNT, 1);
    EXPECT_OK(op1(id, 0, 1, 0));
    EXPECT_OK(op1(id, 0, 2, 0));
    wait_for_count(id, GETZCNT, 1);
    EXPECT_EQ(semctl(id, 0, GETNCNT), 0);
    EXPECT_OK(semctl(id, 0, SETVAL, (union arg){.val = 0}));
    wait_for_count(id, GETNCNT, 1);
    EXPECT_OK(semctl(id, 0, IPC_RMID));
    EXPECT_EQ(wait_exit(pid), 0);
}

static void handler(int signal)
{
}

TEST(timeout_and_signal)
{
    int id = ASSERT_OK(semget(IPC_PRIVATE, 1, 0600));
    struct sembuf b = {0, -1, 0};
    struct timespec t = {0, 30000000}, bad = {0, -1};
    int64_t start = now_ms();
    EXPECT_ERRNO(semtimedop(id, &b, 1, &t), EAGAIN);
    EXPECT_GE(now_ms() - start, 29);
    EXPECT_ERRNO(semtimedop(id, &b, 1, &bad), EINVAL);
    pid_t pid = fork_child();
    if (pid == 0) {
        on_signal(SIGUSR1, handler, SA_RESTART);
        EXPECT_ERRNO(op1(id, 0, -1, 0), EINTR);
        child_done();
    }
    wait_for_count(id, GETNCNT, 1);
    kill(pid, SIGUSR1);
    EXPECT_EQ(wait_exit(pid), 0);
    EXPECT_EQ(semctl(id, 0, GETNCNT), 0);
    EXPECT_OK(semctl(id, 0, IPC_RMID));
}

TEST(undo)
{
    int id = ASSERT_OK(semget(IPC_PRIVATE, 2, 0600));
    IN_CHILD {
        EXPECT_OK(op1(id, 0, 4, SEM_UNDO));
        EXPECT_OK(op1(id, 0, -1, SEM_UNDO));
        EXPECT_OK(op1(id, 0, 10, 0));
        EXPECT_OK(op1(id, 1, 1, SEM_UNDO));
        EXPECT_OK(semctl(id, 1, SETVAL, (union arg){.val = 6}));
    }
    EXPECT_EQ(semctl(id, 0, GETVAL), 10);
    EXPECT_EQ(semctl(id, 1, GETVAL), 6);
    EXPECT_OK(semctl(id, 0, IPC_RMID));
}

TEST(keys)
{
    key_t key = 0x5e000000 + getpid();
    EXPECT_ERRNO(semget(key, 1, 0600), ENOENT);
    int id = ASSERT_OK(semget(key, 2, IPC_CREAT | 0600));
    EXPECT_EQ(semget(key, 0, 0), id);
    EXPECT_ERRNO(semget(key, 3, 0600), EINVAL);
    EXPECT_ERRNO(semget(key, 2, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    EXPECT_ERRNO(semget(IPC_PRIVATE, 0, 0600), EINVAL);
    EXPECT_ERRNO(semget(IPC_PRIVATE, -1, 0600), EINVAL);
    if (geteuid() == 0) {
        IN_CHILD {
            ASSERT_OK(setuid(54321));
            EXPECT_ERRNO(semget(key, 2, 0600), EACCES);
            EXPECT_ERRNO(op1(id, 0, 1, 0), EACCES);
            EXPECT_ERRNO(semctl(id, 0, IPC_RMID), EPERM);
        }
    }
    EXPECT_OK(semctl(id, 0, IPC_RMID));
}
