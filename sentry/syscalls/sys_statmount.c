// SPDX-License-Identifier: Apache-2.0
// What is mounted, without a text: statmount listmount. Mounts are named by numbers that are never used
// again.
// LIMIT: another namespace than the caller's is told of by its descriptor alone, not by its number.
#include "abi/caps.h"
#include "abi/misc.h"
#include "abi/mount.h"
#include "base/fault.h"
#include "fs/nsfs.h"
#include "sentry/kernel.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/user_ns.h"
#include "sentry/syscalls/at.h"
#include "sentry/syscalls/mount_args.h"
#include "sentry/syscalls/table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL \
    (LINUX_STATMOUNT_SB_BASIC | LINUX_STATMOUNT_MNT_BASIC | LINUX_STATMOUNT_PROPAGATE_FROM | \
     LINUX_STATMOUNT_MNT_ROOT | LINUX_STATMOUNT_MNT_POINT | LINUX_STATMOUNT_FS_TYPE | \
     LINUX_STATMOUNT_MNT_NS_ID | LINUX_STATMOUNT_MNT_OPTS | LINUX_STATMOUNT_FS_SUBTYPE | \
     LINUX_STATMOUNT_SB_SOURCE | LINUX_STATMOUNT_OPT_ARRAY | LINUX_STATMOUNT_OPT_SEC_ARRAY | \
     LINUX_STATMOUNT_SUPPORTED_MASK | LINUX_STATMOUNT_MNT_UIDMAP | LINUX_STATMOUNT_MNT_GIDMAP)

// ---- What is asked for ------------------------------------------------------------------------------------
static int read_request(struct task *t, uaddr_t at, struct linux_mnt_id_req *r) {
    uint32_t size;
    int err = copy_in_obj(t, &size, at);
    if (err < 0)
        return err;
    if (size > GUEST_PAGE_SIZE)
        return -LINUX_E2BIG;
    if (size < LINUX_MNT_ID_REQ_SIZE_VER0)
        return -LINUX_EINVAL;
    err = copy_in_struct(t, r, sizeof *r, at, size, LINUX_MNT_ID_REQ_SIZE_VER0);
    if (err < 0)
        return err;
    if (r->mnt_ns_fd && r->mnt_ns_id)
        return -LINUX_EINVAL;
    return r->mnt_id <= LINUX_MNT_UNIQUE_ID_OFFSET ? -LINUX_EINVAL : 0;
}

// The namespace meant: a reference, or NULL and *err.
static struct mnt_ns *ns_of_request(struct task *t, const struct linux_mnt_id_req *r, int *err) {
    struct mnt_ns *own = fs_ctx_ns(t->fs);
    *err = -LINUX_ENOENT;
    if (!r->mnt_ns_fd && (!r->mnt_ns_id || r->mnt_ns_id == own->ns.ino))
        return own;
    mnt_ns_put(own);
    if (!r->mnt_ns_fd)
        return NULL;
    struct file *f cleanup_file = fd_get_io(t->files, (int)r->mnt_ns_fd);
    struct ns *n = f ? nsfs_of(f) : NULL;
    if (!f || !n || n->kind != NS_MNT)
        *err = f ? -LINUX_EINVAL : -LINUX_EBADF;
    else if (may_mount_over(t, n))
        return mnt_ns_get(container_of(n, struct mnt_ns, ns));
    return NULL;
}

static struct mount *find(struct mnt_ns *ns, uint64_t number) {
    struct mount *m = mnt_ns_next(ns, number);
    if (m && m->number == number)
        return m;
    mount_put(m);
    return NULL;
}

// Where the caller's view of ns begins; owned.
static struct path view_of(struct task *t, struct mnt_ns *ns) {
    TASK_VFS_CTX(t, ctx);
    if (!vfs_is_in(ns, &ctx.root))
        return mnt_ns_root(ns);
    path_get(&ctx.root);
    return ctx.root;
}

// ---- statmount --------------------------------------------------------------------------------------------
struct answer {
    struct linux_statmount s;
    char *text;  // owned: strings behind it, each with its NUL
    size_t len, room;
    int err;
};

static uint32_t put_text(struct answer *a, const char *text) {
    size_t n = strlen(text) + 1;
    if (n > a->room - a->len) {
        a->err = -LINUX_EOVERFLOW;
        return 0;
    }
    memcpy(a->text + a->len, text, n);
    a->len += n;
    return (uint32_t)(a->len - n);
}

