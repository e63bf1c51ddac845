// SPDX-License-Identifier: Apache-2.0
// Keys as objects: who is charged, what is linked where. See keys.h. The table's lock is held throughout.
#include "abi/errno.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/keys/keys.h"
#include "sentry/proc/cred.h"
#include <stdlib.h>
#include <string.h>

const struct key_type key_keyring = {.name = "keyring", .empty = true, .read = true};
static const struct key_type types[] = {
    {.name = "user", .most = 32767, .update = true, .read = true},
    {.name = "logon", .most = 32767, .update = true, .wanted = ":"},
    {.name = "big_key", .most = KEY_PAYLOAD_MAX, .update = true, .read = true},
};

const struct key_type *key_type_find(const char *name) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, name))
            return &types[i];
    return strcmp(key_keyring.name, name) ? NULL : &key_keyring;
}

struct key_table *key_table_new(void) {
    struct key_table *x = znew(struct key_table);
    if (!x)
        return NULL;
    lock_init(&x->lock, RANK_OBJECT);
    list_init(&x->users);
    random_bytes(&x->generation, sizeof x->generation);
    atomic_init(&x->max_keys, 200);
    atomic_init(&x->max_bytes, 20000);
    atomic_init(&x->root_max_keys, KEYS_MAX);
    atomic_init(&x->root_max_bytes, 25000000);
    return x;
}

// ---- Who is charged ---------------------------------------------------------------------------------------
static struct key_user *user_of(struct key_table *x, uint32_t uid) {
    struct key_user *u;
    list_for_each(u, &x->users, link) {
        if (u->uid == uid)
            return u;
    }
    u = znew(struct key_user);
    if (!u)
        return NULL;
    u->uid = uid;
    list_add_tail(&x->users, &u->link);
    return u;
}

// One without keys and without rings of its own is not kept.
static void let_go(struct key_user *u) {
    if (u->nkeys > 0 || u->keyring || u->session)
        return;
    list_del(&u->link);
    free(u);
}

static int charge(struct key_table *x, struct key_user *u, unsigned keys, size_t bytes) {
    unsigned most = atomic_load(u->uid ? &x->max_keys : &x->root_max_keys);
    size_t most_bytes = atomic_load(u->uid ? &x->max_bytes : &x->root_max_bytes);
    if (u->nkeys + keys > most || u->nbytes + bytes > most_bytes || x->nkeys + keys > KEYS_MAX ||
        x->nbytes + bytes > KEYS_BYTES_MAX)
        return -LINUX_EDQUOT;
    u->nkeys += keys;
    u->nbytes += bytes;
    x->nkeys += keys;
    x->nbytes += bytes;
    return 0;
}

static void uncharge(struct key_table *x, struct key_user *u, unsigned keys, size_t bytes) {
    u->nkeys -= keys;
    u->nbytes -= bytes;
    x->nkeys -= keys;
    x->nbytes -= bytes;
}

static int recharge(struct key_table *x, struct key *k, size_t bytes) {
    int err = bytes > k->charged ? charge(x, k->user, 0, bytes - k->charged) : 0;
    if (err == 0 && bytes < k->charged)
        uncharge(x, k->user, 0, k->charged - bytes);
    if (err == 0)
        k->charged = bytes;
    return err;
}

int key_give_to(struct key_table *x, struct key *k, uint32_t uid) {
    struct key_user *u = user_of(x, uid);
    if (!u)
        return -LINUX_ENOMEM;
    // both at once within the table's own bounds, which do not change
    x->nkeys--;
    x->nbytes -= k->charged;
    int err = charge(x, u, 1, k->charged);
    x->nkeys++;
    x->nbytes += k->charged;
    if (err < 0) {
        let_go(u);
        return err;
    }
    uncharge(x, k->user, 1, k->charged);
    let_go(k->user);
    k->user = u;
    return 0;
}

// ---- Keys -------------------------------------------------------------------------------------------------
static void number(struct key_table *x, struct key *k) {
    while (x->keys[x->next % KEYS_MAX])
        x->next++;
    unsigned slot = x->next++ % KEYS_MAX;
    x->generation = (x->generation + 1) % (INT32_MAX / KEYS_MAX);
    k->serial = (int32_t)((x->generation + 1) * KEYS_MAX + slot);
    if (k->serial < 0)
        k->serial = (int32_t)(KEYS_MAX + slot);
    x->keys[slot] = k;
}

struct key *key_new(struct key_table *x, const struct cred *c, const struct key_type *type,
                    const char *description, uint32_t perm, void *payload, size_t len, int *err) {
    struct key_user *u = user_of(x, c->fsuid);
    struct key *k = u ? znew(struct key) : NULL;
    char *text = k ? strdup(description) : NULL;
    size_t bytes = strlen(description) + 1 + len;
    *err = text ? charge(x, u, 1, bytes) : -LINUX_ENOMEM;
    if (*err < 0) {
        free(text);
        free(k);
        if (u)
            let_go(u);
        return NULL;
    }
    *k = (struct key){.refs = 1, .type = type, .user = u, .uid = c->fsuid, .gid = c->fsgid, .perm = perm,
                      .description = text, .payload = payload, .len = len, .charged = bytes};
    number(x, k);
    return k;
}

static void free_key(struct key_table *x, struct key *k) {
    x->keys[k->serial % KEYS_MAX] = NULL;
    uncharge(x, k->user, 1, k->charged);
    let_go(k->user);
    if (k->payload)
        explicit_bzero(k->payload, k->len);
    free(k->payload);
    free(k->description);
    free(k->links);
    free(k);
}

