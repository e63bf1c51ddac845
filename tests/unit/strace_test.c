// SPDX-License-Identifier: Apache-2.0
// strace text from argument specifications, over a guest memory that is one buffer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/flags.h"
#include "abi/uio.h"
#include "sentry/strace/strace.h"
#include "sentry/strace/types.h"

#define BASE 0x10000ull
static char arena[4096]; // guest addresses BASE to BASE + 4095; nothing else is readable

static int64_t copy(void *ctx, void *dst, uint64_t src, size_t n) {
    if (src < BASE || src >= BASE + sizeof(arena))
        return -LINUX_EFAULT;
    size_t room = BASE + sizeof(arena) - src;
    size_t got = n < room ? n : room;
    memcpy(dst, arena + (src - BASE), got);
    return (int64_t)got;
}

static uint64_t put(size_t at, const void *bytes, size_t n) {
    memcpy(arena + at, bytes, n);
    return BASE + at;
}

static uint64_t put_str(size_t at, const char *s) {
    return put(at, s, strlen(s) + 1);
}

static char line[512];

#define ARGS(...) ((const uint64_t[6]){__VA_ARGS__})
static const char *exit_line(unsigned nr, const uint64_t *args, int64_t ret) {
    int n = strace_format(line, sizeof(line), sysdesc(nr), args, ret, false, copy, NULL);
    assert_int_equal(n, strlen(line));
    return line;
}

static const char *entry_line(unsigned nr, const uint64_t *args) {
    int n = strace_format(line, sizeof(line), sysdesc(nr), args, 0, true, copy, NULL);
    assert_int_equal(n, strlen(line));
    return line;
}

static void scalars_and_errors(void **state) {
    assert_string_equal(exit_line(LINUX_NR_getpid, ARGS(0), 7), "getpid() = 7");
    assert_string_equal(exit_line(LINUX_NR_close, ARGS(3), -LINUX_EBADF),
                        "close(3) = -1 EBADF (Bad file descriptor)");
    assert_string_equal(exit_line(LINUX_NR_lseek, ARGS(3, (uint64_t)-5, 1), 0), "lseek(3, -5, SEEK_CUR) = 0");
    assert_string_equal(exit_line(LINUX_NR_kill, ARGS((uint64_t)-1, 9), 0), "kill(-1, SIGKILL) = 0");
    assert_string_equal(exit_line(LINUX_NR_kill, ARGS(2, 34), 0), "kill(2, SIGRT_2) = 0");
    assert_string_equal(exit_line(LINUX_NR_pause, ARGS(0), -LINUX_ERESTARTNOHAND),
                        "pause() = ? ERESTARTNOHAND (to be restarted)");
    assert_string_equal(exit_line(LINUX_NR_umask, ARGS(022), 077), "umask(022) = 077");
    assert_string_equal(exit_line(LINUX_NR_setreuid, ARGS(UINT32_MAX, 1000), 0), "setreuid(-1, 1000) = 0");
    assert_string_equal(exit_line(LINUX_NR_brk, ARGS(0), 0x555000), "brk(NULL) = 0x555000");
    assert_string_equal(entry_line(LINUX_NR_exit_group, ARGS(1)), "exit_group(1)");
}

