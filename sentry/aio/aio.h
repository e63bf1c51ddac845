// SPDX-License-Identifier: Apache-2.0
// Contexts of asynchronous I/O, io_setup(2): what syscalls/sys_aio.c works on. A context belongs to a memory
// map, as its number does, which is the address of a page there; it keeps what is done until somebody takes
// it.
#ifndef SENTRY_AIO_AIO_H
#define SENTRY_AIO_AIO_H
#include "abi/aio.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/refcount.h"
#include "base/waitq.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define AIO_MAX_NR (0x10000000u / 32)  // more events than this are no number at all

struct mm;

struct aio_ctx {
    struct refcount refs;     // its map's, and calls that wait
    struct list link;         // [map's list]
    uint64_t id;              // [c]
    _Atomic unsigned *total;  // [c] borrowed: what it is counted in
    unsigned max;             // [c]
    struct lock lock;         // RANK_OBJECT
    struct waitq wait;
    unsigned first, count;           // [lock] of a ring
    unsigned reserved;               // [lock] for requests that are being done
    bool dead;                       // [lock] destroyed: nothing comes any more
    struct linux_io_event events[];  // [lock]
};

struct aio_set {       // a member of struct mm
    struct lock lock;  // RANK_OBJECT
    struct list ctxs;  // [lock] owned
};
void aio_set_init(struct aio_set *s);
void aio_set_destroy(struct aio_set *s);  // nobody runs in the map any more

// -LINUX_EAGAIN: more than there may be. The set has the first reference.
int aio_new(struct aio_set *s, _Atomic unsigned *total, unsigned most, unsigned max, uint64_t id);
struct aio_ctx *aio_get(struct aio_set *s, uint64_t id);  // referenced, or NULL
void aio_put(struct aio_ctx *c);
bool aio_kill(struct aio_set *s, uint64_t id);  // false: there is none
bool aio_reserve(struct aio_ctx *c);     // room for one event; false: there is none
void aio_unreserve(struct aio_ctx *c);
void aio_done(struct aio_ctx *c,
              const struct linux_io_event *e);  // into the room that is reserved
unsigned aio_take(struct aio_ctx *c, struct linux_io_event *to, unsigned n);
bool aio_is_dead(struct aio_ctx *c);

#endif
