// SPDX-License-Identifier: Apache-2.0
// A group of fanotify(7) as a file: events as read(2) gives them, with the files or handles that go along.
// Where events come from is fs/fanotify.h. Locks: none of its own.
#include "sentry/fd/fanotify.h"
#include "abi/caps.h"
#include "abi/ioctl.h"
#include "abi/misc.h"
#include "abi/poll.h"
#include "base/cleanup.h"
#include "fs/fanotify.h"
#include "fs/handle.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/pidfd.h"
#include "sentry/run/run.h"
#include "sentry/signal/signal.h"
#include <stdio.h>
#include <string.h>

#define META sizeof(struct linux_fanotify_event_metadata)

// ---- One event as bytes -----------------------------------------------------------------------------------
struct encoded {
    size_t n;
    char bytes[META + 3 * 320 + sizeof(struct linux_fanotify_event_info_pidfd)];
};
static void put(struct encoded *o, const void *p, size_t n) {
    memcpy(o->bytes + o->n, p, n);
    o->n += n;
}
// name: of `len` bytes, or none. At most 12 + 8 + HANDLE_BYTES + 256, to a multiple of 4.
static void put_fid(struct encoded *o, uint8_t type, const struct fan_id *id, const char *name, size_t len) {
    const struct linux_file_handle h = {HANDLE_BYTES, HANDLE_TYPE};
    struct linux_fanotify_event_info_fid fid = {.hdr = {.info_type = type}, .fsid = {(int32_t)id->dev}};
    uint8_t bytes[HANDLE_BYTES];
    size_t n = sizeof fid + sizeof h + sizeof bytes + (name ? len + 1 : 0), padded = (n + 3) & ~(size_t)3;
    fid.hdr.len = (uint16_t)padded;
    handle_of_ino(id->ino, bytes);
    put(o, &fid, sizeof fid);
    put(o, &h, sizeof h);
    put(o, bytes, sizeof bytes);
    if (name)
        put(o, name, len);
    o->n += padded - n + (name ? 1 : 0);  // zeros
}
// Which record the object itself is told by, as copy_info_records_to_user() of Linux has it.
static void put_object(struct encoded *o, unsigned flags, const struct fan_queued *q, bool after_dir) {
    bool ondir = q->mask & LINUX_FAN_ONDIR;
    if (after_dir || (flags & FAN_FID_BITS) == LINUX_FAN_REPORT_FID)
        put_fid(o, LINUX_FAN_EVENT_INFO_TYPE_FID, &q->object, NULL, 0);
    else if ((flags & LINUX_FAN_REPORT_NAME) && ondir)
        put_fid(o, LINUX_FAN_EVENT_INFO_TYPE_DFID_NAME, &q->object, ".", 1);
    else if (ondir || (q->mask & FAN_DIRENT_EVENTS))
        put_fid(o, LINUX_FAN_EVENT_INFO_TYPE_DFID, &q->object, NULL, 0);
    else
        put_fid(o, LINUX_FAN_EVENT_INFO_TYPE_FID, &q->object, NULL, 0);
}
static void put_records(struct encoded *o, unsigned flags, const struct fan_queued *q) {
    bool rename = q->mask & LINUX_FAN_RENAME;
    uint8_t named = rename ? LINUX_FAN_EVENT_INFO_TYPE_OLD_DFID_NAME : LINUX_FAN_EVENT_INFO_TYPE_DFID_NAME;
    if (q->dir.dev)
        put_fid(o, q->len ? named : LINUX_FAN_EVENT_INFO_TYPE_DFID, &q->dir, q->len ? q->names : NULL,
                q->len);
    if (q->ndir.dev)
        put_fid(o, LINUX_FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, &q->ndir, q->names + q->len, q->nlen);
    if (q->object.dev)
        put_object(o, flags, q, q->dir.dev || q->ndir.dev);
}
// Numbers of files and processes are put in later.
static void encode(const struct fan_group *g, const struct fan_queued *q, struct encoded *o) {
    memset(o, 0, sizeof *o);
    o->n = META;
    put_records(o, g->flags, q);
    if (g->flags & LINUX_FAN_REPORT_PIDFD) {
        const struct linux_fanotify_event_info_pidfd p = {
            {.info_type = LINUX_FAN_EVENT_INFO_TYPE_PIDFD, .len = sizeof p}, LINUX_FAN_NOFD};
        put(o, &p, sizeof p);
    }
    const struct linux_fanotify_event_metadata m = {.event_len = (uint32_t)o->n,
                                                    .vers = LINUX_FANOTIFY_METADATA_VERSION,
                                                    .metadata_len = META,
                                                    .mask = q->mask,
                                                    .fd = LINUX_FAN_NOFD};
    memcpy(o->bytes, &m, sizeof m);
}
static size_t size_of(const struct fan_group *g, const struct fan_queued *q) {
    struct encoded o;
    encode(g, q, &o);
    return o.n;
}

