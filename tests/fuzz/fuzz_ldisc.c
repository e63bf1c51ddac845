// SPDX-License-Identifier: Apache-2.0
// A terminal's line discipline under hostile hands: any settings at any time, any bytes from either side,
// reads of any size. What must hold: no crash, what is kept and what goes out stay within their bounds, and
// what is read was there.
#include "fs/tty/ldisc.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>

#define CHECK(cond)                                                                                          \
    do {                                                                                                     \
        if (!(cond))                                                                                         \
            abort();                                                                                         \
    } while (0)

static void check(const struct ldisc *ld) {
    CHECK(ld->head - ld->tail <= LDISC_SIZE && ld->canon - ld->tail <= ld->head - ld->tail);
    CHECK(ld->out.len <= LDISC_OUT && ld->echo.len <= LDISC_ECHO);
    CHECK(ldisc_inq(ld) <= ld->head - ld->tail);
}
static void read_some(struct ldisc *ld, size_t want) {
    struct iovec v[2];
    uint32_t take, n = ldisc_peek(ld, want, v, &take);
    uint8_t sum = 0;
    CHECK(n <= want && n <= take && take <= n + 1 && v[0].iov_len + v[1].iov_len == n);
    for (unsigned k = 0; k < 2; k++)
        for (size_t i = 0; i < v[k].iov_len; i++)
            sum ^= ((uint8_t *)v[k].iov_base)[i];
    ldisc_take(ld, sum & 1 ? n : take);  // a copy that fell short, or was whole
}
static void change(struct ldisc *ld, const uint8_t *p) {
    struct linux_termios2 t = ld->t;
    t.c_iflag ^= (uint32_t)p[0] << (p[1] & 8);
    t.c_oflag ^= (uint32_t)p[2] << (p[1] & 4);
    t.c_lflag ^= (uint32_t)p[3] << (p[4] % 10);
    t.c_cc[p[5] % LINUX_NCCS] = p[6];
    ldisc_set_termios(ld, &t);
}

// Each step: a byte that says what, a byte that says how much, and what it needs.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static struct ldisc ld;
    static uint8_t many[6000];
    memset(&ld, 0, sizeof ld);
    if (!ldisc_init(&ld))
        return 0;
    for (size_t at = 0; at + 2 <= n; check(&ld)) {
        uint8_t what = data[at], size = data[at + 1];
        size_t left = n - at - 2, len = size < left ? size : left;
        const uint8_t *p = data + at + 2;
        at += 2;
        switch (what % 8) {
        case 0:
        case 1:
            CHECK(ldisc_receive(&ld, p, len) <= len);
            at += len;
            break;
        case 2:
            CHECK(ldisc_write(&ld, p, len) <= len);
            at += len;
            break;
        case 3:
            read_some(&ld, (size_t)size * 20);
            break;
        case 4:
            if (left >= 7)
                change(&ld, p);
            at += left < 7 ? left : 7;
            break;
        case 5:
            memset(many, size, sizeof many);
            ldisc_receive(&ld, many, sizeof many);
            break;
        case 6:
            ring_drop(&ld.out, ld.out.len);
            ldisc_flush_echo(&ld);
            break;
        default:
            if (size & 1)
                ldisc_flush_input(&ld);
            if (size & 2)
                ldisc_flush_output(&ld);
            ld.held = size & 4;
            if (size & 8)
                ldisc_stop(&ld);
            else
                ldisc_start(&ld);
        }
    }
    ldisc_destroy(&ld);
    return 0;
}
