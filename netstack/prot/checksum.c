// SPDX-License-Identifier: Apache-2.0
// See checksum.h. Eight bytes are added at a time (RFC 1071 2 C): 2^64, 2^32 and 2^16 are all one modulo
// 65,535, so what is carried out comes in again at the lower end. No locks, no state.
#include "netstack/prot/checksum.h"
#include <string.h>

static uint64_t fold32(uint64_t sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    return (sum & 0xffffffff) + (sum >> 32);
}

uint16_t csum_finish(uint64_t sum) {
    sum = fold32(sum);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

// One's complement addition of the n bytes, at most 8; the compiler makes an add and an adc of it.
static inline uint64_t plus(uint64_t sum, const uint8_t *p, size_t n) {
    uint64_t w = 0;
    memcpy(&w, p, n);
    sum += w;
    return sum + (sum < w);
}

static uint64_t sum_words(const uint8_t *p, size_t n) {
    uint64_t sum = 0, b = 0, c = 0, d = 0;  // four, so that none waits for the other's carry
    for (; n >= 32; n -= 32, p += 32) {
        sum = plus(sum, p, 8);
        b = plus(b, p + 8, 8);
        c = plus(c, p + 16, 8);
        d = plus(d, p + 24, 8);
    }
    sum = fold32(sum) + fold32(b) + fold32(c) + fold32(d);
    for (; n >= 8; n -= 8, p += 8)
        sum = plus(sum, p, 8);
    if (n & 4)
        sum = plus(sum, p, 4);
    if (n & 2)
        sum = plus(sum, p + (n & 4), 2);
    if (n & 1)
        sum = plus(sum, p + (n & 6), 1);
    return fold32(sum);
}

uint64_t csum_add(uint64_t sum, const void *data, size_t n, int odd) {
    uint64_t part = sum_words(data, n);
    if (odd) {  // RFC 1071 2 (B): a swapped piece sums to the swapped sum
        part = fold32(part);
        part = (part & 0xffff) + (part >> 16);
        part = (part & 0xffff) + (part >> 16);
        part = (part & 0xff) << 8 | part >> 8;
    }
    return sum + part;
}

uint16_t csum_update(uint16_t check, uint16_t was, uint16_t is) {
    return csum_finish((uint64_t)(uint16_t)~check + (uint16_t)~was + is);
}
