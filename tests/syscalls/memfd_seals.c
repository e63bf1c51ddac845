// SPDX-License-Identifier: Apache-2.0
// covers: fcntl, memfd_create
// F_ADD_SEALS forbids growing, shrinking, writing and more seals (man 2 fcntl, File Sealing).
#include "guest.h"

TEST(needs_permission)
{
    int fd = ASSERT_OK(memfd_create("m", 0));
    EXPECT_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
    EXPECT_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
    close(fd);
    int pipes[2];
    ASSERT_OK(pipe(pipes));
    EXPECT_ERRNO(fcntl(pipes[0], F_GET_SEALS), EINVAL);
    close(pipes[0]);
    close(pipes[1]);
}

TEST(size)
{
    int fd = ASSERT_OK(memfd_create("m", MFD_ALLOW_SEALING));
    ASSERT_OK(ftruncate(fd, 4096));
    EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    EXPECT_ERRNO(ftruncate(fd, 10), EPERM);
    EXPECT_OK(ftruncate(fd, 5000));
    EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    EXPECT_ERRNO(ftruncate(fd, 6000), EPERM);
    EXPECT_EQ(pwrite(fd, "x", 1, 4999), 1);
    EXPECT_ERRNO(pwrite(fd, "x", 1, 9000), EPERM);
    EXPECT_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
    close(fd);
}

TEST(writing)
{
    int fd = ASSERT_OK(memfd_create("m", MFD_ALLOW_SEALING));
    ASSERT_OK(ftruncate(fd, 4096));
    char *p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
    EXPECT_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    munmap(p, 4096);
    EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    EXPECT_ERRNO(write(fd, "x", 1), EPERM);
    EXPECT_ERRNO(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
    p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    p[0] = 1;
    munmap(p, 4096);
    close(fd);
}

// What a process had mapped is gone when its end has been waited for; a map that cannot be written never
// counts.
TEST(writing_after_a_child)
{
    const size_t size = 4 << 20;
    for (int i = 0; i < 10; i++) {
        int fd = ASSERT_OK(memfd_create("m", MFD_ALLOW_SEALING));
        ASSERT_OK(ftruncate(fd, size));
        pid_t pid = fork_child();
        if (pid == 0) {
            char *p = map_file(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED);
            memset(p, 1, size);
            child_done();
        }
        EXPECT_EQ(wait_exit(pid), 0);
        char *p = map_file(fd, 4096, PROT_READ, MAP_PRIVATE);
        EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
        EXPECT_EQ(p[0], 1);
        munmap(p, 4096);
        close(fd);
    }
}

// A shared map of a file that may only be read shows what others write, also to a page that nobody had
// written.
TEST(reading_what_others_write)
{
    char path[64];
    in_tmpdir();
    put_file("f", "");
    int w = ASSERT_OK(open("f", O_RDWR)), m = ASSERT_OK(memfd_create("m", 0));
    snprintf(path, sizeof path, "/proc/self/fd/%d", m);
    int fds[2][2] = {{w, ASSERT_OK(open("f", O_RDONLY))}, {m, ASSERT_OK(open(path, O_RDONLY))}};
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(ftruncate(fds[i][0], 3 * 4096));
        volatile char *p = map_file(fds[i][1], 3 * 4096, PROT_READ, MAP_SHARED);
        char *q = map_file(fds[i][0], 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
        EXPECT_EQ(p[0], 0);
        q[0] = 'm';
        EXPECT_EQ(p[0], 'm');
        EXPECT_EQ(pwrite(fds[i][0], "w", 1, 0), 1);
        EXPECT_EQ(p[0], 'w');
        EXPECT_EQ(pwrite(fds[i][0], "x", 1, 4096), 1);
        EXPECT_EQ(p[4096], 'x');
        EXPECT_ERRNO(mprotect((void *)p, 4096, PROT_READ | PROT_WRITE), EACCES);
        EXPECT_EQ(write_faults((void *)p), SIGSEGV);
        ASSERT_OK(ftruncate(fds[i][0], 4096));
        EXPECT_EQ(read_faults((void *)(p + 4096)), SIGBUS);
        munmap((void *)p, 3 * 4096);
        munmap(q, 3 * 4096);
    }
}

TEST(seal_of_seals)
{
    int fd = ASSERT_OK(memfd_create("m", MFD_ALLOW_SEALING));
    EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    EXPECT_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    close(fd);
    fd = ASSERT_OK(memfd_create("m", MFD_ALLOW_SEALING));
    EXPECT_ERRNO(fcntl(fd, F_ADD_SEALS, 0x8000), EINVAL);
    close(fd);
}
