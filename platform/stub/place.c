// SPDX-License-Identifier: Apache-2.0
// Where a sandbox's stub lies: a random free place for blob and slots, and what is kept of the host's own
// mappings (vDSO and vvar). Called by the backends while they open, in a process with one thread; no locks.
#include "abi/auxv.h"
#include "abi/errno.h"
#include "abi/mman.h"
#include "base/clock.h"
#include "base/log.h"
#include "platform/stub/spawn.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

// Near the top, below where the kernel puts stacks and libraries, and inside the "high application" range of
// the sanitizers' shadow maps, so that a sanitized guest finds the rest as it expects.
#define PLACE_LO 0x7e9000000000ull
#define PLACE_HI 0x7f0000000000ull

static unsigned count_syscall_instructions(const unsigned char *p, size_t len) {
    unsigned n = 0;
    for (size_t i = 0; i + 1 < len; i++) {
        n += p[i] == 0x0f && p[i + 1] == 0x05; // syscall
        n += p[i] == 0x0f && p[i + 1] == 0x34; // sysenter
        n += p[i] == 0xcd && p[i + 1] == 0x80; // int 0x80
    }
    return n;
}

// Guest code can jump to any byte of the blob: it must hold no way into the kernel but the two that are
// meant.
static bool blob_is_sound(void) {
    const struct stub_header *h = stub_header();
    size_t len = (size_t)(stub_blob_end - stub_blob_start);
    return len > sizeof *h && len <= STUB_SLOT_SIZE / 2 && h->magic == STUB_MAGIC && h->gate + 2 < len &&
           h->sigreturn + 2 < len && h->gate != h->sigreturn &&
           memcmp(stub_blob_start + h->gate, "\x0f\x05", 2) == 0 &&
           memcmp(stub_blob_start + h->sigreturn, "\x0f\x05", 2) == 0 &&
           count_syscall_instructions(stub_blob_start, len) == 2;
}

// vvar has other pages of the kernel's clocks beside it ([vvar_vclock]); all lie right below the vDSO. They
// stay where they are for as long as the process lives, so this is read once, before the process confines
// itself.
static struct vdso {
    bool sought;
    uint64_t vvar, vvar_end, start, end;
} host_vdso;

void stub_find_vdso(void) {
    struct vdso v = {.sought = true};
    FILE *f = fopen("/proc/self/maps", "re");
    char line[512];
    while (f && fgets(line, sizeof line, f)) {
        char *dash;
        uint64_t start = strtoul(line, &dash, 16);
        if (*dash != '-')
            continue;
        uint64_t end = strtoul(dash + 1, NULL, 16);
        if (strstr(line, "[vvar")) {
            v.vvar = v.vvar ? v.vvar : start;
            v.vvar_end = end;
        } else if (strstr(line, "[vdso]")) {
            v.start = start;
            v.end = end;
        }
    }
    if (f)
        fclose(f);
    bool known = v.start == getauxval(AT_SYSINFO_EHDR) && v.vvar && v.vvar_end <= v.start;
    host_vdso = known ? v : (struct vdso){.sought = true}; // not as we know it: go without
}

static void place_vdso(struct stub_place *pl) {
    if (!host_vdso.sought)
        stub_find_vdso();
    pl->vvar = host_vdso.vvar;
    pl->vvar_end = host_vdso.vvar_end;
    pl->vdso = host_vdso.start;
    pl->vdso_end = host_vdso.end;
}

static int reserve(struct stub_place *pl, uint64_t len) {
    for (int tries = 0; tries < 100; tries++) {
        uint64_t base = PLACE_LO + random_u64() % (PLACE_HI - PLACE_LO - len);
        base &= ~(STUB_SLOT_SIZE - 1);
        void *got = mmap((void *)base, len, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        if (got == (void *)base) {
            pl->base = base;
            return 0;
        }
        if (got != MAP_FAILED)
            munmap(got, len);
        else if (errno != EEXIST)
            return -errno;
    }
    return -LINUX_ENOMEM;
}

int stub_place(unsigned nslots, struct stub_place *pl) {
    uint64_t len = (nslots + 1ull) * STUB_SLOT_SIZE + STUB_PAGE;
    if (!blob_is_sound())
        return -LINUX_ENOEXEC;
    if (nslots < 1 || nslots > STUB_MAX_SLOTS)
        return -LINUX_EINVAL;
    *pl = (struct stub_place){.nslots = nslots};
    int err = reserve(pl, len);
    if (err)
        return err;
    pl->text_len = ((uint64_t)(stub_blob_end - stub_blob_start) + STUB_PAGE - 1) & ~(STUB_PAGE - 1);
    pl->slots = pl->base + STUB_SLOT_SIZE;
    pl->share = pl->slots + nslots * STUB_SLOT_SIZE;
    pl->end = pl->share + STUB_PAGE;
    if (mmap((void *)pl->share, STUB_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1,
             0) == MAP_FAILED) {
        err = -errno;
        stub_unplace(pl);
        return err;
    }
    place_vdso(pl);
    return 0;
}

void stub_unplace(const struct stub_place *pl) {
    munmap((void *)pl->base, pl->end - pl->base);
}

static void reserve_range(struct plat_layout *l, uint64_t start, uint64_t end, const char *name) {
    if (start == end)
        return;
    invariant(l->nreserved < PLAT_MAX_RESERVED);
    l->reserved[l->nreserved++] = (struct plat_range){start, end, name};
}

void stub_layout(const struct stub_place *pl, struct plat_layout *l) {
    *l = (struct plat_layout){
        .lo = LINUX_MMAP_MIN_ADDR,
        .hi = LINUX_TASK_SIZE,
        .vdso = pl->vdso,
        .hwcap = getauxval(AT_HWCAP),
        .hwcap2 = getauxval(AT_HWCAP2),
    };
    plat_fpstate_describe(l);
    reserve_range(l, pl->base, pl->end, NULL);
    reserve_range(l, pl->vvar, pl->vvar_end, "[vvar]");
    reserve_range(l, pl->vvar_end, pl->vdso, NULL);
    reserve_range(l, pl->vdso, pl->vdso_end, "[vdso]");
}
