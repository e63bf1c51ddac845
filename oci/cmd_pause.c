// SPDX-License-Identifier: Apache-2.0
// Commands that are only an answer: pause, resume and what is not supported.
#include "oci/cgroup.h"
#include "oci/cmd.h"
#include "oci/opt.h"
#include "oci/pod.h"
#include "oci/state.h"

// The host's processes of the container stand still, ours among them: by its cgroup, so that who looks at
// that sees it.
static int set_paused(const struct oci *o, int argc, char **argv, bool on, struct error *e) {
    static const struct opt none[] = {{0}};
    const enum status from = on ? RUNNING : PAUSED;
    int at = opt_parse(argc, argv, none, on ? "pause ID" : "resume ID", 1, 1, e);
    if (at < 0)
        return -1;
    struct container c;
    int err = container_load(o, argv[at], true, &c, e);
    if (err == 0 && c.status != from)
        err = error_set(e, "container %s: is %s, not %s", c.id, status_name(c.status), status_name(from));
    if (err == 0 && pod_sandbox(c.annotations))
        err = error_set(e, "container %s: lives in its pod's sandbox, which is paused as a whole", c.id);
    if (err == 0 && !c.cgroup)
        err = error_set(e, "container %s: has no cgroup, which %s needs", c.id, argv[0]);
    if (err == 0)
        err = cgroup_freeze(c.cgroup, on, e);
    if (err == 0) {
        c.status = on ? PAUSED : RUNNING;
        err = container_save(&c, e);
    }
    container_close(&c);
    return err;
}

int cmd_pause(struct oci *o, int argc, char **argv, struct error *e) {
    return set_paused(o, argc, argv, true, e);
}
int cmd_resume(struct oci *o, int argc, char **argv, struct error *e) {
    return set_paused(o, argc, argv, false, e);
}

int cmd_unsupported(struct oci *o, int argc, char **argv, struct error *e) {
    return error_set(e, "%s: not supported", argv[0]);
}
