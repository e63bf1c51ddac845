// SPDX-License-Identifier: Apache-2.0
// add_key request_key keyctl: decoding, and what each operation means in terms of sentry/keys. The lock is
// dropped before anything is copied to a guest. What is left out: sentry/keys/keys.h.
#include "abi/caps.h"
#include "abi/keyctl.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/keys/keys.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/user_ns.h"
#include "sentry/syscalls/table.h"
#include <stdio.h>
#include <string.h>

static int copy_type(struct task *t, char type[KEY_TYPE_MAX], uaddr_t at) {
    int64_t n = copy_in_str(t, type, at, KEY_TYPE_MAX);
    if (n == -LINUX_ENAMETOOLONG || n == 0)
        return -LINUX_EINVAL;
    if (n < 0)
        return (int)n;
    return type[0] == '.' ? -LINUX_EPERM : 0;
}

static int copy_description(struct task *t, char text[KEY_DESC_MAX], uaddr_t at) {
    int64_t n = copy_in_str(t, text, at, KEY_DESC_MAX);
    return n == -LINUX_ENAMETOOLONG ? -LINUX_EINVAL : (int)(n < 0 ? n : 0);
}

static int copy_payload(struct task *t, void **out, uaddr_t at, size_t len) {
    *out = len ? xcalloc(1, len) : NULL;
    if (len && !*out)
        return -LINUX_ENOMEM;
    return len ? copy_in(t, *out, at, len) : 0;
}

static int check_payload(const struct key_type *type, size_t len) {
    if (type->empty)
        return len ? -LINUX_EINVAL : 0;
    return len == 0 || len > type->most ? -LINUX_EINVAL : 0;
}

static int check_description(const struct key_type *type, const char *text) {
    if (!*text)
        return -LINUX_EINVAL;
    const char *w = type->wanted ? strstr(text, type->wanted) : NULL;
    return type->wanted && (!w || w == text) ? -LINUX_EINVAL : 0;
}

// ---- add_key(2) -------------------------------------------------------------------------------------------
static uint32_t first_perm(const struct key_type *type) {
    unsigned rights = KEY_VIEW | KEY_SEARCH | KEY_LINK | KEY_SETATTR;
    if (type->read)
        rights |= KEY_READ;
    if (type->update || type == &key_keyring)
        rights |= KEY_WRITE;
    return rights << 24 | KEY_VIEW << 16;
}

// payload: taken over when it succeeds. The key's number or an error.
static int64_t add(struct task *t, const struct key_type *type, const char *description, void **payload,
                   size_t len, int32_t ring_id) {
    struct key_table *x = t->k->keys;
    bool possessed;
    int err;
    LOCKED(&x->lock);
    struct key *ring = key_lookup(t, ring_id, KEY_CREATE, KEY_WRITE, &possessed, &err);
    if (!ring)
        return err;
    if (!type)
        return -LINUX_ENODEV;
    if (ring->type != &key_keyring)
        return -LINUX_ENOTDIR;
    err = check_description(type, description);
    if (err == 0)
        err = check_payload(type, len);
    if (err < 0)
        return err;
    struct key *k = type->update ? key_in_ring(ring, type, description) : NULL;
    if (k && key_valid(k) == 0) {
        if (!key_allowed(t, k, possessed, KEY_WRITE))
            return -LINUX_EACCES;
        err = key_set_payload(x, k, *payload, len);
    } else {
        k = key_new(x, t->cred, type, description, first_perm(type), *payload, len, &err);
        if (!k)
            return err;
        err = key_link(x, ring, k, false);
        if (err < 0)
            k->payload = NULL;  // the caller's still
        int32_t serial = k->serial;
        key_put(x, k);
        if (err == 0)
            *payload = NULL;
        return err < 0 ? err : serial;
    }
    if (err < 0)
        return err;
    *payload = NULL;
    return k->serial;
}

int64_t sys_add_key(struct task *t, const struct sysargs *a) {
    char type[KEY_TYPE_MAX], description[KEY_DESC_MAX] = "";
    void *payload cleanup_free = NULL;
    size_t len = arg_size(a, 3);
    if (len > KEY_PAYLOAD_MAX)
        return -LINUX_EINVAL;
    int err = copy_type(t, type, arg_ptr(a, 0));
    if (err == 0 && arg_given(a, 1))
        err = copy_description(t, description, arg_ptr(a, 1));
    if (err < 0)
        return err;
    if (description[0] == '.' && !strncmp(type, "keyring", 7))
        return -LINUX_EPERM;
    err = copy_payload(t, &payload, arg_ptr(a, 2), len);
    return err < 0 ? err : add(t, key_type_find(type), description, &payload, len, arg_int(a, 4));
}

