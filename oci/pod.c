// SPDX-License-Identifier: Apache-2.0
// See pod.h.
// LIMIT: containers of a pod have one table of process numbers, as with shareProcessNamespace: each may see
// the others' processes; and processors, time, files and output are limited for the pod as a whole.
#include "oci/pod.h"
#include "abi/seccomp.h"
#include "base/cleanup.h"
#include "oci/control.h"
#include "oci/json.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- Annotations ------------------------------------------------------------------------------------------
static const struct engine {
    const char *type, *sandbox, *memory, *quota, *period;  // NULL: it has none
} engines[] = {
    {"io.kubernetes.cri.container-type", "io.kubernetes.cri.sandbox-id", "io.kubernetes.cri.sandbox-memory",
     "io.kubernetes.cri.sandbox-cpu-quota", "io.kubernetes.cri.sandbox-cpu-period"},
    {"io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri-o.SandboxID", NULL, NULL, NULL},
};
#define NENGINES (sizeof engines / sizeof engines[0])

static const char *text_of(json_t *annotations, const char *key) {
    return key ? json_string_value(json_object_get(annotations, key)) : NULL;
}

static const struct engine *engine_of(json_t *annotations, const char *type) {
    for (size_t i = 0; i < NENGINES; i++) {
        const char *is = text_of(annotations, engines[i].type);
        if (is && !strcmp(is, type))
            return &engines[i];
    }
    return NULL;
}

const char *pod_sandbox(json_t *annotations) {
    const struct engine *k = engine_of(annotations, "container");
    const char *id = k ? text_of(annotations, k->sandbox) : NULL;
    struct error unused;
    return id && oci_check_id(id, &unused) == 0 ? id : NULL;
}

// A number above zero, 0: none.
static int64_t number_of(json_t *annotations, const char *key) {
    const char *text = text_of(annotations, key);
    char *end;
    errno = 0;
    long long v = text ? strtoll(text, &end, 10) : 0;
    return text && *text && !*end && !errno && v > 0 ? v : 0;
}

void pod_limits(json_t *annotations, struct sentry_limits *l) {
    const struct engine *k = engine_of(annotations, "sandbox");
    if (!k)
        return;
    int64_t memory = number_of(annotations, k->memory), quota = number_of(annotations, k->quota);
    int64_t period = number_of(annotations, k->period);
    if (!l->memory)
        l->memory = (uint64_t)memory;
    if (!l->cpus_milli && quota && quota < INT64_MAX / 1000)
        l->cpus_milli = (uint64_t)(quota * 1000 / (period ? period : 100000));
}

// ---- The sandbox ------------------------------------------------------------------------------------------
uint64_t pod_number(const struct container *c) { return c->pid_start << 32 | (uint32_t)c->pid; }

// Whoever is root in one of its containers may look at the files of the others', by /proc/PID/root.
static int same_ids(const struct container *sandbox, const struct config *config, struct error *e) {
    static const char *const lists[] = {"linux.uidMappings", "linux.gidMappings"};
    json_t *its = json_read_file(sandbox->dir, "config.json", e);
    int err = its ? 0 : -1;
    for (int i = 0; i < 2 && err == 0; i++) {
        json_t *a = config_get(its, lists[i]), *b = config_get(config->json, lists[i]);
        if ((json_array_size(a) || json_array_size(b)) && !json_equal(a, b))
            err = error_set(e, "%s: %s: is not that of the pod's sandbox %s", config->file, lists[i],
                            sandbox->id);
    }
    json_decref(its);
    return err;
}

// Those that a container has only together with its pod.
static void warn_of_limits(const struct oci *o, const struct config *config) {
    const struct sentry_limits *l = &config->limits;
    if (l->cpus_milli)
        oci_warn(o, "%s: linux.resources.cpu.quota: is not used: a pod's processors are those of its sandbox",
                 config->file);
    if (l->cpu_ns || l->timeout_ns || l->disk || l->files || l->output)
        oci_warn(o, "%s: annotations: dev.picket.*: of a pod's container only memory and pids are used",
                 config->file);
}

