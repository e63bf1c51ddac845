// SPDX-License-Identifier: Apache-2.0
// The ELF header parser with good and bad images, and with the running test's own file.
#include "abi/errno.h"
#include "abi/mman.h"
#include "base/uaddr.h"
#include "sentry/loader/elf.h"
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the above first.
#include <cmocka.h>

#define MAX 0x7ffffff00000ull
static struct file {
    Elf64_Ehdr e;
    Elf64_Phdr p[4];
    char rest[GUEST_PAGE_SIZE * 4];
} f;
static struct elf_image im;

static void fresh(void) {
    memset(&f, 0, sizeof f);
    memcpy(f.e.e_ident, ELFMAG, SELFMAG);
    f.e.e_ident[EI_CLASS] = ELFCLASS64;
    f.e.e_ident[EI_DATA] = ELFDATA2LSB;
    f.e.e_type = ET_DYN;
    f.e.e_machine = EM_X86_64;
    f.e.e_phentsize = sizeof f.p[0];
    f.e.e_phoff = sizeof f.e;
    f.e.e_phnum = 3;
    f.e.e_entry = 0x1010;
    f.p[0] = (Elf64_Phdr){PT_LOAD, PF_R, 0, 0, 0, 0x500, 0x500, 0x1000};
    f.p[1] = (Elf64_Phdr){PT_LOAD, PF_R | PF_X, 0x1000, 0x1000, 0, 0x200, 0x200, 0x1000};
    f.p[2] = (Elf64_Phdr){PT_LOAD, PF_R | PF_W, 0x1e00, 0x2e00, 0, 0x100, 0x3000, 0x1000};
}
static int parse(void) {
    struct elf_head h;
    int r = elf_read_head(&f, sizeof f, &h);
    r = r < 0 ? r : elf_read_phdrs(&h, f.p, sizeof f, MAX, &im);
    return r == 0 && im.truncated ? -LINUX_ENOEXEC : r;
}
#define BAD(change)                                                                                          \
    do {                                                                                                     \
        fresh();                                                                                             \
        change;                                                                                              \
        assert_int_equal(parse(), -LINUX_ENOEXEC);                                                           \
    } while (0)

