// SPDX-License-Identifier: Apache-2.0
// Who sits on the listener's descriptor; listener.c has the theory.
#ifndef PLATFORM_SECCOMP_LISTENER_H
#define PLATFORM_SECCOMP_LISTENER_H
#include "base/list.h"
#include "base/lock.h"
#include "platform/platform.h"
#include <stdatomic.h>

struct sc_platform;
struct sc_thread;

struct sc_listener {
    int fd;
    struct lock lock;       // W, of platform->wait.lock
    struct list idle;       // [W] sleeping waiters, most recent first
    struct list deaths;     // [W] sc_thread.death_link
    bool kicked, shutdown;  // [W]
    _Atomic int attention;  // look at the above before the next sleep
    _Atomic int receiver;   // tid of the thread that sits on the listener, 0: none
    _Atomic int claimed;    // tid of the poller that wants to be, or is, the receiver; 0: none
    _Atomic int active;     // threads between two plat_wait() that do not block
    _Atomic int more;       // listeners that were asked for
};

int sc_wait(struct platform *p, struct plat_event *ev);
bool sc_another_waiter(struct sc_platform *p);  // from the sentry; false: there will be none
void sc_block_begin(struct platform *p);
void sc_block_end(struct platform *p);
void sc_kick(struct platform *p);
void sc_shutdown(struct platform *p);
void sc_queue_death(struct sc_thread *t, int cause);  // [P] or no lock
void sc_unqueue_death(struct sc_thread *t);
void sc_thread_runs(struct sc_platform *p);  // a thread is resumed: somebody must listen
// A poller's: it becomes the receiver, as soon as the one that sleeps has got up, and looks without sleeping.
void sc_listen_claim(struct sc_platform *p);
bool sc_listen_look(struct sc_platform *p, struct plat_event *ev);  // true: *ev is for the sentry
void sc_listen_leave(struct sc_platform *p);                        // no receiver any more

#endif
