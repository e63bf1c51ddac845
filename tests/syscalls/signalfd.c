// SPDX-License-Identifier: Apache-2.0
// covers: signalfd, signalfd4
// Signals read as data, only blocked ones, pollable (man 2 signalfd).
#include "guest.h"

#include <poll.h>
#include <sys/signalfd.h>

static int make(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

TEST(reads_a_blocked_signal)
{
    IN_CHILD {
        block_signal(SIG_BLOCK, SIGUSR1);
        int fd = ASSERT_OK(make(SIGUSR1));
        struct signalfd_siginfo info;
        EXPECT_ERRNO(read(fd, &info, sizeof(info)), EAGAIN);
        union sigval value = {.sival_int = 99};
        EXPECT_OK(sigqueue(getpid(), SIGUSR1, value));
        struct pollfd p = {fd, POLLIN, 0};
        EXPECT_EQ(poll(&p, 1, 20000), 1);
        EXPECT_EQ(read(fd, &info, sizeof(info)), sizeof(info));
        EXPECT_EQ(info.ssi_signo, SIGUSR1);
        EXPECT_EQ(info.ssi_code, SI_QUEUE);
        EXPECT_EQ(info.ssi_int, 99);
        EXPECT_EQ(info.ssi_pid, getpid());
        EXPECT_EQ(info.ssi_uid, getuid());
    }
}

TEST(errors)
{
    IN_CHILD {
        int fd = ASSERT_OK(make(SIGUSR2));
        struct signalfd_siginfo info;
        EXPECT_ERRNO(read(fd, &info, sizeof(info) - 1), EINVAL);
        sigset_t set;
        sigemptyset(&set);
        EXPECT_ERRNO(signalfd(-1, &set, 1), EINVAL);
        EXPECT_ERRNO(signalfd(1, &set, 0), EINVAL);
        EXPECT_ERRNO(signalfd(9999, &set, 0), EBADF);
        EXPECT_ERRNO(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
        EXPECT_EQ(signalfd(fd, &set, 0), fd);
    }
}
