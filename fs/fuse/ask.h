// SPDX-License-Identifier: Apache-2.0
// Questions to a daemon of FUSE, as the rest of the sentry sees them. No thread of ours waits for a daemon:
// an operation whose answer is not there returns FS_WAIT, its caller's handler undoes what it did as for any
// error, and is run again from its start when the answer has come. A call's *asked* list is what it has asked
// and what was answered, in order: the handler's next run finds the answers there, and asks nothing twice. So
// a daemon is waited for with no lock held, by a call that is parked like any other, whatever daemon that is:
// the caller itself, one that never answers, one that is dead.
//
// What an operation asks must come before what it changes here, and it may change something by one question
// alone, its last.
#ifndef FS_FUSE_ASK_H
#define FS_FUSE_ASK_H
#include "base/waitq.h"
#include <stdbool.h>
#include <stdint.h>

struct vfs;
struct file;
struct superblock;
struct ns;
struct id_map;
struct fuse_asked;

// An answer is waited for. Never a guest's: whoever makes a call ends with it (run.c, worker.c).
#define FS_WAIT (-600)

// Whose question it is.
struct fuse_caller {
    struct fuse_asked **asked;  // of the call in progress, made when needed; NULL: there is no call
    uint32_t pid, uid, gid;
    const struct ns *user;  // its user namespace; borrowed, for the call
};
void vfs_set_fuse_caller(struct vfs *v, struct fuse_caller (*fn)(void));

// The caller's handler is to be run anew: its answers are looked through from the first. a may be NULL.
void fuse_rewind(struct fuse_asked *a);
// What was waited for since the last rewind; NULL: nothing. It lives as long as a.
struct waitq *fuse_waits(struct fuse_asked *a);
bool fuse_answered(struct fuse_asked *a);  // has come meanwhile: no need to wait
// A signal came that does not end the caller. The daemon is told, when it has read the question, and may
// answer as it likes: what waits, waits on.
void fuse_interrupt(struct fuse_asked *a);
// The call is over. What was not answered is nobody's any more; what was and is of no use is given back.
void fuse_asked_end(struct fuse_asked *a);

// /dev/fuse
struct inode;
struct vfs_ctx;
int fuse_dev_open(struct inode *i, struct file *f, const struct vfs_ctx *ctx);
bool vfs_has_fuse(const struct vfs *v);  // some was mounted once
bool fuse_is_dev(const struct file *f);
bool fuse_is_file(const struct file *f);  // its errors are its daemon's: EAGAIN is nothing to wait for
struct fuse_opts {
    uint32_t rootmode, user_id, group_id, max_read, blksize;  // 0: as the daemon says
    bool allow_other, default_permissions, is_block;
    const char *subtype;  // borrowed; NULL: none
    // ids as the daemon has them (base/idmap.h); borrowed from the superblock's owner. NULL: as they are
    const struct id_map *uids, *gids;
};
// dev: an open /dev/fuse. -LINUX_EINVAL: it has a file system already.
int fuse_create(struct vfs *v, struct file *dev, const struct fuse_opts *o, struct superblock **out);
// umount2(2) by force: what waits fails.
void fuse_abort_super(struct superblock *sb);
// close(2) is going to take f out of a table of descriptors: what the daemon says of that, or FS_WAIT.
int fuse_closing(struct file *f, void *owner);

#endif
