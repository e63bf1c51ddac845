// SPDX-License-Identifier: Apache-2.0
// Structures that strace shows: the list of types that in(), out() and inout() of abi/syscalls.def can name.
#ifndef SENTRY_STRACE_TYPES_H
#define SENTRY_STRACE_TYPES_H
#include "sentry/strace/strace.h"
#include "sentry/strace/text.h"

#define STRACE_STRING_MAX 32  // bytes of data shown, as strace -s
#define STRACE_PATH_MAX   256 // bytes of a path shown
#define STRACE_ARRAY_MAX  16  // elements shown
#define STRACE_TYPE_MAX   400 // largest structure

// Where guest memory comes from.
struct strace_mem {
    strace_copy_fn copy;
    void *ctx;
};

// A structure of fixed size: `object' is a private copy of it.
struct strace_type {
    const char *name;
    size_t size;
    void (*print)(struct text *x, const void *object);
};
const struct strace_type *strace_type_find(const char *name, size_t len);

// Types that are more than one fixed structure. `limit' bounds data that follows from the structure (bytes
// that were moved); `count' is what the specification gives.
void strace_bytes(struct text *x, const struct strace_mem *m, uint64_t addr, uint64_t count);
void strace_string(struct text *x, const struct strace_mem *m, uint64_t addr);
void strace_strings(struct text *x, const struct strace_mem *m, uint64_t addr);  // argv
void strace_strcount(struct text *x, const struct strace_mem *m, uint64_t addr); // envp
void strace_iovec(struct text *x, const struct strace_mem *m, uint64_t addr, uint64_t count, uint64_t limit);
void strace_fdset(struct text *x, const struct strace_mem *m, uint64_t addr, uint64_t nfds);
void strace_sockaddr(struct text *x, const struct strace_mem *m, uint64_t addr, uint64_t len);
void strace_msghdr(struct text *x, const struct strace_mem *m, uint64_t addr, uint64_t limit);
void strace_array(struct text *x, const struct strace_mem *m, const struct strace_type *type, uint64_t addr,
                  uint64_t count);

#endif
