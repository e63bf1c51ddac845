// SPDX-License-Identifier: Apache-2.0
// Structures of fixed size, printed from a private copy. Called by strace.c. No locks, no guest memory.
#include "abi/sysinfo.h"
#include "abi/utsname.h"
#include "sentry/strace/types.h"
#include <string.h>

#define PRINTER(type) static void print_##type(struct text *x, const void *object)
#define ALL_OF(type)  const struct linux_##type *o = object
typedef long long ll;
typedef unsigned long long ull;

PRINTER(int) {
    text_fmt(x, "%d", *(const int32_t *)object);
}
PRINTER(u32) {
    text_fmt(x, "%u", *(const uint32_t *)object);
}
PRINTER(long) {
    text_fmt(x, "%lld", (ll) * (const int64_t *)object);
}
PRINTER(u64) {
    text_hex(x, *(const uint64_t *)object);
}

PRINTER(timespec) {
    ALL_OF(timespec);
    if (o->tv_nsec == LINUX_UTIME_NOW || o->tv_nsec == LINUX_UTIME_OMIT)
        text_fmt(x, o->tv_nsec == LINUX_UTIME_NOW ? "UTIME_NOW" : "UTIME_OMIT");
    else
        text_fmt(x, "{tv_sec=%lld, tv_nsec=%lld}", (ll)o->tv_sec, (ll)o->tv_nsec);
}

PRINTER(timeval) {
    ALL_OF(timeval);
    text_fmt(x, "{tv_sec=%lld, tv_usec=%lld}", (ll)o->tv_sec, (ll)o->tv_usec);
}

PRINTER(itimerval) {
    ALL_OF(itimerval);
    text_fmt(x, "{it_interval=");
    print_timeval(x, &o->it_interval);
    text_fmt(x, ", it_value=");
    print_timeval(x, &o->it_value);
    text_fmt(x, "}");
}

PRINTER(itimerspec) {
    ALL_OF(itimerspec);
    text_fmt(x, "{it_interval=");
    print_timespec(x, &o->it_interval);
    text_fmt(x, ", it_value=");
    print_timespec(x, &o->it_value);
    text_fmt(x, "}");
}

PRINTER(tms) {
    ALL_OF(tms);
    text_fmt(x, "{tms_utime=%lld, tms_stime=%lld, tms_cutime=%lld, tms_cstime=%lld}", (ll)o->tms_utime,
             (ll)o->tms_stime, (ll)o->tms_cutime, (ll)o->tms_cstime);
}

PRINTER(stat) {
    ALL_OF(stat);
    text_fmt(x, "{st_mode=");
    text_mode(x, o->st_mode);
    if (LINUX_S_ISCHR(o->st_mode) || LINUX_S_ISBLK(o->st_mode))
        text_fmt(x, ", st_rdev=makedev(%#x, %#x), ...}", LINUX_MAJOR(o->st_rdev), LINUX_MINOR(o->st_rdev));
    else
        text_fmt(x, ", st_size=%lld, ...}", (ll)o->st_size);
}

PRINTER(statx) {
    ALL_OF(statx);
    text_fmt(x, "{stx_mask=");
    text_flags(x, &flagset_statx, o->stx_mask);
    text_fmt(x, ", stx_mode=");
    text_mode(x, o->stx_mode);
    text_fmt(x, ", stx_size=%llu, ...}", (ull)o->stx_size);
}

PRINTER(statfs) {
    ALL_OF(statfs);
    text_fmt(x, "{f_type=0x%llx, f_bsize=%lld, f_blocks=%llu, f_bfree=%llu, ...}", (ull)o->f_type,
             (ll)o->f_bsize, (ull)o->f_blocks, (ull)o->f_bfree);
}

// The guest can write to the copy that it got meanwhile, so these are escaped as any other bytes.
PRINTER(utsname) {
    ALL_OF(utsname);
    text_fmt(x, "{sysname=");
    text_quoted(x, o->sysname, strnlen(o->sysname, sizeof(o->sysname)), false);
    text_fmt(x, ", nodename=");
    text_quoted(x, o->nodename, strnlen(o->nodename, sizeof(o->nodename)), false);
    text_fmt(x, ", release=");
    text_quoted(x, o->release, strnlen(o->release, sizeof(o->release)), false);
    text_fmt(x, ", ...}");
}

