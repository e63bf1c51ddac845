// SPDX-License-Identifier: Apache-2.0
// The floating-point part of a signal frame: an XSAVE image in standard form with the software's bytes in the
// legacy area and magic2 behind it. Called by frame.c. No locks.
#include "abi/x86_64/regs.h"
#include "abi/x86_64/sigframe.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "platform/platform.h"
#include "sentry/mm/usercopy.h"
#include "sentry/signal/impl.h"
#include <string.h>

#define LEGACY   sizeof(struct linux_fpstate)
#define XSAVE_MIN sizeof(struct linux_xstate)

static size_t image_size(struct task *t) { return plat_layout(t->k->platform)->fpstate_size; }

size_t fpframe_size(struct task *t) { return image_size(t) + LINUX_FP_XSTATE_MAGIC2_SIZE; }

// What the operating system has enabled; XGETBV is not privileged. Only where there is an XSAVE area at all.
static uint64_t enabled_features(void) {
    uint32_t lo, hi;
    __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

void fpframe_mark(void *image, size_t size, uint64_t xfeatures) {
    struct linux_fpstate *fx = image;
    fx->sw_reserved = (struct linux_fpx_sw_bytes){0};
    if (size < XSAVE_MIN)
        return;
    fx->sw_reserved.magic1 = LINUX_FP_XSTATE_MAGIC1;
    fx->sw_reserved.extended_size = (uint32_t)(size + LINUX_FP_XSTATE_MAGIC2_SIZE);
    fx->sw_reserved.xfeatures = xfeatures;
    fx->sw_reserved.xstate_size = (uint32_t)size;
    uint32_t magic2 = LINUX_FP_XSTATE_MAGIC2;
    memcpy((char *)image + size, &magic2, sizeof magic2);
}

// 1: with extended state; 0: without.
int fpframe_save(struct task *t, void *buf) {
    size_t size = image_size(t);
    int64_t got = plat_get_fpstate(t->thread, buf, size);
    if (got < (int64_t)LEGACY)
        return got < 0 ? (int)got : -LINUX_EFAULT;
    bool extended = size >= XSAVE_MIN;
    fpframe_mark(buf, size, extended ? enabled_features() : 0);
    return extended;
}

static int set_image(struct task *t, void *image, size_t size) {
    struct linux_fpstate *fx = image;
    fx->sw_reserved = (struct linux_fpx_sw_bytes){0};  // of no meaning to a processor
    return plat_set_fpstate(t->thread, image, size);
}

int fpframe_init(struct task *t) {
    size_t size = image_size(t);
    struct linux_fpstate *fx cleanup_free = xcalloc(1, size);
    if (!fx)
        return -LINUX_ENOMEM;
    fx->cwd = LINUX_FCW_INIT;
    fx->mxcsr = LINUX_MXCSR_INIT;
    return set_image(t, fx, size);
}

bool fpframe_extended(const struct linux_fpstate *fx, size_t max) {
    const struct linux_fpx_sw_bytes *sw = &fx->sw_reserved;
    return sw->magic1 == LINUX_FP_XSTATE_MAGIC1 && sw->xstate_size >= XSAVE_MIN && sw->xstate_size <= max &&
           sw->xstate_size <= sw->extended_size;
}

// The rest of an extended image, magic2 included: 1, 0 when magic2 is missing, or -LINUX_EFAULT.
static int load_extended(struct task *t, struct linux_xstate *image, uint64_t addr, size_t size) {
    struct linux_fpx_sw_bytes sw = image->fpstate.sw_reserved;
    char *tail = (char *)image + LEGACY;
    uint32_t magic2;
    // One read of the rest and of magic2: the buffer has room for both.
    if (copy_in(t, tail, uaddr(addr + LEGACY), sw.xstate_size - LEGACY + sizeof magic2) < 0)
        return -LINUX_EFAULT;
    memcpy(&magic2, (char *)image + sw.xstate_size, sizeof magic2);
    memset((char *)image + sw.xstate_size, 0, size + sizeof magic2 - sw.xstate_size);
    if (magic2 != LINUX_FP_XSTATE_MAGIC2) {
        memset(tail, 0, size - LEGACY);
        return 0;
    }
    image->header.xfeatures &= sw.xfeatures;
    return 1;
}

int fpframe_load(struct task *t, uint64_t addr) {
    if (!addr)
        return fpframe_init(t);
    if (addr % LINUX_XSTATE_ALIGN)
        return -LINUX_EFAULT;
    size_t size = image_size(t);
    struct linux_xstate *image cleanup_free = xcalloc(1, size + LINUX_FP_XSTATE_MAGIC2_SIZE);
    if (!image)
        return -LINUX_ENOMEM;
    if (copy_in(t, &image->fpstate, uaddr(addr), LEGACY) < 0)
        return -LINUX_EFAULT;
    int extended = fpframe_extended(&image->fpstate, size) ? load_extended(t, image, addr, size) : 0;
    if (extended < 0)
        return extended;
    if (!extended && size >= XSAVE_MIN)
        image->header.xfeatures = LINUX_XFEATURE_FP | LINUX_XFEATURE_SSE;
    return set_image(t, image, size);
}
