// SPDX-License-Identifier: Apache-2.0
// Registers of held threads, as far as they are known: they live in the signal frame on the thread's slot.
#ifndef PLATFORM_SECCOMP_REGS_H
#define PLATFORM_SECCOMP_REGS_H
#include "abi/x86_64/regs.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct plat_thread;
struct sc_thread;

// Where the kernel puts the signal frame's parts in a slot, and the form of its XSAVE image; the same for all
// threads.
struct sc_frame {
    uint64_t uc_off;    // of the ucontext
    uint64_t fp_off;    // of the XSAVE area
    uint32_t fp_len;    // without the magic word
    uint8_t fp_sw[48];  // the software bytes that the kernel wants to see there
    uint64_t fp_features;
    bool fsgsbase;
};

struct reg_cache {
    int64_t rax;  // have_rax: is to be set; the rest of the registers need not be known for that
    struct lx_regs regs;
    void *fp;  // FP state to be written at check-in; owned
    size_t fp_len;
    bool have_rax, have_regs;
    bool dirty_regs, dirty_bases;  // to be set: the general ones in the frame; fs and gs base
};

int sc_get_regs(struct plat_thread *t, struct lx_regs *regs);
int sc_set_regs(struct plat_thread *t, const struct lx_regs *regs);
int64_t sc_get_fpstate(struct plat_thread *t, void *buf, size_t len);
int sc_set_fpstate(struct plat_thread *t, const void *buf, size_t len);
int sc_regs_load(struct sc_thread *t);  // [lock] reads the frame; 0 or -LINUX_E*
// [lock] The same, and the FP state into `fp`, which has room for it, or is NULL.
int sc_regs_load_all(struct sc_thread *t, void *fp);
// [lock] What the gs base is to be on a CPU with fsgsbase: the guest's, or for its 0 the address of its slot.
uint64_t sc_host_gs_base(const struct sc_thread *t);
// [lock] What is known of the registers is of another event.
void sc_regs_forget(struct sc_thread *t);
// The general registers as they stand in the frame, SC_FRAME_REGS words from SC_FRAME_AT of the ucontext.
#define SC_FRAME_AT   40
#define SC_FRAME_REGS 18
void sc_regs_to_frame(const struct lx_regs *r, uint64_t frame[SC_FRAME_REGS]);
void sc_regs_from_frame(const uint64_t frame[SC_FRAME_REGS], struct lx_regs *r);
int sc_fpstate_write(struct sc_thread *t, const void *buf, size_t len);  // [lock]
// [lock] The pieces of such a write: three here, one there.
void sc_fpstate_pieces(const struct sc_thread *t, const void *buf, size_t len, struct iovec local[3],
                       struct iovec *remote);

#endif
