// SPDX-License-Identifier: Apache-2.0
// Extended attributes of a node: a short list, bounded, and charged to the quota as Linux' tmpfs has it.
// LIMIT: no security.capability, which exec(2) would have to honour, and no system.* (ACLs).
#include "abi/misc.h"
#include "fs/tmpfs/node.h"
#include <string.h>

#define MAX_XATTRS      64u
#define MAX_XATTR_BYTES 65536u

static bool supported(const char *name) {
    if (!strncmp(name, "security.", 9))
        return strcmp(name + 9, "capability") != 0;
    return !strncmp(name, "user.", 5) || !strncmp(name, "trusted.", 8);
}
static struct txattr *xattr_find(struct tnode *n, const char *name) {
    struct txattr *x;
    list_for_each(x, &n->xattrs, link)
        if (!strcmp(x->name, name))
            return x;
    return NULL;
}
static uint64_t charge_of(const char *name, size_t size) { return 40 + size + strlen(name); }
static void drop(struct tnode *n, struct txattr *x) {
    n->nxattrs--;
    tquota_give_bytes(tsuper(n->inode), charge_of(x->name, x->size));
    n->xattr_bytes -= (uint32_t)(x->size + strlen(x->name));
    list_del(&x->link);
    free(x->value);
    free(x);
}
int64_t tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size) {
    if (!supported(name))
        return -LINUX_EOPNOTSUPP;
    LOCKED(&i->lock);
    struct txattr *x = xattr_find(tnode(i), name);
    if (!x)
        return -LINUX_ENODATA;
    if (size == 0)
        return (int64_t)x->size;
    if (size < x->size)
        return -LINUX_ERANGE;
    memcpy(buf, x->value, x->size);
    return (int64_t)x->size;
}
static struct txattr *xattr_new(const char *name, const void *value, size_t size) {
    size_t len = strlen(name);
    struct txattr *x = xcalloc(1, sizeof *x + len + 1);
    char *v = x ? xcalloc(1, size + 1) : NULL;
    if (!v) {
        free(x);
        return NULL;
    }
    memcpy(x->name, name, len);
    if (size)
        memcpy(v, value, size);
    x->value = v;
    x->size = size;
    return x;
}
// Puts x in, which is the node's on success, and takes out what had its name.
static int put_in(struct inode *i, struct txattr *x, const char *name, int flags) {
    struct tnode *n = tnode(i);
    LOCKED(&i->lock);
    struct txattr *old = xattr_find(n, name);
    uint32_t bytes = (uint32_t)(x->size + strlen(name)), was = old ? (uint32_t)(old->size + strlen(name)) : 0;
    if (old && (flags & LINUX_XATTR_CREATE))
        return -LINUX_EEXIST;
    if (!old && (flags & LINUX_XATTR_REPLACE))
        return -LINUX_ENODATA;
    if (n->xattr_bytes - was + bytes > MAX_XATTR_BYTES || (!old && n->nxattrs >= MAX_XATTRS))
        return -LINUX_ENOSPC;
    if (!tquota_take_bytes(tsuper(i), charge_of(name, x->size)))
        return -LINUX_ENOSPC;
    if (old)
        drop(n, old);
    list_add_tail(&n->xattrs, &x->link);
    n->nxattrs++;
    n->xattr_bytes += bytes;
    i->attr.ctime = inode_now();
    return 0;
}
int tmpfs_setxattr(struct inode *i, const char *name, const void *value, size_t size, int flags) {
    if (!supported(name))
        return -LINUX_EOPNOTSUPP;
    struct txattr *x = xattr_new(name, value, size);
    if (!x)
        return -LINUX_ENOMEM;
    int err = put_in(i, x, name, flags);
    if (err) {
        free(x->value);
        free(x);
        return err;
    }
    if (tnode(i)->lower)
        tsuper(i)->origin->changed(i);
    return 0;
}
int64_t tmpfs_listxattr(struct inode *i, char *buf, size_t size) {
    size_t need = 0;
    struct txattr *x;
    LOCKED(&i->lock);
    list_for_each(x, &tnode(i)->xattrs, link) {
        size_t len = strlen(x->name) + 1;
        if (size && need + len <= size)
            memcpy(buf + need, x->name, len);
        need += len;
    }
    return size && need > size ? -LINUX_ERANGE : (int64_t)need;
}
int tmpfs_removexattr(struct inode *i, const char *name) {
    if (!supported(name))
        return -LINUX_EOPNOTSUPP;
    LOCKED(&i->lock);
    struct txattr *x = xattr_find(tnode(i), name);
    if (!x)
        return -LINUX_ENODATA;
    drop(tnode(i), x);
    i->attr.ctime = inode_now();
    return 0;
}
void txattr_free(struct tnode *n) {
    while (!list_empty(&n->xattrs))
        drop(n, list_first(&n->xattrs, struct txattr, link));
}
