// SPDX-License-Identifier: Apache-2.0
// See supervise.h. Every signal that reaches the CLI is handed on, but SIGCHLD (our own children's) and what
// our own writes cause; SIGKILL and SIGSTOP cannot be caught: the first ends all. LIMIT: SIGSTOP from outside
// stops the CLI alone.
//
// Job control: to the caller's shell the CLI is the program. SIGTSTP goes in; when the program inside has
// stopped, the sentry says so and the CLI stops itself, by the same signal and its default action. The
// shell's SIGCONT wakes the CLI, which hands it on. A stop that crossed with a SIGCONT is void: both sides
// count those. Where nobody could continue us (an orphaned process group) the kernel ignores the stop, and
// the program is continued at once.
//
// One thread, no locks. What comes from the sentry is two bytes, and at worst makes us stop.
#include "oci/supervise.h"
#include "base/hostprocess.h"
#include "base/log.h"
#include "sentry/sentry.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// The host calls themselves: the C library's leave two real-time signals out.
static void set_mask(int how, uint64_t set) { syscall(SYS_rt_sigprocmask, how, &set, NULL, sizeof set); }

static int failed(const char *what) {
    log_error("%s: %s", what, strerror(errno));
    return SENTRY_EXIT_FAILED;
}

struct state {
    struct supervised *s;
    int signals;              // signalfd
    unsigned char continues;  // how many SIGCONTs went in
    double begun;             // s, CLOCK_MONOTONIC
};

static void send_in(struct state *st, int sig, bool from_terminal) {
    unsigned char byte = (unsigned char)(sig | (from_terminal ? SENTRY_CONTROL_TERMINAL : 0));
    if (sig == SIGCONT)
        st->continues++;
    // one that is ending hears no more: its status is what counts
    if (write(st->s->control, &byte, 1) < 0 && errno != EAGAIN)
        log_info("handing on signal %d: %s", sig, strerror(errno));
}

static void hand_on(struct state *st) {
    struct signalfd_siginfo si;
    while (read(st->signals, &si, sizeof si) == (ssize_t)sizeof si)
        if (si.ssi_signo != SIGCHLD && si.ssi_pid != (uint32_t)getpid())
            send_in(st, (int)si.ssi_signo, si.ssi_code == SI_KERNEL);
}

// By its default action, so that the caller's shell sees what it would see of the program.
static void stop_self(struct state *st, int sig) {
    uint64_t pending = 0;
    signal(sig, SIG_DFL);  // the caller may ignore it
    set_mask(SIG_UNBLOCK, PROCESS_SIGBIT(sig));
    kill(getpid(), sig);  // stopped; the next line is after a SIGCONT
    set_mask(SIG_BLOCK, PROCESS_SIGBIT(sig));
    syscall(SYS_rt_sigpending, &pending, sizeof pending);
    if (sig != SIGSTOP && !(pending & PROCESS_SIGBIT(SIGCONT)))
        send_in(st, SIGCONT, false);
}

static void take_stop(struct state *st) {
    struct sentry_stop stop;
    ssize_t n = read(st->s->stops, &stop, sizeof stop);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != (ssize_t)sizeof stop) {
        close(st->s->stops);  // the sentry is ending
        st->s->stops = -1;
        return;
    }
    hand_on(st);  // what came before must count
    bool stops = stop.sig == SIGSTOP || stop.sig == SIGTSTP || stop.sig == SIGTTIN || stop.sig == SIGTTOU;
    if (stops && stop.continues == st->continues)
        stop_self(st, stop.sig);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Without a report the sandbox has ended otherwise than by its program's end.
static void tell_end(struct state *st, int status, const struct rusage *usage) {
    struct ended *d = st->s->ended;
    struct meter *m = st->s->meter;
    meter_finish(m);
    if (!d)
        return;
    d->wall = now() - st->begun;
    d->usage = *usage;
    d->report = m->end;
    d->wait_status = m->ended ? (int)m->end.wait_status : status;
    bool no_program = WIFEXITED(status) && (WEXITSTATUS(status) == SENTRY_EXIT_NO_EXEC ||
                                            WEXITSTATUS(status) == SENTRY_EXIT_NO_FILE);
    enum end_cause cause = no_program ? END_EXITED : END_HOST;
    d->cause = end_cause_name(m->ended ? m->end.cause : cause);
}

static int ended(struct state *st, int status, const struct rusage *usage) {
    tell_end(st, status, usage);
    close(st->s->control);
    if (st->s->stops >= 0)
        close(st->s->stops);
    waitpid(st->s->gofer, NULL, 0);  // its socket has closed: it is on its way
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    log_error("the sentry ended with signal %d", WTERMSIG(status));
    return SENTRY_EXIT_FAILED;
}

int supervise(struct supervised *s) {
    struct state st = {.s = s, .begun = now()};
    uint64_t set = s->signals | PROCESS_SIGBIT(SIGCHLD);
    st.signals = (int)syscall(SYS_signalfd4, -1, &set, sizeof set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (st.signals < 0)
        return failed("signalfd");
    for (;;) {
        int status;
        // Any child: the gofer may lie in the sentry's pid namespace, which cannot end before it is reaped.
        struct rusage usage;
        pid_t pid = wait4(-1, &status, WNOHANG, &usage);
        if (pid == s->sentry)
            return ended(&st, status, &usage);
        if (pid > 0)
            continue;
        if (pid < 0 && errno != EINTR)
            return failed("waiting for the sentry");
        struct pollfd fds[] = {{.fd = st.signals, .events = POLLIN},
                               {.fd = s->stops, .events = POLLIN},
                               {.fd = s->meter->fd, .events = POLLIN}};
        if (poll(fds, 3, -1) < 0)
            continue;
        hand_on(&st);
        if (fds[2].revents)
            meter_serve(s->meter);
        if (fds[1].revents)
            take_stop(&st);
    }
}
