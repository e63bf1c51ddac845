// SPDX-License-Identifier: Apache-2.0
// What a supervisor does for its sentry's limits (sentry/report.h): tells it how much memory its stubs have,
// which /proc knows, and takes the report of the end.
#ifndef OCI_METER_H
#define OCI_METER_H
#include "sentry/report.h"
#include <stdbool.h>
#include <sys/types.h>

struct meter {
    int fd;    // the supervisor's end; -1: none
    int proc;  // the host's /proc: an init may enter another mount namespace; owned
    pid_t sentry;
    bool ended;  // `end` is there, and checked
    struct report_end end;
};

// Both ends of the connection; the second is the sentry's. 0 or -1 with errno.
int meter_open(struct meter *m, int *sentrys_end);
// Serves one message, when fd is readable. When the sentry has closed its end, or talks nonsense, fd becomes
// -1.
void meter_serve(struct meter *m);
// Where the caller may: the host's kernel, when memory runs out, ends any stub before this process.
void meter_protect(const struct meter *m, pid_t pid);
// The sentry has gone: what it still said.
void meter_finish(struct meter *m);

#endif
