// SPDX-License-Identifier: Apache-2.0
// A descriptor table: numbers to open files. Shared by tasks with CLONE_FILES. A lookup is one short lock and
// one reference; RLIMIT_NOFILE is the caller's word.
#ifndef SENTRY_FD_FDTABLE_H
#define SENTRY_FD_FDTABLE_H
#include "fs/vfs.h"

#define FD_MAX (1 << 20)  // Linux's fs.nr_open

struct fdtable {
    struct refcount refs;
    struct lock lock;     // RANK_FILES
    struct fdslot {
        struct file *file;  // owned
        bool cloexec;
    } *slots;             // [lock]
    unsigned size;        // [lock] allocated slots
    unsigned first_free;  // [lock] no slot below is free
};

struct fdtable *fdtable_new(void);
struct fdtable *fdtable_get(struct fdtable *t);
void fdtable_put(struct fdtable *t);                 // the last one closes everything
struct fdtable *fdtable_copy(struct fdtable *old);   // for fork; NULL: no memory
void fdtable_close_exec(struct fdtable *t);          // exec: closes what is marked
// The file behind a number: referenced, or NULL. O_PATH files too: fd_get_io() refuses those, as EBADF wants.
int64_t fd_end(struct fdtable *t);  // one more than the highest number in use
struct file *fd_get(struct fdtable *t, int fd);
struct file *fd_get_io(struct fdtable *t, int fd);
// open for that, too: FMODE_READ, FMODE_WRITE
struct file *fd_get_mode(struct fdtable *t, int fd, unsigned mode);
// The lowest free number >= min and < limit. Takes a reference of its own. -LINUX_EMFILE, -LINUX_EINVAL,
// -LINUX_ENOMEM.
int fd_install(struct fdtable *t, struct file *f, int min, uint64_t limit, bool cloexec);
// Puts f at exactly `fd`; what was there is closed. As dup2.
int fd_replace(struct fdtable *t, struct file *f, int fd, uint64_t limit, bool cloexec);
int fd_close(struct fdtable *t, int fd);
// The same, with a reference of the file kept for the caller. NULL: -LINUX_EBADF.
struct file *fd_close_keep(struct fdtable *t, int fd);
// < 0: only asks; the flag before, or -LINUX_EBADF
int fd_set_cloexec(struct fdtable *t, int fd, int cloexec);
// close_range(2): closes (or marks) first..last.
void fd_close_range(struct fdtable *t, unsigned first, unsigned last, bool mark_only);
// The next open number >= fd with its file (referenced), or -1. For /proc/PID/fd.
int fd_next(struct fdtable *t, int fd, struct file **out);
unsigned fd_count(struct fdtable *t);
bool fd_count_at_least(struct fdtable *t, uint64_t n);  // are all numbers below n taken?

static inline void file_cleanup(struct file **f) {
    if (*f)
        file_put(*f);
}
#define cleanup_file __attribute__((cleanup(file_cleanup)))

#endif
