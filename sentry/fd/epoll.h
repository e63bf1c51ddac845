// SPDX-License-Identifier: Apache-2.0
// epoll instances as objects: see epoll.c. The calls are in syscalls/sys_epoll.c.
#ifndef SENTRY_FD_EPOLL_H
#define SENTRY_FD_EPOLL_H
#include "abi/poll.h"
#include "base/lock.h"
#include <stdbool.h>
#include <stdint.h>

struct epoll;
struct file;
struct vfs;
struct waitq;

// Who watches whom, of all sets and files of a kernel. One lock for all: sets may watch sets, without cycles.
struct epoll_graph {
    struct lock lock;   // RANK_EPOLL
    unsigned nwatches;  // [lock]
};
void epoll_graph_init(struct epoll_graph *g);
void epoll_graph_destroy(struct epoll_graph *g);

int epoll_open(struct epoll_graph *g, struct vfs *vfs, struct file **out);
struct epoll *epoll_of(struct file *f);  // NULL: no epoll
void epoll_forget(struct epoll_graph *g, struct file *f);  // its last reference goes (async.h:watch_file_end)

// epoll_ctl(2), on files that the caller holds. 0 or -LINUX_E*.
int epoll_add(struct file *epf, struct file *f, int fd, const struct linux_epoll_event *ev);
int epoll_mod(struct file *epf, struct file *f, int fd, const struct linux_epoll_event *ev);
int epoll_del(struct file *epf, struct file *f, int fd);

// The n-th file that a set watches under a number, for kcmp(2): of no use but to be compared. EINVAL (no
// set), ENOENT.
int epoll_nth(struct file *epf, uint32_t fd, uint32_t n, const struct file **out);

// Takes up to `max` ready events and hands them to put() in batches, with locks held up to RANK_EPOLL; an
// error of put() leaves the events of its batch pending. How many, 0, or the error when there was none before
// it.
#define EPOLL_BATCH 32
int64_t epoll_collect(struct epoll *ep, int max,
                      int (*put)(void *arg, const struct linux_epoll_event *ev, unsigned n), void *arg);
bool epoll_any_queued(struct epoll *ep);   // something may be ready: collect again
struct waitq *epoll_waitq(struct epoll *ep);  // of those that wait for events
void epoll_pass_on(struct epoll *ep);      // a woken waiter has left events: the next one may take them

#endif