// ---- request_key(2) ---------------------------------------------------------------------------------------
// Where a key goes that is asked for without a word about it, keyctl_set_reqkey_keyring(3).
static int32_t default_ring(const struct task *t) {
    switch (t->keys.request_to) {
    case LINUX_KEY_REQKEY_DEFL_SESSION_KEYRING:
        return LINUX_KEY_SPEC_SESSION_KEYRING;
    case LINUX_KEY_REQKEY_DEFL_USER_KEYRING:
        return LINUX_KEY_SPEC_USER_KEYRING;
    case LINUX_KEY_REQKEY_DEFL_USER_SESSION_KEYRING:
        return LINUX_KEY_SPEC_USER_SESSION_KEYRING;
    case LINUX_KEY_REQKEY_DEFL_PROCESS_KEYRING:
        return t->tg->keyring ? LINUX_KEY_SPEC_PROCESS_KEYRING : LINUX_KEY_SPEC_SESSION_KEYRING;
    default:
        if (t->keys.thread)
            return LINUX_KEY_SPEC_THREAD_KEYRING;
        return t->tg->keyring ? LINUX_KEY_SPEC_PROCESS_KEYRING : LINUX_KEY_SPEC_SESSION_KEYRING;
    }
}

#define NEGATIVE_NS (60ull * 1000000000)

// Nobody can make the key: that is remembered for a while, as when /sbin/request-key is not there.
static int64_t not_to_be_had(struct task *t, const struct key_type *type, const char *description,
                             struct key *ring) {
    struct key_table *x = t->k->keys;
    bool possessed;
    int err = 0;
    if (!ring)
        ring = key_lookup(t, default_ring(t), 0, KEY_WRITE, &possessed, &err);
    if (!ring)
        return err;
    struct key *k = key_new(x, t->cred, type, description, first_perm(type), NULL, 0, &err);
    if (!k)
        return err;
    k->negative = true;
    k->expires = (int64_t)(real_ns() + NEGATIVE_NS);
    err = key_link(x, ring, k, false);
    key_put(x, k);
    return err < 0 ? err : -LINUX_ENOKEY;
}

static int64_t request(struct task *t, const struct key_type *type, const char *description, int32_t ring_id,
                       bool make) {
    struct key_table *x = t->k->keys;
    bool possessed;
    int err = 0;
    LOCKED(&x->lock);
    struct key *ring = ring_id ? key_lookup(t, ring_id, KEY_CREATE, KEY_WRITE, &possessed, &err) : NULL;
    if (err < 0)
        return err;
    if (!type)
        return -LINUX_ENOKEY;
    struct key *k = key_search_all(t, type, description, &err);
    if (!k && make && err == -LINUX_ENOKEY && check_description(type, description) == 0)
        return not_to_be_had(t, type, description, ring);
    if (!k)
        return err;
    err = ring ? key_link(x, ring, k, false) : 0;
    return err < 0 ? err : k->serial;
}

int64_t sys_request_key(struct task *t, const struct sysargs *a) {
    char type[KEY_TYPE_MAX], description[KEY_DESC_MAX], callout[KEY_DESC_MAX];
    int err = copy_type(t, type, arg_ptr(a, 0));
    if (err == 0)
        err = copy_description(t, description, arg_ptr(a, 1));
    if (err == 0 && arg_given(a, 2))
        err = copy_description(t, callout, arg_ptr(a, 2));
    return err < 0 ? err : request(t, key_type_find(type), description, arg_int(a, 3), arg_given(a, 2));
}

// ---- keyctl(2) --------------------------------------------------------------------------------------------
// Most operations are on one key, which is looked up with the rights that they need.
typedef int64_t (*key_fn)(struct task *t, struct key *k, const struct sysargs *a);

static int64_t on_key(struct task *t, const struct sysargs *a, unsigned how, unsigned want, key_fn fn) {
    bool possessed;
    int err;
    LOCKED(&t->k->keys->lock);
    struct key *k = key_lookup(t, arg_int(a, 1), how, want, &possessed, &err);
    return k ? fn(t, k, a) : err;
}

