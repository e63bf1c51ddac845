// SPDX-License-Identifier: Apache-2.0
// The gofer's start: names the process, opens the roots, goes into its cage, serves. Called by the CLI in a
// forked child (gofer.h). What it may do is in cage.c, what it does in server.c.
#include "gofer/gofer.h"
#include "base/log.h"
#include "gofer/cage.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPARE_FDS 128  // roots, connection, descriptors of one operation

// As many descriptors as the host lets us have; the number of handles follows from it.
static uint32_t raise_fd_limit(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return 256;
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
    if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur <= 2 * SPARE_FDS)
        return 64;
    return r.rlim_cur > 65536 ? 65536 - SPARE_FDS : (uint32_t)r.rlim_cur - SPARE_FDS;
}

static int prepare(struct gofer_server *s, int sock, const struct gofer_root *roots, int n) {
    int err = gofer_server_init(s, roots, n, raise_fd_limit());
    return err ? err : gofer_cage(s, sock);
}

int gofer_run(int sock, const struct gofer_root *roots, int n) {
    prctl(PR_SET_NAME, "picket-gofer");
    log_set_name("picket-gofer");
    umask(0);
    struct gofer_server *s = malloc(sizeof(*s));
    if (!s) {
        log_error("no memory");
        return 1;
    }
    if (prepare(s, sock, roots, n)) {
        close(sock);
        return 1;
    }
    return gofer_serve(s, sock);  // the process ends: nothing is given back
}
