// SPDX-License-Identifier: Apache-2.0
// covers: mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr
// POSIX message queues (man 7 mq_overview).
#include "guest.h"

#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>

static char name[64];
static mqd_t queue(int flags, long max, long size) {
    struct mq_attr a = {.mq_maxmsg = max, .mq_msgsize = size};
    snprintf(name, sizeof(name), "/picket-test-%d", getpid());
    mq_unlink(name);
    return ASSERT_OK(mq_open(name, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &a));
}
static void end(mqd_t q) {
    mq_close(q);
    EXPECT_OK(mq_unlink(name));
}

TEST(by_priority) {
    mqd_t q = queue(O_NONBLOCK, 4, 16);
    char text[16];
    unsigned prio;
    EXPECT_OK(mq_send(q, "low", 3, 1));
    EXPECT_OK(mq_send(q, "high", 4, 9));
    EXPECT_OK(mq_send(q, "low2", 4, 1));
    EXPECT_OK(mq_send(q, "", 0, 9));
    EXPECT_ERRNO(mq_send(q, "x", 1, 0), EAGAIN);
    EXPECT_EQ(mq_receive(q, text, sizeof(text), &prio), 4);
    EXPECT_EQ(prio, 9);
    EXPECT_MEMEQ(text, "high", 4);
    EXPECT_EQ(mq_receive(q, text, sizeof(text), &prio), 0);
    EXPECT_EQ(mq_receive(q, text, sizeof(text), &prio), 3);
    EXPECT_EQ(mq_receive(q, text, sizeof(text), NULL), 4);
    EXPECT_MEMEQ(text, "low2", 4);
    EXPECT_ERRNO(mq_receive(q, text, sizeof(text), &prio), EAGAIN);
    end(q);
}

TEST(attributes) {
    mqd_t q = queue(0, 3, 20);
    struct mq_attr a, flags = {.mq_flags = O_NONBLOCK}, bad = {.mq_flags = O_APPEND};
    struct stat st;
    char text[200] = {0};
    EXPECT_OK(mq_send(q, "abc", 3, 0));
    EXPECT_OK(mq_getattr(q, &a));
    EXPECT_EQ(a.mq_maxmsg, 3);
    EXPECT_EQ(a.mq_msgsize, 20);
    EXPECT_EQ(a.mq_curmsgs, 1);
    EXPECT_EQ(a.mq_flags, 0);
    EXPECT_OK(mq_setattr(q, &flags, &a));
    EXPECT_EQ(a.mq_flags, 0);
    EXPECT_OK(mq_getattr(q, &a));
    EXPECT_EQ(a.mq_flags, O_NONBLOCK);
    EXPECT_ERRNO(mq_setattr(q, &bad, NULL), EINVAL);
    EXPECT_OK(fstat(q, &st));
    EXPECT_EQ(st.st_mode, S_IFREG | 0600);
    EXPECT_EQ(st.st_size, 80);
    EXPECT_GE(read(q, text, sizeof(text)), 40);
    EXPECT_TRUE(strstr(text, "QSIZE:3 ") != NULL);
    EXPECT_ERRNO(write(q, text, 1), EINVAL);
    EXPECT_EQ(fcntl(q, F_GETFD), FD_CLOEXEC);
    end(q);
}

TEST(names) {
    mqd_t q = queue(0, 1, 1), again;
    EXPECT_ERRNO(mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST);
    again = ASSERT_OK(mq_open(name, O_RDONLY));
    EXPECT_ERRNO(mq_send(again, "x", 1, 0), EBADF);
    EXPECT_OK(mq_unlink(name));
    EXPECT_ERRNO(mq_open(name, O_RDONLY), ENOENT);
    EXPECT_ERRNO(mq_unlink(name), ENOENT);
    char c = 0;
    EXPECT_OK(mq_send(q, "y", 1, 0));  // it lives on without its name
    EXPECT_EQ(mq_receive(again, &c, 1, NULL), 1);
    EXPECT_EQ(c, 'y');
    mq_close(q);
    mq_close(again);
    EXPECT_ERRNO(syscall(SYS_mq_open, "a/b", O_RDONLY, 0, NULL), EACCES);
    EXPECT_ERRNO(syscall(SYS_mq_open, "", O_RDONLY, 0, NULL), ENOENT);
    EXPECT_ERRNO(syscall(SYS_mq_open, KERNEL_POINTER, O_RDONLY, 0, NULL), EFAULT);
    char longer[300];
    memset(longer, 'a', sizeof(longer));
    longer[299] = 0;
    EXPECT_ERRNO(syscall(SYS_mq_open, longer, O_RDONLY, 0, NULL), ENAMETOOLONG);
}

