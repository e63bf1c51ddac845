// SPDX-License-Identifier: Apache-2.0
// See launch.h. The CLI stays as the parent: it is what the caller's shell stops, signals and waits for.
// Sentry and gofer die with it (PR_SET_PDEATHSIG), and the gofer ends when the sentry's end of their socket
// closes.
#include "oci/launch.h"
#include "base/cleanup.h"
#include "base/hostprocess.h"
#include "base/log.h"
#include "host/confine.h"
#include "oci/opt.h"
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

static void close_fds(const int *fds, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static pid_t start_sentry(struct sentry_config *config, int gofers_end, const struct launched *l) {
    pid_t parent = getpid(), pid = confine_fork();
    if (pid != 0)
        return pid;
    process_start(NULL);
    die_with(parent);
    close(gofers_end);
    close_fds(l->mine, LAUNCH_MINE);
    setsid();  // the terminal's signals reach the CLI alone, which hands them on
    if (l->log_fd >= 0)
        log_set_fd(l->log_fd);
    log_set_name("picket");
    proctitle_set("picket-sentry");
    sentry_take_cpus(&config->limits);
    int status = sentry_run(config);
    exit(status);
}

static void close_links(const struct sentry_config *config) {
    if (config && config->net)
        close_fds(config->net_fds, sentry_net_fds(config->net));
}

static pid_t start_gofer(const int socks[2], const struct sentry_config *config,
                         const struct gofer_root *roots, int n, const struct launched *l) {
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    process_start(NULL);
    die_with(parent);
    close(socks[0]);  // the sentry's: as long as it is open here its end would not be seen
    close_fds(l->mine, LAUNCH_MINE);
    close_links(config);
    drop_fds(config ? config->process.more_fds : 0);
    setsid();  // as for the sentry
    if (l->log_fd >= 0)
        dup2(l->log_fd, STDERR_FILENO);
    log_set_name("picket-gofer");
    proctitle_set("picket-gofer");
    _exit(gofer_run(socks[1], roots, n));
}

// The sentry first: it has more to do until it needs the gofer than the gofer until it serves. Without a
// gofer it finds its socket closed.
int launch_start(struct sentry_config *config, const struct gofer_root *roots, int nroots,
                 struct launched *l) {
    int socks[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks) < 0) {
        failed("socketpair");
        return -1;
    }
    config->gofer_sock = socks[0];
    l->sentry = start_sentry(config, socks[1], l);
    l->gofer = l->sentry < 0 ? -1 : start_gofer(socks, config, roots, nroots, l);
    close(socks[0]);
    close(socks[1]);
    close_links(config);
    if (l->gofer < 0)
        failed("fork");
    return l->gofer < 0 ? -1 : 0;
}

int launch_gofer(const struct gofer_root *roots, int nroots, struct launched *l, int *sock) {
    int socks[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks) < 0)
        return failed("socketpair"), -1;
    l->gofer = start_gofer(socks, NULL, roots, nroots, l);
    close(socks[1]);
    *sock = socks[0];
    if (l->gofer >= 0)
        return 0;
    close(socks[0]);
    return failed("fork"), -1;
}

int launch(struct sentry_config *config, const struct gofer_root *roots, int nroots, struct ended *ended) {
    int control[2], stops[2];
    struct meter meter = {.fd = -1, .proc = -1};
    if (pipe2(control, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(stops, O_CLOEXEC | O_NONBLOCK) < 0 ||
        (ended && meter_open(&meter, &config->report_fd) < 0))
        return failed("pipe");
    config->control_fd = control[0];
    config->stops_fd = stops[1];
    struct launched l = {.mine = {control[1], stops[0], meter.fd, meter.proc, -1, -1, -1}, .log_fd = -1};
    if (launch_start(config, roots, nroots, &l) < 0)
        return SENTRY_EXIT_FAILED;
    close(control[0]);
    close(stops[1]);
    if (ended)
        close(config->report_fd);
    meter.sentry = l.sentry;
    struct supervised s = {.sentry = l.sentry,
                           .gofer = l.gofer,
                           .control = control[1],
                           .stops = stops[0],
                           .signals = config->inherited->held,
                           .meter = &meter,
                           .ended = ended};
    return supervise(&s);
}
