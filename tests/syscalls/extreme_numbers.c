// SPDX-License-Identifier: Apache-2.0
// covers: lseek, fallocate, copy_file_range, sync_file_range, fadvise64, readahead, fcntl, mmap, mremap, brk,
// readv covers: getpriority, setpriority, ioprio_get, kill, wait4, msgrcv, futex, sched_setscheduler,
// sched_setattr, setrlimit Offsets, lengths, ids and values at the ends of what their types hold: refused or
// cut, and sums never wrap.
#include "guest.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

static const long ends[] = {LONG_MAX, LONG_MIN, LONG_MAX - 1, LONG_MIN + 1, -1, INT_MAX, INT_MIN, 1L << 62};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int file_of(off_t size)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    ASSERT_OK(ftruncate(fd, size));
    return fd;
}

TEST(offsets)
{
    int fd = file_of(100);
    char c = 'x';
    EXPECT_EQ(lseek(fd, 10, SEEK_SET), 10);
    EXPECT_EQ(lseek(fd, LONG_MAX, SEEK_CUR), -1);
    EXPECT_EQ(lseek(fd, LONG_MIN, SEEK_CUR), -1);
    EXPECT_EQ(lseek(fd, LONG_MAX, SEEK_END), -1);
    EXPECT_EQ(lseek(fd, LONG_MIN, SEEK_END), -1);
    EXPECT_EQ(lseek(fd, LONG_MIN, SEEK_SET), -1);
    EXPECT_ERRNO(lseek(fd, LONG_MAX, SEEK_DATA), ENXIO);
    EXPECT_ERRNO(lseek(fd, LONG_MIN, SEEK_HOLE), ENXIO);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 10);
    EXPECT_ERRNO(pread(fd, &c, 1, LONG_MAX), EINVAL);
    EXPECT_EQ(pread(fd, &c, 1, LONG_MAX - 1), 0);
    EXPECT_ERRNO(pread(fd, &c, 1, LONG_MIN), EINVAL);
    EXPECT_ERRNO(pwrite(fd, &c, 1, LONG_MAX), EINVAL);
    EXPECT_TRUE(pwrite(fd, &c, 1, LONG_MAX - 1) == 1 || errno == EFBIG);  // some file systems have such files
    EXPECT_OK(ftruncate(fd, 100));
    EXPECT_ERRNO(pwrite(fd, &c, 1, -1), EINVAL);
    EXPECT_EQ(ftruncate(fd, LONG_MIN), -1);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 100);
    close(fd);
}

TEST(ranges)
{
    int fd = file_of(100);
    EXPECT_ERRNO(fallocate(fd, 0, LONG_MAX, LONG_MAX), EFBIG);
    EXPECT_ERRNO(fallocate(fd, 0, LONG_MAX, 1), EFBIG);
    EXPECT_ERRNO(fallocate(fd, 0, LONG_MIN, 1), EINVAL);
    EXPECT_ERRNO(fallocate(fd, 0, 0, LONG_MIN), EINVAL);
    EXPECT_ERRNO(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, LONG_MAX), EFBIG);
    EXPECT_ERRNO(sync_file_range(fd, LONG_MAX, LONG_MAX, 0), EINVAL);
    EXPECT_ERRNO(sync_file_range(fd, LONG_MAX, 1, 0), EINVAL);
    EXPECT_ERRNO(sync_file_range(fd, LONG_MIN, 1, 0), EINVAL);
    EXPECT_OK(sync_file_range(fd, 0, LONG_MAX, 0));
    EXPECT_EQ(posix_fadvise(fd, LONG_MAX, LONG_MAX, POSIX_FADV_WILLNEED), 0);
    EXPECT_EQ(posix_fadvise(fd, LONG_MIN, LONG_MAX, POSIX_FADV_DONTNEED), 0);
    EXPECT_EQ(posix_fadvise(fd, 0, LONG_MIN, POSIX_FADV_DONTNEED), EINVAL);
    EXPECT_OK(readahead(fd, LONG_MAX, LONG_MAX));
    EXPECT_ERRNO(readahead(fd, 0, SIZE_MAX), EINVAL);
    int to = ASSERT_OK(open("g", O_RDWR | O_CREAT, 0600));
    off_t a = LONG_MAX, b = 0;
    EXPECT_EQ(copy_file_range(fd, &a, to, &b, SIZE_MAX, 0) <= 0, 1);
    a = 0, b = LONG_MAX;
    EXPECT_EQ(copy_file_range(fd, &a, to, &b, 100, 0), -1);
    a = LONG_MIN, b = 0;
    EXPECT_EQ(copy_file_range(fd, &a, to, &b, 100, 0), -1);
    EXPECT_EQ(b, 0);
    a = 0;
    EXPECT_EQ(copy_file_range(fd, &a, to, &b, SSIZE_MAX, 0), 100);
    close(to);
    close(fd);
}

