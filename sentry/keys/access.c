// SPDX-License-Identifier: Apache-2.0
// Who may do what with a key, what a thread can reach, and the keyrings that threads, processes, sessions and
// users have of their own. See keys.h.
#include "abi/caps.h"
#include "abi/errno.h"
#include "abi/keyctl.h"
#include "base/cleanup.h"
#include "sentry/kernel.h"
#include "sentry/keys/keys.h"
#include "sentry/proc/cred.h"
#include <stdio.h>
#include <string.h>

#define POSSESSOR(rights) ((uint32_t)(rights) << 24)
#define OWNER(rights)     ((uint32_t)(rights) << 16)
#define ALL_RIGHTS        0x3fu
#define USERS_OWN         (POSSESSOR(ALL_RIGHTS & ~(unsigned)KEY_SETATTR) | OWNER(ALL_RIGHTS))

static bool in_group(const struct cred *c, uint32_t gid) {
    for (unsigned i = 0; i < c->ngroups; i++)
        if (c->groups[i] == gid)
            return true;
    return c->fsgid == gid;
}

bool key_allowed(const struct task *t, const struct key *k, bool possessed, unsigned want) {
    const struct cred *c = t->cred;
    uint32_t have = k->perm;
    if (k->uid == c->fsuid)
        have = k->perm >> 16;
    else if (k->perm >> 8 & ALL_RIGHTS && in_group(c, k->gid))
        have = k->perm >> 8;
    if (possessed)
        have |= k->perm >> 24;
    return (have & want) == want;
}

// ---- Searches ---------------------------------------------------------------------------------------------
struct hunt {
    struct task *t;
    bool possessed;
    const struct key_type *type;
    const char *description;
    const struct key *aim;  // instead of the two: this very key
    int err;
    uint64_t mark;          // instead of all: each is marked so, none is found; 0: not so
};

static bool fits(const struct hunt *h, struct key *k) {
    if (h->mark && key_allowed(h->t, k, h->possessed, KEY_SEARCH))
        k->held = h->mark;
    if (h->mark)
        return false;
    if (h->aim)
        return k == h->aim;
    return k->type == h->type && !strcmp(k->description, h->description);
}

static struct key *hunt_one(struct hunt *h, struct key *k) {
    int err = h->aim ? 0 : key_valid(k);
    if (err == 0 && !key_allowed(h->t, k, h->possessed, KEY_SEARCH))
        err = -LINUX_EACCES;
    if (err == -LINUX_ENOKEY && k->invalid)
        err = -LINUX_EKEYREVOKED;
    if (err < 0)
        h->err = err;
    return err == 0 ? k : NULL;
}

// A keyring is looked through once, however many ways lead to it.
static struct key *hunt(struct hunt *h, struct key *ring, unsigned depth) {
    struct key_table *x = h->t->k->keys;
    ring->seen = x->search;
    for (unsigned i = 0; i < ring->nlinks; i++) {
        struct key *found = fits(h, ring->links[i]) ? hunt_one(h, ring->links[i]) : NULL;
        if (found)
            return found;
    }
    for (unsigned i = 0; i < ring->nlinks && depth < KEY_DEPTH_MAX; i++) {
        struct key *l = ring->links[i];
        if (l->type != &key_keyring || l->seen == x->search || key_valid(l) < 0 ||
            !key_allowed(h->t, l, h->possessed, KEY_SEARCH))
            continue;
        struct key *found = hunt(h, l, depth + 1);
        if (found)
            return found;
    }
    return NULL;
}

static struct key *hunt_from(struct hunt *h, struct key *ring) {
    if (!ring)
        return NULL;
    int err = key_valid(ring);
    if (err == 0 && !key_allowed(h->t, ring, h->possessed, KEY_SEARCH))
        err = -LINUX_EACCES;
    h->err = err < 0 ? err : -LINUX_ENOKEY;
    if (err < 0)
        return NULL;
    if (fits(h, ring))
        return ring;
    h->t->k->keys->search++;
    return hunt(h, ring, 1);
}

struct key *key_search(struct task *t, struct key *ring, bool possessed, const struct key_type *type,
                       const char *description, int *err) {
    struct hunt h = {t, possessed, type, description, NULL, -LINUX_ENOKEY, 0};
    if (ring->type != &key_keyring) {
        *err = -LINUX_ENOTDIR;
        return NULL;
    }
    struct key *k = hunt_from(&h, ring);
    *err = h.err;
    return k;
}

