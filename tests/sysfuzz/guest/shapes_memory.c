// SPDX-License-Identifier: Apache-2.0
// Shapes over memory: the pages of the arenas behind the stable ones come and go, while other threads use
// them.
#include "fuzz.h"
#include <fcntl.h>
#include <sys/mman.h>

static uint64_t place(unsigned *pages) {
    unsigned at = STABLE + below(ARENA_PAGES - STABLE);
    *pages = 1 + below(ARENA_PAGES - at < 8 ? ARENA_PAGES - at : 8);
    return (one_in(4) ? SHARED_AT : PRIVATE_AT) + at * PAGE;
}

static int prot(void) { return one_in(6) ? (int)below(8) & ~PROT_EXEC : PROT_READ | PROT_WRITE; }

static void sh_map(void) {
    unsigned n;
    uint64_t at = place(&n);
    int share = one_in(3) ? MAP_SHARED : MAP_PRIVATE;
    call(SYS_mmap, at, n * PAGE, prot(), share | MAP_FIXED | MAP_ANONYMOUS | (one_in(8) ? MAP_NORESERVE : 0),
         -1, 0);
}

static void sh_map_file(void) {
    unsigned n;
    uint64_t at = place(&n);
    call(SYS_mmap, at, n * PAGE, one_in(2) ? PROT_READ : prot(),
         MAP_FIXED | (one_in(2) ? MAP_SHARED : MAP_PRIVATE), any_fd(), below(3) * PAGE);
    volatile char *p = (volatile char *)at;
    p[below(4096)] = p[0];  // may fault: beyond the file's end, or read-only
}

static void sh_unmap(void) {
    unsigned n;
    uint64_t at = place(&n);
    call(SYS_munmap, at, n * PAGE);
}

static void sh_protect(void) {
    unsigned n;
    uint64_t at = place(&n);
    call(one_in(6) ? SYS_pkey_mprotect : SYS_mprotect, at, n * PAGE, prot(), -1);
}

static void sh_remap(void) {
    static const int some_flags[] = {MREMAP_MAYMOVE | MREMAP_FIXED, MREMAP_MAYMOVE | MREMAP_FIXED,
                                     4 /* DONTUNMAP */ | MREMAP_MAYMOVE | MREMAP_FIXED, 0};
    unsigned n, m;
    uint64_t from = place(&n), to = place(&m);
    int flags = pick(some_flags);
    call(SYS_mremap, from, n * PAGE, (flags & MREMAP_FIXED ? m : n + 1) * PAGE, flags, to);
}

static void sh_advise(void) {
    unsigned n;
    uint64_t at = place(&n);
    call(SYS_madvise, at, n * PAGE, one_in(2) ? MADV_DONTNEED : flags_of("madvise", 7, true));
}

// Fresh memory anywhere, touched and given back: what the fast ways are for.
static void sh_fresh(void) {
    for (unsigned i = below(20); i > 0; i--) {
        size_t len = (1 + below(16)) * PAGE;
        char *p = (char *)call(SYS_mmap, 0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if ((long)p < 0 && (long)p > -4096)
            return;
        if (one_in(2))
            p[0] = 1;
        if (one_in(8))
            call(SYS_read, any_fd(), p, len);
        call(SYS_munmap, p, len);
    }
}

static void sh_brk(void) {
    uint64_t now = (uint64_t)call(SYS_brk, 0);
    call(SYS_brk, now + PAGE * below(4));
    call(SYS_brk, now);
}

static void sh_memfd(void) {
    int fd = (int)call(SYS_memfd_create, any_path(), below(4));
    call(SYS_ftruncate, fd, PAGE * below(8));
    unsigned n;
    uint64_t at = place(&n);
    call(SYS_mmap, at, n * PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED, fd, 0);
    if (one_in(2))
        call(SYS_fcntl, fd, 1033 /* F_ADD_SEALS */, below(32));
    if (one_in(2))
        call(SYS_ftruncate, fd, PAGE * below(8));
    if (one_in(2))
        call(SYS_close, fd);
    *(volatile char *)at = 1;
}

static void sh_touch(void) {
    volatile char *p = any_pointer();
    *p = (char)(*p + 1);
}

const struct shape memory_shapes[] = {
    {sh_map, 12},  {sh_map_file, 8}, {sh_unmap, 6}, {sh_protect, 5}, {sh_remap, 4}, {sh_advise, 5},
    {sh_fresh, 4}, {sh_brk, 2},      {sh_memfd, 4}, {sh_touch, 6},   {NULL, 0},
};
