// SPDX-License-Identifier: Apache-2.0
// Call sites and their thunks: which bytes are taken for one, and that a patched site, run natively with ring
// code of the test's own, does what it did: the same instructions, then the ring, then on behind the syscall.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "platform/seccomp/fastcall/thunk_x86.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define NOPS8 "\x90\x90\x90\x90\x90\x90\x90\x90"
#define NOPS  NOPS8 NOPS8 NOPS8

// The bytes before the syscall, behind as many nops as are looked at.
static unsigned length_of(const char *bytes, size_t n, uint64_t nr) {
    uint8_t code[2 * SITE_MOST + SITE_BEHIND];
    memcpy(code, NOPS, SITE_MOST);
    memcpy(code + SITE_MOST, bytes, n);
    memcpy(code + SITE_MOST + n, "\x0f\x05\xc3", SITE_BEHIND);
    return site_length(code + SITE_MOST + n, nr);
}
#define LENGTH(bytes, nr) length_of(bytes, sizeof bytes - 1, nr)

static void test_sites(void **state) {
    assert_int_equal(LENGTH("\xb8\x6e\x00\x00\x00", 110), 5);
    assert_int_equal(LENGTH("\xb8\xca\x00\x00\x00\x40\x80\xf6\x81", 202), 9);
    assert_int_equal(LENGTH("\x4d\x89\xc8\x4c\x8b\x4c\x24\x08", 39), 5);
    assert_int_equal(LENGTH("\x80\x3d\x01\x02\x03\x04\x00\x74\x17\x31\xc0", 0), 11);
    assert_int_equal(LENGTH("\x48\x8b\x74\x24\x10\x41\x89\xc0\x8b\x7c\x24\x08\x31\xc0", 0), 14);
    assert_int_equal(LENGTH("\x4c\x8b\x44\x24\x08\x4c\x8b\x4c\x24\x10\x4c\x89\x5c\x24\x08", 3), 5);
}

// What ends in the same bytes, or is for another number.
static void test_no_sites(void **state) {
    assert_int_equal(LENGTH("\xb8\x6e\x00\x00\x00", 111), 0);
    assert_int_equal(LENGTH("\x49\xb8\x6e\x00\x00\x00", 110), 0);
    assert_int_equal(LENGTH("\x8b\xb8\x6e\x00\x00\x00", 110), 0);
    assert_int_equal(LENGTH("\x48\x8b\x74\x24\x10\x41\x89\xc0\x8b\x7c\x24\x08\x31\xc0", 1), 0);
    // a jump would reach over the end of the first instruction
    assert_int_equal(LENGTH("\x41\x89\xc0\x8b\x7c\x24\x08\x31\xc0", 0), 0);
    assert_int_equal(LENGTH("\x49\x89\xf2\x48\x89\xfa\x48\x89\xce\x48\x89\xdf", 3), 0);
    assert_int_equal(LENGTH("\x80\x3d\x01\x02\x03\x04\x01\x74\x17\x31\xc0", 0), 0);
    assert_int_equal(LENGTH("\x4c\x8b\x4c\x24\x08", 39), 0);
    assert_int_equal(LENGTH("", 0), 0);
}

// ---- Run --------------------------------------------------------------------------------------------------

// A page: the function at 64, its thunk at 1024, ring code that says 77 in eax at 2048, a byte at 3072.
#define SITE 64
#define THUNK 1024
#define RING 2048
#define BYTE 3072
static uint8_t *page;

static void load(const char *before, size_t n, const char *behind, size_t nbehind, uint64_t nr) {
    uint8_t thunk[THUNK_LEN], word[8], code[SITE_MOST + SITE_BEHIND];
    memset(page, 0x90, 4096);
    memcpy(page + RING, "\xb8\x4d\x00\x00\x00\xff\xe1", 7);  // mov $77, %eax; jmp *%rcx
    memcpy(page + SITE, before, n);
    memcpy(page + SITE + n, "\x0f\x0b", 2);  // ud2: the syscall is not to be run
    memcpy(page + SITE + n + 2, behind, nbehind);
    memcpy(code, page + SITE + n - SITE_MOST, sizeof code);
    uint64_t ip = (uint64_t)page + SITE + n + 2, at = (uint64_t)page + THUNK, ring = (uint64_t)page + RING;
    unsigned len = site_length(code + SITE_MOST, nr);
    assert_true(len > 0);
    uint64_t entry = thunk_make(thunk, at, code + SITE_MOST, len, ip, ring);
    assert_true(entry >= at && entry < at + THUNK_LEN);
    assert_true(site_jump(word, code + SITE_MOST, len, ip, entry));
    memcpy(page + THUNK, thunk, THUNK_LEN);
    memcpy((void *)(ip - 2 - len), word, sizeof word);
    assert_true(thunk_leads_back(page + THUNK, at, ip, ring));
    assert_false(thunk_leads_back(page + THUNK, at, ip + 1, ring));
    assert_memory_equal(page + SITE + n, "\x0f\x0b", 2);
}
#define LOAD(before, behind, nr) load(before, sizeof before - 1, behind, sizeof behind - 1, nr)

