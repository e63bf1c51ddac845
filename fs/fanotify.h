// SPDX-License-Identifier: Apache-2.0
// fanotify(7) within the VFS: groups with a queue of events, and their marks on inodes, mounts and file
// systems. Marks of inodes are watches (fs/notify.h) beside those of inotify; the hooks of fs/notify.c tell
// here once for each event, with what is known of object, directory and path. A file of a group, and what a
// guest reads of it, is sentry/fd/fanotify.c.
//
// LIMIT: no permission events: fanotify_mark(2) says EINVAL, as a kernel that is built without them; no
// FAN_REPORT_MNT and mount namespace marks, no FAN_FS_ERROR.
// LIMIT: FAN_UNLIMITED_QUEUE and FAN_UNLIMITED_MARKS lift the sysctls' limits alone: a user's queues hold 8
// MiB of events, a sandbox 131,072 marks. An evictable mark stays.
#ifndef FS_FANOTIFY_H
#define FS_FANOTIFY_H
#include "fs/notify.h"

#define FAN_FID_BITS \
    (LINUX_FAN_REPORT_FID | LINUX_FAN_REPORT_DIR_FID | LINUX_FAN_REPORT_NAME | LINUX_FAN_REPORT_TARGET_FID)
#define FAN_DIRENT_EVENTS \
    (LINUX_FAN_CREATE | LINUX_FAN_DELETE | LINUX_FAN_MOVED_FROM | LINUX_FAN_MOVED_TO | LINUX_FAN_RENAME)
#define FAN_FLAGS (LINUX_FAN_ONDIR | LINUX_FAN_EVENT_ON_CHILD)  // of a mask: they are no events

struct fan_group;

// ---- Telling: for fs/notify.c -----------------------------------------------------------------------------
extern _Atomic uint32_t fan_marks;  // how many there are in all
static inline bool fanotify_on(void) {
    return __builtin_expect(atomic_load_explicit(&fan_marks, memory_order_relaxed) != 0, 0);
}
struct fan_event {  // all borrowed
    uint32_t mask;  // LINUX_FAN_*, with LINUX_FAN_ONDIR when the object is a directory
    struct inode *object;
    const struct path *path;         // through which; NULL: not known
    struct inode *dir;               // in which it lies, or which has changed; NULL: not told
    const struct notify_name *name;  // in dir
    struct inode *ndir;              // LINUX_FAN_RENAME: the new one
    const struct notify_name *nname;
};
void fanotify_tell(const struct fan_event *e);
// Both with notify_lock held.
void fan_mark_forget(struct fan_mark *m);                               // off its group
void fan_marks_of_super_end(struct superblock *sb, struct list *gone);  // of sb, and of inodes of it

// ---- Groups -----------------------------------------------------------------------------------------------
struct fan_id {         // of an object, for a handle
    uint64_t dev, ino;  // dev 0: none
};
struct fan_queued {
    struct list link;
    uint32_t mask;
    struct notify_who who;
    struct path path;  // owned; none in a group that reports handles
    struct fan_id dir, ndir, object;
    size_t len, nlen;  // of the names; 0: none
    size_t cost;       // what is charged for it
    char names[];      // in dir, then in ndir
};
// Letters: [n] notify_lock  [q] its own
struct fan_group {
    struct list link;          // [n] in vfs->fan_groups
    struct vfs *vfs;           // [c] borrowed
    struct notify_user *user;  // [c] owned
    unsigned flags;            // [c] LINUX_FAN_* of fanotify_init(2)
    unsigned file_flags;       // [c] LINUX_O_* of the files of events
    bool unprivileged;         // [c] its maker was not CAP_SYS_ADMIN
    struct list marks;         // [n]
    struct lock lock;
    struct waitq wait;
    struct list events;  // [q]
    unsigned nevents;    // [q]
    // of the event that is being told [n]:
    uint64_t seen;
    uint32_t marked, ignored;
    bool old_dir, new_dir;
    struct list told;
    struct fan_queued lost;  // [q] on `events` when some were
};
// uid: whom it is charged to. The flags are checked. -LINUX_EMFILE, ENOMEM.
int fan_group_new(struct vfs *v, uint32_t uid, unsigned flags, unsigned file_flags, bool unprivileged,
                  struct fan_group **out);
void fan_group_free(struct fan_group *g);
// The first event, when `room` bytes are enough for it as size() says: the caller's to free. NULL with *err:
// EAGAIN, EINVAL.
struct fan_queued *fan_take(struct fan_group *g, size_t room,
                            size_t (*size)(const struct fan_group *g, const struct fan_queued *q), int *err);
void fan_queued_free(struct fan_group *g, struct fan_queued *q);
// A file of an event, of which nothing is told, by who reads it. The caller's permissions do not matter, its
// domain does. -LINUX_EROFS, EACCES, ...
int fan_open(const struct fan_group *g, const struct vfs_cred *c, const struct path *p, struct file **out);
bool fan_is_internal(const struct path *p);  // it has no place in any tree

// ---- Marks ------------------------------------------------------------------------------------------------
enum fan_on { FAN_ON_INODE, FAN_ON_MOUNT, FAN_ON_SUPER };
struct fan_mark {
    struct watch w;           // first. `mask` is what is wanted, of LINUX_FAN_*
    struct fan_group *group;  // [c] borrowed
    struct list in_group;     // [n]
    enum fan_on on;           // [c]
    const void *object;       // [c] what it lies on
    uint32_t ignore;          // [n] LINUX_FAN_*
    unsigned flags;           // [n] LINUX_FAN_MARK_IGNORED_SURV_MODIFY, IGNORE, EVICTABLE
};
// Changes the mark of g on what p leads to; made when there is none. flags: LINUX_FAN_MARK_*.
// -LINUX_ENOSPC, ENOMEM, EEXIST; fan_unmark(): -LINUX_ENOENT. `keep`: bits of the mask that do not keep a
// mark.
int fan_mark(struct fan_group *g, const struct path *p, enum fan_on on, uint32_t mask, unsigned flags);
int fan_unmark(struct fan_group *g, const struct path *p, enum fan_on on, uint32_t mask, unsigned flags,
               uint32_t keep);
void fan_flush(struct fan_group *g, enum fan_on on);

#endif