TEST(locks)
{
    int fd = file_of(100);
    ASSERT_OK(lseek(fd, 50, SEEK_SET));
    const struct {
        short whence;
        long start, len;
        int err;
    } cases[] = {
        {SEEK_SET, LONG_MAX, 1, 0},
        {SEEK_SET, LONG_MAX, 2, EOVERFLOW},
        {SEEK_SET, LONG_MAX, LONG_MAX, EOVERFLOW},
        {SEEK_SET, 0, LONG_MAX, 0},
        {SEEK_SET, 1, LONG_MAX, 0},
        {SEEK_SET, 2, LONG_MAX, EOVERFLOW},
        {SEEK_SET, LONG_MIN, 1, EINVAL},
        {SEEK_SET, 0, LONG_MIN, EINVAL},
        {SEEK_SET, LONG_MAX, LONG_MIN, EINVAL},
        {SEEK_SET, LONG_MAX, -LONG_MAX, 0},
        {SEEK_CUR, LONG_MAX, 1, EOVERFLOW},
        {SEEK_CUR, LONG_MIN, 1, EINVAL},
        {SEEK_END, LONG_MAX, 1, EOVERFLOW},
        {SEEK_END, LONG_MIN, 1, EINVAL},
        {SEEK_CUR, LONG_MAX - 50, 1, 0},
        {SEEK_SET, 0, -1, EINVAL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct flock l = {F_WRLCK, cases[i].whence, cases[i].start, cases[i].len, 0};
        errno = 0;
        int r = fcntl(fd, F_SETLK, &l), err = r < 0 ? errno : 0;
        if (err != cases[i].err)
            FAIL("case %zu: errno %d, not %d", i, err, cases[i].err);
    }
    close(fd);
}

TEST(memory)
{
    const size_t page = 4096;
    for (size_t i = 0; i < COUNT(ends); i++) {
        EXPECT_TRUE(mmap(NULL, (size_t)ends[i], PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                         0) == MAP_FAILED ||
                    ends[i] == INT_MAX);
        EXPECT_EQ(munmap((void *)ends[i], (size_t)ends[i]), -1);
        EXPECT_EQ(mprotect((void *)(ends[i] & -4096L), (size_t)ends[i], PROT_READ), -1);
    }
    char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    EXPECT_TRUE(mremap(p, page, SIZE_MAX, MREMAP_MAYMOVE) == MAP_FAILED);
    EXPECT_TRUE(mremap(p, SIZE_MAX, page, MREMAP_MAYMOVE) == MAP_FAILED);
    EXPECT_TRUE(mremap(p, page, LONG_MAX, MREMAP_MAYMOVE) == MAP_FAILED);
    long now = syscall(SYS_brk, 0);
    EXPECT_EQ(syscall(SYS_brk, LONG_MAX), now);
    EXPECT_EQ(syscall(SYS_brk, -1L), now);
    int fd = file_of(100);
    EXPECT_TRUE(mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, LONG_MIN) == MAP_FAILED);
    EXPECT_TRUE(mmap(NULL, 1L << 40, PROT_READ, MAP_PRIVATE, fd, LONG_MAX & -4096L) == MAP_FAILED);
    close(fd);
}

