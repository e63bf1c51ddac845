// SPDX-License-Identifier: Apache-2.0
// One connection of the soak: what its two users do, by chance, and what must come of it. Of an orderly one
// every byte arrives and both ends see the end of file; of the others what arrives is right. Nobody waits
// for ever.
#include "abi/errno.h"
#include "netstack/sock/sock.h"
#include "netstack/prot/ip.h"
#include "netstack/tcp/tcp.h"
#include "tests/net/soak/soak.h"
#include <stdlib.h>
#include <string.h>

#define TABLE 65536u
#define PIECE 16384u
static uint8_t table[TABLE + PIECE]; // what all send, from a place that differs; its end is its beginning

// ---- Chance --------------------------------------------------------------------------------------
uint32_t roll(uint32_t below) {
    world.seed = world.seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(world.seed >> 33) % below;
}
bool chance(unsigned percent) {
    return roll(100) < percent;
}

// A value below that of a row, which is drawn by its percentage.
struct share {
    unsigned percent;
    uint32_t below;
};
static uint32_t draw(const struct share *rows) {
    uint32_t what = roll(100);
    while (what >= rows->percent) {
        what -= rows->percent;
        rows++;
    }
    return rows->below ? roll(rows->below) : 0;
}

static uint64_t some_pause(void) {
    static const struct share ms[] = {{50, 50}, {30, 3000}, {15, 120000}, {5, 600000}};
    return (uint64_t)draw(ms) * MS;
}

static uint32_t some_bytes(void) {
    static const struct share bytes[] = {{20, 0}, {30, 1000}, {40, 20000}, {8, 200000}, {2, 2000000}};
    return draw(bytes);
}

// The bytes at an offset of one direction of a connection; *n is cut where the table ends.
static const uint8_t *bytes_at(const struct end *e, uint32_t at, uint32_t *n) {
    if (!table[0])
        for (uint32_t i = 0; i < sizeof table; i++)
            table[i] = i < TABLE ? (uint8_t)(1 + roll(255)) : table[i - TABLE];
    uint32_t left = TABLE - at % TABLE, most = left < PIECE ? left : PIECE;
    *n = *n < most ? *n : most;
    return table + (at + e->c->id * 7919u + e->side * 401u + at / TABLE * 977u) % TABLE;
}

// ---- Ends
// ----------------------------------------------------------------------------------------------------------
static struct end *other(struct end *e) {
    return &e->c->ends[!e->side];
}

void end_due(struct end *e) {
    if (!list_linked(&e->due))
        list_add_tail(&world.due, &e->due);
}
static void on_ready(void *arg, uint32_t mask) {
    end_due(arg);
}
static void on_timer(struct timer *t) {
    end_due(container_of(t, struct end, timer));
}

static void wake_at(struct end *e, uint64_t when) {
    if (!timer_armed(&e->timer) || e->timer.at * WHEEL_TICK > when)
        timer_arm(&world.wheel, &e->timer, when);
}

static uint64_t pause(struct end *e) {
    uint64_t until = world.now + some_pause();
    e->c->quiet = until > e->c->quiet ? until : e->c->quiet;
    wake_at(e, until);
    return until;
}

static const char *state_of(const struct end *e) {
    if (e->s)
        return "open";
    return e->closed ? "closed" : "not accepted";
}

static void stuck(const struct conn *c, const char *why) {
    for (unsigned side = 0; side < 2; side++) {
        const struct end *e = &c->ends[side];
        struct ns_tcp_info i = {0};
        if (e->s)
            ns_tcp_info(e->s, &i);
        log_error("end %u: %s%s%s, state %u, sent %u of %u, received %u, cwnd %u, window %u, in flight %u, "
                  "unsent %u",
                  side, state_of(e), e->shut ? " shut" : "", e->eof ? " eof" : "", i.state, e->sent, e->want,
                  e->received, i.cwnd, i.snd_wnd, i.in_flight, i.unsent);
    }
    panic("connection %u (port %u, %s, %s) at %.3f s: %s", c->id, c->port, c->six ? "IPv6" : "IPv4",
          c->orderly ? "orderly" : "disorderly", (double)world.now / 1e9, why);
}

static void conn_closed(struct conn *c) {
    world.open--;
    *(c->orderly ? &world.sum.orderly : &world.sum.broken) += 1;
    timer_arm(&world.wheel, &c->timer, world.now + GONE);
    if (!world.stopping)
        conn_open();
}

static void end_close(struct end *e) {
    struct end *o = other(e);
    struct ns_sock *s = e->s;
    e->s = NULL;
    e->closed = true;
    e->c->moved = world.now;
    timer_cancel(&world.wheel, &e->timer);
    if (s)
        ns_close(s);
    // Who was not heard of, because a reset was lost, or a SYN never came, is given up; keepalives find out
    // by themselves.
    if (!o->closed && !e->c->orderly && (!e->c->keepalive || !o->s))
        wake_at(o, world.now + PATIENCE);
    if (o->closed)
        conn_closed(e->c);
}

