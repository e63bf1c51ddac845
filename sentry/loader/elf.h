// SPDX-License-Identifier: Apache-2.0
// Reading ELF headers: pure functions over private copies, for the loader and its fuzzer. They allocate
// nothing and know no files.
#ifndef SENTRY_LOADER_ELF_H
#define SENTRY_LOADER_ELF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_MAX_SEGMENTS 32
#define ELF_MAX_PHDRS    (65536 / 56)  // as Linux: all program headers fit into 64 KiB

struct elf_head {
    bool dyn;  // ET_DYN
    uint64_t entry, phoff;
    unsigned phnum;
    size_t phsize;  // bytes of all program headers
};
struct elf_segment {
    uint64_t vaddr, memsz, filesz, offset;
    uint32_t prot;  // LINUX_PROT_*
};
struct elf_image {
    struct elf_head head;
    uint64_t lo, hi;  // page aligned span of all segments
    uint64_t align;   // of the whole, a power of two, a page at least
    uint64_t phdr;    // address of the program headers, 0: not loaded
    bool exec_stack;
    bool truncated;   // a segment goes beyond the file's end: not to be run
    uint64_t interp_off, interp_len;  // of the interpreter's name with its NUL; len 0: none
    unsigned nsegs;
    struct elf_segment segs[ELF_MAX_SEGMENTS];  // by rising address, not overlapping
};

// The file's first bytes. 0, or -LINUX_ENOEXEC for what is not a 64-bit x86-64 program.
int elf_read_head(const void *buf, size_t len, struct elf_head *out);
// The program headers (head->phsize bytes). 0 or -LINUX_ENOEXEC; `truncated` is the caller's to judge,
// because a missing interpreter is the error that comes first. `max`: no segment may end above it.
int elf_read_phdrs(const struct elf_head *head, const void *phdrs, uint64_t file_size, uint64_t max,
                   struct elf_image *out);

#endif
