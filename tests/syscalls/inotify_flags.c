// SPDX-License-Identifier: Apache-2.0
// covers: inotify_init, inotify_init1, inotify_add_watch, inotify_rm_watch
// Flags of a watch, the queue as a file, and what is refused (man 2 inotify_add_watch, man 7 inotify).
#include "inotify_text.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#ifndef IN_MASK_CREATE
#define IN_MASK_CREATE 0x10000000
#endif

TEST(only_directories)
{
    in_tmpdir();
    put_file("f", "");
    ASSERT_OK(symlink("f", "l"));
    int in = inotify_make();
    EXPECT_ERRNO(inotify_add_watch(in, "f", IN_OPEN | IN_ONLYDIR), ENOTDIR);
    EXPECT_OK(inotify_add_watch(in, ".", IN_OPEN | IN_ONLYDIR));
    EXPECT_OK(inotify_add_watch(in, "l", IN_ATTRIB | IN_DELETE_SELF | IN_DONT_FOLLOW));
    EXPECT_OK(unlink("l"));
    EXPECT_STREQ(events(in), "b ATTRIB, b DELETE_SELF, b IGNORED");
    close(in);
}

TEST(adding_to_a_mask)
{
    in_tmpdir();
    int in = inotify_make();
    int wd = ASSERT_OK(inotify_add_watch(in, ".", IN_CREATE));
    EXPECT_EQ(inotify_add_watch(in, ".", IN_DELETE | IN_MASK_ADD), wd);
    EXPECT_OK(mkdir("d", 0700));
    EXPECT_OK(rmdir("d"));
    EXPECT_STREQ(events(in), "a CREATE|ISDIR d, a DELETE|ISDIR d");
    EXPECT_EQ(inotify_add_watch(in, ".", IN_DELETE), wd);
    EXPECT_OK(mkdir("d", 0700));
    EXPECT_OK(rmdir("d"));
    EXPECT_STREQ(events(in), "a DELETE|ISDIR d");
    EXPECT_ERRNO(inotify_add_watch(in, ".", IN_DELETE | IN_MASK_CREATE), EEXIST);
    EXPECT_ERRNO(inotify_add_watch(in, ".", IN_DELETE | IN_MASK_CREATE | IN_MASK_ADD), EINVAL);
    close(in);
}

TEST(once)
{
    in_tmpdir();
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, ".", IN_CREATE | IN_DELETE | IN_ONESHOT));
    EXPECT_OK(mkdir("d", 0700));
    EXPECT_OK(rmdir("d"));
    EXPECT_STREQ(events(in), "a CREATE|ISDIR d, a IGNORED");
    EXPECT_EQ(inotify_add_watch(in, ".", IN_CREATE), 2);  // numbers are not used again
    close(in);
}

TEST(unlinked_children)
{
    in_tmpdir();
    put_file("f", "");
    int fd = ASSERT_OK(open("f", O_RDWR));
    int in = inotify_make(), all = inotify_make();
    ASSERT_OK(inotify_add_watch(in, ".", IN_ALL_EVENTS | IN_EXCL_UNLINK));
    ASSERT_OK(inotify_add_watch(in, "f", IN_ALL_EVENTS | IN_EXCL_UNLINK));
    ASSERT_OK(inotify_add_watch(all, ".", IN_ALL_EVENTS));
    EXPECT_EQ(write(fd, "x", 1), 1);
    EXPECT_STREQ(events(in), "a MODIFY f, b MODIFY");
    EXPECT_OK(unlink("f"));
    EXPECT_STREQ(events(in), "b ATTRIB, a DELETE f");
    EXPECT_STREQ(events(all), "a MODIFY f, a DELETE f");
    EXPECT_EQ(write(fd, "x", 1), 1);
    EXPECT_OK(fchmod(fd, 0600));
    EXPECT_STREQ(events(all), "a MODIFY f, a ATTRIB f");
    EXPECT_STREQ(events(in), "a ATTRIB f, b ATTRIB");
    close(fd);
    EXPECT_STREQ(events(in), "b DELETE_SELF, b IGNORED");
    close(in);
    close(all);
}

