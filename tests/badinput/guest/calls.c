// SPDX-License-Identifier: Apache-2.0
// Rows of abi/syscalls.def as calls with fair arguments; which rows are left out, and why.
#include "bad.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "abi/syscalls.h"
#include "places.h"

static const struct {
    const char *name, *why;
} left_out[] = {
    {"exit", "does not return"},
    {"exit_group", "does not return"},
    {"rt_sigreturn", "its input is a whole frame: signal_badstack, signal_longjmp"},
    {"vfork", "shares its caller's stack"},
    {"fork", "takes no arguments"},
    {"clone", "a child on a bad stack is not the call's matter: clone_flags"},
    {"pause", "waits for ever"},
    {"sync", "takes no arguments, and is slow on a host with much to write"},
    {"restart_syscall", "is the kernel's own"},
    {"pkey_alloc", "the processor may have keys or none; inside there are none"},
    {"uretprobe", "is the kernel's own"},
    {"uprobe", "is the kernel's own"},
};

// Fair values that differ from what the kind says.
static const struct {
    const char *call, *arg;
    uint64_t value;
} fair[] = {
    {"*", "sigsetsize", 8},
    {"*", "sizemask", 8},
    {"*", "iovcnt", 1},
    {"*", "nr_segs", 1},
    {"*", "liovcnt", 1},
    {"*", "riovcnt", 1},
    {"*", "optlen", 4},
    {"*", "maxevents", 4},
    {"poll", "nfds", 1},
    {"ppoll", "nfds", 1},
    {"select", "nfds", 64},
    {"pselect6", "nfds", 64},
    {"*", "vlen", 1},
    {"*", "nsops", 1},
    {"*", "initval", 1},
    {"*", "epfd", EPOLL},
    {"*", "pidfd", PIDFD},
    {"*", "mqdes", MQUEUE},
    {"*", "sockfd", STREAM},
    {"clone3", "size", 64},
    {"openat2", "size", 24},
    {"sched_getattr", "size", 48},
    {"set_robust_list", "len", 24},
    {"accept", "sockfd", LISTENER},
    {"accept4", "sockfd", LISTENER},
    {"listen", "sockfd", LISTENER},
    {"mmap", "flags", 0x22},
    {"mmap", "prot", 1},
    {"mmap", "length", PAGE},
    {"*", "old_size", PAGE},
    {"*", "new_size", PAGE},
    {"splice", "fd_in", PIPE_R},
    {"splice", "fd_out", FILE_RW},
    {"tee", "fd_in", PIPE_R},
    {"vmsplice", "flags", 2},
    {"tee", "fd_out", PIPE_W},
    {"vmsplice", "fd", PIPE_W},
    {"sendfile", "out_fd", MEMFD},
    {"getdents", "fd", DIRECTORY},
    {"getdents64", "fd", DIRECTORY},
    {"fchdir", "fd", DIRECTORY},
    {"getdents", "count", PAGE},
    {"getdents64", "count", PAGE},
    {"*", "cpusetsize", 128},
    {"signalfd", "fd", SIGNALFD},
    {"signalfd4", "fd", SIGNALFD},
    {"timerfd_settime", "fd", TIMERFD},
    {"timerfd_gettime", "fd", TIMERFD},
    {"inotify_add_watch", "fd", INOTIFY},
    {"inotify_add_watch", "mask", 2},
    {"inotify_rm_watch", "fd", INOTIFY},
    {"inotify_rm_watch", "wd", 1},
    {"dup2", "newfd", 100},
    {"dup3", "newfd", 100},
    {"futex", "val", 1},
    {"socket", "domain", 1},
    {"socket", "type", 1},
    {"socketpair", "domain", 1},
    {"socketpair", "type", 1},
    {"mq_timedsend", "msg_len", 8},
    {"mq_timedreceive", "msg_len", 8192},
    {"io_setup", "nr_events", 4},
    {"io_getevents", "nr", 1},
    {"statx", "mask", 0x7ff},
    {"close_range", "first", 100},
    {"close_range", "last", 110},
    {"epoll_ctl", "op", 1},
    {"epoll_ctl", "fd", PIPE_R},
    {"msgsnd", "msgsz", 8},
    {"msgrcv", "msgsz", 8},
    {"wait4", "options", 1},
    {"waitid", "options", 5},
    {"shmget", "size", PAGE},
    {"futex_waitv", "nr_futexes", 1},
    {"futex_wait", "val", 1},
    {"futex_wait", "flags", 2},
    {"futex_wake", "flags", 2},
    {"futex_wake", "mask", 1},
    {"futex_wait", "mask", 1},
    {"semget", "nsems", 1},
    {"getpriority", "who", 0},
    {"process_madvise", "advice", 20},
    {"setxattrat", "size", 16},
    {"getxattrat", "size", 16},
    {"kcmp", "type", 0},
    {"capget", "hdrp", 0},
    {"fcntl", "cmd", 1},
    {"copy_file_range", "fd_in", FILE_R},
    {"copy_file_range", "fd_out", MEMFD},
    {"shutdown", "how", 0},
    {"mlock", "len", PAGE},
    {"munlock", "len", PAGE},
    {"mlock2", "len", PAGE},
    {"getsockopt", "level", 1},
    {"setsockopt", "level", 1},
    {"getsockopt", "optname", 2},
    {"setsockopt", "optname", 2},
    {"setns", "nstype", 0},
    {"ioctl", "op", 0x541b},
    {"utime", "times", 0},
    {"recvmmsg", "flags", 0x40},
    {"msgrcv", "msgflg", 04000},
    {"rt_sigaction", "signum", 10},
    {"getcwd", "size", PAGE},
};

