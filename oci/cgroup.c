// SPDX-License-Identifier: Apache-2.0
// See cgroup.h. A hierarchy is a directory under /sys/fs/cgroup: the unified one, or one for each controller
// of v1.
// LIMIT: systemd is not asked: paths like slice:prefix:name are refused.
#include "oci/cgroup.h"
#include "base/cleanup.h"
#include "oci/config.h"
#include "oci/json.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define BASE            "/sys/fs/cgroup"
#define PATH_SIZE       4096
#define ATTEMPTS        1000  // times 10 ms
#define FREEZE_ATTEMPTS 10
#define VICTIM_BYTES    (16u << 20)

static const char *const v1_controllers[] = {"memory",  "pids",    "cpu",   "cpuacct", "cpuset",
                                             "freezer", "devices", "blkio", "systemd"};
#define NV1 (sizeof v1_controllers / sizeof v1_controllers[0])

static bool is_fs(const char *path, long magic) {
    struct statfs fs;
    return statfs(path, &fs) == 0 && (long)fs.f_type == magic;
}
static bool unified(void) { return is_fs(BASE, CGROUP2_SUPER_MAGIC); }

// The directories of all hierarchies that are there, one after the other; *at is 0 before the first.
static bool next_hierarchy(size_t *at, char *dir, size_t size) {
    if (*at == 0 && unified()) {
        snprintf(dir, size, "%s", BASE);
        *at = NV1;
        return true;
    }
    while (*at < NV1) {
        snprintf(dir, size, "%s/%s", BASE, v1_controllers[(*at)++]);
        if (is_fs(dir, CGROUP_SUPER_MAGIC))
            return true;
    }
    return false;
}

static int put(const char *dir, const char *file, const char *text) {
    char path[PATH_SIZE + 64];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    int fd cleanup_close = open(path, O_WRONLY | O_CLOEXEC);
    size_t n = strlen(text);
    return fd >= 0 && write(fd, text, n) == (ssize_t)n ? 0 : -errno;
}
static bool get(const char *dir, const char *file, char *text, size_t size) {
    char path[PATH_SIZE + 64];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    int fd cleanup_close = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    if (n < 0)
        return false;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return true;
}

// ---- Making and removing ----------------------------------------------------------------------------------
// What a cgroup needs from its parent before it can be used: v1's cpuset is born empty, v2's controllers are
// off.
static void inherit(const char *parent, const char *dir) {
    static const char *const sets[] = {"cpuset.cpus", "cpuset.mems"};
    static const char *const on[] = {"+memory", "+pids", "+cpu", "+cpuset", "+io"};
    char text[1024];
    bool two = unified();
    for (size_t i = 0; !two && i < 2; i++)
        if (get(dir, sets[i], text, sizeof text) && !*text && get(parent, sets[i], text, sizeof text))
            put(dir, sets[i], text);
    for (size_t i = 0; two && i < sizeof on / sizeof on[0]; i++)
        put(parent, "cgroup.subtree_control", on[i]);
}

static int make_in(const char *base, const char *path) {
    char dir[PATH_SIZE], parent[PATH_SIZE];
    int n = snprintf(dir, sizeof dir, "%s%s", base, path);
    if (n < 0 || (size_t)n >= sizeof dir)
        return -ENAMETOOLONG;
    for (char *p = dir + strlen(base) + 1;; *p++ = '/') {
        p += strcspn(p, "/");
        bool last = !*p;
        *p = '\0';
        if (mkdir(dir, 0755) < 0 && errno != EEXIST)
            return -errno;
        snprintf(parent, sizeof parent, "%s", dir);
        *strrchr(parent, '/') = '\0';
        inherit(parent, dir);
        if (last)
            return 0;
    }
}

static char *name_of(const char *wanted, const char *id) {
    char *name = NULL;
    if (!wanted)
        return asprintf(&name, "/picket/%s", id) < 0 ? NULL : name;
    return asprintf(&name, "%s%s", wanted[0] == '/' ? "" : "/", wanted) < 0 ? NULL : name;
}

static bool sound(const char *path) {
    for (const char *p = path; *p; p += strcspn(p, "/"), p += *p == '/') {
        size_t n = strcspn(p, "/");
        if ((n == 2 && !strncmp(p, "..", 2)) || (n == 1 && *p == '.'))
            return false;
    }
    return strlen(path) < PATH_SIZE / 2 && path[0] == '/' && path[1];
}

