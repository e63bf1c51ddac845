// SPDX-License-Identifier: Apache-2.0
// Keys and keyrings, keyrings(7): small named secrets of the sandbox's own, none of the host's. One lock is
// over all of them: a key is looked up, used and changed under it, and nothing is copied from or to guests.
// What a key takes is charged to its user and, since users' numbers are a guest's own choice, to the table
// as a whole.
//
// LIMIT: key types are user, logon, big_key and keyring; no helper (/sbin/request-key) is asked, so a
// key that is not found is ENOKEY; Diffie-Hellman, asymmetric keys, persistent keyrings and watches are
// EOPNOTSUPP.
#ifndef SENTRY_KEYS_KEYS_H
#define SENTRY_KEYS_KEYS_H
#include "base/list.h"
#include "base/lock.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task;
struct cred;

#define KEYS_MAX        16384        // keys of a sandbox
#define KEYS_BYTES_MAX  (32u << 20)  // what they take together
#define KEY_DESC_MAX    4096         // with the NUL
#define KEY_TYPE_MAX    32           // with the NUL
#define KEY_PAYLOAD_MAX (1024 * 1024 - 1)
#define KEY_DEPTH_MAX   6            // how deep keyrings may lie in each other

// Rights, in each of the four bytes of a permission mask: possessor, user, group, other.
enum { KEY_VIEW = 1, KEY_READ = 2, KEY_WRITE = 4, KEY_SEARCH = 8, KEY_LINK = 16, KEY_SETATTR = 32 };
#define KEY_PERM_ALL 0x3f3f3f3fu

// What a number that names a key may bring about: bits of key_lookup().
enum { KEY_CREATE = 1, KEY_PARTIAL = 2 };

struct key_type {
    const char *name;
    size_t most;        // bytes of payload
    bool empty;         // the payload must be empty; else it must not be
    bool update, read;  // add_key(2) and KEYCTL_UPDATE change it; it can be read
    const char *wanted; // must be in the description, not in front; NULL: nothing
};
extern const struct key_type key_keyring;
const struct key_type *key_type_find(const char *name);  // or NULL

struct key_user;
struct key {
    unsigned refs;  // all of this: the table's lock
    int32_t serial;
    const struct key_type *type;
    struct key_user *user;  // who is charged
    uint32_t uid, gid, perm;
    // closed: a keyring that takes no more links; negative: known not to be had
    bool revoked, invalid, closed, negative;
    int64_t expires;                // ns of the real-time clock; 0: never
    char *description;
    void *payload;                  // owned
    size_t len, charged;            // bytes
    struct key **links;             // of a keyring: referenced
    unsigned nlinks, maxlinks;
    uint64_t seen, held;            // the search that has been here, that has found it possessed
    struct key *next_dead;
};

struct key_user {
    struct list link;
    uint32_t uid;
    unsigned nkeys;
    size_t nbytes;
    struct key *keyring, *session;  // _uid.N and _uid_ses.N: referenced
};

struct key_table {
    struct lock lock;
    struct key *keys[KEYS_MAX];  // by serial % KEYS_MAX; borrowed
    unsigned nkeys, next;
    size_t nbytes;
    uint32_t generation;
    uint64_t search;
    struct list users;
    _Atomic unsigned max_keys, max_bytes, root_max_keys, root_max_bytes;  // /proc/sys/kernel/keys
};

// Of a thread: the keyrings that are its own, and where request_key(2) puts what it finds. [table's lock]
struct task_keys {
    struct key *thread, *_Atomic session;  // referenced; NULL: none. A child may set its parent's session
    int request_to;                // KEY_REQKEY_DEFL_*
};

struct key_table *key_table_new(void);  // NULL: no memory
void key_table_free(struct key_table *x);  // all tasks are gone; x may be NULL

// ---- Hooks of tasks ---------------------------------------------------------------------------------------
void keys_for_child(struct task *t, struct task *c);  // a thread or process that t makes
void keys_exec(struct task *t);
void keys_task_gone(struct task *t);
struct tgroup;
void keys_process_gone(struct tgroup *g);

// ---- With the table's lock held ---------------------------------------------------------------------------
void key_put(struct key_table *x, struct key *k);  // k may be NULL
// A new key, with one reference; payload is taken over when it succeeds. NULL and *err.
struct key *key_new(struct key_table *x, const struct cred *c, const struct key_type *type,
                    const char *description, uint32_t perm, void *payload, size_t len, int *err);
int key_set_payload(struct key_table *x, struct key *k, void *payload, size_t len);  // taken over if 0
// Charges k to another user. 0 or -LINUX_EDQUOT.
int key_give_to(struct key_table *x, struct key *k, uint32_t uid);
// Into a keyring, in the place of a key of the same type and description. `only`: EEXIST instead.
int key_link(struct key_table *x, struct key *ring, struct key *k, bool only);
int key_unlink(struct key_table *x, struct key *ring, const struct key *k);
void key_clear(struct key_table *x, struct key *ring);
// In one keyring alone: borrowed, or NULL.
struct key *key_in_ring(const struct key *ring, const struct key_type *type, const char *description);
// In a keyring and those that it leads to, as far as t may look: borrowed, or NULL and *err, the best reason.
struct key *key_search(struct task *t, struct key *ring, bool possessed, const struct key_type *type,
                       const char *description, int *err);
// The same in all that t has: thread, process and session.
struct key *key_search_all(struct task *t, const struct key_type *type, const char *description, int *err);
// Marks all that t possesses: their `held` is what this returns, until the next such search.
uint64_t keys_mark_possessed(struct task *t);
int key_valid(const struct key *k);  // 0, -LINUX_EKEYREVOKED, -LINUX_EKEYEXPIRED, -LINUX_ENOKEY
bool key_allowed(const struct task *t, const struct key *k, bool possessed, unsigned want);
// The key that a number names, special ones too: borrowed, or NULL and *err. want: KEY_* or 0.
struct key *key_lookup(struct task *t, int32_t id, unsigned how, unsigned want, bool *possessed, int *err);
// A new session keyring, or the one with that name: its number or an error.
int32_t keys_join_session(struct task *t, const char *name);

#endif
