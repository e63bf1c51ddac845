// SPDX-License-Identifier: Apache-2.0
// covers: fcntl, ioctl
// Readiness told by a signal: O_ASYNC, FIOASYNC, owners, F_SETSIG, what si_code and si_band say (man 2
// fcntl).
#include "guest.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

static volatile sig_atomic_t count, last_signal, last_code, last_fd;
static volatile long last_band;

static void handler(int signal, siginfo_t *info, void *context)
{
    count++;
    last_signal = signal;
    last_code = info->si_code;
    last_fd = info->si_fd;
    last_band = info->si_band;
}

static void want_signals(int fd, int signal)
{
    on_siginfo(signal ? signal : SIGIO, handler, SA_RESTART);
    ASSERT_OK(fcntl(fd, F_SETOWN, getpid()));
    ASSERT_OK(fcntl(fd, F_SETSIG, signal));
    ASSERT_OK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
    count = last_signal = last_code = last_fd = 0;
    last_band = 0;
}

TEST(pipe_reader)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    want_signals(fds[0], SIGRTMIN + 1);
    EXPECT_TRUE(fcntl(fds[0], F_GETFL) & O_ASYNC);
    EXPECT_TRUE(!(fcntl(fds[1], F_GETFL) & O_ASYNC));
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(last_signal, SIGRTMIN + 1);
    EXPECT_EQ(last_code, POLL_IN);
    EXPECT_EQ(last_band, POLLIN | POLLRDNORM);
    EXPECT_EQ(last_fd, fds[0]);
    ASSERT_OK(fcntl(fds[0], F_SETFL, 0));
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(count, 1);
    want_signals(fds[0], SIGRTMIN + 1);
    EXPECT_EQ(count, 0); // what is there already is not told
    close(fds[1]);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(last_code, POLL_IN);
    close(fds[0]);
}

TEST(pipe_writer)
{
    int fds[2];
    char c;
    ASSERT_OK(pipe(fds));
    want_signals(fds[1], SIGRTMIN + 1);
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(count, 0);
    EXPECT_EQ(read(fds[0], &c, 1), 1);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(last_code, POLL_OUT);
    EXPECT_EQ(last_band, POLLOUT | POLLWRNORM | POLLWRBAND);
    EXPECT_EQ(last_fd, fds[1]);
    close(fds[0]);
    close(fds[1]);
}

TEST(fifo)
{
    in_tmpdir();
    ASSERT_OK(mkfifo("f", 0600));
    int fd = ASSERT_OK(open("f", O_RDWR));
    want_signals(fd, 0);
    EXPECT_EQ(write(fd, "x", 1), 1);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(last_signal, SIGIO);
    EXPECT_EQ(last_code, SI_KERNEL);
    close(fd);
}

TEST(by_ioctl_and_shared_by_descriptors)
{
    int fds[2], on = 1, off = 0;
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    int copy = ASSERT_OK(dup(fds[0]));
    on_siginfo(SIGIO, handler, 0);
    count = 0;
    EXPECT_OK(ioctl(fds[0], FIOASYNC, &on));
    EXPECT_TRUE(fcntl(copy, F_GETFL) & O_ASYNC);
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(count, 0); // nobody is the owner
    EXPECT_OK(fcntl(copy, F_SETOWN, getpid()));
    EXPECT_EQ(fcntl(fds[0], F_GETOWN), getpid());
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(count, 1);
    close(fds[0]);
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(count, 2);
    EXPECT_OK(ioctl(copy, FIOASYNC, &off));
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(count, 2);
    EXPECT_ERRNO(ioctl(copy, FIOASYNC, KERNEL_POINTER), EFAULT);
    close(copy);
    close(fds[1]);
}

TEST(stream_ends)
{
    int fds[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    want_signals(fds[0], SIGRTMIN + 1);
    EXPECT_EQ(send(fds[1], "x", 1, 0), 1);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(last_code, POLL_IN);
    EXPECT_OK(shutdown(fds[1], SHUT_WR));
    EXPECT_EQ(count, 2);
    EXPECT_EQ(last_code, POLL_IN);
    close(fds[1]);
    EXPECT_EQ(count, 3);
    EXPECT_EQ(last_code, POLL_HUP);
    EXPECT_EQ(last_band, POLLHUP | POLLERR);
    close(fds[0]);
}

TEST(datagrams_and_listeners)
{
    int fds[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
    want_signals(fds[0], SIGRTMIN + 2);
    EXPECT_EQ(send(fds[1], "x", 1, 0), 1);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(last_code, POLL_IN);
    close(fds[0]);
    close(fds[1]);
    in_tmpdir();
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "s"};
    int listener = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0)),
        client = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_OK(bind(listener, (struct sockaddr *)&name, sizeof(name)));
    ASSERT_OK(listen(listener, 1));
    want_signals(listener, SIGRTMIN + 2);
    ASSERT_OK(connect(client, (struct sockaddr *)&name, sizeof(name)));
    EXPECT_EQ(count, 1);
    EXPECT_EQ(last_code, POLL_IN);
    EXPECT_EQ(last_fd, listener);
    close(client);
    close(listener);
}

