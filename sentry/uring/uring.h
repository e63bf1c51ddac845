// SPDX-License-Identifier: Apache-2.0
// io_uring(7) of guests: rings, and the requests that are made through them. The calls are in
// syscalls/sys_uring.c.
//
// A ring is an open file with memory that guest and sentry share: two queues, and the requests (SQEs) that
// the first one names. All of it is the guest's to write at any moment, so an SQE is copied once and judged
// in the copy, indices are masked, and what the sentry relies on (how far it has read and written) it keeps
// for itself.
//
// A request is done by a worker (run/worker.h), by the handler of the system call that does the same: nothing
// is implemented twice. It runs at once, in the call that submits it; where it has to wait, its worker is
// parked as a thread's call would be, and no thread waits for it.
//
//   ring.c      the file, its memory, completions (CQEs)
//   submit.c    from the queue to requests: chains of links, drains
//   request.c   their life: start, result, who follows; cancelling
//   ops.c       the table of operations; ops_*.c what each does
//   buffers.c   buffers that requests choose from
//   registered.c  io_uring_register(2)
//
// States of a request: QUEUED (behind a link or a drain) -> RUNNING (its worker's) -> gone.
// Field letters: [c] constant after creation, [lock] the ring's, [o] whoever runs the request.
#ifndef SENTRY_URING_URING_H
#define SENTRY_URING_URING_H
#include "abi/errno.h"
#include "abi/io_uring.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/refcount.h"
#include "base/uaddr.h"
#include "base/waitq.h"
#include "sentry/run/worker.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct cred;
struct fdtable;
struct kernel;
struct uring_set;

#define URING_RINGS_MOST    4096u  // in the sandbox: each is a map of ours, and all are looked at, one by one
#define URING_REQUESTS_MOST 16384u  // at a time, in the sandbox
#define URING_BUFFERS_MOST  16384u  // registered with a ring
#define URING_PERSONALITIES 64u
#define URING_BYTES_MOST    (64u << 20)  // that all rings keep

enum uring_queued { URING_FREE, URING_QUEUED, URING_RUNNING };

struct uring_op;

struct uring_req {
    struct worker w;
    struct uring *ring;             // [c] owned
    struct task *owner;             // [c] owned: in whose name
    const struct uring_op *op;      // [c]
    struct linux_io_uring_sqe sqe;  // [c] the one copy
    struct list link;               // [lock] ring->requests
    enum uring_queued state;        // [lock]
    struct list wait;               // [lock] ring->deferred: the first of a chain
    struct file *file;              // [o] owned: behind sqe.fd, of operations that want it (OP_FILE_ITSELF)
    struct uring_req *next;         // [lock] the one that it is linked to
    struct uring_req *timeout;      // [lock] its LINK_TIMEOUT
    struct uring_req *timed;        // [lock] of a LINK_TIMEOUT: the request that it watches
    bool drain;                     // [c] of the first of a chain
    int error;                      // [c] why it fails before it begins; 0
    // what an operation notes
    uint64_t deadline;                 // [lock] of timeouts: monotonic ns; 0: none
    uint64_t target;                   // [o] TIMEOUT: after so many completions
    uint32_t events;                   // [lock] POLL_ADD
    uint32_t cqe_flags;                // [o] of its next completion
    uint64_t vector;                   // [o] where its one range of memory pretends to be (RWF_*); 0: nowhere
    unsigned shots, rested;            // [o] completions of it so far; at its last rest
    bool more;                         // [o] multishot: another one follows
    bool has_buffer;                   // [o] one was chosen
    struct linux_io_uring_buf buffer;  // [o]
    uint64_t user_data;                // [lock] POLL_REMOVE may change it
};

struct uring_group {  // buffers to choose from
    struct list link;
    uint16_t id;
    bool ring;  // the guest's ring at `at`, of mask + 1
    uint64_t at;
    uint16_t mask, head;
    struct linux_io_uring_buf *list;  // owned: those that were provided; of a ring: that were given back
    unsigned first, n, room;
};

struct uring_overflow {
    struct list link;
    struct linux_io_uring_cqe cqe;
};

