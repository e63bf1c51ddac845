// SPDX-License-Identifier: Apache-2.0
// The line discipline's state: settings, what can be read, flushing. See ldisc.h.
#include "fs/tty/ldisc.h"
#include "base/log.h"

// As Linux' tty_std_termios, and a pty's control modes.
static const struct linux_termios2 initial = {
    .c_iflag = LINUX_ICRNL | LINUX_IXON,
    .c_oflag = LINUX_OPOST | LINUX_ONLCR,
    .c_cflag = LINUX_B38400 | LINUX_CS8 | LINUX_CREAD,
    .c_lflag = LINUX_ISIG | LINUX_ICANON | LINUX_ECHO | LINUX_ECHOE | LINUX_ECHOK | LINUX_ECHOCTL |
               LINUX_ECHOKE | LINUX_IEXTEN,
    .c_cc = {[LINUX_VINTR] = 'C' & 31,
             [LINUX_VQUIT] = '\\' & 31,
             [LINUX_VERASE] = 127,
             [LINUX_VKILL] = 'U' & 31,
             [LINUX_VEOF] = 'D' & 31,
             [LINUX_VMIN] = 1,
             [LINUX_VSTART] = 'Q' & 31,
             [LINUX_VSTOP] = 'S' & 31,
             [LINUX_VSUSP] = 'Z' & 31,
             [LINUX_VREPRINT] = 'R' & 31,
             [LINUX_VDISCARD] = 'O' & 31,
             [LINUX_VWERASE] = 'W' & 31,
             [LINUX_VLNEXT] = 'V' & 31},
    .c_ispeed = 38400,
    .c_ospeed = 38400,
};

bool ldisc_init(struct ldisc *ld) {
    ld->t = initial;
    if (ring_init(&ld->out, LDISC_OUT) && ring_init(&ld->echo, LDISC_ECHO))
        return true;
    ldisc_destroy(ld);
    return false;
}
void ldisc_destroy(struct ldisc *ld) {
    free(ld->out.data);
    free(ld->echo.data);
    ld->out.data = ld->echo.data = NULL;
}

// ---- Settings ---------------------------------------------------------------------------------------------
// What was typed before lines were asked for is a line; what was edited when they no longer are can be read
// as it stands.
static void change_mode(struct ldisc *ld) {
    memset(ld->ends, 0, sizeof ld->ends);
    ld->canon = ld->tail;
    if (ld_lflag(ld, LINUX_ICANON) && ld->head != ld->tail) {
        uint32_t last = ld->head - 1;
        ld->ends[last % LDISC_SIZE / 64] |= 1ull << (last % 64);
        ld->canon = ld->head;
    }
    ld->lnext = ld->erasing = false;
}
void ldisc_set_termios(struct ldisc *ld, const struct linux_termios2 *t) {
    struct linux_termios2 old = ld->t;
    ld->t = *t;
    if ((old.c_lflag ^ t->c_lflag) & (LINUX_ICANON | LINUX_EXTPROC))
        change_mode(ld);
    if ((old.c_iflag & LINUX_IXON) && !ld_iflag(ld, LINUX_IXON))
        ldisc_start(ld);
    ld->events |= LD_INPUT;
}

// ---- Reading ----------------------------------------------------------------------------------------------
uint32_t ldisc_available(const struct ldisc *ld) {
    return (ldisc_lines(ld) ? ld->canon : ld->head) - ld->tail;
}

uint32_t ldisc_inq(const struct ldisc *ld) {
    uint32_t n = (ld_lflag(ld, LINUX_ICANON) ? ld->canon : ld->head) - ld->tail, marks = 0;
    if (ld_lflag(ld, LINUX_ICANON))
        for (uint32_t at = ld->tail; at != ld->canon; at++)
            marks += ld_ends(ld, at) && ld_byte(ld, at) == 0;
    return n - marks;
}
bool ldisc_readable(const struct ldisc *ld) {
    uint32_t least = 1;
    if (!ldisc_lines(ld) && !ld->t.c_cc[LINUX_VTIME] && ld->t.c_cc[LINUX_VMIN])
        least = ld->t.c_cc[LINUX_VMIN];
    return ldisc_available(ld) >= least;
}
static uint32_t line_length(const struct ldisc *ld, uint32_t most, uint32_t *take) {
    uint32_t n = 0;
    while (n < most && !ld_ends(ld, ld->tail + n))
        n++;
    *take = n;
    if (n == ld->canon - ld->tail)
        return n;
    bool marks_end = ld_ends(ld, ld->tail + n) && ld_byte(ld, ld->tail + n) == 0;
    *take += marks_end || n < most;  // an end of file right behind a full buffer is no answer of its own
    return marks_end ? n : *take;
}
uint32_t ldisc_peek(const struct ldisc *ld, size_t want, struct iovec v[2], uint32_t *take) {
    uint32_t n = ldisc_available(ld), from = ld->tail % LDISC_SIZE;
    if (n > want)
        n = (uint32_t)want;
    *take = n;
    if (ldisc_lines(ld))
        n = line_length(ld, n, take);
    else if (ld_lflag(ld, LINUX_ICANON) && n == 1 && ld->head - ld->tail == 1 &&
             ld_byte(ld, ld->tail) == ld->t.c_cc[LINUX_VEOF])
        n = 0;  // with EXTPROC
    uint32_t first = n < LDISC_SIZE - from ? n : LDISC_SIZE - from;
    v[0] = (struct iovec){(void *)(uintptr_t)(ld->buf + from), first};
    v[1] = (struct iovec){(void *)(uintptr_t)ld->buf, n - first};
    return n;
}
void ldisc_take(struct ldisc *ld, uint32_t n) {
    invariant(n <= ld->head - ld->tail);
    for (uint32_t i = 0; i < n; i++, ld->tail++)
        ld->ends[ld->tail % LDISC_SIZE / 64] &= ~(1ull << (ld->tail % 64));
    if ((int32_t)(ld->canon - ld->tail) < 0)
        ld->canon = ld->tail;
}
void ldisc_flush_input(struct ldisc *ld) {
    ld->head = ld->canon = ld->tail = 0;
    memset(ld->ends, 0, sizeof ld->ends);
    ld->erasing = false;
    ld->events |= LD_FLUSH_READ;
}
