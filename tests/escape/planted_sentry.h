// SPDX-License-Identifier: Apache-2.0
// Code that run_planted.py builds into a sentry, to be run once its filter is in force: what a sentry that
// was taken over could try. argv[1] of the guest's command names the attempt, argv[2..4] what to aim at. Each
// attempt ends the process: by the filter, or with a line that says what the kernel gave. Any other name
// lists the attempts.
#ifndef TESTS_ESCAPE_PLANTED_SENTRY_H
#define TESTS_ESCAPE_PLANTED_SENTRY_H
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#undef sa_handler  // of <signal.h>; the sentry has a field of that name

struct planted {
    const char *name;
    long nr;
    long args[6];
};

static void planted_run(char *const *argv) {
    static char buf[4096];
    char *file = argv[2];
    long path = (long)file, victim = atoi(argv[3]), there = strtol(argv[4], NULL, 16);
    struct iovec mine = {buf, 16}, its = {(void *)there, 16};
    const struct planted tries[] = {
        {"open", SYS_open, {path, 0}},
        {"openat", SYS_openat, {-100, path, 0}},
        {"openat_create", SYS_openat, {-100, path, 0101, 0644}},
        {"openat2", 437, {-100, path, (long)buf, 24}},
        {"stat", SYS_stat, {path, (long)buf}},
        {"newfstatat", SYS_newfstatat, {-100, path, (long)buf, 0x1000}},
        {"statx", SYS_statx, {-100, path, 0x1000, 0x7ff, (long)buf}},
        {"readlink", SYS_readlink, {path, (long)buf, 64}},
        {"access", SYS_access, {path, 0}},
        {"chdir", SYS_chdir, {(long)"/"}},
        {"unlink", SYS_unlink, {path}},
        {"truncate", SYS_truncate, {path, 0}},
        {"chmod", SYS_chmod, {path, 0777}},
        {"socket_inet", SYS_socket, {2, 1, 0}},
        {"socket_unix", SYS_socket, {1, 1, 0}},
        {"socketpair", SYS_socketpair, {1, 1, 0, (long)buf}},
        {"connect", SYS_connect, {3, (long)buf, 16}},
        {"execve", SYS_execve, {(long)"/bin/true", 0, 0}},
        {"execveat", SYS_execveat, {3, (long)"", 0, 0, 0x1000}},
        {"fork", SYS_fork, {0}},
        {"vfork_by_clone", SYS_clone, {CLONE_VM | CLONE_VFORK | SIGCHLD}},
        {"unshare", SYS_unshare, {CLONE_NEWUSER}},
        {"setns", SYS_setns, {3, 0}},
        {"mount", SYS_mount, {(long)"none", (long)"/", (long)"tmpfs", 0, 0}},
        {"chroot", SYS_chroot, {(long)"/"}},
        {"setuid", SYS_setuid, {0}},
        {"mmap_exec", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
        {"mprotect_exec", SYS_mprotect, {(long)buf & -4096l, 4096, PROT_READ | PROT_EXEC}},
        {"io_uring_setup", 425, {1, (long)buf}},
        {"io_uring_register", 427, {3, 4, (long)buf, 1}},
        {"bpf", SYS_bpf, {0, (long)buf, 64}},
        {"keyctl", SYS_keyctl, {0, -3, 0}},
        {"prctl", SYS_prctl, {4, 0}},
        {"seccomp", SYS_seccomp, {0, 0, 0}},
        {"shmget", SYS_shmget, {0x1234, 4096, 01600}},
        {"mq_open", SYS_mq_open, {(long)"x", 0102, 0600, 0}},
        {"prlimit64", SYS_prlimit64, {victim, 7, 0, (long)buf}},
        {"rt_sigqueueinfo", SYS_rt_sigqueueinfo, {victim, 9, (long)buf}},
        {"pidfd_send_signal", 424, {3, 9, 0, 0}},
        {"ioctl_tiocsti", SYS_ioctl, {0, 0x5412, (long)buf}},
        {"x32_getpid", SYS_getpid | 0x40000000, {0}},
        // Allowed by the filter, since it cannot tell whom they aim at.
        {"kill", SYS_kill, {victim, SIGKILL}},
        {"tgkill", SYS_tgkill, {victim, victim, SIGKILL}},
        {"process_vm_readv", SYS_process_vm_readv, {victim, (long)&mine, 1, (long)&its, 1, 0}},
        {"process_vm_writev", SYS_process_vm_writev, {victim, (long)&mine, 1, (long)&its, 1, 0}},
        {"pidfd_open", SYS_pidfd_open, {victim, 0}},
        {"ptrace", SYS_ptrace, {16, victim, 0, 0}},
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        const long *a = tries[i].args;
        if (strcmp(tries[i].name, argv[1]))
            continue;
        long r = syscall(tries[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        int n = snprintf(buf, sizeof buf, "planted %s %ld\n", argv[1], r < 0 ? -errno : r);
        _exit(write(STDERR_FILENO, buf, (size_t)n) == n ? 0 : 1);
    }
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        int n = snprintf(buf, sizeof buf, "attempt %s\n", tries[i].name);
        if (write(STDERR_FILENO, buf, (size_t)n) != n)
            _exit(1);
    }
    _exit(0);
}

#endif
