// SPDX-License-Identifier: Apache-2.0
// Dispositions of signals (struct sighand), shared by the threads of a process, and by CLONE_SIGHAND also by
// several. Locks: its own, RANK_LEAF, so it may be taken under any sig_lock.
#include "base/fault.h"
#include "sentry/signal/signal.h"
#include <stdlib.h>
#include <string.h>

struct sighand *sighand_new(void) {
    struct sighand *h = znew(struct sighand);
    if (!h)
        return NULL;
    ref_init(&h->refs, 1);
    lock_init(&h->lock, RANK_LEAF);
    return h;
}

struct sighand *sighand_copy(struct sighand *old) {
    struct sighand *h = sighand_new();
    if (!h)
        return NULL;
    LOCKED(&old->lock);
    memcpy(h->action, old->action, sizeof h->action);
    return h;
}

struct sighand *sighand_get(struct sighand *h) {
    ref_get(&h->refs);
    return h;
}

void sighand_put(struct sighand *h) {
    if (!ref_put(&h->refs))
        return;
    lock_destroy(&h->lock);
    free(h);
}

void sighand_reset_for_exec(struct sighand *h) {
    LOCKED(&h->lock);
    for (int i = 0; i < LINUX_NSIG; i++) {
        uint64_t keep = h->action[i].sa_handler == LINUX_SIG_IGN ? LINUX_SIG_IGN : LINUX_SIG_DFL;
        h->action[i] = (struct linux_sigaction){.sa_handler = keep};
    }
}
