// SPDX-License-Identifier: Apache-2.0
// covers: read, poll, epoll_wait, close, accept, flock, fcntl
// A descriptor is closed while another thread waits on it: the wait goes on with the open file, whatever the
// number comes to mean (man 2 close, "Multithreaded processes and close()").
#include "guest.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

struct job {
    int fd;
    char byte;
    ssize_t result;
};

static void *reader(void *arg)
{
    struct job *job = arg;
    job->result = read(job->fd, &job->byte, 1);
    return NULL;
}

TEST(read_goes_on_with_its_file)
{
    int fds[2], other[2];
    ASSERT_OK(pipe(fds));
    ASSERT_OK(pipe(other));
    struct job job = {.fd = fds[0]};
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, reader, &job), 0);
    others_asleep(1);
    EXPECT_EQ(write(other[1], "b", 1), 1);
    EXPECT_EQ(dup2(other[0], fds[0]), fds[0]);
    EXPECT_EQ(write(fds[1], "a", 1), 1);
    pthread_join(thread, NULL);
    EXPECT_EQ(job.result, 1);
    EXPECT_EQ(job.byte, 'a');
    close(fds[0]);
    close(fds[1]);
    close(other[0]);
    close(other[1]);
}

TEST(read_sees_the_end)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    struct job job = {.fd = fds[0], .result = -2};
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, reader, &job), 0);
    others_asleep(1);
    close(fds[0]);
    close(fds[1]);
    pthread_join(thread, NULL);
    EXPECT_EQ(job.result, 0);
}

static void *poller(void *arg)
{
    struct job *job = arg;
    struct pollfd p[3] = {{job->fd, POLLIN, 0}, {job->fd, POLLIN, 0}, {-1, POLLIN, 0}};
    job->result = poll(p, 3, 200);
    return NULL;
}

TEST(poll_outlives_its_file)
{
    struct job job = {.fd = ASSERT_OK(eventfd(0, 0)), .result = -2};
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, poller, &job), 0);
    others_asleep(1);
    close(job.fd);
    pthread_join(thread, NULL);
    EXPECT_RANGE(job.result, 0, 2);  // nothing, or POLLNVAL for both entries
}

static void *epoller(void *arg)
{
    struct job *job = arg;
    struct epoll_event event;
    job->result = epoll_wait(job->fd, &event, 1, 200);
    return NULL;
}

TEST(epoll_outlives_its_descriptors)
{
    struct job job = {.fd = ASSERT_OK(epoll_create1(0)), .result = -2};
    int fd = ASSERT_OK(eventfd(0, 0));
    struct epoll_event event = {.events = EPOLLIN};
    EXPECT_OK(epoll_ctl(job.fd, EPOLL_CTL_ADD, fd, &event));
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, epoller, &job), 0);
    others_asleep(1);
    close(job.fd);
    close(fd);
    pthread_join(thread, NULL);
    EXPECT_EQ(job.result, 0);
}

static void *accepter(void *arg)
{
    struct job *job = arg;
    job->result = accept(job->fd, NULL, NULL);
    return NULL;
}

TEST(accept_goes_on_with_its_socket)
{
    in_tmpdir();
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "s"};
    struct job job = {.fd = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0)), .result = -2};
    ASSERT_OK(bind(job.fd, (void *)&address, sizeof(address)));
    ASSERT_OK(listen(job.fd, 1));
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, accepter, &job), 0);
    others_asleep(1);
    close(job.fd);
    int client = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_OK(connect(client, (void *)&address, sizeof(address)));
    pthread_join(thread, NULL);
    EXPECT_GE(job.result, 0);
    close(job.result);
    close(client);
}

// The file of the lock goes with its holder: nobody has it any more but the call that waits.
static void *flocker(void *arg)
{
    struct job *job = arg;
    job->result = flock(job->fd, LOCK_EX) < 0 ? -errno : 0;
    return NULL;
}
static void *setlkw(void *arg)
{
    struct job *job = arg;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    job->result = fcntl(job->fd, F_SETLKW, &lock) < 0 ? -errno : 0;
    return NULL;
}
static void *ofd_setlkw(void *arg)
{
    struct job *job = arg;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    job->result = fcntl(job->fd, F_OFD_SETLKW, &lock) < 0 ? -errno : 0;
    return NULL;
}

static void lock_of_a_closed_file(void *(*waiter)(void *), bool posix, int want)
{
    in_tmpdir();
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t pid = fork_child();
    if (pid == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
        EXPECT_OK(posix ? fcntl(fd, F_SETLK, &lock) : flock(fd, LOCK_EX));
        EXPECT_EQ(write(fds[1], "x", 1), 1);
        sleep_ms(100);
        unlink("f");
        child_done();
    }
    char c;
    EXPECT_EQ(read(fds[0], &c, 1), 1);
    struct job job = {.fd = ASSERT_OK(open("f", O_RDWR)), .result = -2};
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, waiter, &job), 0);
    others_asleep(1);
    close(job.fd);
    pthread_join(thread, NULL);
    EXPECT_EQ(job.result, want);
    EXPECT_EQ(wait_exit(pid), 0);
    close(fds[0]);
    close(fds[1]);
}

TEST(flock_goes_on_with_its_file) { lock_of_a_closed_file(flocker, false, 0); }
TEST(setlkw_of_a_closed_number) { lock_of_a_closed_file(setlkw, true, -EBADF); }
TEST(ofd_setlkw_goes_on_with_its_file) { lock_of_a_closed_file(ofd_setlkw, true, 0); }

static int ring[2];
static void *hammer(void *arg)
{
    struct epoll_event event = {.events = EPOLLIN};
    for (int i = 0; i < 300; i++) {
        int fd = eventfd(i & 1, EFD_NONBLOCK), ep = *(int *)arg;
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
        epoll_ctl(ring[0], EPOLL_CTL_ADD, ep, &event);
        epoll_ctl(ep, EPOLL_CTL_ADD, ring[0], &event);
        epoll_wait(ep, &event, 1, 0);
        struct pollfd p[2] = {{fd, POLLIN, 0}, {ep, POLLIN, 0}};
        poll(p, 2, 0);
        close(fd);
    }
    return NULL;
}

TEST(many_at_once)
{
    pthread_t threads[4];
    int ep = ASSERT_OK(epoll_create1(0));
    ring[0] = ASSERT_OK(epoll_create1(0));
    for (int i = 0; i < 4; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, hammer, &ep), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    struct epoll_event event;
    EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 0);
    close(ep);
    close(ring[0]);
}
