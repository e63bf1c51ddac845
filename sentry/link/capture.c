// SPDX-License-Identifier: Apache-2.0
// See capture.h. A block is written with one call, whole; where the file cannot take it, the capture is over.
#include "sentry/link/capture.h"
#include "abi/errno.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "netstack/link/pcapng.h"
#include "sentry/link/vnet.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void stop(struct capture *c, const char *why) {
    log_info("capture: %s", why);
    close(c->fd);
    c->fd = -1;
}

static void put(struct capture *c, const void *bytes, size_t n) {
    if (n > c->left)
        stop(c, "the file has its size");
    else if (write(c->fd, bytes, n) != (ssize_t)n)
        stop(c, "the file cannot be written");
    else
        c->left -= n;
}

int capture_open(struct capture *c, int fd, uint64_t max) {
    uint8_t head[PCAPNG_HEAD];
    *c = (struct capture){.on = fd >= 0, .fd = fd, .left = max};
    lock_init(&c->lock, RANK_LEAF);
    if (fd < 0)
        return 0;
    // the frame itself is gathered behind the place of its block's head
    c->block = xcalloc(1, PCAPNG_BLOCK(VNET_FRAME_MAX) + VNET_FRAME_MAX);
    if (!c->block)
        return -LINUX_ENOMEM;
    LOCKED(&c->lock);
    put(c, head, pcapng_head(head, PCAPNG_ETHERNET));
    return 0;
}

void capture_close(struct capture *c) {
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    free(c->block);
    c->block = NULL;
    lock_destroy(&c->lock);
}

void capture_frame(struct capture *c, const struct ns_iov *iov, unsigned n) {
    if (!c->on)
        return;
    LOCKED(&c->lock);
    if (c->fd < 0)
        return;
    uint8_t *frame = c->block + PCAPNG_BLOCK(VNET_FRAME_MAX);
    size_t len = 0;
    for (unsigned i = 0; i < n; i++) {
        if (iov[i].len > VNET_FRAME_MAX - len)
            return;
        memcpy(frame + len, iov[i].base, iov[i].len);
        len += iov[i].len;
    }
    put(c, c->block, pcapng_frame(c->block, real_ns(), frame, (uint32_t)len, (uint32_t)len));
}