// An error is for disorderly connections, or comes when all has come and the other is gone. And a client
// that says nothing until its SYN cookie is stale is lost, when the ACK of it was: the server knows nothing
// of it.
static void end_failed(struct end *e, int64_t err) {
    struct end *o = other(e);
    if (e->c->crowd && e->side == 0 && !e->received && !o->s && !o->closed)
        e->c->orderly = false;
    if (e->c->orderly && !(e->eof && (e->shut || o->closed))) {
        log_error("error %d", (int)-err);
        stuck(e->c, "an orderly connection failed");
    }
    end_close(e);
}

// ---- What an end does ----------------------------------------------------------------------------
static void finish_writing(struct end *e) {
    e->shut = true;
    // All is said, and nothing is to be heard: who closes now loses nothing. The other may have to hear in
    // a minute (the wait in FIN-WAIT-2) that he is alone.
    if (e->c->orderly && !other(e)->want && !e->c->slow && !e->c->keepalive && chance(50)) {
        e->eof = true;
        end_close(e);
    } else {
        ns_shutdown(e->s, false, true);
    }
}

static void write_some(struct end *e) {
    struct ns_mem_io m;
    while (e->s && !e->shut && world.now >= e->write_at) {
        if (e->sent == e->want) {
            finish_writing(e);
            return;
        }
        uint32_t n = e->want - e->sent < e->write_left ? e->want - e->sent : e->write_left;
        const uint8_t *from = bytes_at(e, e->sent, &n);
        int64_t put = ns_send(e->s, ns_io_from(&m, from, n), chance(5) ? NS_MSG_MORE : 0, NULL);
        if (put == -LINUX_EAGAIN || put == -LINUX_ENOBUFS) {
            if (put == -LINUX_ENOBUFS)
                wake_at(e, world.now + SEC);
            return;
        }
        if (put < 0) {
            end_failed(e, put);
            return;
        }
        e->sent += (uint32_t)put;
        e->write_left -= (uint32_t)put;
        if (e->write_left == 0) {
            e->write_left = 1 + roll(chance(20) ? 100 : e->want);
            e->write_at = pause(e);
        }
    }
}

static void check(struct end *e, const uint8_t *got, uint32_t n) {
    struct end *o = other(e);
    while (n > 0) {
        uint32_t step = n;
        const uint8_t *right = bytes_at(o, e->received, &step);
        if (e->received + step > o->sent || memcmp(got, right, step) != 0)
            stuck(e->c, "other bytes arrived than were sent");
        e->received += step;
        world.sum.bytes += step;
        got += step;
        n -= step;
    }
    e->c->moved = world.now;
}

static void read_some(struct end *e) {
    static uint8_t buf[65536];
    struct ns_mem_io m;
    while (e->s && !e->eof && world.now >= e->read_at) {
        uint32_t room = e->c->slow ? e->read_left : sizeof buf;
        int64_t n = ns_recv(e->s, ns_io_to(&m, buf, room < sizeof buf ? room : sizeof buf), 0, NULL);
        if (n == -LINUX_EAGAIN)
            return;
        if (n < 0) {
            end_failed(e, n);
            return;
        }
        if (n == 0) {
            e->eof = true;
            if (e->c->orderly && e->received != other(e)->want)
                stuck(e->c, "the end came too early");
            return;
        }
        check(e, buf, (uint32_t)n);
        if (e->c->slow && (e->read_left -= (uint32_t)n) == 0) {
            e->read_left = 1 + roll(30000);
            e->read_at = pause(e);
        }
    }
}

// One of a disorderly connection goes away in the middle: with a reset, or as if nothing was the matter.
static bool meets_doom(struct end *e) {
    struct conn *c = e->c;
    if (c->orderly || world.now < c->doom || c->doomed != e->side)
        return false;
    if (chance(50))
        ns_set_option(e->s, NS_OPT_LINGER, 0);
    end_close(e);
    return true;
}

void end_turn(struct end *e) {
    if (e->closed)
        return;
    if (other(e)->closed && !e->c->orderly && (!e->c->keepalive || !e->s)) {
        if (world.now >= e->c->moved + PATIENCE) {
            end_close(e);
            return;
        }
        wake_at(e, e->c->moved + PATIENCE);
    }
    if (!e->s || meets_doom(e))
        return;
    int err = ns_take_error(e->s);
    if (err) {
        end_failed(e, -err);
        return;
    }
    e->up = e->up || (ns_ready(e->s) & NS_OUT);
    if (!e->up)
        return;
    write_some(e);
    read_some(e);
    if (!e->s)
        return;
    if (e->eof && (e->shut || !e->c->orderly))
        end_close(e);
    else if (world.now < e->write_at || world.now < e->read_at)
        wake_at(e, world.now < e->write_at && (e->write_at < e->read_at || world.now >= e->read_at)
                       ? e->write_at
                       : e->read_at);
}

// ---- Connections ---------------------------------------------------------------------------------
static struct ns_addr address(const struct conn *c, unsigned side) {
    unsigned stack = c->client ^ side;
    return (struct ns_addr){c->six ? world.ip6[stack] : world.ip4[stack], side ? PORT : c->port};
}

