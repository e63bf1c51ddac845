// SPDX-License-Identifier: Apache-2.0
// covers: shmget, shmat, shmdt, shmctl
// Shared memory segments where they are offered: sharing, counting, removal (man 2 shmget).
#include "guest.h"

#include <sys/ipc.h>
#include <sys/shm.h>

static int make(size_t size)
{
    int id = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);
    if (id < 0 && errno == ENOSYS)
        SKIP("not offered here");
    return ASSERT_OK(id);
}

TEST(shared_by_fork)
{
    int id = make(8192);
    char *p = shmat(id, NULL, 0);
    ASSERT_TRUE(p != (char *)-1);
    EXPECT_EQ(p[8000], 0);
    IN_CHILD {
        strcpy(p, "from the child");
    }
    EXPECT_STREQ(p, "from the child");
    struct shmid_ds info;
    EXPECT_OK(shmctl(id, IPC_STAT, &info));
    EXPECT_EQ(info.shm_segsz, 8192);
    EXPECT_EQ(info.shm_nattch, 1);
    EXPECT_OK(shmctl(id, IPC_RMID, NULL));
    EXPECT_STREQ(p, "from the child");
    EXPECT_OK(shmdt(p));
    EXPECT_ERRNO(shmctl(id, IPC_STAT, &info), EINVAL);
}

TEST(errors)
{
    int id = make(4096);
    EXPECT_OK(shmctl(id, IPC_RMID, NULL));
    EXPECT_ERRNO(shmat(-1, NULL, 0), EINVAL);
    EXPECT_ERRNO(shmdt(opaque_pointer(4096)), EINVAL);
    EXPECT_ERRNO(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600), EINVAL);
    EXPECT_ERRNO(shmget(0x77abcdef, 4096, 0), ENOENT);
}