// ---- What goes along --------------------------------------------------------------------------------------
static int32_t shown_pid(struct task *t, const struct fan_group *g, const struct fan_queued *q) {
    int32_t pid = q->who.tid ? q->who.tid : q->who.pid;
    if (!pid || (g->unprivileged && q->who.pid != t->tg->pid))
        return 0;
    return task_pid_out(t, pid);
}
static int install_pidfd(struct task *t, const struct fan_queued *q) {
    struct tgroup *p = NULL;
    {
        LOCKED(&t->k->tasks_lock);
        int32_t pid = q->who.pid;
        if (pid && t->k->tgs[pid] && t->k->pid_uses[pid] == q->who.use && pid_out(t->tg->pid_ns, pid))
            p = tgroup_get(t->k->tgs[pid]);
    }
    if (!p)
        return LINUX_FAN_NOFD;
    int fd = pidfd_install(t, p);
    tgroup_put(p);
    return fd < 0 ? LINUX_FAN_EPIDFD : fd;
}
static int install_file(struct task *t, const struct fan_group *g, const struct fan_queued *q) {
    struct file *f cleanup_file = NULL;
    TASK_VFS_CTX(t, ctx);
    int err = fan_open(g, &ctx.cred, &q->path, &f);
    if (err)
        return err;
    return fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), g->file_flags & LINUX_O_CLOEXEC);
}
static void uninstall(struct task *t, int fd) {
    if (fd >= 0)
        fd_close(t->files, fd);
}
// Bytes, or an error; then the event is lost.
static int64_t give(struct task *t, const struct fan_group *g, const struct fan_queued *q, struct uio *u) {
    struct encoded o;
    struct linux_fanotify_event_metadata m;
    int pidfd = LINUX_FAN_NOFD;
    encode(g, q, &o);
    memcpy(&m, o.bytes, sizeof m);
    m.pid = shown_pid(t, g, q);
    m.fd = q->path.dentry ? install_file(t, g, q) : LINUX_FAN_NOFD;
    if (m.fd < LINUX_FAN_NOFD && !(g->flags & LINUX_FAN_REPORT_FD_ERROR))
        return m.fd;
    memcpy(o.bytes, &m, sizeof m);
    if (g->flags & LINUX_FAN_REPORT_PIDFD) {
        pidfd = q->mask & LINUX_FAN_Q_OVERFLOW ? LINUX_FAN_NOFD : install_pidfd(t, q);
        memcpy(o.bytes + o.n - sizeof pidfd, &pidfd, sizeof pidfd);
    }
    if (uio_to(u, o.bytes, o.n) == (int64_t)o.n)
        return (int64_t)o.n;
    uninstall(t, m.fd);
    uninstall(t, pidfd);
    return -LINUX_EFAULT;
}

