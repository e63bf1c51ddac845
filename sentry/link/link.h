// SPDX-License-Identifier: Apache-2.0
// The links of a sandbox to the outside: each is a descriptor that oci/ has opened, an interface of the
// stack, and what passes between the two. A gateway process for `--net=user` would be one more kind.
//
//   in    the event thread hears of frames, reads some of them (hostlink_receive) and hands them to the stack
//   out   the stack's transmit(), on whichever thread: one call for a frame, unless the rate is used up
//
// Rates: who sends too fast waits in a queue of ours, bounded; who is sent too much is not read from for a
// while, and the host's queue, bounded too, drops.
//
// LIMIT: no packet is sent from a thread of its own: a guest's send() pays for its way through the host.
// LIMIT: a link is there from the start of the program to the end; none is added later, none follows changes
// on the host's side (MTU, addresses), and what the program changes inside is not told outside.
#ifndef SENTRY_LINK_LINK_H
#define SENTRY_LINK_LINK_H
#include "base/list.h"
#include "sentry/link/bucket.h"
#include "sentry/link/capture.h"
#include "sentry/netconfig.h"
#include "sentry/run/hostevent.h"
#include "sentry/time/timer.h"

// The numbers that descriptors of links have: the filter knows them (sentry/hostfilter/), so no other
// descriptor may have one. A multiple of LINK_FDS, which is a power of two.
#define LINK_FD  48
#define LINK_FDS 16
// Keeps all of these numbers for links; before links_open() and the host filter. 0 or -LINUX_E*.
int links_reserve(void);

// Letters: [l] lock
struct link {
    struct hostevent_source source;
    struct hostevents *events;   // [c] borrowed
    struct netif *nif;           // [c] the stack's
    int fd;                      // [c] owned
    enum sentry_link_kind kind;  // [c]
    bool watched;                // by the event thread alone
    struct bucket rx;            // by the event thread alone
    struct ktimer resume;        // reading goes on
    uint8_t *spare;              // [c] owned; a frame that is on its way in
    struct capture *capture;     // [c] of all links
    struct lock lock;            // RANK_CLIENT; within the stack's
    struct bucket tx;            // [l]
    struct list queue;           // [l] frames that wait for tokens
    size_t queued, most;         // [l] bytes of the queue, at most
    struct ktimer drain;         // the first may go
};
struct links {
    struct netstack *stack;  // [c] borrowed
    unsigned n;
    struct link links[SENTRY_LINKS];
    struct capture capture;
};

// Adds the links, addresses and routes to the stack and begins to serve them. `net` and its descriptors are
// checked as far as our own memory is concerned; descriptors are taken over in any case. Before or after the
// host filter. 0 or -LINUX_E*; *out is NULL when there are no links.
int links_open(struct netstack *stack, struct hostevents *events, struct timer_queue *timers,
               const struct sentry_net *net, const int *fds, struct links **out);
// Waits until what closed connections have still to send is acknowledged, for some seconds at most; the event
// thread still runs. NULL: there are no links.
void links_linger(struct links *ls);
void links_close(struct links *ls);  // after the event thread; NULL: nothing

// ---- hostlink.c -------------------------------------------------------------------------------------------
#define LINK_BATCH 16  // a sender must not wait for its ACK longer than that
// Reads what has come, into rx and the stack's own memory; how many frames. *more: there may be others.
// Negative: the link is gone.
int hostlink_receive(struct link *l, struct ns_rx rx[static LINK_BATCH], bool *more);
struct vnet_hdr;
int hostlink_send(struct link *l, const struct vnet_hdr *h, const struct ns_iov *iov, unsigned n);
// The descriptor at one of the numbers above, the old one closed; or -LINUX_E*.
int hostlink_place(int fd, unsigned slot);

#endif