static struct key_user *users_keys(struct key_table *x, uint32_t uid) {
    struct key_user *u;
    list_for_each(u, &x->users, link) {
        if (u->uid == uid && u->session)
            return u;
    }
    return NULL;
}

// As Linux: that the key is not in one of them outweighs why it cannot be had in another.
static struct key *hunt_all(struct hunt *h) {
    struct task *t = h->t;
    struct key_user *u = t->keys.session ? NULL : users_keys(t->k->keys, t->cred->uid);
    struct key *rings[] = {t->keys.thread, t->tg->keyring, u ? u->session : t->keys.session}, *k = NULL;
    int best = 0;
    for (size_t i = 0; i < sizeof rings / sizeof *rings && !k; i++) {
        k = hunt_from(h, rings[i]);
        if (!k && rings[i] && best != -LINUX_ENOKEY)
            best = h->err;
    }
    h->err = best ? best : -LINUX_ENOKEY;
    return k;
}

struct key *key_search_all(struct task *t, const struct key_type *type, const char *description, int *err) {
    struct hunt h = {t, true, type, description, NULL, -LINUX_ENOKEY, 0};
    struct key *k = hunt_all(&h);
    *err = h.err;
    return k;
}

static bool possesses(struct task *t, const struct key *k) {
    struct hunt h = {t, true, NULL, NULL, k, -LINUX_ENOKEY, 0};
    return hunt_all(&h) != NULL;
}

uint64_t keys_mark_possessed(struct task *t) {
    struct hunt h = {t, true, NULL, NULL, NULL, -LINUX_ENOKEY, ++t->k->keys->search};
    hunt_all(&h);
    return h.mark;
}

// ---- A thread's own keyrings ------------------------------------------------------------------------------
static struct key *new_ring(struct task *t, const char *name, uint32_t perm, int *err) {
    return key_new(t->k->keys, t->cred, &key_keyring, name, perm, NULL, 0, err);
}

static struct key *own_ring(struct task *t, struct key **at, const char *name, unsigned how, int *err) {
    if (!*at && how & KEY_CREATE)
        *at = new_ring(t, name, POSSESSOR(ALL_RIGHTS) | OWNER(KEY_VIEW), err);
    return *at;
}

// The two of the caller's user, who is there from then on.
static struct key_user *user_rings(struct task *t, int *err) {
    struct key_table *x = t->k->keys;
    struct key_user *u = users_keys(x, t->cred->uid);
    if (u)
        return u;
    struct cred c = {.fsuid = t->cred->uid, .fsgid = ~0u};
    char name[32];
    snprintf(name, sizeof name, "_uid.%u", c.fsuid);
    struct key *ring = key_new(x, &c, &key_keyring, name, USERS_OWN, NULL, 0, err);
    if (!ring)
        return NULL;
    snprintf(name, sizeof name, "_uid_ses.%u", c.fsuid);
    struct key *session = key_new(x, &c, &key_keyring, name, USERS_OWN, NULL, 0, err);
    if (session)
        *err = key_link(x, session, ring, false);
    if (*err < 0) {
        key_put(x, session);
        key_put(x, ring);
        return NULL;
    }
    u = ring->user;
    u->keyring = ring;
    u->session = session;
    return u;
}

static void set_session(struct task *t, struct key *k) {  // takes the reference over
    struct key *old = t->keys.session;
    t->keys.session = k;
    key_put(t->k->keys, old);
}

static struct key *session_ring(struct task *t, unsigned how, int *err) {
    struct key_user *u = !t->keys.session || how & KEY_CREATE ? user_rings(t, err) : NULL;
    if (*err < 0)
        return NULL;
    bool users = !t->keys.session || (u && t->keys.session == u->session);
    if (users && how & KEY_CREATE) {
        struct key *k = new_ring(t, "_ses", POSSESSOR(ALL_RIGHTS) | OWNER(KEY_VIEW | KEY_READ), err);
        if (!k)
            return NULL;
        set_session(t, k);
    } else if (!t->keys.session) {
        u->session->refs++;
        set_session(t, u->session);
    }
    return t->keys.session;
}

