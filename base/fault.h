// SPDX-License-Identifier: Apache-2.0
// Fault injection: makes the Nth allocation fail, so that a test can walk N over every error path. Kernel
// objects are allocated through these; in a process that never asks for a fault they cost one load more than
// calloc().
#ifndef BASE_FAULT_H
#define BASE_FAULT_H
#include <stddef.h>
#include <stdlib.h>  // free(), which goes with them

// NULL: none left, or injected
void *xcalloc(size_t n, size_t size) __attribute__((malloc, warn_unused_result));
void *xrealloc(void *p, size_t size) __attribute__((warn_unused_result));
char *xstrdup(const char *s) __attribute__((warn_unused_result));
char *xstrndup(const char *s, size_t n) __attribute__((warn_unused_result));
#define znew(type) ((type *)xcalloc(1, sizeof(type)))

// The nth allocation from now (1: the next) fails, once. 0: none. Returns how many were made since the last
// call.
unsigned fault_alloc_at(unsigned nth);

#endif
