// SPDX-License-Identifier: Apache-2.0
// The event thread: what the host tells the sandbox (timers, readiness, signals that the CLI got), and then
// the tasks that this made ready.
#include "sentry/kernel.h"
#include "sentry/proc/jobctl.h"
#include "sentry/run/hostevent.h"
#include "sentry/run/run.h"
#include "sentry/sentry.h"
#include "sentry/signal/signal.h"

// The end of the channel means that nobody is left to take the result.
static void on_control(void *arg, int byte) {
    struct kernel *k = arg;
    if (byte == 0)
        tgroup_begin_exit(k->main, LINUX_SIGKILL);
    else
        jobctl_signal(k, byte & ~SENTRY_CONTROL_TERMINAL, byte & SENTRY_CONTROL_TERMINAL);
}

void event_thread(struct kernel *k) {
    while (hostevent_serve(k->events, on_control, k))
        run_ready(k);
}
