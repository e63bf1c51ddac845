// SPDX-License-Identifier: Apache-2.0
// Work on host files that sleeps, done by an io_uring of the host, so that the call which waits for it is
// parked as any other and no thread of ours sleeps: fetching what is not in memory, and fsync(2).
//
// A fetch reads into a place that nobody looks at: what counts is that the host then has these bytes in
// memory, where the call finds them when it is run again. So neither guest memory nor its descriptors are the
// ring's to know.
//
// The ring is made before the host filter, for the three operations that it is for (restricted,
// IORING_REGISTER_ RESTRICTIONS), and the filter then allows io_uring_enter(2) alone, without flags. All that
// can be reached by it is what the sentry may do to its descriptors by pread(2) and fsync(2) anyway. Files
// are not registered: that would be one more operation of the ring, and bound nothing.
#ifndef SENTRY_RUN_HOSTRING_H
#define SENTRY_RUN_HOSTRING_H
#include "base/waitq.h"
#include <stdbool.h>
#include <stdint.h>

struct file;
struct hostevents;
struct hostring;
struct hostring_op;
struct io_uring;

// Before the host filter is loaded. It works on the event thread, which makes all its host calls: the host
// runs what is left to do of an operation in the thread that has begun it, and would break off the waiting of
// one that serves guests. 0 with *out NULL: the host refuses, and calls sleep. Else 0, or -LINUX_ENOMEM.
int hostring_open(struct hostevents *events, struct hostring **out);
void hostring_close(struct hostring *r);  // after the event thread; r may be NULL

// Begins: any thread, no lock above RANK_LEAF. fd is f's, which is kept as long as need be. A reference for
// the caller; NULL: it cannot be done so now (r may be NULL).
struct hostring_op *hostring_fetch(struct hostring *r, struct file *f, int fd, uint64_t off, uint64_t len);
struct hostring_op *hostring_sync(struct hostring *r, struct file *f, int fd, bool data_only);
void hostring_put(struct hostring_op *op);             // may be NULL; what has begun goes on
struct waitq *hostring_queue(struct hostring_op *op);  // woken when it is done
// HOSTRING_UNDONE: it was never begun, or given up. Else the host's answer, once it is done.
#define HOSTRING_UNDONE INT64_MIN
bool hostring_done(const struct hostring_op *op, int64_t *answer);
struct io_uring *hostring_of_host(struct hostring *r);  // for tests

#endif
