// SPDX-License-Identifier: Apache-2.0
// See fstype.h. What is not in the table is ENODEV, as on a kernel that was built without it.
// LIMIT: binfmt_misc, debugfs and file systems on block devices cannot be mounted inside.
#include "sentry/syscalls/fstype.h"
#include "abi/caps.h"
#include "base/fault.h"
#include "fs/fuse/ask.h"
#include "fs/landlock.h"
#include "sentry/fd/fdtable.h"
#include "fs/layers.h"
#include "sentry/cgroup/cgroup.h"
#include "sentry/ipc/ipc_ns.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/user_ns.h"
#include "sentry/procfs/procfs.h"
#include "sentry/syscalls/fs_overlay.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- Values -----------------------------------------------------------------------------------------------
enum value_kind {
    VALUE_NONE,
    VALUE_DECIMAL,
    VALUE_OCTAL,
    VALUE_SIZE,
    VALUE_UID,
    VALUE_GID,
    VALUE_TEXT,
    VALUE_HIDE,
    VALUE_SUBSET,
};

struct fs_row {
    const char *name;
    enum value_kind kind;
    enum fs_option to;
    bool again;  // can be given for one that is mounted
    enum overlay_option overlay;
};

// With k, m, g behind it, or a percentage of the memory.
static int size_of(const char *text, uint64_t whole, uint64_t *out) {
    static const char units[] = "kmgt";
    char *end;
    uint64_t v = strtoull(text, &end, 0);
    if (end == text || *text == '-')
        return -LINUX_EINVAL;
    if (*end == '%') {
        *out = whole / 100 * (v < 100 ? v : 100);
        return end[1] ? -LINUX_EINVAL : 0;
    }
    const char *unit = *end ? strchr(units, *end | 0x20) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    *out = v << shift;
    return end[unit != NULL] || (*out >> shift) != v ? -LINUX_EINVAL : 0;
}

static int number_of(const char *text, int base, uint64_t *out) {
    char *end;
    uint64_t v = strtoull(text, &end, base);
    if (end == text || *end || *text == '-' || *text == ' ' || v > UINT32_MAX)
        return -LINUX_EINVAL;
    *out = v;
    return 0;
}

static int id_of(struct task *t, bool user, const char *text, uint64_t *out) {
    int err = number_of(text, 10, out);
    if (err < 0)
        return err;
    uint32_t id = user ? task_uid_in(t, (uint32_t)*out) : task_gid_in(t, (uint32_t)*out);
    *out = id;
    return id == ID_NONE ? -LINUX_EINVAL : 0;
}

static const char *const hides[] = {"off", "noaccess", "invisible", NULL, "ptraceable"};
static int hide_of(const char *text, uint64_t *out) {
    for (size_t k = 0; k < sizeof hides / sizeof *hides; k++)
        if (hides[k] && (!strcmp(text, hides[k]) || (text[0] == (char)('0' + k) && !text[1]))) {
            *out = k;
            return 0;
        }
    return -LINUX_EINVAL;
}
static int value_of(struct task *t, enum value_kind kind, const char *text, uint64_t *out) {
    if ((kind == VALUE_NONE) != (text == NULL))
        return -LINUX_EINVAL;
    switch (kind) {
    case VALUE_DECIMAL:
        return number_of(text, 10, out);
    case VALUE_OCTAL:
        return number_of(text, 8, out);
    case VALUE_SIZE:
        return size_of(text, t->k->mem_total, out);
    case VALUE_UID:
    case VALUE_GID:
        return id_of(t, kind == VALUE_UID, text, out);
    case VALUE_HIDE:
        return hide_of(text, out);
    case VALUE_SUBSET:
        return strcmp(text, "pid") ? -LINUX_EINVAL : 0;
    default:
        return 0;
    }
}

// ---- The file systems -------------------------------------------------------------------------------------
struct fs_type {
    const char *name;
    const struct fs_row *rows;  // ends with a nameless one
    bool anybodys;       // who is CAP_SYS_ADMIN over its owner may mount it, not only the sandbox's root
    enum ns_kind shows;  // what it shows, whose owner is its own; NS_USER: nothing, it is the caller's
    bool lenient;               // unknown options are no error
    int (*make)(struct task *t, const struct fs_config *c, struct superblock **sb);
};

static bool given(const struct fs_config *c, enum fs_option o) { return c->given >> o & 1; }
static uint64_t value_or(const struct fs_config *c, enum fs_option o, uint64_t otherwise) {
    return given(c, o) ? c->values[o] : otherwise;
}
static uint64_t bytes_of(const struct fs_config *c) {
    return given(c, FS_BLOCKS) ? c->values[FS_BLOCKS] * GUEST_PAGE_SIZE : value_or(c, FS_SIZE, 0);
}

