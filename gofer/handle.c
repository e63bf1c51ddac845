// SPDX-License-Identifier: Apache-2.0
// The gofer's handle table. A handle is a 64-bit id that the sentry uses for an O_PATH descriptor. The low 16
// bits are the slot, the rest a serial number that grows with each handle and is never reused, so a stale or
// invented id finds nothing. A full table answers ENFILE: the client then gives some back. No locks (one
// thread).
#include "abi/errno.h"
#include "gofer/server.h"
#include <unistd.h>

#define SLOT_BITS  16
#define SERIAL_MAX ((1ull << (64 - SLOT_BITS)) - 1)
#define NO_SLOT    UINT32_MAX

static uint32_t slot_alloc(struct gofer_server *s) {
    uint32_t i = s->free_head;
    if (i != NO_SLOT) {
        s->free_head = s->slots[i].next_free;
        return i;
    }
    return s->fresh < s->nslots ? s->fresh++ : NO_SLOT;
}

int handle_new(struct gofer_server *s, struct gofer_obj *obj, uint64_t *id) {
    if (s->serial >= SERIAL_MAX)
        return -LINUX_ENFILE;
    uint32_t i = slot_alloc(s);
    if (i == NO_SLOT)
        return -LINUX_ENFILE;
    struct gofer_slot *slot = &s->slots[i];
    slot->id = ++s->serial << SLOT_BITS | i;
    slot->obj = *obj;
    slot->obj.owned = true;
    obj->fd = -1;
    obj->owned = false;
    *id = slot->id;
    return 0;
}

static struct gofer_slot *slot_find(const struct gofer_server *s, uint64_t id) {
    uint32_t i = (uint32_t)(id & ((1u << SLOT_BITS) - 1));
    if (i >= s->fresh || s->slots[i].id != id || s->slots[i].obj.kind == KIND_FREE)
        return NULL;
    return &s->slots[i];
}

const struct gofer_obj *handle_get(const struct gofer_server *s, uint64_t id) {
    struct gofer_slot *slot = slot_find(s, id);
    return slot ? &slot->obj : NULL;
}

void handle_release(struct gofer_server *s, uint64_t id) {
    struct gofer_slot *slot = slot_find(s, id);
    if (!slot)
        return;
    obj_close(&slot->obj);
    slot->obj = (struct gofer_obj){.fd = -1, .kind = KIND_FREE};
    slot->next_free = s->free_head;
    s->free_head = (uint32_t)(slot - s->slots);
}

void handle_release_all(struct gofer_server *s) {
    for (uint32_t i = 0; i < s->fresh; i++)
        handle_release(s, s->slots[i].id);
}