static void test_good(void **state) {
    fresh();
    assert_int_equal(parse(), 0);
    assert_true(im.head.dyn);
    assert_int_equal(im.nsegs, 3);
    assert_int_equal(im.lo, 0);
    assert_int_equal(im.hi, 0x6000);
    assert_int_equal(im.phdr, sizeof f.e);  // inside the first segment
    assert_int_equal(im.segs[1].prot, LINUX_PROT_READ | LINUX_PROT_EXEC);
    assert_false(im.exec_stack);
    assert_int_equal(im.interp_len, 0);
    assert_int_equal(im.align, GUEST_PAGE_SIZE);
    f.p[0].p_align = 0x200000;
    f.e.e_phnum = 4;
    f.p[3] = (Elf64_Phdr){PT_GNU_STACK, PF_R | PF_W | PF_X, 0, 0, 0, 0, 0, 16};
    assert_int_equal(parse(), 0);
    assert_int_equal(im.align, 0x200000);
    assert_true(im.exec_stack);
    f.p[3] = (Elf64_Phdr){PT_INTERP, PF_R, 0x300, 0x300, 0, 28, 28, 1};
    assert_int_equal(parse(), 0);
    assert_int_equal(im.interp_off, 0x300);
    assert_int_equal(im.interp_len, 28);
}
static void test_bad_head(void **state) {
    struct elf_head h;
    fresh();
    for (size_t n = 0; n < sizeof f.e; n++)
        assert_int_equal(elf_read_head(&f, n, &h), -LINUX_ENOEXEC);  // truncated
    BAD(f.e.e_ident[0] = 0);
    BAD(f.e.e_ident[EI_CLASS] = ELFCLASS32);
    BAD(f.e.e_ident[EI_DATA] = ELFDATA2MSB);
    BAD(f.e.e_type = ET_REL);
    BAD(f.e.e_machine = EM_386);
    BAD(f.e.e_machine = EM_AARCH64);
    BAD(f.e.e_phentsize = 32);
    BAD(f.e.e_phnum = 0);
    BAD(f.e.e_phnum = ELF_MAX_PHDRS + 1);
    BAD(f.e.e_phnum = 0xffff);
    BAD(f.e.e_phoff = UINT64_MAX - 8);
    BAD(f.e.e_entry = UINT64_MAX);
}
static void test_bad_segments(void **state) {
    BAD(f.e.e_phnum = 1; f.p[0].p_type = PT_NOTE);              // nothing to load
    BAD(f.p[1].p_filesz = 0x300);                               // more in the file than in memory
    BAD(f.p[1].p_offset = sizeof f);                            // beyond the file's end
    BAD(f.p[1].p_offset = UINT64_MAX - 0xfff);                  // wraps
    BAD(f.p[2].p_memsz = UINT64_MAX);                           // wraps
    BAD(f.p[2].p_vaddr = UINT64_MAX - 0x1ff; f.p[2].p_offset = 0xe00);
    BAD(f.p[2].p_vaddr = MAX - 0x1000 + 0xe00);                 // ends above user space
    BAD(f.p[1].p_vaddr = 0x1008);                               // not congruent
    BAD(f.p[1].p_vaddr = 0; f.p[1].p_offset = 0);               // overlaps the first
    BAD(f.p[2].p_vaddr = 0x1e00 - 0xd00; f.p[2].p_offset = 0x1100);
    BAD(f.p[0].p_vaddr = 0x8000);                               // out of order
}
static void test_bad_interp(void **state) {
    BAD(f.e.e_phnum = 4; f.p[3] = ((Elf64_Phdr){PT_INTERP, PF_R, 0x300, 0, 0, 1, 1, 1}));
    BAD(f.e.e_phnum = 4; f.p[3] = ((Elf64_Phdr){PT_INTERP, PF_R, 0x300, 0, 0, 4097, 4097, 1}));
    BAD(f.e.e_phnum = 4; f.p[3] = ((Elf64_Phdr){PT_INTERP, PF_R, UINT64_MAX - 8, 0, 0, 16, 16, 1}));
}
static void test_too_many_segments(void **state) {
    struct elf_head h = {.phnum = ELF_MAX_SEGMENTS + 1};
    Elf64_Phdr p[ELF_MAX_SEGMENTS + 1];
    for (unsigned i = 0; i <= ELF_MAX_SEGMENTS; i++)
        p[i] = (Elf64_Phdr){PT_LOAD, PF_R, 0, i * 0x1000, 0, 0, 16, 0};
    assert_int_equal(elf_read_phdrs(&h, p, 0, MAX, &im), -LINUX_ENOEXEC);
    h.phnum--;
    assert_int_equal(elf_read_phdrs(&h, p, 0, MAX, &im), 0);
}
static void test_own_file(void **state) {
    char buf[GUEST_PAGE_SIZE];
    FILE *self = fopen("/proc/self/exe", "r");
    assert_non_null(self);
    assert_int_equal(fread(buf, 1, sizeof buf, self), sizeof buf);
    fseek(self, 0, SEEK_END);
    uint64_t size = (uint64_t)ftell(self);
    fclose(self);
    struct elf_head h;
    assert_int_equal(elf_read_head(buf, sizeof buf, &h), 0);
    assert_true(h.phoff + h.phsize <= sizeof buf);
    assert_int_equal(elf_read_phdrs(&h, buf + h.phoff, size, MAX, &im), 0);
    assert_true(im.nsegs >= 2 && im.interp_len > 2 && im.phdr);
    assert_false(im.truncated);
    assert_int_equal(elf_read_phdrs(&h, buf + h.phoff, 8192, MAX, &im), 0);
    assert_true(im.truncated);  // the text lies behind that
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad_head),
        cmocka_unit_test(test_bad_segments),
        cmocka_unit_test(test_bad_interp),
        cmocka_unit_test(test_too_many_segments),
        cmocka_unit_test(test_own_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
