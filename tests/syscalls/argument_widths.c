// SPDX-License-Identifier: Apache-2.0
// covers: sync_file_range, sethostname, sched_setattr, sched_getattr, semop, futex_waitv
// How wide an argument is: of an int the low half of its register counts, and nobody looks at the upper one;
// of a long all of it counts; umode_t has 16 bits (SYSCALL_DEFINEn in Linux' sources, syscall(2)).
#include "guest.h"

#include <linux/futex.h>
#include <linux/mman.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/uio.h>

#ifndef SYS_setxattrat
#define SYS_setxattrat    463
#define SYS_removexattrat 466
#endif
#define HIGH (1l << 32)

// A call and which of its arguments has 32 bits.
struct narrow {
    const char *name;
    long nr;
    int which;
    long args[6];
};

static int result(const struct narrow *c, const long *v)
{
    errno = 0;
    long r = syscall(c->nr, v[0], v[1], v[2], v[3], v[4], v[5]);
    return r < 0 ? errno : 0;
}

// Whatever the call says: it says the same with a bit in the argument's upper half.
static void upper_half_is_ignored(const struct narrow *calls, int n)
{
    for (int i = 0; i < n; i++) {
        const struct narrow *c = &calls[i];
        long v[6];
        memcpy(v, c->args, sizeof(v));
        int plain = result(c, v);
        v[c->which] |= HIGH;
        int wide = result(c, v);
        if (plain != wide)
            guest_fail(GUEST_AT, "%s, argument %d: %s, and with a high bit %s", c->name, c->which,
                       guest_errno_name(plain), guest_errno_name(wide));
    }
}

#define NARROW(name, which, ...) {#name, SYS_##name, which, {__VA_ARGS__}}
#define P(pointer) (long)(pointer)
#define IGNORED(...)                                                                                         \
    upper_half_is_ignored((const struct narrow[]){__VA_ARGS__},                                              \
                          sizeof((const struct narrow[]){__VA_ARGS__}) / sizeof(struct narrow))

TEST(flags_of_files)
{
    in_tmpdir();
    put_file("f", "abcdefgh");
    int fd = ASSERT_OK(open("f", O_RDWR)), to = ASSERT_OK(open("g", O_RDWR | O_CREAT, 0600));
    char buffer[8];
    struct iovec iov = {buffer, 1};
    IGNORED(NARROW(fadvise64, 3, fd, 0, 0, POSIX_FADV_NORMAL), NARROW(preadv2, 5, fd, P(&iov), 1, 0, 0, 0),
            NARROW(pwritev2, 5, fd, P(&iov), 1, 0, 0, 0), NARROW(sync_file_range, 3, fd, 0, 0, 0),
            NARROW(dup3, 2, fd, 100, O_CLOEXEC), NARROW(copy_file_range, 5, fd, 0, to, 0, 1, 0),
            NARROW(setxattr, 4, P("f"), P("user.a"), P("v"), 1, 0),
            NARROW(setxattrat, 2, AT_FDCWD, P("f"), 0, P("user.a"), P(buffer), 0),
            NARROW(removexattrat, 2, AT_FDCWD, P("f"), 0, P("user.b")));
    close(to);
    close(fd);
    close(100);
}

TEST(flags_of_pipes)
{
    int from[2], to[2];
    char buffer[8] = {0};
    struct iovec iov = {buffer, 1};
    ASSERT_OK(pipe(from));
    ASSERT_OK(pipe(to));
    ASSERT_OK(write(from[1], buffer, sizeof(buffer)));
    IGNORED(NARROW(tee, 3, from[0], to[1], 1, SPLICE_F_NONBLOCK),
            NARROW(splice, 5, from[0], 0, to[1], 0, 1, SPLICE_F_NONBLOCK),
            NARROW(vmsplice, 3, to[1], P(&iov), 1, SPLICE_F_NONBLOCK),
            NARROW(vmsplice, 2, to[1], P(&iov), 1, SPLICE_F_NONBLOCK));
    for (int i = 0; i < 2; i++) {
        close(from[i]);
        close(to[i]);
    }
}

