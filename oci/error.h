// SPDX-License-Identifier: Apache-2.0
// An error of a command: one message, made where it is known what went wrong, printed once at the end
// (oci/oci.c). Functions that can fail so take a struct error and return 0 or -1, or a pointer or NULL.
#ifndef OCI_ERROR_H
#define OCI_ERROR_H
#include <stddef.h>

struct error {
    char text[1024];  // a line without its newline; nothing in it can change a terminal
};

// Writes the message; returns -1. What does not print is escaped, what does not fit is cut.
int error_set(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// The same, with ": " and the text of errno `err` (as the host says it) behind it.
int error_errno(struct error *e, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// "...: Permission denied" becomes "...: permission denied": clients look for such words in small letters.
void error_lower_last(char *text);
// Everything but printable ASCII and UTF-8 becomes `?`.
void error_make_printable(char *text);

#endif
