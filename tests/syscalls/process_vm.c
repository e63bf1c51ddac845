// SPDX-License-Identifier: Apache-2.0
// covers: process_vm_readv, process_vm_writev
// Copying to and from another process of the same user (man 2 process_vm_readv).
#include "guest.h"

#include <sys/uio.h>

static char shared_name[64] = "before";

static ssize_t read_of(pid_t pid, void *to, void *from, size_t n) {
    return process_vm_readv(pid, &(struct iovec){to, n}, 1, &(struct iovec){from, n}, 1, 0);
}
static ssize_t write_of(pid_t pid, void *from, void *to, size_t n) {
    return process_vm_writev(pid, &(struct iovec){from, n}, 1, &(struct iovec){to, n}, 1, 0);
}

TEST(own_memory)
{
    char copy[64] = {0};
    EXPECT_EQ(read_of(getpid(), copy, shared_name, 64), 64);
    EXPECT_STREQ(copy, "before");
    EXPECT_EQ(write_of(getpid(), "after", shared_name, 6), 6);
    EXPECT_STREQ(shared_name, "after");
}

TEST(child) {
    int go[2];
    char byte;
    ASSERT_OK(pipe(go));
    strcpy(shared_name, "parent");
    pid_t pid = fork_child();
    if (pid == 0) {
        strcpy(shared_name, "child");
        EXPECT_EQ(write(go[1], "x", 1), 1);
        while (*(volatile char *)shared_name != 't')
            usleep(1000);
        EXPECT_STREQ(shared_name, "told");
        child_done();
    }
    EXPECT_EQ(read(go[0], &byte, 1), 1);
    char copy[64];
    EXPECT_EQ(read_of(pid, copy, shared_name, 64), 64);
    EXPECT_STREQ(copy, "child");
    EXPECT_STREQ(shared_name, "parent");
    EXPECT_EQ(write_of(pid, "told", shared_name, 5), 5);
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(pieces) {
    char from[10] = "0123456789", to[12] = {0};
    struct iovec local[] = {{to, 3}, {to + 3, 0}, {to + 3, 5}, {to + 8, 4}};
    struct iovec remote[] = {{from + 5, 5}, {from, 0}, {from, 4}};
    EXPECT_EQ(process_vm_readv(getpid(), local, 4, remote, 3, 0), 9);
    EXPECT_MEMEQ(to, "567890123", 9);
    EXPECT_EQ(process_vm_readv(getpid(), local, 1, remote, 3, 0), 3);
}

TEST(large) {
    size_t n = 1 << 20;
    char *a = map_pages(n / 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *b = map_pages(n / 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (size_t i = 0; i < n; i++)
        a[i] = (char)(i / 5);
    EXPECT_EQ(read_of(getpid(), b, a, n), (long)n);
    EXPECT_MEMEQ(a, b, n);
    memset(b, 9, n);
    EXPECT_EQ(write_of(getpid(), b, a, n), (long)n);
    EXPECT_MEMEQ(a, b, n);
    munmap(a, n);
    munmap(b, n);
}

// What was copied counts; an element that refuses in its middle is copied page by page.
TEST(partial) {
    char *p = map_pages(3, PROT_READ | PROT_WRITE, MAP_PRIVATE), copy[64];
    ASSERT_OK(munmap(p + 8192, 4096));
    struct iovec local = {copy, 64}, remote[] = {{shared_name, 16}, {p + 8192, 16}, {shared_name, 16}};
    EXPECT_EQ(process_vm_readv(getpid(), &local, 1, remote, 3, 0), 16);
    EXPECT_EQ(process_vm_readv(getpid(), &local, 1, remote + 1, 2, 0) < 0 ? errno : 0, EFAULT);
    char *big = map_pages(3, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    EXPECT_EQ(read_of(getpid(), big, p, 3 * 4096), 2 * 4096);
    EXPECT_EQ(write_of(getpid(), big, p, 3 * 4096), 2 * 4096);
    munmap(p, 8192);
    munmap(big, 3 * 4096);
}

TEST(protection) {
    char *p = map_pages(1, PROT_READ, MAP_PRIVATE), copy[16] = "x";
    EXPECT_EQ(read_of(getpid(), copy, p, 16), 16);
    EXPECT_ERRNO(write_of(getpid(), copy, p, 16), EFAULT);
    EXPECT_ERRNO(read_of(getpid(), copy, no_access_page(), 16), EFAULT);
    munmap(p, 4096);
}

TEST(errors) {
    char copy[64] = {0};
    struct iovec local = {copy, 64}, remote = {shared_name, 64}, none = {copy, 0}, huge = {copy, (size_t)-1};
    EXPECT_ERRNO(read_of(getpid(), copy, KERNEL_POINTER, 64), EFAULT);
    EXPECT_ERRNO(read_of(getpid(), KERNEL_POINTER, shared_name, 64), EFAULT);
    EXPECT_ERRNO(process_vm_readv(getpid(), &local, 1, &remote, 1, 1), EINVAL);
    EXPECT_ERRNO(process_vm_readv(getpid(), &local, 1025, &remote, 1, 0), EINVAL);
    EXPECT_ERRNO(process_vm_readv(getpid(), &local, 1, &remote, 1025, 0), EINVAL);
    EXPECT_ERRNO(process_vm_readv(getpid(), &local, 1, &huge, 1, 0), EINVAL);
    EXPECT_ERRNO(process_vm_readv(getpid(), &huge, 1, &remote, 1, 0), EINVAL);
    EXPECT_ERRNO(process_vm_readv(getpid(), KERNEL_POINTER, 1, &remote, 1, 0), EFAULT);
    EXPECT_ERRNO(process_vm_readv(getpid(), &local, 1, KERNEL_POINTER, 1, 0), EFAULT);
    EXPECT_EQ(process_vm_readv(getpid(), &none, 1, &remote, 1, 0), 0);
    EXPECT_EQ(process_vm_readv(getpid(), &local, 1, &none, 1, 0), 0);
    EXPECT_EQ(process_vm_readv(getpid(), NULL, 0, NULL, 0, 0), 0);
    EXPECT_EQ(process_vm_readv(999999999, &none, 1, &remote, 1, 0), 0);
}

TEST(missing_process)
{
    char copy[64];
    EXPECT_ERRNO(read_of(999999999, copy, shared_name, 64), ESRCH);
    EXPECT_ERRNO(read_of(0, copy, shared_name, 64), ESRCH);
    EXPECT_ERRNO(read_of(-1, copy, shared_name, 64), ESRCH);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    siginfo_t info;
    EXPECT_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    EXPECT_ERRNO(read_of(pid, copy, shared_name, 64), ESRCH);
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(another_user) {
    if (geteuid() != 0)
        SKIP("needs root");
    pid_t parent = getpid();
    IN_CHILD {
        char copy[64];
        ASSERT_OK(setresuid(65534, 65534, 65534));
        EXPECT_ERRNO(read_of(parent, copy, shared_name, 64), EPERM);
        EXPECT_ERRNO(write_of(parent, copy, shared_name, 64), EPERM);
    }
}