static const struct {
    const char *call, *arg;
    unsigned name;
} names[] = {
    {"*", "newpath", NAME_NEW},         {"*", "linkpath", NAME_NEW},
    {"mkdir", "pathname", NAME_NEW},    {"mkdirat", "pathname", NAME_NEW},
    {"mknod", "pathname", NAME_NEW},    {"mknodat", "pathname", NAME_NEW},
    {"chdir", "path", NAME_DIRECTORY},  {"rmdir", "pathname", NAME_DIRECTORY},
    {"chroot", "path", NAME_DIRECTORY}, {"mq_open", "name", NAME_QUEUE},
    {"mq_unlink", "name", NAME_QUEUE},  {"*", "name", NAME_XATTR},
    {"*", "target", NAME_DIRECTORY},
};

static void copy_word(char *to, size_t size, const char *from, size_t len) {
    len = len < size ? len : size - 1;
    memcpy(to, from, len);
    to[len] = 0;
}

// "in(bytes*count):buf" into its three parts; what follows an asterisk tells only how much there is.
static void parse(const char *text, size_t len, struct arg *arg) {
    const char *colon = memchr(text, ':', len);
    const char *bracket = memchr(text, '(', len);
    copy_word(arg->name, sizeof(arg->name), colon + 1, len - (size_t)(colon + 1 - text));
    if (!bracket) {
        copy_word(arg->kind, sizeof(arg->kind), text, (size_t)(colon - text));
        return;
    }
    copy_word(arg->kind, sizeof(arg->kind), text, (size_t)(bracket - text));
    copy_word(arg->type, sizeof(arg->type), bracket + 1, strcspn(bracket + 1, "*)"));
}

static uint64_t good_value(const struct call *call, const struct arg *arg, unsigned index) {
    for (size_t i = 0; i < sizeof(fair) / sizeof(fair[0]); i++) {
        bool mine = fair[i].call[0] == '*' || !strcmp(fair[i].call, call->name);
        bool memory = arg->type[0] && strcmp(arg->kind, "flags") && strcmp(arg->kind, "enum");
        if (mine && !memory && !strcmp(fair[i].arg, arg->name) && strcmp(arg->kind, "ptr"))
            return fair[i].value;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        bool mine = names[i].call[0] == '*' || !strcmp(names[i].call, call->name);
        if (mine && !strcmp(names[i].arg, arg->name) && !strcmp(arg->kind, "path"))
            return NAMES_AT + names[i].name;
    }
    if (!strcmp(arg->kind, "path"))
        return NAMES_AT + NAME_FILE;
    if (!strcmp(arg->kind, "fd"))
        return FILE_RW;
    if (!strcmp(arg->kind, "dirfd"))
        return (uint64_t)-100;  // AT_FDCWD
    if (!strcmp(arg->kind, "size"))
        return 16;
    if (!strcmp(arg->kind, "mode"))
        return 0644;
    bool memory = !strcmp(arg->kind, "in") || !strcmp(arg->kind, "out") || !strcmp(arg->kind, "inout") ||
                  !strcmp(arg->kind, "ptr");
    if (!strcmp(arg->name, "addrlen_ptr"))
        return good_memory("addrlen", index);
    if (!strcmp(call->name, "rt_sigtimedwait") && !strcmp(arg->name, "set"))
        return good_memory("sigset of one", index);
    return memory ? good_memory(arg->type, index) : 0;
}

bool call_describe(unsigned nr, struct call *call, const char **why) {
    const struct sysdesc *desc = sysdesc(nr);
    *why = NULL;
    if (!desc)
        return false;
    *call = (struct call){.nr = nr, .name = desc->name};
    if (desc->support == SYSCALL_NONE)
        *why = "is not served: one answer to all";
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
        if (!strcmp(left_out[i].name, desc->name))
            *why = left_out[i].why;
    }
    for (const char *at = desc->args; *at && *at != ';' && call->nargs < MAX_ARGS;) {
        size_t len = strcspn(at, ",;");
        struct arg *arg = &call->args[call->nargs];
        parse(at, len, arg);
        arg->good = good_value(call, arg, call->nargs++);
        at += len + (at[len] == ',');
        at += strspn(at, " ");
    }
    return !*why;
}
