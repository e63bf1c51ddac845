// SPDX-License-Identifier: Apache-2.0
// picket run [OPTIONS] ID: create, start, and, unless --detach, wait and delete. Exit status: the program's.
#include "base/cleanup.h"
#include "oci/cmd.h"
#include "oci/create.h"
#include "oci/limits.h"
#include "oci/opt.h"
#include <errno.h>
#include <stdio.h>

struct run {
    struct create_options create;
    bool detach, keep;
    const char *json;  // where the result line goes: a file, "" for stderr; NULL: nowhere
};

static int show(const struct container *c, const char *where, struct error *e) {
    char *line cleanup_free = container_result_json(c);
    FILE *f = *where ? fopen(where, "ae") : stderr;
    if (!line || !f || fprintf(f, "%s\n", line) < 0 || fflush(f))
        error_errno(e, errno, "run: --json %s", where);
    else
        e->text[0] = '\0';
    if (f && f != stderr)
        fclose(f);
    return e->text[0] ? -1 : 0;
}

// The container is ours from its creation to its end.
static int run(const struct oci *o, const char *id, const struct run *r, struct error *e) {
    struct container c;
    struct init init;
    if (create_container(o, id, &r->create, &c, &init, e) < 0)
        return -1;
    int status = start_container(o, &c, e);
    container_close(&c);  // its init is going to note its end
    if (status == 0 && r->detach)
        return 0;
    if (status < 0)
        init_kill(&init);
    else
        status = init_wait(init.pid);
    struct error why;
    if (container_load(o, id, true, &c, &why) == 0 && c.status == STOPPED) {
        if (status >= 0 && r->json && show(&c, r->json, &why) < 0)
            oci_warn(o, "%s", why.text);
        if (!r->keep && delete_container(o, &c, &why) < 0)
            oci_warn(o, "%s", why.text);
    }
    container_close(&c);
    return status;
}

int cmd_run(struct oci *o, int argc, char **argv, struct error *e) {
    const char *limits[16] = {NULL}, *preserve = NULL, *input = NULL;
    struct run r = {.create.limits = limits, .create.listen_fds = listen_fds()};
    struct opt opts[32] = {
        {"bundle", 'b', OPT_TEXT, &r.create.bundle},
        {"pid-file", 0, OPT_TEXT, &r.create.pid_file},
        {"console-socket", 0, OPT_TEXT, &r.create.console_socket},
        {"detach", 'd', OPT_FLAG, &r.detach},
        {"keep", 0, OPT_FLAG, &r.keep},
        {"overlay", 0, OPT_TEXT, &r.create.overlay},
        {"stdin", 0, OPT_TEXT, &input},
        {"preserve-fds", 0, OPT_TEXT, &preserve},
        {"no-pivot", 0, OPT_SKIP, NULL},
        {"no-new-keyring", 0, OPT_SKIP, NULL},
        {"no-subreaper", 0, OPT_SKIP, NULL},
        {"net", 0, OPT_TEXT, &o->net.net},
        {"net-rx-rate", 0, OPT_TEXT, &o->net.rx_rate},
        {"net-tx-rate", 0, OPT_TEXT, &o->net.tx_rate},
        {"pcap", 0, OPT_TEXT, &o->net.pcap},
        {"pcap-size", 0, OPT_TEXT, &o->net.pcap_size},
        {"json", 0, OPT_MAYBE, &r.json},
    };
    size_t n = 0;
    while (opts[n].name)
        n++;
    for (size_t i = 0; limit_names[i]; i++)
        opts[n++] = (struct opt){limit_names[i], 0, OPT_TEXT, &limits[i]};
    static const char usage[] =
        "run [--bundle DIR] [--detach] [--keep] [--pid-file FILE] [--console-socket PATH] "
        "[--preserve-fds N] [--overlay none|memory] [--stdin FILE] [--json[=FILE]] "
        "[--memory BYTES] [--pids N] [--cpus N] [--cpu-time S] [--disk BYTES] [--files N] "
        "[--output-bytes BYTES] [--timeout S] ID";
    int at = opt_parse(argc, argv, opts, usage, 1, 1, e);
    if (at < 0 || take_stdin(input, e) < 0 ||
        keep_fds(preserve, r.create.listen_fds, &r.create.more_fds, e) < 0)
        return -1;
    r.create.keeps_terminal = !r.detach;
    return run(o, argv[at], &r, e);
}
