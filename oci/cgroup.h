// SPDX-License-Identifier: Apache-2.0
// The container's cgroup on the host, v1 and v2. A path is below every hierarchy that is mounted at the usual
// place; where none can be written, there is none.
#ifndef OCI_CGROUP_H
#define OCI_CGROUP_H
#include "oci/oci.h"
#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

// What it will be called; owned by the caller. NULL: it cannot be used.
char *cgroup_name(const char *wanted, const char *id, struct error *e);
// Makes it; *path becomes its name (owned), or NULL when the caller may not have one. wanted:
// linux.cgroupsPath, or NULL: /picket/ID.
int cgroup_make(const struct oci *o, const char *wanted, const char *id, char **path, struct error *e);
int cgroup_add(const char *path, pid_t pid, struct error *e);
// Writes what `resources` (linux.resources, may be NULL) asks for.
int cgroup_apply(const struct oci *o, const char *path, json_t *resources, struct error *e);
int cgroup_freeze(const char *path, bool on, struct error *e);
// Kills what is left in it, and removes it. Fine when it is not there.
int cgroup_remove(const char *path, struct error *e);
// A number of one of its files, by the names of v1 and v2; UINT64_MAX: "max"; false: it is not there.
bool cgroup_number(const char *path, const char *controller, const char *v1, const char *v2, uint64_t *value);

// What limits of the cgroup are above those of the config: room for sentry, gofer and inits.
#define CGROUP_OUR_MEMORY (INT64_C(32) << 20)
#define CGROUP_OUR_PIDS   INT64_C(128)
// How many processes the kernel has ended there for want of memory.
uint64_t cgroup_oom_kills(const char *path);
// Makes the kernel say that memory ran out there, which containerd's shim and conmon wait for: a process of
// ours is ended for it. At the end of a container: the memory limit is spoilt.
void cgroup_tell_oom(const char *path);

#endif
