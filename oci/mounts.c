// SPDX-License-Identifier: Apache-2.0
// See mounts.h. Where they lead inside is the sentry's matter (sentry/run/mounts.c): here a target is only
// text.
#include "oci/mounts.h"
#include "abi/misc.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "oci/json.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TARGET_MAX 4096u

// ---- Paths ------------------------------------------------------------------------------------------------
// Absolute, without empty, "." and ".." components ("/.." is "/"); owned by the caller. NULL: too long.
static char *clean_path(const char *path) {
    char *out = strlen(path) < TARGET_MAX ? calloc(1, strlen(path) + 2) : NULL;
    size_t n = 0;
    for (const char *p = path; out && *p;) {
        size_t len = strcspn(p, "/");
        if (len == 2 && !strncmp(p, "..", 2)) {
            while (n > 0 && out[--n] != '/')
                ;
        } else if (len > 0 && !(len == 1 && *p == '.')) {
            out[n++] = '/';
            memcpy(out + n, p, len);
            n += len;
        }
        p += len + (p[len] == '/');
    }
    if (out && n == 0)
        out[n++] = '/';
    if (out)
        out[n] = '\0';
    return out;
}

static unsigned depth(const char *path) {
    unsigned n = 0;
    for (; *path; path++)
        n += *path == '/' && path[1];
    return n;
}

// ---- Options ----------------------------------------------------------------------------------------------
// With an r before it: of all below, too; what lies below a bind's source belongs to the one mount here.
static const struct {
    const char *name;
    unsigned set, clear;
} flag_options[] = {
    {"ro", LINUX_MS_RDONLY, 0},     {"rw", 0, LINUX_MS_RDONLY},   {"nosuid", LINUX_MS_NOSUID, 0},
    {"suid", 0, LINUX_MS_NOSUID},   {"nodev", LINUX_MS_NODEV, 0}, {"dev", 0, LINUX_MS_NODEV},
    {"noexec", LINUX_MS_NOEXEC, 0}, {"exec", 0, LINUX_MS_NOEXEC},
};

struct options {
    bool bind;
    struct sentry_mount *m;
};

