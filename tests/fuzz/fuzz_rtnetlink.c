// SPDX-License-Identifier: Apache-2.0
// A hostile sender of netlink requests. The first byte chooses what the socket has set, the rest is the
// message. What must hold: no crash, every answer is well formed, no request has more than a dump's begin and
// one answer, dumps end.
#include "sentry/net/net.h"
#include "sentry/net/rtnetlink.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>
#include <string.h>

#define CHECK(cond)                                                                                          \
    do {                                                                                                     \
        if (!(cond))                                                                                         \
            abort();                                                                                         \
    } while (0)

static size_t answers;

static void check(const uint8_t *p, size_t n) {
    while (n > 0) {
        struct linux_nlmsghdr h;
        CHECK(n >= sizeof h);
        memcpy(&h, p, sizeof h);
        CHECK(h.nlmsg_len >= sizeof h && NL_ALIGN(h.nlmsg_len) <= n && h.nlmsg_pid == 7);
        p += NL_ALIGN(h.nlmsg_len);
        n -= NL_ALIGN(h.nlmsg_len);
    }
}
static void reply(struct rtnl_out *o, const void *msg, size_t n, const void *more, size_t more_n) {
    size_t all = n + NL_ALIGN(more_n);
    uint8_t *copy = calloc(1, all);
    CHECK(copy);
    memcpy(copy, msg, n);
    if (more_n)
        memcpy(copy + n, more, more_n);
    check(copy, all);
    free(copy);
    answers++;
}
static void part(struct rtnl_out *o) {
    _Alignas(4) uint8_t buf[RTNL_CHUNK];
    struct nl_buf b = {.p = buf, .cap = sizeof buf};
    rtnl_dump_part(o->dump, &b);
    CHECK(b.len > 0 && b.len <= b.cap);
    check(b.p, b.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n == 0)
        return 0;
    struct rtnl_dump dump = {0};
    struct rtnl_out o = {.reply = reply,
                         .dump_begun = part,
                         .dump = &dump,
                         .net = &net_unconfigured,
                         .portid = 7,
                         .admin = data[0] & 1,
                         .kind = (enum rtnl_kind)((data[0] >> 3) % 3),
                         .strict = data[0] & 2,
                         .cap_ack = data[0] & 4};
    uint8_t *msg = malloc(n);  // its own block, so that a read beyond it is seen
    CHECK(msg);
    memcpy(msg, data + 1, n - 1);
    answers = 0;
    rtnl_receive(&o, msg, n - 1);
    CHECK(answers <= 2 * (n / sizeof(struct linux_nlmsghdr)));
    for (int parts = 0; dump.running; parts++) {
        CHECK(parts < 100);
        part(&o);
    }
    free(msg);
    return 0;
}
