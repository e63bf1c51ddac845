// SPDX-License-Identifier: Apache-2.0
// nstool puts a stack on a tap or veth of the host: the instrument for tests and measurements against Linux.
// nstool_main.c has the commands, hosttap.c and hostveth.c the descriptor, nstool_serve.c the services,
// nstool_bench.c what is measured in memory, nstool_packets.c packets to count the instructions of. One
// thread, no locks.
#ifndef NETSTACK_TOOLS_NSTOOL_H
#define NETSTACK_TOOLS_NSTOOL_H
#include "netstack/netstack.h"

struct tap {
    int fd;
    struct netif *nif;
    bool offload;  // virtio-net headers with checksums and segmentation left to the other side
    uint8_t *spare;  // for a frame that the stack has no memory for
};
// Attaches to "veth:NAME", "unix:PATH" (see hosttap.c), or the tap NAME, which it creates when there is none,
// and adds it to the stack as an interface. Negative error.
int tap_open(struct tap *t, struct netstack *ns, const char *name, uint32_t mtu, bool offload);
// Reads what has come, but no more than the sender should wait for the ACK of; how many frames.
#define TAP_BATCH 16
unsigned tap_input(struct tap *t);
void tap_close(struct tap *t);
// a packet socket on that interface, and its address; negative error
int veth_attach(const char *name, uint8_t mac[6]);

// One connection (or listener) of a service.
struct service;
struct conn {
    struct conn *next;
    struct ns_sock *s;
    const struct service *service;
    uint32_t ready;  // what the callback said since the last turn
    uint64_t moved;  // bytes
    uint8_t *buf;    // what is to be sent back
    uint32_t have, done;
    bool eof, listens;
};
struct tool {
    struct netstack *ns;
    struct tap tap;
    struct conn *conns;
    unsigned nconns;
    uint64_t last_frame;  // ns: when one came in
    uint64_t look_from;   // ns: sleeps for frames until then
    bool looks;           // for the next frame, without sleeping
    volatile bool stop;
};
void tool_listen(struct tool *tool);  // all services, TCP and UDP, both families
bool tool_serve(struct tool *tool);   // what is ready; whether something still is
void tool_close(struct tool *tool);
void tool_turn(struct tool *tool,
               uint64_t until);  // waits for a frame or a timer, at most until then (ns), and handles it

int bench_main(int argc, char **argv);    // "nstool bench"
int packets_main(int argc, char **argv);  // "nstool packets"
struct netstack *tool_stack(size_t budget);

#endif
