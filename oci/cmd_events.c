// SPDX-License-Identifier: Apache-2.0
// picket events [--stats] [--interval N] ID: what the container's cgroup says, as one JSON object a line;
// once with --stats, else every N seconds until it has stopped.
#include "base/cleanup.h"
#include "oci/cgroup.h"
#include "oci/cmd.h"
#include "oci/opt.h"
#include "oci/state.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_int_t number(const struct container *c, const char *controller, const char *v1, const char *v2) {
    uint64_t v = 0;
    if (!c->cgroup || !cgroup_number(c->cgroup, controller, v1, v2, &v))
        return 0;
    return v > INT64_MAX ? INT64_MAX : (json_int_t)v;
}

// Without what of the cgroup's limit is ours.
static json_int_t limit(json_int_t all, json_int_t ours) {
    return all > ours && all < INT64_MAX / 2 ? all - ours : all;
}

// v2 has processor time in a file of several lines.
static json_int_t cpu_ns(const struct container *c) {
    char path[4200], key[64];
    unsigned long long v, us = 0;
    json_int_t ns = number(c, "cpuacct", "cpuacct.usage", NULL);
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.stat", c->cgroup ? c->cgroup : "/none");
    FILE *f = ns ? NULL : fopen(path, "re");
    while (f && fscanf(f, "%63s %llu", key, &v) == 2)
        if (!strcmp(key, "usage_usec"))
            us = v;
    if (f)
        fclose(f);
    return ns ? ns : (json_int_t)us * 1000;
}

static int show(const struct container *c, struct error *e) {
    json_t *j =
        json_pack("{ss ss s{s{s{sI}} s{s{sI sI}} s{sI sI}}}", "type", "stats", "id", c->id, "data", "cpu",
                  "usage", "total", cpu_ns(c), "memory", "usage", "usage",
                  number(c, "memory", "memory.usage_in_bytes", "memory.current"), "limit",
                  limit(number(c, "memory", "memory.limit_in_bytes", "memory.max"), CGROUP_OUR_MEMORY),
                  "pids", "current", number(c, "pids", "pids.current", "pids.current"), "limit",
                  limit(number(c, "pids", "pids.max", "pids.max"), CGROUP_OUR_PIDS));
    char *text cleanup_free = j ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    if (!text)
        return error_set(e, "no memory");
    puts(text);
    fflush(stdout);
    return 0;
}

// The last lines of a container that was there: that memory ran out, and how it ended.
static void show_end(const struct container *c) {
    char *line cleanup_free = container_result_json(c);
    if (json_integer_value(json_object_get(c->result, "memory_kills")) > 0)
        printf("{\"type\":\"oom\",\"id\":\"%s\"}\n", c->id);
    if (line)
        printf("{\"type\":\"exit\",\"id\":\"%s\",\"data\":%s}\n", c->id, line);
    fflush(stdout);
}

int cmd_events(struct oci *o, int argc, char **argv, struct error *e) {
    bool stats = false;
    const char *interval = "5";
    const struct opt opts[] = {{"stats", 0, OPT_FLAG, &stats}, {"interval", 0, OPT_TEXT, &interval}, {0}};
    int at = opt_parse(argc, argv, opts, "events [--stats] [--interval SECONDS] ID", 1, 1, e);
    int seconds = atoi(interval);
    if (at < 0)
        return -1;
    if (seconds < 1)
        return error_set(e, "events: --interval '%s' is not above zero", interval);
    for (int round = 0;; round++) {
        struct container c;
        int err = container_load(o, argv[at], false, &c, e);
        bool stopped = err == 0 && c.status == STOPPED;
        if (stopped && round == 0)
            err = error_set(e, "container %s: container not running", c.id);
        else if (err == 0 && !stopped)
            err = show(&c, e);
        else if (stopped)
            show_end(&c);
        container_close(&c);
        if (err < 0 || stats || stopped)
            return err < 0 && round > 0 ? 0 : err;
        sleep((unsigned)seconds);
    }
}
