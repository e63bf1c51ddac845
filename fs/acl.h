// SPDX-License-Identifier: Apache-2.0
// POSIX access control lists, acl(5): the text of the attributes system.posix_acl_access and _default, what
// they permit, and how they and the mode keep in step. An ACL never changes once it is an inode's; the inode
// has another one then. Who may not be asked without a lock (the walk) asks without one.
#ifndef FS_ACL_H
#define FS_ACL_H
#include "base/refcount.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inode;
struct vfs_cred;

enum acl_kind { ACL_ACCESS, ACL_DEFAULT, ACL_KINDS };

// Linux' numbers, as they stand in the attribute.
enum {
    ACL_USER_OBJ = 1,
    ACL_USER = 2,
    ACL_GROUP_OBJ = 4,
    ACL_GROUP = 8,
    ACL_MASK = 16,
    ACL_OTHER = 32,
};
#define ACL_ENTRIES_MAX 508u  // as many as ext4 has room for in a block

struct acl {
    struct refcount refs;
    unsigned n;  // [c]
    struct acl_entry {
        uint16_t tag, perm;
        uint32_t id;  // of ACL_USER, ACL_GROUP
    } e[];            // [c] in the order of the tags
};

#define ACL_NAME_ACCESS  "system.posix_acl_access"
#define ACL_NAME_DEFAULT "system.posix_acl_default"
bool acl_named(const char *name, enum acl_kind *kind);

// A new ACL from an attribute's value, whose ids are those of the caller's user namespace; *out NULL: it has
// no entries. EINVAL (an id without a number here, too), EOPNOTSUPP (version), ENOSPC (too many entries),
// ENOMEM.
int acl_parse(const struct vfs_cred *c, const void *value, size_t size, struct acl **out);
// The value; its length (size 0: that alone), or -LINUX_ERANGE.
int64_t acl_format(const struct vfs_cred *c, const struct acl *a, void *buf, size_t size);
void acl_put(struct acl *a);  // NULL: nothing

// The inode's, referenced, or NULL.
struct acl *inode_acl(struct inode *i, enum acl_kind kind);
bool inode_has_acl(const struct inode *i, enum acl_kind kind);
// Puts another one (taken over; NULL: none) in its place. The one that was there, now the caller's.
struct acl *inode_acl_swap(struct inode *i, enum acl_kind kind, struct acl *a);

// What the inode's says of `mask` (MAY_*) to who is not its owner: 0, -LINUX_EACCES, or -LINUX_EAGAIN: it has
// none, the mode decides.
int acl_permission(struct inode *i, int mask, const struct vfs_cred *c);
// The permissions of *mode become those of an access ACL. False: they say all that the ACL says.
bool acl_to_mode(const struct acl *a, uint32_t *mode);
// A copy with the permissions of a mode, as chmod(2) gives them. NULL: no memory.
struct acl *acl_with_mode(const struct acl *a, uint32_t mode);
// For a new object of *mode in a directory with the default ACL `from`: permissions that are asked for and
// given, in *mode and in the access ACL *access (NULL: the mode says it all). 0, or -LINUX_ENOMEM.
int acl_for_new(const struct acl *from, uint32_t *mode, struct acl **access);

#endif
