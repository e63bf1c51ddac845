// SPDX-License-Identifier: Apache-2.0
// A guest address. It is a type of its own, so that no code of ours can dereference it by mistake: only the
// copy routines of the sentry (sentry/mm/usercopy.h) and the platform take it.
#ifndef BASE_UADDR_H
#define BASE_UADDR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t v;
} uaddr_t;

#define UADDR_NULL ((uaddr_t){0})
#define GUEST_PAGE_SIZE 4096ull
#define GUEST_PAGE_MASK (~(GUEST_PAGE_SIZE - 1))

static inline uaddr_t uaddr(uint64_t v) { return (uaddr_t){v}; }
static inline uaddr_t uaddr_add(uaddr_t a, uint64_t n) { return (uaddr_t){a.v + n}; }
static inline bool uaddr_is_null(uaddr_t a) { return a.v == 0; }
static inline uint64_t page_down(uint64_t v) { return v & GUEST_PAGE_MASK; }
// The caller has ruled out overflow (v is at most 2^64 - page size).
static inline uint64_t page_up(uint64_t v) { return (v + GUEST_PAGE_SIZE - 1) & GUEST_PAGE_MASK; }

#endif
