// SPDX-License-Identifier: Apache-2.0
// The line discipline's way in: what each byte from the far end does, in the order in which Linux looks at
// it. A key whose c_cc is NUL is none.
// LIMIT: a pty's line has no breaks, parity errors or modem lines: IGNBRK, BRKINT, IGNPAR and INPCK have
// nothing to act on. IMAXBEL makes no sound, IXOFF sends nothing of itself: as Linux' ptys.
#include "fs/tty/ldisc.h"

static bool key(const struct ldisc *ld, int which, uint8_t c) { return c && ld->t.c_cc[which] == c; }

static void put(struct ldisc *ld, uint8_t c) { ld->buf[ld->head++ % LDISC_SIZE] = c; }

static void end_line(struct ldisc *ld, uint8_t c) {
    ld->ends[ld->head % LDISC_SIZE / 64] |= 1ull << (ld->head % 64);
    put(ld, c);
    ld->canon = ld->head;
    ld->events |= LD_INPUT;
}

// ---- Signals ----------------------------------------------------------------------------------------------
static void signal_key(struct ldisc *ld, unsigned event, uint8_t c) {
    ld->events |= event;
    if (!ld_lflag(ld, LINUX_NOFLSH)) {
        ld->echo.len = 0;
        ldisc_flush_output(ld);
        ldisc_flush_input(ld);
    }
    if (ld_iflag(ld, LINUX_IXON))
        ldisc_start(ld);
    if (ld_lflag(ld, LINUX_ECHO))
        echo_char(ld, c);
}
static bool signals(struct ldisc *ld, uint8_t c) {
    unsigned event = 0;
    if (key(ld, LINUX_VINTR, c))
        event = LD_INTR;
    else if (key(ld, LINUX_VQUIT, c))
        event = LD_QUIT;
    else if (key(ld, LINUX_VSUSP, c))
        event = LD_SUSP;
    if (event)
        signal_key(ld, event, c);
    return event;
}

