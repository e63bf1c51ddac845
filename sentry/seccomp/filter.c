// SPDX-License-Identifier: Apache-2.0
// Filters: made, put in front of a task's chain, asked about a call. They are run by the interpreter of
// socket filters (sentry/socket/bpf.c), over the call laid out as a packet. See seccomp.h.
#include "abi/caps.h"
#include "abi/syscalls.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/list.h"
#include "base/log.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/user_ns.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/socket/bpf.h"
#include <string.h>

#define MAX_INSNS_PER_PATH 32768u  // of all filters of a chain, each with a few on top, as on Linux
#define FILTER_PENALTY     4u
#define CACHE_WORDS        ((LINUX_NR_COUNT + 63) / 64)

struct seccomp_filter {  // [c] all of it, once it is published
    struct refcount refs;
    struct seccomp_filter *prev;        // owned; older
    struct bpf_program *program;        // owned
    struct seccomp_listener *listener;  // owned, or NULL
    unsigned depth, insns;              // of the chain from here on
    bool log;
    uint64_t allowed[CACHE_WORDS];  // numbers that the whole chain allows whatever the arguments are
};

// ---- Life -------------------------------------------------------------------------------------------------
struct seccomp_filter *seccomp_get(struct seccomp_filter *f) {
    if (f)
        ref_get(&f->refs);
    return f;
}

void seccomp_put(struct seccomp_filter *f) {
    while (f && ref_put(&f->refs)) {
        struct seccomp_filter *prev = f->prev;
        if (f->listener)
            seccomp_listener_filter_gone(f->listener);
        free(f->program);
        free(f);
        f = prev;
    }
}

static void filter_cleanup(struct seccomp_filter **f) { seccomp_put(*f); }

unsigned seccomp_depth(const struct seccomp_filter *f) { return f ? f->depth : 0; }
struct seccomp_listener *seccomp_listener_of(const struct seccomp_filter *f) {
    return f->listener;
}

bool task_no_new_privs(const struct task *t) {
    return t->cred->no_new_privs || atomic_load(&t->no_new_privs_synced);
}

// ---- Running ----------------------------------------------------------------------------------------------
// The call as a packet whose words lie the other way round, as the interpreter reads them.
struct call_view {
    struct ns_view v;
    struct linux_seccomp_data data;
    bool knows_ip, knows_args;
    bool missed;  // something was asked for that is not known: the answer is none
};

static bool load_word(const struct ns_view *v, uint32_t at, void *to, uint32_t n) {
    struct call_view *c = container_of((struct ns_view *)(uintptr_t)v, struct call_view, v);
    uint32_t word;
    if (n != sizeof word || at > sizeof c->data - sizeof word)
        return false;
    bool in_ip = at >= offsetof(struct linux_seccomp_data, instruction_pointer) &&
                 at < offsetof(struct linux_seccomp_data, args);
    bool in_args = at >= offsetof(struct linux_seccomp_data, args);
    if ((in_ip && !c->knows_ip) || (in_args && !c->knows_args)) {
        c->missed = true;
        return false;
    }
    memcpy(&word, (const char *)&c->data + at, sizeof word);
    word = __builtin_bswap32(word);
    memcpy(to, &word, sizeof word);
    return true;
}

static void view_init(struct call_view *c) {
    c->v = (struct ns_view){.len = sizeof c->data, .load = load_word};
    c->missed = false;
}

static uint32_t run(const struct seccomp_filter *f, struct call_view *c) {
    return f->program->filter.run(&f->program->filter, &c->v);
}

// ---- Judging a call ---------------------------------------------------------------------------------------
struct linux_seccomp_data seccomp_data_of(const struct task *t, uint64_t ip) {
    struct linux_seccomp_data d = {
        .nr = (int32_t)t->call.nr, .arch = LINUX_AUDIT_ARCH_X86_64, .instruction_pointer = ip};
    memcpy(d.args, t->call.args.v, sizeof d.args);
    return d;
}

static bool always_allowed(const struct seccomp_filter *f, uint32_t nr) {
    return nr < LINUX_NR_COUNT && (f->allowed[nr / 64] >> nr % 64 & 1);
}

