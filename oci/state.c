// SPDX-License-Identifier: Apache-2.0
// See state.h. The lock is flock(2) on the directory itself: it goes with its holder, however that ends. A
// directory without state.json and lock is what a `create` that was killed has left; the next one takes it.
#include "oci/state.h"
#include "base/cleanup.h"
#include "oci/cgroup.h"
#include "oci/json.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VERSION  1
#define MAKE_ATTEMPTS 100  // times 10 ms
#define PATIENCE 9000  // ms
static const char *const files[] = {"state.json", "state.json.new", "config.json", "control",
                                    "log",        "cgroup",         "net.json",    "net.taken"};

static const char *const names[] = {[CREATING] = "creating",
                                    [CREATED] = "created",
                                    [RUNNING] = "running",
                                    [PAUSED] = "paused",
                                    [STOPPED] = "stopped"};
const char *status_name(enum status s) { return names[s]; }

// ---- Processes --------------------------------------------------------------------------------------------
uint64_t process_start_time(pid_t pid) {
    char path[32], text[1024], state;
    unsigned long long start;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd cleanup_close = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    const char *behind_name = strrchr(text, ')');
    if (!behind_name ||
        sscanf(behind_name,
               ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &state,
               &start) != 2)
        return 0;
    return state == 'Z' || state == 'X' ? 0 : start;
}

void container_check(struct container *c) {
    if (c->pid > 0 && process_start_time(c->pid) == c->pid_start)
        return;
    if (c->status != STOPPED && c->pid > 0) {  // it could not note its end
        snprintf(c->cause, sizeof c->cause, "host");
        c->wait_status = 9;
        c->died = true;
    }
    c->pid = 0;
    c->status = STOPPED;
}

// ---- state.json -------------------------------------------------------------------------------------------
static json_t *to_json(const struct container *c) {
    json_t *j =
        json_pack("{si ss ss ss si sI si ss ss ss ss si}", "version", VERSION, "ociVersion", OCI_SPEC_VERSION,
                  "id", c->id, "status", status_name(c->status), "pid", (int)c->pid, "pidStart",
                  (json_int_t)c->pid_start, "waitStatus", c->wait_status, "cause", c->cause, "bundle",
                  c->bundle, "rootfs", c->rootfs, "created", c->created, "uid", (int)c->uid);
    if (!j || (c->cgroup && json_object_set_new(j, "cgroup", json_string(c->cgroup)) < 0) ||
        (c->annotations && json_object_set(j, "annotations", c->annotations) < 0) ||
        (c->result && json_object_set(j, "result", c->result) < 0)) {
        json_decref(j);
        return NULL;
    }
    return j;
}