// ---- The file ---------------------------------------------------------------------------------------------
static int64_t fanotify_read(struct file *f, struct uio *u, uint64_t off) {
    struct fan_group *g = f->priv;
    struct fan_queued *q;
    int64_t done = 0;
    int err;
    while ((q = fan_take(g, u->left, size_of, &err))) {
        int64_t n = give(task_current, g, q, u);
        fan_queued_free(g, q);
        if (n < 0)
            return done && n != -LINUX_EFAULT ? done : n;
        done += n;
        if (signal_dying(task_current))
            break;
    }
    return done ? done : err;
}
static int64_t fanotify_write(struct file *f, struct uio *u, uint64_t off) { return -LINUX_EINVAL; }
static uint32_t fanotify_poll(struct file *f, struct waiter *w) {
    struct fan_group *g = f->priv;
    if (w)
        waitq_add(&g->wait, w);
    LOCKED(&g->lock);
    return list_empty(&g->events) ? 0 : LINUX_POLLIN | LINUX_POLLRDNORM;
}
static uint32_t fanotify_async(struct file *f) { return LINUX_POLLIN; }
static int64_t fanotify_ioctl(struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    struct fan_group *g = f->priv;
    if (cmd != LINUX_FIONREAD)
        return -LINUX_ENOTTY;
    lock_take(&g->lock);
    int32_t n = (int32_t)(g->nevents * META);
    lock_drop(&g->lock);
    return ua->out(ua, uaddr(arg), &n, sizeof n);
}
static unsigned shown_dev(uint64_t dev) { return (unsigned)(LINUX_MAJOR(dev) << 20 | LINUX_MINOR(dev)); }
static void show_mark(const struct fan_mark *m, char *text, size_t size) {
    char object[128], handle[2 * HANDLE_BYTES + 1];
    unsigned dev = m->on == FAN_ON_SUPER ? shown_dev(((const struct superblock *)m->object)->dev) : 0;
    if (m->on == FAN_ON_INODE)
        snprintf(object, sizeof object, "ino:%llx sdev:%x", (unsigned long long)m->w.inode->attr.ino,
                 shown_dev(m->w.inode->sb->dev));
    else if (m->on == FAN_ON_MOUNT)
        snprintf(object, sizeof object, "mnt_id:%x", (unsigned)((const struct mount *)m->object)->id);
    else
        snprintf(object, sizeof object, "sdev:%x", dev);
    int n = snprintf(text, size, "fanotify %s mflags:%x mask:%x ignored_mask:%x", object, m->flags, m->w.mask,
                     m->ignore);
    if (m->on != FAN_ON_INODE) {
        snprintf(text + n, size - (size_t)n, "\n");
        return;
    }
    handle_text(m->w.inode->attr.ino, handle);
    snprintf(text + n, size - (size_t)n, " fhandle-bytes:%x fhandle-type:%x f_handle:%s\n", HANDLE_BYTES,
             HANDLE_TYPE, handle);
}
// Lines as proc(5) has them.
static void fanotify_show(struct file *f, void (*line)(void *arg, const char *text), void *arg) {
    const struct fan_group *g = f->priv;
    char text[320];
    snprintf(text, sizeof text, "fanotify flags:%x event-flags:%x\n", g->flags, g->file_flags);
    line(arg, text);
    LOCKED(&notify_lock);
    for (const struct list *at = g->marks.next; at != &g->marks; at = at->next) {
        show_mark(list_entry(at, struct fan_mark, in_group), text, sizeof text);
        line(arg, text);
    }
}
static void fanotify_release(struct file *f) { fan_group_free(f->priv); }

static const struct file_ops fanotify_ops = {.read = fanotify_read,
                                             .write = fanotify_write,
                                             .seek = SEEK_NOWHERE,
                                             .poll = fanotify_poll,
                                             .async = fanotify_async,
                                             .ioctl = fanotify_ioctl,
                                             .show = fanotify_show,
                                             .release = fanotify_release};

struct fan_group *fanotify_group(const struct file *f) {
    return f->ops == &fanotify_ops ? f->priv : NULL;
}

int fanotify_open(struct task *t, unsigned flags, unsigned file_flags, struct file **out) {
    struct fan_group *g;
    bool unprivileged = !task_capable(t, LINUX_CAP_SYS_ADMIN);
    int err = fan_group_new(t->k->vfs, t->cred->euid, flags, file_flags, unprivileged, &g);
    if (err)
        return err;
    unsigned nonblock = flags & LINUX_FAN_NONBLOCK ? LINUX_O_NONBLOCK : 0;
    err = file_anon(t->k->vfs, "anon_inode:[fanotify]", NULL, &fanotify_ops, g, LINUX_O_RDWR | nonblock, out);
    if (err)
        fan_group_free(g);
    return err;
}

static struct notify_who who_acts(void) {
    const struct task *t = task_current;
    if (!t || !t->tg)
        return (struct notify_who){0};
    return (struct notify_who){t->tid, t->tg->pid, t->k->pid_uses[t->tg->pid]};
}
void fanotify_begin(struct kernel *k) { vfs_set_notify_who(k->vfs, who_acts); }
