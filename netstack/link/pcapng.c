// SPDX-License-Identifier: Apache-2.0
// See pcapng.h. Blocks are written in this machine's byte order, which the section header tells the reader.
#include "netstack/link/pcapng.h"
#include <string.h>

#define SECTION   0x0a0d0d0au
#define INTERFACE 1u
#define PACKET    6u
#define MAGIC     0x1a2b3c4du
#define TSRESOL   9  // the option that says: times are in 10^-9 s

static uint8_t *put(uint8_t *p, const void *v, size_t n) {
    memcpy(p, v, n);
    return p + n;
}
static uint8_t *put_u32(uint8_t *p, uint32_t v) { return put(p, &v, 4); }
static uint8_t *put_u16(uint8_t *p, uint16_t v) { return put(p, &v, 2); }

size_t pcapng_head(uint8_t buf[static PCAPNG_HEAD], uint16_t link) {
    uint8_t *p = put_u32(buf, SECTION);
    p = put_u32(p, 28);
    p = put_u32(p, MAGIC);
    p = put_u16(put_u16(p, 1), 0);  // version 1.0
    p = put_u32(put_u32(p, UINT32_MAX), UINT32_MAX);
    p = put_u32(p, 28);
    p = put_u32(p, INTERFACE);
    p = put_u32(p, 32);
    p = put_u16(put_u16(p, link), 0);
    p = put_u32(p, 0);  // frames are as long as they are
    p = put_u16(put_u16(p, TSRESOL), 1);
    p = put_u32(p, 9);  // one byte and padding
    p = put_u32(p, 0);  // end of options
    p = put_u32(p, 32);
    return (size_t)(p - buf);
}

size_t pcapng_frame(uint8_t *buf, uint64_t ns, const void *data, uint32_t n, uint32_t len) {
    uint32_t total = (uint32_t)PCAPNG_BLOCK(n);
    uint8_t *p = put_u32(buf, PACKET);
    p = put_u32(p, total);
    p = put_u32(p, 0);
    p = put_u32(put_u32(p, (uint32_t)(ns >> 32)), (uint32_t)ns);
    p = put_u32(put_u32(p, n), len);
    p = put(p, data, n);
    memset(p, 0, (4 - n % 4) % 4);
    p += (4 - n % 4) % 4;
    p = put_u32(p, total);
    return (size_t)(p - buf);
}