static int64_t number(struct task *t, struct key *k, const struct sysargs *a) { return k->serial; }

static int64_t join(struct task *t, const struct sysargs *a) {
    char name[KEY_DESC_MAX];
    int err = arg_given(a, 1) ? copy_description(t, name, arg_ptr(a, 1)) : 0;
    if (err < 0)
        return err;
    if (arg_given(a, 1) && name[0] == '.')
        return -LINUX_EPERM;
    LOCKED(&t->k->keys->lock);
    return keys_join_session(t, arg_given(a, 1) ? name : NULL);
}

static int64_t update(struct task *t, const struct sysargs *a) {
    void *payload cleanup_free = NULL;
    size_t len = arg_size(a, 3);
    bool possessed;
    if (len > KEY_PAYLOAD_MAX)
        return -LINUX_EINVAL;
    int err = copy_payload(t, &payload, arg_ptr(a, 2), len);
    if (err < 0)
        return err;
    LOCKED(&t->k->keys->lock);
    struct key *k = key_lookup(t, arg_int(a, 1), 0, KEY_WRITE, &possessed, &err);
    if (!k)
        return err;
    if (!k->type->update)
        return -LINUX_EOPNOTSUPP;
    err = check_payload(k->type, len);
    if (err == 0)
        err = key_set_payload(t->k->keys, k, payload, len);
    if (err == 0)
        payload = NULL;
    return err;
}

static int64_t revoke_key(struct task *t, const struct sysargs *a) {
    bool possessed;
    int err;
    LOCKED(&t->k->keys->lock);
    struct key *k = key_lookup(t, arg_int(a, 1), 0, KEY_WRITE, &possessed, &err);
    if (!k && err == -LINUX_EACCES)
        k = key_lookup(t, arg_int(a, 1), 0, KEY_SETATTR, &possessed, &err);
    if (!k)
        return err;
    k->revoked = true;
    if (k->type == &key_keyring)
        key_clear(t->k->keys, k);
    else
        key_set_payload(t->k->keys, k, NULL, 0);
    return 0;
}

// Every keyring lets go of it at once.
static int64_t invalidate(struct task *t, struct key *k, const struct sysargs *a) {
    struct key_table *x = t->k->keys;
    k->refs++;
    k->invalid = true;
    for (unsigned i = 0; i < KEYS_MAX; i++)
        if (x->keys[i] && x->keys[i]->type == &key_keyring)
            key_unlink(x, x->keys[i], k);
    key_put(x, k);
    return 0;
}

static bool in_groups(const struct cred *c, uint32_t gid) {
    for (unsigned i = 0; i < c->ngroups; i++)
        if (c->groups[i] == gid)
            return true;
    return c->fsgid == gid;
}

static int64_t change_owner(struct task *t, struct key *k, const struct sysargs *a) {
    const uint32_t to_uid = arg_u32(a, 2), to_gid = arg_u32(a, 3);
    uint32_t uid = to_uid == ~0u ? ~0u : task_uid_in(t, to_uid);
    uint32_t gid = to_gid == ~0u ? ~0u : task_gid_in(t, to_gid);
    if ((uid == ID_NONE && to_uid != ~0u) || (gid == ID_NONE && to_gid != ~0u))
        return -LINUX_EINVAL;
    if (!task_capable(t, LINUX_CAP_SYS_ADMIN)) {
        if (uid != ~0u && uid != k->uid)
            return -LINUX_EACCES;
        if (gid != ~0u && gid != k->gid && !in_groups(t->cred, gid))
            return -LINUX_EACCES;
    }
    int err = uid != ~0u && uid != k->uid ? key_give_to(t->k->keys, k, uid) : 0;
    if (err < 0)
        return err;
    k->uid = uid != ~0u ? uid : k->uid;
    k->gid = gid != ~0u ? gid : k->gid;
    return 0;
}

static int64_t change_perm(struct task *t, struct key *k, const struct sysargs *a) {
    if (k->uid != t->cred->fsuid && !task_capable(t, LINUX_CAP_SYS_ADMIN))
        return -LINUX_EACCES;
    k->perm = arg_u32(a, 2);
    return 0;
}

static int64_t change_timeout(struct task *t, struct key *k, const struct sysargs *a) {
    uint32_t s = arg_u32(a, 2);
    k->expires = s ? (int64_t)(real_ns() + s * 1000000000ull) : 0;
    return 0;
}

