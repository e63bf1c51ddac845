// SPDX-License-Identifier: Apache-2.0
// uid_map, gid_map, setgroups of a process's user namespace, user_namespaces(7), with Linux' rules of who may
// write what; and /proc/sys/user, how many namespaces may be made.
// LIMIT: projid_map is empty and refuses to be written: there are no project ids.
#include "abi/caps.h"
#include "base/fault.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/user_ns.h"
#include "sentry/procfs/impl.h"
#include "sentry/run/run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 4096u  // one page, as Linux takes it

// The namespace that the process was in when the file was opened, and who opened it: a descriptor that is
// handed to a more powerful process gives no more than its opener had.
struct idmap_file {
    struct user_ns *ns;   // owned
    struct cred *opener;  // owned
    enum { MAP_UIDS, MAP_GIDS, MAP_PROJECTS } which;
};

static struct user_ns *ns_of(const struct proc_node *n) {
    struct task *t = proc_task(n);
    if (!t)
        return NULL;
    struct ns *u = task_ns(t, NS_USER);
    task_put(t);
    return user_ns_of(u);
}

static int open_of(const struct proc_node *n, struct file *f, const struct file_ops *ops) {
    struct idmap_file *m = znew(struct idmap_file);
    if (!m)
        return -LINUX_ENOMEM;
    m->ns = ns_of(n);
    if (!m->ns) {
        free(m);
        return -LINUX_ESRCH;
    }
    m->opener = task_current ? cred_get(task_current->cred) : NULL;
    m->which = MAP_PROJECTS;
    if (!strcmp(n->e->name, "uid_map"))
        m->which = MAP_UIDS;
    if (!strcmp(n->e->name, "gid_map"))
        m->which = MAP_GIDS;
    f->priv = m;
    f->ops = ops;
    return 0;
}

static void idmap_release(struct file *f) {
    struct idmap_file *m = f->priv;
    if (!m)
        return;
    user_ns_put(m->ns);
    if (m->opener)
        cred_put(m->opener);
    free(m);
}

static int64_t read_text(struct proc_text *x, struct uio *u, uint64_t off) {
    int64_t r = x->failed ? -LINUX_ENOMEM : 0;
    if (r == 0 && off < x->len) {
        size_t left = x->len - off;
        r = uio_to(u, x->buf + off, left < u->left ? left : u->left);
    }
    proc_text_free(x);
    return r;
}

// ---- Maps -------------------------------------------------------------------------------------------------
static const struct id_map *map_of(const struct user_ns *u, int which) {
    return which == MAP_GIDS ? user_ns_gids(u) : user_ns_uids(u);
}

// As who reads knows them: below its own namespace, the numbers there; in it, those of the parent.
static void show_range(struct proc_text *x, const struct idmap_file *m, const struct id_range *r) {
    const struct user_ns *seen_by = m->opener ? m->opener->user : NULL;
    if (seen_by == m->ns && m->ns->level)
        seen_by = user_ns_parent(m->ns);
    uint32_t lower = idmap_out(map_of(seen_by, m->which), r->lower);
    proc_printf(x, "%10u %10u %10u\n", r->first, lower, r->count);
}

static int64_t map_read(struct file *f, struct uio *u, uint64_t off) {
    static const struct id_range all = {0, 0, ~0u};
    const struct idmap_file *m = f->priv;
    struct proc_text x = {0};
    const struct id_map *map = map_of(m->ns, m->which);
    unsigned n = map ? atomic_load_explicit(&map->n, memory_order_acquire) : 1;
    for (unsigned i = 0; i < n && m->which != MAP_PROJECTS; i++)
        show_range(&x, m, map ? &map->ranges[i] : &all);
    return read_text(&x, u, off);
}

