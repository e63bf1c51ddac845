// SPDX-License-Identifier: Apache-2.0
// See idmap.h. A sandbox has users of its own whatever the host's namespaces are, so a user namespace is
// nothing but the translation of ids between the files of the host and the programs inside.
// LIMIT: /proc/PID/uid_map of a container with mapped ids shows those of its own kernel, which are all its
// own.
#include "oci/idmap.h"
#include "base/fault.h"
#include "oci/json.h"
#include <stdlib.h>
#include <string.h>

static bool read_number(json_t *j, const char *key, uint32_t most, uint32_t *out) {
    json_t *v = json_object_get(j, key);
    int64_t whole;
    if (!v || !json_whole(v, &whole) || whole < 0 || whole > most)
        return false;
    *out = (uint32_t)whole;
    return true;
}

static bool apart(uint32_t a, uint32_t na, uint32_t b, uint32_t nb) {
    return a < b ? b - a >= na : a - b >= nb;
}

// As newuidmap(1) and the kernel have it: no number twice, on neither side.
static bool fits(const struct gofer_id_range *list, unsigned n, const struct gofer_id_range *r) {
    if (!r->count || r->inside > UINT32_MAX - r->count || r->outside > UINT32_MAX - r->count)
        return false;
    for (unsigned i = 0; i < n; i++)
        if (!apart(list[i].inside, list[i].count, r->inside, r->count) ||
            !apart(list[i].outside, list[i].count, r->outside, r->count))
            return false;
    return true;
}

static int read_list(const struct config *c, const char *field, struct gofer_id_range *list, unsigned *n,
                     struct error *e) {
    json_t *j = config_get(c->json, field), *v;
    size_t i;
    if (json_array_size(j) > GOFER_ID_RANGES_MAX)
        return error_set(e, "%s: %s: more than %u elements", c->file, field, GOFER_ID_RANGES_MAX);
    json_array_foreach(j, i, v) {
        struct gofer_id_range r;
        if (!read_number(v, "containerID", UINT32_MAX - 1, &r.inside) ||
            !read_number(v, "hostID", UINT32_MAX - 1, &r.outside) ||
            !read_number(v, "size", UINT32_MAX, &r.count))
            return error_set(e, "%s: %s[%zu]: a number is missing or out of range", c->file, field, i);
        if (!fits(list, *n, &r))
            return error_set(e, "%s: %s[%zu]: is empty, too long, or maps what another one maps", c->file,
                             field, i);
        list[(*n)++] = r;
    }
    return 0;
}

static bool maps(const struct gofer_id_range *list, unsigned n, uint32_t id) {
    for (unsigned i = 0; i < n; i++)
        if (id >= list[i].inside && id - list[i].inside < list[i].count)
            return true;
    return false;
}

static int check(const struct config *c, const struct gofer_idmap *ids, bool wanted, struct error *e) {
    const struct sentry_process *p = &c->process.what;
    if (!wanted)
        return error_set(e, "%s: linux.uidMappings: there is no user namespace in linux.namespaces", c->file);
    if (!ids->nuid || !ids->ngid)
        return error_set(e, "%s: linux.%s: is missing, and there is a user namespace", c->file,
                         ids->nuid ? "gidMappings" : "uidMappings");
    if (!maps(ids->uid, ids->nuid, p->uid))
        return error_set(e, "%s: process.user.uid: %u is not in linux.uidMappings", c->file, p->uid);
    if (!maps(ids->gid, ids->ngid, p->gid))
        return error_set(e, "%s: process.user.gid: %u is not in linux.gidMappings", c->file, p->gid);
    return 0;
}

int idmap_read(struct config *c, bool wanted, struct error *e) {
    struct gofer_idmap *ids = c->ids = znew(struct gofer_idmap);
    if (!ids)
        return error_set(e, "no memory");
    if (read_list(c, "linux.uidMappings", ids->uid, &ids->nuid, e) < 0 ||
        read_list(c, "linux.gidMappings", ids->gid, &ids->ngid, e) < 0)
        return -1;
    // LIMIT: the mappings of a user namespace that is given by its path are not read from there: they are to
    // be in config.json too.
    if (ids->nuid || ids->ngid || wanted)
        return check(c, ids, wanted, e);
    free(c->ids);
    c->ids = NULL;
    return 0;
}