TEST(vectors)
{
    int fd = file_of(100);
    char buf[100];
    struct iovec v[3] = {{buf, LONG_MAX}, {buf, LONG_MAX}, {buf, LONG_MAX}};
    EXPECT_EQ(readv(fd, v, 3) == 100 || errno == EFAULT || errno == EINVAL, 1);
    v[1].iov_len = SIZE_MAX;
    EXPECT_EQ(readv(fd, v, 2), -1);
    EXPECT_ERRNO(syscall(SYS_readv, fd, v, -1L), EINVAL);
    EXPECT_EQ(syscall(SYS_readv, fd, v, LONG_MIN), 0);  // a count has 32 bits
    close(fd);
}

TEST(ids)
{
    int status;
    EXPECT_ERRNO(kill(INT_MIN, 0), ESRCH);
    EXPECT_ERRNO(kill(INT_MAX, 0), ESRCH);
    EXPECT_ERRNO(waitpid(INT_MIN, &status, WNOHANG), ESRCH);
    EXPECT_ERRNO(waitpid(INT_MAX, &status, WNOHANG), ECHILD);
    const int numbers[] = {INT_MAX, INT_MIN, -1, INT_MAX - 1, INT_MIN + 1, 1 << 29};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        int n = numbers[i];
        EXPECT_ERRNO(syscall(SYS_getpriority, n, 0), EINVAL);
        EXPECT_ERRNO(syscall(SYS_setpriority, n, 0, 0), EINVAL);
        EXPECT_ERRNO(syscall(SYS_ioprio_get, n, 0), EINVAL);
        EXPECT_ERRNO(syscall(SYS_ioprio_set, n, 0, 0), EINVAL);
        EXPECT_ERRNO(syscall(SYS_sched_get_priority_max, n), EINVAL);
        struct sched_param p = {n}, zero = {0};
        EXPECT_ERRNO(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &p), EINVAL);
        EXPECT_ERRNO(syscall(SYS_sched_setscheduler, 0, n, &zero), EINVAL);
        EXPECT_ERRNO(syscall(SYS_sched_setparam, 0, &p), EINVAL);
        EXPECT_ERRNO(syscall(SYS_sched_setscheduler, n, SCHED_OTHER, &zero), n < 0 ? EINVAL : ESRCH);
        EXPECT_ERRNO(syscall(SYS_sched_getaffinity, 0, 0, &p), EINVAL);
    }
}

// Values beyond what a call knows are cut: the nicest, never a priority from the other end.
TEST(nice_values)
{
    IN_CHILD {
        EXPECT_OK(setpriority(PRIO_PROCESS, 0, INT_MAX));
        EXPECT_EQ(getpriority(PRIO_PROCESS, 0), 19);
        if (geteuid() == 0) {
            EXPECT_OK(setpriority(PRIO_PROCESS, 0, INT_MIN));
            EXPECT_EQ(getpriority(PRIO_PROCESS, 0), -20);
        }
        struct {
            uint32_t size, policy;
            uint64_t flags;
            int32_t nice;
            uint32_t priority;
            uint64_t runtime, deadline, period;
        } attr = {.size = 48, .nice = INT_MAX};
        EXPECT_OK(syscall(SYS_sched_setattr, 0, &attr, 0));
        EXPECT_EQ(getpriority(PRIO_PROCESS, 0), 19);
        attr.policy = UINT_MAX;
        EXPECT_ERRNO(syscall(SYS_sched_setattr, 0, &attr, 0), EINVAL);
    }
}

