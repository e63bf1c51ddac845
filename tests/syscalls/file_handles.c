// SPDX-License-Identifier: Apache-2.0
// covers: name_to_handle_at, open_by_handle_at
// Handles of files (man 2 open_by_handle_at): on a tmpfs of one's own.
#include "guest.h"

#include <sched.h>
#include <sys/mount.h>

struct handle {
    uint32_t bytes;
    int32_t type;
    unsigned char data[128];
};

static void own_place(void) {
    if (geteuid() != 0)
        SKIP("needs CAP_DAC_READ_SEARCH");
    if (unshare(CLONE_NEWNS) == -1 && errno == EPERM)
        SKIP("needs CAP_SYS_ADMIN");
    ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    ASSERT_OK(mount("place", ".", "tmpfs", 0, "mode=755,size=1m"));
    ASSERT_OK(chdir(guest.tmpdir));
}
static int get_handle(const char *name, struct handle *h, int *id) {
    h->bytes = 128;
    return name_to_handle_at(AT_FDCWD, name, (struct file_handle *)h, id, 0);
}
static int by_handle(int at, struct handle *h, int flags) {
    return open_by_handle_at(at, (struct file_handle *)h, flags);
}

TEST(there_and_back) {
    in_tmpdir();
    IN_CHILD {
        own_place();
        struct handle h = {0}, again = {0}, other = {0};
        int id = -1, dir = ASSERT_OK(open(".", O_RDONLY | O_DIRECTORY));
        char text[8] = {0};
        put_file("f", "text");
        put_file("g", "more");
        ASSERT_OK(get_handle("f", &h, &id));
        ASSERT_OK(get_handle("f", &again, &id));
        ASSERT_OK(get_handle("g", &other, &id));
        EXPECT_TRUE(h.bytes > 0 && h.bytes <= 128);
        EXPECT_EQ(memcmp(h.data, again.data, h.bytes), 0);
        EXPECT_TRUE(memcmp(h.data, other.data, h.bytes) != 0);
        int fd = ASSERT_OK(by_handle(dir, &h, O_RDWR));
        EXPECT_EQ(read(fd, text, 4), 4);
        EXPECT_STREQ(text, "text");
        close(fd);
        ASSERT_OK(rename("f", "moved"));
        fd = ASSERT_OK(by_handle(dir, &h, O_PATH | O_CLOEXEC));
        EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
        close(fd);
        mkdir("d", 0755);
        put_file("d/in", "x");
        ASSERT_OK(get_handle("d", &other, &id));
        fd = ASSERT_OK(by_handle(dir, &other, O_RDONLY | O_DIRECTORY));
        EXPECT_OK(faccessat(fd, "in", F_OK, 0));
        close(fd);
        ASSERT_OK(unlink("moved"));
        EXPECT_ERRNO(by_handle(dir, &h, O_RDONLY), ESTALE);
    }
}

TEST(errors) {
    in_tmpdir();
    IN_CHILD {
        own_place();
        struct handle h = {0}, p = {0};
        int id = -1, dir = ASSERT_OK(open(".", O_RDONLY | O_DIRECTORY));
        put_file("f", "text");
        h.bytes = 0;
        EXPECT_ERRNO(name_to_handle_at(AT_FDCWD, "f", (struct file_handle *)&h, &id, 0), EOVERFLOW);
        EXPECT_TRUE(h.bytes > 0 && h.bytes <= 128);
        EXPECT_OK(name_to_handle_at(AT_FDCWD, "f", (struct file_handle *)&h, &id, 0));
        EXPECT_TRUE(id >= 0);
        h.bytes = 129;
        EXPECT_ERRNO(name_to_handle_at(AT_FDCWD, "f", (struct file_handle *)&h, &id, 0), EINVAL);
        EXPECT_ERRNO(by_handle(dir, &h, O_RDONLY), EINVAL);
        h.bytes = 0;
        EXPECT_ERRNO(by_handle(dir, &h, O_RDONLY), EINVAL);
        EXPECT_ERRNO(get_handle("missing", &h, &id), ENOENT);
        EXPECT_ERRNO(name_to_handle_at(AT_FDCWD, "f", (struct file_handle *)&h, &id, 0x4000), EINVAL);
        EXPECT_ERRNO(name_to_handle_at(AT_FDCWD, "f", (struct file_handle *)&h, &id, 0x202), EINVAL);
        EXPECT_ERRNO(name_to_handle_at(AT_FDCWD, "f", KERNEL_POINTER, &id, 0), EFAULT);
        h.bytes = 128;
        EXPECT_ERRNO(name_to_handle_at(AT_FDCWD, "f", (struct file_handle *)&h, KERNEL_POINTER, 0), EFAULT);
        EXPECT_ERRNO(open_by_handle_at(dir, KERNEL_POINTER, O_RDONLY), EFAULT);
        EXPECT_ERRNO(get_handle("/proc/self/status", &p, &id), EOPNOTSUPP);
        ASSERT_OK(get_handle("f", &h, &id));
        EXPECT_ERRNO(by_handle(1000, &h, O_RDONLY), EBADF);
        h.data[0] ^= 0x55;
        EXPECT_ERRNO(by_handle(dir, &h, O_RDONLY), ESTALE);
        h.data[0] ^= 0x55;
        EXPECT_OK(by_handle(dir, &h, O_RDONLY));
        EXPECT_ERRNO(by_handle(dir, &h, O_RDONLY | O_DIRECTORY), ENOTDIR);
        ASSERT_OK(setresuid(65534, 65534, 65534));
        EXPECT_ERRNO(by_handle(dir, &h, O_RDONLY), EPERM);
        EXPECT_OK(get_handle("f", &h, &id));
    }
}

// Files without a name lie in file systems that nobody comes to, not even to their roots.
TEST(of_what_has_no_place) {
    if (geteuid() != 0)
        SKIP("needs CAP_DAC_READ_SEARCH");
    struct handle h = {.bytes = 12, .type = 0x81};
    int p[2], memfd = ASSERT_OK(memfd_create("m", 0));
    ASSERT_OK(pipe(p));
    for (uint64_t ino = 0; ino < 64; ino++) {
        memcpy(h.data, &ino, sizeof(ino));
        EXPECT_ERRNO(by_handle(memfd, &h, O_PATH), ESTALE);
        EXPECT_ERRNO(by_handle(p[0], &h, O_PATH), ESTALE);
    }
}