// For /proc/mounts.
static void show_tmpfs(const struct tmpfs_opts *o, char *text, size_t size) {
    int n = 0;
    if (o->max_bytes)
        n += snprintf(text, size, ",size=%lluk", (unsigned long long)o->max_bytes / 1024);
    if (o->max_inodes)
        n += snprintf(text + n, size - (size_t)n, ",nr_inodes=%llu", (unsigned long long)o->max_inodes);
    if (o->mode != 01777)
        n += snprintf(text + n, size - (size_t)n, ",mode=%03o", o->mode);
    if (o->uid)
        n += snprintf(text + n, size - (size_t)n, ",uid=%u", o->uid);
    if (o->gid)
        n += snprintf(text + n, size - (size_t)n, ",gid=%u", o->gid);
    snprintf(text + n, size - (size_t)n, ",inode64");
}

static int make_tmpfs(struct task *t, const struct fs_config *c, struct superblock **sb) {
    char text[160];
    const struct tmpfs_opts o = {.mode = (uint32_t)value_or(c, FS_MODE, 01777) & 07777,
                                 .uid = (uint32_t)value_or(c, FS_UID, t->cred->fsuid),
                                 .gid = (uint32_t)value_or(c, FS_GID, t->cred->fsgid),
                                 .max_bytes = bytes_of(c),
                                 .max_inodes = value_or(c, FS_INODES, 0)};
    int err = tmpfs_create(t->k->vfs, &o, sb);
    if (err < 0)
        return err;
    show_tmpfs(&o, text, sizeof text);
    (*sb)->options = xstrdup(text);
    return 0;
}

static int make_ramfs(struct task *t, const struct fs_config *c, struct superblock **sb) {
    const struct tmpfs_opts o = {
        .mode = (uint32_t)value_or(c, FS_MODE, 0755) & 07777, .uid = t->cred->fsuid, .gid = t->cred->fsgid};
    int err = tmpfs_create(t->k->vfs, &o, sb);
    if (err < 0)
        return err;
    (*sb)->type = "ramfs";
    (*sb)->magic = LINUX_RAMFS_MAGIC;
    return 0;
}

static int make_devpts(struct task *t, const struct fs_config *c, struct superblock **sb) {
    const struct devpts_opts o = {.uid = (uint32_t)value_or(c, FS_UID, DEVPTS_OWNER),
                                  .gid = (uint32_t)value_or(c, FS_GID, DEVPTS_OWNER),
                                  .mode = (uint32_t)value_or(c, FS_MODE, 0600) & 0777,
                                  .ptmxmode = (uint32_t)value_or(c, FS_PTMXMODE, 0) & 0777,
                                  .max = (uint32_t)value_or(c, FS_MAX, 0)};
    return devpts_create(t->k->vfs, &o, sb);
}

static int make_mqueue(struct task *t, const struct fs_config *c, struct superblock **sb) {
    struct ns *ns = task_ns(t, NS_IPC);
    int err = mqfs_create(t->k->vfs, container_of(ns, struct ipc_ns, ns), sb);
    ns_put(ns);
    return err;
}

static int make_fuse(struct task *t, const struct fs_config *c, struct superblock **sb) {
    const struct user_ns *owner = user_ns_of(c->owner);
    if (!given(c, FS_FD) || !given(c, FS_MODE) || !given(c, FS_UID) || !given(c, FS_GID))
        return -LINUX_EINVAL;
    const struct fuse_opts o = {.rootmode = (uint32_t)c->values[FS_MODE],
                                .user_id = (uint32_t)c->values[FS_UID],
                                .group_id = (uint32_t)c->values[FS_GID],
                                .max_read = (uint32_t)value_or(c, FS_MAX, 0),
                                .allow_other = given(c, FS_ALLOW_OTHER),
                                .default_permissions = given(c, FS_DEFAULT_PERMISSIONS),
                                .is_block = fs_config_type(c)[4] == 'b',
                                .subtype = *c->subtype ? c->subtype : NULL,
                                .uids = user_ns_uids(owner),
                                .gids = user_ns_gids(owner)};
    struct file *dev = fd_get_io(t->files, (int)c->values[FS_FD]);
    int err = dev ? fuse_create(t->k->vfs, dev, &o, sb) : -LINUX_EINVAL;
    if (dev)
        file_put(dev);
    return err;
}

