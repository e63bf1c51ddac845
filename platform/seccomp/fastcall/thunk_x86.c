// SPDX-License-Identifier: Apache-2.0
// What a call site looks like, and the thunk that is made for it; patch_x86.c puts both into place. Bytes
// alone: no locks, no host calls.
//
// A jump needs 5 bytes before the syscall instruction that can be run elsewhere. Instructions cannot be read
// backwards for certain, so those that compilers and C libraries put there are known by their bytes, with as
// many before them as make a mistake unlikely. The jump must lie within the first of them: a thread that was
// about to run a later one, or whose signal frame says so, goes on there as if nothing had been changed.
// LIMIT: so sites without an instruction of 5 bytes before the syscall are left alone (Go's).
//
// A thunk is, with int3 before and behind it:
//
//     those instructions; lea SITE(%rip), %rcx; jmp *RING(%rip); RING: the address of the ring's code
#include "platform/seccomp/fastcall/thunk_x86.h"
#include <stdbool.h>
#include <string.h>

#define JUMP_LEN  5
#define TAIL_LEN  21  // from the lea on
#define TAIL_AT   (THUNK_LEN - TAIL_LEN)

// The jump's reach.
static bool rel32(uint64_t from, uint64_t to, int32_t *out) {
    int64_t d = (int64_t)(to - from);
    *out = (int32_t)d;
    return d == *out;
}

// ---- Sites ------------------------------------------------------------------------------------------------

// mov $nr, %eax; the byte before tells most longer instructions that end in the same bytes.
static bool is_number(const uint8_t *i, uint64_t nr) {
    uint32_t imm;
    memcpy(&imm, i + 1, 4);
    bool longer = (i[-1] & 0xf0) == 0x40 || i[-1] == 0x8b || i[-1] == 0x8d || i[-1] == 0x89;
    return i[0] == 0xb8 && imm == nr && !longer;
}

// mov $nr, %eax; xor $n, %sil: a futex of one process
static bool is_futex(const uint8_t *i, uint64_t nr) {
    return is_number(i, nr) && memcmp(i + 5, "\x40\x80\xf6", 3) == 0;
}

// mov d(%rsp), %rsi; mov %eax, %r8d; mov d(%rsp), %edi; xor %eax, %eax: a read that may be cancelled
static bool is_cancellable_read(const uint8_t *i) {
    return memcmp(i, "\x48\x8b\x74\x24", 4) == 0 && memcmp(i + 5, "\x41\x89\xc0\x8b\x7c\x24", 6) == 0 &&
           memcmp(i + 12, "\x31\xc0", 2) == 0;
}
#define CANCELLABLE_READ_LEN 14

// Where the number is somebody else's.
static const struct {
    const char *bytes;
    unsigned len, replaced;  // the last of them
} known[] = {
    {"\x4d\x89\xc8\x4c\x8b\x4c\x24\x08", 8, 5},  // glibc's syscall(3)
    // musl's __syscall_cp_asm
    {"\x4c\x8b\x44\x24\x08\x4c\x8b\x4c\x24\x10\x4c\x89\x5c\x24\x08", 15, 5},
};

// cmpb $0, d(%rip); je d; xor %eax, %eax: read(2) of a process that may have one thread
static bool is_read(const uint8_t *i) {
    return i[0] == 0x80 && i[1] == 0x3d && i[6] == 0 && i[7] == 0x74 && i[9] == 0x31 && i[10] == 0xc0;
}
#define READ_LEN 11

unsigned site_length(const uint8_t *syscall, uint64_t nr) {
    if (is_number(syscall - 5, nr))
        return 5;
    if (is_futex(syscall - 9, nr))
        return 9;
    if (nr == 0 && is_read(syscall - READ_LEN))
        return READ_LEN;
    if (nr == 0 && is_cancellable_read(syscall - CANCELLABLE_READ_LEN))
        return CANCELLABLE_READ_LEN;
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (memcmp(syscall - known[i].len, known[i].bytes, known[i].len) == 0)
            return known[i].replaced;
    return 0;
}

// ---- Thunks -----------------------------------------------------------------------------------------------

static bool put_tail(uint8_t *tail, uint64_t at, uint64_t ip, uint64_t ring) {
    int32_t d;
    if (!rel32(at + 7, ip, &d))
        return false;
    memcpy(tail, "\x48\x8d\x0d", 3);
    memcpy(tail + 3, &d, 4);
    memcpy(tail + 7, "\xff\x25\x00\x00\x00\x00", 6);
    memcpy(tail + 13, &ring, 8);
    return true;
}

// The read of a site at `from`, to run at `to`: the byte is where it was, and so is the other branch.
static bool move_read(uint8_t out[15], const uint8_t *in, uint64_t from, uint64_t to) {
    int32_t d;
    memcpy(&d, in + 2, 4);
    uint64_t byte = from + 7 + (uint64_t)(int64_t)d, branch = from + 9 + (uint64_t)(int64_t)(int8_t)in[8];
    memcpy(out, "\x80\x3d", 2);
    if (!rel32(to + 7, byte, &d))
        return false;
    memcpy(out + 2, &d, 4);
    memcpy(out + 6, "\x00\x0f\x84", 3);
    if (!rel32(to + 13, branch, &d))
        return false;
    memcpy(out + 9, &d, 4);
    memcpy(out + 13, "\x31\xc0", 2);
    return true;
}

uint64_t thunk_make(uint8_t out[THUNK_LEN], uint64_t at, const uint8_t *syscall, unsigned len, uint64_t ip,
                    uint64_t ring) {
    const uint8_t *code = syscall - len;
    bool read = len == READ_LEN && is_read(code);
    unsigned body = read ? 15 : len;
    uint64_t entry = at + TAIL_AT - body;
    memset(out, 0xcc, THUNK_LEN);
    if (body > TAIL_AT || !put_tail(out + TAIL_AT, at + TAIL_AT, ip, ring))
        return 0;
    if (!read)
        memcpy(out + TAIL_AT - body, code, len);
    else if (!move_read(out + TAIL_AT - body, code, ip - 2 - len, entry))
        return 0;
    return entry;
}

bool thunk_leads_back(const uint8_t thunk[THUNK_LEN], uint64_t at, uint64_t ip, uint64_t ring) {
    uint8_t tail[TAIL_LEN];
    return put_tail(tail, at + TAIL_AT, ip, ring) && memcmp(thunk + TAIL_AT, tail, TAIL_LEN) == 0;
}

bool site_jump(uint8_t word[8], const uint8_t *syscall, unsigned len, uint64_t ip, uint64_t entry) {
    int32_t d;
    memcpy(word, syscall - len, 8);
    word[0] = 0xe9;
    bool reaches = rel32(ip - 2 - len + JUMP_LEN, entry, &d);
    memcpy(word + 1, &d, 4);
    return reaches;
}

unsigned thunk_room(const uint8_t *page, unsigned size, uint64_t used) {
    unsigned end = size;
    while (end > used && !page[end - 1])
        end--;
    end = (end + 7) & ~7u;
    if (!end)
        end = 8;
    return end + THUNK_LEN <= size ? end : 0;
}
