// SPDX-License-Identifier: Apache-2.0
// Descriptors and places of a process: fd/, fdinfo/, exe, cwd, root. The links lead straight to the object
// ("magic links"), whatever has become of its name.
#include "sentry/proc/fs_ctx.h"
#include "sentry/procfs/impl.h"
#include <string.h>

static struct file *file_of(const struct proc_node *n) {
    struct fdtable *files = proc_files(n);
    struct file *f = files ? fd_get(files, n->fd) : NULL;
    if (files)
        fdtable_put(files);
    return f;
}

// ---- fd ---------------------------------------------------------------------------------------------------
static int link_fd(const struct proc_node *n, char *buf, size_t size) {
    struct file *f cleanup_file = file_of(n);
    return f ? proc_path_text(&f->path, buf, size) : -LINUX_ENOENT;
}

static int jump_fd(const struct proc_node *n, struct path *out) {
    struct file *f cleanup_file = file_of(n);
    if (!f)
        return -LINUX_ENOENT;
    *out = f->path;
    path_get(out);
    return 0;
}

static uint32_t mode_of_fd(const struct proc_node *n) {
    struct file *f cleanup_file = file_of(n);
    unsigned mode = f ? f->mode : 0;
    return 0100u | (mode & (FMODE_READ | FMODE_EXEC) ? 0400u : 0) | (mode & FMODE_WRITE ? 0200u : 0);
}

static int find_fd(const struct proc_node *dir, int32_t fd, struct proc_node *child) {
    if (!proc_may_trace(dir))
        return -LINUX_EACCES;
    child->fd = fd;
    struct file *f cleanup_file = file_of(child);
    return f ? 0 : -LINUX_ENOENT;
}

static int32_t next_fd(const struct proc_node *dir, int32_t from) {
    if (!proc_may_trace(dir))
        return -1;
    struct fdtable *files = proc_files(dir);
    struct file *f cleanup_file = NULL;
    if (!files)
        return -1;
    int fd = fd_next(files, from, &f);
    fdtable_put(files);
    return fd;
}

static const struct proc_entry fd_entry = {.mode = LINUX_S_IFLNK | 0700,
                                           .flags = PROC_PTRACE,
                                           .link = link_fd,
                                           .jump = jump_fd,
                                           .mode_of = mode_of_fd};
const struct proc_list proc_fd_list = {find_fd, next_fd, NULL, &fd_entry};

// ---- fdinfo -----------------------------------------------------------------------------------------------
static void put_line(void *x, const char *text) { proc_put(x, text, strlen(text)); }

static int show_fdinfo(struct proc_text *x, const struct proc_node *n) {
    struct fdtable *files = proc_files(n);
    if (!files)
        return -LINUX_ENOENT;
    struct file *f cleanup_file = fd_get(files, n->fd);
    int cloexec = fd_set_cloexec(files, n->fd, -1);
    fdtable_put(files);
    if (!f)
        return -LINUX_ENOENT;
    // Not under its lock: it may be the very file that is being read.
    int64_t pos = (int64_t)__atomic_load_n(&f->pos, __ATOMIC_RELAXED);
    if (f->mode & FMODE_OWN_POS)
        pos = vfs_llseek(f, 0, LINUX_SEEK_CUR);
    unsigned flags =
        atomic_load(&f->flags) | (f->mode & (FMODE_PATH | FMODE_NAMELESS) ? 0 : LINUX_O_LARGEFILE);
    proc_printf(x, "pos:\t%lld\nflags:\t0%o\nmnt_id:\t%d\nino:\t%llu\n", (long long)(pos < 0 ? 0 : pos),
                flags | (cloexec > 0 ? LINUX_O_CLOEXEC : 0), f->path.mnt ? f->path.mnt->id : 0,
                (unsigned long long)f->inode->attr.ino);
    if (f->ops && f->ops->show)
        f->ops->show(f, put_line, x);
    return 0;
}

static const struct proc_entry fdinfo_entry = {.mode = LINUX_S_IFREG | 0400, .flags = PROC_PTRACE,
                                               .show = show_fdinfo};
const struct proc_list proc_fdinfo_list = {find_fd, next_fd, NULL, &fdinfo_entry};

// ---- exe, cwd, root ---------------------------------------------------------------------------------------
int proc_jump_exe(const struct proc_node *n, struct path *out) {
    struct mm *mm = proc_mm(n);
    struct file *f cleanup_file = mm ? mm_get_exe(mm) : NULL;
    if (mm)
        mm_put(mm);
    if (!f)
        return -LINUX_ENOENT;
    *out = f->path;
    path_get(out);
    return 0;
}

// A copy of the path that a task's place holds; fs is only changed under tasks_lock.
static int place(const struct proc_node *n, bool cwd, struct path *out) {
    struct task *t = proc_task(n);
    if (!t)
        return -LINUX_ESRCH;
    int err = -LINUX_ENOENT;
    {
        LOCKED(&t->k->tasks_lock);
        if (t->fs) {
            LOCKED(&t->fs->lock);
            *out = cwd ? t->fs->cwd : t->fs->root;
            path_get(out);
            err = 0;
        }
    }
    task_put(t);
    return err;
}
int proc_jump_cwd(const struct proc_node *n, struct path *out) { return place(n, true, out); }
int proc_jump_root(const struct proc_node *n, struct path *out) { return place(n, false, out); }

static int link_by(int (*find)(const struct proc_node *, struct path *), const struct proc_node *n, char *buf,
                   size_t size) {
    struct path p;
    int err = find(n, &p);
    if (err < 0)
        return err;
    err = proc_path_text(&p, buf, size);
    path_put(&p);
    return err;
}
int proc_link_exe(const struct proc_node *n, char *buf, size_t size) {
    return link_by(proc_jump_exe, n, buf, size);
}
int proc_link_cwd(const struct proc_node *n, char *buf, size_t size) {
    return link_by(proc_jump_cwd, n, buf, size);
}
int proc_link_root(const struct proc_node *n, char *buf, size_t size) {
    return link_by(proc_jump_root, n, buf, size);
}