static void flag_sets(void **state) {
    uint64_t path = put_str(0, "/etc/passwd");
    assert_string_equal(exit_line(LINUX_NR_openat, ARGS((uint32_t)LINUX_AT_FDCWD, path, LINUX_O_CLOEXEC), 3),
                        "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3");
    assert_string_equal(
        exit_line(LINUX_NR_open, ARGS(path, LINUX_O_RDWR | LINUX_O_CREAT | LINUX_O_SYNC, 0640), 3),
        "open(\"/etc/passwd\", O_RDWR|O_CREAT|O_SYNC, 0640) = 3");
    assert_string_equal(exit_line(LINUX_NR_open, ARGS(path, 1u << 30), -LINUX_EINVAL),
                        "open(\"/etc/passwd\", O_RDONLY|0x40000000) = -1 EINVAL (Invalid argument)");
    assert_string_equal(
        exit_line(LINUX_NR_mmap, ARGS(0, 4096, 3, 0x22, (uint64_t)-1, 0), 0x7f0000000000),
        "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000");
    assert_string_equal(exit_line(LINUX_NR_mprotect, ARGS(0x1000, 4096, 0), 0),
                        "mprotect(0x1000, 4096, PROT_NONE) = 0");
    assert_string_equal(exit_line(LINUX_NR_socket, ARGS(1, 1 | LINUX_SOCK_CLOEXEC, 0), 3),
                        "socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3");
    assert_string_equal(exit_line(LINUX_NR_futex, ARGS(0x1000, 129, 1, 0, 0, 0), 1),
                        "futex(0x1000, FUTEX_WAKE|FUTEX_PRIVATE_FLAG, 0x1, NULL, NULL, 0) = 1");
    assert_string_equal(exit_line(LINUX_NR_fcntl, ARGS(3, LINUX_F_GETFL, 99), 2), "fcntl(3, F_GETFL) = 2");
    assert_string_equal(exit_line(LINUX_NR_fcntl, ARGS(3, LINUX_F_SETFD, 1), 0),
                        "fcntl(3, F_SETFD, FD_CLOEXEC) = 0");
    assert_string_equal(exit_line(LINUX_NR_setsockopt, ARGS(3, 1, 2, 0, 4), 0),
                        "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, NULL, 4) = 0");
}

static void data_and_strings(void **state) {
    uint64_t buf = put(0, "a\"\n\0019\xff", 6);
    assert_string_equal(exit_line(LINUX_NR_write, ARGS(1, buf, 6), 6),
                        "write(1, \"a\\\"\\n\\0019\\377\", 6) = 6");
    assert_string_equal(entry_line(LINUX_NR_read, ARGS(0, BASE, 6)), "read(0, 0x10000, 6)");
    assert_string_equal(exit_line(LINUX_NR_read, ARGS(0, BASE, 6), 1), "read(0, \"a\", 6) = 1");
    assert_string_equal(exit_line(LINUX_NR_read, ARGS(0, BASE, 6), -LINUX_EIO),
                        "read(0, 0x10000, 6) = -1 EIO (Input/output error)");
    memset(arena, 'x', 64);
    assert_string_equal(exit_line(LINUX_NR_write, ARGS(1, BASE, 64), 64),
                        "write(1, \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"..., 64) = 64");
    assert_string_equal(exit_line(LINUX_NR_write, ARGS(1, 0x500, 4), -LINUX_EFAULT),
                        "write(1, 0x500, 4) = -1 EFAULT (Bad address)");
    assert_string_equal(exit_line(LINUX_NR_chdir, ARGS(0), -LINUX_EFAULT),
                        "chdir(NULL) = -1 EFAULT (Bad address)");
    // A string that runs off the end of memory is shown as its address.
    memset(arena + sizeof(arena) - 4, 'y', 4);
    assert_string_equal(exit_line(LINUX_NR_rmdir, ARGS(BASE + sizeof(arena) - 4), -LINUX_EFAULT),
                        "rmdir(0x10ffc) = -1 EFAULT (Bad address)");
}

