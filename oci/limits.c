// SPDX-License-Identifier: Apache-2.0
// See limits.h.
#include "oci/limits.h"
#include "oci/config.h"
#include "oci/json.h"
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum unit { COUNT, BYTES, MILLI, NANO };
static const struct limit {
    const char *name;
    size_t at;
    enum unit unit;
} limits[] = {
    {"memory", offsetof(struct sentry_limits, memory), BYTES},
    {"pids", offsetof(struct sentry_limits, pids), COUNT},
    {"cpus", offsetof(struct sentry_limits, cpus_milli), MILLI},
    {"cpu-time", offsetof(struct sentry_limits, cpu_ns), NANO},
    {"disk", offsetof(struct sentry_limits, disk), BYTES},
    {"files", offsetof(struct sentry_limits, files), COUNT},
    {"output-bytes", offsetof(struct sentry_limits, output), BYTES},
    {"timeout", offsetof(struct sentry_limits, timeout_ns), NANO},
};
#define NLIMITS (sizeof limits / sizeof limits[0])
const char *const limit_names[NLIMITS + 1] = {"memory", "pids",         "cpus",    "cpu-time", "disk",
                                              "files",  "output-bytes", "timeout", NULL};

#define MOST 1e15  // bytes, or nanoseconds: 11 days

static double factor_of(enum unit unit, char suffix) {
    switch (unit == BYTES ? suffix | 0x20 : suffix) {
    case 'k':
        return 1024;
    case 'm':
        return 1 << 20;
    case 'g':
        return 1 << 30;
    case 't':
        return 1024.0 * (1 << 30);
    default:
        return 0;
    }
}

// A number above zero: with a point where it is no count, with a suffix where it is bytes.
static bool number(const char *text, enum unit unit, uint64_t *value) {
    char *end;
    if (text[0] < '0' || text[0] > '9' || strpbrk(text, "xXpP"))
        return false;
    double v = strtod(text, &end), scale = unit == MILLI ? 1e3 : 1;
    if (unit == NANO)
        scale = 1e9;
    if (unit == BYTES && *end && *end != 'b' && *end != 'B') {
        scale = factor_of(unit, *end++);
        end += *end == 'b' || *end == 'B';
    }
    v *= scale;
    if (*end || !isfinite(v) || v < 1 || v > MOST || (unit == COUNT && v != (double)(uint64_t)v))
        return false;
    *value = (uint64_t)v;
    return true;
}

int limit_set(struct sentry_limits *l, const char *name, const char *text, struct error *e) {
    for (const struct limit *k = limits; k < limits + NLIMITS; k++)
        if (!strcmp(k->name, name)) {
            if (number(text, k->unit, (uint64_t *)(void *)((char *)l + k->at)))
                return 0;
            return error_set(e, "--%s '%s' is no number that it can be", name, text);
        }
    return error_set(e, "--%s is not known", name);
}

void limits_from_resources(json_t *resources, struct sentry_limits *l) {
    int64_t v, period = 0;
    if (json_whole(config_get(resources, "memory.limit"), &v) && v != 0)
        l->memory = v > 0 ? (uint64_t)v : 0;
    if (json_whole(config_get(resources, "pids.limit"), &v) && v != 0)
        l->pids = v > 0 ? (uint64_t)v : 0;
    json_whole(config_get(resources, "cpu.period"), &period);
    if (json_whole(config_get(resources, "cpu.quota"), &v) && v > 0 && v < INT64_MAX / 1000)
        l->cpus_milli = (uint64_t)(v * 1000 / (period > 0 ? period : 100000));
}

int limits_from_config(json_t *config, const char *file, struct sentry_limits *l, struct error *e) {
    json_t *annotations = config_get(config, "annotations");
    limits_from_resources(config_get(config, "linux.resources"), l);
    for (const struct limit *k = limits; k < limits + NLIMITS; k++) {
        char key[64];
        struct error why;
        snprintf(key, sizeof key, "dev.picket.%s", k->name);
        const char *text = json_string_value(json_object_get(annotations, key));
        if (text && limit_set(l, k->name, text, &why) < 0)
            return error_set(e, "%s: annotations: %s: '%.64s' is no number that it can be", file, key, text);
    }
    return 0;
}

static json_t *group(json_t *in, const char *name) {
    json_t *g = json_object_get(in, name);
    if (json_is_object(g))
        return g;
    g = json_object();
    return json_object_set_new(in, name, g) == 0 ? g : NULL;
}

static int put_number(json_t *resources, const char *where, const char *field, uint64_t v) {
    json_t *g = v ? group(resources, where) : NULL;
    return v && json_object_set_new(g, field, json_integer((json_int_t)v)) < 0 ? -1 : 0;
}

int limits_to_config(const struct sentry_limits *l, json_t *config) {
    json_t *resources = group(group(config, "linux"), "resources");
    if (put_number(resources, "memory", "limit", l->memory) < 0 ||
        put_number(resources, "pids", "limit", l->pids) < 0 ||
        put_number(resources, "cpu", "quota", l->cpus_milli * 100) < 0)
        return -1;
    return put_number(resources, "cpu", "period", l->cpus_milli ? 100000 : 0);
}

// ---- The end ----------------------------------------------------------------------------------------------
static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

static json_t *output(const struct report_output *o) {
    uint64_t passed = o->passed < o->total ? o->passed : o->total;
    return json_pack("{sI sI sI}", "captured", (json_int_t)passed, "total", (json_int_t)o->total, "omitted",
                     (json_int_t)(o->total - passed));
}

json_t *ended_json(const struct ended *d) {
    const struct report_end *r = &d->report;
    bool signaled = WIFSIGNALED(d->wait_status);
    int sig = signaled ? WTERMSIG(d->wait_status) : 0;
    json_int_t largest = (json_int_t)d->usage.ru_maxrss * 1024, peak = (json_int_t)r->memory_peak;
    return json_pack("{si si ss sf sf sf sI si sI s{sI sI} so so}", "exit",
                     signaled ? 128 + sig : WEXITSTATUS(d->wait_status), "signal", sig, "cause", d->cause,
                     "wall", d->wall, "cpu_user", seconds(d->usage.ru_utime), "cpu_system",
                     seconds(d->usage.ru_stime), "memory_peak", peak > largest ? peak : largest,
                     "memory_kills", (int)r->memory_kills, "bytes_written", (json_int_t)r->written, "refused",
                     "pids", (json_int_t)r->refused_pids, "disk", (json_int_t)r->refused_disk, "stdout",
                     output(&r->output[0]), "stderr", output(&r->output[1]));
}
