// SPDX-License-Identifier: Apache-2.0
// The first half of an exec: from a path to an address space with everything queued for mapping. Called by
// do_exec(). Reads top down from the end: exec_load, load_program, map_image.
//
// Cost: for each file one open, one read of its first page (headers and the interpreter's name are in it, as
// a rule) and one getattr; one address space from the platform's pool; about twelve queued maps, which the
// new host thread does in one go.
//
// LIMIT: the interpreter of a program stays protected from writing (ETXTBSY) while it is mapped; on Linux
// only while it is loaded.
#include "abi/caps.h"
#include "fs/mnt_ns.h"
#include "abi/misc.h"
#include "abi/resource.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/loader/elf.h"
#include "sentry/loader/exec.h"
#include "sentry/loader/loader.h"
#include "sentry/loader/script.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/user_ns.h"
#include "sentry/run/limits.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/seccomp/seccomp.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SCRIPTS  5
#define MAX_STACK    (256ull << 20)  // of it is mapped at once, however large RLIMIT_STACK is
#define MIN_ARG_MAX  (32 * GUEST_PAGE_SIZE)
#define STACK_SPARE  (32 * GUEST_PAGE_SIZE)
#define NO_RANDOMIZE 0x0040000u  // personality(2), ADDR_NO_RANDOMIZE
// ... with READ_IMPLIES_EXEC, ADDR_COMPAT_LAYOUT and MMAP_PAGE_ZERO: what a caller may not do to a program
// with more rights.
#define CLEAR_ON_SETID (NO_RANDOMIZE | 0x0400000u | 0x0200000u | 0x0100000u)

struct binary {  // a file that is being looked at
    struct file *file;     // owned
    struct elf_image *im;  // owned
    struct vfs_attr attr;
    size_t len;
    char head[GUEST_PAGE_SIZE];
};

// ---- Files ------------------------------------------------------------------------------------------------
static int read_exact(struct file *f, void *buf, size_t n, uint64_t off) {
    int64_t r = vfs_kread(f, buf, n, off);
    if (r < 0)
        return (int)r;
    return (size_t)r == n ? 0 : -LINUX_ENOEXEC;
}
static int binary_open(const struct vfs_ctx *ctx, const struct path *base, const char *path, unsigned walk,
                       struct binary *b) {
    unsigned flags = VFS_O_EXEC | (walk & WALK_FOLLOW ? 0 : LINUX_O_NOFOLLOW);
    int r = vfs_open(ctx, base, path, flags, 0, walk, &b->file);
    if (r < 0)
        return r;
    r = vfs_getattr(&b->file->path, &b->attr);
    if (r < 0)
        return r;
    int64_t n = vfs_kread(b->file, b->head, sizeof b->head, 0);
    if (n < 0)
        return (int)n;
    b->len = (size_t)n;
    return 0;
}
static void binary_close(struct binary *b) {
    if (b->file)
        file_put(take_ptr(b->file));
    free(take_ptr(b->im));
}

// A part of the file: from the head that was read already, or else from the file.
static int binary_read(struct binary *b, void *buf, size_t n, uint64_t off) {
    if (off <= b->len && n <= b->len - off) {
        memcpy(buf, b->head + off, n);
        return 0;
    }
    return read_exact(b->file, buf, n, off);
}
static int binary_parse(struct binary *b, uint64_t max) {
    struct elf_head head;
    int r = elf_read_head(b->head, b->len, &head);
    if (r < 0)
        return r;
    char *phdrs cleanup_free = xcalloc(1, head.phsize);
    b->im = znew(struct elf_image);
    if (!phdrs || !b->im)
        return -LINUX_ENOMEM;
    r = binary_read(b, phdrs, head.phsize, head.phoff);
    return r < 0 ? r : elf_read_phdrs(&head, phdrs, b->attr.size, max, b->im);
}
// The interpreter that b asks for, if any, ready to be mapped.
static int open_interp(const struct vfs_ctx *ctx, struct binary *b, uint64_t max, struct binary *interp) {
    char name[LINUX_PATH_MAX];
    size_t n = b->im->interp_len;
    if (n == 0)
        return 0;
    int r = binary_read(b, name, n, b->im->interp_off);
    if (r < 0)
        return r;
    if (name[n - 1])
        return -LINUX_ENOEXEC;
    r = binary_open(ctx, NULL, name, WALK_FOLLOW, interp);
    if (r < 0)
        return r;
    r = binary_parse(interp, max);
    return r == -LINUX_ENOEXEC || (r == 0 && interp->im->truncated) ? -LINUX_ELIBBAD : r;
}