// The word that counts is the one with the smallest action, signed; of equal ones the newest filter's.
static bool stronger(uint32_t a, uint32_t b) {
    return (int32_t)(a & LINUX_SECCOMP_RET_ACTION_FULL) < (int32_t)(b & LINUX_SECCOMP_RET_ACTION_FULL);
}

static void ask_chain(struct seccomp_filter *f, struct call_view *c, struct seccomp_verdict *v) {
    uint32_t word = LINUX_SECCOMP_RET_ALLOW;
    v->by = f;
    for (; f; f = f->prev) {
        uint32_t w = run(f, c);
        if (stronger(w, word)) {
            word = w;
            v->by = f;
        }
    }
    v->action = word & LINUX_SECCOMP_RET_ACTION_FULL;
    v->data = (uint16_t)(word & LINUX_SECCOMP_RET_DATA);
    v->needs_ip = c->missed;
    v->log = v->by->log;
}

static bool strict_allows(uint32_t nr) {
    return nr == LINUX_NR_read || nr == LINUX_NR_write || nr == LINUX_NR_exit || nr == LINUX_NR_rt_sigreturn;
}

void seccomp_judge(struct task *t, const uint64_t *ip, struct seccomp_verdict *v) {
    struct seccomp_filter *f = atomic_load_explicit(&t->seccomp, memory_order_acquire);
    uint32_t nr = (uint32_t)t->call.nr;
    *v = (struct seccomp_verdict){.action = LINUX_SECCOMP_RET_ALLOW, .by = f};
    if (!f) {
        if (!strict_allows(nr))
            v->action = LINUX_SECCOMP_RET_KILL_THREAD;
        return;
    }
    if (always_allowed(f, nr))
        return;
    struct call_view c = {.knows_args = true, .knows_ip = ip};
    view_init(&c);
    c.data = seccomp_data_of(t, ip ? *ip : 0);
    ask_chain(f, &c, v);
}

// ---- Making one -------------------------------------------------------------------------------------------
// Beyond what the interpreter's own check has found right: whole words of the call, no packets
// (kernel/seccomp.c, seccomp_check_filter).
static bool insn_ok(const struct linux_sock_filter *f) {
    switch (f->code & 7) {
    case 0x00:  // LD: a word at a place, the length, a constant, a scratch word
        if (f->code == 0x20)
            return f->k % 4 == 0 && f->k < sizeof(struct linux_seccomp_data);
        return f->code == 0x80 || f->code == 0x00 || f->code == 0x60;
    case 0x01:  // LDX: the same without places
        return f->code == 0x81 || f->code == 0x01 || f->code == 0x61;
    case 0x04:  // ALU, without the remainder
        return (f->code & 0xf0) != 0x90;
    default:
        return true;
    }
}

static int program_new(const struct linux_sock_filter *insn, unsigned n, struct bpf_program **out) {
    for (unsigned i = 0; i < n; i++)
        if (!insn_ok(&insn[i]))
            return -LINUX_EINVAL;
    return bpf_program_new(insn, n, out);
}

// As Linux' cache: what the filter says of a number without looking at anything but the number.
static void fill_cache(struct seccomp_filter *f) {
    for (uint32_t nr = 0; nr < LINUX_NR_COUNT; nr++) {
        if (f->prev && !always_allowed(f->prev, nr))
            continue;
        struct call_view c = {.data = {.nr = (int32_t)nr, .arch = LINUX_AUDIT_ARCH_X86_64}};
        view_init(&c);
        if (run(f, &c) == LINUX_SECCOMP_RET_ALLOW && !c.missed)
            f->allowed[nr / 64] |= 1ull << nr % 64;
    }
}

