// SPDX-License-Identifier: Apache-2.0
// Shapes over processes and threads: forks, clones of every kind, exec in a thread, kills, waits,
// credentials.
#include "fuzz.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

// ---- Ends -------------------------------------------------------------------------------------------------
static void become_another(void) {
    static char seed[24], life[12];
    char *args[] = {"sysfuzz", "exec", seed, life, NULL}, *env[] = {NULL};
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)rnd());
    snprintf(life, sizeof life, "%u", 5 + below(300));
    call(SYS_execve, one_in(8) ? "/bin/true" : self_path, args, env);
}

static void end_somehow(void) {
    switch (below(6)) {
    case 0:
        become_another();
        break;
    case 1:
        call(SYS_kill, call(SYS_getpid), any_signal());
        break;
    case 2:
        call(SYS_exit, below(256));
        break;
    case 3:
        abort();
    default:
        break;
    }
    _exit((int)below(256));
}

static void child(unsigned calls) {
    me.armed = false;
    me.rng = mix(me.rng, (uint64_t)call(SYS_gettid));
    some_calls(calls);
    end_somehow();
}

// ---- Children ---------------------------------------------------------------------------------------------
static void wait_some(void) {
    int options = one_in(3) ? 0 : WNOHANG;
    if (one_in(2))
        call(SYS_wait4, one_in(2) ? -1 : any_pid(), one_in(2) ? room(4) : NULL,
             options | (one_in(3) ? WUNTRACED : 0) | __WALL, one_in(3) ? room(160) : NULL);
    else
        call(SYS_waitid, below(4), any_pid(), room(128), options | WEXITED | (int)(below(4) << 1), NULL);
}

static void sh_fork(void) {
    if (!may_fork())
        return;
    long pid =
        one_in(2) ? call(SYS_fork) : call(SYS_clone, SIGCHLD | (one_in(4) ? CLONE_PARENT : 0), 0, 0, 0, 0);
    if (pid == 0)
        child(below(60));
    remember_pid((int)pid);
    if (one_in(3))
        wait_some();
}

// Children that share parts with us run on a stack of their own, and make only a few raw calls: they have our
// TLS.
static int shared_child(void *arg) {
    uint64_t kind = (uint64_t)arg;
    call(SYS_sched_yield);
    if (kind & 1)
        call(SYS_read, kind >> 8 & 31, PRIVATE_AT, 100);
    if (kind & 2)
        call(SYS_close, kind >> 8 & 31);
    if (kind & 4)
        call(SYS_execve, "/bin/true", NULL, NULL);
    if (kind & 8)
        call(SYS_poll, NULL, 0, kind >> 16 & 31);
    call(kind & 16 ? SYS_exit_group : SYS_exit, 0);
    return 0;
}

static void sh_clone(void) {
    static const int parts[] = {
        CLONE_FILES,          CLONE_FS,           CLONE_SYSVSEM,       CLONE_IO,
        CLONE_PTRACE,         CLONE_UNTRACED,     CLONE_PARENT,        CLONE_SIGHAND | CLONE_VM,
        CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_PARENT_SETTID, CLONE_PIDFD};
    if (!may_fork())
        return;
    int flags = CLONE_VM | (one_in(2) ? CLONE_VFORK : 0) | (one_in(6) ? (int)below(65) : SIGCHLD);
    for (unsigned n = below(4); n > 0; n--)
        flags |= pick(parts);
    if (one_in(4))
        flags = (flags & ~(0xff | CLONE_PIDFD | CLONE_VFORK)) | CLONE_THREAD | CLONE_SIGHAND;
    static char stacks[SLOTS][4][8192] __attribute__((aligned(16)));
    char *top = stacks[me.slot % SLOTS][below(4)] + 8192;
    int *tids = room(16);
    remember_pid(clone(shared_child, top, flags, (void *)(rnd() & ~16ull), tids, NULL, tids + 1));
}

static void sh_thread(void) {
    if (may_fork())
        thread_start();
}

static void sh_thread_exit(void) {
    if (me.slot && one_in(8))
        call(SYS_exit, 0);
}

static void sh_exec(void) {
    if (one_in(4)) {
        call(SYS_execve, any_path(), any_pointer(), any_pointer());
    } else if (one_in(30) && may_fork()) {
        become_another();
    }
}

static void sh_exit(void) {
    if (one_in(60))
        call(one_in(2) ? SYS_exit_group : SYS_exit, below(256));
}

// ---- Signals ----------------------------------------------------------------------------------------------
static void sh_kill(void) {
    int pid = any_pid(), sig = any_signal();
    if (pid == -1 || pid < 0)  // everybody: only where the supervisor is out of reach
        return;
    switch (below(5)) {
    case 0:
        call(SYS_kill, one_in(3) && pid > 2 ? -pid : pid, sig);
        break;
    case 1:
        call(SYS_tkill, pid, sig);
        break;
    case 2: {
        siginfo_t *info = room(sizeof *info);
        fill("bytes", 5, info, 64);
        info->si_code = one_in(4) ? (int)any_int() : SI_QUEUE;
        call(one_in(2) ? SYS_rt_sigqueueinfo : 424, pid, sig, info, 0);
        break;
    }
    default:
        call(SYS_tgkill, call(SYS_getpid), one_in(2) ? call(SYS_gettid) : pid, sig);
    }
}

