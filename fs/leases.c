// SPDX-License-Identifier: Apache-2.0
// Leases (fcntl(2), F_SETLEASE): who has one is told before somebody opens the file in a way that does not go
// with it, and has fs.lease-break-time to give it up or to make a read lease of it; then it is taken. Nobody
// sleeps here: who must wait puts itself on inode->lock_waitq.
//
//   held -> asked (for all of it, or down to reading)   by an open or a truncation
//   asked -> gone, or held for reading                  by its holder, by time, by the end of its file
//
// Locks: inode->lock. The holder is told under it (vfs_set_file_told()).
#include "abi/poll.h"
#include "base/clock.h"
#include "fs/core.h"


struct lease {
    struct list link;
    struct file *file;  // borrowed: its end takes the lease along
    int type, target;   // LINUX_F_*: what it is, and what it is to be when it is asked for
    uint64_t until;     // mono ns: when it is taken; 0: nobody asks for it
};

static struct lease *lease_of(struct inode *i, const struct file *f) {
    struct lease *l;
    list_for_each(l, &i->leases, link)
        if (l->file == f)
            return l;
    return NULL;
}

static void end(struct inode *i, struct lease *l) {
    list_del(&l->link);
    atomic_fetch_sub(&i->nleases, 1);
    free(l);
}

// Would it stand against those who have the file open, and against other leases?
static bool fits(struct inode *i, const struct file *f, int type) {
    const struct lease *l;
    bool writes = f->mode & FMODE_WRITE, reads = f->mode & FMODE_READER;
    int32_t writers = atomic_load(&i->writers);
    if (type == LINUX_F_RDLCK && (writes || writers > 0))
        return false;
    if (type == LINUX_F_WRLCK && (writers > writes || atomic_load(&i->readers) > reads))
        return false;
    list_for_each(l, &i->leases, link)
        if (l->file != f && (type == LINUX_F_WRLCK || l->type == LINUX_F_WRLCK || l->until))
            return false;
    return true;
}

static int set_locked(struct inode *i, struct file *f, int type, struct lease **spare) {
    struct lease *l = lease_of(i, f);
    if (type == LINUX_F_UNLCK) {
        if (!l)
            return -LINUX_EAGAIN;
        end(i, l);
        return 0;
    }
    bool down = l && l->type == LINUX_F_WRLCK && type == LINUX_F_RDLCK && !(f->mode & FMODE_WRITE);
    if (!down && !fits(i, f, type))
        return -LINUX_EAGAIN;
    if (down && l->until && l->target == LINUX_F_UNLCK)  // somebody is about to write
        return -LINUX_EAGAIN;
    if (!l) {
        l = *spare;
        *spare = NULL;
        l->file = f;
        list_add_tail(&i->leases, &l->link);
        atomic_fetch_add(&i->nleases, 1);
    }
    l->type = type;
    l->until = 0;
    return 0;
}

int vfs_lease_set(struct file *f, int type) {
    struct inode *i = f->inode;
    if (!inode_is_reg(i) || (type != LINUX_F_RDLCK && type != LINUX_F_WRLCK && type != LINUX_F_UNLCK))
        return -LINUX_EINVAL;
    struct lease *spare = znew(struct lease);
    if (!spare)
        return -LINUX_ENOMEM;
    lock_take(&i->lock);
    int err = set_locked(i, f, type, &spare);
    lock_drop(&i->lock);
    free(spare);
    if (!err)
        waitq_wake(&i->lock_waitq, LINUX_POLLIN);
    return err;
}

int vfs_lease_get(struct file *f) {
    LOCKED(&f->inode->lock);
    const struct lease *l = lease_of(f->inode, f);
    if (!l)
        return LINUX_F_UNLCK;
    return l->until ? l->target : l->type;
}

// One that stands in the way is asked for, or taken when its time is up. True: it stands there still.
static bool ask(struct inode *i, struct lease *l, bool write, uint64_t now) {
    const struct vfs *v = i->sb->vfs;
    int target = write ? LINUX_F_UNLCK : LINUX_F_RDLCK;
    if (l->until && now >= l->until) {
        if (l->target == LINUX_F_UNLCK) {
            end(i, l);
            return false;
        }
        l->type = LINUX_F_RDLCK;
        l->until = 0;
    }
    if (l->type == LINUX_F_RDLCK && !write)
        return false;
    if (!l->until || (l->target == LINUX_F_RDLCK && write)) {
        l->until = now + (uint64_t)knob(&v->knobs, KNOB_LEASE_BREAK) * NS_PER_SEC;
        l->target = target;
        if (v->file_told)
            v->file_told(l->file);
    }
    return true;
}

int vfs_lease_break(struct inode *i, bool write, uint64_t *until) {
    struct lease *l, *tmp;
    uint64_t now = mono_ns(), last = 0;
    if (!atomic_load_explicit(&i->nleases, memory_order_relaxed))
        return 0;
    LOCKED(&i->lock);
    list_for_each_safe(l, tmp, &i->leases, link)
        if (ask(i, l, write, now) && l->until > last)
            last = l->until;
    *until = last;
    return last ? -LINUX_EAGAIN : 0;
}

void leases_release_file(struct file *f) {
    struct inode *i = f->inode;
    lock_take(&i->lock);
    struct lease *l = lease_of(i, f);
    if (l)
        end(i, l);
    lock_drop(&i->lock);
    if (l)
        waitq_wake(&i->lock_waitq, LINUX_POLLIN);
}
