// SPDX-License-Identifier: Apache-2.0
// picket wait [--json] ID: until the container's program has ended. Prints its exit status (128 + n: by
// signal n).
#include "base/cleanup.h"
#include "oci/cmd.h"
#include "oci/control.h"
#include "oci/opt.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Until its init is gone: then the state says how it ended. Also where it says so already: init may have to
// leave it in the bundle and in the cgroup's events yet.
static void await(const struct container *c) {
    int fd = c->pid > 0 ? (int)syscall(SYS_pidfd_open, c->pid, 0) : -1;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (fd >= 0 && process_start_time(c->pid) == c->pid_start)
        TEMP_FAILURE_RETRY(poll(&p, 1, -1));
    if (fd >= 0)
        close(fd);
}

static int show(const struct container *c, bool json, struct error *e) {
    int status = c->wait_status;
    char *line cleanup_free = json ? container_result_json(c) : NULL;
    if (json && !line)
        return error_set(e, "no memory");
    if (json)
        puts(line);
    else
        printf("%d\n", WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    return 0;
}

int cmd_wait(struct oci *o, int argc, char **argv, struct error *e) {
    bool json = false;
    const struct opt opts[] = {{"json", 0, OPT_FLAG, &json}, {0}};
    int at = opt_parse(argc, argv, opts, "wait [--json] ID", 1, 1, e);
    if (at < 0)
        return -1;
    struct container c;
    int err = container_load(o, argv[at], false, &c, e);
    if (err == 0 && c.pid > 0) {
        await(&c);
        container_close(&c);
        err = container_load(o, argv[at], false, &c, e);
    }
    if (err == 0)
        err = show(&c, json, e);
    container_close(&c);
    return err;
}