struct uring_limits {  // IORING_REGISTER_RESTRICTIONS
    bool on;
    uint64_t ops, registers;  // bits
    uint8_t allowed, required;
};

struct uring_fixed_buffer {
    uint64_t addr, len;
};

struct uring {
    struct refcount refs;                // its file, requests
    struct kernel *k;                    // [c]
    struct list in_set;                  // [set lock]
    uint64_t number;                     // [set lock] grows along the list
    struct file *memory;                 // [c] owned
    int memory_fd;                       // [c] borrowed
    char *base;                          // [c] mapped, shared with guests
    size_t size, sqes_at;                // [c]
    unsigned flags;                      // [c] LINUX_IORING_SETUP_*
    unsigned sq_entries, cq_entries;     // [c] powers of 2
    struct waitq wait;                   // told of each completion
    struct lock lock;                    // RANK_OBJECT
    uint32_t sq_head, cq_tail;           // [lock] ours; the guest is shown copies
    uint64_t completed;                  // [lock] completions that count for timeouts
    struct list overflow;                // [lock] struct uring_overflow: no room in the ring
    unsigned noverflow;                  // [lock]
    struct list requests;                // [lock]
    unsigned active;                     // [lock] those of chains that have begun
    struct list deferred;                // [lock] chains behind a drain
    bool after_drain;                    // [lock] the last that was deferred was a drain
    bool disabled;                       // [lock] IORING_SETUP_R_DISABLED
    bool dead;                           // [lock] its file is gone
    struct task *issuer;                 // [lock] borrowed, only to be compared: IORING_SETUP_SINGLE_ISSUER
    struct uring_limits limits;          // [lock]
    struct fdtable *files;               // [lock] owned: registered; NULL: none
    unsigned nfiles;                     // [lock]
    struct uring_fixed_buffer *buffers;  // [lock] owned
    unsigned nbuffers;                   // [lock]
    struct file *eventfd;                // [lock] owned
    bool eventfd_async;                  // [lock] only for what is not done in the call that submits it
    struct cred *personality[URING_PERSONALITIES];  // [lock] owned
    struct list groups;                             // [lock] struct uring_group, owned
    unsigned ngroups, nprovided;                    // [lock]
};

// ---- ring.c -----------------------------------------------------------------------------------------------
int uring_open(struct task *t, unsigned entries, struct linux_io_uring_params *p, struct file **out);
struct uring *uring_of(struct file *f);  // borrowed; NULL: f is none
void uring_put(struct uring *r);
// Words that guest and sentry share.
enum uring_word {
    URING_SQ_HEAD = 0,
    URING_SQ_TAIL = 4,
    URING_CQ_HEAD = 8,
    URING_CQ_TAIL = 12,
    URING_SQ_MASK = 16,
    URING_CQ_MASK = 20,
    URING_SQ_ENTRIES = 24,
    URING_CQ_ENTRIES = 28,
    URING_SQ_DROPPED = 32,
    URING_SQ_FLAGS = 36,
    URING_CQ_FLAGS = 40,
    URING_CQ_OVERFLOW = 44,
    URING_CQES = 64
};
uint32_t uring_word(const struct uring *r, unsigned at);
void uring_set_word(struct uring *r, unsigned at, uint32_t v);
unsigned uring_sq_array(const struct uring *r);
// False: there was no room, and `must` was not set; what must be told is kept until there is.
bool uring_complete(struct uring *r, const struct linux_io_uring_cqe *cqe, bool must, bool counts,
                    bool inline_done);
void uring_flush(struct uring *r);      // what was kept, as far as there is room now
uint32_t uring_ready(struct uring *r);  // completions that the guest has not taken

// Bytes that r keeps for the guest: false, there is no more.
bool uring_charge(struct uring *r, size_t n);
void uring_uncharge(struct uring *r, size_t n);

// ---- submit.c ---------------------------------------------------------------------------------------------
// Submits up to n requests of the queue in t's name: how many, or -LINUX_E*.
int64_t uring_submit(struct uring *r, struct task *t, unsigned n);