static int64_t describe(struct task *t, const struct sysargs *a) {
    char text[KEY_DESC_MAX + 128];
    size_t len;
    {
        bool possessed;
        int err;
        LOCKED(&t->k->keys->lock);
        struct key *k = key_lookup(t, arg_int(a, 1), KEY_PARTIAL, KEY_VIEW, &possessed, &err);
        if (!k)
            return err;
        len = (size_t)snprintf(text, sizeof text, "%s;%u;%u;%08x;%s", k->type->name, task_uid_out(t, k->uid),
                               task_gid_out(t, k->gid), k->perm, k->description) + 1;
    }
    if (arg_given(a, 2) && arg_size(a, 3) >= len && copy_out(t, arg_ptr(a, 2), text, len) < 0)
        return -LINUX_EFAULT;
    return (int64_t)len;
}

static int64_t clear(struct task *t, struct key *k, const struct sysargs *a) {
    if (k->type != &key_keyring)
        return -LINUX_ENOTDIR;
    key_clear(t->k->keys, k);
    return 0;
}

// KEYCTL_LINK and KEYCTL_UNLINK: of key (1) and keyring (2).
static int64_t link_or_not(struct task *t, const struct sysargs *a, bool add) {
    struct key_table *x = t->k->keys;
    bool possessed;
    int err;
    LOCKED(&x->lock);
    struct key *ring = key_lookup(t, arg_int(a, 2), add ? KEY_CREATE : 0, KEY_WRITE, &possessed, &err);
    if (!ring)
        return err;
    unsigned how = add ? KEY_CREATE : KEY_PARTIAL, want = add ? KEY_LINK : 0;
    struct key *k = key_lookup(t, arg_int(a, 1), how, want, &possessed, &err);
    if (!k)
        return err;
    return add ? key_link(x, ring, k, false) : key_unlink(x, ring, k);
}

// From keyring (2) to keyring (3).
static int64_t move(struct task *t, const struct sysargs *a) {
    struct key_table *x = t->k->keys;
    bool possessed;
    int err;
    if (arg_u32(a, 4) & ~(unsigned)LINUX_KEYCTL_MOVE_EXCL)
        return -LINUX_EINVAL;
    LOCKED(&x->lock);
    struct key *k = key_lookup(t, arg_int(a, 1), KEY_CREATE, KEY_LINK, &possessed, &err);
    struct key *from = k ? key_lookup(t, arg_int(a, 2), 0, KEY_WRITE, &possessed, &err) : NULL;
    struct key *to = from ? key_lookup(t, arg_int(a, 3), KEY_CREATE, KEY_WRITE, &possessed, &err) : NULL;
    if (!to)
        return err;
    if (from->type != &key_keyring || to->type != &key_keyring)
        return -LINUX_ENOTDIR;
    if (from == to)
        return 0;
    unsigned i = 0;
    while (i < from->nlinks && from->links[i] != k)
        i++;
    if (i == from->nlinks)
        return -LINUX_ENOENT;
    // What the new link takes the place of may have been all that held the other two.
    k->refs++;
    from->refs++;
    err = key_link(x, to, k, arg_u32(a, 4) & LINUX_KEYCTL_MOVE_EXCL);
    if (err == 0)
        err = key_unlink(x, from, k);
    key_put(x, from);
    key_put(x, k);
    return err;
}

static int64_t search(struct task *t, const struct sysargs *a) {
    char type[KEY_TYPE_MAX], description[KEY_DESC_MAX];
    struct key_table *x = t->k->keys;
    bool possessed, ignored;
    int err = copy_type(t, type, arg_ptr(a, 2));
    if (err == 0)
        err = copy_description(t, description, arg_ptr(a, 3));
    if (err < 0)
        return err;
    LOCKED(&x->lock);
    struct key *ring = key_lookup(t, arg_int(a, 1), 0, KEY_SEARCH, &possessed, &err);
    if (!ring)
        return err;
    int32_t id = arg_int(a, 4);
    struct key *to = id ? key_lookup(t, id, KEY_CREATE, KEY_WRITE, &ignored, &err) : NULL;
    if (err < 0)
        return err;
    const struct key_type *want = key_type_find(type);
    if (!want)
        return -LINUX_ENOKEY;
    struct key *k = key_search(t, ring, possessed, want, description, &err);
    if (!k)
        return err;
    if (to && !key_allowed(t, k, possessed, KEY_LINK))
        return -LINUX_EACCES;
    err = to ? key_link(x, to, k, false) : 0;
    return err < 0 ? err : k->serial;
}

