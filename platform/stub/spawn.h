// SPDX-License-Identifier: Apache-2.0
// Making the first stub of a sandbox, the *zygote*: a clean process. Both backends use it.
//
// stub_spawn() forks the calling process (which must have one thread) and in the child: runs
// config->after_fork, leaves the process group, sets PDEATHSIG, no_new_privs, dumpable, no core file, its
// name, drops capabilities, enters a Landlock domain below its parent's, undoes glibc's rseq registration,
// resets signal actions and mask, maps blob and slots at the chosen address, runs `prepare` (still C code of
// ours, all of the caller's memory present), and jumps into the blob: that unmaps everything but blob, slots,
// shared page, vdso and vvar, installs the filter, and goes on by `mode`.
#ifndef PLATFORM_STUB_SPAWN_H
#define PLATFORM_STUB_SPAWN_H
#include "platform/backend.h"
#include "platform/stub/layout.h"
#include <linux/filter.h>
#include <stdbool.h>
#include <sys/types.h>

extern const unsigned char stub_blob_start[], stub_blob_end[];
static inline const struct stub_header *stub_header(void) {
    return (const struct stub_header *)stub_blob_start;
}

// The addresses of one sandbox.
struct stub_place {
    uint64_t base, text_len; // text_len: page aligned
    uint64_t slots;          // 0 when there are none
    unsigned nslots;
    uint64_t share;          // the shared page, mapped in the calling process too until stub_unplace()
    uint64_t end;            // end of all of it; [base, end) is one reserved range
    uint64_t vdso, vdso_end; // both 0 when the host has none; vvar with whatever lies between it and the vdso
    uint64_t vvar, vvar_end;
};
// Chooses a random free place and keeps it free in the calling process until stub_unplace(). nslots: 1 or
// more. Checks the blob (magic, exactly the two syscall instructions). 0 or -LINUX_E*.
int stub_place(unsigned nslots, struct stub_place *out);
void stub_unplace(const struct stub_place *pl);
// Looks up the host's vDSO in /proc; stub_place() does it when nobody has done so before.
void stub_find_vdso(void);
// Fills in layout->lo, hi, reserved, vdso, hwcap, fpstate_size, fp_features.
void stub_layout(const struct stub_place *pl, struct plat_layout *layout);
// Absolute addresses of the gate's syscall instruction, and of a slot.
static inline uint64_t stub_gate(const struct stub_place *pl) {
    return pl->base + stub_header()->gate;
}
static inline uint64_t stub_slot_addr(const struct stub_place *pl, unsigned slot) {
    return pl->slots + slot * STUB_SLOT_SIZE;
}

struct stub_spawn {
    const struct stub_place *place;
    void (*after_fork)(void); // plat_config's; may be NULL
    unsigned long
        clone_flags;  // besides the fork itself: CLONE_FILES (seccomp); the exit signal in the low byte
    bool close_files; // close every descriptor before the blob runs (not with CLONE_FILES)
    int (*prepare)(void *arg); // last step in C, e.g. PTRACE_TRACEME; non-zero: _exit(that); may be NULL
    void *prepare_arg;
    const struct sock_fprog *filter;
    unsigned long filter_flags;
    unsigned mode; // STUB_MODE_*
};
// The child's pid, or -LINUX_E*. The child may still be running its set-up.
pid_t stub_spawn(const struct stub_spawn *s);

// Takes back what the C library has registered for the calling thread with rseq(2). In a stub it would point
// into memory that is the guest's; in a sentry thread it costs at each switch, 3 % of a call's round trip.
// False: it is still there.
bool stub_undo_rseq(void);

#endif
