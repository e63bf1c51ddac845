// SPDX-License-Identifier: Apache-2.0
// execve, execveat: decoding. What they mean is in sentry/loader/exec.c.
//
// Argument strings lie side by side as a rule, so guest memory is read a page at a time and the strings are
// taken from a private copy: about ten host calls (400 ns each) for a usual environment, instead of one for
// each string.
//
// LIMIT: AT_EXECVE_CHECK (6.14) is EINVAL, as on kernels before it.
#include "abi/fcntl.h"
#include "abi/misc.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/fd/fdtable.h"
#include "sentry/loader/exec.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/task.h"
#include "sentry/syscalls/table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct task *t;
    uint64_t page;  // of the guest, in buf; 1: none
    char buf[GUEST_PAGE_SIZE];
    char *joined;   // owned: a string that goes over a page's end
};

static int fill(struct reader *r, uint64_t page) {
    if (r->page == page)
        return 0;
    r->page = 1;
    if (copy_in(r->t, r->buf, uaddr(page), sizeof r->buf) < 0)
        return -LINUX_EFAULT;
    r->page = page;
    return 0;
}

// One string, over as many pages as it takes.
static int add_string(struct reader *r, struct exec_args *args, uaddr_t at, bool env) {
    size_t have = 0;
    for (;;) {
        size_t off = at.v % GUEST_PAGE_SIZE, n = GUEST_PAGE_SIZE - off;
        if (fill(r, page_down(at.v)) < 0)
            return -LINUX_EFAULT;
        const char *nul = memchr(r->buf + off, 0, n);
        if (nul && have == 0)
            return exec_args_add_n(args, r->buf + off, (size_t)(nul - (r->buf + off)), env);
        n = nul ? (size_t)(nul - (r->buf + off)) : n;
        if (have + n >= LINUX_MAX_ARG_STRLEN)
            return -LINUX_E2BIG;
        if (!r->joined && !(r->joined = xcalloc(1, LINUX_MAX_ARG_STRLEN)))
            return -LINUX_ENOMEM;
        memcpy(r->joined + have, r->buf + off, n);
        have += n;
        if (nul)
            return exec_args_add_n(args, r->joined, have, env);
        at = uaddr_add(at, n);
    }
}

#define PTRS 64u

// How many pointers are read together: one across a page's end, else never behind the page.
static uint64_t ptrs_at(uaddr_t at) {
    uint64_t n = (GUEST_PAGE_SIZE - at.v % GUEST_PAGE_SIZE) / sizeof(uint64_t);
    if (n == 0)
        return 1;
    return n < PTRS ? n : PTRS;
}

// A vector of pointers up to its NULL; a NULL vector is an empty one.
static int add_vector(struct reader *r, struct exec_args *args, uaddr_t at, bool env) {
    uint64_t ptrs[PTRS];
    while (!uaddr_is_null(at)) {
        uint64_t n = ptrs_at(at);
        if (copy_in(r->t, ptrs, at, n * sizeof ptrs[0]) < 0)
            return -LINUX_EFAULT;
        for (unsigned i = 0; i < n; i++) {
            if (!ptrs[i])
                return 0;
            int err = add_string(r, args, uaddr(ptrs[i]), env);
            if (err < 0)
                return err;
        }
        at = uaddr_add(at, n * sizeof ptrs[0]);
    }
    return 0;
}

static int read_args(struct task *t, struct exec_args *args, uaddr_t argv, uaddr_t envp) {
    struct reader *r = znew(struct reader);
    if (!r)
        return -LINUX_ENOMEM;
    r->t = t;
    r->page = 1;
    int err = add_vector(r, args, argv, false);
    if (err == 0)
        err = add_vector(r, args, envp, true);
    free(r->joined);
    free(r);
    return err;
}

static int64_t exec_at(struct task *t, int dirfd, const char *path, uaddr_t argv, uaddr_t envp,
                       unsigned flags) {
    struct exec_args args = {0};
    struct file *dir cleanup_file = NULL;
    bool relative = path[0] != '/' && dirfd != LINUX_AT_FDCWD;
    if (!*path && !(flags & LINUX_AT_EMPTY_PATH))
        return -LINUX_ENOENT;
    if (flags & ~(unsigned)(LINUX_AT_EMPTY_PATH | LINUX_AT_SYMLINK_NOFOLLOW))
        return -LINUX_EINVAL;
    if (relative && !(dir = fd_get(t->files, dirfd)))
        return -LINUX_EBADF;
    int err = read_args(t, &args, argv, envp);
    if (err < 0)
        err = exec_refusal(t, dir ? &dir->path : NULL, path, flags, err);
    if (err == 0 && relative) {
        args.hidden = fd_set_cloexec(t->files, dirfd, -1) > 0;
        args.execfn = xcalloc(1, LINUX_PATH_MAX);
        if (args.execfn)
            snprintf(args.execfn, LINUX_PATH_MAX, "/dev/fd/%d%s%.4000s", dirfd, *path ? "/" : "", path);
        else
            err = -LINUX_ENOMEM;
    }
    if (err < 0) {
        exec_args_free(&args);
        return err;
    }
    return do_exec(t, dir ? &dir->path : NULL, path, flags, &args);
}

int64_t sys_execve(struct task *t, const struct sysargs *a) {
    if (exec_begun(t))
        return exec_continue(t);
    char path[LINUX_PATH_MAX];
    int err = copy_in_path(t, path, arg_ptr(a, 0));
    if (err < 0)
        return err;
    return exec_at(t, LINUX_AT_FDCWD, path, arg_ptr(a, 1), arg_ptr(a, 2), 0);
}

int64_t sys_execveat(struct task *t, const struct sysargs *a) {
    if (exec_begun(t))
        return exec_continue(t);
    char path[LINUX_PATH_MAX];
    int err = copy_in_path(t, path, arg_ptr(a, 1));
    if (err < 0)
        return err;
    return exec_at(t, arg_int(a, 0), path, arg_ptr(a, 2), arg_ptr(a, 3), arg_u32(a, 4));
}