char *cgroup_name(const char *wanted, const char *id, struct error *e) {
    if (wanted && strchr(wanted, ':')) {
        error_set(e,
                  "config.json: linux.cgroupsPath: '%s' is systemd's, which is not supported: use the "
                  "cgroupfs manager",
                  wanted);
        return NULL;
    }
    char *name = name_of(wanted, id);
    if (name && sound(name))
        return name;
    free(name);
    error_set(e, "config.json: linux.cgroupsPath: cannot be used");
    return NULL;
}

int cgroup_make(const struct oci *o, const char *wanted, const char *id, char **path, struct error *e) {
    char dir[PATH_SIZE];
    *path = NULL;
    char *name cleanup_free = cgroup_name(wanted, id, e);
    if (!name)
        return -1;
    for (size_t at = 0; next_hierarchy(&at, dir, sizeof dir);) {
        int err = make_in(dir, name);
        if (err == 0)
            continue;
        struct error unused;
        cgroup_remove(name, &unused);
        if (geteuid() != 0 || o->rootless || err == -EROFS || err == -EACCES || err == -EPERM) {
            if (wanted)
                oci_warn(o, "cgroup %s%s: %s: there is none for this container", dir, name, strerror(-err));
            return 0;
        }
        return error_errno(e, -err, "cgroup %s%s", dir, name);
    }
    size_t first = 0;
    *path = next_hierarchy(&first, dir, sizeof dir) ? take_ptr(name) : NULL;
    return 0;
}

int cgroup_add(const char *path, pid_t pid, struct error *e) {
    char base[PATH_SIZE / 2], dir[PATH_SIZE], text[16];
    snprintf(text, sizeof text, "%d", (int)pid);
    for (size_t at = 0; path && next_hierarchy(&at, base, sizeof base);) {
        snprintf(dir, sizeof dir, "%s%s", base, path);
        int err = put(dir, "cgroup.procs", text);
        if (err < 0)
            return error_errno(e, -err, "cgroup %s: adding a process", dir);
    }
    return 0;
}

static void kill_all(const char *dir) {
    char path[PATH_SIZE + 64];
    snprintf(path, sizeof path, "%s/cgroup.procs", dir);
    FILE *f = fopen(path, "re");
    int pid;
    while (f && fscanf(f, "%d", &pid) == 1)
        if (pid > 1)
            kill(pid, SIGKILL);
    if (f)
        fclose(f);
}

// Processes that were killed leave a cgroup a moment later.
static int remove_dir(const char *dir) {
    for (int i = 0; rmdir(dir) < 0; i++) {
        if (errno == ENOENT)
            return 0;
        if (errno != EBUSY || i == ATTEMPTS)
            return -errno;
        kill_all(dir);
        usleep(10000);
    }
    return 0;
}

int cgroup_remove(const char *path, struct error *e) {
    char base[PATH_SIZE / 2], dir[PATH_SIZE];
    struct error unused;
    if (!path)
        return 0;
    cgroup_freeze(path, false, &unused);
    for (size_t at = 0; next_hierarchy(&at, base, sizeof base);) {
        snprintf(dir, sizeof dir, "%s%s", base, path);
        int err = remove_dir(dir);
        if (err < 0)
            return error_errno(e, -err, "cgroup %s", dir);
        snprintf(dir, sizeof dir, "%s/picket", base);
        if (!strncmp(path, "/picket/", 8))
            rmdir(dir);  // when this was the last one
    }
    return 0;
}

// ---- Freezing ---------------------------------------------------------------------------------------------
// A stub whose call is held waits so that only its end can wake it, and the kernel never counts that as
// frozen; it runs nothing. So "FREEZING" is enough, when there was time for all others.
int cgroup_freeze(const char *path, bool on, struct error *e) {
    char dir[PATH_SIZE], text[256] = "";
    bool two = unified();
    snprintf(dir, sizeof dir, "%s%s", two ? BASE : BASE "/freezer", path);
    int err =
        two ? put(dir, "cgroup.freeze", on ? "1" : "0") : put(dir, "freezer.state", on ? "FROZEN" : "THAWED");
    if (err < 0)
        return error_errno(e, -err, "cgroup %s: %s", dir, on ? "freezing" : "thawing");
    for (int i = 0; !two && i < FREEZE_ATTEMPTS; i++) {
        if (!get(dir, "freezer.state", text, sizeof text) || !strcmp(text, on ? "FROZEN" : "THAWED"))
            break;
        usleep(10000);
    }
    return 0;
}