// ---- Erasing ----------------------------------------------------------------------------------------------
static void finish_erasing(struct ldisc *ld) {
    if (ld->erasing)
        echo_plain(ld, '/');
    ld->erasing = false;
}
static void rub_out(struct ldisc *ld) {
    echo_plain(ld, '\b');
    echo_plain(ld, ' ');
    echo_plain(ld, '\b');
}
// A tab is gone: how far back its column began depends on what is before it in the line.
static void erase_tab(struct ldisc *ld) {
    uint32_t columns = 0;
    bool after_tab = false;
    for (uint32_t at = ld->head; at != ld->canon && !after_tab;) {
        uint8_t c = ld_byte(ld, --at);
        if (c == '\t')
            after_tab = true;
        else if (ld_is_cntrl(c))
            columns += ld_lflag(ld, LINUX_ECHOCTL) ? 2 : 0;
        else
            columns += !ld_is_continuation(ld, c);
    }
    if (!after_tab)
        columns += ld->canon_column;
    echo_back(ld, 8 - (columns & 7));
}
// The character that stood in the n bytes at `at` is gone.
static void show_erased(struct ldisc *ld, uint32_t at, uint32_t n, bool one_by_one) {
    uint8_t c = ld_byte(ld, at);
    if (ld_lflag(ld, LINUX_ECHOPRT)) {
        if (!ld->erasing)
            echo_plain(ld, '\\');
        ld->erasing = true;
        echo_char(ld, c);
        for (uint32_t i = 1; i < n; i++) {
            uint32_t column = ld->column;
            echo_plain(ld, ld_byte(ld, at + i));
            ld->column = column;
        }
    } else if (one_by_one && !ld_lflag(ld, LINUX_ECHOE)) {
        echo_char(ld, ld->t.c_cc[LINUX_VERASE]);
    } else if (c == '\t') {
        erase_tab(ld);
    } else {
        if (ld_is_cntrl(c) && ld_lflag(ld, LINUX_ECHOCTL))
            rub_out(ld);
        if (!ld_is_cntrl(c) || ld_lflag(ld, LINUX_ECHOCTL))
            rub_out(ld);
    }
}
// Where the last character of the line begins; the line's head when it is broken UTF-8, which is not erased
// in part.
static uint32_t last_character(const struct ldisc *ld) {
    uint32_t at = ld->head;
    do
        at--;
    while (ld_is_continuation(ld, ld_byte(ld, at)) && at != ld->canon);
    return ld_is_continuation(ld, ld_byte(ld, at)) ? ld->head : at;
}
// VERASE erases one character, VWERASE a word with what stands behind it, VKILL the line.
static void erase(struct ldisc *ld, bool one, bool word) {
    bool in_word = false;
    while (ld->head != ld->canon) {
        uint32_t at = last_character(ld), n = ld->head - at;
        if (n == 0)
            break;
        bool of_word = ld_is_word(ld_byte(ld, at));
        if (word && in_word && !of_word)
            break;
        in_word |= of_word;
        ld->head = at;
        if (ld_lflag(ld, LINUX_ECHO))
            show_erased(ld, at, n, one);
        if (one)
            break;
    }
    if (ld->head == ld->canon && ld_lflag(ld, LINUX_ECHO))
        finish_erasing(ld);
}
static void kill_line(struct ldisc *ld) {
    const uint32_t visibly = LINUX_ECHOK | LINUX_ECHOKE | LINUX_ECHOE;
    if (ld->head == ld->canon)
        return;
    if (ld_lflag(ld, LINUX_ECHO) && (ld->t.c_lflag & visibly) == visibly) {
        erase(ld, false, false);
        return;
    }
    ld->head = ld->canon;
    if (!ld_lflag(ld, LINUX_ECHO))
        return;
    finish_erasing(ld);
    echo_char(ld, ld->t.c_cc[LINUX_VKILL]);
    if (ld_lflag(ld, LINUX_ECHOK))
        echo_plain(ld, '\n');
}

// ---- Lines ------------------------------------------------------------------------------------------------
static void reprint(struct ldisc *ld, uint8_t c) {
    finish_erasing(ld);
    echo_char(ld, c);
    echo_plain(ld, '\n');
    for (uint32_t at = ld->canon; at != ld->head; at++)
        echo_char(ld, ld_byte(ld, at));
}
static void literal_next(struct ldisc *ld) {
    ld->lnext = true;
    if (!ld_lflag(ld, LINUX_ECHO))
        return;
    finish_erasing(ld);
    if (ld_lflag(ld, LINUX_ECHOCTL)) {
        echo_plain(ld, '^');
        echo_plain(ld, '\b');
    }
}
static void echo_typed(struct ldisc *ld, uint8_t c) {
    if (ld->canon == ld->head)
        ld->canon_column = ld->column;
    echo_char(ld, c);
}
static void double_marked(struct ldisc *ld, uint8_t c) {
    if (c == 0xff && ld_iflag(ld, LINUX_PARMRK))
        put(ld, c);
}
// Keys of canonical mode. True: c was one.
static bool line_key(struct ldisc *ld, uint8_t c) {
    bool extended = ld_lflag(ld, LINUX_IEXTEN);
    if (key(ld, LINUX_VERASE, c)) {
        erase(ld, true, false);
    } else if (key(ld, LINUX_VWERASE, c) && extended) {
        erase(ld, false, true);
    } else if (key(ld, LINUX_VKILL, c)) {
        kill_line(ld);
    } else if (key(ld, LINUX_VLNEXT, c) && extended) {
        literal_next(ld);
    } else if (key(ld, LINUX_VREPRINT, c) && extended && ld_lflag(ld, LINUX_ECHO)) {
        reprint(ld, c);
    } else if (c == '\n') {
        if (ld_lflag(ld, LINUX_ECHO | LINUX_ECHONL))
            echo_plain(ld, '\n');
        end_line(ld, c);
    } else if (key(ld, LINUX_VEOF, c)) {
        end_line(ld, 0);
    } else if (key(ld, LINUX_VEOL, c) || (key(ld, LINUX_VEOL2, c) && extended)) {
        if (ld_lflag(ld, LINUX_ECHO))
            echo_typed(ld, c);
        double_marked(ld, c);
        end_line(ld, c);
    } else {
        return false;
    }
    return true;
}