// ---- Mapping ----------------------------------------------------------------------------------------------
static int note_zero(struct exec_image *x, uint64_t start, uint64_t end) {
    if (start >= end)
        return 0;
    if (x->nzero == EXEC_MAX_ZERO)
        return -LINUX_ENOEXEC;
    x->zero[x->nzero].start = start;
    x->zero[x->nzero++].end = end;
    return 0;
}
// `next`: where the following segment begins, which may share a page with this one's end.
static int map_segment(struct exec_image *x, struct file *f, const struct elf_segment *s, uint64_t bias,
                       uint64_t next) {
    uint64_t start = page_down(bias + s->vaddr), data_end = bias + s->vaddr + s->filesz;
    uint64_t file_end = s->filesz ? page_up(data_end) : start, end = page_up(bias + s->vaddr + s->memsz);
    if (s->filesz) {
        int r = mm_map_fixed(x->mm, x->thread, start, file_end, s->prot, f, page_down(s->offset), NULL);
        if (r < 0)
            return r;
    }
    if (s->filesz && s->memsz > s->filesz && (s->prot & LINUX_PROT_WRITE)) {
        int r = note_zero(x, data_end, file_end < next ? file_end : next);
        if (r < 0)
            return r;
    }
    return end > file_end ? mm_map_fixed(x->mm, x->thread, file_end, end, s->prot, NULL, 0, NULL) : 0;
}
static int map_image(struct exec_image *x, struct file *f, const struct elf_image *im, uint64_t bias) {
    for (unsigned i = 0; i < im->nsegs; i++) {
        uint64_t next = i + 1 < im->nsegs ? bias + im->segs[i + 1].vaddr : UINT64_MAX;
        int r = map_segment(x, f, &im->segs[i], bias, next);
        if (r < 0)
            return r;
    }
    return 0;
}

// Where the image's lowest address comes to lie, minus what it says itself.
static int choose_bias(struct exec_image *x, const struct elf_image *im, uint64_t want, uint64_t *bias) {
    uint64_t span = im->hi - im->lo;
    if (!im->head.dyn) {
        *bias = 0;
        return mm_place(x->mm, im->lo, span) == im->lo ? 0 : -LINUX_ENOMEM;
    }
    uint64_t slack = im->align > GUEST_PAGE_SIZE ? im->align : 0;
    uint64_t at = mm_place(x->mm, want, span + slack);
    if (!at)
        return -LINUX_ENOMEM;
    *bias = ((at + slack) & ~(im->align - 1)) - (im->lo & ~(im->align - 1));
    return 0;
}

static int map_at(struct exec_image *x, const struct binary *b, uint64_t want, uint64_t *bias) {
    int r = choose_bias(x, b->im, want, bias);
    return r < 0 ? r : map_image(x, b->file, b->im, *bias);
}

// The heap begins behind the program, at a random distance when there is room below what is above.
static void set_brk(struct exec_image *x, uint64_t end, bool random) {
    x->mm->brk_start = x->mm->brk = page_up(end) + (random ? mm_random_pages(x->mm, 13) : 0);
}

// The stack that is mapped at once: RLIMIT_STACK within bounds, and never less than the arguments need.
static uint64_t stack_size(struct task *t, const struct exec_image *x) {
    uint64_t limit = task_rlimit(t, LINUX_RLIMIT_STACK), need;
    need = x->args.len + (x->args.argc + x->args.envc) * 8ull + LINUX_PATH_MAX + STACK_SPARE;
    uint64_t size = limit < MAX_STACK ? limit : MAX_STACK;
    return page_up(size > need ? size : need);
}