static void vectors(void **state) {
    put_str(256, "hello");
    struct linux_iovec iov[2] = {{BASE + 256, 2}, {BASE + 258, 3}};
    uint64_t at = put(0, iov, sizeof(iov));
    assert_string_equal(exit_line(LINUX_NR_writev, ARGS(1, at, 2), 5),
                        "writev(1, [{iov_base=\"he\", iov_len=2}, {iov_base=\"llo\", iov_len=3}], 2) = 5");
    assert_string_equal(exit_line(LINUX_NR_readv, ARGS(1, at, 2), 3),
                        "readv(1, [{iov_base=\"he\", iov_len=2}, {iov_base=\"l\", iov_len=3}], 2) = 3");
    uint64_t argv[3] = {put_str(300, "sh"), put_str(310, "-c"), 0};
    uint64_t list = put(512, argv, sizeof(argv));
    assert_string_equal(
        exit_line(LINUX_NR_execve, ARGS(BASE + 300, list, list), -LINUX_ENOENT),
        "execve(\"sh\", [\"sh\", \"-c\"], 0x10200 /* 2 vars */) = -1 ENOENT (No such file or directory)");
    uint8_t fds[8] = {0x09};
    uint64_t set = put(600, fds, sizeof(fds));
    assert_string_equal(exit_line(LINUX_NR_select, ARGS(4, set, 0, 0, 0), 1),
                        "select(4, [0 3], NULL, NULL, NULL) = 1");
    struct linux_pollfd poll = {.fd = 5, .events = LINUX_POLLIN, .revents = LINUX_POLLHUP};
    assert_string_equal(exit_line(LINUX_NR_poll, ARGS(put(0, &poll, sizeof(poll)), 1, (uint64_t)-1), 1),
                        "poll([{fd=5, events=POLLIN, revents=POLLHUP}], 1, -1) = 1");
    assert_string_equal(exit_line(LINUX_NR_poll, ARGS(0, 0, 100), 0), "poll(NULL, 0, 100) = 0");
}

static void structures(void **state) {
    int32_t status = 3 << 8;
    uint64_t at = put(0, &status, sizeof(status));
    assert_string_equal(exit_line(LINUX_NR_wait4, ARGS((uint64_t)-1, at, 1, 0), 9),
                        "wait4(-1, {WIFEXITED(s) && WEXITSTATUS(s) == 3}, WNOHANG, NULL) = 9");
    struct linux_stat st = {.st_mode = LINUX_S_IFREG | 0644, .st_size = 12};
    at = put(0, &st, sizeof(st));
    assert_string_equal(exit_line(LINUX_NR_fstat, ARGS(3, at), 0),
                        "fstat(3, {st_mode=S_IFREG|0644, st_size=12, ...}) = 0");
    struct linux_sigaction sa = {.sa_handler = 0x4000,
                                 .sa_flags = LINUX_SA_RESTART,
                                 .sa_mask = LINUX_SIGMASK(LINUX_SIGINT) | LINUX_SIGMASK(33)};
    at = put(0, &sa, sizeof(sa));
    assert_string_equal(
        exit_line(LINUX_NR_rt_sigaction, ARGS(LINUX_SIGCHLD, at, 0, 8), 0),
        "rt_sigaction(SIGCHLD, {sa_handler=0x4000, sa_mask=[INT RT_1], sa_flags=SA_RESTART}, NULL, 8) = 0");
    int32_t pair[2] = {3, 4};
    at = put(0, pair, sizeof(pair));
    assert_string_equal(exit_line(LINUX_NR_pipe2, ARGS(at, LINUX_O_CLOEXEC), 0),
                        "pipe2([3, 4], O_CLOEXEC) = 0");
    struct linux_sockaddr_un un = {.sun_family = LINUX_AF_UNIX, .sun_path = "/run/s"};
    at = put(0, &un, sizeof(un));
    assert_string_equal(exit_line(LINUX_NR_connect, ARGS(3, at, sizeof(un)), 0),
                        "connect(3, {sa_family=AF_UNIX, sun_path=\"/run/s\"}, 110) = 0");
    struct linux_sockaddr_in in = {.sin_family = LINUX_AF_INET, .sin_port = 0x5000, .sin_addr = 0x0100007f};
    at = put(0, &in, sizeof(in));
    assert_string_equal(exit_line(LINUX_NR_bind, ARGS(3, at, sizeof(in)), 0),
                        "bind(3, {sa_family=AF_INET, sin_port=80, sin_addr=127.0.0.1}, 16) = 0");
    struct linux_sockaddr_nl nl = {.nl_family = LINUX_AF_NETLINK, .nl_pid = 7, .nl_groups = 1};
    at = put(0, &nl, sizeof(nl));
    assert_string_equal(exit_line(LINUX_NR_bind, ARGS(3, at, sizeof(nl)), 0),
                        "bind(3, {sa_family=AF_NETLINK, nl_pid=7, nl_groups=0x1}, 12) = 0");
    struct linux_rlimit64 lim = {1024, LINUX_RLIM_INFINITY};
    at = put(0, &lim, sizeof(lim));
    assert_string_equal(exit_line(LINUX_NR_prlimit64, ARGS(0, LINUX_RLIMIT_NOFILE, 0, at), 0),
                        "prlimit64(0, RLIMIT_NOFILE, NULL, {rlim_cur=1024, rlim_max=RLIM64_INFINITY}) = 0");
}

