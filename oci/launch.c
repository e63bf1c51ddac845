// SPDX-License-Identifier: Apache-2.0
// See launch.h. The CLI stays as the parent: it is what the caller's shell stops, signals and waits for. Sentry and
// gofer die with it (PR_SET_PDEATHSIG), and the gofer ends when the sentry's end of their socket closes.
#include "oci/launch.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "host/confine.h"
#include "oci/proctitle.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// What a caller may send us and the guest should get. SIGKILL and SIGSTOP cannot be handed on: the first ends all.
static const int handed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT, SIGALRM};

static int failed(const char *what) {
    log_error("%s: %s", what, strerror(errno));
    return SENTRY_EXIT_FAILED;
}

// In a fresh child: dies with the parent, also when that was gone before we could ask. From a pid namespace the parent
// cannot be asked for (0); there the control pipe's end tells.
static void die_with(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent && getppid() != 0)
        _exit(SENTRY_EXIT_FAILED);
}

static pid_t start_gofer(int sock, int other, const struct gofer_root *roots, int n) {
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    die_with(parent);
    close(other);
    log_set_name("picket-gofer");
    proctitle_set("picket-gofer");
    _exit(gofer_run(sock, roots, n));
}

static pid_t start_sentry(struct sentry_config *config, int other) {
    pid_t parent = getpid(), pid = confine_fork();
    if (pid != 0)
        return pid;
    die_with(parent);
    close(other);
    setsid();  // the terminal's signals reach the CLI alone, which hands them on
    log_set_name("picket");
    proctitle_set("picket-sentry");
    int status = sentry_run(config);
    exit(status);
}

static void hand_on(int signals, int control) {
    struct signalfd_siginfo si;
    while (read(signals, &si, sizeof si) == (ssize_t)sizeof si) {
        unsigned char sig = (unsigned char)si.ssi_signo;
        if (si.ssi_signo != SIGCHLD && write(control, &sig, 1) < 0 && errno != EAGAIN)
            return;  // the sandbox is ending; its status is what counts now
    }
}

// Returns the sentry's exit status; until then signals are handed on.
static int supervise(pid_t sentry, pid_t gofer, int signals, int control) {
    for (;;) {
        int status;
        pid_t pid = waitpid(sentry, &status, WNOHANG);
        if (pid == sentry) {
            close(control);
            waitpid(gofer, NULL, 0);  // its socket has closed: it is on its way
            if (WIFEXITED(status))
                return WEXITSTATUS(status);
            log_error("the sentry ended with signal %d", WTERMSIG(status));
            return SENTRY_EXIT_FAILED;
        }
        if (pid < 0 && errno != EINTR)
            return failed("waiting for the sentry");
        fcntl(signals, F_SETFL, 0);  // sleep until the next signal, a child's end included
        struct signalfd_siginfo si;
        if (read(signals, &si, sizeof si) != (ssize_t)sizeof si)
            continue;
        unsigned char sig = (unsigned char)si.ssi_signo;
        if (sig != SIGCHLD && write(control, &sig, 1) < 0 && errno != EAGAIN)
            log_info("handing on signal %d: %s", sig, strerror(errno));
        fcntl(signals, F_SETFL, O_NONBLOCK);
        hand_on(signals, control);
    }
}

int launch(struct sentry_config *config, const struct gofer_root *roots, int nroots) {
    int gofer_socks[2], control[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, gofer_socks) < 0 ||
        pipe2(control, O_CLOEXEC | O_NONBLOCK) < 0)
        return failed("socketpair");
    pid_t gofer = start_gofer(gofer_socks[1], gofer_socks[0], roots, nroots);
    if (gofer < 0)
        return failed("fork");
    close(gofer_socks[1]);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (unsigned i = 0; i < sizeof handed_on / sizeof handed_on[0]; i++)
        sigaddset(&set, handed_on[i]);
    config->gofer_sock = gofer_socks[0];
    config->control_fd = control[0];
    pid_t sentry = start_sentry(config, control[1]);
    if (sentry < 0)
        return failed("fork");
    close(gofer_socks[0]);
    close(control[0]);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        return failed("signalfd");
    return supervise(sentry, gofer, signals, control[1]);
}