static long run(void) {
    long (*function)(void);
    void *at = page + SITE;
    memcpy(&function, &at, sizeof function);
    return function();
}

static void test_run(void **state) {
    LOAD("\xb8\x6e\x00\x00\x00", "\xc3", 110);
    assert_int_equal(run(), 77);
    LOAD("\x31\xf6\xb8\xca\x00\x00\x00\x40\x80\xf6\x81", "\x0f\xb6\xc6\x01\xf0\xc3", 202);  // eax = 0 + esi
    assert_int_equal(run() & 0x81, 0x81);
}

// The test is of the byte that the site tests, and the other branch, behind the site's end, is where it was.
static void test_run_read(void **state) {
    char before[] = "\x80\x3d\x00\x00\x00\x00\x00\x74\x05\x31\xc0";
    const int32_t d = BYTE - (SITE + 7);
    memcpy(before + 2, &d, sizeof d);
    LOAD(before, "\xc3\xb8\x05\x00\x00\x00\xc3", 0);  // ret; the branch: mov $5, %eax; ret
    page[BYTE] = 1;
    assert_int_equal(run(), 77);
    page[BYTE] = 0;
    assert_int_equal(run(), 5);
}

static void test_room(void **state) {
    uint8_t text[4096] = {0};
    const uint64_t ring = 0x7ed406d980c6;
    uint8_t thunk[THUNK_LEN], code[SITE_MOST + SITE_BEHIND] = NOPS;
    assert_int_equal(thunk_room(text, sizeof text, 0), 8);
    assert_int_equal(thunk_room(text, sizeof text, 1001), 1008);  // zeros of the program's before that
    memset(text, 0x90, 100);
    unsigned at = thunk_room(text, sizeof text, 100);
    assert_int_equal(at, 104);
    memcpy(code + SITE_MOST - 5, "\xb8\x6e\x00\x00\x00\x0f\x05\xc3", 8);
    assert_true(thunk_make(thunk, 0x7ed406000000, code + SITE_MOST, 5, 0x7ed406001000, ring));
    memcpy(text + at, thunk, THUNK_LEN);
    assert_int_equal(thunk_room(text, sizeof text, 100), at + THUNK_LEN);  // no gap behind our own
    assert_int_equal(thunk_room(text, sizeof text, 4096), 0);
    assert_int_equal(thunk_room(text, sizeof text, 4096 - THUNK_LEN), 4096 - THUNK_LEN);
    assert_int_equal(thunk_room(text, sizeof text, 4097 - THUNK_LEN), 0);
    memset(text, 0x90, sizeof text - 8);
    assert_int_equal(thunk_room(text, sizeof text, 0), 0);
}

static void test_too_far(void **state) {
    uint8_t thunk[THUNK_LEN], word[8], code[SITE_MOST + SITE_BEHIND] = NOPS;
    memcpy(code + SITE_MOST - 5, "\xb8\x6e\x00\x00\x00\x0f\x05\xc3", 8);
    assert_int_equal(thunk_make(thunk, 0x100000000, code + SITE_MOST, 5, 0x7ed406001000, 1), 0);
    assert_false(site_jump(word, code + SITE_MOST, 5, 0x7ed406001000, 0x100000000));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sites),    cmocka_unit_test(test_no_sites), cmocka_unit_test(test_run),
        cmocka_unit_test(test_run_read), cmocka_unit_test(test_room),     cmocka_unit_test(test_too_far),
    };
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        printf("skipped: no memory may be written and run\n");
        return 77;
    }
    return cmocka_run_group_tests_name("thunks", tests, NULL, NULL);
}
