// SPDX-License-Identifier: Apache-2.0
// What blob.S has to know of layout.h, as numbers: compiled to assembly, from which the build makes
// gen/stub_offsets.h. Never run.
#include "platform/stub/layout.h"

#define NUMBER(name, value) __asm__ volatile("# ->" name " %0" : : "i"(value))
#define CONSTANT(name)      NUMBER(#name, name)
#define FIELD(type, field)  NUMBER(#type "_" #field, offsetof(struct type, field))

void numbers(void);
void numbers(void) {
    CONSTANT(STUB_MAGIC);
    CONSTANT(STUB_RING_ON);
    FIELD(stub_slot, scratch);
    FIELD(stub_scratch, on);
    FIELD(stub_scratch, alone);
    FIELD(stub_scratch, missed);
    FIELD(stub_scratch, ret);
    FIELD(stub_scratch, nr);
    FIELD(stub_scratch, flags);
    FIELD(stub_scratch, rdi);
    FIELD(stub_scratch, rsi);
    FIELD(stub_scratch, rsp);
    FIELD(stub_scratch, r8);
    FIELD(stub_scratch, r10);
    FIELD(stub_scratch, value);
    NUMBER("stub_scratch_stack_top", sizeof(struct stub_scratch));
    FIELD(stub_slot, place_at);
    FIELD(stub_slot, place_low);
    FIELD(stub_slot, place_top);
    FIELD(stub_slot, hole_at);
    FIELD(stub_slot, hole_end);
    CONSTANT(STUB_RING_AT);
    FIELD(stub_ring, state);
    FIELD(stub_ring, nr);
    FIELD(stub_ring, args);
    FIELD(stub_ring, value);
    FIELD(stub_ring, polled);
    FIELD(stub_ring, str_len);
    FIELD(stub_ring, out_addr);
    FIELD(stub_ring, out_len);
    FIELD(stub_ring, room);
    FIELD(stub_ring, top);
    FIELD(stub_ring, heap_low);
    FIELD(stub_ring, staged);
    FIELD(stub_ring, heap_high);
    FIELD(stub_ring, str);
    FIELD(stub_ring, out);
    CONSTANT(STUB_RING_STR);
    CONSTANT(STUB_RING_OUT);
    CONSTANT(STUB_RING_FREE);
    CONSTANT(STUB_RING_REQ);
    CONSTANT(STUB_RING_TAKEN);
    CONSTANT(STUB_RING_DONE);
    CONSTANT(STUB_RING_REFUSED);
    CONSTANT(STUB_RING_NUMBERS);
    CONSTANT(STUB_KIND_VALUE);
    CONSTANT(STUB_KIND_PATH1);
    CONSTANT(STUB_KIND_PATH2);
    CONSTANT(STUB_KIND_DATA2);
    CONSTANT(STUB_KIND_EVENT4);
    CONSTANT(STUB_EVENT_LEN);
    CONSTANT(STUB_EVENT_NONE);
    CONSTANT(STUB_KIND_HOST);
    CONSTANT(STUB_RING_STRING);
    CONSTANT(STUB_KIND_REGS);
    CONSTANT(STUB_REQ_SPINS);
    CONSTANT(STUB_TAKEN_SPINS);
    CONSTANT(STUB_RING_WAIT);
    CONSTANT(STUB_RING_FAIL);
    CONSTANT(STUB_PLACE_GUEST);
    CONSTANT(STUB_PLACE_OPT);
    CONSTANT(STUB_PLACE_FLAGS);
    CONSTANT(STUB_PLACE_RING);
    CONSTANT(STUB_PLACE_WINDOW);
}
