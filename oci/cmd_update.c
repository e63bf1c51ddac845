// SPDX-License-Identifier: Apache-2.0
// picket update [OPTIONS] ID: other limits for a container's cgroup, by options or as linux.resources in a
// file.
#include "oci/cgroup.h"
#include "oci/cmd.h"
#include "oci/config.h"
#include "oci/control.h"
#include "oci/fields.h"
#include "oci/json.h"
#include "oci/limits.h"
#include "oci/opt.h"
#include "oci/state.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static const struct limit {
    const char *option, *group, *field;
    bool text;
} limits[] = {
    {"memory", "memory", "limit", false},     {"memory-reservation", "memory", "reservation", false},
    {"memory-swap", "memory", "swap", false}, {"cpu-share", "cpu", "shares", false},
    {"cpu-quota", "cpu", "quota", false},     {"cpu-period", "cpu", "period", false},
    {"cpuset-cpus", "cpu", "cpus", true},     {"cpuset-mems", "cpu", "mems", true},
    {"pids-limit", "pids", "limit", false},
};
#define NLIMITS (sizeof limits / sizeof limits[0])

static int set(json_t *j, const struct limit *l, const char *value, struct error *e) {
    char *end;
    errno = 0;
    long long v = l->text ? 0 : strtoll(value, &end, 10);
    if (!l->text && (errno || end == value || *end))
        return error_set(e, "update: --%s '%s' is no number", l->option, value);
    json_t *group = json_object_get(j, l->group);
    if (!group) {
        group = json_object();
        json_object_set_new(j, l->group, group);
    }
    return json_object_set_new(group, l->field, l->text ? json_string(value) : json_integer(v)) < 0
               ? error_set(e, "update: --%s '%s' cannot be used", l->option, value)
               : 0;
}

static void warn(void *arg, const char *field, const char *why) {
    oci_warn(arg, "update: %s: %s", field, why);
}

static json_t *wanted(struct oci *o, const char *file, const char *const *values, struct error *e) {
    json_t *j = file ? json_read_file(AT_FDCWD, file, e) : json_object();
    int err = j ? 0 : -1;
    for (size_t i = 0; err == 0 && i < NLIMITS; i++)
        err = values[i] ? set(j, &limits[i], values[i], e) : 0;
    if (err == 0 && fields_check(j, "linux.resources", file ? file : "update", warn, o, e) == 0)
        return j;
    json_decref(j);
    return NULL;
}

static int tell_sentry(const struct container *c, json_t *resources, struct error *e) {
    struct sentry_limits l = {.memory = CONTROL_KEEP, .pids = CONTROL_KEEP};
    limits_from_resources(resources, &l);
    struct control_limits m = {.memory = l.memory, .pids = l.pids};
    return control_call(c, CONTROL_LIMITS, &m, sizeof m, e);
}

// What nobody but the host's cgroup keeps.
static int need_cgroup(const struct container *c, json_t *resources, struct error *e) {
    static const char *const fields[] = {"cpu.shares", "cpu.quota",          "cpu.period", "cpu.cpus",
                                         "cpu.mems",   "memory.reservation", "memory.swap"};
    for (size_t i = 0; !c->cgroup && i < sizeof fields / sizeof fields[0]; i++) {
        json_t *v = config_get(resources, fields[i]);
        const char *text = json_string_value(v);
        int64_t number = 0;
        if ((text && *text) || (json_whole(v, &number) && number > 0))
            return error_set(e, "container %s: linux.resources.%s: there is no cgroup that could keep it",
                             c->id, fields[i]);
    }
    return 0;
}

int cmd_update(struct oci *o, int argc, char **argv, struct error *e) {
    const char *file = NULL, *values[NLIMITS] = {0};
    struct opt opts[NLIMITS + 4] = {{"resources", 'r', OPT_TEXT, &file},
                                    {"blkio-weight", 0, OPT_SKIP_TEXT, NULL},
                                    {"kernel-memory", 0, OPT_SKIP_TEXT, NULL}};
    for (size_t i = 0; i < NLIMITS; i++)
        opts[3 + i] = (struct opt){limits[i].option, 0, OPT_TEXT, &values[i]};
    int at = opt_parse(argc, argv, opts,
                       "update [--resources FILE|-] [--memory BYTES] [--pids-limit N] ... ID", 1, 1, e);
    json_t *j = at < 0 ? NULL : wanted(o, file, values, e);
    if (!j)
        return -1;
    struct container c;
    int err = container_load(o, argv[at], true, &c, e);
    if (err == 0 && c.status == STOPPED)
        err = error_set(e, "container %s: container not running", c.id);
    if (err == 0)
        err = need_cgroup(&c, j, e);
    if (err == 0 && c.cgroup)
        err = cgroup_apply(o, c.cgroup, j, e);
    if (err == 0)
        err = tell_sentry(&c, j, e);
    container_close(&c);
    json_decref(j);
    return err;
}