// interp->file is NULL when the program needs none.
static int load_elf(struct task *t, struct exec_image *x, const struct binary *b,
                    const struct binary *interp) {
    bool random = kernel_knob(t->k, KNOB_RANDOMIZE) &&
                  !(t->personality & ~x->personality_clear & NO_RANDOMIZE);
    const struct plat_layout *l = x->mm->layout;
    int r = mm_layout(x->mm, x->thread, stack_size(t, x), b->im->exec_stack, random);
    if (r < 0)
        return r;
    // Two thirds up, as Linux's ELF_ET_DYN_BASE: away from mmap_base, with room for a heap.
    uint64_t want = page_down(l->lo + (l->hi - l->lo) / 3 * 2) + (random ? mm_random_pages(x->mm, 28) : 0),
             bias;
    r = map_at(x, b, want, &bias);
    if (r < 0)
        return r;
    x->stack_top = x->mm->stack_top;
    x->entry = x->program_entry = bias + b->im->head.entry;
    x->phdr = b->im->phdr ? bias + b->im->phdr : 0;
    x->phnum = b->im->head.phnum;
    x->phent = 56;
    set_brk(x, bias + b->im->hi, random);
    if (!interp->file)
        return mm_anchor(x->mm, x->thread);
    r = map_at(x, interp, 0, &bias);
    if (r < 0)
        return r;
    x->base = bias + interp->im->lo;
    x->entry = bias + interp->im->head.entry;
    return 0;
}

// ---- Rights -----------------------------------------------------------------------------------------------
static bool in_group(const struct cred *c, uint32_t gid) {
    for (unsigned i = 0; i < c->ngroups; i++)
        if (c->groups[i] == gid)
            return true;
    return c->fsgid == gid;
}
// capabilities(7), "Transformation of capabilities during execve()". c has the file's ids; fc: the file's
// capabilities, or NULL. A set-uid root program that has some gets these alone. What it would gain it gets
// only when nobody else has a hold on the caller: a task that shares its place in the file system could lead
// the privileged program about (LSM_UNSAFE_SHARE), so could a tracer without CAP_SYS_PTRACE
// (LSM_UNSAFE_PTRACE), and no_new_privs forbids it.
static bool new_caps(struct cred *c, const struct cred *old, const struct file_caps *fc, bool shared,
                     bool no_new_privs) {
    const uint32_t zero = cred_root(c);
    bool is_root = zero != ID_NONE && (c->euid == zero || c->uid == zero);
    bool mixed = fc && is_root && c->uid != zero;
    bool root = is_root && !(c->securebits & LINUX_SECBIT_NOROOT) && !mixed;
    bool effective = (root && c->euid == zero) || (fc && fc->effective);
    bool changed = c->euid != old->euid || !in_group(old, c->egid);
    uint64_t of_file = fc ? (fc->permitted & c->cap_bounding) | (fc->inheritable & c->cap_inheritable) : 0;
    c->cap_permitted = root ? c->cap_bounding | c->cap_inheritable : of_file;
    if ((changed || (c->cap_permitted & ~old->cap_permitted)) && (shared || no_new_privs)) {
        if (no_new_privs || !(old->cap_effective >> LINUX_CAP_SETUID & 1)) {
            c->euid = c->uid;
            c->egid = c->gid;
        }
        c->cap_permitted &= old->cap_permitted;
    }
    if (changed || fc)
        c->cap_ambient = 0;
    c->cap_permitted |= c->cap_ambient;
    c->cap_effective = effective ? c->cap_permitted : c->cap_ambient;
    bool grew = effective || (c->cap_permitted & ~c->cap_ambient);
    return changed || c->euid != old->uid || c->egid != old->gid || (c->uid != zero && grew);
}
static bool knows_owners(const struct user_ns *u, const struct binary *b) {
    return idmap_out(user_ns_uids(u), b->attr.uid) != ID_NONE &&
           idmap_out(user_ns_gids(u), b->attr.gid) != ID_NONE;
}

// Does a file there give rights, by its mode or its capabilities? As mnt_may_suid() of Linux: not by way of
// another namespace's mount, nor what somebody has mounted who is not over the caller.
static bool may_give(struct task *t, const struct path *p) {
    struct mnt_ns *ns = fs_ctx_ns(t->fs);
    bool seen = vfs_is_in(ns, p);
    mnt_ns_put(ns);
    struct ns *owner = p->dentry->sb->owner;
    bool over = !owner || user_ns_is_in(t->cred->user, user_ns_of(owner));
    return seen && over && !(p->mnt->flags & LINUX_MS_NOSUID);
}