// A chain of keyrings may be as long as there are keys: no recursion.
void key_put(struct key_table *x, struct key *k) {
    if (!k || --k->refs)
        return;
    struct key *dead = k;
    k->next_dead = NULL;
    while ((k = dead)) {
        dead = k->next_dead;
        for (unsigned i = 0; i < k->nlinks; i++) {
            struct key *l = k->links[i];
            if (--l->refs == 0) {
                l->next_dead = dead;
                dead = l;
            }
        }
        free_key(x, k);
    }
}

int key_set_payload(struct key_table *x, struct key *k, void *payload, size_t len) {
    int err = recharge(x, k, k->charged - k->len + len);
    if (err < 0)
        return err;
    if (k->payload)
        explicit_bzero(k->payload, k->len);
    free(k->payload);
    k->payload = payload;
    k->len = len;
    return 0;
}

int key_valid(const struct key *k) {
    if (k->invalid)
        return -LINUX_ENOKEY;
    if (k->revoked)
        return -LINUX_EKEYREVOKED;
    if (k->expires && real_ns() >= (uint64_t)k->expires)
        return -LINUX_EKEYEXPIRED;
    return k->negative ? -LINUX_ENOKEY : 0;
}

// ---- The end ----------------------------------------------------------------------------------------------
static struct key_user *user_with_rings(struct key_table *x) {
    struct key_user *u;
    list_for_each(u, &x->users, link) {
        if (u->keyring || u->session)
            return u;
    }
    return NULL;
}

void key_table_free(struct key_table *x) {
    if (!x)
        return;
    {
        LOCKED(&x->lock);
        // A ring may be charged to another user than the one whom it serves: all go first. The last key of a
        // user takes the user along.
        struct key_user *u;
        while ((u = user_with_rings(x))) {
            struct key *session = take_ptr(u->session), *keyring = take_ptr(u->keyring);
            let_go(u);
            key_put(x, session);
            key_put(x, keyring);
        }
        if (!list_empty(&x->users))
            panic("keys: %u of a user are left", list_first(&x->users, struct key_user, link)->nkeys);
    }
    lock_destroy(&x->lock);
    free(x);
}

// ---- Keyrings ---------------------------------------------------------------------------------------------
#define LINK_BYTES 8  // what a link is charged, as Linux does

static unsigned place_of(const struct key *ring, const struct key_type *type, const char *description) {
    unsigned i = 0;
    while (i < ring->nlinks &&
           (ring->links[i]->type != type || strcmp(ring->links[i]->description, description)))
        i++;
    return i;
}

struct key *key_in_ring(const struct key *ring, const struct key_type *type, const char *description) {
    unsigned i = place_of(ring, type, description);
    return i < ring->nlinks ? ring->links[i] : NULL;
}

// Does `from` lead to `to`? -LINUX_EDEADLK, or -LINUX_ELOOP when keyrings lie too deep in each other; else 0.
static int leads_to(struct key_table *x, struct key *from, const struct key *to, unsigned depth) {
    if (from == to)
        return -LINUX_EDEADLK;
    if (depth > KEY_DEPTH_MAX)
        return -LINUX_ELOOP;
    if (from->seen == x->search)
        return 0;
    from->seen = x->search;
    for (unsigned i = 0; i < from->nlinks; i++) {
        struct key *l = from->links[i];
        int err = l->type == &key_keyring ? leads_to(x, l, to, depth + 1) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

static int make_room(struct key *ring) {
    if (ring->nlinks < ring->maxlinks)
        return 0;
    unsigned more = ring->maxlinks ? ring->maxlinks * 2 : 8;
    struct key **links = xrealloc(ring->links, more * sizeof *links);
    if (!links)
        return -LINUX_ENOMEM;
    ring->links = links;
    ring->maxlinks = more;
    return 0;
}

int key_link(struct key_table *x, struct key *ring, struct key *k, bool only) {
    if (ring->type != &key_keyring)
        return -LINUX_ENOTDIR;
    if (ring->closed)
        return -LINUX_EPERM;
    x->search++;
    int err = k->type == &key_keyring ? leads_to(x, k, ring, 0) : 0;
    if (err < 0)
        return err;
    unsigned at = place_of(ring, k->type, k->description);
    if (at < ring->nlinks && ring->links[at] == k)
        return only ? -LINUX_EEXIST : 0;
    if (at < ring->nlinks) {
        struct key *old = ring->links[at];
        if (only)
            return -LINUX_EEXIST;
        k->refs++;
        ring->links[at] = k;
        key_put(x, old);
        return 0;
    }
    err = make_room(ring);
    if (err == 0)
        err = recharge(x, ring, ring->charged + LINK_BYTES);
    if (err < 0)
        return err;
    k->refs++;
    ring->links[ring->nlinks++] = k;
    return 0;
}

int key_unlink(struct key_table *x, struct key *ring, const struct key *k) {
    if (ring->type != &key_keyring)
        return -LINUX_ENOTDIR;
    unsigned i = 0;
    while (i < ring->nlinks && ring->links[i] != k)
        i++;
    if (i == ring->nlinks)
        return -LINUX_ENOENT;
    struct key *gone = ring->links[i];
    ring->links[i] = ring->links[--ring->nlinks];
    recharge(x, ring, ring->charged - LINK_BYTES);
    key_put(x, gone);
    return 0;
}

void key_clear(struct key_table *x, struct key *ring) {
    while (ring->nlinks > 0)
        key_unlink(x, ring, ring->links[ring->nlinks - 1]);
}
