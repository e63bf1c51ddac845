// SPDX-License-Identifier: Apache-2.0
// See launch.h. The CLI stays as the parent: it is what the caller's shell stops, signals and waits for.
// Sentry and gofer die with it (PR_SET_PDEATHSIG), and the gofer ends when the sentry's end of their socket
// closes.
#include "oci/launch.h"
#include "base/cleanup.h"
#include "base/hostprocess.h"
#include "base/log.h"
#include "host/confine.h"
#include "oci/proctitle.h"
#include "oci/supervise.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int failed(const char *what) {
    log_error("%s: %s", what, strerror(errno));
    return SENTRY_EXIT_FAILED;
}

// In a fresh child: dies with the parent, also when that was gone before we could ask. From a pid namespace
// the parent cannot be asked for (0); there the control pipe's end tells.
static void die_with(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent && getppid() != 0)
        _exit(SENTRY_EXIT_FAILED);
}

static pid_t start_sentry(struct sentry_config *config, const struct supervised *s, int gofers_end) {
    pid_t parent = getpid(), pid = confine_fork();
    if (pid != 0)
        return pid;
    process_start(NULL);
    die_with(parent);
    close(s->control);
    close(s->stops);
    close(gofers_end);
    setsid();  // the terminal's signals reach the CLI alone, which hands them on
    log_set_name("picket");
    proctitle_set("picket-sentry");
    int status = sentry_run(config);
    exit(status);
}

static pid_t start_gofer(int sock, const struct supervised *s, const struct gofer_root *roots, int n) {
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    process_start(NULL);
    die_with(parent);
    close(s->control);
    close(s->stops);
    setsid();  // as for the sentry
    log_set_name("picket-gofer");
    proctitle_set("picket-gofer");
    _exit(gofer_run(sock, roots, n));
}

// The sentry first: it has more to do until it needs the gofer than the gofer until it serves.
int launch(struct sentry_config *config, const struct gofer_root *roots, int nroots) {
    struct supervised s = {.signals = config->inherited->held};
    int gofer_socks[2], control[2], stops[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, gofer_socks) < 0 ||
        pipe2(control, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(stops, O_CLOEXEC | O_NONBLOCK) < 0)
        return failed("socketpair");
    config->gofer_sock = gofer_socks[0];
    config->control_fd = control[0];
    config->stops_fd = stops[1];
    s.control = control[1];
    s.stops = stops[0];
    s.sentry = start_sentry(config, &s, gofer_socks[1]);
    if (s.sentry < 0)
        return failed("fork");
    close(gofer_socks[0]);
    close(control[0]);
    close(stops[1]);
    s.gofer = start_gofer(gofer_socks[1], &s, roots, nroots);
    close(gofer_socks[1]);
    if (s.gofer < 0)
        return failed("fork");  // the sentry finds its socket closed, and dies with us
    return supervise(&s);
}
