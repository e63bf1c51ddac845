// SPDX-License-Identifier: Apache-2.0
// Whom instances, watches and events of inotify and fanotify are charged to: see notify.h.
#include "fs/core.h"
#include "fs/notify.h"

static struct list users = LIST_INIT(users);

// A new one is taken over by the table.
static struct notify_user *find(uint32_t uid, struct notify_user **fresh) {
    struct notify_user *u;
    list_for_each(u, &users, link)
        if (u->uid == uid)
            return u;
    u = *fresh;
    *fresh = NULL;
    u->uid = uid;
    list_add(&users, &u->link);
    return u;
}
struct notify_user *notify_user_get(uint32_t uid) {
    struct notify_user *fresh = znew(struct notify_user);
    if (!fresh)
        return NULL;
    lock_take(&notify_lock);
    struct notify_user *u = find(uid, &fresh);
    u->refs++;
    lock_drop(&notify_lock);
    free(fresh);
    return u;
}
void notify_user_put(struct notify_user *u) {
    lock_take(&notify_lock);
    bool last = --u->refs == 0;
    if (last)
        list_del(&u->link);
    lock_drop(&notify_lock);
    if (last)
        free(u);
}
bool notify_user_charge(struct notify_user *u, size_t bytes) {
    if (atomic_fetch_add_explicit(&u->queued, bytes, memory_order_relaxed) + bytes <= NOTIFY_QUEUED_BYTES)
        return true;
    notify_user_uncharge(u, bytes);
    return false;
}
void notify_user_uncharge(struct notify_user *u, size_t bytes) {
    atomic_fetch_sub_explicit(&u->queued, bytes, memory_order_relaxed);
}
