// SPDX-License-Identifier: Apache-2.0
// CONTROL_EXEC as bytes (sentry/control.h), to a process description.
#ifndef SENTRY_RUN_CONTROLEXEC_H
#define SENTRY_RUN_CONTROLEXEC_H
#include "sentry/sentry.h"

struct exec_request {
    struct sentry_process process;  // points into the message and into this object
    uint32_t *groups;
    char **vectors;  // arguments, NULL, environment, NULL
};

// `message` has n bytes, n >= sizeof(struct control_head), and must live as long as the result. NULL: it is
// not well formed, or there is no memory.
struct exec_request *controlexec_read(const void *message, size_t n);
void controlexec_free(struct exec_request *r);

#endif
