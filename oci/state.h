// SPDX-License-Identifier: Apache-2.0
// A container on disk: the directory ROOT/ID with state.json, config.json (as it was at create: later changes
// of the bundle mean nothing), the control socket and the log of sentry and gofer. state.json is replaced as
// a whole, so that it can be read without a lock; who changes something has the directory locked. What it
// says is believed only as far as the host agrees (container_load()).
#ifndef OCI_STATE_H
#define OCI_STATE_H
#include "oci/oci.h"
#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

enum status { CREATING, CREATED, RUNNING, PAUSED, STOPPED };

struct container {
    char id[OCI_NAME_MAX + 1];
    int dir;  // the directory, -1: none; locked when it was asked for
    enum status status;
    pid_t pid;              // the init, 0: none or gone; one that has noted its end is about to go
    uint64_t pid_start;     // its start time, in ticks since boot: another process has another
    int wait_status;        // of the program, as waitpid(2) has it; when it has stopped
    char cause[32];         // of its end (sentry/report.h): "exited", "memory" ...; "" before
    bool died;              // the init has gone and could not note it: what is on disk is old
    json_t *result;         // how it ended, as oci/limits.h has it; NULL: nobody could tell; owned
    char *bundle, *rootfs;  // absolute; owned
    char *cgroup;           // path below the cgroup mounts; NULL: none. owned
    char created[40];       // RFC 3339
    unsigned uid;           // who made it
    json_t *annotations;    // an object, or NULL; owned
};

const char *status_name(enum status s);
// A new container, locked, CREATING and not yet written; the id must not be in use.
int container_create(const struct oci *o, const char *id, struct container *c, struct error *e);
// Finds one; `lock`: and waits up to 9 s until nobody else changes it. Unknown: "container does not exist".
int container_load(const struct oci *o, const char *id, bool lock, struct container *c, struct error *e);
// The same with the lock, for which it waits so many ms.
int container_load_soon(const struct oci *o, const char *id, int patience, struct container *c,
                        struct error *e);
// Writes state.json. The container is locked.
int container_save(const struct container *c, struct error *e);
// Notes the name of its cgroup apart from the state, which is not written yet.
int container_note_cgroup(const struct container *c, const char *name, struct error *e);
// Removes the directory and its files. The container is locked.
int container_remove(const struct oci *o, struct container *c, struct error *e);
// What a `create` that was killed has left: a directory without a state. Nothing happens to any other.
void container_remove_remains(const struct oci *o, const char *id);
// Writes down that it has stopped, when its init could not. Locks it for that, unless somebody else has.
void container_note_death(const struct oci *o, const char *id);
// As clients know it: 0 when it has stopped.
int container_shown_pid(const struct container *c);
void container_close(struct container *c);  // gives back what c holds; nothing on disk changes
// What runtime-spec calls the state, compact or for people; freed by the caller.
char *container_state_json(const struct container *c, bool pretty);
// How it ended, with its id, on one line; freed by the caller.
char *container_result_json(const struct container *c);
// Fills status and pid in when the directory says that the init lives and /proc that it does not.
void container_check(struct container *c);
// When a process began, 0: it is gone, or a zombie.
uint64_t process_start_time(pid_t pid);
// The names of all containers, sorted; ends with NULL. Owned by the caller, each and all.
char **container_names(const struct oci *o, struct error *e);

#endif