// ---- Writing a map ----------------------------------------------------------------------------------------
static bool parse_number(const char **at, uint32_t *out) {
    const char *s = *at;
    uint64_t v = 0;
    while (*s == ' ' || *s == '\t')
        s++;
    if (*s < '0' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9'; s++)
        if ((v = v * 10 + (uint64_t)(*s - '0')) > UINT32_MAX)
            return false;
    *at = s;
    *out = (uint32_t)v;
    return *s == ' ' || *s == '\t' || *s == '\n' || *s == '\0';
}

static bool meets(const struct id_range *a, const struct id_range *b) {
    return (a->first < b->first + b->count && b->first < a->first + a->count) ||
           (a->lower < b->lower + b->count && b->lower < a->lower + a->count);
}

// One range of the text, with the numbers as they are written. False: it is none, or not sound.
static bool parse_range(const char **at, struct id_range *r) {
    uint32_t end;
    if (!parse_number(at, &r->first) || !parse_number(at, &r->lower) || !parse_number(at, &r->count))
        return false;
    while (**at == ' ' || **at == '\t')
        (*at)++;
    if (**at == '\n')
        (*at)++;
    else if (**at)
        return false;
    return r->count && r->first != ID_NONE && r->lower != ID_NONE &&
           !__builtin_add_overflow(r->first, r->count, &end) &&
           !__builtin_add_overflow(r->lower, r->count, &end);
}

// The ranges of a text; *n: how many. NULL: not a map (*err EINVAL), or no memory.
static struct id_range *parse_map(const char *text, unsigned *n, int *err) {
    struct id_range *v = xcalloc(IDMAP_MAX, sizeof *v);
    *n = 0;
    *err = v ? -LINUX_EINVAL : -LINUX_ENOMEM;
    while (v && *text) {
        bool ok = *n < IDMAP_MAX && parse_range(&text, &v[*n]);
        for (unsigned i = 0; ok && i < *n; i++)
            ok = !meets(&v[i], &v[*n]);
        if (!ok) {
            free(v);
            return NULL;
        }
        (*n)++;
    }
    if (v && *n)
        return v;
    free(v);
    return NULL;
}

// Whom may the writer map? user_namespaces(7), "Defining user and group ID mappings", the rules of update.
static bool may_map(const struct idmap_file *m, const struct id_range *v, unsigned n) {
    const struct user_ns *u = m->ns, *parent = user_ns_parent(u);
    const struct cred *c = m->opener;
    bool uids = m->which == MAP_UIDS;
    uint32_t lower = idmap_in(map_of(parent, m->which), v[0].lower);
    // Root of the parent is mapped by who could have made files act as root there (since 5.12).
    for (unsigned i = 0; uids && i < n; i++)
        if (v[i].lower == 0 &&
            !(c->user == u ? u->maker_may_setfcap : cred_ns_capable(c, parent, LINUX_CAP_SETFCAP)))
            return false;
    // Itself alone: with no right at all, but for groups only when setgroups(2) is given up.
    if (n == 1 && v[0].count == 1 && c->euid == u->uid) {
        if (uids ? lower == c->euid : lower == c->egid && atomic_load(&u->setgroups_denied))
            return true;
    }
    return cred_ns_capable(c, parent, uids ? LINUX_CAP_SETUID : LINUX_CAP_SETGID) &&
           task_ns_capable(task_current, parent, uids ? LINUX_CAP_SETUID : LINUX_CAP_SETGID);
}

static bool to_kernel(const struct idmap_file *m, struct id_range *v, unsigned n) {
    const struct id_map *map = map_of(user_ns_parent(m->ns), m->which);
    for (unsigned i = 0; i < n; i++)
        if ((v[i].lower = idmap_in_range(map, v[i].lower, v[i].count)) == ID_NONE)
            return false;
    return true;
}

static int put_map(const struct idmap_file *m, struct id_range *v, unsigned n) {
    struct id_map *map = m->which == MAP_GIDS ? &m->ns->gids : &m->ns->uids;
    LOCKED(&m->ns->lock);
    if (atomic_load(&map->n))
        return -LINUX_EPERM;  // once and for all
    if (!cred_ns_capable(m->opener, m->ns, LINUX_CAP_SYS_ADMIN) || !may_map(m, v, n) || !to_kernel(m, v, n))
        return -LINUX_EPERM;
    map->ranges = v;
    atomic_store_explicit(&map->n, n, memory_order_release);
    return 0;
}

static int64_t map_write(struct file *f, struct uio *u, uint64_t off) {
    const struct idmap_file *m = f->priv;
    char text[TEXT_MAX];
    unsigned n;
    int err;
    if (off || u->left >= sizeof text)
        return -LINUX_EINVAL;
    const struct user_ns *mine = m->opener ? m->opener->user : NULL;
    // Written from inside, or from the parent.
    if (!m->ns->level || m->which == MAP_PROJECTS || !mine ||
        (mine != m->ns && mine != user_ns_parent(m->ns)))
        return -LINUX_EPERM;
    int64_t len = uio_from(u, text, u->left);
    if (len < 0)
        return len;
    text[len] = '\0';
    struct id_range *v = parse_map(text, &n, &err);
    err = v ? put_map(m, v, n) : err;
    if (v && err < 0)
        free(v);
    return err < 0 ? err : len;
}

const struct file_ops proc_idmap_fops = {
    .read = map_read, .write = map_write, .release = idmap_release, .seek = SEEK_NO_END};
int proc_open_idmap(const struct proc_node *n, struct file *f) { return open_of(n, f, &proc_idmap_fops); }

// ---- setgroups --------------------------------------------------------------------------------------------
static int64_t setgroups_read(struct file *f, struct uio *u, uint64_t off) {
    const struct idmap_file *m = f->priv;
    struct proc_text x = {0};
    proc_printf(&x, "%s\n", atomic_load(&m->ns->setgroups_denied) ? "deny" : "allow");
    return read_text(&x, u, off);
}

// What is denied once stays so, and what is mapped cannot be denied any more.
static int set_setgroups(struct user_ns *u, bool allow) {
    LOCKED(&u->lock);
    bool denied = atomic_load(&u->setgroups_denied);
    if (allow)
        return denied ? -LINUX_EPERM : 0;
    if (u->level == 0 || atomic_load(&u->gids.n))
        return -LINUX_EPERM;
    atomic_store(&u->setgroups_denied, true);
    return 0;
}

static int64_t setgroups_write(struct file *f, struct uio *u, uint64_t off) {
    const struct idmap_file *m = f->priv;
    char text[8];
    if (off || u->left >= sizeof text)
        return -LINUX_EINVAL;
    int64_t len = uio_from(u, text, u->left);
    if (len < 0)
        return len;
    text[len] = '\0';
    text[strcspn(text, " \t\n")] = '\0';
    bool allow = !strcmp(text, "allow");
    if (!allow && strcmp(text, "deny"))
        return -LINUX_EINVAL;
    int err = set_setgroups(m->ns, allow);
    return err < 0 ? err : len;
}

const struct file_ops proc_setgroups_fops = {
    .read = setgroups_read, .write = setgroups_write, .release = idmap_release, .seek = SEEK_NO_END};

int proc_open_setgroups(const struct proc_node *n, struct file *f) {
    int err = open_of(n, f, &proc_setgroups_fops);
    if (err < 0 || !(f->mode & FMODE_WRITE))
        return err;
    struct idmap_file *m = f->priv;
    if (task_current && task_ns_capable(task_current, m->ns, LINUX_CAP_SYS_ADMIN))
        return 0;
    f->ops = &proc_setgroups_fops;
    idmap_release(f);
    f->priv = NULL;
    return -LINUX_EACCES;
}

// ---- /proc/sys/user ---------------------------------------------------------------------------------------
// Of the reader's user namespace, whose root may lower and raise what holds inside.
static const struct {
    const char *name;
    enum ns_kind kind;
} kinds[] = {{"max_user_namespaces", NS_USER},     {"max_mnt_namespaces", NS_MNT},
             {"max_uts_namespaces", NS_UTS},       {"max_ipc_namespaces", NS_IPC},
             {"max_pid_namespaces", NS_PID},       {"max_net_namespaces", NS_NET},
             {"max_cgroup_namespaces", NS_CGROUP}, {"max_time_namespaces", NS_TIME}};

static _Atomic uint32_t *most_of(const struct proc_node *n) {
    for (size_t i = 0; task_current && i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strcmp(kinds[i].name, n->e->name))
            return &task_current->cred->user->most[kinds[i].kind];
    return NULL;
}

static int show_most(struct proc_text *x, const struct proc_node *n) {
    _Atomic uint32_t *most = most_of(n);
    proc_printf(x, "%u\n", most ? atomic_load(most) : NS_MOST);
    return 0;
}

static int store_most(const struct proc_node *n, char *text, size_t len) {
    _Atomic uint32_t *most = most_of(n);
    char *end;
    unsigned long v = strtoul(text, &end, 10);
    if (!most || !task_own_capable(task_current, LINUX_CAP_SYS_RESOURCE))
        return -LINUX_EPERM;
    if (end == text || (*end && strcmp(end, "\n")) || v > INT32_MAX)
        return -LINUX_EINVAL;
    atomic_store(most, (uint32_t)v);
    return 0;
}

#define MOST(n) \
    { .name = n, .mode = LINUX_S_IFREG | 0644, .show = show_most, .store = store_most }
const struct proc_entry proc_sys_user_entries[] = {
    MOST("max_cgroup_namespaces"), MOST("max_ipc_namespaces"), MOST("max_mnt_namespaces"),
    MOST("max_net_namespaces"),    MOST("max_pid_namespaces"), MOST("max_time_namespaces"),
    MOST("max_user_namespaces"),   MOST("max_uts_namespaces"), {0}};