TEST(errors) {
    mqd_t q = queue(O_NONBLOCK, 2, 8);
    char text[8];
    struct timespec bad = {0, -1};
    EXPECT_ERRNO(mq_send(q, "123456789", 9, 0), EMSGSIZE);
    EXPECT_ERRNO(mq_receive(q, text, 7, NULL), EMSGSIZE);
    EXPECT_ERRNO(mq_send(q, "x", 1, 32768), EINVAL);
    EXPECT_ERRNO(mq_timedsend(q, "x", 1, 0, &bad), EINVAL);
    EXPECT_ERRNO(mq_timedreceive(q, text, 8, NULL, &bad), EINVAL);
    EXPECT_ERRNO(syscall(SYS_mq_timedsend, q, KERNEL_POINTER, 1, 0, NULL), EFAULT);
    EXPECT_ERRNO(mq_send(1000, "x", 1, 0), EBADF);
    int null = open("/dev/null", O_RDWR);
    EXPECT_ERRNO(mq_send(null, "x", 1, 0), EBADF);
    EXPECT_ERRNO(mq_notify(null, NULL), EBADF);
    close(null);
    struct mq_attr zero = {0}, large = {.mq_maxmsg = 65537, .mq_msgsize = 1};
    EXPECT_ERRNO(mq_open("/picket-no", O_CREAT | O_RDWR, 0600, &zero), EINVAL);
    EXPECT_ERRNO(mq_open("/picket-no", O_CREAT | O_RDWR, 0600, &large), EINVAL);
    end(q);
}

TEST(limit) {
    IN_CHILD {
        struct rlimit r = {1000, 1000};
        struct mq_attr a = {.mq_maxmsg = 10, .mq_msgsize = 1000};
        ASSERT_OK(setrlimit(RLIMIT_MSGQUEUE, &r));
        EXPECT_ERRNO(mq_open("/picket-no", O_CREAT | O_RDWR, 0600, &a), EMFILE);
    }
}

static void *sends_later(void *arg) {
    sleep_ms(50);
    mq_send(*(mqd_t *)arg, "now", 3, 0);
    return NULL;
}

TEST(waiting) {
    mqd_t q = queue(0, 1, 8);
    char text[8];
    pthread_t thread;
    struct timespec soon;
    ASSERT_EQ(pthread_create(&thread, NULL, sends_later, &q), 0);
    EXPECT_EQ(mq_receive(q, text, 8, NULL), 3);
    pthread_join(thread, NULL);
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 50000000;
    if (soon.tv_nsec >= 1000000000) {
        soon.tv_sec++;
        soon.tv_nsec -= 1000000000;
    }
    EXPECT_ERRNO(mq_timedreceive(q, text, 8, NULL, &soon), ETIMEDOUT);
    EXPECT_OK(mq_send(q, "full", 4, 0));
    EXPECT_ERRNO(mq_timedsend(q, "x", 1, 0, &soon), ETIMEDOUT);
    struct pollfd p = {q, POLLIN | POLLOUT, 0};
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLIN);
    mq_receive(q, text, 8, NULL);
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLOUT);
    end(q);
}

static volatile sig_atomic_t told, told_code, told_value, told_pid;
static void on_message(int signal, siginfo_t *info, void *context) {
    told++;
    told_code = info->si_code;
    told_value = info->si_value.sival_int;
    told_pid = info->si_pid;
}

