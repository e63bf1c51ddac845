// SPDX-License-Identifier: Apache-2.0
// covers: read, pread64, pwrite64, sendfile, copy_file_range, lseek, fcntl, fstatfs, fchown, fchmod, open
// Answers at the edges of files: counts and offsets that nobody can mean, and files without names.
#include "guest.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>

static char buf[4096];

static int new_file(void) {
    char name[] = "/tmp/answers-XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    return fd >= 0 && write(fd, buf, sizeof buf) == sizeof buf ? fd : -1;
}

TEST(counts_and_offsets) {
    int a = new_file(), b = new_file();
    ASSERT_OK(a);
    ASSERT_OK(b);
    EXPECT_ERRNO(syscall(SYS_read, a, buf, -1L), EFAULT);
    EXPECT_ERRNO(syscall(SYS_write, a, buf, -1L), EFAULT);
    EXPECT_ERRNO(syscall(SYS_pread64, a, buf, -1L, 0L), EFAULT);
    EXPECT_ERRNO(pread(a, buf, 4096, LLONG_MAX), EINVAL);
    EXPECT_EQ(pread(a, buf, 0, LLONG_MAX), 0);
    off_t at = 0;
    EXPECT_ERRNO(syscall(SYS_sendfile, b, a, &at, -1L), EINVAL);
    at = -1;
    EXPECT_ERRNO(sendfile(b, a, &at, 1), EINVAL);
    loff_t in = 0, out = LLONG_MAX;
    EXPECT_ERRNO(copy_file_range(a, &in, b, &out, 4096, 0), EFBIG);
    in = -1, out = 0;
    EXPECT_ERRNO(copy_file_range(a, &in, b, &out, 1, 0), EOVERFLOW);
    in = -5;
    EXPECT_ERRNO(copy_file_range(a, &in, b, &out, 1, 0), EINVAL);
}

TEST(places_in_files_without_places) {
    uint64_t one = 1;
    int e = eventfd(0, 0), t = timerfd_create(CLOCK_MONOTONIC, 0), p[2];
    ASSERT_OK(e);
    ASSERT_OK(t);
    ASSERT_OK(pipe(p));
    EXPECT_ERRNO(pwrite(e, &one, 8, 0), ESPIPE);
    EXPECT_ERRNO(pwrite(t, &one, 8, 0), ESPIPE);
    EXPECT_EQ(lseek(e, 100, SEEK_SET), 0);
    EXPECT_EQ(lseek(t, 100, SEEK_END), 0);
    EXPECT_ERRNO(lseek(e, 0, 17), EINVAL);
    EXPECT_ERRNO(lseek(p[0], 0, SEEK_SET), ESPIPE);
    int text = open("/proc/self/stat", O_RDONLY), mem = open("/proc/self/mem", O_RDONLY);
    ASSERT_OK(text);
    ASSERT_OK(mem);
    EXPECT_ERRNO(lseek(text, 0, SEEK_END), EINVAL);
    EXPECT_EQ(lseek(text, 5, SEEK_SET), 5);
    EXPECT_ERRNO(lseek(mem, 0, SEEK_END), EINVAL);
}

static unsigned long magic_of(int fd) {
    struct statfs s;
    return fstatfs(fd, &s) == 0 ? (unsigned long)s.f_type : 0;
}

TEST(files_without_names) {
    struct stat st;
    int p[2], s = socket(AF_UNIX, SOCK_STREAM, 0), e = eventfd(0, 0);
    ASSERT_OK(pipe(p));
    ASSERT_OK(s);
    EXPECT_EQ(magic_of(p[0]), 0x50495045);
    EXPECT_EQ(magic_of(s), 0x534f434b);
    EXPECT_EQ(magic_of(e), 0x09041934);
    EXPECT_EQ(fcntl(p[0], F_GETFL), O_RDONLY);
    EXPECT_EQ(fcntl(p[1], F_GETFL), O_WRONLY);
    EXPECT_EQ(fcntl(s, F_GETFL), O_RDWR);
    ASSERT_OK(fchmod(p[0], 0640));
    ASSERT_OK(fstat(p[1], &st));
    EXPECT_EQ(st.st_mode, S_IFIFO | 0640);
    ASSERT_OK(fchmod(s, 0600));
    ASSERT_OK(fstat(s, &st));
    EXPECT_EQ(st.st_mode, S_IFSOCK | 0600);
    if (geteuid() == 0) {
        ASSERT_OK(fchown(p[0], 1, 2));
        ASSERT_OK(fstat(p[1], &st));
        EXPECT_TRUE(st.st_uid == 1 && st.st_gid == 2);
    }
    EXPECT_ERRNO(open("/tmp", O_RDONLY | O_DIRECT), EINVAL);
    EXPECT_ERRNO(open("/dev/null", O_RDONLY | O_DIRECT), EINVAL);
}

static volatile sig_atomic_t code = -1, sender;
static void note(int sig, siginfo_t *info, void *context) {
    code = info->si_code;
    sender = info->si_pid;
}

TEST(who_says_that_a_file_is_too_big) {
    struct sigaction sa = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    struct rlimit limit = {4096, RLIM_INFINITY};
    int a = new_file(), p[2];
    ASSERT_OK(a);
    ASSERT_OK(pipe(p));
    ASSERT_OK(sigaction(SIGXFSZ, &sa, NULL));
    ASSERT_OK(sigaction(SIGPIPE, &sa, NULL));
    ASSERT_OK(setrlimit(RLIMIT_FSIZE, &limit));
    EXPECT_ERRNO(pwrite(a, buf, 10, 4096), EFBIG);
    EXPECT_TRUE(code == SI_USER && sender == getpid());
    code = -1, sender = 0;
    EXPECT_ERRNO(ftruncate(a, 5000), EFBIG);
    EXPECT_TRUE(code == SI_USER && sender == getpid());
    code = -1, sender = 0;
    close(p[0]);
    EXPECT_ERRNO(write(p[1], buf, 1), EPIPE);
    EXPECT_TRUE(code == SI_USER && sender == getpid());
}
