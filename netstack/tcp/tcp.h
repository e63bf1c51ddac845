// SPDX-License-Identifier: Apache-2.0
// TCP (RFC 9293): one connection, and which file does what with it.
//
// The sender. The bytes that the user has written wait in `sndq`, from sndq_seq on; they stay there until
// they are acknowledged. What is in flight is a list of ranges of sequence numbers (`ranges`, in order,
// without gaps from snd_una to snd_nxt): when each was last sent, and whether it is SACKED, LOST, or LOST and
// in flight again (RETRANS). Sums over the ranges are kept in sacked, lost and retrans, so that
//
//     pipe = snd_nxt - snd_una - sacked - lost + retrans       (RFC 6675: what the network holds)
//
// A segment that is sent shares the buffers of sndq. The FIN takes the number behind the last byte. snd_nxt
// never goes back: a retransmission is of a range, not of a point in time.
//
// Who decides. tcp_ack.c moves snd_una and hands what an ACK delivered to the scoreboard (tcp_sack.c) and to
// RACK (tcp_rack.c, RFC 8985), which alone marks ranges LOST, but for the timeout and for peers without SACK
// (NewReno, RFC 6582). tcp_cc.c turns delivered and lost bytes into cwnd (CUBIC RFC 9438, Reno RFC 5681, PRR
// RFC 9937). tcp_out.c sends what pipe < cwnd, the peer's window and Nagle allow; nothing else sends data.
//
// The receiver. tcp_in.c judges a segment (RFC 9293 3.10.7, RFC 5961, RFC 7323 5), tcp_data.c puts its bytes
// into `rcvq` or, out of order, into `ooo`, and decides when to acknowledge.
//
// States are changed by tcp_set_state() only, which knows the transitions (tcp_state.c). A listener keeps
// half-open connections as small requests, or in no memory at all as SYN cookies (tcp_listen.c).
//
// One timer serves retransmission: whatever is next of RTO, tail loss probe, reordering and zero window probe
// (`rtx_kind`). Lock: the stack's, for everything.
#ifndef NETSTACK_TCP_TCP_H
#define NETSTACK_TCP_TCP_H
#include "netstack/core/byteq.h"
#include "netstack/prot/tcp.h"
#include "netstack/sock/sock.h"

#define TCP_MSS_DEFAULT    536  // RFC 9293 3.7.1
#define TCP_MSS_DEFAULT6   1220
#define TCP_MSS_MIN        88  // Linux: tcp_min_snd_mss is 48; less is an attack on our CPU
#define TCP_RTO_MIN        (200 * NS_MS)
#define TCP_RTO_MAX        (120 * NS_SEC)
#define TCP_RTO_INIT       (1 * NS_SEC)  // RFC 6298 2.1
#define TCP_DELACK         (40 * NS_MS)
#define TCP_TIME_WAIT      (60 * NS_SEC)
#define TCP_FIN_TIMEOUT    (60 * NS_SEC)
#define TCP_RETRIES        15  // RFC 9293 3.8.3: R2
#define TCP_ORPHAN_RETRIES 8
#define TCP_REO_SEGMENTS   3  // DupThresh
#define TCP_OOO_MAX        1024
#define TCP_TIME_WAITS     4096
#define TCP_COOKIE_LIFE    (128 * NS_SEC)
#define TCP_QUICKACKS      16  // at the start, while the peer's window grows by ACKs

// Numbers as in Linux.
enum tcp_state {
    TCPS_ESTABLISHED = 1,
    TCPS_SYN_SENT,
    TCPS_SYN_RCVD,
    TCPS_FIN_WAIT_1,
    TCPS_FIN_WAIT_2,
    TCPS_TIME_WAIT,
    TCPS_CLOSED,
    TCPS_CLOSE_WAIT,
    TCPS_LAST_ACK,
    TCPS_LISTEN,
    TCPS_CLOSING,
};
enum tcp_ca_state { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS };
enum tcp_rtx { RTX_NONE, RTX_RTO, RTX_TLP, RTX_REORDER, RTX_PROBE };

