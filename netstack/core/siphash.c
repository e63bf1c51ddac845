// SPDX-License-Identifier: Apache-2.0
// See siphash.h.
#include "netstack/core/siphash.h"
#include <string.h>

struct state {
    uint64_t a, b, c, d;
};

static inline uint64_t turn(uint64_t x, unsigned n) { return x << n | x >> (64 - n); }

// Written out where it is used, so that the state stays in registers.
static inline __attribute__((always_inline)) void round_of(struct state *s) {
    s->a += s->b;
    s->c += s->d;
    s->b = turn(s->b, 13) ^ s->a;
    s->d = turn(s->d, 16) ^ s->c;
    s->a = turn(s->a, 32);
    s->c += s->b;
    s->a += s->d;
    s->b = turn(s->b, 17) ^ s->c;
    s->d = turn(s->d, 21) ^ s->a;
    s->c = turn(s->c, 32);
}

static inline __attribute__((always_inline)) void take(struct state *s, uint64_t word, unsigned rounds) {
    s->d ^= word;
    for (unsigned i = 0; i < rounds; i++)
        round_of(s);
    s->a ^= word;
}

static inline __attribute__((always_inline)) uint64_t hash(const struct siphash_key *key, const void *data,
                                                           size_t n, unsigned rounds, unsigned last_rounds) {
    const uint8_t *p = data;
    struct state s = {key->k[0] ^ 0x736f6d6570736575ull, key->k[1] ^ 0x646f72616e646f6dull,
                      key->k[0] ^ 0x6c7967656e657261ull, key->k[1] ^ 0x7465646279746573ull};
    uint64_t word;
    size_t left = n;
    for (; left >= 8; left -= 8, p += 8) {
        memcpy(&word, p, 8);
        take(&s, word, rounds);
    }
    word = (uint64_t)n << 56;
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)p[i] << (8 * i);
    take(&s, word, rounds);
    s.c ^= 0xff;
    for (unsigned i = 0; i < last_rounds; i++)
        round_of(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

uint64_t siphash(const struct siphash_key *key, const void *data, size_t n) {
    return hash(key, data, n, 2, 4);
}
uint64_t siphash_slot(const struct siphash_key *key, const void *data, size_t n) {
    return hash(key, data, n, 1, 3);
}
