// SPDX-License-Identifier: Apache-2.0
// picket create [OPTIONS] ID: makes a container whose program is loaded and waits for start.
#include "oci/cmd.h"
#include "oci/create.h"
#include "oci/opt.h"

int cmd_create(struct oci *o, int argc, char **argv, struct error *e) {
    struct create_options options = {.listen_fds = listen_fds()};
    const char *preserve = NULL;
    const struct opt opts[] = {
        {"bundle", 'b', OPT_TEXT, &options.bundle},
        {"pid-file", 0, OPT_TEXT, &options.pid_file},
        {"console-socket", 0, OPT_TEXT, &options.console_socket},
        {"overlay", 0, OPT_TEXT, &options.overlay},
        {"preserve-fds", 0, OPT_TEXT, &preserve},
        {"no-pivot", 0, OPT_SKIP, NULL},        // nothing is pivoted: the root is the sandbox's own
        {"no-new-keyring", 0, OPT_SKIP, NULL},  // it has a keyring of its own in any case
        {"net", 0, OPT_TEXT, &o->net.net},
        {"net-rx-rate", 0, OPT_TEXT, &o->net.rx_rate},
        {"net-tx-rate", 0, OPT_TEXT, &o->net.tx_rate},
        {"pcap", 0, OPT_TEXT, &o->net.pcap},
        {"pcap-size", 0, OPT_TEXT, &o->net.pcap_size},
        {0},
    };
    static const char usage[] =
        "create [--bundle DIR] [--pid-file FILE] [--console-socket PATH] [--preserve-fds N] "
        "[--overlay none|memory] ID";
    int at = opt_parse(argc, argv, opts, usage, 1, 1, e);
    if (at < 0 || keep_fds(preserve, options.listen_fds, &options.more_fds, e) < 0)
        return -1;
    struct container c;
    struct init init;
    int err = create_container(o, argv[at], &options, &c, &init, e);
    if (err == 0)
        container_close(&c);
    return err;
}
