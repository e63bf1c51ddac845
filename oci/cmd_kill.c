// SPDX-License-Identifier: Apache-2.0
// picket kill [--all] ID [SIGNAL]: by name or number; 0 asks whether it is there.
#include "oci/cgroup.h"
#include "oci/cmd.h"
#include "oci/control.h"
#include "oci/create.h"
#include "oci/opt.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// "15", "TERM", "SIGTERM", "RTMIN+3"; -1: none.
static int signal_number(const char *text) {
    char *end;
    long n = strtol(text, &end, 10);
    if (end != text && !*end)
        return n >= 0 && n <= 64 ? (int)n : -1;
    if (!strncasecmp(text, "SIG", 3))
        text += 3;
    for (int sig = 1; sig < 32; sig++)
        if (sigabbrev_np(sig) && !strcasecmp(text, sigabbrev_np(sig)))
            return sig;
    bool from_max = !strncasecmp(text, "RTMAX", 5);
    if (!from_max && strncasecmp(text, "RTMIN", 5) != 0)
        return -1;
    n = text[5] ? strtol(text + 5, &end, 10) : 0;
    if (text[5] && (*end || (text[5] != '+' && text[5] != '-')))
        return -1;
    n += from_max ? 64 : 34;
    return n >= 34 && n <= 64 ? (int)n : -1;
}

// One that does not listen any more can still be ended; a frozen one hears it when it is thawed.
static int send(struct container *c, int sig, bool all, struct error *e) {
    struct error unused;
    if (sig == SIGKILL && c->status == PAUSED && c->cgroup)
        cgroup_freeze(c->cgroup, false, &unused);
    if (control_kill(c, sig, all ? SIGNAL_ALL : 0, e) == 0)
        return 0;
    if (sig != SIGKILL)
        return -1;
    container_check(c);
    return c->status == STOPPED ? -1 : end_container(c, e);
}

int cmd_kill(struct oci *o, int argc, char **argv, struct error *e) {
    bool all = false;
    const struct opt opts[] = {{"all", 'a', OPT_FLAG, &all}, {0}};
    int at = opt_parse(argc, argv, opts, "kill [--all] ID [SIGNAL]", 1, 2, e);
    if (at < 0)
        return -1;
    int sig = at + 1 < argc ? signal_number(argv[at + 1]) : SIGTERM;
    if (sig < 0)
        return error_set(e, "kill: invalid signal '%s'", argv[at + 1]);
    struct container c;
    int err = container_load(o, argv[at], false, &c, e);
    if (err == 0 && c.status == STOPPED)
        err = all ? 0 : error_set(e, "container %s: container not running", c.id);
    else if (err == 0)
        err = send(&c, sig, all, e);
    container_close(&c);
    return err;
}
