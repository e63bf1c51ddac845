// SPDX-License-Identifier: Apache-2.0
// See checksum.h. Words are added eight bytes at a time into two halves, which cannot overflow for less than 4 GiB.
// No locks, no state.
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

static uint64_t sum_words(const uint8_t *p, size_t n) {
    uint64_t lo = 0, hi = 0, a, b;
    for (; n >= 16; n -= 16, p += 16) {
        memcpy(&a, p, 8);
        memcpy(&b, p + 8, 8);
        lo += (a & 0xffffffff) + (b & 0xffffffff);
        hi += (a >> 32) + (b >> 32);
    }
    for (; n >= 2; n -= 2, p += 2) {
        uint16_t w;
        memcpy(&w, p, 2);
        lo += w;
    }
    if (n) {
        uint8_t last[2] = {*p, 0};
        uint16_t w;
        memcpy(&w, last, 2);
        lo += w;
    }
    return fold32(lo) + fold32(hi);
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
