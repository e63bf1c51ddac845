// SPDX-License-Identifier: Apache-2.0
// The mount table in its three forms: mounts, mountinfo, mountstats. Only mounts below the caller's root are
// shown.
// LIMIT: the root of a mount within its file system is always shown as "/"; optional fields are left out.
#include "abi/misc.h"
#include "fs/vfs.h"
#include "sentry/procfs/impl.h"
#include <string.h>

#define ESCAPED " \t\n\\"

struct mount_walk {
    struct proc_text *x;
    struct path root;
    char where[LINUX_PATH_MAX + 32];
    void (*put)(struct mount_walk *w, struct mount *m);
};

static void put_options(struct proc_text *x, unsigned flags) {
    proc_printf(x, "%s%s%s%s%s", flags & LINUX_MS_RDONLY ? "ro" : "rw",
                flags & LINUX_MS_NOSUID ? ",nosuid" : "", flags & LINUX_MS_NODEV ? ",nodev" : "",
                flags & LINUX_MS_NOEXEC ? ",noexec" : "",
                flags & LINUX_MS_NOATIME ? ",noatime" : ",relatime");
}

// Of the file system itself, after those of the mount.
static void put_own_options(struct proc_text *x, struct mount *m) {
    char text[128];
    if (devpts_show(m->sb, text, sizeof text) > 0)
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

static void put_mountinfo(struct mount_walk *w, struct mount *m) {
    proc_printf(w->x, "%d %d %u:%u / ", m->id + 1, mount_parent_id(the_kernel->vfs, m) + 1,
                (unsigned)LINUX_MAJOR(m->sb->dev), (unsigned)LINUX_MINOR(m->sb->dev));
    proc_put_path(w->x, w->where, ESCAPED);
    proc_put(w->x, " ", 1);
    put_options(w->x, m->flags);
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

static void one_mount(void *arg, struct mount *m) {
    struct mount_walk *w = arg;
    struct path p = {m, m->root};
    if (path_text(the_kernel->vfs, &p, &w->root, w->where, sizeof w->where) > 0 && w->where[0] == '/')
        w->put(w, m);
}

static int show(struct proc_text *x, void (*put)(struct mount_walk *, struct mount *)) {
    struct mount_walk w = {.x = x, .put = put};
    int err = proc_caller_root(&w.root);
    if (err < 0)
        return err;
    vfs_for_each_mount(the_kernel->vfs, one_mount, &w);
    path_put(&w.root);
    return 0;
}
int proc_show_mounts(struct proc_text *x, const struct proc_node *n) { return show(x, put_mounts); }
int proc_show_mountinfo(struct proc_text *x, const struct proc_node *n) { return show(x, put_mountinfo); }
int proc_show_mountstats(struct proc_text *x, const struct proc_node *n) { return show(x, put_mountstats); }
