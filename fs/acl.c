// SPDX-License-Identifier: Apache-2.0
// See acl.h. The rules are those of acl(5) and of Linux' fs/posix_acl.c: an ACL's entries come in the order
// of their tags, one for owner, group and others each; the group bits of the mode are the mask where there is
// one. Locks: vfs->acl_lock, for as long as a pointer is read or changed.
#include "fs/acl.h"
#include "abi/errno.h"
#include "fs/core.h"
#include <string.h>

#define ACL_VERSION 2u
#define RWX         7u

struct acl_head {
    uint32_t version;
};
struct acl_raw {
    uint16_t tag, perm;
    uint32_t id;
};

bool acl_named(const char *name, enum acl_kind *kind) {
    bool access = !strcmp(name, ACL_NAME_ACCESS);
    *kind = access ? ACL_ACCESS : ACL_DEFAULT;
    return access || !strcmp(name, ACL_NAME_DEFAULT);
}
static struct acl *acl_new(unsigned n) {
    struct acl *a = xcalloc(1, sizeof *a + n * sizeof a->e[0]);
    if (!a)
        return NULL;
    ref_init(&a->refs, 1);
    a->n = n;
    return a;
}
static struct acl *acl_copy(const struct acl *from) {
    struct acl *a = acl_new(from->n);
    if (a)
        memcpy(a->e, from->e, from->n * sizeof a->e[0]);
    return a;
}
void acl_put(struct acl *a) {
    if (a && ref_put(&a->refs))
        free(a);
}

// ---- The attribute's text ---------------------------------------------------------------------------------
static bool has_id(unsigned tag) { return tag == ACL_USER || tag == ACL_GROUP; }
static unsigned count(const struct acl *a, unsigned tags) {
    unsigned n = 0;
    for (unsigned k = 0; k < a->n; k++)
        n += (a->e[k].tag & tags) != 0;
    return n;
}
// One of each that must be there, a mask where users or groups are named, all in order.
static bool valid(const struct acl *a) {
    const unsigned known = ACL_USER_OBJ | ACL_USER | ACL_GROUP_OBJ | ACL_GROUP | ACL_MASK | ACL_OTHER;
    for (unsigned k = 0; k < a->n; k++) {
        unsigned tag = a->e[k].tag;
        bool one = tag && !(tag & (tag - 1)) && (tag & known);
        bool in_order = k == 0 || a->e[k - 1].tag < tag || (a->e[k - 1].tag == tag && has_id(tag));
        if (!one || !in_order || a->e[k].perm > RWX || (has_id(tag) && a->e[k].id == ~0u))
            return false;
    }
    return count(a, ACL_USER_OBJ) == 1 && count(a, ACL_GROUP_OBJ) == 1 && count(a, ACL_OTHER) == 1 &&
           (count(a, ACL_MASK) || !count(a, ACL_USER | ACL_GROUP));
}
// Of the ids in entries with that tag.
static const struct id_map *map_of(const struct vfs_cred *c, unsigned tag) {
    return tag == ACL_USER ? c->uids : c->gids;
}
int acl_parse(const struct vfs_cred *c, const void *value, size_t size, struct acl **out) {
    struct acl_head head;
    struct acl_raw raw;
    *out = NULL;
    if (size == 0)
        return 0;
    if (size < sizeof head)
        return -LINUX_EINVAL;
    memcpy(&head, value, sizeof head);
    if (head.version != ACL_VERSION)
        return -LINUX_EOPNOTSUPP;
    if ((size - sizeof head) % sizeof raw)
        return -LINUX_EINVAL;
    size_t n = (size - sizeof head) / sizeof raw;
    if (n == 0)
        return 0;
    if (n > ACL_ENTRIES_MAX)
        return -LINUX_ENOSPC;
    struct acl *a = acl_new((unsigned)n);
    if (!a)
        return -LINUX_ENOMEM;
    for (size_t k = 0; k < n; k++) {
        memcpy(&raw, (const char *)value + sizeof head + k * sizeof raw, sizeof raw);
        a->e[k] = (struct acl_entry){raw.tag, raw.perm, ~0u};
        if (has_id(raw.tag))
            a->e[k].id = idmap_in(map_of(c, raw.tag), raw.id);
    }
    if (!valid(a)) {
        acl_put(a);
        return -LINUX_EINVAL;
    }
    *out = a;
    return 0;
}
int64_t acl_format(const struct vfs_cred *c, const struct acl *a, void *buf, size_t size) {
    const struct acl_head head = {ACL_VERSION};
    size_t need = sizeof head + a->n * sizeof(struct acl_raw);
    if (size == 0)
        return (int64_t)need;
    if (size < need)
        return -LINUX_ERANGE;
    memcpy(buf, &head, sizeof head);
    for (unsigned k = 0; k < a->n; k++) {
        struct acl_raw raw = {a->e[k].tag, a->e[k].perm, a->e[k].id};
        if (has_id(raw.tag))
            raw.id = idmap_out(map_of(c, raw.tag), raw.id);
        memcpy((char *)buf + sizeof head + k * sizeof raw, &raw, sizeof raw);
    }
    return (int64_t)need;
}