struct tcp_block {
    uint32_t start, end;
};
struct tcp_options {
    uint16_t mss;  // 0: not there
    uint8_t wscale, nsacks;
    bool has_wscale, sack_ok, has_ts;
    uint32_t tsval, tsecr;
    struct tcp_block sacks[TCP_MAX_SACK];
};
// A segment that came in.
struct tcp_seg {
    struct pkt *p;  // its data; NULL when it has been taken
    struct ns_addr local, remote;
    uint32_t seq, ack, wnd, len;  // len: of data
    uint32_t size;                // of data in each of the segments that a link has joined to this one
    uint8_t flags;
    uint16_t urgent;  // the urgent pointer
    bool ce;  // congestion experienced (RFC 3168)
    struct tcp_options o;
};

#define RANGE_SACKED  1u
#define RANGE_LOST    2u
#define RANGE_RETRANS 4u  // its latest retransmission is in flight
#define RANGE_EVER    8u  // was sent more than once: no RTT from it (Karn)
struct tcp_range {
    struct list link;
    uint32_t seq, end;
    uint64_t sent;  // ns, the last time
    unsigned flags;
};

struct tcp;
struct tcp_cc {
    const char *name;
    void (*init)(struct tcp *t);
    void (*avoid)(struct tcp *t, uint32_t acked);  // congestion avoidance
    uint32_t (*ssthresh)(struct tcp *t);           // after a loss
};
extern const struct tcp_cc tcp_reno, tcp_cubic;

struct tcp_cubic_state {
    uint64_t epoch;  // ns; 0: none has begun
    uint32_t w_max, origin, w_est, prior;
    uint64_t k_ms;
};

// HyStart++ (RFC 9406): slow start ends when the round trips of one round are longer than those of the last.
struct tcp_hystart {
    uint32_t round_end;                    // sequence number that ends the round
    uint64_t last_min, now_min, baseline;  // ns; 0: none
    unsigned samples, css_rounds;
    bool css;  // conservative slow start: a quarter as fast, to see whether it was noise
};

struct tcp {
    struct ns_sock s;
    enum tcp_state state;
    // ---- sending
    uint32_t iss, snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2, max_wnd;
    uint32_t snd_sml;  // end of the last small segment (Nagle, as Minshall has it)
    uint8_t snd_wscale;
    uint32_t mss, peer_mss;  // of payload, options taken off; what the peer said
    struct byteq sndq;
    uint32_t sndq_seq;
    bool fin_queued;
    struct list ranges;
    uint32_t sacked, lost, retrans;
    uint64_t retransmits;
    bool ack_now;
    bool corked;  // by MSG_MORE on the last send
    bool urgent;  // snd_up is not acknowledged yet: behind the last byte that the user called urgent
    uint32_t snd_up;
    // ---- receiving
    uint32_t irs, rcv_nxt, rcv_adv, rcv_acked;  // rcv_acked: the last ACK that was sent
    uint8_t rcv_wscale;
    struct byteq rcvq;
    struct list ooo;  // packets, by sequence number (mark)
    unsigned nooo;
    uint32_t ooo_weight;
    uint32_t fin_seq;
    bool fin_seen, fin_taken;
    enum { URG_NONE, URG_ANNOUNCED, URG_READ } urg;  // the peer's last urgent byte, while it is not passed
    uint32_t urg_seq;
    bool shut_rd, shut_wr;
    bool rcvbuf_locked, sndbuf_locked;
    bool starved;  // a writer has found no room, or not enough: it is told when there is again
    struct tcp_block sacks[TCP_MAX_SACK];  // to be told, the latest first
    unsigned nsacks;
    struct tcp_block dsack;  // RFC 2883
    bool has_dsack;
    unsigned quickacks;
    uint32_t our_mss;     // what we told the peer, or would have
    uint32_t rcv_mss;     // the largest segment seen, as it was on the wire
    uint32_t drs_copied;  // dynamic right-sizing: what the user took in this round trip
    uint32_t drs_space;   // and in the last one
    uint64_t drs_at;
    // ---- options agreed upon
    bool sack_ok, ts_ok, wscale_ok, ecn_ok;
    uint32_t ts_offset, ts_recent;
    uint64_t data_at;  // when the last data came in order
    uint64_t ts_recent_at;
    bool ecn_echo, ecn_cwr;  // to be sent: ECE until CWR comes; CWR once
    // ---- round-trip time (RFC 6298)
    uint64_t srtt, rttvar, rto, min_rtt, min_rtt_at;
    unsigned backoff;
    // ---- congestion
    const struct tcp_cc *cc;
    enum tcp_ca_state ca;
    uint32_t cwnd, ssthresh, high_seq;
    bool cwnd_limited;
    uint32_t prr_delivered, prr_out, prr_flight;
    uint32_t dupacks;
    uint32_t undo_cwnd, undo_ssthresh, undo_ts;
    bool undo_ok;
    struct tcp_cubic_state cubic;
    struct tcp_hystart hystart;
    // ---- RACK-TLP (RFC 8985)
    uint64_t rack_sent, rack_rtt;
    uint32_t rack_end, rack_fack;
    unsigned rack_mult, rack_persist;
    uint32_t rack_dsack_round;
    bool reordering;
    bool tlp_out, tlp_retrans;
    uint32_t tlp_end;
    // ---- timers
    struct timer rtx, delack,
        keep;  // keep: keepalive, FIN-WAIT-2 of a closed socket, TIME-WAIT, SYN-ACKs of a listener
    enum tcp_rtx rtx_kind;
    unsigned retries, probes, keep_probes;
    uint64_t first_unanswered;  // ns: since when the peer is silent; 0: it is not
    uint64_t last_heard;
    uint64_t challenge_at;
    int soft_error;
    // ---- listening
    struct tcp *listener;     // of a connection that nobody has accepted yet
    struct list accept_link;  // in listener->accept_queue
    struct list accept_queue;
    unsigned naccept, backlog;
    struct list *requests;  // TCP_REQ_HASH lists of half-open connections
    unsigned nrequests;
    uint64_t cookie_until;  // ns: the last SYN cookie that was sent is good till then
    struct list tw_link;  // ns->time_wait
    struct saved_syn *syn;  // owned: NS_OPT_TCP_SAVE_SYN; or NULL
};
#define TCP_REQ_HASH 64

