// SPDX-License-Identifier: Apache-2.0
// Limits as options and in config.json, and the line that tells how a program ended.
#ifndef OCI_LIMITS_H
#define OCI_LIMITS_H
#include "oci/error.h"
#include "oci/meter.h"
#include <jansson.h>
#include <sys/resource.h>

// For help texts.
#define LIMITS_USAGE \
    "  --memory BYTES          of all processes, tmpfs and shared memory; sizes may end in k, m, g\n" \
    "  --pids N                processes and threads\n" \
    "  --cpus N                processors that it runs on (1.5 makes two)\n" \
    "  --cpu-time SECONDS      of processor time, all processes together\n" \
    "  --disk BYTES            by which files may grow; --files N: how many may be made\n" \
    "  --output-bytes BYTES    of stdout and of stderr that are passed on; the rest is dropped\n" \
    "  --timeout SECONDS       from the program's start\n"

extern const char *const limit_names[];  // "memory", "cpu-time" ...; ends with NULL
// Sets one from its text. 0, or -1 and *e.
int limit_set(struct sentry_limits *l, const char *name, const char *text, struct error *e);
// From linux.resources (memory.limit, pids.limit, cpu.quota and period) and the annotations dev.picket.NAME.
int limits_from_config(json_t *config, const char *file, struct sentry_limits *l, struct error *e);
// From linux.resources alone: what is not named there stays.
void limits_from_resources(json_t *resources, struct sentry_limits *l);

// The other way: so that the cgroup has them too. 0, or -1 for want of memory.
int limits_to_config(const struct sentry_limits *l, json_t *config);

struct ended {
    int wait_status;           // as waitpid(2) has it
    const char *cause;         // "exited" ...
    double wall;               // seconds
    struct rusage usage;       // of the sentry and its stubs
    struct report_end report;  // .kind 0: none came
};
// An object that tells all of it: exit, signal, cause, times, memory, output; owned by the caller, or NULL.
json_t *ended_json(const struct ended *d);

#endif
