// SPDX-License-Identifier: Apache-2.0
// See fdcharge.h. Accounts live as long as they have a charge, so there are no more than descriptors.
// LIMIT: a file that several users have open is charged to the one who opened it first.
#include "base/fdcharge.h"
#include "abi/errno.h"
#include "base/fault.h"
#include "base/lock.h"
#include "base/log.h"
#include <unistd.h>

#define BUCKETS 64u

enum kind { NOBODY, ORDINARY, ADMIN, SPARE };

struct account {
    struct account *next;
    uint32_t uid, used;
};
struct slot {
    struct account *account;  // of ORDINARY and ADMIN
    enum kind kind;
    uint64_t id;
};

static struct lock lock = LOCK_INITIALIZER(RANK_FDCHARGE);
static struct slot *slots;                   // [lock] by number
static uint32_t nslots, limit;               // [c] 0: nothing is counted
static uint64_t last_id;                     // [lock]
static uint32_t used[SPARE + 1];             // [lock] by kind
static struct account *accounts[BUCKETS];    // [lock]
static struct fdcharge_who (*caller)(void);  // [c]

int fdcharge_init(uint32_t max, struct fdcharge_who (*who)(void)) {
    // Numbers are given from the lowest on, behind those that tmpfs leaves free.
    nslots = max + 2048;
    slots = xcalloc(nslots, sizeof *slots);
    caller = who;
    limit = slots ? max : 0;
    return slots ? 0 : -LINUX_ENOMEM;
}

// ---- Accounts; the lock is held ---------------------------------------------------------------------------
static struct account **account_link(uint32_t uid) {
    struct account **at = &accounts[uid % BUCKETS];
    while (*at && (*at)->uid != uid)
        at = &(*at)->next;
    return at;
}
static struct account *account_of(uint32_t uid) {
    struct account **at = account_link(uid);
    if (!*at && (*at = znew(struct account)))
        (*at)->uid = uid;
    return *at;
}
static void account_end(struct account *a) {
    if (a->used)
        return;
    struct account **at = account_link(a->uid);
    *at = a->next;
    free(a);
}
static void slot_release(struct slot *s) {
    if (s->kind == NOBODY)
        return;
    invariant(used[s->kind] > 0);
    used[s->kind]--;
    if (s->account) {
        s->account->used--;
        account_end(s->account);
    }
    *s = (struct slot){0};
}
static bool has_room(enum kind kind, const struct account *a) {
    uint32_t part = limit / 8;
    switch (kind) {
    case SPARE:
        return used[SPARE] < part;
    case ORDINARY:
        if (a->used >= 5 * part || used[ORDINARY] >= 6 * part)
            return false;
        break;
    default:
        break;
    }
    return used[ORDINARY] + used[ADMIN] < limit - part;
}
static int charge(struct slot *s, enum kind kind, uint32_t uid) {
    slot_release(s);
    struct account *a = kind == SPARE ? NULL : account_of(uid);
    if (kind != SPARE && !a)
        return -LINUX_ENOMEM;
    if (!has_room(kind, a)) {
        if (a)
            account_end(a);
        return -LINUX_ENFILE;
    }
    if (a)
        a->used++;
    used[kind]++;
    *s = (struct slot){a, kind, ++last_id};
    return 0;
}

// ---- For everybody ----------------------------------------------------------------------------------------
static int charge_fd(int fd, enum kind kind, uint32_t uid) {
    LOCKED(&lock);
    return (uint32_t)fd < nslots ? charge(&slots[fd], kind, uid) : -LINUX_ENFILE;
}
int fdcharge_take(int fd) {
    if (!limit)
        return 0;
    struct fdcharge_who who = caller();
    return charge_fd(fd, who.admin ? ADMIN : ORDINARY, who.uid);
}
int fdcharge_take_spare(int fd) { return limit ? charge_fd(fd, SPARE, 0) : 0; }
uint64_t fdcharge_id(int fd) {
    LOCKED(&lock);
    return fd >= 0 && (uint32_t)fd < nslots ? slots[fd].id : 0;
}
void fdcharge_give(int fd) {
    LOCKED(&lock);
    if ((uint32_t)fd < nslots)
        slot_release(&slots[fd]);
}
void fdcharge_close(int fd) {
    fdcharge_give(fd);
    close(fd);
}
uint32_t fdcharge_of(uint32_t uid) {
    LOCKED(&lock);
    const struct account *a = *account_link(uid);
    return a ? a->used : 0;
}
