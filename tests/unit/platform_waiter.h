// SPDX-License-Identifier: Apache-2.0
// For unit tests of the platform that set states from inside: a guest that runs and makes one call when
// it is let.
#ifndef TESTS_UNIT_PLATFORM_WAITER_H
#define TESTS_UNIT_PLATFORM_WAITER_H
#include "platform/seccomp/sc.h"
#include "tests/unit/platform_guest.h"

// Waits for a word, then calls.
GUEST(waiter, "1: cmpl $0, (%r15); je 1b; mov %rbx, %rax; syscall; jmp 1b");

static inline bool is_seccomp(void **state) { return strcmp(plat_name(*state), "seccomp") == 0; }

// One that runs, in a loop of its own, and will make call `nr` when it is let.
static inline struct sc_thread *start_waiter(struct guest *g, void **state, uint64_t nr) {
    guest_start_with(g, *state, GUEST_AT(waiter), (struct lx_regs){.rbx = nr});
    struct sc_thread *t = sc_thread_of(g->t);
    for (int i = 0; i < 20000; i++) {
        wait_some(g); // its maps
        lock_take(&t->lock);
        bool runs = t->state == SC_RUNNING;
        lock_drop(&t->lock);
        if (runs)
            return t;
    }
    fail_msg("the guest does not start");
    return NULL;
}

static inline bool is_there(const struct guest *g, uint64_t at) {
    char c;
    return plat_copy_in(g->as, &c, uaddr(at), 1) == 1;
}

#endif