int container_save(const struct container *c, struct error *e) {
    json_t *j = to_json(c);
    char *text cleanup_free = j ? json_dumps(j, JSON_INDENT(1)) : NULL;
    json_decref(j);
    if (!text)
        return error_set(e, "container %s: its state cannot be written: a path that is no UTF-8", c->id);
    int fd cleanup_close =
        openat(c->dir, "state.json.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t n = strlen(text);
    if (fd < 0 || !write_whole(fd, text, n) || renameat(c->dir, "state.json.new", c->dir, "state.json") < 0)
        return error_errno(e, errno ? errno : ENOSPC, "container %s: writing state.json", c->id);
    return 0;
}

static char *copy(json_t *j, const char *key) {
    const char *text = json_string_value(json_object_get(j, key));
    return text ? strdup(text) : NULL;
}
static bool in_range(json_t *j, const char *key, json_int_t most, json_int_t *out) {
    json_t *v = json_object_get(j, key);
    *out = json_integer_value(v);
    return json_is_integer(v) && *out >= 0 && *out <= most;
}
static bool short_text(json_t *j, const char *key, char *buf, size_t size) {
    const char *text = json_string_value(json_object_get(j, key));
    return text && (size_t)snprintf(buf, size, "%s", text) < size;
}

static int from_json(struct container *c, json_t *j, struct error *e) {
    json_int_t version, pid, start, status, uid;
    char word[16] = "";
    if (!in_range(j, "version", INT64_MAX, &version) || version != VERSION)
        return error_set(e, "container %s: state.json is of another version of picket", c->id);
    c->bundle = copy(j, "bundle");
    c->rootfs = copy(j, "rootfs");
    c->cgroup = copy(j, "cgroup");
    c->annotations = json_incref(json_object_get(j, "annotations"));
    c->result = json_incref(json_object_get(j, "result"));
    if (!c->bundle || !c->rootfs || !in_range(j, "pid", INT32_MAX, &pid) ||
        !in_range(j, "pidStart", INT64_MAX, &start) || !in_range(j, "waitStatus", 0xffff, &status) ||
        !in_range(j, "uid", UINT32_MAX, &uid) || !short_text(j, "status", word, sizeof word) ||
        !short_text(j, "cause", c->cause, sizeof c->cause) ||
        !short_text(j, "created", c->created, sizeof c->created) ||
        (c->annotations && !json_is_object(c->annotations)) || (c->result && !json_is_object(c->result)))
        return error_set(e, "container %s: state.json is damaged", c->id);
    c->pid = (pid_t)pid;
    c->pid_start = (uint64_t)start;
    c->wait_status = (int)status;
    c->uid = (unsigned)uid;
    for (unsigned s = 0; s < sizeof names / sizeof names[0]; s++)
        if (!strcmp(names[s], word)) {
            c->status = (enum status)s;
            return 0;
        }
    return error_set(e, "container %s: state.json is damaged: status '%s'", c->id, word);
}

int container_shown_pid(const struct container *c) { return c->status == STOPPED ? 0 : (int)c->pid; }

char *container_state_json(const struct container *c, bool pretty) {
    json_t *j = json_pack("{ss ss ss si ss ss ss ss}", "ociVersion", OCI_SPEC_VERSION, "id", c->id, "status",
                          status_name(c->status), "pid", container_shown_pid(c), "bundle", c->bundle,
                          "rootfs", c->rootfs, "created", c->created, "owner", c->uid ? "" : "root");
    if (j && c->annotations && json_object_size(c->annotations))
        json_object_set(j, "annotations", c->annotations);
    char *text = j ? json_dumps(j, pretty ? JSON_INDENT(2) : JSON_COMPACT) : NULL;
    json_decref(j);
    return text;
}

// Where nobody could tell more: what the state has.
static json_t *result_of(const struct container *c) {
    int status = c->wait_status;
    bool signaled = WIFSIGNALED(status);
    if (c->result)
        return json_incref(c->result);
    return json_pack("{si si ss}", "exit", signaled ? 128 + WTERMSIG(status) : WEXITSTATUS(status), "signal",
                     signaled ? WTERMSIG(status) : 0, "cause", c->cause);
}

char *container_result_json(const struct container *c) {
    json_t *result = result_of(c), *j = json_pack("{ss}", "id", c->id);
    char *line = NULL;
    if (result && j && json_object_update(j, result) == 0)
        line = json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(j);
    json_decref(result);
    return line;
}

// ---- Directories ------------------------------------------------------------------------------------------
static void forget(struct container *c) {
    free(take_ptr(c->bundle));
    free(take_ptr(c->rootfs));
    free(take_ptr(c->cgroup));
    json_decref(take_ptr(c->annotations));
    json_decref(take_ptr(c->result));
}

void container_close(struct container *c) {
    if (c->dir >= 0)
        close(c->dir);
    forget(c);
    *c = (struct container){.dir = -1};
}

static int open_root(const struct oci *o, bool make, struct error *e) {
    char *path cleanup_free = strdup(o->root);
    for (char *p = path ? path + 1 : NULL; make && p && (p = strchr(p, '/')); *p++ = '/') {
        *p = '\0';
        mkdir(path, 0755);  // what is wrong is told below
    }
    if (make && mkdir(o->root, 0700) < 0 && errno != EEXIST)
        return error_errno(e, errno, "--root %s", o->root);
    int fd = open(o->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? error_errno(e, errno, "--root %s", o->root) : fd;
}

// Waits so many ms at most. False: somebody else has it.
static bool lock_dir(int dir, int patience) {
    for (int i = 0; flock(dir, LOCK_EX | LOCK_NB) < 0; i++) {
        if (i >= patience / 10)
            return false;
        usleep(10000);
    }
    return true;
}

// Is the directory still the one of that name? It may have been removed while we waited for it.
static bool still_there(int root, const char *id, int dir) {
    struct stat a, b;
    return fstat(dir, &a) == 0 && fstatat(root, id, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static int unknown(const char *id, struct error *e) {
    return error_set(e, "container \"%s\" does not exist", id);
}

static void start_container(struct container *c, const char *id) {
    *c = (struct container){.dir = -1, .uid = geteuid()};
    snprintf(c->id, sizeof c->id, "%s", id);
}

int container_note_cgroup(const struct container *c, const char *name, struct error *e) {
    int fd cleanup_close =
        openat(c->dir, "cgroup", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t n = strlen(name);
    if (fd < 0 || !write_whole(fd, name, n))
        return error_errno(e, errno, "container %s: writing", c->id);
    return 0;
}

// That of a `create` that was killed.
static void remove_noted_cgroup(int dir) {
    char name[PATH_MAX];
    struct error unused;
    int fd cleanup_close = openat(dir, "cgroup", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof name - 1);
    if (n <= 0)
        return;
    name[n] = '\0';
    cgroup_remove(name, &unused);
}

// The directory, locked, with no state in it: 0 or -errno. A look for remains (`list`) may have it for a
// moment before we do, and take it away.
static int make_dir(int root, const char *id, struct container *c) {
    for (int i = 0; i < MAKE_ATTEMPTS; i++) {
        if (mkdirat(root, id, 0700) < 0 && errno != EEXIST)
            return -errno;
        c->dir = openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (c->dir < 0 && errno != ENOENT)
            return -errno;
        bool made = c->dir >= 0 && faccessat(c->dir, "state.json", F_OK, 0) == 0;
        if (c->dir >= 0 && !made && lock_dir(c->dir, 0) && still_there(root, id, c->dir) &&
            faccessat(c->dir, "state.json", F_OK, 0) < 0)
            return 0;
        if (c->dir >= 0)
            close(c->dir);
        c->dir = -1;
        if (made)
            break;
        usleep(10000);
    }
    return -EEXIST;
}

int container_create(const struct oci *o, const char *id, struct container *c, struct error *e) {
    start_container(c, id);
    if (oci_check_id(id, e) < 0)
        return -1;
    int root cleanup_close = open_root(o, true, e);
    if (root < 0)
        return -1;
    int err = make_dir(root, id, c);
    if (err < 0 && err != -EEXIST)
        return error_errno(e, -err, "%s/%s", o->root, id);
    if (err < 0)
        return error_set(e, "container with id \"%s\" already exists", id);
    remove_noted_cgroup(c->dir);
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(c->created, sizeof c->created, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(c->created + n, sizeof c->created - n, ".%09ldZ", now.tv_nsec);
    return 0;
}

static int read_state(struct container *c, struct error *e) {
    json_t *j = json_read_file(c->dir, "state.json", e);
    int err = j ? from_json(c, j, e) : -1;
    json_decref(j);
    c->died = false;
    if (err == 0)
        container_check(c);
    return err;
}

// A patience below 0: without the lock.
static int load(const struct oci *o, int root, const char *id, int patience, struct container *c,
                struct error *e) {
    c->dir = openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (c->dir < 0)
        return errno == ENOENT ? unknown(id, e) : error_errno(e, errno, "%s/%s", o->root, id);
    if (patience >= 0 && !lock_dir(c->dir, patience))
        return error_set(e, "container \"%s\" is busy: another command has had it for %d seconds", id,
                         patience / 1000);
    if (!still_there(root, id, c->dir))
        return unknown(id, e);
    if (faccessat(c->dir, "state.json", F_OK, 0) < 0)
        return error_set(e, "container \"%s\" does not exist: its creation has not come to an end", id);
    // What says that an init lives which does not may have been read before that noted its end: after its
    // death it is final.
    int err = read_state(c, e);
    if (err == 0 && c->died) {
        forget(c);
        err = read_state(c, e);
    }
    return err;
}

static int find(const struct oci *o, const char *id, int patience, struct container *c, struct error *e) {
    start_container(c, id);
    if (oci_check_id(id, e) < 0)
        return -1;
    int root cleanup_close = open_root(o, false, e);
    if (root < 0)
        return access(o->root, F_OK) < 0 && errno == ENOENT ? unknown(id, e) : -1;
    return load(o, root, id, patience, c, e);
}

int container_load(const struct oci *o, const char *id, bool lock, struct container *c, struct error *e) {
    return find(o, id, lock ? PATIENCE : -1, c, e);
}

int container_load_soon(const struct oci *o, const char *id, int patience, struct container *c,
                        struct error *e) {
    return find(o, id, patience, c, e);
}

int container_remove(const struct oci *o, struct container *c, struct error *e) {
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (unlinkat(c->dir, files[i], 0) < 0 && errno != ENOENT)
            return error_errno(e, errno, "%s/%s/%s", o->root, c->id, files[i]);
    int root cleanup_close = open_root(o, false, e);
    if (root < 0)
        return -1;
    if (unlinkat(root, c->id, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return error_errno(e, errno, "%s/%s", o->root, c->id);
    return 0;
}

void container_remove_remains(const struct oci *o, const char *id) {
    char path[4400];
    struct container c;
    struct error unused;
    snprintf(path, sizeof path, "%s/%s", o->root, id);
    if (oci_check_id(id, &unused) < 0 || access(path, F_OK) < 0)
        return;
    if (container_create(o, id, &c, &unused) == 0)
        container_remove(o, &c, &unused);
    container_close(&c);
}

void container_note_death(const struct oci *o, const char *id) {
    struct container c;
    struct error unused;
    if (container_load(o, id, false, &c, &unused) == 0 && c.died && lock_dir(c.dir, 0))
        container_save(&c, &unused);
    container_close(&c);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

char **container_names(const struct oci *o, struct error *e) {
    size_t n = 0, size = 16;
    char **list = calloc(size, sizeof *list);
    int root = open_root(o, false, e);
    DIR *d = root < 0 ? NULL : fdopendir(root);
    for (struct dirent *entry; list && d && (entry = readdir(d));) {
        struct error unused;
        if (oci_check_id(entry->d_name, &unused) < 0)
            continue;
        char **more = n + 2 > size ? realloc(list, (size *= 2) * sizeof *list) : list;
        char *name = more ? strdup(entry->d_name) : NULL;
        if (!name)
            break;
        list = more;
        list[n++] = name;
        list[n] = NULL;
    }
    if (d)
        closedir(d);
    if (list)
        qsort(list, n, sizeof *list, by_name);
    else
        error_set(e, "no memory");
    return list;
}
