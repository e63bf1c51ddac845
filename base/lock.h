// SPDX-License-Identifier: Apache-2.0
// Locks with ranks. A thread takes locks only in rising rank (equal ranks only through lock_nested()), which
// debug builds check at run time; so no two threads can wait for each other. No lock is held while waiting
// for a guest.
#ifndef BASE_LOCK_H
#define BASE_LOCK_H
#include <pthread.h>
#include <stdbool.h>

// The order of all locks in the tree, outermost first. A lock may be taken while any lock above it is held.
enum lock_rank {
    RANK_NONE,
    RANK_FILE_POS,       // a file's offset: held while the object reads, whatever that needs
    RANK_PROC_DIR,       // directories of procfs, whose look-ups ask for tasks
    RANK_TASKS,          // the pid tables, parent/child links, groups, sessions (sentry/kernel.h)
    RANK_MM,             // a memory map
    RANK_FILES,          // a descriptor table
    RANK_FS_CTX,         // root, cwd, umask of a task
    RANK_MOUNTS,         // the mount table
    RANK_LAYERS_RENAME,  // the same three of guests' overlays (fs/layers), which change other file systems:
    RANK_LAYERS_DIR,     // renames, directories
    RANK_LAYERS_CHANGE,  // and the names of an upper layer
    RANK_RENAME,         // directory renames of one file system
    RANK_DIR,            // a directory inode (a parent before its child, with lock_nested)
    RANK_INODE,          // a non-directory inode
    RANK_DCACHE,         // names and links of dentries
    RANK_NOTIFY,         // watches of inodes (fs/notify.h)
    RANK_EPOLL,          // an epoll instance (the outer before the inner, with lock_nested)
    RANK_URINGS,         // which rings of io_uring there are (sentry/uring/)
    RANK_OBJECT,         // pipes, eventfds, ttys, sockets, tmpfs data, timers' owners
    RANK_NETDEV,         // devices between network stacks (sentry/net/netdev.h)
    RANK_NETSTACK,       // a network stack: all of it (netstack/core/stack.h)
    RANK_CLIENT,         // the gofer connection
    RANK_SIGNAL,         // signal state of a thread group
    RANK_FUTEX,          // a futex bucket
    RANK_TIMER,          // the timer queue
    RANK_WAITQ,          // a wait queue
    RANK_READY,          // lists of tasks that are ready to go on
    RANK_PLATFORM,       // inside platform/
    RANK_LEAF,           // takes nothing further, but that it may close a descriptor:
    RANK_FDCHARGE,       // whom a descriptor is charged to
};

struct lock {
    pthread_mutex_t m;
    enum lock_rank rank;
};

void lock_init(struct lock *l, enum lock_rank rank);
void lock_destroy(struct lock *l);
void lock_take(struct lock *l);
void lock_nested(struct lock *l);  // same rank as one that is held, in an order that the caller documents
bool lock_try(struct lock *l);     // false: somebody has it, this thread itself perhaps
void lock_drop(struct lock *l);
// True in release builds; in debug builds, whether this thread holds it. For assertions.
bool lock_held(const struct lock *l);
// Panics in debug builds when this thread holds any lock: called where a thread may sleep or returns to its
// loop.
void lock_assert_none(const char *where);

#define LOCK_INITIALIZER(r) {PTHREAD_MUTEX_INITIALIZER, (r)}

static inline void lock_cleanup(struct lock **l) {
    if (*l)
        lock_drop(*l);
}
// Holds a lock until the end of the enclosing block: LOCKED(&x->lock);
#define LOCK_CAT2(a, b) a##b
#define LOCK_CAT(a, b)  LOCK_CAT2(a, b)
#define LOCKED(l)                                                                                            \
    struct lock *LOCK_CAT(held_, __LINE__) __attribute__((cleanup(lock_cleanup), unused)) = (l);             \
    lock_take(LOCK_CAT(held_, __LINE__))
#define LOCKED_NESTED(l)                                                                                     \
    struct lock *LOCK_CAT(held_, __LINE__) __attribute__((cleanup(lock_cleanup), unused)) = (l);             \
    lock_nested(LOCK_CAT(held_, __LINE__))

#endif
