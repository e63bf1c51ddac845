// SPDX-License-Identifier: Apache-2.0
// picket run [OPTIONS] ID: create, start, and, unless --detach, wait and delete. Exit status: the program's.
#include "oci/cmd.h"
#include "oci/create.h"
#include "oci/opt.h"

struct run {
    struct create_options create;
    bool detach, keep;
};

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
    if (!r->keep && container_load(o, id, true, &c, &why) == 0 && c.status == STOPPED &&
        delete_container(o, &c, &why) < 0)
        oci_warn(o, "%s", why.text);
    if (!r->keep)
        container_close(&c);
    return status;
}

int cmd_run(struct oci *o, int argc, char **argv, struct error *e) {
    struct run r = {0};
    const struct opt opts[] = {
        {"bundle", 'b', OPT_TEXT, &r.create.bundle},
        {"pid-file", 0, OPT_TEXT, &r.create.pid_file},
        {"console-socket", 0, OPT_TEXT, &r.create.console_socket},
        {"detach", 'd', OPT_FLAG, &r.detach},
        {"keep", 0, OPT_FLAG, &r.keep},
        {"no-pivot", 0, OPT_SKIP, NULL},
        {"no-new-keyring", 0, OPT_SKIP, NULL},
        {"no-subreaper", 0, OPT_SKIP, NULL},
        {"net", 0, OPT_TEXT, &o->net.net},
        {"net-rx-rate", 0, OPT_TEXT, &o->net.rx_rate},
        {"net-tx-rate", 0, OPT_TEXT, &o->net.tx_rate},
        {"pcap", 0, OPT_TEXT, &o->net.pcap},
        {"pcap-size", 0, OPT_TEXT, &o->net.pcap_size},
        {0},
    };
    static const char usage[] =
        "run [--bundle DIR] [--detach] [--keep] [--pid-file FILE] [--console-socket PATH] ID";
    int at = opt_parse(argc, argv, opts, usage, 1, 1, e);
    if (at < 0)
        return -1;
    r.create.keeps_terminal = !r.detach;
    return run(o, argv[at], &r, e);
}