// ---- One byte ---------------------------------------------------------------------------------------------
static uint8_t stripped(const struct ldisc *ld, uint8_t c) {
    if (ld_iflag(ld, LINUX_ISTRIP))
        c &= 0x7f;
    if (ld_iflag(ld, LINUX_IUCLC) && ld_lflag(ld, LINUX_IEXTEN) && ld_is_upper(c))
        c += 32;
    return c;
}
static bool flow_key(struct ldisc *ld, uint8_t c) {
    if (key(ld, LINUX_VSTART, c))
        ldisc_start(ld);
    else if (key(ld, LINUX_VSTOP, c))
        ldisc_stop(ld);
    else
        return false;
    return true;
}
// plain: echoed as it is, and not as ^J: what was typed as a carriage return.
static void insert_key(struct ldisc *ld, uint8_t c, bool plain) {
    if (ld_lflag(ld, LINUX_ECHO)) {
        finish_erasing(ld);
        if (plain)
            echo_plain(ld, c);
        else
            echo_typed(ld, c);
    }
    double_marked(ld, c);
    put(ld, c);
    if (!ldisc_lines(ld))
        ld->events |= LD_INPUT;
}
static void any_key_starts(struct ldisc *ld) {
    if (ld->stopped && (ld->t.c_iflag & (LINUX_IXON | LINUX_IXANY)) == (LINUX_IXON | LINUX_IXANY))
        ldisc_start(ld);
}
static void receive_byte(struct ldisc *ld, uint8_t c) {
    c = stripped(ld, c);
    if (ld_lflag(ld, LINUX_EXTPROC)) {
        put(ld, c);
        ld->events |= LD_INPUT;
        return;
    }
    if (ld->lnext) {
        ld->lnext = false;
        any_key_starts(ld);
        insert_key(ld, c, false);
        return;
    }
    if (ld_iflag(ld, LINUX_IXON) && flow_key(ld, c))
        return;
    if (ld_lflag(ld, LINUX_ISIG) && signals(ld, c))
        return;
    any_key_starts(ld);
    bool becomes_newline = c == '\r' && ld_iflag(ld, LINUX_ICRNL);
    if (c == '\r') {
        if (ld_iflag(ld, LINUX_IGNCR))
            return;
        if (becomes_newline)
            c = '\n';
    } else if (c == '\n' && ld_iflag(ld, LINUX_INLCR)) {
        c = '\r';
    }
    if (!ld_lflag(ld, LINUX_ICANON) || !line_key(ld, c))
        insert_key(ld, c, becomes_newline);
}

// A line without an end that has filled the buffer: what came last is given up for the next byte, so that
// keys and the end still get through. With PARMRK each byte may take three places, as Linux counts, though
// none here takes more than two.
size_t ldisc_receive(struct ldisc *ld, const uint8_t *p, size_t n) {
    const bool marks = ld_iflag(ld, LINUX_PARMRK);
    size_t done;
    for (done = 0; done < n; done++) {
        uint32_t used = ld->head - ld->tail, most = LDISC_SIZE - (marks ? 2 : 1);
        if (LDISC_SIZE - used <= (marks ? 3 : 1)) {
            if (!ld_lflag(ld, LINUX_ICANON) || ld->canon != ld->tail)
                break;
            if (used > most)
                ld->head = ld->tail + most;
        }
        receive_byte(ld, p[done]);
    }
    ldisc_flush_echo(ld);
    return done;
}
