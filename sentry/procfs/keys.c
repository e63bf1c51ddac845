// SPDX-License-Identifier: Apache-2.0
// /proc/keys: the keys that the reader may view; /proc/key-users: what users' keys take. keyrings(7).
#include "base/clock.h"
#include "sentry/keys/keys.h"
#include "sentry/proc/cred.h"
#include "sentry/procfs/impl.h"
#include "sentry/run/run.h"
#include <stdio.h>
#include <string.h>

static void put_lifetime(const struct key *k, char *buf, size_t size) {
    uint64_t now = real_ns() / NS_PER_SEC, end = (uint64_t)k->expires / NS_PER_SEC;
    if (!k->expires)
        snprintf(buf, size, "perm");
    else if (end <= now)
        snprintf(buf, size, "expd");
    else if (end - now < 60)
        snprintf(buf, size, "%us", (unsigned)(end - now));
    else if (end - now < 3600)
        snprintf(buf, size, "%um", (unsigned)((end - now) / 60));
    else
        snprintf(buf, size, "%uh", (unsigned)((end - now) / 3600));
}

static void put_key(struct proc_text *x, const struct key *k) {
    char left[16];
    put_lifetime(k, left, sizeof left);
    proc_printf(x, "%08x I%c-Q-%c%c %5u %4s %08x %5u %5u %-9.9s %s", (unsigned)k->serial,
                k->revoked ? 'R' : '-', k->negative ? 'N' : '-',
                k->invalid ? 'i' : '-', k->refs, left, k->perm, idmap_shown(proc_reader_uids(), k->uid),
                idmap_shown(proc_reader_gids(), k->gid),
                k->type->name, k->description);
    if (k->negative || k->revoked)
        proc_printf(x, "\n");
    else if (k->type != &key_keyring)
        proc_printf(x, ": %zu\n", k->len);
    else if (k->nlinks)
        proc_printf(x, ": %u\n", k->nlinks);
    else
        proc_printf(x, ": empty\n");
}

int proc_show_keys(struct proc_text *x, const struct proc_node *n) {
    struct key_table *k = the_kernel->keys;
    struct task *t = task_current;
    if (!t)
        return 0;
    LOCKED(&k->lock);
    uint64_t mark = keys_mark_possessed(t);
    for (unsigned i = 0; i < KEYS_MAX && !x->failed; i++) {
        const struct key *key = k->keys[i];
        if (key && !key->invalid && key_allowed(t, key, key->held == mark, KEY_VIEW))
            put_key(x, key);
    }
    return 0;
}

int proc_show_key_users(struct proc_text *x, const struct proc_node *n) {
    struct key_table *k = the_kernel->keys;
    const struct key_user *u;
    LOCKED(&k->lock);
    list_for_each(u, &k->users, link)
        proc_printf(x, "%5u: %5u %u/%u %u/%u %zu/%u\n", idmap_shown(proc_reader_uids(), u->uid), u->nkeys,
                    u->nkeys, u->nkeys, u->nkeys, atomic_load(u->uid ? &k->max_keys : &k->root_max_keys),
                    u->nbytes, atomic_load(u->uid ? &k->max_bytes : &k->root_max_bytes));
    return 0;
}
