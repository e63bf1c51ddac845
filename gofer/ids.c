// SPDX-License-Identifier: Apache-2.0
// Users and groups of a root whose files belong to others on the host than inside, user_namespaces(7), "User
// and group ID mappings". The lists were checked by who wrote them; what the sentry asks for is looked up in
// them.
#include "abi/errno.h"
#include "gofer/server.h"

#define OVERFLOW_ID 65534u  // what has no number inside

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
        a->uid = OVERFLOW_ID;
    if (!translate(ids->gid, ids->ngid, a->gid, true, &a->gid))
        a->gid = OVERFLOW_ID;
}

int gofer_ids_ask(const struct gofer_server *s, uint32_t root, uint32_t *uid, uint32_t *gid) {
    const struct gofer_idmap *ids = ids_of(s, root);
    if (!ids)
        return 0;
    bool found = (!uid || translate(ids->uid, ids->nuid, *uid, false, uid)) &&
                 (!gid || translate(ids->gid, ids->ngid, *gid, false, gid));
    return found ? 0 : -LINUX_EINVAL;
}