static void put_basic(struct answer *a, const struct mount *m, const struct mount_info *i, uint64_t mask) {
    struct linux_statmount *s = &a->s;
    if (mask & LINUX_STATMOUNT_SB_BASIC) {
        s->sb_dev_major = (uint32_t)LINUX_MAJOR(m->sb->dev);
        s->sb_dev_minor = (uint32_t)LINUX_MINOR(m->sb->dev);
        s->sb_magic = m->sb->magic;
        s->sb_flags = m->sb->read_only ? (uint32_t)LINUX_MS_RDONLY : 0;
    }
    if (mask & LINUX_STATMOUNT_PROPAGATE_FROM)
        s->propagate_from = i->from;
    if (!(mask & LINUX_STATMOUNT_MNT_BASIC))
        return;
    s->mnt_id = i->number;
    s->mnt_parent_id = i->parent_number;
    s->mnt_id_old = (uint32_t)i->id;
    s->mnt_parent_id_old = (uint32_t)i->parent_id;
    s->mnt_attr = mount_attr_of_flags(i->flags);
    s->mnt_propagation |= i->group ? LINUX_MS_SHARED : 0;
    s->mnt_propagation |= i->master ? LINUX_MS_SLAVE : 0;
    s->mnt_propagation |= i->unbindable ? LINUX_MS_UNBINDABLE : 0;
    s->mnt_propagation |= s->mnt_propagation ? 0 : LINUX_MS_PRIVATE;
    s->mnt_peer_group = i->group;
    s->mnt_master = i->master;
}

static void put_texts(struct answer *a, struct mount *m, const struct path *root, uint64_t mask) {
    char buf[LINUX_PATH_MAX + 32];
    const struct path top = {m, m->root};
    if (mask & LINUX_STATMOUNT_FS_TYPE)
        a->s.fs_type = put_text(a, m->sb->type);
    if ((mask & LINUX_STATMOUNT_MNT_ROOT) && mount_root_text(m, buf, sizeof buf) > 0)
        a->s.mnt_root = put_text(a, buf);
    if ((mask & LINUX_STATMOUNT_MNT_POINT) && path_text(m->sb->vfs, &top, root, buf, sizeof buf) > 0)
        a->s.mnt_point = put_text(a, buf);
    if ((mask & LINUX_STATMOUNT_MNT_OPTS) && super_options(m->sb, buf, sizeof buf) > 0)
        a->s.mnt_opts = put_text(a, buf + 1);  // without the first comma
    if (mask & LINUX_STATMOUNT_SB_SOURCE)
        a->s.sb_source = put_text(a, m->source);
}

// What there is nothing of is not in the mask.
static uint64_t answered(const struct answer *a, uint64_t mask) {
    mask &=
        ~(uint64_t)(LINUX_STATMOUNT_FS_SUBTYPE | LINUX_STATMOUNT_OPT_ARRAY | LINUX_STATMOUNT_OPT_SEC_ARRAY |
                    LINUX_STATMOUNT_MNT_UIDMAP | LINUX_STATMOUNT_MNT_GIDMAP);
    if (!a->s.mnt_opts)
        mask &= ~(uint64_t)LINUX_STATMOUNT_MNT_OPTS;
    return mask & ALL;
}

static void fill(struct answer *a, struct mnt_ns *ns, struct mount *m, const struct path *root,
                 uint64_t mask) {
    struct mount_info i;
    mount_tell(m, root, &i);
    a->text[0] = '\0';  // nothing begins at 0
    a->len = 1;
    put_basic(a, m, &i, mask);
    put_texts(a, m, root, mask);
    if (mask & LINUX_STATMOUNT_MNT_NS_ID)
        a->s.mnt_ns_id = ns->ns.ino;
    if (mask & LINUX_STATMOUNT_SUPPORTED_MASK)
        a->s.supported_mask = ALL;
    a->s.mask = answered(a, mask);
    if (a->len == 1)
        a->len = 0;
    a->s.size = (uint32_t)(sizeof a->s + a->len);
}

// The strings must fit whole; of the rest there is as much as fits.
static int put_answer(struct task *t, const struct answer *a, uaddr_t buf, uint64_t size) {
    if (a->len && size < sizeof a->s + a->len)
        return -LINUX_EOVERFLOW;
    int err = copy_out(t, buf, &a->s, size < sizeof a->s ? size : sizeof a->s);
    return err < 0 || !a->len ? err : copy_out(t, uaddr_add(buf, sizeof a->s), a->text, a->len);
}

