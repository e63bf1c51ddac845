// SPDX-License-Identifier: Apache-2.0
// covers: read, write, stat, getcwd, uname, futex, clock_gettime, rt_sigaction, sysinfo, getrlimit, pipe2
// Every call that fills or reads memory answers EFAULT to pointers that are not the program's (man 3 errno,
// EFAULT).
#include "guest.h"

struct call {
    const char *name;
    long number;
    int position;       // of the pointer under test, 0 to 5
    long arguments[6];  // the others
};

static char scratch[4096];
#define S (long)scratch

static const struct call WRITES[] = {
    {"uname", SYS_uname, 0, {0}},
    {"sysinfo", SYS_sysinfo, 0, {0}},
    {"times", SYS_times, 0, {0}},
    {"time", SYS_time, 0, {0}},
    {"pipe2", SYS_pipe2, 0, {0, 0}},
    {"getcwd", SYS_getcwd, 0, {0, 4096}},
    {"getrandom", SYS_getrandom, 0, {0, 64, 0}},
    {"fstat", SYS_fstat, 1, {0, 0}},
    {"stat", SYS_stat, 1, {(long)"/", 0}},
    {"statx", SYS_statx, 4, {-100, (long)"/", 0, 0x7ff, 0}},
    {"statfs", SYS_statfs, 1, {(long)"/", 0}},
    {"getrlimit", SYS_getrlimit, 1, {3, 0}},
    {"prlimit64", SYS_prlimit64, 3, {0, 3, 0, 0}},
    {"getrusage", SYS_getrusage, 1, {0, 0}},
    {"getitimer", SYS_getitimer, 1, {0, 0}},
    {"clock_gettime", SYS_clock_gettime, 1, {1, 0}},
    {"clock_getres", SYS_clock_getres, 1, {1, 0}},
    {"gettimeofday", SYS_gettimeofday, 0, {0, 0}},
    {"rt_sigaction", SYS_rt_sigaction, 2, {10, 0, 0, 8}},
    {"rt_sigprocmask", SYS_rt_sigprocmask, 2, {0, 0, 0, 8}},
    {"rt_sigpending", SYS_rt_sigpending, 0, {0, 8}},
    {"sigaltstack", SYS_sigaltstack, 1, {0, 0}},
    {"getresuid", SYS_getresuid, 0, {0, S, S}},
    {"getresgid", SYS_getresgid, 2, {S, S, 0}},
    {"sched_getaffinity", SYS_sched_getaffinity, 2, {0, 128, 0}},
};

static const struct call READS[] = {
    {"open", SYS_open, 0, {0, 0}},
    {"openat", SYS_openat, 1, {-100, 0, 0}},
    {"stat path", SYS_stat, 0, {0, S}},
    {"access", SYS_access, 0, {0, 0}},
    {"chdir", SYS_chdir, 0, {0}},
    {"mkdir", SYS_mkdir, 0, {0, 0700}},
    {"rmdir", SYS_rmdir, 0, {0}},
    {"unlink", SYS_unlink, 0, {0}},
    {"rename from", SYS_rename, 0, {0, (long)"x"}},
    {"rename to", SYS_rename, 1, {(long)"/", 0}},
    {"link", SYS_link, 0, {0, (long)"x"}},
    {"symlink", SYS_symlink, 0, {0, (long)"x"}},
    {"readlink", SYS_readlink, 0, {0, S, 100}},
    {"chmod", SYS_chmod, 0, {0, 0}},
    {"chown", SYS_chown, 0, {0, -1, -1}},
    {"truncate", SYS_truncate, 0, {0, 0}},
    {"statfs path", SYS_statfs, 0, {0, S}},
    {"execve", SYS_execve, 0, {0, 0, 0}},
    {"memfd_create", SYS_memfd_create, 0, {0, 0}},
    {"nanosleep", SYS_nanosleep, 0, {0, 0}},
    {"futex", SYS_futex, 0, {0, 0, 0, 0, 0, 0}},
    {"setrlimit", SYS_setrlimit, 1, {3, 0}},
    {"sched_setaffinity", SYS_sched_setaffinity, 2, {0, 128, 0}},
};

static void expect_fault(const struct call *call, void *pointer)
{
    long a[6];
    memcpy(a, call->arguments, sizeof(a));
    a[call->position] = (long)pointer;
    errno = 0;
    long result = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (result != -1 || errno != EFAULT)
        FAIL("%s(%p): expected EFAULT got %ld %s", call->name, pointer, result, guest_errno_name(errno));
}

TEST(destinations)
{
    for (size_t i = 0; i < sizeof(WRITES) / sizeof(*WRITES); i++) {
        expect_fault(&WRITES[i], (void *)8);
        expect_fault(&WRITES[i], no_access_page());
        expect_fault(&WRITES[i], read_only_page());
        expect_fault(&WRITES[i], KERNEL_POINTER);
        expect_fault(&WRITES[i], NONCANONICAL_POINTER);
        expect_fault(&WRITES[i], (void *)-4096L);
    }
}

TEST(destinations_cut_short)
{
    for (size_t i = 0; i < sizeof(WRITES) / sizeof(*WRITES); i++) {
        if (WRITES[i].number != SYS_getrandom && WRITES[i].number != SYS_getcwd)
            expect_fault(&WRITES[i], edge_of_page(1));
    }
}

TEST(sources)
{
    for (size_t i = 0; i < sizeof(READS) / sizeof(*READS); i++) {
        expect_fault(&READS[i], (void *)8);
        expect_fault(&READS[i], no_access_page());
        expect_fault(&READS[i], KERNEL_POINTER);
        expect_fault(&READS[i], NONCANONICAL_POINTER);
    }
}

TEST(unterminated_paths)
{
    char *edge = edge_of_page(5);
    memcpy(edge, "/tmp/", 5);
    for (size_t i = 0; i < 14; i++)
        expect_fault(&READS[i], edge);
}
