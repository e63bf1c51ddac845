// SPDX-License-Identifier: Apache-2.0
// covers: inotify_init1, inotify_add_watch, inotify_rm_watch
// Events of a watched directory, removal, errors (man 7 inotify).
#include "guest.h"

#include <sys/inotify.h>

static int make(void)
{
    return ASSERT_OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
}

// Reads one batch and returns the or of all masks.
static uint32_t masks(int fd, char *name)
{
    char buffer[4096] __attribute__((aligned(8)));
    uint32_t mask = 0;
    ssize_t size = read(fd, buffer, sizeof(buffer));
    for (ssize_t at = 0; at < size;) {
        struct inotify_event *event = (void *)(buffer + at);
        mask |= event->mask;
        if (event->len)
            strcpy(name, event->name);
        at += sizeof(*event) + event->len;
    }
    return mask;
}

TEST(directory_events)
{
    in_tmpdir();
    int fd = make();
    char name[256] = "";
    EXPECT_OK(inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE | IN_CLOSE_WRITE | IN_MOVED_TO));
    put_file("new", "x");
    EXPECT_EQ(masks(fd, name), IN_CREATE | IN_CLOSE_WRITE);
    EXPECT_STREQ(name, "new");
    ASSERT_OK(rename("new", "moved"));
    EXPECT_EQ(masks(fd, name), IN_MOVED_TO);
    EXPECT_STREQ(name, "moved");
    ASSERT_OK(unlink("moved"));
    EXPECT_EQ(masks(fd, name), IN_DELETE);
    char c[1];
    EXPECT_ERRNO(read(fd, c, 1), EAGAIN);
    close(fd);
}

TEST(removing_the_watch)
{
    in_tmpdir();
    int fd = make();
    char name[256];
    int watch = EXPECT_OK(inotify_add_watch(fd, ".", IN_ALL_EVENTS));
    EXPECT_EQ(inotify_add_watch(fd, ".", IN_CREATE), watch);
    EXPECT_OK(inotify_rm_watch(fd, watch));
    EXPECT_EQ(masks(fd, name), IN_IGNORED);
    EXPECT_ERRNO(inotify_rm_watch(fd, watch), EINVAL);
    close(fd);
}

TEST(errors)
{
    int fd = make();
    EXPECT_ERRNO(inotify_init1(1), EINVAL);
    EXPECT_ERRNO(inotify_add_watch(fd, "/nonexistent", IN_CREATE), ENOENT);
    EXPECT_ERRNO(inotify_add_watch(fd, "/", 0), EINVAL);
    EXPECT_ERRNO(inotify_add_watch(1, "/", IN_CREATE), EINVAL);
    EXPECT_ERRNO(inotify_add_watch(-1, "/", IN_CREATE), EBADF);
    EXPECT_ERRNO(inotify_add_watch(fd, KERNEL_POINTER, IN_CREATE), EFAULT);
    close(fd);
}
