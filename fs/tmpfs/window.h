// SPDX-License-Identifier: Apache-2.0
// Windows: pieces of memory files mapped into the sentry, so that large reads and writes are one copy between
// the file and the guest, made by the host (process_vm_readv and the like).
//
// Nothing of ours ever touches a window: where a page is missing, such a host call ends with EFAULT, but a
// load or store would kill the sentry. So a window is only for a request whose other side says by_host
// (fs/uio.h), and only for pages that are there (tdata.dense): what makes no page takes no memory either.
#ifndef FS_TMPFS_WINDOW_H
#define FS_TMPFS_WINDOW_H
#include "base/lock.h"
#include <stdint.h>

#define WINDOW_SIZE  (UINT64_C(1) << 20)
#define WINDOW_LEAST UINT64_C(16384)  // less than this goes the other way
#define WINDOW_ONCE  (UINT64_C(1) << 18)  // so much is worth a window though it may pass by once
#define WINDOW_SLOTS 128u             // so 128 MiB of a sandbox' files at most are mapped

struct window_slot {
    int fd;           // the memory file; -1: none
    uint64_t off;     // multiple of WINDOW_SIZE
    char *p;          // NULL: nothing is mapped
    unsigned users;   // who is copying just now
    // What was asked for in vain last: when the same bytes are asked for again, it gets the slot.
    int next_fd;
    uint64_t next_off, next_end;  // its offset; the end of that request
};
struct windows {
    struct lock lock;  // RANK_LEAF
    struct window_slot slots[WINDOW_SLOTS];  // [lock] by file and offset, one place for each
};
void windows_init(struct windows *w);
void windows_fini(struct windows *w);
// Where byte `at` of fd is mapped, with the rest of its window, a WINDOW_SIZE at a multiple of that; *slot is
// to be given back. NULL: it is not, go the other way. What [at, end) of it passes by once is not mapped,
// unless it is much: making a window costs about what copying a quarter of it does.
char *window_get(struct windows *w, int fd, uint64_t at, uint64_t end, struct window_slot **slot);
void window_put(struct windows *w, struct window_slot *slot);
// Before fd is closed or sealed; nobody copies.
void windows_forget(struct windows *w, int fd);

#endif