TEST(flags_of_processes)
{
    int pidfd = ASSERT_OK(syscall(SYS_pidfd_open, getpid(), 0));
    unsigned long mask[16];
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attr = {.size = 48};
    IGNORED(NARROW(waitid, 0, P_ALL, 0, 0, WEXITED | WNOHANG, 0),
            NARROW(pidfd_send_signal, 3, pidfd, 0, 0, 0),
            NARROW(pidfd_getfd, 2, pidfd, 1, 0), NARROW(sched_getaffinity, 1, 0, sizeof(mask), P(mask)),
            NARROW(sched_setaffinity, 1, 0, sizeof(mask), P(mask)),
            NARROW(sched_getattr, 2, 0, P(&attr), sizeof(attr), 0),
            NARROW(sched_getattr, 3, 0, P(&attr), sizeof(attr), 0), NARROW(sched_setattr, 2, 0, P(&attr), 0));
    close(pidfd);
}

TEST(counts_and_flags_of_others)
{
    char buffer[8], name[65] = {0};
    long page = sysconf(_SC_PAGESIZE);
    void *at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int sem = ASSERT_OK(semget(IPC_PRIVATE, 1, 0600));
    struct sembuf op = {0, 1, 0};
    uint32_t word = 1;
    const uint32_t size_u32 = 2;  // FUTEX2_SIZE_U32, which older headers do not name
    struct futex_waitv wait = {.val = 0, .uaddr = (uintptr_t)&word, .flags = size_u32};
    ASSERT_OK(gethostname(name, sizeof(name) - 1));
    IGNORED(NARROW(mlock2, 2, P(at), page, 0), NARROW(getrandom, 2, P(buffer), sizeof(buffer), 0),
            NARROW(semop, 2, sem, P(&op), 1), NARROW(futex_waitv, 2, P(&wait), 1, 0, 0, 0),
            NARROW(sethostname, 1, P(name), strlen(name)));
    EXPECT_OK(semctl(sem, 0, IPC_RMID));
    munmap(at, page);
}

// What is left of the upper half must not become part of the value either.
TEST(ints_are_signed)
{
    struct pollfd ready = {.fd = 1, .events = POLLOUT};
    int ends[2];
    ASSERT_OK(pipe(ends));
    ready.fd = ends[1];
    EXPECT_EQ(syscall(SYS_poll, &ready, HIGH | 1, 0xffffffffl), 1);  // -1: for ever
    EXPECT_OK(syscall(SYS_faccessat, 0xffffff9cl, ".", R_OK));       // AT_FDCWD
    EXPECT_ERRNO(syscall(SYS_dup2, 0, 0xffffffffl), EBADF);
    close(ends[0]);
    close(ends[1]);
}

TEST(modes_have_16_bits)
{
    in_tmpdir();
    struct stat st;
    EXPECT_OK(syscall(SYS_mknod, "n", 0x10000 | S_IFREG | 0600, 0));
    EXPECT_OK(stat("n", &st));
    EXPECT_EQ(st.st_mode, S_IFREG | 0600);
    EXPECT_OK(syscall(SYS_mknodat, AT_FDCWD, "fifo", HIGH | 0x70000 | S_IFIFO | 0600, 0));
    EXPECT_OK(stat("fifo", &st));
    EXPECT_EQ(st.st_mode, S_IFIFO | 0600);
}

TEST(longs_count_as_a_whole)
{
    in_tmpdir();
    put_file("f", "a");
    int fd = ASSERT_OK(open("f", O_RDWR));
    long page = sysconf(_SC_PAGESIZE);
    char buffer[PATH_MAX];
    char *at = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_ERRNO(syscall(SYS_mprotect, at, page, HIGH | PROT_READ), EINVAL);
    EXPECT_ERRNO(syscall(SYS_mremap, at, page, page, HIGH, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_mmap, NULL, page, PROT_READ, HIGH | MAP_SHARED_VALIDATE, fd, 0), EOPNOTSUPP);
    EXPECT_OK(syscall(SYS_mmap, at, page, PROT_READ, HIGH | MAP_PRIVATE | MAP_FIXED, fd, 0));
    EXPECT_ERRNO(syscall(SYS_unshare, HIGH), EINVAL);
    EXPECT_ERRNO(syscall(SYS_pkey_alloc, HIGH, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_prctl, PR_SET_PDEATHSIG, HIGH | SIGUSR1, 0, 0, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, NULL, HIGH | 8), EINVAL);
    EXPECT_ERRNO(syscall(SYS_set_robust_list, NULL, HIGH | 24), EINVAL);
    EXPECT_OK(syscall(SYS_getcwd, buffer, HIGH | 1));
    EXPECT_EQ(syscall(SYS_lseek, fd, HIGH, SEEK_SET), HIGH);
    munmap(at, page);
    close(fd);
}