static struct key *special(struct task *t, int32_t id, unsigned how, int *err) {
    struct key_user *u;
    switch (id) {
    case LINUX_KEY_SPEC_THREAD_KEYRING:
        return own_ring(t, &t->keys.thread, "_tid", how, err);
    case LINUX_KEY_SPEC_PROCESS_KEYRING:
        return own_ring(t, &t->tg->keyring, "_pid", how, err);
    case LINUX_KEY_SPEC_SESSION_KEYRING:
        return session_ring(t, how, err);
    case LINUX_KEY_SPEC_USER_KEYRING:
        u = user_rings(t, err);
        return u ? u->keyring : NULL;
    case LINUX_KEY_SPEC_USER_SESSION_KEYRING:
        u = user_rings(t, err);
        return u ? u->session : NULL;
    case LINUX_KEY_SPEC_REQKEY_AUTH_KEY:  // nobody here is asked to make a key
    case LINUX_KEY_SPEC_REQUESTOR_KEYRING:
        return NULL;
    default:
        *err = -LINUX_EINVAL;
        return NULL;
    }
}

static struct key *by_serial(const struct key_table *x, int32_t id) {
    struct key *k = x->keys[id % KEYS_MAX];
    return k && k->serial == id && !k->invalid ? k : NULL;
}

struct key *key_lookup(struct task *t, int32_t id, unsigned how, unsigned want, bool *possessed, int *err) {
    *err = 0;
    *possessed = id < 0;
    struct key *k = id < 0 ? special(t, id, how, err) : NULL;
    if (id == 0)
        *err = -LINUX_EINVAL;
    if (id > 0)
        k = by_serial(t->k->keys, id);
    if (!k) {
        *err = *err < 0 ? *err : -LINUX_ENOKEY;
        return NULL;
    }
    if (id > 0)
        *possessed = possesses(t, k);
    if (id == LINUX_KEY_SPEC_USER_KEYRING || id == LINUX_KEY_SPEC_USER_SESSION_KEYRING)
        *possessed = possesses(t, k) || !t->keys.session;
    if (!(how & KEY_PARTIAL))
        *err = key_valid(k);
    if (*err == 0 && !key_allowed(t, k, *possessed, want))
        *err = -LINUX_EACCES;
    return *err < 0 ? NULL : k;
}

// A keyring of that name that the caller may join: his own user's, and to be searched.
static struct key *named_session(struct task *t, const char *name) {
    const struct key_table *x = t->k->keys;
    for (unsigned i = 0; i < KEYS_MAX; i++) {
        struct key *k = x->keys[i];
        if (k && k->type == &key_keyring && !strcmp(k->description, name) && key_valid(k) == 0 &&
            k->user->session != k && k->user->keyring != k && key_allowed(t, k, false, KEY_SEARCH))
            return k;
    }
    return NULL;
}

int32_t keys_join_session(struct task *t, const char *name) {
    int err = 0;
    struct key *k = name ? named_session(t, name) : NULL;
    if (k)
        k->refs++;
    else
        k = new_ring(
            t, name ? name : "_ses",
            POSSESSOR(ALL_RIGHTS) | OWNER(KEY_VIEW | KEY_READ | (name ? KEY_SEARCH | KEY_LINK : 0)), &err);
    if (!k)
        return err;
    set_session(t, k);
    return k->serial;
}

// ---- Hooks of tasks ---------------------------------------------------------------------------------------
void keys_for_child(struct task *t, struct task *c) {
    c->keys.request_to = t->keys.request_to;
    if (!atomic_load(&t->keys.session))
        return;
    LOCKED(&t->k->keys->lock);
    if (t->keys.session) {
        c->keys.session = t->keys.session;
        c->keys.session->refs++;
    }
}

void keys_process_gone(struct tgroup *g) {
    if (!g->keyring)
        return;
    LOCKED(&g->k->keys->lock);
    key_put(g->k->keys, take_ptr(g->keyring));
}

void keys_exec(struct task *t) {
    if (!t->keys.thread && !t->tg->keyring)
        return;  // its own alone make these
    LOCKED(&t->k->keys->lock);
    key_put(t->k->keys, take_ptr(t->keys.thread));
    key_put(t->k->keys, take_ptr(t->tg->keyring));
}

void keys_task_gone(struct task *t) {
    if (!t->keys.thread && !t->keys.session)
        return;
    LOCKED(&t->k->keys->lock);
    key_put(t->k->keys, take_ptr(t->keys.thread));
    key_put(t->k->keys, atomic_exchange(&t->keys.session, NULL));
}
