// SPDX-License-Identifier: Apache-2.0
// Users and groups of a root whose files belong to others on the host than inside, user_namespaces(7), "User
// and group ID mappings". The lists were checked by who wrote them; what the sentry asks for is looked up in
// them.
#include "abi/errno.h"
#include "base/idmap.h"
#include "gofer/server.h"
#include <sys/stat.h>

static const struct gofer_idmap *ids_of(const struct gofer_server *s, uint32_t root) {
    return s->roots[root].ids;
}

static bool translate(const struct gofer_id_range *r, unsigned n, uint32_t id, bool inward, uint32_t *to) {
    for (; n > 0; r++, n--) {
        uint32_t first = inward ? r->outside : r->inside;
        if (id < first || id - first >= r->count)
            continue;
        *to = (inward ? r->inside : r->outside) + (id - first);
        return true;
    }
    return false;
}

void gofer_ids_show(const struct gofer_server *s, uint32_t root, struct gofer_attr *a) {
    const struct gofer_idmap *ids = ids_of(s, root);
    if (!ids)
        return;
    if (!translate(ids->uid, ids->nuid, a->uid, true, &a->uid))
        a->uid = ID_NONE;
    if (!translate(ids->gid, ids->ngid, a->gid, true, &a->gid))
        a->gid = ID_NONE;
}

int gofer_ids_ask(const struct gofer_server *s, uint32_t root, uint32_t *uid, uint32_t *gid) {
    const struct gofer_idmap *ids = ids_of(s, root);
    if (!ids)
        return 0;
    bool found = (!uid || translate(ids->uid, ids->nuid, *uid, false, uid)) &&
                 (!gid || translate(ids->gid, ids->ngid, *gid, false, gid));
    return found ? 0 : -LINUX_EINVAL;
}

// Nobody inside has capabilities over an object of which an owner is not mapped, and nobody is an owner that
// is not mapped: what is left is what the mode lets all others do. The sentry says the same; this is for when
// it has been taken over.
int gofer_ids_may(const struct gofer_server *s, const struct gofer_obj *o, unsigned mask) {
    struct gofer_attr a;
    if (!ids_of(s, o->root))
        return 0;
    int err = gofer_statx(o->fd, "", &a);
    if (err)
        return err;
    gofer_ids_show(s, o->root, &a);
    if (a.uid != ID_NONE)
        return 0;  // that user may give themselves whatever they lack
    uint32_t bits = a.gid == ID_NONE ? a.mode : a.mode | a.mode >> 3;
    return mask & ~bits & 7 ? -LINUX_EACCES : 0;
}

int gofer_ids_owns(const struct gofer_server *s, const struct gofer_obj *o, bool gives) {
    struct gofer_attr a;
    if (!ids_of(s, o->root))
        return 0;
    int err = gofer_statx(o->fd, "", &a);
    if (err)
        return err;
    gofer_ids_show(s, o->root, &a);
    return a.uid == ID_NONE || (gives && a.gid == ID_NONE) ? -LINUX_EPERM : 0;
}

int gofer_ids_may_remove(const struct gofer_server *s, const struct gofer_obj *dir, const char *name) {
    struct gofer_attr d, a;
    if (!ids_of(s, dir->root))
        return 0;
    int err = gofer_statx(dir->fd, "", &d);
    if (err || !(d.mode & S_ISVTX))
        return err;
    gofer_ids_show(s, dir->root, &d);
    err = d.uid == ID_NONE ? gofer_statx(dir->fd, name, &a) : 0;
    if (err || d.uid != ID_NONE)
        return err == -LINUX_ENOENT ? 0 : err;
    gofer_ids_show(s, dir->root, &a);
    return a.uid == ID_NONE ? -LINUX_EPERM : 0;
}