// ---- Limits -----------------------------------------------------------------------------------------------
static void plain(char *buf, size_t size, int64_t v, bool two) {
    snprintf(buf, size, v < 0 && two ? "max" : "%lld", (long long)v);
}
static void weight(char *buf, size_t size, int64_t v, bool two) {
    if (two && v >= 2)
        v = 1 + ((v < 262144 ? v : 262144) - 2) * 9999 / 262142;
    snprintf(buf, size, "%lld", (long long)v);
}

// The sentry keeps the limit; what the kernel keeps is beyond it, so that it ends nobody of its own choice.
static int64_t with_ours(int64_t limit, int64_t ours) {
    return limit > 0 && limit < INT64_MAX - ours ? limit + ours : limit;
}

static const struct number {
    const char *field, *controller, *v1, *v2;
    void (*format)(char *buf, size_t size, int64_t v, bool two);
    int64_t ours;  // what Picket's own processes may have on top of the limit
} numbers[] = {
    {"memory.limit", "memory", "memory.limit_in_bytes", "memory.max", plain, CGROUP_OUR_MEMORY},
    {"memory.reservation", "memory", "memory.soft_limit_in_bytes", "memory.low", plain},
    {"cpu.shares", "cpu", "cpu.shares", "cpu.weight", weight},
    {"cpu.period", "cpu", "cpu.cfs_period_us", NULL, plain},
    {"cpu.quota", "cpu", "cpu.cfs_quota_us", NULL, plain},
    {"pids.limit", "pids", "pids.max", "pids.max", plain, CGROUP_OUR_PIDS},
};

static void file_dir(char *dir, size_t size, const char *controller, const char *path) {
    if (unified())
        snprintf(dir, size, BASE "%s", path);
    else
        snprintf(dir, size, BASE "/%s%s", controller, path);
}

static int write_limit(const char *path, const char *controller, const char *file, const char *field,
                       const char *text, struct error *e) {
    char dir[PATH_SIZE];
    file_dir(dir, sizeof dir, controller, path);
    int err = put(dir, file, text);
    return err == 0 ? 0 : error_errno(e, -err, "linux.resources.%s: %s/%s", field, dir, file);
}

// -1 of pids on v1 is "max" too
static int apply_number(const char *path, json_t *resources, const struct number *n, struct error *e) {
    int64_t v = 0;
    char text[32];
    bool two = unified();
    const char *file = two ? n->v2 : n->v1;
    if (!json_whole(config_get(resources, n->field), &v) || v == 0 || !file)
        return 0;
    v = with_ours(v, n->ours);
    n->format(text, sizeof text, v, two || !strcmp(n->controller, "pids"));
    return write_limit(path, n->controller, file, n->field, text, e);
}

static int apply_text(const char *path, json_t *resources, const char *field, const char *file,
                      struct error *e) {
    const char *text = json_string_value(config_get(resources, field));
    return text && *text ? write_limit(path, "cpuset", file, field, text, e) : 0;
}

// v1 has memory and swap together, and its limit is never below the other; v2 has swap alone.
static int apply_swap(const char *path, json_t *resources, struct error *e) {
    int64_t swap = 0, limit = 0;
    char text[32];
    if (!json_whole(config_get(resources, "memory.swap"), &swap) || swap == 0)
        return 0;
    json_whole(config_get(resources, "memory.limit"), &limit);
    if (swap > 0 && limit > swap)
        return error_set(e, "linux.resources.memory.swap: is below the limit of memory");
    if (!unified() && access(BASE "/memory/memory.memsw.limit_in_bytes", F_OK) < 0)
        return 0;  // a kernel without that
    int64_t alone = limit > 0 ? swap - limit : swap;
    plain(text, sizeof text, unified() && swap > 0 ? alone : with_ours(swap, CGROUP_OUR_MEMORY), unified());
    return write_limit(path, "memory", unified() ? "memory.swap.max" : "memory.memsw.limit_in_bytes",
                       "memory.swap", text, e);
}

static int apply_cpu_max(const char *path, json_t *resources, struct error *e) {
    int64_t quota = 0, period = 0;
    char text[64];
    json_whole(config_get(resources, "cpu.quota"), &quota);
    json_whole(config_get(resources, "cpu.period"), &period);
    if (!unified() || (quota == 0 && period == 0))
        return 0;
    if (quota > 0)
        snprintf(text, sizeof text, "%lld %lld", (long long)quota, (long long)(period ? period : 100000));
    else
        snprintf(text, sizeof text, "max %lld", (long long)(period ? period : 100000));
    return write_limit(path, "cpu", "cpu.max", "cpu.quota", text, e);
}