// ---- An inode's -------------------------------------------------------------------------------------------
bool inode_has_acl(const struct inode *i, enum acl_kind kind) {
    return atomic_load_explicit(&i->acl[kind], memory_order_relaxed);
}
struct acl *inode_acl(struct inode *i, enum acl_kind kind) {
    if (!inode_has_acl(i, kind))
        return NULL;
    LOCKED(&i->sb->vfs->acl_lock);
    struct acl *a = atomic_load(&i->acl[kind]);
    if (a)
        ref_get(&a->refs);
    return a;
}
struct acl *inode_acl_swap(struct inode *i, enum acl_kind kind, struct acl *a) {
    LOCKED(&i->sb->vfs->acl_lock);
    return atomic_exchange(&i->acl[kind], a);
}

// ---- What it permits --------------------------------------------------------------------------------------
static int verdict(const struct acl *a, const struct acl_entry *e, unsigned want) {
    unsigned perm = e->perm;
    for (const struct acl_entry *m = e + 1; e->tag != ACL_OTHER && m < a->e + a->n; m++)
        if (m->tag == ACL_MASK)
            perm &= m->perm;
    return want & ~perm ? -LINUX_EACCES : 0;
}
// The entry that decides: the user's own; the first group's that gives it all; others'. NULL: groups match,
// and none gives it. The owner is not asked for here.
static const struct acl_entry *deciding(const struct acl *a, uint32_t gid, unsigned want,
                                        const struct vfs_cred *c) {
    bool member = false;
    for (const struct acl_entry *e = a->e; e < a->e + a->n; e++) {
        if (e->tag == ACL_USER && e->id == c->fsuid)
            return e;
        if ((e->tag == ACL_GROUP_OBJ && cred_in_group(c, gid)) ||
            (e->tag == ACL_GROUP && cred_in_group(c, e->id))) {
            member = true;
            if (!(want & ~(unsigned)e->perm))
                return e;
        }
        if (e->tag == ACL_OTHER && !member)
            return e;
    }
    return NULL;
}
int acl_permission(struct inode *i, int mask, const struct vfs_cred *c) {
    struct acl *a = inode_acl(i, ACL_ACCESS);
    if (!a)
        return -LINUX_EAGAIN;
    unsigned want = (unsigned)mask & RWX;
    const struct acl_entry *e = deciding(a, __atomic_load_n(&i->attr.gid, __ATOMIC_RELAXED), want, c);
    int err = e ? verdict(a, e, want) : -LINUX_EACCES;
    acl_put(a);
    return err;
}

// ---- In step with the mode --------------------------------------------------------------------------------
bool acl_to_mode(const struct acl *a, uint32_t *mode) {
    uint32_t bits = 0;
    for (unsigned k = 0; k < a->n; k++) {
        if (a->e[k].tag == ACL_USER_OBJ)
            bits |= a->e[k].perm * 0100u;
        else if (a->e[k].tag == ACL_OTHER)
            bits |= a->e[k].perm;
        else if (a->e[k].tag == ACL_MASK || (a->e[k].tag == ACL_GROUP_OBJ && !count(a, ACL_MASK)))
            bits |= a->e[k].perm * 010u;
    }
    *mode = (*mode & ~0777u) | bits;
    return count(a, ACL_USER | ACL_GROUP | ACL_MASK) != 0;
}
// Which bits of a mode an entry stands for (how far up they are), or -1: none.
static int shift_of(const struct acl *a, const struct acl_entry *e) {
    if (e->tag == ACL_USER_OBJ)
        return 6;
    if (e->tag == ACL_OTHER)
        return 0;
    return e->tag == (count(a, ACL_MASK) ? ACL_MASK : ACL_GROUP_OBJ) ? 3 : -1;
}
struct acl *acl_with_mode(const struct acl *from, uint32_t mode) {
    struct acl *a = acl_copy(from);
    for (unsigned k = 0; a && k < a->n; k++) {
        int shift = shift_of(a, &a->e[k]);
        if (shift >= 0)
            a->e[k].perm = (uint16_t)(mode >> shift & RWX);
    }
    return a;
}
int acl_for_new(const struct acl *from, uint32_t *mode, struct acl **access) {
    struct acl *a = acl_copy(from);
    *access = NULL;
    if (!a)
        return -LINUX_ENOMEM;
    for (unsigned k = 0; k < a->n; k++) {
        int shift = shift_of(a, &a->e[k]);
        if (shift >= 0)
            a->e[k].perm &= *mode >> shift & RWX;
    }
    if (acl_to_mode(a, mode))
        *access = a;
    else
        acl_put(a);
    return 0;
}
