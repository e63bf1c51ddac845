// SPDX-License-Identifier: Apache-2.0
// A hostile program file: the loader's parsers of ELF headers and #! lines. What must hold: no crash, and
// what is accepted lies inside the file and inside user space, in order.
#include "abi/mman.h"
#include "base/uaddr.h"
#include "sentry/loader/elf.h"
#include "sentry/loader/script.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>
#include <string.h>

#define MAX 0x7ffffff00000ull
#define CHECK(cond)                                                                                          \
    do {                                                                                                     \
        if (!(cond))                                                                                         \
            abort();                                                                                         \
    } while (0)

static void check_image(const struct elf_image *im, size_t n) {
    uint64_t end = 0;
    CHECK(im->nsegs > 0 && im->nsegs <= ELF_MAX_SEGMENTS && im->lo < im->hi && im->hi <= MAX);
    CHECK(im->align >= GUEST_PAGE_SIZE && !(im->align & (im->align - 1)));
    for (unsigned i = 0; i < im->nsegs; i++) {
        const struct elf_segment *s = &im->segs[i];
        CHECK(s->vaddr >= end && s->memsz > 0 && s->filesz <= s->memsz);
        CHECK(im->truncated || (s->offset <= n && s->filesz <= n - s->offset));
        end = s->vaddr + s->memsz;
        CHECK(end > s->vaddr && end <= MAX && s->vaddr >= im->lo && end <= im->hi);
    }
    if (im->interp_len)
        CHECK(im->interp_len <= 4096 && im->interp_off <= n && im->interp_len <= n - im->interp_off);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct elf_head head;
    static struct elf_image im;
    struct script s;
    if (script_parse((const char *)data, n, &s) == 0)
        CHECK(s.interp[0] && strnlen(s.interp, sizeof s.interp) < sizeof s.interp &&
              strnlen(s.arg, sizeof s.arg) < sizeof s.arg && s.has_arg == (s.arg[0] != 0));
    if (elf_read_head(data, n, &head) < 0 || head.phoff > n || head.phsize > n - head.phoff)
        return 0;
    void *phdrs = malloc(head.phsize);  // its own block, so that a read beyond it is seen
    CHECK(phdrs);
    memcpy(phdrs, data + head.phoff, head.phsize);
    if (elf_read_phdrs(&head, phdrs, n, MAX, &im) == 0)
        check_image(&im, n);
    free(phdrs);
    return 0;
}
