// SPDX-License-Identifier: Apache-2.0
// See shm.h; shmget(2), shmop(2), shmctl(2), sysvipc(7). Called by syscalls/sys_shm.c.
//
// A removed segment stays until its last attachment is gone; that is noticed at the next call of this family,
// its memory itself goes at once with the last area.
//
// LIMIT: no huge pages (SHM_HUGETLB is ENOMEM); a segment of another namespace cannot be detached by shmdt,
// only unmapped; the time and process of the last detach are noted by shmdt alone, not by exit. SHM_LOCK is
// noted and not charged.
#include "sentry/ipc/shm.h"
#include "abi/caps.h"
#include "abi/mman.h"
#include "base/clock.h"
#include "base/fault.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/ipc/ipc_ns.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/user_ns.h"
#include <stdlib.h>

#define SEQ_STEP 32768  // ids are sequence * step + index, as Linux's

struct shmseg {
    struct file *file;  // owned
    struct linux_shmid64_ds ds;
    int id;
    bool removed, locked;
};

static uint64_t attachments(const struct shmseg *s) { return ref_read(&s->file->refs) - 1; }

// Takes removed segments without attachments out of the table; what they hold is let go of by sweep_end().
static struct shmseg *sweep(struct shm_table *x) {
    struct shmseg *gone = NULL;
    for (int i = 0; i < x->top && !gone; i++)
        if (x->segs[i] && x->segs[i]->removed && attachments(x->segs[i]) == 0) {
            gone = x->segs[i];
            x->segs[i] = NULL;
        }
    while (x->top > 0 && !x->segs[x->top - 1])
        x->top--;
    return gone;
}
static void sweep_all(struct shm_table *x) {
    for (;;) {
        struct shmseg *gone;
        {
            LOCKED(&x->lock);
            gone = sweep(x);
        }
        if (!gone)
            return;
        file_put(gone->file);
        free(gone);
    }
}

// ---- Look-up and rights -----------------------------------------------------------------------------------
static struct shmseg *find_id(struct shm_table *x, int id) {
    struct shmseg *s = id >= 0 && id % SEQ_STEP < SHM_MAX ? x->segs[id % SEQ_STEP] : NULL;
    return s && s->id == id ? s : NULL;
}
static struct shmseg *find_key(struct shm_table *x, int32_t key) {
    for (int i = 0; i < x->top; i++)
        if (x->segs[i] && !x->segs[i]->removed && x->segs[i]->ds.shm_perm.key == key)
            return x->segs[i];
    return NULL;
}
static bool in_group(const struct cred *c, uint32_t gid) {
    for (unsigned i = 0; i < c->ngroups; i++)
        if (c->groups[i] == gid)
            return true;
    return c->egid == gid;
}
// want: bits of an rwx triple.
static bool allowed(struct task *t, const struct shmseg *s, unsigned want) {
    const struct linux_ipc64_perm *p = &s->ds.shm_perm;
    const struct cred *c = t->cred;
    unsigned have = p->mode & 7;
    if (c->euid == p->uid || c->euid == p->cuid)
        have = p->mode >> 6 & 7;
    else if (in_group(c, p->gid) || in_group(c, p->cgid))
        have = p->mode >> 3 & 7;
    return !(want & ~have) || task_capable_over(t, &task_ipc(t)->ns, LINUX_CAP_IPC_OWNER);
}
static bool owns(struct task *t, const struct shmseg *s) {
    const struct linux_ipc64_perm *p = &s->ds.shm_perm;
    return t->cred->euid == p->uid || t->cred->euid == p->cuid ||
           task_capable_over(t, &task_ipc(t)->ns, LINUX_CAP_SYS_ADMIN);
}
static int64_t now(void) { return (int64_t)(real_ns() / NS_PER_SEC); }

