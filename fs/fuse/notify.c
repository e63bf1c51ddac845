// SPDX-License-Identifier: Apache-2.0
// What a daemon says unasked: that something which was told before is not so any more. It is asked again
// then.
// LIMIT: NOTIFY_STORE and NOTIFY_RETRIEVE of FUSE daemons are EINVAL: nothing of their data is kept here.
#include "fs/fuse/fuse.h"
#include <string.h>

static int64_t stale_inode(struct fuse_conn *c, uint64_t nodeid) {
    struct inode *i = fuse_find(c, nodeid);
    if (!i)
        return -LINUX_ENOENT;
    fuse_stale(i);
    inode_put(i);
    return 0;
}
// All names of that directory are looked up again: more than was said, and as true.
static int64_t stale_names(struct fuse_conn *c, uint64_t parent, uint32_t namelen, size_t rest) {
    if (namelen > LINUX_NAME_MAX)
        return -LINUX_ENAMETOOLONG;
    if (rest != (size_t)namelen + 1)
        return -LINUX_EINVAL;
    struct inode *i = fuse_find(c, parent);
    if (!i)
        return -LINUX_ENOENT;
    atomic_fetch_add(&fuse_node(i)->epoch, 1);
    fuse_stale(i);
    inode_put(i);
    return 0;
}
int64_t fuse_notified(struct fuse_conn *c, int code, const unsigned char *p, size_t n) {
    struct linux_fuse_notify_inval_inode_out inode;
    struct linux_fuse_notify_inval_entry_out entry;
    struct linux_fuse_notify_delete_out gone;
    switch (code) {
    case LINUX_FUSE_NOTIFY_INVAL_INODE:
        if (n != sizeof inode)
            return -LINUX_EINVAL;
        memcpy(&inode, p, sizeof inode);
        return stale_inode(c, inode.ino);
    case LINUX_FUSE_NOTIFY_INVAL_ENTRY:
        if (n < sizeof entry)
            return -LINUX_EINVAL;
        memcpy(&entry, p, sizeof entry);
        return stale_names(c, entry.parent, entry.namelen, n - sizeof entry);
    case LINUX_FUSE_NOTIFY_DELETE:
        if (n < sizeof gone)
            return -LINUX_EINVAL;
        memcpy(&gone, p, sizeof gone);
        return stale_names(c, gone.parent, gone.namelen, n - sizeof gone);
    case LINUX_FUSE_NOTIFY_POLL:
        return 0;
    default:
        return -LINUX_EINVAL;
    }
}
