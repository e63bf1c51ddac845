// SPDX-License-Identifier: Apache-2.0
// Any row of abi/syscalls.def that is served, with arguments as the row describes them. Left out are calls
// that would end the worker or move its own memory away at once; those have shapes.
#include "fuzz.h"
#include "abi/flags.h"
#include "abi/syscalls.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CALLS 512u

static unsigned numbers[MAX_CALLS], count;

static bool left_out(const char *name) {
    static const char *const names[] = {"exit",
                                        "exit_group",
                                        "fork",
                                        "vfork",
                                        "clone",
                                        "clone3",
                                        "execve",
                                        "execveat",  // shapes_process.c
                                        "kill",
                                        "tkill",
                                        "tgkill",
                                        "rt_sigqueueinfo",
                                        "rt_tgsigqueueinfo",
                                        "pidfd_send_signal",
                                        "mmap",
                                        "munmap",
                                        "mprotect",
                                        "pkey_mprotect",
                                        "mremap",
                                        "madvise",
                                        "brk",
                                        "shmat",
                                        "shmdt",  // shapes_memory.c
                                        "rt_sigreturn",
                                        "rt_sigaction",
                                        "setrlimit",
                                        "prlimit64",
                                        "arch_prctl",
                                        "pause",
                                        "rt_sigsuspend",
                                        "chroot",
                                        "close_range",
                                        "mlockall",
                                        "getrandom"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

void calls_init(void) {
    for (unsigned nr = 0; nr < MAX_CALLS; nr++) {
        const struct sysdesc *d = sysdesc(nr);
        if (d && d->support != SYSCALL_NONE && !left_out(d->name))
            numbers[count++] = nr;
    }
}

// A word of an argument's description: KIND, or KIND(INNER).
struct spec {
    const char *kind, *inner;
    size_t kind_len, inner_len;
};

static const char *parse(const char *s, struct spec *out) {
    *out = (struct spec){.kind = s, .kind_len = strcspn(s, ":(,;")};
    s += out->kind_len;
    if (*s == '(') {
        out->inner = ++s;
        out->inner_len = strcspn(s, "*)");
    }
    s += strcspn(s, ",;");
    return *s == ',' ? s + 1 + strspn(s + 1, " ") : NULL;
}

static bool is(const struct spec *s, const char *kind) {
    return strlen(kind) == s->kind_len && !strncmp(kind, s->kind, s->kind_len);
}

static uint64_t memory(const struct spec *s) {
    void *p = any_pointer();
    if (one_in(12))
        return 0;
    if (!is(s, "out"))
        fill(s->inner, s->inner_len, p,
             s->inner_len == 5 && !memcmp(s->inner, "bytes", 5) ? 256 : 1 + below(8));
    return (uint64_t)p;
}

static uint64_t value(const struct spec *s) {
    static const uint64_t users[] = {0, 0, 1, 65534, 1000, (uint64_t)-1};
    if (is(s, "fd"))
        return (uint64_t)any_fd();
    if (is(s, "dirfd"))
        return (uint64_t)(one_in(2) ? AT_FDCWD : any_fd());
    if (is(s, "path"))
        return (uint64_t)any_path();
    if (is(s, "flags") || is(s, "enum"))
        return flags_of(s->inner, s->inner_len, is(s, "enum"));
    if (is(s, "in") || is(s, "out") || is(s, "inout"))
        return memory(s);
    if (is(s, "ptr"))
        return (uint64_t)any_pointer();
    if (is(s, "size"))
        return any_size();
    if (is(s, "pid"))
        return (uint64_t)any_pid();
    if (is(s, "sig"))
        return (uint64_t)any_signal();
    if (is(s, "uid") || is(s, "gid"))
        return pick(users);
    if (is(s, "mode"))
        return one_in(4) ? rnd() & 0177777 : 0100000u | (below(01000));
    if (is(s, "fcntlarg"))
        return one_in(2) ? (uint64_t)any_pointer() : (uint64_t)any_fd();
    return any_int();
}

void any_call(void) {
    unsigned nr = numbers[below(count)];
    uint64_t v[6] = {0};
    const char *args = sysdesc(nr)->args;
    struct spec s;
    for (unsigned i = 0; args && *args && i < 6; i++) {
        args = parse(args, &s);
        v[i] = value(&s);
    }
    if (nr == LINUX_NR_fcntl && v[1] == F_SETOWN)
        v[2] = (uint64_t)any_pid();
    if ((nr == LINUX_NR_poll && v[2] > 100) || (nr == LINUX_NR_epoll_wait && v[3] > 100))
        v[nr == LINUX_NR_poll ? 2 : 3] = below(5);
    call((long)nr, v[0], v[1], v[2], v[3], v[4], v[5]);
}
