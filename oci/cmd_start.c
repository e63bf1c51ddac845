// SPDX-License-Identifier: Apache-2.0
// picket start ID: the created container's program begins.
#include "oci/cmd.h"
#include "oci/create.h"
#include "oci/opt.h"

int cmd_start(struct oci *o, int argc, char **argv, struct error *e) {
    static const struct opt none[] = {{0}};
    int at = opt_parse(argc, argv, none, "start ID", 1, 1, e);
    if (at < 0)
        return -1;
    struct container c;
    int err = container_load(o, argv[at], true, &c, e);
    if (err == 0)
        err = start_container(o, &c, e);
    container_close(&c);
    return err;
}
