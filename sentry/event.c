// SPDX-License-Identifier: Apache-2.0
// The event thread: what the host tells the sandbox (timers, readiness, signals that the CLI got), and then the tasks
// that this made ready.
#include "sentry/group.h"
#include "sentry/hostevent.h"
#include "sentry/jobctl.h"
#include "sentry/kernel.h"
#include "sentry/signal/signal.h"

void kernel_owner_get(void *task) { task_get(task); }

static bool terminal_signal(int sig) {
    return sig == LINUX_SIGINT || sig == LINUX_SIGQUIT || sig == LINUX_SIGTSTP || sig == LINUX_SIGWINCH;
}

// A signal of the terminal goes to its foreground group, any other to the main process; the end of the channel means
// that nobody is left to take the result.
static void on_control(int sig) {
    struct kernel *k = the_kernel;
    if (sig == 0) {
        tgroup_begin_exit(k->main, LINUX_SIGKILL);
        return;
    }
    LOCKED(&k->tasks_lock);
    struct pgroup *fg = terminal_signal(sig) ? jobctl_foreground(k) : NULL;
    if (fg)
        signal_send_pgrp(fg, sig, NULL);
    else
        signal_send_group(k->main, sig, NULL);
}

void event_thread(struct kernel *k) {
    while (hostevent_serve(on_control))
        run_ready();
}
