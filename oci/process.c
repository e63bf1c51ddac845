// SPDX-License-Identifier: Apache-2.0
// config.json's "process", and exec's; see config.h. Types have been checked by fields.c; here are values.
#include "abi/caps.h"
#include "base/fault.h"
#include "oci/config.h"
#include "oci/fields.h"
#include "oci/json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 65536u

struct reader {
    const struct oci *o;
    const char *file, *at;  // for messages: "config.json", "process"
    struct error *e;
};

json_t *config_get(json_t *j, const char *path) {
    while (j && *path) {
        size_t n = strcspn(path, ".");
        j = json_object_getn(j, path, n);
        path += n + (path[n] == '.');
    }
    return json_is_null(j) ? NULL : j;
}

static int bad(const struct reader *r, const char *field, const char *why) {
    return error_set(r->e, "%s: %s.%s: %s", r->file, r->at, field, why);
}

// 0 when it is not there.
static int number(const struct reader *r, json_t *j, const char *field, int64_t least, int64_t most,
                  int64_t *out) {
    json_t *v = config_get(j, field);
    *out = 0;
    if (!v)
        return 0;
    if (!json_whole(v, out) || *out < least || *out > most)
        return bad(r, field, "is out of range");
    return 0;
}

// A vector that ends with NULL, its strings borrowed; owned by the caller.
static int strings(const struct reader *r, json_t *j, const char *field, char ***out) {
    json_t *list = config_get(j, field);
    size_t n = json_array_size(list);
    if (n > CONFIG_STRINGS_MAX)
        return bad(r, field, "has too many elements");
    char **v = *out = xcalloc(n + 1, sizeof *v);
    if (!v)
        return bad(r, field, "no memory");
    for (size_t i = 0; i < n; i++)
        v[i] = (char *)json_string_value(json_array_get(list, i));
    return 0;
}

static int read_user(const struct reader *r, json_t *j, struct sentry_process *p) {
    int64_t uid, gid, umask;
    if (number(r, j, "user.uid", 0, UINT32_MAX - 1, &uid) < 0 ||
        number(r, j, "user.gid", 0, UINT32_MAX - 1, &gid) < 0 ||
        number(r, j, "user.umask", 0, 0777, &umask) < 0)
        return -1;
    p->uid = (uint32_t)uid;
    p->gid = (uint32_t)gid;
    p->umask = config_get(j, "user.umask") ? (uint32_t)umask : 022;
    json_t *list = config_get(j, "user.additionalGids");
    size_t n = json_array_size(list);
    if (n > GROUPS_MAX)
        return bad(r, "user.additionalGids", "has too many elements");
    uint32_t *groups = xcalloc(n + 1, sizeof *groups);
    p->groups = groups;
    for (size_t i = 0; groups && i < n; i++) {
        int64_t v;
        if (!json_whole(json_array_get(list, i), &v) || v < 0 || v >= UINT32_MAX)
            return bad(r, "user.additionalGids", "a number is out of range");
        groups[p->ngroups++] = (uint32_t)v;
    }
    return groups ? 0 : bad(r, "user.additionalGids", "no memory");
}

// ---- Capabilities and limits ------------------------------------------------------------------------------
static const char *const cap_names[] = {"CHOWN",
                                        "DAC_OVERRIDE",
                                        "DAC_READ_SEARCH",
                                        "FOWNER",
                                        "FSETID",
                                        "KILL",
                                        "SETGID",
                                        "SETUID",
                                        "SETPCAP",
                                        "LINUX_IMMUTABLE",
                                        "NET_BIND_SERVICE",
                                        "NET_BROADCAST",
                                        "NET_ADMIN",
                                        "NET_RAW",
                                        "IPC_LOCK",
                                        "IPC_OWNER",
                                        "SYS_MODULE",
                                        "SYS_RAWIO",
                                        "SYS_CHROOT",
                                        "SYS_PTRACE",
                                        "SYS_PACCT",
                                        "SYS_ADMIN",
                                        "SYS_BOOT",
                                        "SYS_NICE",
                                        "SYS_RESOURCE",
                                        "SYS_TIME",
                                        "SYS_TTY_CONFIG",
                                        "MKNOD",
                                        "LEASE",
                                        "AUDIT_WRITE",
                                        "AUDIT_CONTROL",
                                        "SETFCAP",
                                        "MAC_OVERRIDE",
                                        "MAC_ADMIN",
                                        "SYSLOG",
                                        "WAKE_ALARM",
                                        "BLOCK_SUSPEND",
                                        "AUDIT_READ",
                                        "PERFMON",
                                        "BPF",
                                        "CHECKPOINT_RESTORE"};
_Static_assert(sizeof cap_names / sizeof cap_names[0] == LINUX_CAP_LAST_CAP + 1, "a name for each");

// A name that nobody knows is a warning, as the specification wants it.
static uint64_t cap_bit(const struct reader *r, const char *name) {
    for (unsigned i = 0; i <= LINUX_CAP_LAST_CAP; i++)
        if (!strncmp(name, "CAP_", 4) && !strcmp(name + 4, cap_names[i]))
            return LINUX_CAP_BIT(i);
    oci_warn(r->o, "%s: %s.capabilities: %.64s is not known", r->file, r->at, name);
    return 0;
}