static int new_cred(struct task *t, struct exec_image *x, const struct binary *b) {
    struct cred *c = x->cred = cred_dup(t->cred, t->cred->ngroups);
    if (!c)
        return -LINUX_ENOMEM;
    x->alone = fs_ctx_exec_begin(t) ? t->fs : NULL;
    uint32_t mode = b->attr.mode;
    bool no_new_privs = task_no_new_privs(t);
    bool gives = may_give(t, &b->file->path);
    bool honoured = gives && !no_new_privs && knows_owners(c->user, b);
    x->set_uid = honoured && (mode & LINUX_S_ISUID) ? b->attr.uid : ~0u;
    x->set_gid = honoured && (mode & LINUX_S_ISGID) && (mode & LINUX_S_IXGRP) ? b->attr.gid : ~0u;
    if (x->set_uid != ~0u)
        c->euid = x->set_uid;
    if (x->set_gid != ~0u)
        c->egid = x->set_gid;
    // no_new_privs is new_caps()'s to heed: what the caller has already, it keeps.
    struct file_caps fc;
    bool has = gives && vfs_file_caps(b->file->inode, &fc);
    if (has && fc.effective && (fc.permitted & ~c->cap_bounding & ~(fc.inheritable & c->cap_inheritable)))
        return -LINUX_EPERM;  // it knows nothing of capabilities, and would run without some
    if (x->set_uid != ~0u || x->set_gid != ~0u || (has && (fc.permitted & ~t->cred->cap_permitted)))
        x->personality_clear = CLEAR_ON_SETID;
    x->secure = new_caps(c, t->cred, has ? &fc : NULL, !x->alone || !ptrace_tracer_capable(t), no_new_privs);
    c->suid = c->fsuid = c->euid;
    c->sgid = c->fsgid = c->egid;
    c->securebits &= ~(uint32_t)LINUX_SECBIT_KEEP_CAPS;
    return 0;
}

// ---- The whole --------------------------------------------------------------------------------------------
static int new_space(struct task *t, struct exec_image *x) {
    struct plat_as *as;
    int r = plat_as_create(t->k->platform, &as, &x->thread);
    if (r < 0)
        return r;
    x->mm = mm_new(t->k->platform, as, limits_pool(t->k));
    if (x->mm)
        x->mm->knobs = vfs_knobs(t->k->vfs);
    if (x->mm && t->mm)
        atomic_store(&x->mm->mdwe, mm_mdwe_inherited(t->mm));
    return x->mm ? 0 : -LINUX_ENOMEM;
}

// May others of the user look into the program? Not when it has, or came from, rights that the user has not,
// proc(5), nor when the user may not read what runs: then that is for those alone who have the right in a
// namespace that knows the file's owners (would_dump() of Linux).
static void set_lookers(struct exec_image *x, const struct cred *old, const struct vfs_ctx *ctx,
                        const struct binary *of[2]) {
    struct user_ns *u = x->cred->user;
    bool plain = old->euid == old->uid && old->egid == old->gid && cred_same_rights(old, x->cred);
    for (int i = 0; i < 2; i++) {
        if (!of[i]->file || vfs_permission(of[i]->file->inode, MAY_READ, &ctx->cred) == 0)
            continue;
        plain = false;
        while (u->level && !knows_owners(u, of[i]))
            u = user_ns_parent(u);
    }
    x->mm->user = user_ns_get(u);
    atomic_init(&x->mm->dumpable, plain);
}

static int check_arg_size(struct task *t, const struct exec_args *a) {
    uint64_t limit = task_rlimit(t, LINUX_RLIMIT_STACK) / 4, pointers = (a->argc + a->envc) * 8ull;
    limit = limit > MIN_ARG_MAX ? limit : MIN_ARG_MAX;
    return a->len + pointers > limit ? -LINUX_E2BIG : 0;
}