TEST(notice_by_signal) {
    mqd_t q = queue(O_NONBLOCK, 4, 8);
    char text[8];
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
    on_siginfo(SIGUSR1, on_message, 0);
    told = 0;
    EXPECT_OK(mq_notify(q, &ev));
    EXPECT_ERRNO(mq_notify(q, &ev), EBUSY);
    EXPECT_OK(mq_send(q, "a", 1, 0));
    EXPECT_EQ(told, 1);
    EXPECT_EQ(told_code, SI_MESGQ);
    EXPECT_EQ(told_value, 42);
    EXPECT_OK(mq_send(q, "b", 1, 0));  // once, and only into an empty queue
    EXPECT_OK(mq_notify(q, &ev));
    EXPECT_OK(mq_send(q, "c", 1, 0));
    EXPECT_EQ(told, 1);
    EXPECT_OK(mq_notify(q, NULL));
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(mq_receive(q, text, 8, NULL), 1);
    EXPECT_OK(mq_send(q, "d", 1, 0));
    EXPECT_EQ(told, 1);
    ev.sigev_signo = 99;
    EXPECT_ERRNO(mq_notify(q, &ev), EINVAL);
    ev.sigev_notify = 77;
    EXPECT_ERRNO(mq_notify(q, &ev), EINVAL);
    end(q);
}

// The sender's number is the one that the receiver knows it by.
TEST(notice_from_another_pid_namespace) {
    mqd_t q = queue(O_NONBLOCK, 4, 8);
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    on_siginfo(SIGUSR1, on_message, 0);
    told = told_pid = 0;
    EXPECT_OK(mq_notify(q, &ev));
    int go[2];
    ASSERT_OK(pipe(go));
    int middle = fork_child();
    if (middle == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
            _exit(77);
        int init = fork_child();
        if (init == 0)
            _exit(mq_send(q, "a", 1, 0) != 0);
        ASSERT_EQ(write(go[1], &init, sizeof init), sizeof init);
        _exit(wait_exit(init));
    }
    int r = wait_exit(middle), sender = 0;
    if (r == 0) {
        ASSERT_EQ(read(go[0], &sender, sizeof sender), sizeof sender);
        EXPECT_EQ(told, 1);
        EXPECT_EQ(told_pid, sender);
    }
    close(go[0]);
    close(go[1]);
    end(q);
    if (r == 77)
        SKIP("no user namespaces here");
    EXPECT_EQ(r, 0);
}

static atomic_int threads_told;
static void in_a_thread(union sigval v) { atomic_store(&threads_told, v.sival_int); }

TEST(notice_by_thread) {
    mqd_t q = queue(O_NONBLOCK, 4, 8);
    struct sigevent ev = {
        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_a_thread, .sigev_value.sival_int = 7};
    ASSERT_OK(mq_notify(q, &ev));
    EXPECT_OK(mq_send(q, "a", 1, 0));
    for (int i = 0; i < 1500 && !atomic_load(&threads_told); i++)
        sleep_ms(10);
    EXPECT_EQ(atomic_load(&threads_told), 7);
    end(q);
}

TEST(between_processes) {
    mqd_t q = queue(0, 4, 8);
    pid_t pid = fork_child();
    if (pid == 0) {
        mqd_t mine = ASSERT_OK(mq_open(name, O_WRONLY));
        EXPECT_OK(mq_send(mine, "child", 5, 3));
        child_done();
    }
    char text[8];
    EXPECT_EQ(mq_receive(q, text, 8, NULL), 5);
    EXPECT_EQ(wait_exit(pid), 0);
    if (geteuid() == 0) {
        IN_CHILD {
            ASSERT_OK(setresuid(65534, 65534, 65534));
            EXPECT_ERRNO(mq_open(name, O_RDONLY), EACCES);
            EXPECT_ERRNO(syscall(SYS_mq_unlink, name + 1), EPERM);
        }
    }
    end(q);
}