static int64_t stat_one(struct task *t, struct mnt_ns *ns, const struct linux_mnt_id_req *r, uaddr_t buf,
                        uint64_t size) {
    struct path root cleanup_path = view_of(t, ns);
    struct mount *m = root.mnt ? find(ns, r->mnt_id) : NULL;
    if (!m)
        return -LINUX_ENOENT;
    struct answer a = {.room = 4 * LINUX_PATH_MAX};
    int err = -LINUX_EPERM;
    if (mount_is_reachable(m, &root) || may_mount_over(t, &ns->ns)) {
        a.text = xcalloc(1, a.room);
        err = a.text ? 0 : -LINUX_ENOMEM;
    }
    if (err == 0)
        fill(&a, ns, m, &root, r->param);
    err = err < 0 ? err : a.err;
    err = err < 0 ? err : put_answer(t, &a, buf, size);
    free(a.text);
    mount_put(m);
    return err;
}

int64_t sys_statmount(struct task *t, const struct sysargs *a) {
    struct linux_mnt_id_req r;
    if (arg_u32(a, 3))
        return -LINUX_EINVAL;
    int err = read_request(t, arg_ptr(a, 0), &r);
    if (err < 0)
        return err;
    struct mnt_ns *ns = ns_of_request(t, &r, &err);
    if (!ns)
        return err;
    int64_t n = stat_one(t, ns, &r, arg_ptr(a, 1), arg_size(a, 2));
    mnt_ns_put(ns);
    return n;
}

// ---- listmount --------------------------------------------------------------------------------------------
struct listing {
    struct task *t;
    struct mnt_ns *ns;
    struct path from;  // below which they lie
    uint64_t last, max;
    bool back;
    uaddr_t out;
};

static struct mount *step(const struct listing *l, uint64_t after) {
    if (!l->back)
        return mnt_ns_next(l->ns, after + 1);
    return mnt_ns_prev(l->ns, after ? after - 1 : UINT64_MAX);
}

static int64_t put_all_below(const struct listing *l) {
    int64_t n = 0;
    int err = 0;
    for (struct mount *m = step(l, l->last), *next; m; m = next) {
        bool in = m != l->from.mnt && mount_is_reachable(m, &l->from);
        if (in && (uint64_t)n < l->max) {
            err = copy_out_obj(l->t, uaddr_add(l->out, (uint64_t)n * 8), &m->number);
            n++;
        }
        bool more = err == 0 && (uint64_t)n < l->max && !vfs_caller_dies(l->ns->vfs);
        next = more ? step(l, m->number) : NULL;
        mount_put(m);
    }
    return err < 0 ? err : n;
}

static int64_t list_below(struct listing *l, uint64_t number) {
    struct path view cleanup_path = view_of(l->t, l->ns);
    if (!view.mnt)
        return -LINUX_ENOENT;
    if (number == LINUX_LSMT_ROOT) {
        l->from = view;
        return put_all_below(l);
    }
    struct mount *m = find(l->ns, number);
    if (!m)
        return -LINUX_ENOENT;
    l->from = (struct path){m, m->root};
    bool may = mount_is_reachable(m, &view) || may_mount_over(l->t, &l->ns->ns);
    int64_t n = may ? put_all_below(l) : -LINUX_EPERM;
    mount_put(m);
    return n;
}

int64_t sys_listmount(struct task *t, const struct sysargs *a) {
    struct linux_mnt_id_req r;
    struct listing l = {.t = t, .max = arg_size(a, 2), .out = arg_ptr(a, 1)};
    if (arg_u32(a, 3) & ~LINUX_LISTMOUNT_REVERSE)
        return -LINUX_EINVAL;
    if (l.max > 1000000)
        return -LINUX_EOVERFLOW;
    if (!user_range_ok(l.out.v, l.max * sizeof(uint64_t)))
        return -LINUX_EFAULT;
    int err = read_request(t, arg_ptr(a, 0), &r);
    if (err < 0)
        return err;
    if (r.param && r.param <= LINUX_MNT_UNIQUE_ID_OFFSET)
        return -LINUX_EINVAL;
    l.back = arg_u32(a, 3) & LINUX_LISTMOUNT_REVERSE;
    l.last = r.param;
    l.ns = ns_of_request(t, &r, &err);
    if (!l.ns)
        return err;
    int64_t n = list_below(&l, r.mnt_id);
    mnt_ns_put(l.ns);
    return n;
}