// ---- shmget -----------------------------------------------------------------------------------------------
static struct shmseg *make(struct task *t, int32_t key, uint64_t size, unsigned flags, int *err) {
    struct shmseg *s = znew(struct shmseg);
    *err = -LINUX_ENOMEM;
    if (!s)
        return NULL;
    TASK_VFS_CTX(t, ctx);
    ctx.fsize_limit = UINT64_MAX;
    *err = memfd_open(ctx.vfs, "SYSV", 0, &s->file);
    if (*err == 0)
        *err = vfs_ftruncate(&ctx, s->file, page_up(size));
    if (*err < 0) {
        if (s->file)
            file_put(s->file);
        free(s);
        return NULL;
    }
    s->ds.shm_perm = (struct linux_ipc64_perm){.key = key, .mode = flags & 0777};
    s->ds.shm_perm.uid = s->ds.shm_perm.cuid = t->cred->euid;
    s->ds.shm_perm.gid = s->ds.shm_perm.cgid = t->cred->egid;
    s->ds.shm_segsz = size;
    s->ds.shm_ctime = now();
    s->ds.shm_cpid = task_vpid(t);
    return s;
}
static int64_t existing(struct task *t, const struct shmseg *s, uint64_t size, unsigned flags) {
    if ((flags & LINUX_IPC_CREAT) && (flags & LINUX_IPC_EXCL))
        return -LINUX_EEXIST;
    if (size > s->ds.shm_segsz)
        return -LINUX_EINVAL;
    unsigned want = (flags >> 6 | flags >> 3 | flags) & 7;
    return allowed(t, s, want) ? s->id : -LINUX_EACCES;
}
// The table's lock is held. Takes s over when it returns an id of its own making.
static int64_t publish_at(struct shm_table *x, struct shmseg *s, int i, uint16_t seq) {
    s->ds.shm_perm.seq = seq;
    s->id = seq * SEQ_STEP + i;
    x->segs[i] = s;
    x->top = i >= x->top ? i + 1 : x->top;
    return s->id;
}
// How many there are, and the pages that they take.
static unsigned in_use(const struct shm_table *x, uint64_t *pages) {
    unsigned n = 0;
    *pages = 0;
    for (int i = 0; i < x->top; i++)
        if (x->segs[i]) {
            n++;
            *pages += page_up(x->segs[i]->ds.shm_segsz) / GUEST_PAGE_SIZE;
        }
    return n;
}
static bool index_used(const void *table, int i) { return ((const struct shm_table *)table)->segs[i]; }
static int64_t publish(struct task *t, struct shm_table *x, struct shmseg *s) {
    uint64_t pages, most = (uint64_t)kernel_knob(t->k, KNOB_SHM_ALL);
    uint16_t seq;
    unsigned used = in_use(x, &pages);
    if (used >= kernel_knob(t->k, KNOB_SHM_MNI) || pages + page_up(s->ds.shm_segsz) / GUEST_PAGE_SIZE > most)
        return -LINUX_ENOSPC;
    int wanted = ipc_next_number(vfs_knobs(t->k->vfs), KNOB_SHM_NEXT_ID, &seq);
    if (wanted >= 0 && wanted < SHM_MAX && !x->segs[wanted])
        return publish_at(x, s, wanted, seq);
    int i = ipc_pick(&x->order, SHM_MAX, (int)used, index_used, x);
    return i < 0 ? -LINUX_ENOSPC : publish_at(x, s, i, x->order.seq);
}
// As on a machine where none are set aside: who may have some is told that there are none.
static int64_t no_huge_pages(struct task *t, uint64_t size, unsigned flags) {
    unsigned log = flags >> 26;
    if (log && log != 21 && log != 30)
        return -LINUX_EINVAL;
    bool may = task_capable(t, LINUX_CAP_IPC_LOCK) || size <= task_rlimit(t, LINUX_RLIMIT_MEMLOCK);
    return may ? -LINUX_ENOMEM : -LINUX_EPERM;
}
int64_t do_shmget(struct task *t, int32_t key, uint64_t size, unsigned flags) {
    struct shm_table *x = &task_ipc(t)->shm;
    sweep_all(x);
    if (key != LINUX_IPC_PRIVATE) {
        LOCKED(&x->lock);
        struct shmseg *s = find_key(x, key);
        if (s)
            return existing(t, s, size, flags);
        if (!(flags & LINUX_IPC_CREAT))
            return -LINUX_ENOENT;
    }
    if (size == 0 || size > (uint64_t)kernel_knob(t->k, KNOB_SHM_MAX))
        return -LINUX_EINVAL;
    if (flags & LINUX_SHM_HUGETLB)
        return no_huge_pages(t, size, flags);
    if (size > INT64_MAX - GUEST_PAGE_SIZE)
        return -LINUX_ENOMEM;
    int err;
    struct shmseg *s = make(t, key, size, flags, &err);
    if (!s)
        return err == -LINUX_EFBIG ? -LINUX_ENOMEM : err;
    int64_t r;
    {
        LOCKED(&x->lock);
        struct shmseg *other = key != LINUX_IPC_PRIVATE ? find_key(x, key) : NULL;  // somebody was faster
        r = other ? existing(t, other, size, flags) : publish(t, x, s);
        if (r >= 0 && !other)
            s = NULL;
    }
    if (s) {
        file_put(s->file);
        free(s);
    }
    return r;
}

// ---- Attachments ------------------------------------------------------------------------------------------
int shm_attach(struct task *t, int id, int may, struct file **f, uint64_t *size) {
    struct shm_table *x = &task_ipc(t)->shm;
    unsigned want = (may & MAY_READ ? 4u : 0) | (may & MAY_WRITE ? 2u : 0) | (may & MAY_EXEC ? 1u : 0);
    LOCKED(&x->lock);
    struct shmseg *s = find_id(x, id);
    if (!s)
        return -LINUX_EINVAL;
    if (!allowed(t, s, want))
        return -LINUX_EACCES;
    s->ds.shm_atime = now();
    s->ds.shm_lpid = task_vpid(t);
    *f = file_get(s->file);
    *size = page_up(s->ds.shm_segsz);
    return 0;
}
static struct shmseg *find_file(struct shm_table *x, const struct file *f) {
    for (int i = 0; i < x->top; i++)
        if (x->segs[i] && x->segs[i]->file == f)
            return x->segs[i];
    return NULL;
}
uint64_t shm_size_of(struct task *t, const struct file *f) {
    struct shm_table *x = &task_ipc(t)->shm;
    LOCKED(&x->lock);
    struct shmseg *s = find_file(x, f);
    return s ? page_up(s->ds.shm_segsz) : 0;
}
void shm_detached(struct task *t, const struct file *f) {
    struct shm_table *x = &task_ipc(t)->shm;
    LOCKED(&x->lock);
    struct shmseg *s = find_file(x, f);
    if (s) {
        s->ds.shm_dtime = now();
        s->ds.shm_lpid = task_vpid(t);
    }
}