static void conn_free(struct conn *c) {
    struct conn **at = &world.by_port[c->client][c->six][c->port];
    for (unsigned side = 0; side < 2; side++) {
        struct ns_addr local = address(c, side), remote = address(c, !side);
        if (*at == c && sock_find_conn(world.ns[c->client ^ side], PROTO_TCP, &local, &remote))
            stuck(c, "closed, and still there");
        list_del(&c->ends[side].due);
    }
    if (*at == c)
        *at = NULL;
    list_del(&c->link);
    free(c);
}

static void watch(struct timer *t) {
    struct conn *c = container_of(t, struct conn, timer);
    if (c->ends[0].closed && c->ends[1].closed) {
        conn_free(c);
        return;
    }
    bool idle = world.now > (c->moved > c->quiet ? c->moved : c->quiet) + IDLE;
    // as in end_failed(), and it has closed at once
    if (idle && c->crowd && c->ends[0].closed && !c->ends[1].s) {
        c->orderly = false;
        c->ends[1].closed = true;
        conn_closed(c);
        return;
    }
    if (idle)
        stuck(c, "nothing moves");
    timer_arm(&world.wheel, t, world.now + 60 * SEC);
}

static void some_options(struct end *e) {
    struct conn *c = e->c;
    if (c->keepalive) {
        ns_set_option(e->s, NS_OPT_TCP_KEEPIDLE, (int)(1 + roll(60)));
        ns_set_option(e->s, NS_OPT_TCP_KEEPINTVL, (int)(1 + roll(5)));
        ns_set_option(e->s, NS_OPT_TCP_KEEPCNT,
                      (int)(10 + roll(5))); // the wire loses fewer in a row, in a year
        ns_set_option(e->s, NS_OPT_KEEPALIVE, 1);
    }
    if (c->slow || chance(10))
        ns_set_option(e->s, NS_OPT_RCVBUF, (int)(2048 + roll(20000)));
    if (chance(10))
        ns_set_option(e->s, NS_OPT_SNDBUF, (int)(4096 + roll(20000)));
    if (chance(30))
        ns_set_option(e->s, NS_OPT_TCP_NODELAY, 1);
    if (chance(10))
        ns_set_option(e->s, NS_OPT_TCP_CONGESTION, NS_RENO);
    if (chance(5) && !e->side)
        ns_set_option(e->s, NS_OPT_TCP_MAXSEG, (int)(100 + roll(1400)));
    if (!c->orderly && chance(10))
        ns_set_option(e->s, NS_OPT_TCP_USER_TIMEOUT, (int)(1000 + roll(60000)));
    ns_on_ready(e->s, on_ready, e);
    end_due(e);
}

static void plan(struct conn *c) {
    c->id = (uint32_t)world.sum.opened++;
    c->client = roll(2);
    c->six = roll(2);
    c->orderly = chance(85);
    c->keepalive = chance(25);
    c->slow = chance(10);
    c->moved = c->quiet = world.now;
    c->crowd = world.now == START;
    c->doom = world.now + some_pause();
    c->doomed = roll(2);
    if (!c->orderly && chance(20))
        c->doom = world.now;
    timer_init(&c->timer, watch);
    timer_arm(&world.wheel, &c->timer, world.now + 60 * SEC);
    for (unsigned side = 0; side < 2; side++) {
        struct end *e = &c->ends[side];
        *e = (struct end){.c = c, .side = side, .want = some_bytes(), .write_left = 1 + roll(30000)};
        e->read_left = 1 + roll(30000);
        timer_init(&e->timer, on_timer);
        list_init(&e->due);
    }
}

void conn_open(void) {
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        panic("no memory");
    plan(c);
    list_add_tail(&world.conns, &c->link);
    struct end *e = &c->ends[0];
    struct ns_addr to = address(c, 1), local;
    if (ns_socket(world.ns[c->client], c->six ? NS_INET6 : NS_INET, NS_STREAM, &e->s) < 0)
        stuck(c, "no socket");
    some_options(e);
    int err = ns_connect(e->s, &to);
    if (err != -LINUX_EINPROGRESS || ns_local(e->s, &local) < 0)
        stuck(c, "no connection");
    c->port = local.port;
    world.by_port[c->client][c->six][c->port] = c;
    e->write_at = chance(50) ? world.now : pause(e);
    if (!c->orderly)
        wake_at(&c->ends[c->doomed], c->doom);
    if (++world.open > world.sum.most)
        world.sum.most = world.open;
}

void conn_accept(unsigned stack) {
    struct ns_sock *s;
    while (ns_accept(world.listener[stack], &s) == 0) {
        struct ns_addr peer = {.port = 0};
        ns_peer(s, &peer);
        struct conn *c = world.by_port[!stack][!ns_ip_is4(&peer.ip)][peer.port];
        if (!c || c->ends[1].s || c->ends[1].closed) { // its user has lost patience
            world.sum.strays++;
            ns_close(s);
            continue;
        }
        struct end *e = &c->ends[1];
        e->s = s;
        e->up = true;
        some_options(e);
        c->moved = world.now;
        e->write_at = chance(50) ? world.now : pause(e);
    }
}
