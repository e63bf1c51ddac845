// SPDX-License-Identifier: Apache-2.0
// picket delete [--force] ID...: removes what is left of a container. With --force also one that runs, and
// none is an error when there is nothing.
#include "oci/cmd.h"
#include "oci/create.h"
#include "oci/opt.h"
#include <string.h>
#include <unistd.h>

#define SOON 2000  // ms: an init that is ending notes its end, and that is kept
#define LATE 6000  // ms

// By force also past an init that somebody has stopped while it had the lock.
static int load(const struct oci *o, const char *id, bool force, struct container *c, struct error *e) {
    struct error unused;
    if (!force)
        return container_load(o, id, true, c, e);
    int err = container_load_soon(o, id, SOON, c, e);
    if (err == 0 || !strstr(e->text, "is busy"))
        return err;
    container_close(c);
    if (container_load(o, id, false, c, &unused) == 0)
        end_container(c, &unused);
    container_close(c);
    return container_load_soon(o, id, LATE, c, e);
}

// One that has noted its end goes by itself, and its status is what its parent waits for.
static int wait_for_init(struct container *c, struct error *e) {
    for (int i = 0; i < SOON / 10 && c->status == STOPPED && c->pid; i++, container_check(c))
        usleep(10000);
    return end_container(c, e);
}

static int delete_one(const struct oci *o, const char *id, bool force, struct error *e) {
    struct container c;
    int err = load(o, id, force, &c, e);
    if (err < 0) {
        container_close(&c);
        if (!force || !strstr(e->text, "does not exist"))
            return force && oci_check_id(id, e) < 0 ? 0 : err;
        container_remove_remains(o, id);
        return 0;
    }
    if (c.status != STOPPED && !force)
        err = error_set(e, "cannot delete container %s that is not stopped: %s", id, status_name(c.status));
    if (err == 0 && force)
        err = wait_for_init(&c, e);
    if (err == 0)
        err = delete_container(o, &c, e);
    container_close(&c);
    return err;
}

int cmd_delete(struct oci *o, int argc, char **argv, struct error *e) {
    bool force = false;
    const struct opt opts[] = {{"force", 'f', OPT_FLAG, &force}, {0}};
    int at = opt_parse(argc, argv, opts, "delete [--force] ID...", 1, 1000, e), result = 0;
    if (at < 0)
        return -1;
    for (int i = at; i < argc; i++)
        result |= delete_one(o, argv[i], force, e);
    return result;
}
