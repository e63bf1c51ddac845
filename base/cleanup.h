// SPDX-License-Identifier: Apache-2.0
// Things that give themselves back at the end of a block, so that an early return leaks nothing.
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_fn(void *p) { free(*(void **)p); }
static inline void cleanup_close_fn(const int *fd) {
    if (*fd >= 0)
        close(*fd);
}
#define cleanup_free  __attribute__((cleanup(cleanup_free_fn)))   // char *p cleanup_free = NULL;
#define cleanup_close __attribute__((cleanup(cleanup_close_fn)))  // int fd cleanup_close = -1;

// Hands the value on: the variable no longer gives it back.
#define take_ptr(p)                                                                                          \
    ({                                                                                                       \
        __typeof__(p) taken_ = (p);                                                                          \
        (p) = NULL;                                                                                          \
        taken_;                                                                                              \
    })
static inline int take_fd(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}

#endif
