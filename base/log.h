// SPDX-License-Identifier: Apache-2.0
// Diagnostics of our own processes: one line each to a descriptor (stderr unless told otherwise), formatted
// into a bounded buffer and written with one write(2). Nothing that a guest controls is printed unescaped.
#ifndef BASE_LOG_H
#define BASE_LOG_H
#include <stdarg.h>
#include <stddef.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);  // default LOG_WARN; PICKET_LOG in the CLI's environment sets it
void log_set_fd(int fd);
void log_set_name(const char *name);  // a string constant: "sentry", "gofer"
void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// A finished line with its newline, as it is: for --strace. What can come from a guest is escaped by the
// caller.
void log_raw(const char *line, size_t len);
extern enum log_level log_level_now;

#define log_error(...) log_msg(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_msg(LOG_WARN, __VA_ARGS__)
#define log_info(...)                                                                                        \
    do {                                                                                                     \
        if (log_level_now >= LOG_INFO)                                                                       \
            log_msg(LOG_INFO, __VA_ARGS__);                                                                  \
    } while (0)
#define log_debug(...)                                                                                       \
    do {                                                                                                     \
        if (log_level_now >= LOG_DEBUG)                                                                      \
            log_msg(LOG_DEBUG, __VA_ARGS__);                                                                 \
    } while (0)

// Our own mistake (never the guest's): says where, and aborts.
void panic_at(const char *file, int line, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
// Stays in release builds: an invariant of ours, cheap to check.
#define invariant(cond)                                                                                      \
    do {                                                                                                     \
        if (__builtin_expect(!(cond), 0))                                                                    \
            panic("broken invariant: %s", #cond);                                                            \
    } while (0)

#endif