static void sh_kill_all(void) {
    if (!is_root && call(SYS_geteuid) == 65534 && one_in(40))
        call(SYS_kill, -1, any_signal());
}

static void sh_stop(void) {
    int pid = any_pid();
    if (pid <= 2 || pid == INT32_MAX)
        return;
    call(SYS_kill, pid, pick(((const int[]){SIGSTOP, SIGTSTP, SIGTTIN})));
    if (one_in(2))
        call(SYS_sched_yield);
    call(SYS_kill, pid, SIGCONT);
}

// Handlers of all but the faults, which the threads go on with.
static void nothing(int sig) {}
static void sh_action(void) {
    static void (*const handlers[])(int) = {SIG_IGN, SIG_DFL, nothing, nothing};
    struct sigaction sa = {.sa_flags = 0};
    int sig = any_signal();
    if (sig == SIGSEGV || sig == SIGBUS || sig <= 0 || sig > 64)
        return;
    sa.sa_handler = pick(handlers);
    sa.sa_flags = (one_in(2) ? SA_RESTART : 0) | (one_in(3) ? SA_NODEFER : 0) |
                  (one_in(6) ? SA_RESETHAND : 0) | (one_in(6) ? SA_NOCLDWAIT : 0) |
                  (one_in(6) ? SA_NOCLDSTOP : 0) | (one_in(4) ? SA_ONSTACK : 0);
    sigaction(sig, &sa, NULL);
}

static void sh_altstack(void) {
    static char stacks[SLOTS][16384];
    stack_t *ss = room(sizeof *ss);
    *ss = (stack_t){one_in(6) ? any_pointer() : stacks[me.slot % SLOTS], one_in(3) ? SS_DISABLE : 0, 16384};
    call(SYS_sigaltstack, ss, NULL);
}

static void sh_sigreturn(void) {
    if (one_in(100))
        call(SYS_rt_sigreturn);
}

// ---- The rest ---------------------------------------------------------------------------------------------
static void sh_pidfd(void) {
    int fd = (int)call(434, any_pid(), one_in(4) ? O_NONBLOCK : 0);
    call(424, fd, one_in(2) ? 0 : any_signal(), NULL, 0);
    if (one_in(3))
        call(SYS_waitid, 3, fd, room(128), WEXITED | WNOHANG, NULL);
    if (one_in(2))
        call(438, fd, below(32), 0);
}

static void sh_identity(void) {
    static const long calls[] = {SYS_setresuid, SYS_setresgid};
    if (one_in(20))
        call(SYS_setuid, 65534);
    else if (one_in(4))
        call(pick(calls), -1, below(2) * 65534, -1);
    else
        call(one_in(2) ? SYS_setpgid : SYS_getpgid, any_pid(), 0);
}

static uint64_t prctl_argument(int option) {
    switch (option) {
    case PR_SET_PDEATHSIG:
        return below(32);
    case PR_SET_NAME:
    case PR_GET_NAME:
        return (uint64_t)room(16);
    default:
        return below(2);
    }
}

static void sh_prctl(void) {
    static const int options[] = {PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE,
                                  PR_GET_NAME};
    int option = pick(options);
    call(SYS_prctl, option, prctl_argument(option), 0, 0, 0);
}

static void sh_limit(void) {
    struct rlimit *l = room(sizeof *l);
    int which = pick(((const int[]){RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE, RLIMIT_CPU, RLIMIT_NICE, RLIMIT_DATA,
                                    RLIMIT_CORE}));
    *l = (struct rlimit){which == RLIMIT_CPU ? 100 : 1u << (10 + below(18)), RLIM_INFINITY};
    call(SYS_prlimit64, one_in(2) ? 0 : any_pid(), which, one_in(2) ? l : NULL, room(16));
}

static void sh_unshare(void) {
    call(SYS_unshare, pick(((const int[]){CLONE_FILES, CLONE_FS, CLONE_SYSVSEM, CLONE_FILES | CLONE_FS})));
}

const struct shape process_shapes[] = {
    {sh_fork, 6},     {sh_clone, 6},     {sh_thread, 6},  {sh_thread_exit, 2}, {sh_exec, 4},
    {sh_exit, 1},     {sh_kill, 10},     {sh_stop, 3},    {sh_kill_all, 2},    {sh_action, 6},
    {sh_altstack, 2}, {sh_sigreturn, 1}, {wait_some, 4},  {sh_pidfd, 3},       {sh_identity, 2},
    {sh_prctl, 2},    {sh_limit, 2},     {sh_unshare, 1}, {NULL, 0},
};
