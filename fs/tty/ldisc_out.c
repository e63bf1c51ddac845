// SPDX-License-Identifier: Apache-2.0
// The line discipline's way out: output processing (OPOST), echoes, flow control. Echoes are processed as
// they arise, and wait in a ring of their own while there is no room; nothing written overtakes them.
// LIMIT: delays (NLDLY, CRDLY, TABDLY other than XTABS, BSDLY, VTDLY, FFDLY, OFILL) do nothing, as on Linux.
#include "fs/tty/ldisc.h"

#define LONGEST 8u  // what one byte becomes at most: a tab

static uint8_t upper(uint8_t c) { return ld_is_lower(c) ? (uint8_t)(c - 32) : c; }

static bool put_all(struct tty_ring *to, const char *s, uint32_t n) {
    if (ring_room(to) < n)
        return false;
    ring_add(to, (const uint8_t *)s, n);
    return true;
}
static bool newline(struct ldisc *ld, struct tty_ring *to) {
    if (ld_oflag(ld, LINUX_ONLCR)) {
        if (!put_all(to, "\r\n", 2))
            return false;
        ld->column = ld->canon_column = 0;
        return true;
    }
    if (!put_all(to, "\n", 1))
        return false;
    if (ld_oflag(ld, LINUX_ONLRET))
        ld->column = 0;
    ld->canon_column = ld->column;
    return true;
}
static bool carriage_return(struct ldisc *ld, struct tty_ring *to) {
    bool becomes_newline = ld_oflag(ld, LINUX_OCRNL);
    if (ld_oflag(ld, LINUX_ONOCR) && ld->column == 0)
        return true;
    if (!put_all(to, becomes_newline ? "\n" : "\r", 1))
        return false;
    if (!becomes_newline || ld_oflag(ld, LINUX_ONLRET))
        ld->column = ld->canon_column = 0;
    return true;
}
static bool tab(struct ldisc *ld, struct tty_ring *to) {
    uint32_t columns = 8 - (ld->column & 7);
    bool expand = (ld->t.c_oflag & LINUX_TABDLY) == LINUX_XTABS;
    if (!put_all(to, expand ? "        " : "\t", expand ? columns : 1))
        return false;
    ld->column += columns;
    return true;
}
// One byte with OPOST. False: no room, nothing has changed.
static bool post(struct ldisc *ld, struct tty_ring *to, uint8_t c) {
    switch (c) {
    case '\n':
        return newline(ld, to);
    case '\r':
        return carriage_return(ld, to);
    case '\t':
        return tab(ld, to);
    }
    if (!ring_room(to))
        return false;
    if (c == '\b') {
        ld->column -= ld->column > 0;
    } else if (!ld_is_cntrl(c)) {
        if (ld_oflag(ld, LINUX_OLCUC))
            c = upper(c);
        ld->column += !ld_is_continuation(ld, c);
    }
    ring_put(to, c);
    return true;
}

// ---- Echoes -----------------------------------------------------------------------------------------------
static void make_room(struct ldisc *ld) {
    if (ring_room(&ld->echo) >= LONGEST)
        return;
    ldisc_flush_echo(ld);
    if (ring_room(&ld->echo) < LONGEST)
        ring_drop(&ld->echo, LDISC_ECHO / 4);
}
void echo_plain(struct ldisc *ld, uint8_t c) {
    make_room(ld);
    if (ld_oflag(ld, LINUX_OPOST) && c != 0xff)
        post(ld, &ld->echo, c);
    else
        ring_put(&ld->echo, c);
    ld->column += c == 0xff;
}
void echo_char(struct ldisc *ld, uint8_t c) {
    if (!ld_lflag(ld, LINUX_ECHOCTL) || !ld_is_cntrl(c) || c == '\t') {
        echo_plain(ld, c);
        return;
    }
    make_room(ld);
    ring_put(&ld->echo, '^');
    ring_put(&ld->echo, c ^ 0100);
    ld->column += 2;
}
void echo_back(struct ldisc *ld, unsigned columns) {
    make_room(ld);
    while (columns-- > 0) {
        ring_put(&ld->echo, '\b');
        ld->column -= ld->column > 0;
    }
}
void ldisc_flush_echo(struct ldisc *ld) {
    uint32_t n = ring_room(&ld->out) < ld->echo.len ? ring_room(&ld->out) : ld->echo.len;
    struct iovec v[2];
    if (ld->stopped || n == 0)
        return;
    unsigned k = ring_pieces(&ld->echo, 0, n, v);
    for (unsigned i = 0; i < k; i++)
        ring_add(&ld->out, v[i].iov_base, (uint32_t)v[i].iov_len);
    ring_drop(&ld->echo, n);
    ld->events |= LD_OUTPUT;
}

// ---- What is written --------------------------------------------------------------------------------------
size_t ldisc_write(struct ldisc *ld, const uint8_t *p, size_t n) {
    size_t done = 0;
    ldisc_flush_echo(ld);
    if (ld->stopped || ld->echo.len)
        return 0;
    if (!ld_oflag(ld, LINUX_OPOST))
        done = ring_add(&ld->out, p, n < LDISC_OUT ? (uint32_t)n : LDISC_OUT);
    else
        while (done < n && post(ld, &ld->out, p[done]))
            done++;
    if (done)
        ld->events |= LD_OUTPUT;
    return done;
}
void ldisc_flush_output(struct ldisc *ld) {
    if (ld->out.len > LDISC_ARRIVED)
        ld->out.len = LDISC_ARRIVED;
    ld->events |= LD_FLUSH_WRITE;
}

// ---- Flow control -----------------------------------------------------------------------------------------
void ldisc_stop(struct ldisc *ld) {
    if (ld->stopped)
        return;
    ld->stopped = true;
    ld->events = (ld->events & ~LD_STARTED) | LD_STOPPED;
}
void ldisc_start(struct ldisc *ld) {
    if (!ld->stopped || ld->held)
        return;
    ld->stopped = false;
    ld->events = (ld->events & ~LD_STOPPED) | LD_STARTED;
    ldisc_flush_echo(ld);
}