static int make_overlay(struct task *t, const struct fs_config *c, struct superblock **sb) {
    return overlay_config_make(t, c->overlay, sb);
}
// What is not given stays as it is.
static void proc_opts(const struct fs_config *c, struct procfs_opts *o) {
    o->hide = (enum proc_hide)value_or(c, FS_HIDE, o->hide);
    o->gid = (uint32_t)value_or(c, FS_GID, o->gid);
}
static int show_proc(const struct procfs_opts *o, struct superblock *sb) {
    char text[96] = "";
    int n = 0;
    if (o->gid)
        n += snprintf(text, sizeof text, ",gid=%u", o->gid);
    if (o->hide != PROC_HIDE_NOTHING)
        n += snprintf(text + n, sizeof text - (size_t)n, ",hidepid=%s", hides[o->hide]);
    if (o->pids_only)
        snprintf(text + n, sizeof text - (size_t)n, ",subset=pid");
    char *copy = xstrdup(text);
    if (!copy)
        return -LINUX_ENOMEM;
    super_set_options(sb, copy);
    return 0;
}
static int make_proc(struct task *t, const struct fs_config *c, struct superblock **sb) {
    struct procfs_opts o = {.hide = PROC_HIDE_NOTHING, .pids_only = given(c, FS_SUBSET)};
    proc_opts(c, &o);
    int err = procfs_create(t->k->vfs, t->tg->pid_ns, &o, sb);
    if (err < 0)
        return err;
    err = show_proc(&o, *sb);
    if (err < 0)
        super_put(*sb);
    return err;
}
static int make_sysfs(struct task *t, const struct fs_config *c, struct superblock **sb) {
    return sysfs_create(t->k->vfs, sb);
}
static int make_cgroup2(struct task *t, const struct fs_config *c, struct superblock **sb) {
    struct cgroup *root = cgroup_root_for(t);
    int err = cgroupfs_create(t->k->vfs, root, sb);
    cgroup_put(root);
    return err;
}
static int make_devtmpfs(struct task *t, const struct fs_config *c, struct superblock **sb) {
    return devfs_create(t->k->vfs, sb);
}

static const struct fs_row tmpfs_rows[] = {
    {"size", VALUE_SIZE, FS_SIZE, true},        {"nr_blocks", VALUE_SIZE, FS_BLOCKS, true},
    {"nr_inodes", VALUE_SIZE, FS_INODES, true}, {"mode", VALUE_OCTAL, FS_MODE, true},
    {"uid", VALUE_UID, FS_UID, true},           {"gid", VALUE_GID, FS_GID, true},
    {"huge", VALUE_TEXT, FS_IGNORED, true},     {"mpol", VALUE_TEXT, FS_IGNORED, true},
    {"inode32", VALUE_NONE, FS_IGNORED, true},  {"inode64", VALUE_NONE, FS_IGNORED, true},
    {"noswap", VALUE_NONE, FS_IGNORED, true},   {0}};
static const struct fs_row ramfs_rows[] = {{"mode", VALUE_OCTAL, FS_MODE, true}, {0}};
static const struct fs_row devpts_rows[] = {{"uid", VALUE_UID, FS_UID, true},
                                            {"gid", VALUE_GID, FS_GID, true},
                                            {"mode", VALUE_OCTAL, FS_MODE, true},
                                            {"ptmxmode", VALUE_OCTAL, FS_PTMXMODE, true},
                                            {"newinstance", VALUE_NONE, FS_IGNORED, true},
                                            {"max", VALUE_DECIMAL, FS_MAX, true},
                                            {0}};
static const struct fs_row cgroup2_rows[] = {{"nsdelegate", VALUE_NONE, FS_IGNORED, true},
                                             {"favordynmods", VALUE_NONE, FS_IGNORED, true},
                                             {"memory_localevents", VALUE_NONE, FS_IGNORED, true},
                                             {"memory_recursiveprot", VALUE_NONE, FS_IGNORED, true},
                                             {0}};
static const struct fs_row fuse_rows[] = {{"fd", VALUE_DECIMAL, FS_FD, false},
                                          {"rootmode", VALUE_OCTAL, FS_MODE, false},
                                          {"user_id", VALUE_UID, FS_UID, false},
                                          {"group_id", VALUE_GID, FS_GID, false},
                                          {"default_permissions", VALUE_NONE, FS_DEFAULT_PERMISSIONS, false},
                                          {"allow_other", VALUE_NONE, FS_ALLOW_OTHER, false},
                                          {"max_read", VALUE_DECIMAL, FS_MAX, false},
                                          {"blksize", VALUE_DECIMAL, FS_IGNORED, false},
                                          {"subtype", VALUE_TEXT, FS_IGNORED, false},
                                          {0}};