int pod_check(const struct oci *o, const struct config *config, struct error *e) {
    json_t *annotations = config_get(config->json, "annotations");
    const struct engine *k = engine_of(annotations, "container");
    struct container c;
    if (!k)
        return 0;
    const char *id = pod_sandbox(annotations);
    if (!id)
        return error_set(e, "config.json: annotations: %s: is missing or no id", k->sandbox);
    if (config->process.what.more_fds)
        return error_set(e, "--preserve-fds: is not for a container in a pod's sandbox");
    int err = container_load(o, id, false, &c, e);
    if (err == 0 && c.status != RUNNING)
        err = error_set(e, "the pod's sandbox %s is %s: container not running", id, status_name(c.status));
    if (err == 0)
        err = same_ids(&c, config, e);
    if (err == 0 && config->nsysctls)
        oci_warn(o, "%s: linux.sysctl: is not used: a pod's knobs are those of its sandbox", config->file);
    if (err == 0)
        warn_of_limits(o, config);
    container_close(&c);
    return err;
}

pid_t pod_init(const struct oci *o, const struct container *c) {
    const char *id = pod_sandbox(c->annotations);
    struct container sandbox;
    struct error unused;
    if (!id)
        return c->pid;
    pid_t pid = container_load(o, id, false, &sandbox, &unused) == 0 ? sandbox.pid : 0;
    container_close(&sandbox);
    return pid;
}

// ---- One more container -----------------------------------------------------------------------------------
struct message {
    char *bytes;  // owned
    size_t n, size;
};

// Room for n bytes behind what is there; false: it is too long.
static char *put(struct message *m, const void *what, size_t n) {
    if (n > m->size - m->n)
        return NULL;
    char *at = m->bytes + m->n;
    if (what)
        memcpy(at, what, n);
    else
        memset(at, 0, n);
    m->n += n;
    return at;
}

static bool put_mounts(struct message *m, const struct config *config) {
    for (unsigned i = 0; i < config->nmounts; i++) {
        const struct sentry_mount *s = &config->mounts[i];
        const struct control_mount one = {.kind = s->kind,
                                          .flags = s->flags,
                                          .root = s->root,
                                          .is_dir = s->is_dir,
                                          .copy_up = s->copy_up,
                                          .mode = s->mode,
                                          .uid = s->uid,
                                          .gid = s->gid,
                                          .ptmxmode = s->ptmxmode,
                                          .size = s->size};
        if (!put(m, &one, sizeof one))
            return false;
    }
    return true;
}

static bool put_strings(struct message *m, const struct config *config) {
    for (unsigned i = 0; i < config->nmounts; i++) {
        const struct sentry_mount *s = &config->mounts[i];
        if (!put(m, s->target, strlen(s->target) + 1) || !put(m, s->source, strlen(s->source) + 1))
            return false;
    }
    return true;
}

static bool put_all(struct message *m, const struct container *c, const struct config *config,
                    const void *process, size_t used) {
    struct control_container head = {.number = pod_number(c),
                                     .readonly = config->readonly,
                                     .in_memory = config->in_memory,
                                     .memory = config->limits.memory,
                                     .pids = config->limits.pids,
                                     .log = config->filter.log,
                                     .nmounts = config->nmounts,
                                     .ninsns = config->filter.n,
                                     .used = (uint32_t)used,
                                     .process = (uint32_t)((used + 7) & ~(size_t)7)};
    snprintf(head.hostname, sizeof head.hostname, "%s", config->hostname ? config->hostname : "");
    snprintf(head.domainname, sizeof head.domainname, "%s", config->domainname ? config->domainname : "");
    return put(m, &head, sizeof head) && put_mounts(m, config) &&
           put(m, config->filter.insns, config->filter.n * sizeof(struct linux_sock_filter)) &&
           put(m, process, used) && put(m, NULL, head.process - used) && put_strings(m, config);
}

int pod_make(int fd, const struct container *c, const struct config *config, int gofer, struct error *e) {
    char reply[sizeof(struct control_failed)];
    size_t used;
    const int fds[] = {gofer, 0, 1, 2};
    char *process cleanup_free = control_pack_exec(&config->process.what, &used, e);
    char *bytes cleanup_free = malloc(CONTROL_MAX);
    struct message m = {.bytes = bytes, .size = CONTROL_MAX};
    if (!process)
        return -1;
    if (!bytes)
        return error_set(e, "no memory");
    if (!put_all(&m, c, config, process, used))
        return error_set(e,
                         "arguments, environment, mounts and filter are too long together: more than %u KiB",
                         CONTROL_MAX >> 10);
    if (control_send(fd, CONTROL_CONTAINER, m.bytes, m.n, fds, 4, e) < 0)
        return -1;
    return control_receive(fd, CONTROL_OK, reply, sizeof(struct control_head), sizeof reply, e) < 0 ? -1 : 0;
}
