// SPDX-License-Identifier: Apache-2.0
// Floating-point state as raw XSAVE images: how long they are, and whether the CPU would load one that came
// from a guest. Stateless; no locks.
#include "abi/errno.h"
#include "abi/x86_64/sigframe.h"
#include "platform/backend.h"
#include <cpuid.h>
#include <string.h>

#define XFEATURES_AMX  (3ull << 17) // needs a permission that no stub has
#define MXCSR_MASK_OLD 0xffbfu      // of a CPU that does not tell

// XCR0, or 0 where there is no XSAVE. CPUID is asked as seldom as can be: on a virtual machine it is an exit
// each time, some 10 us. (Every x86-64 has leaf 1, every one with XSAVE has leaf 0xd.)
static uint64_t host_xfeatures(void) {
    uint32_t lo, hi, a, b, c, d;
    __cpuid(1, a, b, c, d);
    if (!(c & bit_OSXSAVE))
        return 0;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return lo | (uint64_t)hi << 32;
}

// Where the last of these components ends.
static size_t end_of_components(uint64_t features) {
    uint32_t a, b, c, d;
    size_t size = sizeof(struct linux_xstate);
    for (unsigned i = 2; i < 63; i++) {
        if (!(features >> i & 1))
            continue;
        __cpuid_count(0xd, i, a, b, c, d);
        if ((size_t)a + b > size)
            size = (size_t)a + b;
    }
    return size;
}

void plat_fpstate_describe(struct plat_layout *l) {
    uint64_t all = host_xfeatures();
    uint32_t a, b, c, d;
    l->fp_features = all ? all & ~XFEATURES_AMX : LINUX_XFEATURE_FP | LINUX_XFEATURE_SSE;
    l->fpstate_size = sizeof(struct linux_xstate);
    if (all & XFEATURES_AMX) {
        l->fpstate_size = end_of_components(l->fp_features);
    } else if (all) {
        __cpuid_count(0xd, 0, a, b, c, d);  // b: of all that XCR0 has
        if (b > l->fpstate_size)
            l->fpstate_size = b;
    }
}

static uint32_t mxcsr_mask(void) {
    struct linux_fpstate fx __attribute__((aligned(16)));
    memset(&fx, 0, sizeof fx);
    __asm__ volatile("fxsave %0" : "=m"(fx));
    return fx.mxcsr_mask ? fx.mxcsr_mask : MXCSR_MASK_OLD;
}

// Without CPUID: on a virtual machine that is an exit each time.
int plat_fpstate_check(const struct plat_layout *layout, const void *image, size_t len) {
    const struct linux_xstate *x = image;
    uint32_t mxcsr;
    struct linux_xsave_header h;
    if (len < sizeof *x || len > layout->fpstate_size)
        return -LINUX_EINVAL;
    memcpy(&mxcsr, (const char *)image + offsetof(struct linux_fpstate, mxcsr), sizeof mxcsr);
    memcpy(&h, (const char *)image + sizeof(struct linux_fpstate), sizeof h);
    if (mxcsr & ~mxcsr_mask() || h.xfeatures & ~layout->fp_features || h.xcomp_bv)
        return -LINUX_EINVAL;
    for (size_t i = 0; i < sizeof h.reserved / sizeof *h.reserved; i++)
        if (h.reserved[i])
            return -LINUX_EINVAL;
    return 0;
}