TEST(kinds_that_never_tell)
{
    in_tmpdir();
    int on = 1, off = 0, file = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600)),
        null = ASSERT_OK(open("/dev/null", O_RDWR));
    int event = ASSERT_OK((int)syscall(SYS_eventfd2, 0, 0));
    const int fds[] = {file, null, event};
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_ERRNO(ioctl(fds[i], FIOASYNC, &on), ENOTTY);
        EXPECT_OK(ioctl(fds[i], FIOASYNC, &off));
        EXPECT_OK(fcntl(fds[i], F_SETFL, O_ASYNC | O_NONBLOCK));
        EXPECT_EQ(fcntl(fds[i], F_GETFL) & (O_ASYNC | O_NONBLOCK), O_NONBLOCK);
        EXPECT_OK(fcntl(fds[i], F_SETOWN, getpid()));
        EXPECT_EQ(fcntl(fds[i], F_GETOWN), getpid());
        close(fds[i]);
    }
    file = ASSERT_OK(open("f", O_RDWR | O_ASYNC));
    EXPECT_TRUE(fcntl(file, F_GETFL) & O_ASYNC); // kept, without effect
    close(file);
    file = ASSERT_OK(open("f", O_PATH));
    EXPECT_ERRNO(fcntl(file, F_SETOWN, getpid()), EBADF);
    EXPECT_ERRNO(fcntl(file, F_GETSIG), EBADF);
    EXPECT_ERRNO(ioctl(file, FIOASYNC, &on), EBADF);
    close(file);
}