TEST(no_events_of_o_path)
{
    in_tmpdir();
    put_file("f", "");
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, "f", IN_ALL_EVENTS));
    int fd = ASSERT_OK(open("f", O_PATH));
    close(fd);
    const char *got = events(in);
    // Linux before 6.10 tells of them.
    EXPECT_TRUE(!*got || !strcmp(got, "a OPEN, a CLOSE_NOWRITE"));
    close(in);
}

TEST(equal_events_are_one)
{
    in_tmpdir();
    put_file("f", "");
    put_file("g", "");
    int fd = ASSERT_OK(open("f", O_WRONLY)), other = ASSERT_OK(open("g", O_WRONLY));
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, ".", IN_MODIFY));
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(write(fd, "x", 1), 1);
    EXPECT_EQ(write(other, "x", 1), 1);
    EXPECT_EQ(write(fd, "x", 1), 1);
    EXPECT_STREQ(events(in), "a MODIFY f, a MODIFY g, a MODIFY f");
    close(in);
    close(fd);
    close(other);
}

TEST(small_buffers)
{
    in_tmpdir();
    int in = inotify_make(), left = -1;
    ASSERT_OK(inotify_add_watch(in, ".", IN_CREATE | IN_DELETE_SELF));
    char buf[64] __attribute__((aligned(8)));
    EXPECT_ERRNO(read(in, buf, sizeof(buf)), EAGAIN);
    EXPECT_ERRNO(read(in, buf, 0), EAGAIN);
    EXPECT_OK(ioctl(in, FIONREAD, &left));
    EXPECT_EQ(left, 0);
    ASSERT_OK(mkdir("fifteen_letters", 0700));
    ASSERT_OK(mkdir("sixteen_letters_", 0700));
    EXPECT_OK(ioctl(in, FIONREAD, &left));
    EXPECT_EQ(left, 16 + 16 + 16 + 32);
    EXPECT_ERRNO(read(in, buf, 31), EINVAL);
    EXPECT_ERRNO(read(in, buf, 0), EINVAL);
    EXPECT_EQ(read(in, buf, 32 + 47), 32);  // the second does not fit
    struct inotify_event *e = (void *)buf;
    EXPECT_EQ(e->len, 16);
    EXPECT_STREQ(e->name, "fifteen_letters");
    EXPECT_ERRNO(read(in, buf, 47), EINVAL);
    EXPECT_EQ(read(in, buf, 48), 48);
    EXPECT_EQ(e->len, 32);
    EXPECT_STREQ(e->name, "sixteen_letters_");
    ASSERT_OK(rmdir("fifteen_letters"));
    ASSERT_OK(mkdir("again", 0700));
    EXPECT_ERRNO(read(in, no_access_page(), 64), EFAULT);
    EXPECT_ERRNO(read(in, buf, sizeof(buf)), EAGAIN);  // it is lost
    close(in);
}

TEST(readiness)
{
    in_tmpdir();
    int in = inotify_make(), ep = ASSERT_OK(epoll_create1(0));
    ASSERT_OK(inotify_add_watch(in, ".", IN_CREATE));
    struct epoll_event want = {.events = EPOLLIN | EPOLLET}, got;
    ASSERT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, in, &want));
    struct pollfd p = {.fd = in, .events = POLLIN | POLLOUT};
    EXPECT_EQ(poll(&p, 1, 0), 0);
    EXPECT_EQ(epoll_wait(ep, &got, 1, 0), 0);
    pid_t child = fork_child();
    if (child == 0) {
        sleep_ms(30);
        ASSERT_OK(mkdir("d", 0700));
        child_done();
    }
    EXPECT_EQ(epoll_wait(ep, &got, 1, 20000), 1);
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLIN);
    EXPECT_EQ(wait_exit(child), 0);
    EXPECT_STREQ(events(in), "a CREATE|ISDIR d");
    EXPECT_EQ(poll(&p, 1, 0), 0);
    close(ep);
    close(in);
}