static const struct fs_row proc_rows[] = {{"hidepid", VALUE_HIDE, FS_HIDE, true},
                                          {"gid", VALUE_GID, FS_GID, true},
                                          {"subset", VALUE_SUBSET, FS_SUBSET, true},
                                          {0}};
#define OVERLAY(name, kind, option) \
    { name, kind, FS_OVERLAY, false, option }
static const struct fs_row overlay_rows[] = {OVERLAY("lowerdir", VALUE_TEXT, OVERLAY_LOWER),
                                             OVERLAY("lowerdir+", VALUE_TEXT, OVERLAY_LOWER_ADD),
                                             OVERLAY("upperdir", VALUE_TEXT, OVERLAY_UPPER),
                                             OVERLAY("workdir", VALUE_TEXT, OVERLAY_WORK),
                                             OVERLAY("userxattr", VALUE_NONE, OVERLAY_USERXATTR),
                                             OVERLAY("volatile", VALUE_NONE, OVERLAY_VOLATILE),
                                             OVERLAY("redirect_dir", VALUE_TEXT, OVERLAY_REDIRECT),
                                             OVERLAY("metacopy", VALUE_TEXT, OVERLAY_METACOPY),
                                             OVERLAY("index", VALUE_TEXT, OVERLAY_SWITCH),
                                             OVERLAY("xino", VALUE_TEXT, OVERLAY_XINO),
                                             OVERLAY("uuid", VALUE_TEXT, OVERLAY_UUID),
                                             {"default_permissions", VALUE_NONE, FS_IGNORED, true},
                                             {0}};
static const struct fs_row no_rows[] = {{0}};

static const struct fs_type types[] = {
    {"tmpfs", tmpfs_rows, .anybodys = true, .make = make_tmpfs},
    {"ramfs", ramfs_rows, .anybodys = true, .lenient = true, .make = make_ramfs},
    {"proc", proc_rows, .anybodys = true, .shows = NS_PID, .make = make_proc},
    {"sysfs", no_rows, .anybodys = true, .shows = NS_NET, .make = make_sysfs},
    {"devpts", devpts_rows, .anybodys = true, .make = make_devpts},
    {"mqueue", no_rows, .anybodys = true, .shows = NS_IPC, .make = make_mqueue},
    {"cgroup2", cgroup2_rows, .anybodys = true, .shows = NS_CGROUP, .make = make_cgroup2},
    {"overlay", overlay_rows, .anybodys = true, .make = make_overlay},
    {"devtmpfs", tmpfs_rows, .make = make_devtmpfs},
    {"fuse", fuse_rows, .anybodys = true, .make = make_fuse},
    {"fuseblk", fuse_rows, .anybodys = true, .make = make_fuse},
};

static const struct fs_type *type_named(const char *name) {
    size_t n = (size_t)(strchrnul(name, '.') - name);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strlen(types[i].name) == n && !memcmp(types[i].name, name, n))
            return name[n] && types[i].make != make_fuse ? NULL : &types[i];
    return NULL;
}

// ---- A configuration --------------------------------------------------------------------------------------
static struct ns *owner_for(struct task *t, const struct fs_type *type) {
    if (type->shows == NS_USER)
        return ns_get(&t->cred->user->ns);
    struct ns *shown = task_ns(t, type->shows), *owner = ns_get(shown->owner);
    ns_put(shown);
    return owner;
}

int fs_config_begin(struct task *t, const char *type, struct fs_config *c) {
    *c = (struct fs_config){.type = type_named(type)};
    if (!c->type)
        return -LINUX_ENODEV;
    if (c->type->make == make_overlay && !(c->overlay = overlay_config_new()))
        return -LINUX_ENOMEM;
    c->owner = owner_for(t, c->type);
    snprintf(c->subtype, sizeof c->subtype, "%s", strchr(type, '.') ? strchr(type, '.') + 1 : "");
    return 0;
}

// Those that the sandbox began with have no options.
int fs_config_again(struct task *t, const struct superblock *sb, struct fs_config *c) {
    static const struct fs_type plain = {"", no_rows, .lenient = true};
    *c = (struct fs_config){.type = sb->owner ? type_named(sb->type) : NULL, .read_only = sb->read_only};
    if (!c->type)
        c->type = &plain;
    c->owner = ns_get(&t->cred->user->ns);
    return 0;
}

