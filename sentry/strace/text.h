// SPDX-License-Identifier: Apache-2.0
// A bounded line of text for strace: what does not fit is dropped, and the line is always ended by a NUL.
#ifndef SENTRY_STRACE_TEXT_H
#define SENTRY_STRACE_TEXT_H
#include "abi/flags.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *buf;
    size_t size; // at least 1
    size_t len;  // without the NUL
};

void text_init(struct text *x, char *buf, size_t size);
void text_fmt(struct text *x, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Bytes as a C string in quotes; `more' adds three dots after the quotes.
void text_quoted(struct text *x, const void *bytes, size_t n, bool more);
// Names joined by |, and what is left over in hex.
void text_flags(struct text *x, const struct flagset *set, uint64_t value);
// The one name, or the number.
void text_enum(struct text *x, const struct flagset *set, uint64_t value);
void text_hex(struct text *x, uint64_t value);
void text_ptr(struct text *x, uint64_t value);
void text_signal(struct text *x, uint64_t sig);
void text_mode(struct text *x, uint32_t mode);

#endif