static int apply_unified(const char *path, json_t *resources, struct error *e) {
    json_t *map = config_get(resources, "unified"), *v;
    const char *file;
    json_object_foreach(map, file, v) {
        if (!unified())
            return error_set(e, "linux.resources.unified: this machine has cgroups v1");
        if (strchr(file, '/') || !strchr(file, '.') || !strncmp(file, "cgroup.", 7))
            return error_set(e, "linux.resources.unified: '%.64s' is no file of a controller", file);
        if (write_limit(path, "", file, "unified", json_string_value(v), e) < 0)
            return -1;
    }
    return 0;
}

// A limit of memory that is raised past swap's, or lowered, may need the other one first: the kernel refuses
// the wrong order, so the second attempt is the right one.
static int apply_memory(const char *path, json_t *resources, struct error *e) {
    if (apply_number(path, resources, &numbers[0], e) == 0)
        return apply_swap(path, resources, e);
    if (apply_swap(path, resources, e) < 0)
        return -1;
    return apply_number(path, resources, &numbers[0], e);
}

int cgroup_apply(const struct oci *o, const char *path, json_t *resources, struct error *e) {
    if (!path) {
        static const char *const limits[] = {"memory.limit", "cpu.quota", "pids.limit"};
        for (size_t i = 0; i < 3; i++) {
            int64_t v = 0;
            if (json_whole(config_get(resources, limits[i]), &v) && v > 0)
                oci_warn(o, "linux.resources.%s: not applied: there is no cgroup", limits[i]);
        }
        return 0;
    }
    if (apply_memory(path, resources, e) < 0)
        return -1;
    for (size_t i = 1; i < sizeof numbers / sizeof numbers[0]; i++)
        if (apply_number(path, resources, &numbers[i], e) < 0)
            return -1;
    if (apply_text(path, resources, "cpu.cpus", "cpuset.cpus", e) < 0 ||
        apply_text(path, resources, "cpu.mems", "cpuset.mems", e) < 0 ||
        apply_cpu_max(path, resources, e) < 0)
        return -1;
    return apply_unified(path, resources, e);
}

bool cgroup_number(const char *path, const char *controller, const char *v1, const char *v2,
                   uint64_t *value) {
    char dir[PATH_SIZE], text[64];
    bool two = unified();
    file_dir(dir, sizeof dir, controller, path);
    if (!(two ? v2 : v1) || !get(dir, two ? v2 : v1, text, sizeof text))
        return false;
    *value = !strncmp(text, "max", 3) ? UINT64_MAX : strtoull(text, NULL, 10);
    return true;
}

// ---- Out of memory ----------------------------------------------------------------------------------------
uint64_t cgroup_oom_kills(const char *path) {
    char dir[PATH_SIZE], file[PATH_SIZE + 64], key[64];
    unsigned long long v, kills = 0;
    file_dir(dir, sizeof dir, "memory", path);
    snprintf(file, sizeof file, "%s/%s", dir, unified() ? "memory.events" : "memory.oom_control");
    FILE *f = fopen(file, "re");
    while (f && fscanf(f, "%63s %llu", key, &v) == 2)
        if (!strcmp(key, "oom_kill"))
            kills = v;
    if (f)
        fclose(f);
    return kills;
}

// Touches memory until the kernel ends it, before anybody else.
static _Noreturn void be_victim(int go, size_t bytes) {
    char byte;
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "1000", 4) != 4 || read(go, &byte, 1) != 1)
        _exit(1);
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (size_t i = 0; p != MAP_FAILED && i < bytes; i += 4096)
        ((volatile char *)p)[i] = 1;
    _exit(0);
}

void cgroup_tell_oom(const char *path) {
    char dir[PATH_SIZE], text[32];
    uint64_t used;
    int go[2], status;
    file_dir(dir, sizeof dir, "memory", path);
    if (!cgroup_number(path, "memory", "memory.usage_in_bytes", "memory.current", &used) ||
        pipe2(go, O_CLOEXEC) < 0)
        return;
    pid_t pid = fork();
    if (pid == 0)
        be_victim(go[0], used + VICTIM_BYTES);  // (what is used may be files' pages, which give way)
    put(dir, unified() ? "memory.swap.max" : "memory.swappiness", "0");
    snprintf(text, sizeof text, "%llu", (unsigned long long)used + VICTIM_BYTES / 4);
    bool limited = put(dir, unified() ? "memory.max" : "memory.limit_in_bytes", text) == 0;
    if (pid > 0 && (!limited || write(go[1], "", 1) != 1))
        kill(pid, SIGKILL);
    close(go[0]);
    close(go[1]);
    if (pid > 0)
        waitpid(pid, &status, 0);
}