// A blocking read waits, and goes on after a signal's handler with SA_RESTART.
static void nothing(int sig) { (void)sig; }
TEST(blocking_read)
{
    in_tmpdir();
    int in = ASSERT_OK(inotify_init());
    ASSERT_OK(inotify_add_watch(in, ".", IN_CREATE));
    struct sigaction sa = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    ASSERT_OK(sigaction(SIGUSR1, &sa, NULL));
    pid_t parent = getpid(), child = fork_child();
    if (child == 0) {
        sleep_ms(30);
        kill(parent, SIGUSR1);
        sleep_ms(30);
        ASSERT_OK(mkdir("d", 0700));
        child_done();
    }
    char buf[64] __attribute__((aligned(8)));
    EXPECT_EQ(read(in, buf, sizeof(buf)), 32);
    EXPECT_EQ(((struct inotify_event *)buf)->mask, IN_CREATE | IN_ISDIR);
    EXPECT_EQ(wait_exit(child), 0);
    close(in);
}

TEST(removing)
{
    in_tmpdir();
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, ".", IN_CREATE));
    ASSERT_OK(inotify_add_watch(in, "/", IN_DELETE_SELF));
    EXPECT_OK(mkdir("d", 0700));
    EXPECT_OK(inotify_rm_watch(in, 1));
    EXPECT_OK(mkdir("e", 0700));
    EXPECT_STREQ(events(in), "a CREATE|ISDIR d, a IGNORED");
    EXPECT_ERRNO(inotify_rm_watch(in, 1), EINVAL);
    EXPECT_ERRNO(inotify_rm_watch(in, 0), EINVAL);
    EXPECT_ERRNO(inotify_rm_watch(in, -1), EINVAL);
    EXPECT_ERRNO(inotify_rm_watch(0, 1), EINVAL);
    EXPECT_ERRNO(inotify_rm_watch(-1, 1), EBADF);
    close(in);
}

TEST(refused)
{
    in_tmpdir();
    ASSERT_OK(mkdir("secret", 0300));
    int in = inotify_make();
    EXPECT_ERRNO(inotify_init1(IN_NONBLOCK | 1), EINVAL);
    EXPECT_ERRNO(inotify_add_watch(in, ".", 0), EINVAL);
    EXPECT_ERRNO(inotify_add_watch(in, ".", 0x00001000), EINVAL);
    EXPECT_ERRNO(inotify_add_watch(in, "", IN_CREATE), ENOENT);
    EXPECT_ERRNO(write(in, "x", 1), EBADF);
    if (geteuid() != 0)
        EXPECT_ERRNO(inotify_add_watch(in, "secret", IN_CREATE), EACCES);
    EXPECT_EQ(inotify_add_watch(in, ".", IN_ISDIR), 1);  // a bit that it knows, and no event
    EXPECT_EQ(fcntl(in, F_GETFL) & O_ACCMODE, O_RDONLY);
    EXPECT_EQ(fcntl(in, F_GETFD), FD_CLOEXEC);
    close(in);
}

TEST(described_in_proc)
{
    in_tmpdir();
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, ".", IN_CREATE | IN_EXCL_UNLINK));
    ASSERT_OK(inotify_add_watch(in, "/", IN_DELETE));
    char path[64], text[1024], want[128];
    struct stat st;
    ASSERT_OK(stat(".", &st));
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", in);
    get_file(path, text, sizeof(text));
    snprintf(want, sizeof(want), "inotify wd:1 ino:%llx sdev:", (unsigned long long)st.st_ino);
    EXPECT_TRUE(strstr(text, want) != NULL);
    EXPECT_TRUE(strstr(text, "mask:4000100 ignored_mask:0 ") != NULL);
    EXPECT_TRUE(strstr(text, "inotify wd:2 ") != NULL);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", in);
    ssize_t n = readlink(path, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    EXPECT_STREQ(text, "anon_inode:inotify");
    close(in);
}