static int read_program(struct task *t, uaddr_t at, struct bpf_program **out) {
    struct linux_sock_fprog prog;
    if (copy_in_obj(t, &prog, at) < 0)
        return -LINUX_EFAULT;
    if (prog.len == 0 || prog.len > LINUX_BPF_MAXINSNS)
        return -LINUX_EINVAL;
    if (!task_no_new_privs(t) && !task_own_capable(t, LINUX_CAP_SYS_ADMIN))
        return -LINUX_EACCES;
    struct linux_sock_filter *insn cleanup_free = xcalloc(prog.len, sizeof *insn);
    if (!insn)
        return -LINUX_ENOMEM;
    if (copy_in(t, insn, uaddr(prog.filter), prog.len * sizeof *insn) < 0)
        return -LINUX_EFAULT;
    return program_new(insn, prog.len, out);
}

static struct seccomp_filter *filter_new(struct bpf_program *program) {
    struct seccomp_filter *f = znew(struct seccomp_filter);
    if (!f) {
        free(program);
        return NULL;
    }
    ref_init(&f->refs, 1);
    f->program = program;
    f->depth = 1;
    f->insns = program->len;
    return f;
}

// ---- Putting it in force ----------------------------------------------------------------------------------
// [T] Only the task itself, and a sibling's TSYNC with an heir of what it has, change it.
static void give(struct task *t, struct seccomp_filter *f) {
    struct seccomp_filter *old = atomic_load(&t->seccomp);
    atomic_store_explicit(&t->seccomp, seccomp_get(f), memory_order_release);
    atomic_store_explicit(&t->seccomp_mode, LINUX_SECCOMP_MODE_FILTER, memory_order_release);
    seccomp_put(old);  // f keeps it
}

static bool is_heir(const struct seccomp_filter *f, const struct seccomp_filter *of) {
    while (f && f != of)
        f = f->prev;
    return f || !of;
}

// [T] The first thread that has filters which the caller's are not built on; 0: there is none.
static int32_t thread_apart(struct task *t) {
    const struct task *o;
    const struct seccomp_filter *mine = atomic_load(&t->seccomp);
    list_for_each(o, &t->tg->tasks, tg_link) {
        int mode = atomic_load(&o->seccomp_mode);
        if (o == t || mode == LINUX_SECCOMP_MODE_DISABLED)
            continue;
        if (mode != LINUX_SECCOMP_MODE_FILTER || !is_heir(mine, atomic_load(&o->seccomp)))
            return pid_out(t->tg->pid_ns, o->tid);
    }
    return 0;
}

static void sync_threads(struct task *t, struct seccomp_filter *f) {
    struct task *o;
    list_for_each(o, &t->tg->tasks, tg_link) {
        if (o == t)
            continue;
        give(o, f);
        if (task_no_new_privs(t))
            atomic_store(&o->no_new_privs_synced, true);
    }
}

static bool has_listener(const struct seccomp_filter *f) {
    while (f && !f->listener)
        f = f->prev;
    return f;
}

static int put_before(struct seccomp_filter *f, struct seccomp_filter *prev) {
    unsigned insns = f->insns + (prev ? prev->insns + prev->depth * FILTER_PENALTY : 0);
    if (insns > MAX_INSNS_PER_PATH)
        return -LINUX_ENOMEM;
    if (f->listener && has_listener(prev))
        return -LINUX_EBUSY;
    f->prev = seccomp_get(prev);
    f->depth = 1 + seccomp_depth(prev);
    f->insns = f->program->len + (prev ? prev->insns : 0);
    return 0;
}

// A sibling's TSYNC may come between: then the cache is made again over the longer chain.
static int64_t attach(struct task *t, struct seccomp_filter *f, uint64_t flags) {
    for (;;) {
        struct seccomp_filter *seen = atomic_load(&t->seccomp);
        seccomp_put(take_ptr(f->prev));
        memset(f->allowed, 0, sizeof f->allowed);
        int err = put_before(f, seen);
        if (err < 0)
            return err;
        fill_cache(f);
        LOCKED(&t->k->tasks_lock);
        int mode = atomic_load(&t->seccomp_mode);
        if (mode == LINUX_SECCOMP_MODE_STRICT)
            return -LINUX_EINVAL;
        if (atomic_load(&t->seccomp) != seen)
            continue;
        int32_t apart = flags & LINUX_SECCOMP_FILTER_FLAG_TSYNC ? thread_apart(t) : 0;
        if (apart)
            return flags & LINUX_SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -LINUX_ESRCH : apart;
        give(t, f);
        if (flags & LINUX_SECCOMP_FILTER_FLAG_TSYNC)
            sync_threads(t, f);
        return 0;
    }
}