// What KEYCTL_READ gives: a copy of at most `room` bytes; *len: how much there is.
static int snapshot(struct task *t, int32_t id, size_t room, void **copy, size_t *len) {
    bool possessed;
    int err;
    LOCKED(&t->k->keys->lock);
    struct key *k = key_lookup(t, id, 0, 0, &possessed, &err);
    if (!k)
        return err;
    if (!key_allowed(t, k, possessed, KEY_READ) && !(possessed && key_allowed(t, k, true, KEY_SEARCH)))
        return -LINUX_EACCES;
    if (!k->type->read)
        return -LINUX_EOPNOTSUPP;
    bool ring = k->type == &key_keyring;
    *len = ring ? k->nlinks * sizeof(int32_t) : k->len;
    if (*len == 0 || *len > room)
        return 0;
    *copy = xcalloc(1, *len);
    if (!*copy)
        return -LINUX_ENOMEM;
    if (!ring)
        memcpy(*copy, k->payload, *len);
    for (unsigned i = 0; ring && i < k->nlinks; i++)
        ((int32_t *)*copy)[i] = k->links[i]->serial;
    return 0;
}

static int64_t read_key(struct task *t, const struct sysargs *a) {
    void *copy cleanup_free = NULL;
    size_t len = 0;
    int err = snapshot(t, arg_int(a, 1), arg_given(a, 2) ? arg_size(a, 3) : 0, &copy, &len);
    if (err < 0)
        return err;
    if (copy && copy_out(t, arg_ptr(a, 2), copy, len) < 0)
        return -LINUX_EFAULT;
    return (int64_t)len;
}

static int64_t request_to(struct task *t, int32_t which) {
    int32_t old = t->keys.request_to, id = 0;
    bool possessed;
    int err = 0;
    if (which == LINUX_KEY_REQKEY_DEFL_NO_CHANGE)
        return old;
    if (which < 0 || which > LINUX_KEY_REQKEY_DEFL_REQUESTOR_KEYRING || which == 6)
        return -LINUX_EINVAL;
    if (which == LINUX_KEY_REQKEY_DEFL_THREAD_KEYRING)
        id = LINUX_KEY_SPEC_THREAD_KEYRING;
    if (which == LINUX_KEY_REQKEY_DEFL_PROCESS_KEYRING)
        id = LINUX_KEY_SPEC_PROCESS_KEYRING;
    LOCKED(&t->k->keys->lock);
    if (id && !key_lookup(t, id, KEY_CREATE, 0, &possessed, &err))
        return err;
    t->keys.request_to = which;
    return old;
}

static int64_t security(struct task *t, const struct sysargs *a) {
    int64_t r = on_key(t, a, KEY_PARTIAL, KEY_VIEW, number);
    if (r < 0)
        return r;
    if (arg_given(a, 2) && arg_size(a, 3) > 0 && copy_out(t, arg_ptr(a, 2), "", 1) < 0)
        return -LINUX_EFAULT;
    return 1;
}

static bool same_user(const struct cred *a, const struct cred *b) {
    return a->uid == b->uid && a->euid == b->euid && a->suid == b->suid && a->gid == b->gid &&
           a->egid == b->egid && a->sgid == b->sgid;
}

static int64_t session_to_parent(struct task *t) {
    struct key_table *x = t->k->keys;
    bool possessed;
    int err;
    LOCKED(&t->k->tasks_lock);
    struct tgroup *g = t->tg->parent;
    struct task *p = g && g->pid > 1 ? g->leader : NULL;
    if (!p || !p->mm || atomic_load(&g->nalive) != 1 || !same_user(p->cred, t->cred))
        return -LINUX_EPERM;
    LOCKED(&x->lock);
    struct key *k = key_lookup(t, LINUX_KEY_SPEC_SESSION_KEYRING, 0, KEY_LINK, &possessed, &err);
    if (!k)
        return err;
    if (p->keys.session == k)
        return 0;
    k->refs++;
    key_put(x, p->keys.session);
    p->keys.session = k;
    return 0;
}