static void read_caps(const struct reader *r, json_t *j, struct sentry_process *p) {
    static const char *const sets[] = {[SENTRY_CAP_EFFECTIVE] = "effective",
                                       [SENTRY_CAP_PERMITTED] = "permitted",
                                       [SENTRY_CAP_INHERITABLE] = "inheritable",
                                       [SENTRY_CAP_BOUNDING] = "bounding",
                                       [SENTRY_CAP_AMBIENT] = "ambient"};
    json_t *caps = config_get(j, "capabilities");
    p->has_caps = true;
    for (unsigned s = 0; s < SENTRY_NCAPS; s++) {
        size_t i;
        json_t *name;
        json_array_foreach(config_get(caps, sets[s]), i, name)
            p->caps[s] |= cap_bit(r, json_string_value(name));
    }
}

static const char *const limit_names[] = {"CPU",      "FSIZE",  "DATA",    "STACK", "CORE",  "RSS",
                                          "NPROC",    "NOFILE", "MEMLOCK", "AS",    "LOCKS", "SIGPENDING",
                                          "MSGQUEUE", "NICE",   "RTPRIO",  "RTTIME"};

static uint64_t limit_value(json_t *j, const char *key) {
    int64_t v;
    json_whole(json_object_get(j, key), &v);
    return v < 0 || v == INT64_MAX ? UINT64_MAX : (uint64_t)v;
}

static int read_limit(const struct reader *r, json_t *j, struct sentry_process *p) {
    const char *type = json_string_value(json_object_get(j, "type"));
    for (unsigned i = 0; type && i < SENTRY_NLIMITS; i++) {
        if (strncmp(type, "RLIMIT_", 7) != 0 || strcmp(type + 7, limit_names[i]) != 0)
            continue;
        if (p->limits_set >> i & 1)
            return error_set(r->e, "%s: %s.rlimits: %s is there twice", r->file, r->at, type);
        p->limits_set |= 1u << i;
        p->limits[i].cur = limit_value(j, "soft");
        p->limits[i].max = limit_value(j, "hard");
        if (p->limits[i].cur > p->limits[i].max)
            return error_set(r->e, "%s: %s.rlimits: %s: soft is above hard", r->file, r->at, type);
        return 0;
    }
    return error_set(r->e, "%s: %s.rlimits: '%.64s' is no limit", r->file, r->at, type ? type : "");
}

static int read_limits(const struct reader *r, json_t *j, struct sentry_process *p) {
    size_t i;
    json_t *v;
    json_array_foreach(config_get(j, "rlimits"), i, v)
        if (read_limit(r, v, p) < 0)
            return -1;
    return 0;
}

// ---- All of it --------------------------------------------------------------------------------------------
static int read_terminal(const struct reader *r, json_t *j, struct process_config *p) {
    int64_t rows, cols;
    p->terminal = json_is_true(config_get(j, "terminal"));
    if (number(r, j, "consoleSize.height", 0, 0xffff, &rows) < 0 ||
        number(r, j, "consoleSize.width", 0, 0xffff, &cols) < 0)
        return -1;
    p->rows = (unsigned)rows;
    p->cols = (unsigned)cols;
    return 0;
}

static int read_vectors(const struct reader *r, json_t *j, struct sentry_process *p) {
    char **argv, **envp;
    if (strings(r, j, "args", &argv) < 0)
        return -1;
    p->argv = argv;
    if (!argv[0])
        return bad(r, "args", "is empty: there is no program to run");
    if (strings(r, j, "env", &envp) < 0)
        return -1;
    p->envp = envp;
    return 0;
}

int process_parse(const struct oci *o, json_t *j, const char *file, const char *at, struct process_config *p,
                  struct error *e) {
    const struct reader r = {o, file, at, e};
    struct sentry_process *what = &p->what;
    int64_t adj;
    *p = (struct process_config){.what.cwd_wanted = true, .what.cwd_made = true};
    const char *cwd = json_string_value(config_get(j, "cwd"));
    what->cwd = cwd;
    what->no_new_privs = json_is_true(config_get(j, "noNewPrivileges"));
    if (!cwd || cwd[0] != '/')
        return bad(&r, "cwd", "is not an absolute path");
    if (number(&r, j, "oomScoreAdj", -1000, 1000, &adj) < 0)
        return -1;
    what->oom_score_adj = (int32_t)adj;
    read_caps(&r, j, what);
    if (read_vectors(&r, j, what) < 0 || read_user(&r, j, what) < 0 || read_limits(&r, j, what) < 0)
        return -1;
    return read_terminal(&r, j, p);
}

int process_add_listens(struct process_config *p, unsigned fds, struct error *e) {
    size_t n = 0, kept = 0;
    while (p->what.envp[n])
        n++;
    char **envp = xcalloc(n + 3, sizeof *envp);
    if (!envp)
        return error_set(e, "no memory");
    for (size_t i = 0; i < n; i++)
        if (strncmp(p->what.envp[i], "LISTEN_FDS=", 11) != 0 &&
            strncmp(p->what.envp[i], "LISTEN_PID=", 11) != 0)
            envp[kept++] = p->what.envp[i];
    snprintf(p->listens, sizeof p->listens, "LISTEN_FDS=%u", fds);
    envp[kept++] = p->listens;
    envp[kept] = (char *)"LISTEN_PID=1";
    free((void *)p->what.envp);
    p->what.envp = envp;
    return 0;
}

void process_free(struct process_config *p) {
    free((void *)p->what.argv);
    free((void *)p->what.envp);
    free((void *)p->what.groups);
    free(p->home);
    *p = (struct process_config){0};
}