// Whatever the buffer's size, nothing is written behind it and the line ends in a NUL.
static void bounded(void **state) {
    uint64_t path = put_str(0, "/a/rather/long/path/for/a/small/buffer");
    for (size_t n = 1; n < 64; n++) {
        char *buf = malloc(n + 1);
        assert_non_null(buf);
        buf[n] = '!';
        int len = strace_format(buf, n, sysdesc(LINUX_NR_open), ARGS(path, 0x42, 0644), 3, false, copy, NULL);
        assert_true(len >= 0 && (size_t)len < n);
        assert_int_equal(buf[len], '\0');
        assert_int_equal(buf[n], '!');
        free(buf);
    }
}

// Every row, with hostile arguments over hostile memory: nothing but text comes of it.
static void every_row(void **state) {
    static const uint64_t nasty[] = {0,          1,          BASE,      BASE + sizeof(arena) - 3,
                                     UINT32_MAX, UINT64_MAX, INT64_MAX, 0x8000};
    srandom(1);
    for (unsigned nr = 0; nr < LINUX_NR_COUNT; nr++) {
        const struct sysdesc *desc = sysdesc(nr);
        for (unsigned round = 0; desc && round < 64; round++) {
            uint64_t args[6];
            for (unsigned i = 0; i < 6; i++)
                args[i] = nasty[(size_t)random() % (sizeof(nasty) / sizeof(nasty[0]))];
            for (size_t i = 0; i < sizeof(arena); i++)
                arena[i] = (char)random();
            int64_t ret = (int64_t)nasty[(size_t)random() % (sizeof(nasty) / sizeof(nasty[0]))];
            exit_line(nr, args, ret);
            for (const char *c = line; *c; c++)
                assert_true(*c >= 0x20 && *c < 0x7f);
        }
    }
}

// Words of the specifications must be known: a typing error would show as an address.
static void assert_known(const char *spec, const char *word, bool is_set) {
    for (const char *p = spec; (p = strstr(p, word)); p++) {
        if (p > spec && p[-1] != ' ')
            continue;
        const char *name = p + strlen(word);
        size_t n = strcspn(name, "*)");
        static const char others[] = " bytes path strings strcount iovec fdset sockaddr msghdr ";
        char padded[64];
        snprintf(padded, sizeof(padded), " %.*s ", (int)n, name);
        bool known = is_set ? flagset_find(name, n) != NULL
                            : strace_type_find(name, n) != NULL || strstr(others, padded) != NULL;
        if (!known)
            fail_msg("unknown: %s", p);
    }
}

static void specifications(void **state) {
    for (unsigned nr = 0; nr < LINUX_NR_COUNT; nr++) {
        const struct sysdesc *desc = sysdesc(nr);
        if (!desc)
            continue;
        assert_known(desc->args, "flags(", true);
        assert_known(desc->args, "enum(", true);
        assert_known(desc->args, "in(", false);
        assert_known(desc->args, "out(", false);
        assert_known(desc->args, "inout(", false);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_and_errors), cmocka_unit_test(flag_sets),
        cmocka_unit_test(data_and_strings),   cmocka_unit_test(vectors),
        cmocka_unit_test(structures),         cmocka_unit_test(bounded),
        cmocka_unit_test(every_row),          cmocka_unit_test(specifications),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