static int64_t restrict_ring(struct task *t, struct key *k, const struct sysargs *a) {
    if (k->type != &key_keyring)
        return -LINUX_ENOTDIR;
    if (arg_given(a, 2))
        return -LINUX_ENOENT;  // no type here has rules of its own
    if (k->closed)
        return -LINUX_EEXIST;
    k->closed = true;
    return 0;
}

static int64_t capabilities(struct task *t, const struct sysargs *a) {
    static const unsigned char known[2] = {LINUX_KEYCTL_CAPS0_BIG_KEY | LINUX_KEYCTL_CAPS0_INVALIDATE |
                                           LINUX_KEYCTL_CAPS0_RESTRICT_KEYRING | LINUX_KEYCTL_CAPS0_MOVE};
    size_t room = arg_size(a, 2), n = room < sizeof known ? room : sizeof known;
    if (copy_out(t, arg_ptr(a, 1), known, n) < 0 ||
        (room > n && clear_user(t, uaddr_add(arg_ptr(a, 1), n), room - n) < 0))
        return -LINUX_EFAULT;
    return (int64_t)sizeof known;
}

static int64_t change_number(struct task *t, const struct sysargs *a) {
    unsigned how = arg_int(a, 2) ? KEY_CREATE : 0;
    return on_key(t, a, how, KEY_SEARCH, number);
}

int64_t sys_keyctl(struct task *t, const struct sysargs *a) {
    switch (arg_int(a, 0)) {
    case LINUX_KEYCTL_GET_KEYRING_ID:
        return change_number(t, a);
    case LINUX_KEYCTL_JOIN_SESSION_KEYRING:
        return join(t, a);
    case LINUX_KEYCTL_UPDATE:
        return update(t, a);
    case LINUX_KEYCTL_REVOKE:
        return revoke_key(t, a);
    case LINUX_KEYCTL_CHOWN:
        return arg_u32(a, 2) == ~0u && arg_u32(a, 3) == ~0u
                   ? 0
                   : on_key(t, a, KEY_CREATE | KEY_PARTIAL, KEY_SETATTR, change_owner);
    case LINUX_KEYCTL_SETPERM:
        return arg_u32(a, 2) & ~KEY_PERM_ALL
                   ? -LINUX_EINVAL
                   : on_key(t, a, KEY_CREATE | KEY_PARTIAL, KEY_SETATTR, change_perm);
    case LINUX_KEYCTL_DESCRIBE:
        return describe(t, a);
    case LINUX_KEYCTL_CLEAR:
        return on_key(t, a, KEY_CREATE, KEY_WRITE, clear);
    case LINUX_KEYCTL_LINK:
    case LINUX_KEYCTL_UNLINK:
        return link_or_not(t, a, arg_int(a, 0) == LINUX_KEYCTL_LINK);
    case LINUX_KEYCTL_SEARCH:
        return search(t, a);
    case LINUX_KEYCTL_READ:
        return read_key(t, a);
    case LINUX_KEYCTL_SET_REQKEY_KEYRING:
        return request_to(t, arg_int(a, 1));
    case LINUX_KEYCTL_SET_TIMEOUT:
        return on_key(t, a, KEY_CREATE | KEY_PARTIAL, KEY_SETATTR, change_timeout);
    case LINUX_KEYCTL_GET_SECURITY:
        return security(t, a);
    case LINUX_KEYCTL_SESSION_TO_PARENT:
        return session_to_parent(t);
    case LINUX_KEYCTL_INVALIDATE:
        return on_key(t, a, 0, KEY_SEARCH, invalidate);
    case LINUX_KEYCTL_RESTRICT_KEYRING:
        return on_key(t, a, 0, KEY_SETATTR, restrict_ring);
    case LINUX_KEYCTL_MOVE:
        return move(t, a);
    case LINUX_KEYCTL_CAPABILITIES:
        return capabilities(t, a);
    case LINUX_KEYCTL_INSTANTIATE:
    case LINUX_KEYCTL_NEGATE:
    case LINUX_KEYCTL_REJECT:
    case LINUX_KEYCTL_INSTANTIATE_IOV:
        return -LINUX_EPERM;  // for who has been asked to make a key: nobody is
    case LINUX_KEYCTL_ASSUME_AUTHORITY:
        if (arg_int(a, 1) < 0)
            return -LINUX_EINVAL;
        return arg_int(a, 1) ? -LINUX_ENOKEY : 0;
    default:
        return -LINUX_EOPNOTSUPP;
    }
}
