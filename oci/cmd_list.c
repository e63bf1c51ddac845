// SPDX-License-Identifier: Apache-2.0
// picket list: all containers below --root. On the way it clears up: what a command that was killed has left
// of a container that never was, and the state of one whose init was killed.
#include "base/cleanup.h"
#include "oci/cmd.h"
#include "oci/opt.h"
#include "oci/state.h"
#include <stdio.h>
#include <string.h>

static void show(const struct container *c, json_t *all, bool quiet) {
    char *text cleanup_free = all ? container_state_json(c, false) : NULL;
    json_t *j = text ? json_loads(text, 0, NULL) : NULL;
    if (quiet)
        puts(c->id);
    else if (all)
        json_array_append_new(all, j);
    else
        printf("%-24s %-8d %-9s %-32s %-32s %u\n", c->id, container_shown_pid(c), status_name(c->status),
               c->bundle, c->created, c->uid);
}

int cmd_list(struct oci *o, int argc, char **argv, struct error *e) {
    const char *format = "table";
    bool quiet = false;
    const struct opt opts[] = {{"format", 'f', OPT_TEXT, &format}, {"quiet", 'q', OPT_FLAG, &quiet}, {0}};
    if (opt_parse(argc, argv, opts, "list [--format table|json] [--quiet]", 0, 0, e) < 0)
        return -1;
    bool json = !strcmp(format, "json");
    if (!json && strcmp(format, "table") != 0)
        return error_set(e, "list: --format '%s' is not table or json", format);
    char **names = container_names(o, e);
    json_t *all = json && !quiet ? json_array() : NULL;
    if (!names)
        return -1;
    if (!json && !quiet)
        printf("%-24s %-8s %-9s %-32s %-32s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
    for (char **name = names; *name; name++) {
        struct container c;
        struct error gone;  // one that vanishes meanwhile, or is being made
        container_remove_remains(o, *name);
        container_note_death(o, *name);
        if (container_load(o, *name, false, &c, &gone) == 0)
            show(&c, all, quiet);
        container_close(&c);
        free(*name);
    }
    free(names);
    char *text cleanup_free = all ? json_dumps(all, JSON_COMPACT) : NULL;
    if (text)
        puts(text);
    json_decref(all);
    return 0;
}
