// SPDX-License-Identifier: Apache-2.0
// Connections that come and go between two stacks over a bad wire, in virtual time: what both files of the
// soak know.
#ifndef TESTS_NET_SOAK_H
#define TESTS_NET_SOAK_H
#include "base/list.h"
#include "base/log.h"
#include "netstack/core/wheel.h"
#include "netstack/netstack.h"

#define MS  1000000ull
#define SEC 1000000000ull

#define PORT  80
#define START SEC
// Without a planned pause some byte moves within this time, or an end learns of its end.
#define IDLE (400 * SEC)
// So long after both ends were closed, both stacks have forgotten the connection.
#define GONE (600 * SEC)
// How long a user waits for an end that he does not hear of.
#define PATIENCE (60 * SEC)

// One end's user. Whatever it does it does in turn(): when its socket is ready, or its timer says so.
struct end {
    struct conn *c;
    unsigned side; // 0: the client
    struct ns_sock *s;
    uint32_t want, sent, received;
    uint32_t write_left, read_left; // until the next pause
    uint64_t write_at, read_at;     // when the pause is over
    bool up, shut, eof, closed;
    struct timer timer;
    struct list due;
};
struct conn {
    struct list link; // world.conns
    uint32_t id;
    unsigned client; // the stack that its client is on
    bool six, keepalive, slow;
    bool orderly;       // everything arrives and both ends see an end of file
    bool crowd;         // began with all the others, when SYN cookies were sent
    uint16_t port;      // the client's
    uint64_t moved;     // the last time that a byte was read, or an end closed
    uint64_t quiet;     // until then somebody pauses
    uint64_t doom;      // when one end of a disorderly connection goes away
    unsigned doomed;    // which
    struct timer timer; // watches
    struct end ends[2];
};

struct world {
    uint64_t now, seed;
    struct netstack *ns[2];
    struct ns_ip ip4[2], ip6[2];
    struct ns_sock *listener[2];
    struct list due; // ends
    bool accepting[2];
    struct wheel wheel; // of the users
    struct list conns;
    unsigned open; // of which an end is not closed yet
    bool stopping; // no new ones
    struct {
        uint64_t opened, orderly, broken, strays, bytes;
        unsigned most;
    } sum;
    struct conn *by_port[2][2][65536]; // the client's stack, family and port
};
extern struct world world;

uint32_t roll(uint32_t below);
bool chance(unsigned percent);
void conn_open(void);
void conn_accept(unsigned stack); // all that wait
void end_turn(struct end *e);
void end_due(struct end *e);

#endif
