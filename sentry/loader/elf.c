// SPDX-License-Identifier: Apache-2.0
// See elf.h. The structures of <elf.h> are enough for what is needed here; libelf wants the whole file in
// memory (or its descriptor), and this is on the way of every exec.
//
// Stricter than Linux where Linux lets a broken program start and die: segments that overlap, are out of
// order, or lie beyond the file's end are refused.
#include "sentry/loader/elf.h"
#include "abi/errno.h"
#include "abi/mman.h"
#include "base/uaddr.h"
#include <elf.h>
#include <string.h>

_Static_assert(sizeof(Elf64_Phdr) == 56, "program header");

int elf_read_head(const void *buf, size_t len, struct elf_head *out) {
    Elf64_Ehdr e;
    if (len < sizeof e)
        return -LINUX_ENOEXEC;
    memcpy(&e, buf, sizeof e);
    if (memcmp(e.e_ident, ELFMAG, SELFMAG) || e.e_ident[EI_CLASS] != ELFCLASS64 ||
        e.e_ident[EI_DATA] != ELFDATA2LSB)
        return -LINUX_ENOEXEC;
    if ((e.e_type != ET_EXEC && e.e_type != ET_DYN) || e.e_machine != EM_X86_64)
        return -LINUX_ENOEXEC;
    if (e.e_phentsize != sizeof(Elf64_Phdr) || e.e_phnum == 0 || e.e_phnum > ELF_MAX_PHDRS)
        return -LINUX_ENOEXEC;
    *out = (struct elf_head){
        .dyn = e.e_type == ET_DYN, .entry = e.e_entry, .phoff = e.e_phoff, .phnum = e.e_phnum};
    out->phsize = e.e_phnum * sizeof(Elf64_Phdr);
    bool wraps = out->phoff > UINT64_MAX - out->phsize || out->phoff > INT64_MAX;
    return wraps || out->entry >= LINUX_TASK_SIZE ? -LINUX_ENOEXEC : 0;
}

static int add_segment(struct elf_image *im, const Elf64_Phdr *p, uint64_t file_size, uint64_t max) {
    if (p->p_memsz == 0)
        return 0;
    if (p->p_filesz > p->p_memsz || p->p_vaddr >= max || p->p_memsz > max - p->p_vaddr)
        return -LINUX_ENOEXEC;
    if (p->p_offset > INT64_MAX || p->p_filesz > INT64_MAX)
        return -LINUX_ENOEXEC;
    im->truncated |= p->p_offset > file_size || p->p_filesz > file_size - p->p_offset;
    if (p->p_filesz && (p->p_vaddr ^ p->p_offset) % GUEST_PAGE_SIZE)
        return -LINUX_ENOEXEC;
    if (im->nsegs == ELF_MAX_SEGMENTS)
        return -LINUX_ENOEXEC;  // LIMIT: linkers make four to ten
    if (im->nsegs) {
        const struct elf_segment *last = &im->segs[im->nsegs - 1];
        if (p->p_vaddr < last->vaddr + last->memsz)
            return -LINUX_ENOEXEC;
    }
    struct elf_segment *s = &im->segs[im->nsegs++];
    *s = (struct elf_segment){p->p_vaddr, p->p_memsz, p->p_filesz, p->p_offset, 0};
    s->prot = (p->p_flags & PF_R ? LINUX_PROT_READ : 0u) | (p->p_flags & PF_W ? LINUX_PROT_WRITE : 0u) |
              (p->p_flags & PF_X ? LINUX_PROT_EXEC : 0u);
    if (im->nsegs == 1)
        im->lo = page_down(s->vaddr);
    im->hi = page_up(s->vaddr + s->memsz);
    bool power = p->p_align && !(p->p_align & (p->p_align - 1));
    if (power && p->p_align > im->align && p->p_align <= UINT64_C(1) << 30)
        im->align = p->p_align;
    return 0;
}

static int add_interp(struct elf_image *im, const Elf64_Phdr *p, uint64_t file_size) {
    if (im->interp_len)
        return 0;  // the first counts
    if (p->p_filesz < 2 || p->p_filesz > 4096 || p->p_offset > file_size ||
        p->p_filesz > file_size - p->p_offset)
        return -LINUX_ENOEXEC;
    im->interp_off = p->p_offset;
    im->interp_len = p->p_filesz;
    return 0;
}

// Where the headers themselves are in memory: what PT_PHDR says, or inside the segment that covers them in
// the file.
static void find_phdr(struct elf_image *im) {
    for (unsigned i = 0; i < im->nsegs && !im->phdr; i++) {
        const struct elf_segment *s = &im->segs[i];
        if (im->head.phoff >= s->offset && im->head.phoff - s->offset < s->filesz)
            im->phdr = s->vaddr + (im->head.phoff - s->offset);
    }
}

int elf_read_phdrs(const struct elf_head *head, const void *phdrs, uint64_t file_size, uint64_t max,
                   struct elf_image *out) {
    *out = (struct elf_image){.head = *head, .align = GUEST_PAGE_SIZE};
    max = max < LINUX_TASK_SIZE ? max : LINUX_TASK_SIZE;
    for (unsigned i = 0; i < head->phnum; i++) {
        Elf64_Phdr p;
        memcpy(&p, (const char *)phdrs + i * sizeof p, sizeof p);
        int r = 0;
        if (p.p_type == PT_LOAD)
            r = add_segment(out, &p, file_size, max);
        else if (p.p_type == PT_INTERP)
            r = add_interp(out, &p, file_size);
        else if (p.p_type == PT_GNU_STACK)
            out->exec_stack = p.p_flags & PF_X;
        else if (p.p_type == PT_PHDR)
            out->phdr = p.p_vaddr < max ? p.p_vaddr : 0;
        if (r < 0)
            return r;
    }
    if (out->nsegs == 0)
        return -LINUX_ENOEXEC;
    find_phdr(out);
    return 0;
}
