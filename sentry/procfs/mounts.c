// SPDX-License-Identifier: Apache-2.0
// The mount table of a process in its three forms: mounts, mountinfo, mountstats. Only mounts below its root
// are shown.
#include "abi/misc.h"
#include "fs/mnt_ns.h"
#include "fs/vfs.h"
#include "sentry/kernel.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/procfs/impl.h"
#include <string.h>

#define ESCAPED " \t\n\\"

struct mount_walk {
    struct proc_text *x;
    struct mnt_ns *ns;  // owned
    struct path root;   // owned
    char where[LINUX_PATH_MAX + 32];
    void (*put)(struct mount_walk *w, struct mount *m);
};

static void put_options(struct proc_text *x, unsigned flags) {
    static const struct {
        unsigned flag;
        const char *text;
    } rows[] = {{LINUX_MS_NOSUID, ",nosuid"},          {LINUX_MS_NODEV, ",nodev"},
                {LINUX_MS_NOEXEC, ",noexec"},          {LINUX_MS_NOATIME, ",noatime"},
                {LINUX_MS_NODIRATIME, ",nodiratime"},  {LINUX_MS_RELATIME, ",relatime"},
                {LINUX_MS_NOSYMFOLLOW, ",nosymfollow"}};
    proc_printf(x, "%s", flags & LINUX_MS_RDONLY ? "ro" : "rw");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (flags & rows[i].flag)
            proc_printf(x, "%s", rows[i].text);
}

// Of the file system itself, after those of the mount.
static void put_own_options(struct proc_text *x, struct mount *m) {
    char text[256];
    if (devpts_show(m->sb, text, sizeof text) > 0 || super_options(m->sb, text, sizeof text) > 0)
        proc_printf(x, "%s", text);
}

static void put_mounts(struct mount_walk *w, struct mount *m) {
    proc_put_path(w->x, m->source, ESCAPED);
    proc_put(w->x, " ", 1);
    proc_put_path(w->x, w->where, ESCAPED);
    proc_printf(w->x, " %s ", m->sb->type);
    put_options(w->x, m->flags | (m->sb->read_only ? LINUX_MS_RDONLY : 0));
    put_own_options(w->x, m);
    proc_printf(w->x, " 0 0\n");
}

static void put_propagation(struct proc_text *x, const struct mount_info *i) {
    if (i->group)
        proc_printf(x, " shared:%u", i->group);
    if (i->master)
        proc_printf(x, " master:%u", i->master);
    if (i->master && i->from && i->from != i->master)
        proc_printf(x, " propagate_from:%u", i->from);
    if (i->unbindable)
        proc_printf(x, " unbindable");
}

static void put_mountinfo(struct mount_walk *w, struct mount *m) {
    struct mount_info i;
    char root[LINUX_PATH_MAX + 32];
    mount_tell(m, &w->root, &i);
    if (mount_root_text(m, root, sizeof root) < 0)
        return;
    proc_printf(w->x, "%d %d %u:%u ", i.id, i.parent_id, (unsigned)LINUX_MAJOR(m->sb->dev),
                (unsigned)LINUX_MINOR(m->sb->dev));
    proc_put_path(w->x, root, ESCAPED);
    proc_put(w->x, " ", 1);
    proc_put_path(w->x, w->where, ESCAPED);
    proc_put(w->x, " ", 1);
    put_options(w->x, i.flags);
    put_propagation(w->x, &i);
    proc_printf(w->x, " - %s ", m->sb->type);
    proc_put_path(w->x, m->source, ESCAPED);
    proc_printf(w->x, m->sb->read_only ? " ro" : " rw");
    put_own_options(w->x, m);
    proc_printf(w->x, "\n");
}

static void put_mountstats(struct mount_walk *w, struct mount *m) {
    proc_printf(w->x, "device ");
    proc_put_path(w->x, m->source, ESCAPED);
    proc_printf(w->x, " mounted on ");
    proc_put_path(w->x, w->where, ESCAPED);
    proc_printf(w->x, " with fstype %s\n", m->sb->type);
}

static void one_mount(struct mount_walk *w, struct mount *m) {
    struct path p = {m, m->root};
    if (path_text(the_kernel->vfs, &p, &w->root, w->where, sizeof w->where) > 0 && w->where[0] == '/')
        w->put(w, m);
}

// Where the process is; EINVAL: it has ended.
static int begin(struct mount_walk *w, const struct proc_node *n) {
    struct task *t = proc_task(n);
    if (!t)
        return -LINUX_EINVAL;
    {
        LOCKED(&the_kernel->tasks_lock);
        if (t->fs) {
            LOCKED(&t->fs->lock);
            w->root = t->fs->root;
            path_get(&w->root);
            w->ns = mnt_ns_get(t->fs->ns);
        }
    }
    task_put(t);
    return w->ns ? 0 : -LINUX_EINVAL;
}

struct mnt_ns *proc_mnt_ns(const struct proc_node *n) {
    struct mount_walk w = {0};
    if (begin(&w, n) < 0)
        return NULL;
    path_put(&w.root);
    return w.ns;
}

static int show(struct proc_text *x, const struct proc_node *n,
                void (*put)(struct mount_walk *, struct mount *)) {
    struct mount_walk w = {.x = x, .put = put};
    int err = begin(&w, n);
    if (err < 0)
        return err;
    for (struct mount *m = mnt_ns_next(w.ns, 0), *next; m; m = next) {
        one_mount(&w, m);
        next = vfs_caller_dies(the_kernel->vfs) ? NULL : mnt_ns_next(w.ns, m->number + 1);
        mount_put(m);
    }
    path_put(&w.root);
    mnt_ns_put(w.ns);
    return 0;
}
int proc_show_mounts(struct proc_text *x, const struct proc_node *n) { return show(x, n, put_mounts); }
int proc_show_mountinfo(struct proc_text *x, const struct proc_node *n) { return show(x, n, put_mountinfo); }
int proc_show_mountstats(struct proc_text *x, const struct proc_node *n) {
    return show(x, n, put_mountstats);
}