static inline struct tcp *tcp_of(struct ns_sock *s) { return container_of(s, struct tcp, s); }
static inline bool seq_lt(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static inline bool seq_le(uint32_t a, uint32_t b) { return (int32_t)(a - b) <= 0; }
static inline uint32_t seq_max(uint32_t a, uint32_t b) { return seq_lt(a, b) ? b : a; }
static inline uint32_t seq_min(uint32_t a, uint32_t b) { return seq_lt(a, b) ? a : b; }
static inline uint32_t tcp_flight(const struct tcp *t) { return t->snd_nxt - t->snd_una; }
static inline uint32_t tcp_pipe(const struct tcp *t) {
    return tcp_flight(t) - t->sacked - t->lost + t->retrans;
}
static inline uint32_t tcp_write_end(const struct tcp *t) { return t->sndq_seq + t->sndq.len; }
// The number behind all that is to be sent, the FIN included.
static inline uint32_t tcp_send_end(const struct tcp *t) { return tcp_write_end(t) + t->fin_queued; }
static inline uint32_t tcp_ts_now(const struct tcp *t) {
    return (uint32_t)(t->s.ns->now / NS_MS) + t->ts_offset;
}

extern const struct sock_ops tcp_ops;

// ---- tcp_state.c: life and states
void tcp_set_state(struct tcp *t, enum tcp_state to);
const char *tcp_state_name(enum tcp_state state);
void tcp_check(struct tcp *t);
void tcp_unqueue(struct tcp *t);              // it is nobody's to be accepted any more
void tcp_abort(struct tcp *t, int err);       // to CLOSED, without a word to the peer
void tcp_reset_peer(struct tcp *t, int err);  // the same with an RST
void tcp_time_wait(struct tcp *t);
// ---- tcp_options.c
bool tcp_parse_options(const uint8_t *o, uint32_t n, struct tcp_options *out);
// how many bytes, a multiple of four; at most 40
uint32_t tcp_put_options(uint8_t *o, const struct tcp_options *in);
// What segments a peer at that address takes: what its SYN says, or RFC 9293's default.
uint16_t tcp_peer_mss(const struct tcp_options *syn, const struct ns_ip *peer);
// ---- tcp_in.c
void tcp_input(struct pkt *p);  // takes p
void tcp_error(struct netstack *ns, const struct ip_error *e);
void tcp_segment(struct tcp *t, struct tcp_seg *g);            // of a synchronized connection
void tcp_established(struct tcp *t, const struct tcp_seg *g);  // options agreed, windows known: may send
void tcp_challenge(struct tcp *t);                             // RFC 5961 7
// ---- tcp_ack.c
void tcp_tell_writer(struct tcp *t);                   // there is room again, if there is
bool tcp_ack(struct tcp *t, const struct tcp_seg *g);  // false: the segment is to be dropped
void tcp_rtt_sample(struct tcp *t, uint64_t rtt);
// ---- tcp_sack.c: the scoreboard
struct tcp_delivery {
    uint32_t delivered;  // bytes that this ACK newly acknowledged, selectively or not
    uint64_t rtt;        // of the latest sent once; 0: none
    bool dsack;
    bool new_sack;
};
// newly sent; false: no memory
bool tcp_range_add(struct tcp *t, uint32_t seq, uint32_t end);
// NULL: no memory; r stays whole
struct tcp_range *tcp_range_split(struct tcp *t, struct tcp_range *r, uint32_t at);
void tcp_range_lost(struct tcp *t, struct tcp_range *r);
void tcp_range_resent(struct tcp *t, struct tcp_range *r);
void tcp_ranges_acked(struct tcp *t, uint32_t ack, struct tcp_delivery *d);
void tcp_ranges_sacked(struct tcp *t, const struct tcp_seg *g, uint32_t prior_una, struct tcp_delivery *d);
void tcp_ranges_all_lost(struct tcp *t);
void tcp_ranges_forgive(struct tcp *t);  // nothing is lost after all
void tcp_ranges_free(struct tcp *t);
// ---- tcp_rack.c
void tcp_rack_delivered(struct tcp *t, const struct tcp_range *r);
uint64_t tcp_rack_detect(struct tcp *t);  // marks; ns until there may be more to mark, 0: nothing pending
uint64_t tcp_tlp_timeout(struct tcp *t);  // 0: no probe now
void tcp_tlp_send(struct tcp *t);
void tcp_tlp_ack(struct tcp *t, uint32_t ack, const struct tcp_delivery *d);
void tcp_rack_dsack(struct tcp *t);
// ---- tcp_cc.c
void tcp_cc_init(struct tcp *t);
void tcp_cc_acked(struct tcp *t, uint32_t acked);
void tcp_cc_rtt(struct tcp *t, uint64_t rtt);            // a sample, of data
void tcp_cc_enter(struct tcp *t, enum tcp_ca_state ca);  // CWR, RECOVERY or LOSS begins
void tcp_cc_prr(struct tcp *t, uint32_t delivered, bool retransmitting);
void tcp_cc_undo(struct tcp *t);
// ---- tcp_out.c
void tcp_output(struct tcp *t);  // all that may be sent now
void tcp_flush(struct ns_sock *s);  // the same, for what came in during this call (sock_later)
void tcp_send_ack(struct tcp *t);
void tcp_send_syn(struct tcp *t);
void tcp_send_reset(struct tcp *t);
void tcp_send_probe(struct tcp *t);  // nothing new: the peer answers with an ACK
int64_t tcp_send_range(struct tcp *t, uint32_t seq, uint32_t n);
bool tcp_retransmit(struct tcp *t, struct tcp_range *r);
uint32_t tcp_window(struct tcp *t);      // to be advertised, in bytes
uint32_t tcp_first_window(const struct ns_sock *s);  // on a SYN, where it is not scaled
uint32_t tcp_room(const struct tcp *t);  // for data in one segment
void tcp_update_mss(struct tcp *t, uint32_t mtu);
// An answer from no connection.
void tcp_reply(struct netstack *ns, const struct tcp_seg *g, uint32_t seq, uint32_t ack, uint8_t flags);
void tcp_reset_reply(struct netstack *ns, const struct tcp_seg *g);
// ---- tcp_data.c
void tcp_data(struct tcp *t, struct tcp_seg *g);
void tcp_received(struct tcp *t, uint32_t taken);  // the user took bytes
void tcp_ooo_free(struct tcp *t);
void tcp_note_dsack(struct tcp *t, uint32_t start, uint32_t end);
// ---- tcp_urgent.c
void tcp_urgent(struct tcp *t, const struct tcp_seg *g);
void tcp_urgent_arrived(struct tcp *t, uint32_t before);  // bytes from there on have come in order
void tcp_urgent_mark(const struct tcp *t, struct pkt *p, uint32_t seq);  // the TCP header is in front
static inline uint32_t tcp_unsent(const struct tcp *t) {
    return seq_lt(t->snd_nxt, tcp_write_end(t)) ? tcp_write_end(t) - t->snd_nxt : 0;
}
// NS_OPT_TCP_NOTSENT_LOWAT: how many more bytes are wanted from the user.
static inline uint32_t tcp_low_room(const struct tcp *t) {
    uint32_t low = (uint32_t)t->s.opt[NS_OPT_TCP_NOTSENT_LOWAT], unsent = tcp_unsent(t);
    if (low == 0)
        return UINT32_MAX;
    return unsent < low ? low - unsent : 0;
}
// Whether a third of the send buffer is free, tcp(7).
static inline bool tcp_writable(const struct tcp *t) {
    uint32_t buf = (uint32_t)t->s.opt[NS_OPT_SNDBUF];
    return t->sndq.len < buf - buf / 3 && t->sndq.weight <= 2 * buf && tcp_low_room(t) > 0;
}
// How a connection goes; the interface is NS_OPT_BIND_IF's.
static inline int tcp_path(const struct tcp *t, struct path *path) {
    return sock_path_from(&t->s, &t->s.remote.ip, &t->s.local.ip, path);
}
// FIN-WAIT-2 of a connection that nobody holds; 0: none.
static inline uint64_t tcp_fin_time(const struct tcp *t) {
    int seconds = t->s.opt[NS_OPT_TCP_LINGER2];
    if (seconds < 0)
        return 0;
    return seconds ? (uint64_t)seconds * NS_SEC : TCP_FIN_TIMEOUT;
}
size_t tcp_urgent_limit(struct tcp *t, size_t n, uint32_t *skip);
void tcp_urgent_passed(struct tcp *t);
uint32_t tcp_before_mark(const struct tcp *t);
bool tcp_urgent_ready(const struct tcp *t);
int64_t tcp_recv_urgent(struct tcp *t, struct ns_io *io, unsigned flags);
// The number of the first byte that the user has not read.
static inline uint32_t tcp_copied(const struct tcp *t) { return t->rcv_nxt - t->fin_taken - t->rcvq.len; }
// ---- tcp_timer.c
void tcp_timers_init(struct tcp *t);
void tcp_timers_stop(struct tcp *t);
void tcp_rearm(struct tcp *t);          // the retransmission timer, by what is in flight, unless it runs
void tcp_restart(struct tcp *t);        // the same from now on
uint64_t tcp_rto(const struct tcp *t);  // backed off
void tcp_arm_keepalive(struct tcp *t);
void tcp_delay_ack(struct tcp *t);
// ---- tcp_listen.c
int tcp_listen(struct ns_sock *s, unsigned backlog);
int tcp_accept(struct ns_sock *s, struct ns_sock **out);
void tcp_syn_free(struct netstack *ns, struct saved_syn **syn);
void tcp_listen_input(struct tcp *l, struct tcp_seg *g);
void tcp_listen_timer(struct tcp *l);
void tcp_listen_stop(struct tcp *l);
uint32_t tcp_isn(struct netstack *ns, const struct ns_addr *local, const struct ns_addr *remote);
uint32_t tcp_ts_offset(struct netstack *ns, const struct ns_addr *local, const struct ns_addr *remote);
uint16_t tcp_our_mss(const struct path *path, const struct ns_ip *dst);
// ---- tcp_cookie.c (RFC 4987 3.6)
uint32_t tcp_cookie_make(struct netstack *ns, const struct tcp_seg *g);
uint32_t tcp_cookie_ts(uint32_t ts, const struct tcp_options *o);
bool tcp_cookie_check(struct netstack *ns, const struct tcp_seg *g, struct tcp_options *o);

#endif
