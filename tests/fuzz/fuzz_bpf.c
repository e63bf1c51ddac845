// SPDX-License-Identifier: Apache-2.0
// A hostile filter (SO_ATTACH_FILTER): half of the input is a program, the rest the packet that it sees. What
// must hold: what is taken ends, reads nothing outside of the packet, and says the same twice unless it asks
// for random numbers.
#include "sentry/socket/bpf.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>
#include <string.h>

#define MOST 4096u

struct packet {
    struct ns_view v;
    const uint8_t *bytes;
};

static bool load(const struct ns_view *v, uint32_t at, void *to, uint32_t n) {
    const struct packet *p = (const struct packet *)v;
    if (at > v->len || n > v->len - at)
        return false;
    memcpy(to, p->bytes + at, n);
    return true;
}

static bool is_random(const struct linux_sock_filter *insn, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        if (insn[i].k == (uint32_t)(-0x1000 + 56))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct bpf_program *p = NULL;
    unsigned count = (unsigned)(n / 2 / sizeof(struct linux_sock_filter));
    if (count == 0 || count > MOST)
        return 0;
    struct linux_sock_filter *insn = malloc(count * sizeof *insn);
    size_t rest = n - count * sizeof *insn;
    uint8_t *bytes = malloc(rest);
    if (!insn || !bytes)
        abort();
    memcpy(insn, data, count * sizeof *insn);
    memcpy(bytes, data + count * sizeof *insn, rest);
    bool random = is_random(insn, count);
    int err = bpf_program_new(insn, count, &p);
    free(insn);
    if (err == 0) {
        const struct packet packet = {{(uint32_t)rest, 1, 0x0800, load}, bytes};
        uint32_t first = p->filter.run(&p->filter, &packet.v), second = p->filter.run(&p->filter, &packet.v);
        if (first != second && !random)
            abort();
        free(p);
    }
    free(bytes);
    return 0;
}