PRINTER(sysinfo) {
    ALL_OF(sysinfo);
    text_fmt(x, "{uptime=%lld, totalram=%llu, freeram=%llu, procs=%u, ...}", (ll)o->uptime, (ull)o->totalram,
             (ull)o->freeram, o->procs);
}

PRINTER(rusage) {
    ALL_OF(rusage);
    text_fmt(x, "{ru_utime=");
    print_timeval(x, &o->ru_utime);
    text_fmt(x, ", ru_stime=");
    print_timeval(x, &o->ru_stime);
    text_fmt(x, ", ...}");
}

static void limit(struct text *x, const char *name, uint64_t value) {
    if (value == LINUX_RLIM_INFINITY)
        text_fmt(x, "%s=RLIM64_INFINITY", name);
    else
        text_fmt(x, "%s=%llu", name, (ull)value);
}

PRINTER(rlimit) {
    const struct linux_rlimit64 *o = object;
    text_fmt(x, "{");
    limit(x, "rlim_cur", o->rlim_cur);
    limit(x, ", rlim_max", o->rlim_max);
    text_fmt(x, "}");
}

// As strace: a set with most signals in it is shown by those that are missing, after a tilde.
PRINTER(sigset) {
    linux_sigset_t set = *(const linux_sigset_t *)object;
    bool inverted = __builtin_popcountll(set) > 32;
    if (inverted)
        set = ~set;
    text_fmt(x, inverted ? "~[" : "[");
    const char *between = "";
    for (unsigned sig = 1; sig <= LINUX_NSIG; sig++) {
        if (!(set & LINUX_SIGMASK(sig)))
            continue;
        const char *name = flagset_name(&flagset_signal, sig);
        text_fmt(x, "%s", between);
        if (name)
            text_fmt(x, "%s", name + 3);
        else
            text_fmt(x, "RT_%u", sig - LINUX_SIGRTMIN);
        between = " ";
    }
    text_fmt(x, "]");
}

PRINTER(sigaction) {
    ALL_OF(sigaction);
    text_fmt(x, "{sa_handler=");
    if (o->sa_handler == LINUX_SIG_DFL || o->sa_handler == LINUX_SIG_IGN)
        text_fmt(x, o->sa_handler == LINUX_SIG_DFL ? "SIG_DFL" : "SIG_IGN");
    else
        text_hex(x, o->sa_handler);
    text_fmt(x, ", sa_mask=");
    print_sigset(x, &o->sa_mask);
    text_fmt(x, ", sa_flags=");
    text_flags(x, &flagset_sa, o->sa_flags);
    if (o->sa_flags & LINUX_SA_RESTORER)
        text_fmt(x, ", sa_restorer=0x%llx", (ull)o->sa_restorer);
    text_fmt(x, "}");
}

PRINTER(siginfo) {
    ALL_OF(siginfo);
    text_fmt(x, "{si_signo=");
    text_signal(x, (uint32_t)o->si_signo);
    text_fmt(x, ", si_code=");
    bool child = o->si_signo == LINUX_SIGCHLD && o->si_code > 0;
    text_enum(x, child ? &flagset_cld : &flagset_si_code, (uint32_t)o->si_code);
    if (child)
        text_fmt(x, ", si_pid=%d, si_uid=%u, si_status=%d", o->si_pid, o->si_uid, o->si_status);
    else if (o->si_code <= 0)
        text_fmt(x, ", si_pid=%d, si_uid=%u", o->si_pid, o->si_uid);
    text_fmt(x, "}");
}

PRINTER(stack) {
    ALL_OF(stack);
    text_fmt(x, "{ss_sp=");
    text_ptr(x, o->ss_sp);
    text_fmt(x, ", ss_flags=");
    text_flags(x, &flagset_ss, (uint32_t)o->ss_flags);
    text_fmt(x, ", ss_size=%llu}", (ull)o->ss_size);
}

PRINTER(sigevent) {
    ALL_OF(sigevent);
    text_fmt(x, "{sigev_signo=");
    text_signal(x, (uint32_t)o->sigev_signo);
    text_fmt(x, ", sigev_notify=");
    text_enum(x, &flagset_sigev, (uint32_t)o->sigev_notify);
    text_fmt(x, "}");
}

