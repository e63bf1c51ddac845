// SPDX-License-Identifier: Apache-2.0
// Extended attributes of FUSE: the daemon has them.
// LIMIT: security.capability of a file of FUSE gives nothing.
#include "abi/misc.h"
#include "fs/fuse/fuse.h"
#include <string.h>

static int unsupported(int err) { return err == -LINUX_ENOSYS ? -LINUX_EOPNOTSUPP : err; }

// The answer is the bytes, or, where size is 0, how many there are.
static int64_t ask_bytes(struct inode *i, struct fuse_question *q, void *buf, size_t size) {
    struct linux_fuse_getxattr_out o;
    struct fuse_req *r;
    q->nodeid = fuse_node(i)->nodeid;
    q->out_least = size ? 0 : sizeof o;
    q->out_most = size ? size : sizeof o;
    int err = fuse_ask(fuse_conn(i), q, &r);
    if (err)
        return unsupported(err);
    if (size) {
        if (r->out_size)
            memcpy(buf, r->out, r->out_size);
        return (int64_t)r->out_size;
    }
    memcpy(&o, r->out, sizeof o);
    return o.size < LINUX_XATTR_SIZE_MAX ? o.size : LINUX_XATTR_SIZE_MAX;
}
int64_t fuse_getxattr(struct inode *i, const char *name, void *buf, size_t size) {
    const struct linux_fuse_getxattr_in in = {.size = (uint32_t)size};
    return ask_bytes(i,
                     &(struct fuse_question){.opcode = LINUX_FUSE_GETXATTR,
                                             .args = {{&in, sizeof in}, {name, strlen(name) + 1}}},
                     buf, size);
}
int64_t fuse_listxattr(struct inode *i, char *buf, size_t size, bool trusted) {
    const struct linux_fuse_getxattr_in in = {.size = (uint32_t)size};
    int64_t n = ask_bytes(
        i, &(struct fuse_question){.opcode = LINUX_FUSE_LISTXATTR, .args = {{&in, sizeof in}}}, buf, size);
    if (n > 0 && size && buf[n - 1] != '\0')
        return -LINUX_EIO;
    return n;
}
int fuse_setxattr(struct inode *i, const char *name, const void *value, size_t size, int flags) {
    const struct linux_fuse_setxattr_in in = {.size = (uint32_t)size, .flags = (uint32_t)flags};
    struct fuse_req *r;
    int err =
        fuse_ask(fuse_conn(i),
                 &(struct fuse_question){.opcode = LINUX_FUSE_SETXATTR,
                                         .nodeid = fuse_node(i)->nodeid,
                                         .args = {{&in, sizeof in}, {name, strlen(name) + 1}, {value, size}}},
                 &r);
    fuse_stale(i);
    return unsupported(err);
}
int fuse_removexattr(struct inode *i, const char *name) {
    struct fuse_req *r;
    int err = fuse_ask(fuse_conn(i),
                       &(struct fuse_question){.opcode = LINUX_FUSE_REMOVEXATTR,
                                               .nodeid = fuse_node(i)->nodeid,
                                               .args = {{name, strlen(name) + 1}}},
                       &r);
    fuse_stale(i);
    return unsupported(err);
}