TEST(messages)
{
    int id = ASSERT_OK(msgget(IPC_PRIVATE, 0600));
    struct {
        long type;
        char text[8];
    } m = {LONG_MAX, "x"};
    EXPECT_OK(msgsnd(id, &m, 1, 0));
    EXPECT_ERRNO(msgrcv(id, &m, 8, 5, IPC_NOWAIT), ENOMSG);
    EXPECT_EQ(msgrcv(id, &m, 8, LONG_MIN, IPC_NOWAIT), 1);  // the lowest type up to the largest there is
    EXPECT_EQ(m.type, LONG_MAX);
    EXPECT_OK(msgsnd(id, &m, 1, 0));
    EXPECT_ERRNO(msgrcv(id, &m, 8, -(LONG_MAX - 1), IPC_NOWAIT), ENOMSG);
    EXPECT_EQ(msgrcv(id, &m, 8, -LONG_MAX, IPC_NOWAIT), 1);
    m.type = LONG_MIN;
    EXPECT_ERRNO(msgsnd(id, &m, 1, 0), EINVAL);
    EXPECT_ERRNO(msgrcv(id, &m, (size_t)LONG_MIN, 0, IPC_NOWAIT), EINVAL);
    EXPECT_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(futexes)
{
    int word = 0, other = 0;
    EXPECT_OK(syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX));
    EXPECT_ERRNO(syscall(SYS_futex, &word, FUTEX_REQUEUE, INT_MIN, 1L, &other), EINVAL);
    EXPECT_ERRNO(syscall(SYS_futex, &word, FUTEX_REQUEUE, 1, (long)INT_MIN, &other), EINVAL);
    const int shifted = FUTEX_OP((FUTEX_OP_OPARG_SHIFT | FUTEX_OP_OR), 31, FUTEX_OP_CMP_EQ, 0);
    EXPECT_OK(syscall(SYS_futex, &word, FUTEX_WAKE_OP, 1, 1L, &other, shifted));
    EXPECT_EQ(other, INT_MIN);
    other = INT_MAX;
    EXPECT_OK(syscall(SYS_futex, &word, FUTEX_WAKE_OP, 1, 1L, &other,
                      FUTEX_OP(FUTEX_OP_ADD, 2047, FUTEX_OP_CMP_LT, 0)));
    EXPECT_EQ((unsigned)other, (unsigned)INT_MAX + 2047u);
    other = INT_MIN;
    EXPECT_OK(syscall(SYS_futex, &word, FUTEX_WAKE_OP, 1, 1L, &other,
                      FUTEX_OP(FUTEX_OP_ADD, -1, FUTEX_OP_CMP_GE, -1)));
    EXPECT_EQ(other, INT_MAX);
}

// A limit that nothing reaches does not come round to a small one. (That of processor time does, on Linux
// too.)
TEST(limits)
{
    const rlim_t huge[] = {RLIM_INFINITY - 1, 1UL << 62, 1UL << 35, UINT64_MAX / 1000000000 + 2};
    for (size_t i = 0; i < COUNT(huge); i++) {
        IN_CHILD {
            struct rlimit l = {huge[i], RLIM_INFINITY}, got;
            for (int what = 0; what < 16; what++) {
                if (what == RLIMIT_NOFILE || what == RLIMIT_CPU)
                    continue;
                int r = setrlimit(what, &l);
                EXPECT_TRUE(r == 0 || errno == EPERM || errno == EINVAL);
                EXPECT_OK(getrlimit(what, &got));
            }
            put_file("/dev/null", "x");
        }
    }
}

TEST(socket_options)
{
    int fd = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0)), got;
    const int sizes[] = {INT_MAX, INT_MIN, -1, 0};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        socklen_t len = sizeof(got);
        EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sizes[i], sizeof(int)));
        EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &got, &len));
        EXPECT_RANGE(got, 1, INT_MAX);
        EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &sizes[i], sizeof(int)));
        EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &len));
        EXPECT_RANGE(got, 1, INT_MAX);
        EXPECT_ERRNO(listen(fd, sizes[i]), EINVAL);  // it has no name; the number is no reason
    }
    close(fd);
}
