// SPDX-License-Identifier: Apache-2.0
// covers: umask
// The mask is returned, masked to 0777, applied at creation, inherited, and shared by threads (man 2
// umask).
#include "guest.h"

static int created_mode(const char *name, int mode)
{
    int fd = ASSERT_OK(open(name, O_WRONLY | O_CREAT | O_EXCL, mode));
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    close(fd);
    return st.st_mode & 07777;
}

static void *set_mask(void *unused)
{
    umask(055);
    return NULL;
}

TEST(returns_the_old_one)
{
    IN_CHILD {
        umask(0123);
        EXPECT_EQ(umask(0), 0123);
        EXPECT_EQ(umask(07777), 0);
        EXPECT_EQ(umask(0), 0777);
    }
}

TEST(applies)
{
    in_tmpdir();
    IN_CHILD {
        umask(027);
        EXPECT_EQ(created_mode("a", 0777), 0750);
        EXPECT_EQ(created_mode("b", 0666), 0640);
        ASSERT_OK(chmod("a", 0777));
        struct stat st;
        EXPECT_OK(stat("a", &st));
        EXPECT_EQ(st.st_mode & 07777, 0777);
        umask(0777);
        EXPECT_EQ(created_mode("c", 0777), 0);
    }
}

TEST(inherited_and_private)
{
    umask(033);
    IN_CHILD {
        EXPECT_EQ(umask(077), 033);
    }
    EXPECT_EQ(umask(022), 033);
}

TEST(shared_by_threads)
{
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, set_mask, NULL), 0);
    pthread_join(thread, NULL);
    EXPECT_EQ(umask(022), 055);
}
