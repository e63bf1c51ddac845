// SPDX-License-Identifier: Apache-2.0
// See error.h.
#include "oci/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void error_make_printable(char *text) {
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
}

void error_lower_last(char *text) {
    char *last = NULL;
    for (char *p = text; (p = strstr(p, ": ")); p += 2)
        last = p + 2;
    if (last && last[0] >= 'A' && last[0] <= 'Z' && last[1] >= 'a' && last[1] <= 'z')
        last[0] += 'a' - 'A';
}

int error_set(struct error *e, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    error_make_printable(e->text);
    return -1;
}

int error_errno(struct error *e, int err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    size_t n = strlen(e->text);
    snprintf(e->text + n, sizeof e->text - n, ": %s", strerror(err));
    error_lower_last(e->text);
    error_make_printable(e->text);
    return -1;
}
