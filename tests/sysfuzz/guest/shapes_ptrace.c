// SPDX-License-Identifier: Apache-2.0
// Shapes over ptrace(2): tracing siblings, children and parents, all requests with good and bad arguments,
// tracers that die, tracees that are killed, and everybody at each other.
#include "fuzz.h"
#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum {
    TRACEME,
    PEEKTEXT,
    PEEKUSER = 3,
    POKETEXT,
    POKEUSER = 6,
    CONT,
    KILL,
    STEP,
    GETREGS = 12,
    SETREGS,
    GETFPREGS,
    SETFPREGS,
    ATTACH,
    DETACH,
    SYSCALL = 24,
    SYSEMU = 31,
    SETOPTIONS = 0x4200,
    GETEVENTMSG,
    GETSIGINFO,
    SETSIGINFO,
    GETREGSET,
    SETREGSET,
    SEIZE,
    INTERRUPT,
    LISTEN,
    PEEKSIGINFO,
    GETSIGMASK,
    SETSIGMASK,
    GET_SYSCALL_INFO = 0x420e
};

static const long stopped[] = {PEEKTEXT,  PEEKUSER,    POKETEXT,    POKEUSER,   GETREGS,          SETREGS,
                               GETFPREGS, SETFPREGS,   GETEVENTMSG, GETSIGINFO, SETSIGINFO,       GETREGSET,
                               SETREGSET, PEEKSIGINFO, GETSIGMASK,  SETSIGMASK, GET_SYSCALL_INFO, SETOPTIONS,
                               30,        21,          0x420c,      0x7777};
static const long onward[] = {CONT, CONT,   SYSCALL, SYSCALL, STEP,     SYSEMU,
                              32,   LISTEN, DETACH,  KILL,    INTERRUPT};

static unsigned long options(void) { return one_in(8) ? any_int() : rnd() & 0x1000ff; }

static void ask(int pid) {
    long what = pick(stopped);
    struct iovec *iov = room(sizeof *iov);
    if (what == GETREGSET || what == SETREGSET) {
        static const long notes[] = {1, 2, 0x202, 0x204, 0x200};
        if (me.armed)
            *iov = (struct iovec){room(4096), one_in(3) ? any_size() : below(4096)};
        call(SYS_ptrace, what, pid, pick(notes), iov);
    } else if (what == SETOPTIONS) {
        call(SYS_ptrace, what, pid, 0, options());
    } else if (what == PEEKUSER || what == POKEUSER) {
        call(SYS_ptrace, what, pid, one_in(4) ? any_int() : below(120) * 8,
             what == POKEUSER ? any_int() : (uint64_t)room(8));
    } else if (what == POKETEXT) {
        static const int own;
        const uint64_t at[] = {(uint64_t)&own, (uint64_t)&ask + below(64), (uint64_t)any_pointer()};
        call(SYS_ptrace, what, pid, pick(at), any_int());
    } else {
        call(SYS_ptrace, what, pid, one_in(2) ? (uint64_t)any_pointer() : below(256), room(4096));
    }
}

static void go_on(int pid) {
    long what = pick(onward);
    call(SYS_ptrace, what, pid, 0, one_in(3) ? any_signal() : 0);
}

static void attend(int pid, unsigned rounds) {
    for (unsigned i = 0; i < rounds; i++) {
        call(SYS_wait4, one_in(4) ? -1 : pid, one_in(2) ? room(4) : NULL, WNOHANG | __WALL, NULL);
        for (unsigned n = below(4); n; n--)
            ask(pid);
        go_on(pid);
    }
}

static void sh_attach(void) {
    int pid = any_pid();
    if (one_in(2))
        call(SYS_ptrace, ATTACH, pid, 0, 0);
    else
        call(SYS_ptrace, SEIZE, pid, 0, options());
    if (one_in(2))
        call(SYS_ptrace, INTERRUPT, pid, 0, 0);
    attend(pid, below(12));
    if (one_in(2))
        call(SYS_ptrace, DETACH, pid, 0, one_in(2) ? any_signal() : 0);
}

// A child that wants to be traced: seen call by call, or step by step.
static void sh_traced_child(void) {
    if (!may_fork())
        return;
    int pid = (int)call(SYS_fork);
    if (pid == 0) {
        me.armed = false;
        me.rng = mix(me.rng, 77);
        call(SYS_ptrace, TRACEME, 0, 0, 0);
        if (one_in(2))
            call(SYS_kill, call(SYS_getpid), SIGSTOP);
        some_calls(20);
        call(SYS_exit_group, 1);
    }
    if (pid < 0)
        return;
    remember_pid(pid);
    call(SYS_ptrace, SETOPTIONS, pid, 0, options());
    attend(pid, below(60));
    if (one_in(2))
        call(SYS_kill, pid, SIGKILL);
    call(SYS_wait4, pid, NULL, WNOHANG | __WALL, NULL);
}

static void sh_memory_file(void) {
    static const char path[] = "/proc/self/mem";
    int fd = (int)call(SYS_open, path, one_in(2) ? 2 : 0);
    call(one_in(2) ? SYS_pread64 : SYS_pwrite64, fd, room(64), below(64),
         one_in(2) ? (uint64_t)any_pointer() : (uint64_t)path);
    call(SYS_close, fd);
}

static void sh_random(void) {
    call(SYS_ptrace, one_in(2) ? below(40) : 0x4200 + below(24), any_pid(), any_pointer(), any_int());
}

const struct shape ptrace_shapes[] = {
    {sh_attach, 6},
    {sh_traced_child, 4},
    {sh_memory_file, 1},
    {sh_random, 2},
    {NULL, 0},
};