PRINTER(pollfd) {
    ALL_OF(pollfd);
    text_fmt(x, "{fd=%d, events=", o->fd);
    text_flags(x, &flagset_poll, (uint16_t)o->events);
    if (o->revents) {
        text_fmt(x, ", revents=");
        text_flags(x, &flagset_poll, (uint16_t)o->revents);
    }
    text_fmt(x, "}");
}

PRINTER(epoll_event) {
    ALL_OF(epoll_event);
    text_fmt(x, "{events=");
    text_flags(x, &flagset_epoll, o->events);
    text_fmt(x, ", data=0x%llx}", (ull)o->data);
}

PRINTER(flock) {
    ALL_OF(flock);
    text_fmt(x, "{l_type=");
    text_enum(x, &flagset_locktype, (uint16_t)o->l_type);
    text_fmt(x, ", l_whence=");
    text_enum(x, &flagset_seek, (uint16_t)o->l_whence);
    text_fmt(x, ", l_start=%lld, l_len=%lld}", (ll)o->l_start, (ll)o->l_len);
}

PRINTER(open_how) {
    ALL_OF(open_how);
    text_fmt(x, "{flags=");
    text_flags(x, &flagset_open, o->flags);
    text_fmt(x, ", mode=%#llo, resolve=", (ull)o->mode);
    text_flags(x, &flagset_resolve, o->resolve);
    text_fmt(x, "}");
}

PRINTER(clone_args) {
    ALL_OF(clone_args);
    text_fmt(x, "{flags=");
    text_flags(x, &flagset_clone, o->flags);
    text_fmt(x, ", exit_signal=");
    text_signal(x, o->exit_signal);
    text_fmt(x, ", stack=");
    text_ptr(x, o->stack);
    text_fmt(x, ", stack_size=0x%llx, tls=0x%llx}", (ull)o->stack_size, (ull)o->tls);
}

PRINTER(status) {
    int s = *(const int32_t *)object;
    if (LINUX_WIFCONTINUED(s)) {
        text_fmt(x, "{WIFCONTINUED(s)}");
    } else if (LINUX_WIFEXITED(s)) {
        text_fmt(x, "{WIFEXITED(s) && WEXITSTATUS(s) == %d}", LINUX_WEXITSTATUS(s));
    } else {
        bool stopped = LINUX_WIFSTOPPED(s);
        text_fmt(x, stopped ? "{WIFSTOPPED(s) && WSTOPSIG(s) == " : "{WIFSIGNALED(s) && WTERMSIG(s) == ");
        text_signal(x, (uint64_t)(stopped ? LINUX_WSTOPSIG(s) : LINUX_WTERMSIG(s)));
        text_fmt(x, "%s}", !stopped && (s & LINUX_WCOREFLAG) ? " && WCOREDUMP(s)" : "");
    }
}

#define TYPE(name)                                                                                           \
    { #name, sizeof(struct linux_##name), print_##name }
#define TYPE_AS(name, type)                                                                                  \
    { #name, sizeof(type), print_##name }
static const struct strace_type types[] = {
    TYPE_AS(int, int32_t),
    TYPE_AS(u32, uint32_t),
    TYPE_AS(long, int64_t),
    TYPE_AS(u64, uint64_t),
    TYPE_AS(sigset, linux_sigset_t),
    TYPE_AS(status, int32_t),
    TYPE_AS(rlimit, struct linux_rlimit64),
    TYPE(timespec),
    TYPE(timeval),
    TYPE(itimerval),
    TYPE(itimerspec),
    TYPE(tms),
    TYPE(stat),
    TYPE(statx),
    TYPE(statfs),
    TYPE(utsname),
    TYPE(sysinfo),
    TYPE(rusage),
    TYPE(sigaction),
    TYPE(siginfo),
    TYPE(stack),
    TYPE(sigevent),
    TYPE(pollfd),
    TYPE(epoll_event),
    TYPE(flock),
    TYPE(open_how),
    TYPE(clone_args),
};
static_assert(sizeof(struct linux_utsname) <= STRACE_TYPE_MAX, "the largest");

const struct strace_type *strace_type_find(const char *name, size_t len) {
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strlen(types[i].name) == len && memcmp(types[i].name, name, len) == 0)
            return &types[i];
    }
    return NULL;
}