static int check_flags(uint64_t flags) {
    const uint64_t known = LINUX_SECCOMP_FILTER_FLAG_TSYNC | LINUX_SECCOMP_FILTER_FLAG_LOG |
                           LINUX_SECCOMP_FILTER_FLAG_SPEC_ALLOW | LINUX_SECCOMP_FILTER_FLAG_NEW_LISTENER |
                           LINUX_SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
                           LINUX_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    bool listens = flags & LINUX_SECCOMP_FILTER_FLAG_NEW_LISTENER;
    if (flags & ~known)
        return -LINUX_EINVAL;
    if ((flags & LINUX_SECCOMP_FILTER_FLAG_TSYNC) && listens &&
        !(flags & LINUX_SECCOMP_FILTER_FLAG_TSYNC_ESRCH))
        return -LINUX_EINVAL;
    return (flags & LINUX_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) && !listens ? -LINUX_EINVAL : 0;
}

// The descriptor is taken before the filter is in force: after that nothing may fail.
static int64_t attach_listener(struct task *t, struct seccomp_filter *f, uint64_t flags) {
    struct file *file cleanup_file = NULL;
    bool killable = flags & LINUX_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    int err = seccomp_listener_new(t->k->vfs, killable, &f->listener, &file);
    if (err < 0)
        return err;
    int fd = fd_install(t->files, file, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), true);
    if (fd < 0)
        return fd;
    int64_t r = attach(t, f, flags);
    if (r == 0)
        return fd;
    fd_close(t->files, fd);
    return r;
}

int64_t seccomp_set_filter(struct task *t, uint64_t flags, uaddr_t at) {
    struct bpf_program *program;
    int err = check_flags(flags);
    if (err == 0)
        err = read_program(t, at, &program);
    if (err < 0)
        return err;
    struct seccomp_filter *f __attribute__((cleanup(filter_cleanup))) = filter_new(program);
    if (!f)
        return -LINUX_ENOMEM;
    f->log = flags & LINUX_SECCOMP_FILTER_FLAG_LOG;
    return flags & LINUX_SECCOMP_FILTER_FLAG_NEW_LISTENER ? attach_listener(t, f, flags)
                                                          : attach(t, f, flags);
}

int seccomp_filter_make(const struct linux_sock_filter *insns, unsigned n, bool log,
                        struct seccomp_filter **out) {
    struct bpf_program *program;
    int err = n == 0 || n > LINUX_BPF_MAXINSNS ? -LINUX_EINVAL : program_new(insns, n, &program);
    if (err < 0)
        return err;
    struct seccomp_filter *f = filter_new(program);
    if (!f)
        return -LINUX_ENOMEM;
    f->log = log;
    fill_cache(f);
    *out = f;
    return 0;
}

void seccomp_begin(struct task *t, struct seccomp_filter *f) {
    if (!f)
        return;
    atomic_store(&t->seccomp, seccomp_get(f));
    atomic_store(&t->seccomp_mode, LINUX_SECCOMP_MODE_FILTER);
}

int64_t seccomp_set_strict(struct task *t) {
    LOCKED(&t->k->tasks_lock);
    if (atomic_load(&t->seccomp_mode) == LINUX_SECCOMP_MODE_FILTER)
        return -LINUX_EINVAL;
    atomic_store(&t->seccomp_mode, LINUX_SECCOMP_MODE_STRICT);
    return 0;
}

void seccomp_inherit(struct task *child, struct task *parent) {
    atomic_store(&child->seccomp, seccomp_get(atomic_load(&parent->seccomp)));
    atomic_store(&child->seccomp_mode, atomic_load(&parent->seccomp_mode));
    atomic_store(&child->no_new_privs_synced, atomic_load(&parent->no_new_privs_synced));
}