// Follows scripts to the program that really runs, changing the arguments on the way.
static int find_program(const struct vfs_ctx *ctx, const struct path *base, const char *path, unsigned walk,
                        struct exec_image *x, struct binary *b) {
    struct script s;
    char name[LINUX_PATH_MAX];
    snprintf(name, sizeof name, "%s", x->path);
    int r = binary_open(ctx, base, path, walk, b);
    for (int depth = 0; r == 0; depth++) {
        r = script_parse(b->head, b->len, &s);
        if (r != 0)
            return r < 0 ? r : 0;
        if (depth == MAX_SCRIPTS || x->args.hidden)
            return x->args.hidden ? -LINUX_ENOENT : -LINUX_ELOOP;
        r = exec_args_script(&x->args, s.interp, s.has_arg ? s.arg : NULL, name);
        if (r < 0)
            return r;
        snprintf(name, sizeof name, "%s", s.interp);
        binary_close(b);
        r = binary_open(ctx, NULL, s.interp, WALK_FOLLOW, b);
    }
    return r;
}

static void set_names(struct exec_image *x, const char *path, const struct exec_args *args) {
    const char *fn = args->execfn ? args->execfn : path, *slash = strrchr(fn, '/');
    snprintf(x->path, sizeof x->path, "%s", fn);
    snprintf(x->comm, sizeof x->comm, "%.15s", slash ? slash + 1 : fn);
}

// What may be run of b, and what it needs: validated before there is anything to give back.
static int check_program(struct task *t, const struct vfs_ctx *ctx, struct exec_image *x, struct binary *b,
                         struct binary *interp) {
    uint64_t max = plat_layout(t->k->platform)->hi;
    int r = check_arg_size(t, &x->args);
    if (r < 0)
        return r;
    r = binary_parse(b, max);
    if (r < 0)
        return r;
    r = open_interp(ctx, b, max, interp);
    if (r < 0)
        return r;
    return b->im->truncated ? -LINUX_ENOEXEC : 0;
}

static int load_program(struct task *t, const struct vfs_ctx *ctx, const struct path *base, const char *path,
                        unsigned walk, struct exec_image *x) {
    struct binary b __attribute__((cleanup(binary_close))), interp __attribute__((cleanup(binary_close)));
    b.file = interp.file = NULL;
    b.im = interp.im = NULL;
    set_names(x, path, &x->args);
    int r = find_program(ctx, base, path, walk, x, &b);
    if (r < 0)
        return r;
    if (!*path)  // by descriptor: the file's own name
        snprintf(x->comm, sizeof x->comm, "%.15s", b.file->path.dentry->name);
    r = check_program(t, ctx, x, &b, &interp);
    if (r < 0)
        return r;
    r = new_cred(t, x, &b);
    if (r < 0)
        return r;
    r = new_space(t, x);
    if (r < 0)
        return r;
    r = load_elf(t, x, &b, &interp);
    if (r < 0)
        return r;
    set_lookers(x, t->cred, ctx, (const struct binary *[]){&b, &interp});
    mm_set_exe(x->mm, b.file);
    x->file = take_ptr(b.file);
    return 0;
}

int exec_load(struct task *t, const struct vfs_ctx *ctx, const struct path *base, const char *path,
              unsigned walk, struct exec_args *args, struct exec_image **out) {
    struct exec_image *x = znew(struct exec_image);
    if (!x) {
        exec_args_free(args);
        return -LINUX_ENOMEM;
    }
    x->args = *args;
    *args = (struct exec_args){0};
    // Nobody is without argv[0]: Linux puts an empty one there since 5.18.
    int r = 0;
    if (x->args.argc == 0) {
        struct exec_args with = {.execfn = take_ptr(x->args.execfn), .hidden = x->args.hidden};
        r = exec_args_add(&with, "", false);
        for (size_t i = 0; r == 0 && i < x->args.len; i += strlen(x->args.strings + i) + 1)
            r = exec_args_add(&with, x->args.strings + i, true);
        exec_args_free(&x->args);
        x->args = with;
    }
    if (r == 0)
        r = load_program(t, ctx, base, path, walk, x);
    if (r < 0) {
        exec_image_free(x);
        return r;
    }
    *out = x;
    return 0;
}

void exec_image_free(struct exec_image *x) {
    if (x->thread)
        plat_thread_destroy(x->thread);
    if (x->mm)
        mm_put(x->mm);
    if (x->file)
        file_put(x->file);
    if (x->cred)
        cred_put(x->cred);
    if (x->alone)
        fs_ctx_exec_end(x->alone);
    exec_args_free(&x->args);
    free(x);
}