// "64k", "1g" or bytes; true when it is that.
static bool parse_size(const char *text, uint64_t *out) {
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    const char *unit = *end ? strchr("kmgKMG", *end) : NULL;
    unsigned shift = unit ? 10 * (1 + (unsigned)(strchr("kmg", *end | 0x20) - "kmg")) : 0;
    if (end == text || errno || (*end && (!unit || end[1])) || v > (UINT64_MAX >> 1 >> shift))
        return false;
    *out = (uint64_t)v << shift;
    return true;
}
static bool parse_number(const char *text, int base, uint32_t *out) {
    char *end;
    unsigned long v = strtoul(text, &end, base);
    if (end == text || *end || v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

// True: it is one with a value, and the value can be used. What a file system does not know is its data: no
// error.
static bool take_value(struct sentry_mount *m, const char *text, bool *bad) {
    const char *eq = strchr(text, '=');
    size_t n = eq ? (size_t)(eq - text) : 0;
    uint32_t mode = 0;
    if (n == 4 && !strncmp(text, "mode", n)) {
        *bad = !parse_number(eq + 1, 8, &mode) || mode > 07777;
        m->mode = mode;
    } else if (n == 8 && !strncmp(text, "ptmxmode", n)) {
        *bad = !parse_number(eq + 1, 8, &m->ptmxmode);
    } else if (n == 3 && !strncmp(text, "uid", n)) {
        *bad = !parse_number(eq + 1, 10, &m->uid);
    } else if (n == 3 && !strncmp(text, "gid", n)) {
        *bad = !parse_number(eq + 1, 10, &m->gid);
    } else if (n == 4 && !strncmp(text, "size", n)) {
        *bad = !parse_size(eq + 1, &m->size);
    } else {
        return false;
    }
    return true;
}

// False: a value that is none.
static bool take_option(struct options *o, const char *text) {
    bool bad = false;
    for (size_t i = 0; i < sizeof flag_options / sizeof flag_options[0]; i++)
        if (!strcmp(text + (text[0] == 'r' && strcmp(text, "ro") && strcmp(text, "rw")),
                    flag_options[i].name)) {
            o->m->flags = (o->m->flags | flag_options[i].set) & ~flag_options[i].clear;
            return true;
        }
    o->bind |= !strcmp(text, "bind") || !strcmp(text, "rbind");
    o->m->copy_up |= !strcmp(text, "tmpcopyup");
    take_value(o->m, text, &bad);
    return !bad;
}

// ---- One mount --------------------------------------------------------------------------------------------
struct reader {
    const struct oci *o;
    struct config *c;
    bool look;
    struct error *e;
};

static int bad(const struct reader *r, const struct sentry_mount *m, const char *why) {
    return error_set(r->e, "%s: mounts: %s: %s", r->c->file, m->target, why);
}

static bool maps_ids(const char *option) { return !strcmp(option, "idmap") || !strcmp(option, "ridmap"); }

// The gofer's root for a path of the host; -1: there are too many.
static int add_root(struct config *c, char *path, bool writable) {
    if (!path || c->nroots == GOFER_ROOTS_MAX)
        return -1;
    c->roots[c->nroots] = (struct gofer_root){path, writable};
    return c->nroots++;
}

// A device that every sandbox has is its own; of no other is there anything inside.
static int read_device(const struct reader *r, struct sentry_mount *m, const struct stat *st) {
    const char *its = S_ISCHR(st->st_mode) ? config_device(major(st->st_rdev), minor(st->st_rdev)) : NULL;
    if (!its)
        return bad(r, m, "the source is a device: none of the host is given to a sandbox");
    m->kind = SENTRY_DEVICE;
    m->source = its;
    return 0;
}

static int read_bind(const struct reader *r, struct sentry_mount *m, const char *source) {
    char *path = NULL;
    struct stat st = {.st_mode = S_IFDIR};
    if (!source || !*source)
        return bad(r, m, "a bind without a source");
    // relative: from the bundle
    if (asprintf(&path, "%s%s%s", source[0] == '/' ? "" : r->c->bundle, source[0] == '/' ? "" : "/", source) <
        0)
        return bad(r, m, "no memory");
    if (r->look && stat(path, &st) < 0) {
        error_errno(r->e, errno, "%s: mounts: %s: source %s", r->c->file, m->target, path);
        free(path);
        return -1;
    }
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
        free(path);
        return read_device(r, m, &st);
    }
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        oci_warn(r->o, "%s: mounts: %s: a socket or pipe of the host can be seen there, and not be used",
                 r->c->file, m->target);
    int root = add_root(r->c, path, !(m->flags & LINUX_MS_RDONLY));
    if (root < 0) {
        free(path);
        return bad(r, m, "too many binds");
    }
    m->kind = SENTRY_BIND;
    m->root = (unsigned)root;
    m->is_dir = S_ISDIR(st.st_mode);
    return 0;
}

// What lies there in the root shows through the tmpfs; nothing does when there is none.
static int read_copy_up(const struct reader *r, struct sentry_mount *m) {
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    int root cleanup_close = r->look ? open(r->c->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    int dir cleanup_close = root < 0 ? -1 : (int)syscall(SYS_openat2, root, m->target, &how, sizeof how);
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
    ssize_t n = dir < 0 ? -1 : readlink(link, path, sizeof path - 1);
    m->copy_up = n > 0;
    if (n <= 0)
        return 0;
    path[n] = '\0';
    char *copy = strdup(path);
    int at = add_root(r->c, copy, false);
    if (at < 0) {
        free(copy);
        return bad(r, m, "too many mounts with tmpcopyup");
    }
    m->root = (unsigned)at;
    return 0;
}

static int read_tmpfs(const struct reader *r, struct sentry_mount *m) {
    m->kind = strcmp(m->target, "/dev") ? SENTRY_TMPFS : SENTRY_DEV;
    return m->copy_up ? read_copy_up(r, m) : 0;
}

// LIMIT: mqueue is an empty directory in a container at first; a cgroup of v1 is shown as v2.
static const struct {
    const char *name;
    enum sentry_mount_kind kind;
} types[] = {
    {"proc", SENTRY_PROC},     {"sysfs", SENTRY_SYSFS},    {"devpts", SENTRY_DEVPTS},
    {"cgroup", SENTRY_CGROUP}, {"cgroup2", SENTRY_CGROUP}, {"mqueue", SENTRY_TMPFS},
};

static int read_type(const struct reader *r, struct sentry_mount *m, const char *type, const char *source,
                     bool bind) {
    if (bind || !strcmp(type, "bind"))
        return read_bind(r, m, source);
    m->source = source ? source : type;
    if (!strcmp(type, "tmpfs") || !strcmp(type, "devtmpfs"))
        return read_tmpfs(r, m);
    m->copy_up = false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(type, types[i].name)) {
            m->kind = types[i].kind;
            return 0;
        }
    return error_set(r->e, "%s: mounts: %s: file system type '%.64s' is not supported", r->c->file, m->target,
                     type);
}

static int read_mount(const struct reader *r, json_t *j, struct sentry_mount *m) {
    const char *target = json_string_value(json_object_get(j, "destination"));
    const char *type = json_string_value(json_object_get(j, "type"));
    const char *source = json_string_value(json_object_get(j, "source"));
    struct options o = {.m = m};
    size_t i;
    json_t *option;
    *m = (struct sentry_mount){.mode = 01777, .ptmxmode = 0666};
    m->source = "bind";
    m->target = target ? clean_path(target) : NULL;
    if (!m->target)
        return error_set(r->e, "%s: mounts[].destination: is missing or too long", r->c->file);
    if (type && !strcmp(type, "devpts"))
        m->mode = 0600;
    json_array_foreach(json_object_get(j, "options"), i, option)
        if (!take_option(&o, json_string_value(option)))
            return error_set(r->e, "%s: mounts: %s: option '%.64s' has a value that cannot be used",
                             r->c->file, m->target, json_string_value(option));
    json_array_foreach(json_object_get(j, "options"), i, option)
        if (maps_ids(json_string_value(option)))
            return bad(r, m, "option idmap: no mounts with mapped ids");
    if (!strcmp(m->target, "/"))
        return bad(r, m, "a mount on the root");
    return read_type(r, m, type ? type : "bind", source, o.bind);
}

// ---- The list ---------------------------------------------------------------------------------------------
// Parents first; what is equally deep keeps its order, so that of two on one place the last is on top. (By
// insertion: a stable sort, of few.)
static void sort(struct sentry_mount *list, unsigned n) {
    for (unsigned i = 1; i < n; i++) {
        struct sentry_mount m = list[i];
        unsigned at = i;
        for (; at > 0 && depth(list[at - 1].target) > depth(m.target); at--)
            list[at] = list[at - 1];
        list[at] = m;
    }
}

static bool has_target(const struct config *c, const char *target) {
    for (unsigned i = 0; i < c->nmounts; i++)
        if (!strcmp(c->mounts[i].target, target))
            return true;
    return false;
}

static int add_paths(const struct reader *r, const char *field, enum sentry_mount_kind kind) {
    size_t i;
    json_t *v;
    json_array_foreach(config_get(r->c->json, field), i, v) {
        const char *path = json_string_value(v);
        if (path[0] != '/')
            return error_set(r->e, "%s: %s: '%.64s' is not absolute", r->c->file, field, path);
        struct sentry_mount m = {.kind = kind, .target = clean_path(path), .source = "none"};
        if (!m.target)
            return error_set(r->e, "%s: %s: a path is too long", r->c->file, field);
        r->c->mounts[r->c->nmounts++] = m;
    }
    return 0;
}

// Those of linux.devices that every sandbox has, where it has them not.
static int add_devices(const struct reader *r) {
    size_t i;
    json_t *j;
    json_array_foreach(config_get(r->c->json, "linux.devices"), i, j) {
        int64_t major = 0, minor = 0;
        json_whole(json_object_get(j, "major"), &major);
        json_whole(json_object_get(j, "minor"), &minor);
        const char *its = config_device((unsigned)major, (unsigned)minor);
        struct sentry_mount m = {.kind = SENTRY_DEVICE, .source = its};
        m.target = clean_path(json_string_value(json_object_get(j, "path")));
        if (!m.target)
            return error_set(r->e, "%s: linux.devices: a path is too long", r->c->file);
        if (strcmp(m.target, its) != 0)
            r->c->mounts[r->c->nmounts++] = m;
        else
            free((void *)m.target);
    }
    return 0;
}

int mounts_parse(const struct oci *o, struct config *c, bool look, struct error *e) {
    const struct reader r = {o, c, look, e};
    json_t *list = config_get(c->json, "mounts"), *j;
    size_t i, devices = json_array_size(config_get(c->json, "linux.devices"));
    size_t others = json_array_size(config_get(c->json, "linux.maskedPaths")) +
                    json_array_size(config_get(c->json, "linux.readonlyPaths"));
    if (json_array_size(list) > CONFIG_MOUNTS_MAX || devices > CONFIG_MOUNTS_MAX ||
        others > 4 * CONFIG_MOUNTS_MAX)
        return error_set(e, "%s: mounts: more than %u", c->file, CONFIG_MOUNTS_MAX);
    c->mounts = xcalloc(json_array_size(list) + devices + others + 1, sizeof *c->mounts);
    if (!c->mounts)
        return error_set(e, "no memory");
    json_array_foreach(list, i, j)
        if (read_mount(&r, j, &c->mounts[c->nmounts++]) < 0)
            return -1;
    // a container has the usual devices, whether or not /dev is mounted
    if (!has_target(c, "/dev")) {
        struct sentry_mount dev = {.kind = SENTRY_DEV, .source = "dev", .flags = LINUX_MS_NOSUID};
        dev.target = strdup("/dev");
        if (!dev.target)
            return error_set(e, "no memory");
        c->mounts[c->nmounts++] = dev;
    }
    if (add_devices(&r) < 0)
        return -1;
    sort(c->mounts, c->nmounts);
    return add_paths(&r, "linux.readonlyPaths", SENTRY_RDONLY) < 0
               ? -1
               : add_paths(&r, "linux.maskedPaths", SENTRY_MASK);
}

void mounts_free(struct config *c) {
    for (unsigned i = 0; i < c->nmounts; i++)
        free((void *)c->mounts[i].target);
    free(c->mounts);
    for (int i = 1; i < c->nroots; i++)
        free((void *)c->roots[i].host_path);
    c->mounts = NULL;
    c->nmounts = 0;
    c->nroots = 0;
}

// ---- Places in a read-only root ---------------------------------------------------------------------------
static int open_in_root(int root, const char *path, int flags) {
    struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

// Component by component: what is made is made in a directory that was just opened beneath the root.
static int make_place(int root, const char *target, bool dir) {
    char path[TARGET_MAX + 1];
    snprintf(path, sizeof path, "%s", target);
    for (char *p = path + 1;; *p++ = '/') {
        p += strcspn(p, "/");
        bool last = !*p;
        *p = '\0';
        int there cleanup_close = open_in_root(root, path, O_PATH);
        if (there < 0) {
            char *name = strrchr(path, '/');
            *name = '\0';
            int parent cleanup_close = open_in_root(root, *path ? path : "/", O_PATH | O_DIRECTORY);
            *name = '/';
            int err = parent;
            if (parent >= 0)
                err = last && !dir ? mknodat(parent, name + 1, S_IFREG | 0644, 0)
                                   : mkdirat(parent, name + 1, 0755);
            if (err < 0)
                return -errno;
        }
        if (last)
            return 0;
    }
}

// Is a mount above it? Then its place is in that one, and the sentry makes it.
static bool lies_in_mount(const struct config *c, const struct sentry_mount *m) {
    for (const struct sentry_mount *above = c->mounts; above < m; above++) {
        size_t n = strlen(above->target);
        if (!strncmp(above->target, m->target, n) && m->target[n] == '/')
            return true;
    }
    return false;
}

int mounts_make_places(const struct config *c, struct error *e) {
    int root cleanup_close = open(c->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_errno(e, errno, "root %s", c->rootfs);
    for (const struct sentry_mount *m = c->mounts; m < c->mounts + c->nmounts; m++) {
        if (m->kind == SENTRY_MASK || m->kind == SENTRY_RDONLY || lies_in_mount(c, m))
            continue;
        int err = make_place(root, m->target, sentry_mount_on_dir(m));
        if (err < 0)
            return error_errno(e, -err, "%s: mounts: %s: making the place", c->file, m->target);
    }
    return 0;
}
