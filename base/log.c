// SPDX-License-Identifier: Apache-2.0
// See log.h. No locks: one write(2) a line.
#include "base/log.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum log_level log_level_now = LOG_WARN;
static int log_fd = 2;
static const char *log_name = "picket";

void log_set_level(enum log_level level) { log_level_now = level; }
void log_set_fd(int fd) { log_fd = fd; }
void log_set_name(const char *name) { log_name = name; }

__attribute__((format(printf, 2, 0))) static void emit(const char *prefix, const char *fmt, va_list ap) {
    char line[1024];
    int n = snprintf(line, sizeof line, "%s: %s", log_name, prefix);
    int m = vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
    size_t len = (size_t)n + (m < 0 ? 0 : (size_t)m);
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    line[len++] = '\n';
    if (write(log_fd, line, len) < 0)
        return;  // nobody is left to tell
}

void log_msg(enum log_level level, const char *fmt, ...) {
    static const char *const prefix[] = {"", "warning: ", "", "debug: "};
    if (level > log_level_now)
        return;
    va_list ap;
    va_start(ap, fmt);
    emit(prefix[level], fmt, ap);
    va_end(ap);
}

void log_raw(const char *line, size_t len) {
    if (write(log_fd, line, len) < 0)
        return;  // as above
}

void panic_at(const char *file, int line, const char *fmt, ...) {
    char where[200];
    snprintf(where, sizeof where, "panic at %s:%d: ", file, line);
    va_list ap;
    va_start(ap, fmt);
    emit(where, fmt, ap);
    va_end(ap);
    abort();
}