void fs_config_end(struct fs_config *c) {
    ns_put(c->owner);
    free(c->source);
    overlay_config_free(c->overlay);
    *c = (struct fs_config){0};
}

const char *fs_config_type(const struct fs_config *c) { return c->type->name; }

// What the VFS itself knows. True: it was one of these.
static bool take_general(struct fs_config *c, const char *key) {
    static const char *const nothing[] = {"sync", "async",  "dirsync",   "lazytime",
                                          "mand", "nomand", "nolazytime"};
    bool ro = !strcmp(key, "ro");
    if (ro || !strcmp(key, "rw")) {
        c->read_only = ro;
        c->told_read_only = true;
        return true;
    }
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        if (!strcmp(key, nothing[i]))
            return true;
    return false;
}

static int take_source(struct fs_config *c, const char *value) {
    if (!value || c->source)
        return -LINUX_EINVAL;
    c->source = xstrdup(value);
    return c->source ? 0 : -LINUX_ENOMEM;
}

int fs_config_param(struct task *t, struct fs_config *c, const char *key, const char *value) {
    uint64_t v = 0;
    if (take_general(c, key))
        return 0;
    for (const struct fs_row *r = c->type->rows; r->name; r++) {
        if (strcmp(r->name, key))
            continue;
        int err = value_of(t, r->kind, value, &v);
        if (err == 0 && r->to == FS_OVERLAY && c->overlay)
            err = overlay_config_param(t, c->overlay, r->overlay, value);
        if (err < 0)
            return err;
        c->values[r->to] = v;
        c->given |= 1u << r->to;
        return 0;
    }
    if (!strcmp(key, "source"))
        return take_source(c, value);
    return c->type->lenient ? 0 : -LINUX_EINVAL;
}

int fs_config_file(struct task *t, struct fs_config *c, const char *key, const struct path *p) {
    for (const struct fs_row *r = c->type->rows; r->name; r++)
        if (!strcmp(r->name, key) && r->to == FS_OVERLAY && r->kind == VALUE_TEXT && c->overlay)
            return overlay_config_path(t, c->overlay, r->overlay, p);
    return -LINUX_EINVAL;
}

// Where the next option begins; NULL: there is none. In an overlay's names a comma may stand, escaped.
static char *next_option(const struct fs_config *c, char *key) {
    for (char *s = key; *s; s++) {
        if (*s == '\\' && s[1] && c->type->make == make_overlay) {
            s++;
        } else if (*s == ',') {
            *s = '\0';
            return s + 1;
        }
    }
    return NULL;
}
int fs_config_list(struct task *t, struct fs_config *c, char *data) {
    for (char *key = data, *next; key; key = next) {
        next = next_option(c, key);
        char *value = strchr(key, '=');
        if (value)
            *value++ = '\0';
        int err = *key ? fs_config_param(t, c, key, value) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

int fs_config_make(struct task *t, struct fs_config *c, struct superblock **out) {
    bool may = c->type->anybodys ? task_ns_capable(t, user_ns_of(c->owner), LINUX_CAP_SYS_ADMIN)
                                 : task_capable(t, LINUX_CAP_SYS_ADMIN);
    if (!may)
        return -LINUX_EPERM;
    int err = c->type->make(t, c, out);
    if (err < 0)
        return err;
    (*out)->owner = ns_get(c->owner);
    if (c->read_only)
        (*out)->read_only = true;
    return 0;
}

int fs_config_apply(struct task *t, struct fs_config *c, struct superblock *sb) {
    bool may = sb->owner ? task_ns_capable(t, user_ns_of(sb->owner), LINUX_CAP_SYS_ADMIN)
                         : task_capable(t, LINUX_CAP_SYS_ADMIN);
    if (!may || landlock_restricts_files(t->cred->landlock))
        return -LINUX_EPERM;
    if (!sb->owner)
        return 0;
    if (c->type->make == make_tmpfs) {
        int err = tmpfs_limit(sb, given(c, FS_SIZE) || given(c, FS_BLOCKS), bytes_of(c), given(c, FS_INODES),
                              c->values[FS_INODES]);
        if (err < 0)
            return err;
    }
    if (procfs_is(sb) && (given(c, FS_HIDE) || given(c, FS_GID))) {
        struct procfs_opts o;
        procfs_look(sb, &o);
        proc_opts(c, &o);
        int err = show_proc(&o, sb);
        if (err < 0)
            return err;
        procfs_change(sb, &o);
    }
    if (layers_is(sb) && !c->read_only && !layers_can_change(sb))
        return -LINUX_EROFS;
    sb->read_only = c->read_only;
    return 0;
}
