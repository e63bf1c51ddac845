// SPDX-License-Identifier: Apache-2.0
// See hostprocess.h. Called once in a process, before it has threads. Host calls: rt_sigaction,
// rt_sigprocmask, prlimit64, umask; in the CLI getppid, getpgid, getsid, and /proc/PID/stat. What is
// inherited besides and stays: priority and CPUs (the sandbox's share as much as the program's),
// no_new_privs, the parent death signal (its sender means the CLI), an alarm (the CLI hands it on).
#include "base/hostprocess.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_SIZE   (8u << 20)  // of new threads; address space only
#define STACK_LEAST  (1u << 20)  // of the first thread, which is a worker too
// signals of ours that wait to be taken, one for each stub that is interrupted
#define QUEUE_LEAST  64u
#define FILES_LEAST  128u
#define MEMORY_LEAST (256u << 20)

// These say that this very process went wrong (or was told to end by abort(3)).
static int is_fault(int sig) {
    return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGTRAP ||
           sig == SIGSYS || sig == SIGABRT;
}

// The host calls themselves: the C library's leave two real-time signals out.
struct kernel_sigaction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

static uint64_t ignored_signals(void) {
    uint64_t ignored = 0;
    for (int sig = 1; sig <= 64; sig++) {
        struct kernel_sigaction old = {0};
        syscall(SYS_rt_sigaction, sig, NULL, &old, sizeof ignored);
        if (old.handler == SIG_IGN)
            ignored |= PROCESS_SIGBIT(sig);
    }
    return ignored;
}

// Whatever is sent to us is harmless, but faults. Waiting for children and for stops needs SIGCHLD as it is
// by default, which does nothing either. What is held keeps its default action: to ignore a signal throws
// away what is pending of it. Nothing is delivered before all is set.
static void set_signals(uint64_t held) {
    const uint64_t all = ~UINT64_C(0);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
    for (int sig = 1; sig <= 64; sig++) {
        struct kernel_sigaction new = {.handler = SIG_IGN};
        if (is_fault(sig) || sig == SIGCHLD || held & PROCESS_SIGBIT(sig))
            new.handler = SIG_DFL;
        syscall(SYS_rt_sigaction, sig, &new, NULL, sizeof held);  // EINVAL for SIGKILL and SIGSTOP
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &held, NULL, sizeof held);
}

// As wide as it may be: root may take everything, others what the hard limit leaves.
static void widen(int which, const struct rlimit *now) {
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY}, most = {now->rlim_max, now->rlim_max};
    if (which == RLIMIT_NOFILE || setrlimit(which, &all) < 0)  // (descriptors: never more than fs.nr_open)
        setrlimit(which, &most);
}

static const char *too_narrow(void) {
    static const struct {
        int which;
        rlim_t least;
        const char *what;
    } needs[] = {
        {RLIMIT_STACK, STACK_LEAST, "the limit on stacks (ulimit -s) is below 1024 KiB"},
        {RLIMIT_SIGPENDING, QUEUE_LEAST, "the limit on pending signals (ulimit -i) is below 64"},
        {RLIMIT_NOFILE, FILES_LEAST, "the limit on open files (ulimit -n) is below 128"},
        {RLIMIT_AS, MEMORY_LEAST, "the limit on address space (ulimit -v) is below 262144 KiB"},
        {RLIMIT_DATA, MEMORY_LEAST, "the limit on data (ulimit -d) is below 262144 KiB"},
    };
    for (unsigned i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        struct rlimit now;
        if (getrlimit(needs[i].which, &now) == 0 && now.rlim_cur < needs[i].least)
            return needs[i].what;
    }
    return NULL;
}

// The C library took the size of new stacks from the limit before main(): with a small one its threads would
// not start.
static void thread_stacks(void) {
    pthread_attr_t attr;
    if (pthread_attr_init(&attr))
        return;
    if (!pthread_attr_setstacksize(&attr, STACK_SIZE))
        pthread_setattr_default_np(&attr);
    pthread_attr_destroy(&attr);
}

// 0: outside of our pid namespace; -1: not told.
static pid_t parent_of(pid_t pid) {
    char path[32], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *behind_name = strrchr(text, ')');  // then " S 123"
    return behind_name && strlen(behind_name) > 4 ? (pid_t)strtol(behind_name + 4, NULL, 10) : -1;
}

// Somebody continues a group when a member's parent is of the same session and not of the group.
static bool is_orphaned(void) {
    pid_t p = getppid();
    for (int i = 0; i < 1000 && p > 0 && getpgid(p) == getpgrp(); i++)
        p = parent_of(p);
    return p >= 0 && getsid(p) != getsid(0);
}

const char *process_start(struct process_inherited *was) {
    if (!was) {
        set_signals(0);
        return NULL;  // limits, stacks and umask are as the CLI has set them
    }
    memset(was, 0, sizeof *was);
    was->ignored = ignored_signals();  // of what the caller started; what it sends is for the program
    was->held = ~was->ignored | PROCESS_SIGBIT(SIGCHLD) | PROCESS_SIGBIT(SIGCONT);
    set_signals(was->held);
    for (int which = 0; which < RLIM_NLIMITS; which++) {
        const struct rlimit none = {0, 0};
        if (getrlimit(which, &was->limits[which]) < 0)
            was->limits[which] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
        else if (which == RLIMIT_CORE)
            setrlimit(which, &none);
        else if (which != RLIMIT_NICE && which != RLIMIT_RTPRIO && which != RLIMIT_RTTIME)
            widen(which, &was->limits[which]);
    }
    was->orphaned = is_orphaned();
    thread_stacks();
    was->umask = umask(077);
    return too_narrow();
}