// By its place in the table, as SHM_STAT and SHM_STAT_ANY name a segment.
static struct shmseg *find_index(struct shm_table *x, int index) {
    return index >= 0 && index < SHM_MAX ? x->segs[index] : NULL;
}

// ---- shmctl -----------------------------------------------------------------------------------------------
int64_t shm_stat(struct task *t, int id, int cmd, struct linux_shmid64_ds *out) {
    struct shm_table *x = &task_ipc(t)->shm;
    sweep_all(x);
    LOCKED(&x->lock);
    bool by_index = cmd != LINUX_IPC_STAT;
    struct shmseg *s = by_index ? find_index(x, id) : find_id(x, id);
    if (!s)
        return -LINUX_EINVAL;
    if (cmd != LINUX_SHM_STAT_ANY && !allowed(t, s, 4))
        return -LINUX_EACCES;
    *out = s->ds;
    out->shm_nattch = attachments(s);
    out->shm_perm.mode |= (s->removed ? LINUX_SHM_DEST : 0) | (s->locked ? LINUX_SHM_LOCKED : 0);
    if (s->removed)
        out->shm_perm.key = LINUX_IPC_PRIVATE;
    return by_index ? s->id : 0;
}
int shm_set(struct task *t, int id, const struct linux_shmid64_ds *in) {
    struct shm_table *x = &task_ipc(t)->shm;
    LOCKED(&x->lock);
    struct shmseg *s = find_id(x, id);
    if (!s)
        return -LINUX_EINVAL;
    if (!owns(t, s))
        return -LINUX_EPERM;
    if (in->shm_perm.uid == ~0u || in->shm_perm.gid == ~0u)
        return -LINUX_EINVAL;
    s->ds.shm_perm.uid = in->shm_perm.uid;
    s->ds.shm_perm.gid = in->shm_perm.gid;
    s->ds.shm_perm.mode = in->shm_perm.mode & 0777;
    s->ds.shm_ctime = now();
    return 0;
}
int shm_remove(struct task *t, int id) {
    struct shm_table *x = &task_ipc(t)->shm;
    {
        LOCKED(&x->lock);
        struct shmseg *s = find_id(x, id);
        if (!s)
            return -LINUX_EINVAL;
        if (!owns(t, s))
            return -LINUX_EPERM;
        s->removed = true;
    }
    sweep_all(x);
    return 0;
}
int shm_lock(struct task *t, int id, bool lock) {
    struct shm_table *x = &task_ipc(t)->shm;
    LOCKED(&x->lock);
    struct shmseg *s = find_id(x, id);
    if (!s)
        return -LINUX_EINVAL;
    if (!task_capable(t, LINUX_CAP_IPC_LOCK) && (!owns(t, s) || task_rlimit(t, LINUX_RLIMIT_MEMLOCK) == 0))
        return -LINUX_EPERM;
    s->locked = lock;
    return 0;
}
int shm_info(struct task *t, struct linux_shm_info *out) {
    struct shm_table *x = &task_ipc(t)->shm;
    *out = (struct linux_shm_info){.used_ids = 0};
    LOCKED(&x->lock);
    for (int i = 0; i < x->top; i++)
        if (x->segs[i]) {
            out->used_ids++;
            out->shm_tot += page_up(x->segs[i]->ds.shm_segsz) / GUEST_PAGE_SIZE;
        }
    return x->top > 0 ? x->top - 1 : 0;
}
int shm_limits(struct task *t, struct linux_shminfo64 *out) {
    struct shm_table *x = &task_ipc(t)->shm;
    *out = (struct linux_shminfo64){
        .shmmax = (uint64_t)kernel_knob(t->k, KNOB_SHM_MAX), .shmmin = 1,
        .shmmni = (uint64_t)kernel_knob(t->k, KNOB_SHM_MNI),
        .shmall = (uint64_t)kernel_knob(t->k, KNOB_SHM_ALL)};
    out->shmseg = out->shmmni;
    LOCKED(&x->lock);
    return x->top > 0 ? x->top - 1 : 0;
}
void shm_init(struct shm_table *x) { lock_init(&x->lock, RANK_OBJECT); }
void shm_destroy(struct shm_table *x) {
    // What is still attached, to who has left, is a file as any other from now on.
    for (int i = 0; i < x->top; i++)
        if (x->segs[i]) {
            file_put(x->segs[i]->file);
            free(x->segs[i]);
        }
    lock_destroy(&x->lock);
}
