// SPDX-License-Identifier: Apache-2.0
// The six arguments of a system call, and how a handler reads one: as the type that Linux declares for it
// (SYSCALL_DEFINEn), and through these alone. A register has 64 bits whatever the type is; an argument of 32
// bits is its low half, and nothing looks at the upper one.
#ifndef SENTRY_RUN_ARGS_H
#define SENTRY_RUN_ARGS_H
#include "base/uaddr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYSARGS 6

struct sysargs {
    uint64_t v[SYSARGS];  // registers as the guest left them: for the accessors, tracing and ptrace
};

// int, pid_t, clockid_t, key_t, a descriptor (Linux has it unsigned at places: a number is refused alike)
static inline int32_t arg_int(const struct sysargs *a, unsigned i) { return (int32_t)a->v[i]; }
// unsigned int, uid_t, gid_t, dev_t of mknod(2)
static inline uint32_t arg_u32(const struct sysargs *a, unsigned i) { return (uint32_t)a->v[i]; }
// umode_t, which has 16 bits
static inline uint32_t arg_mode(const struct sysargs *a, unsigned i) { return (uint16_t)a->v[i]; }
static inline int64_t arg_long(const struct sysargs *a, unsigned i) { return (int64_t)a->v[i]; }
static inline uint64_t arg_ulong(const struct sysargs *a, unsigned i) { return a->v[i]; }
static inline size_t arg_size(const struct sysargs *a, unsigned i) { return a->v[i]; }
// off_t, loff_t: bytes
static inline int64_t arg_off(const struct sysargs *a, unsigned i) { return (int64_t)a->v[i]; }
static inline uaddr_t arg_ptr(const struct sysargs *a, unsigned i) { return uaddr(a->v[i]); }
// a pointer that may be NULL: is it not?
static inline bool arg_given(const struct sysargs *a, unsigned i) { return a->v[i] != 0; }

#endif
