// SPDX-License-Identifier: Apache-2.0
// Call sites and thunks as bytes; thunk_x86.c has the theory. `ip`: the address behind the syscall
// instruction; `ring`: that of the ring's code.
#ifndef PLATFORM_SECCOMP_FASTCALL_THUNK_X86_H
#define PLATFORM_SECCOMP_FASTCALL_THUNK_X86_H
#include <stdbool.h>
#include <stdint.h>

#define SITE_MOST   24  // bytes before the syscall instruction that are looked at
#define SITE_BEHIND 3   // ... and from it on
#define THUNK_LEN   40  // a multiple of 8, as its address is

// `syscall`: a copy of the instruction with SITE_MOST bytes before and SITE_BEHIND from it on. How many bytes
// before it may become a jump and be run elsewhere; 0: they may not.
unsigned site_length(const uint8_t *syscall, uint64_t nr);
// The thunk for these, to lie at `at`. Where it is to be entered, or 0: it is too far from what it needs.
uint64_t thunk_make(uint8_t out[THUNK_LEN], uint64_t at, const uint8_t *syscall, unsigned len, uint64_t ip,
                    uint64_t ring);
bool thunk_leads_back(const uint8_t thunk[THUNK_LEN], uint64_t at, uint64_t ip, uint64_t ring);
// The 8 bytes from the site's first on, with a jump to `entry`. False: it is too far.
bool site_jump(uint8_t word[8], const uint8_t *syscall, unsigned len, uint64_t ip, uint64_t entry);
// Where in the last page of text, of which `used` bytes are the program's, there is room for one more: among
// zeros, behind other thunks; 0: nowhere.
unsigned thunk_room(const uint8_t *page, unsigned size, uint64_t used);

#endif