// ---- request.c --------------------------------------------------------------------------------------------
struct uring_req *uring_req_new(struct uring *r, struct task *owner);  // NULL: no more
void uring_req_free(struct uring_req *q);
// A chain, as it was pulled: begins, or waits behind a drain.
void uring_chain_start(struct uring_req *head);
void uring_chain_fail(struct uring_req *head);  // all of it is told: its errors, or that it was cancelled
// A completion of q, which goes on when it is no error; as uring_complete().
bool uring_req_tell(struct uring_req *q, int32_t res, uint32_t flags, bool must);
// Ends requests: of this owner, or (NULL) all.
void uring_cancel_all(struct uring *r, const struct task *owner);
struct uring_match {
    uint64_t user_data;
    unsigned flags;  // LINUX_IORING_ASYNC_CANCEL_*
    const struct file *file;
    int op;                       // of this operation alone; -1: any
    const struct uring_req *but;  // never this one
};
int64_t uring_cancel(struct uring *r, const struct uring_match *m);          // how many, or -LINUX_ENOENT
struct uring_req *uring_find(struct uring *r, const struct uring_match *m);  // the first; lock held; or NULL

// ---- ops.c ------------------------------------------------------------------------------------------------
enum {
    OP_FILE = 1,         // sqe.fd is a descriptor, which may be a registered file
    OP_FILE_ITSELF = 2,  // ... that the handler has from park_file(), others it looks up by number
    OP_BUFFER = 4,       // may choose a buffer
    OP_IOPRIO = 8,       // sqe.ioprio has a meaning
    OP_READS = 16,       // waits for LINUX_POLLIN before it chooses a buffer
    OP_UNCOUNTED = 32,   // its completion counts for no timeout
    OP_WHOLE = 64,       // to have moved less than it wanted ends its links
    OP_VECTOR = 128,     // sqe.addr has sqe.len ranges of memory
    OP_WRITES = 256,     // the file is to be open for writing; with OP_READS: for reading
};
struct uring_op {
    int (*prepare)(struct uring_req *q);    // looks at the request, before anything is done: 0, -LINUX_E*
    int64_t (*issue)(struct uring_req *q);  // as a handler, of q->w.t
    unsigned flags;
};
const struct uring_op *uring_op(unsigned code);  // NULL: not supported
// The same call as a thread of the guest would make it.
int64_t uring_call(struct uring_req *q, unsigned nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                   uint64_t e, uint64_t f);

// ---- ops_*.c ----------------------------------------------------------------------------------------------
int uring_none(struct uring_req *q);  // there is nothing to look at before
#define URING_OP(name, prepare, issue, flags) \
    int uring_##prepare(struct uring_req *q); \
    int64_t uring_##issue(struct uring_req *q);
#include "sentry/uring/ops.def"
#undef URING_OP
// A descriptor that the request has made becomes a registered file where it says so (file_index).
int64_t uring_place(struct uring_req *q, int64_t fd);
int uring_place_check(struct uring_req *q, unsigned cloexec);  // beforehand; cloexec: flags that say so

// ---- buffers.c --------------------------------------------------------------------------------------------
// Chooses one of the request's group into q->buffer: 0, -LINUX_ENOBUFS ...
int uring_buffer_take(struct uring_req *q);
void uring_buffer_give_back(struct uring_req *q);
int uring_buffers_add(struct uring *r, uint16_t group, uint64_t addr, uint32_t len, unsigned n, uint16_t bid);
int uring_buffers_remove(struct uring *r, uint16_t group, unsigned n);
int uring_buffer_ring(struct uring *r, struct task *t, uaddr_t arg, bool add);
void uring_groups_free(struct uring *r);

// ---- registered.c -----------------------------------------------------------------------------------------
int64_t uring_register(struct uring *r, struct task *t, unsigned op, uaddr_t arg, unsigned n);
int64_t uring_files_update(struct uring *r, struct task *t, uint32_t at, uaddr_t fds, uint32_t n);
// The registered buffer's range holds [addr, +len).
int uring_fixed_check(struct uring *r, unsigned index, uint64_t addr, uint64_t len);
struct fdtable *uring_files(struct uring *r);  // a reference, or NULL
void uring_unregister_all(struct uring *r);

#endif
