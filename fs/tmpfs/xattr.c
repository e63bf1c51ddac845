// SPDX-License-Identifier: Apache-2.0
// Extended attributes of a node: a list, as long as all its names fit into one answer of listxattr(2), and
// charged to the quota as Linux' tmpfs has it; and ACLs, charged likewise.
#include "abi/fileattr.h"
#include "abi/misc.h"
#include "fs/tmpfs/node.h"
#include <string.h>

#define MAX_VALUES (16u << 20)  // bytes of a node's values: a list of them is walked name by name

static bool supported(const char *name) {
    return !strncmp(name, "security.", 9) || !strncmp(name, "user.", 5) || !strncmp(name, "trusted.", 8);
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
    tquota_give_bytes(tsuper(n->inode), charge_of(x->name, x->size));
    n->xattr_names -= (uint32_t)strlen(x->name) + 1;
    n->xattr_values -= (uint32_t)x->size;
    if (!strcmp(x->name, LINUX_XATTR_CAPS))
        atomic_store(&n->inode->file_caps, false);
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
    uint32_t len = (uint32_t)strlen(name) + 1, size = (uint32_t)x->size, was = old ? (uint32_t)old->size : 0;
    if (old && (flags & LINUX_XATTR_CREATE))
        return -LINUX_EEXIST;
    if (!old && (flags & LINUX_XATTR_REPLACE))
        return -LINUX_ENODATA;
    if ((!old && n->xattr_names + len > LINUX_XATTR_LIST_MAX) || n->xattr_values - was + size > MAX_VALUES)
        return -LINUX_ENOSPC;
    if (!tquota_take_bytes(tsuper(i), charge_of(name, x->size)))
        return -LINUX_ENOSPC;
    if (old)
        drop(n, old);
    list_add_tail(&n->xattrs, &x->link);
    n->xattr_names += len;
    n->xattr_values += size;
    if (!strcmp(name, LINUX_XATTR_CAPS))
        atomic_store(&i->file_caps, true);
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
// Puts a name behind those that are in buf already, if there is room; the length with it.
static size_t list_name(char *buf, size_t size, size_t at, const char *name) {
    size_t len = strlen(name) + 1;
    if (at + len <= size)
        memcpy(buf + at, name, len);
    return at + len;
}
int64_t tmpfs_listxattr(struct inode *i, char *buf, size_t size, bool trusted) {
    size_t need = 0;
    struct txattr *x;
    LOCKED(&i->lock);
    if (inode_has_acl(i, ACL_ACCESS))
        need = list_name(buf, size, need, ACL_NAME_ACCESS);
    if (inode_has_acl(i, ACL_DEFAULT))
        need = list_name(buf, size, need, ACL_NAME_DEFAULT);
    list_for_each(x, &tnode(i)->xattrs, link)
        if (trusted || strncmp(x->name, "trusted.", 8))
            need = list_name(buf, size, need, x->name);
    return size && need > size ? -LINUX_ERANGE : (int64_t)need;
}
void txattr_drop_caps(struct tnode *n) {
    struct txattr *x = xattr_find(n, LINUX_XATTR_CAPS);
    if (x)
        drop(n, x);
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
static void tacl_put(struct tnode *n, struct acl *a);
void txattr_free(struct tnode *n) {
    while (!list_empty(&n->xattrs))
        drop(n, list_first(&n->xattrs, struct txattr, link));
    for (int kind = 0; kind < ACL_KINDS; kind++)
        tacl_put(n, inode_acl_swap(n->inode, kind, NULL));
}

// ---- ACLs -------------------------------------------------------------------------------------------------
static uint64_t acl_charge(const struct acl *a) { return 40 + a->n * sizeof a->e[0]; }
static void tacl_put(struct tnode *n, struct acl *a) {
    if (a)
        tquota_give_bytes(tsuper(n->inode), acl_charge(a));
    acl_put(a);
}
int tacl_set(struct inode *i, enum acl_kind kind, struct acl *a) {
    if (a && !tquota_take_bytes(tsuper(i), acl_charge(a))) {
        acl_put(a);
        return -LINUX_ENOSPC;
    }
    tacl_put(tnode(i), inode_acl_swap(i, kind, a));
    return 0;
}
static int set_acl(struct inode *i, enum acl_kind kind, struct acl *a, bool keep_sgid) {
    LOCKED(&i->lock);
    uint32_t mode = i->attr.mode;
    bool more = !a || kind == ACL_DEFAULT || acl_to_mode(a, &mode);
    if (!more)
        acl_put(a);
    int err = tacl_set(i, kind, more ? a : NULL);
    if (err)
        return err;
    if (kind == ACL_ACCESS && !keep_sgid)
        mode &= ~(uint32_t)LINUX_S_ISGID;
    struct vfs_attr to = {.mode = mode};
    inode_apply_attr(&i->attr, &to, ATTR_MODE);
    return 0;
}
int tmpfs_set_acl(struct inode *i, enum acl_kind kind, struct acl *a, bool keep_sgid) {
    int err = set_acl(i, kind, a, keep_sgid);
    if (!err && tnode(i)->lower)
        tsuper(i)->origin->changed(i);
    return err;
}
int tacl_follow_mode(struct inode *i, uint32_t mode) {
    struct acl *old = inode_acl(i, ACL_ACCESS);
    if (!old)
        return 0;
    struct acl *a = acl_with_mode(old, mode);
    acl_put(old);
    return a ? tacl_set(i, ACL_ACCESS, a) : -LINUX_ENOMEM;
}
int tacl_inherit(struct inode *dir, struct inode *i) {
    struct acl *from = inode_is_lnk(i) ? NULL : inode_acl(dir, ACL_DEFAULT), *access;
    if (!from)
        return 0;
    int err = acl_for_new(from, &i->attr.mode, &access);
    if (access)
        err = tacl_set(i, ACL_ACCESS, access);
    if (err || !inode_is_dir(i)) {
        acl_put(from);
        return err;
    }
    return tacl_set(i, ACL_DEFAULT, from);
}