TEST(owners)
{
    int fds[2];
    struct f_owner_ex ex;
    ASSERT_OK(pipe(fds));
    EXPECT_EQ(fcntl(fds[0], F_GETOWN), 0);
    EXPECT_EQ(fcntl(fds[0], F_GETSIG), 0);
    EXPECT_ERRNO(fcntl(fds[0], F_SETOWN, INT_MIN), EINVAL);
    EXPECT_ERRNO(fcntl(fds[0], F_SETOWN, 0x3ffffff0), ESRCH);
    EXPECT_ERRNO(fcntl(fds[0], F_SETSIG, 65), EINVAL);
    EXPECT_ERRNO(fcntl(fds[0], F_SETSIG, -1), EINVAL);
    ex = (struct f_owner_ex){3, getpid()};
    EXPECT_ERRNO(fcntl(fds[0], F_SETOWN_EX, &ex), EINVAL);
    EXPECT_ERRNO(fcntl(fds[0], F_SETOWN_EX, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(fcntl(fds[0], F_GETOWN_EX, KERNEL_POINTER), EFAULT);
    ex = (struct f_owner_ex){F_OWNER_PGRP, getpgrp()};
    EXPECT_OK(fcntl(fds[0], F_SETOWN_EX, &ex));
    EXPECT_EQ(syscall(SYS_fcntl, fds[0], F_GETOWN) == -getpgrp() || errno == getpgrp(), 1);
    memset(&ex, 0x55, sizeof(ex));
    EXPECT_OK(fcntl(fds[0], F_GETOWN_EX, &ex));
    EXPECT_EQ(ex.type, F_OWNER_PGRP);
    EXPECT_EQ(ex.pid, getpgrp());
    EXPECT_OK(fcntl(fds[0], F_SETOWN, 0));
    EXPECT_EQ(fcntl(fds[0], F_GETOWN), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    EXPECT_OK(fcntl(fds[0], F_SETOWN, child));
    EXPECT_EQ(wait_exit(child), 0);
    EXPECT_EQ(fcntl(fds[0], F_GETOWN), 0); // it is no more
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    int who = getpid(), sockets[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    EXPECT_OK(ioctl(sockets[0], FIOSETOWN, &who));
    who = 0;
    EXPECT_OK(ioctl(sockets[0], SIOCGPGRP, &who));
    EXPECT_EQ(who, getpid());
    EXPECT_ERRNO(ioctl(fds[0], FIOSETOWN, &who), ENOTTY);
    close(sockets[0]);
    close(sockets[1]);
    close(fds[0]);
    close(fds[1]);
}

TEST(group_and_child)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    IN_CHILD {
        ASSERT_OK(setpgid(0, 0));
        want_signals(fds[0], 0);
        ASSERT_OK(fcntl(fds[0], F_SETOWN, -getpid()));
        pid_t other = fork();
        if (other == 0) {
            count = 0;
            EXPECT_EQ(write(fds[1], "x", 1), 1);
            _exit(count == 1 ? 0 : 1);
        }
        EXPECT_EQ(wait_exit(other), 0);
        EXPECT_EQ(count, 1);
    }
    // The flag, the signal and the owner are the open file's, and outlive the child that set them.
    EXPECT_TRUE(fcntl(fds[0], F_GETFL) & O_ASYNC);
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    close(fds[0]);
    close(fds[1]);
}

static pid_t reader_tid;
static _Atomic bool reader_ready, reader_done;
static void *reader(void *arg)
{
    block_signal(SIG_UNBLOCK, SIGUSR1);
    reader_tid = (pid_t)syscall(SYS_gettid);
    atomic_store(&reader_ready, true);
    while (!atomic_load(&reader_done))
        sleep_ms(1);
    return NULL;
}

static volatile sig_atomic_t handled_by;
static void by_thread(int signal, siginfo_t *info, void *context)
{
    handled_by = (pid_t)syscall(SYS_gettid);
    count++;
}

TEST(one_thread)
{
    int fds[2];
    pthread_t thread;
    ASSERT_OK(pipe(fds));
    want_signals(fds[0], SIGUSR1);
    on_siginfo(SIGUSR1, by_thread, SA_RESTART);
    ASSERT_EQ(pthread_create(&thread, NULL, reader, NULL), 0);
    while (!atomic_load(&reader_ready))
        sleep_ms(1);
    struct f_owner_ex ex = {F_OWNER_TID, reader_tid};
    EXPECT_OK(fcntl(fds[0], F_SETOWN_EX, &ex));
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    for (int i = 0; i < 15000 && !count; i++)
        sleep_ms(1);
    EXPECT_EQ(handled_by, reader_tid);
    atomic_store(&reader_done, true);
    pthread_join(thread, NULL);
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(count, 1);
    close(fds[0]);
    close(fds[1]);
}

TEST(a_full_queue_is_told_by_plain_sigio)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    IN_CHILD {
        struct rlimit none = {0, 0};
        want_signals(fds[0], SIGRTMIN + 1);
        on_siginfo(SIGIO, handler, 0);
        ASSERT_OK(setrlimit(RLIMIT_SIGPENDING, &none));
        EXPECT_EQ(write(fds[1], "x", 1), 1);
        EXPECT_EQ(count, 1);
        EXPECT_EQ(last_signal, SIGIO);
    }
    close(fds[0]);
    close(fds[1]);
}

TEST(signals_with_codes_of_their_own)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    want_signals(fds[0], SIGBUS);
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(last_code, SI_SIGIO);
    signal(SIGBUS, SIG_DFL);
    close(fds[0]);
    close(fds[1]);
}

TEST(rights_are_of_who_set_the_owner)
{
    if (geteuid() != 0)
        SKIP("needs root");
    int fds[2];
    ASSERT_OK(pipe(fds));
    on_siginfo(SIGIO, handler, SA_RESTART);
    count = 0;
    pid_t child = fork_child();
    if (child == 0) {
        ASSERT_OK(setresuid(65534, 65534, 65534));
        ASSERT_OK(fcntl(fds[0], F_SETOWN, getppid()));
        ASSERT_OK(fcntl(fds[0], F_SETFL, O_ASYNC));
        child_done();
    }
    EXPECT_EQ(wait_exit(child), 0);
    EXPECT_EQ(fcntl(fds[0], F_GETOWN), getpid());
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(count, 0);
    EXPECT_OK(fcntl(fds[0], F_SETOWN, getpid()));
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(count, 1);
    close(fds[0]);
    close(fds[1]);
}

TEST(close_while_many_write)
{
    // Registrations end with the file, whoever is just telling it.
    for (int round = 0; round < 100; round++) {
        int fds[2];
        ASSERT_OK(pipe(fds));
        want_signals(fds[0], 0);
        pid_t child = fork();
        if (child == 0) {
            close(fds[0]);
            signal(SIGPIPE, SIG_IGN);
            signal(SIGIO, SIG_IGN);
            for (int i = 0; i < 100 && write(fds[1], "x", 1) == 1; i++)
                continue;
            _exit(0);
        }
        close(fds[1]);
        char c;
        EXPECT_EQ(read(fds[0], &c, 1), 1);
        close(fds[0]);
        EXPECT_EQ(wait_exit(child), 0);
    }
}
