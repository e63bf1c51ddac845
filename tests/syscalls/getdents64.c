// SPDX-License-Identifier: Apache-2.0
// covers: getdents64, getdents
// Directory entries: all names once, types, small buffers, rewinding, bad buffers (man 2 getdents).
#include "guest.h"

struct entry {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

static const struct entry *find(const char *buffer, long size, const char *name)
{
    for (long at = 0; at < size;) {
        const struct entry *entry = (const void *)(buffer + at);
        if (strcmp(entry->name, name) == 0)
            return entry;
        at += entry->length;
    }
    return NULL;
}

TEST(names_and_types)
{
    in_tmpdir();
    put_file("file", "");
    ASSERT_OK(mkdir("dir", 0755));
    ASSERT_OK(symlink("x", "link"));
    int fd = ASSERT_OK(open(".", O_RDONLY));
    char buffer[4096] __attribute__((aligned(8)));
    long size = ASSERT_OK(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)));
    const char *names[] = {".", "..", "file", "dir", "link"};
    int types[] = {DT_DIR, DT_DIR, DT_REG, DT_DIR, DT_LNK};
    for (int i = 0; i < 5; i++) {
        const struct entry *entry = find(buffer, size, names[i]);
        if (!entry)
            FAIL("%s: expected an entry got none", names[i]);
        else
            EXPECT_TRUE(entry->type == types[i] || entry->type == DT_UNKNOWN);
    }
    EXPECT_EQ(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)), 0);
    EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
    EXPECT_EQ(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)), size);
    close(fd);
}

TEST(many_entries_in_small_pieces)
{
    in_tmpdir();
    char name[32];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "entry-%03d", i);
        put_file(name, "");
    }
    int fd = ASSERT_OK(open(".", O_RDONLY)), total = 0;
    static bool seen[200];
    char buffer[128] __attribute__((aligned(8)));
    for (long size; (size = EXPECT_OK(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)))) > 0;) {
        for (long at = 0; at < size;) {
            const struct entry *entry = (const void *)(buffer + at);
            int index;
            if (sscanf(entry->name, "entry-%d", &index) == 1) {
                EXPECT_TRUE(!seen[index]);
                seen[index] = true;
                total++;
            }
            at += entry->length;
        }
    }
    EXPECT_EQ(total, 200);
    close(fd);
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "");
    char buffer[256];
    int dir = ASSERT_OK(open(".", O_RDONLY)), file = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_ERRNO(syscall(SYS_getdents64, dir, buffer, 10), EINVAL);
    EXPECT_ERRNO(syscall(SYS_getdents64, dir, NULL_POINTER, 256), EFAULT);
    EXPECT_ERRNO(syscall(SYS_getdents64, file, buffer, 256), ENOTDIR);
    EXPECT_ERRNO(syscall(SYS_getdents64, -1, buffer, 256), EBADF);
    close(dir);
    ASSERT_OK(mkdir("gone", 0700));
    dir = ASSERT_OK(open("gone", O_RDONLY));
    ASSERT_OK(rmdir("gone"));
    EXPECT_ERRNO(syscall(SYS_getdents64, dir, buffer, 256), ENOENT);
    close(dir);
    close(file);
}

TEST(removing_while_reading)
{
    in_tmpdir();
    char name[32];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "%d", i);
        put_file(name, "");
    }
    DIR *dir = opendir(".");
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] != '.')
            EXPECT_OK(unlink(entry->d_name));
    }
    closedir(dir);
    ASSERT_OK(mkdir("x", 0700));
    EXPECT_OK(rmdir("x"));
    EXPECT_OK(rmdir(guest.tmpdir));
}
