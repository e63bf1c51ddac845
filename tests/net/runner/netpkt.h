// SPDX-License-Identifier: Apache-2.0
// The runner of packet scripts; the language is in tests/net/README.md. A script plays the peer of one stack
// over one link: lines put packets in, say which packets must come out and when, and make socket calls. Time
// is virtual.
//   netpkt_main.c finds and runs the files; script.c has the lines and their words; world.c the stack, its
//   clock and the link; frame_in.c builds packets from words; frame_out.c takes them apart and compares;
//   calls.c makes socket calls.
#ifndef TESTS_NET_NETPKT_H
#define TESTS_NET_NETPKT_H
#include "netstack/netstack.h"
#include <setjmp.h>
#include <stdio.h>

#define MAX_WORDS 40
#define MAX_VARS  64
#define MAX_SOCKS 256
#define MAX_FLOWS 2048
#define MAX_OUT   20000
#define MAX_HELD  64
#define MAX_FRAME 70000

// A frame the stack sent.
struct out {
    struct out *next;
    uint64_t at;  // ns
    size_t len;
    uint16_t gso;
    uint8_t data[];
};
// Numbers of one TCP connection are written relative to its initial ones.
struct flow {
    uint16_t ours, peers;
    uint32_t our_isn, peer_isn;
    bool ours_known, ts;
    uint32_t their_ts;  // what the stack sent last
};
struct sock_var {
    char name[16];
    struct ns_sock *s;
    uint32_t sent, received;  // bytes, for the pattern
    uint32_t woken;
    bool datagram, six;
};
struct world {
    const char *file;
    unsigned line;
    char words_buf[2048];
    char *words[MAX_WORDS];
    unsigned nwords;
    jmp_buf fail;
    bool verbose;

    struct netstack *ns;
    struct netif *nif;
    uint64_t now;   // ns
    uint64_t last;  // ns: of the last line
    uint64_t seed;
    bool ether;
    bool groups;  // reports of groups are looked at
    uint32_t mtu;
    struct out *outs, **outs_tail;
    unsigned nouts;
    struct ns_rx held[MAX_HELD];
    unsigned nheld;
    uint8_t last_out[MAX_FRAME];  // the last frame that was expected, for quotes
    size_t last_out_len;

    struct {
        char name[16];
        uint64_t v;
        bool set;
    } vars[MAX_VARS];
    struct sock_var socks[MAX_SOCKS];
    unsigned nsocks;
    struct flow flows[MAX_FLOWS];
    unsigned nflows;
    uint32_t next_isn;
};

extern const struct ns_ip our4, peer4, our6, peer6;
extern const uint8_t our_mac[6], peer_mac[6];

void fail(struct world *w, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));

// ---- script.c
bool run_file(const char *path, bool verbose);
const char *key(struct world *w, const char *name);  // the value of name=..., or NULL
bool has(struct world *w, const char *word);         // a word by itself
uint64_t number(struct world *w, const char *text);  // 12, 0x1f, $x, $x+5
uint64_t key_number(struct world *w, const char *name, uint64_t otherwise);
// binds $x when it is not set
void compare(struct world *w, const char *what, const char *text, uint64_t got);
size_t hex_bytes(struct world *w, const char *text, uint8_t *out, size_t max);
uint8_t pattern(uint32_t at);

// ---- world.c
void world_open(struct world *w);
void world_close(struct world *w);
void world_link(struct world *w);            // "link ..."
// The frame comes in, or when it is held: in one batch with the next that is not.
void deliver(struct world *w, const uint8_t *bytes, size_t n, bool held);
void need_link(struct world *w);             // the one that is meant when there is no such line
void advance(struct world *w, uint64_t to);  // runs timers on the way
struct out *take_out(struct world *w);       // the oldest; NULL: none
void no_more_out(struct world *w, const char *before);
struct flow *flow_of(struct world *w, uint16_t ours, uint16_t peers, bool make);

// ---- frame_in.c, frame_out.c
void do_in(struct world *w, unsigned first);  // words[first] names the protocol
void do_out(struct world *w, unsigned first, const struct out *o);
bool is_membership(const struct world *w, const struct out *o);  // IGMP or MLD
const char *describe(const struct world *w, const struct out *o);
uint8_t tcp_flags(struct world *w, const char *letters);

// ---- calls.c
bool do_call(struct world *w, unsigned first);  // false: no such verb
void close_all(struct world *w);

#endif
