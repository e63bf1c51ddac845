// SPDX-License-Identifier: Apache-2.0
// picket state ID: the state of a container, as runtime-spec has it.
#include "base/cleanup.h"
#include "oci/cmd.h"
#include "oci/opt.h"
#include "oci/state.h"
#include <stdio.h>

int cmd_state(struct oci *o, int argc, char **argv, struct error *e) {
    static const struct opt none[] = {{0}};
    int at = opt_parse(argc, argv, none, "state ID", 1, 1, e);
    if (at < 0)
        return -1;
    struct container c;
    int err = container_load(o, argv[at], false, &c, e);
    char *text cleanup_free = err == 0 ? container_state_json(&c, true) : NULL;
    if (text)
        puts(text);
    else if (err == 0)
        err = error_set(e, "no memory");
    container_close(&c);
    return err;
}
