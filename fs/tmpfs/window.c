// SPDX-License-Identifier: Apache-2.0
// See window.h. Called by data.c with the inode's lock held. Host calls: mmap and munmap when a window
// changes.
#include "fs/tmpfs/window.h"
#include <sys/mman.h>

void windows_init(struct windows *w) {
    lock_init(&w->lock, RANK_LEAF);
    for (unsigned i = 0; i < WINDOW_SLOTS; i++)
        w->slots[i] = (struct window_slot){.fd = -1, .next_fd = -1};
}

static void unmap(struct window_slot *s) {
    if (s->p)
        munmap(s->p, WINDOW_SIZE);
    s->p = NULL;
    s->fd = -1;
}
void windows_fini(struct windows *w) {
    for (unsigned i = 0; i < WINDOW_SLOTS; i++)
        unmap(&w->slots[i]);
    lock_destroy(&w->lock);
}

static struct window_slot *slot_of(struct windows *w, int fd, uint64_t off) {
    uint64_t key = ((uint64_t)(unsigned)fd << 32) + off / WINDOW_SIZE;
    return &w->slots[(key * 0x9e3779b97f4a7c15ull >> 40) % WINDOW_SLOTS];
}
// Pages are mapped at once: they are there, and each fault would cost more than its part of this.
static void map(struct window_slot *s, int fd, uint64_t off) {
    void *p = mmap(NULL, WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)off);
    if (p != MAP_FAILED)
        *s = (struct window_slot){.fd = fd, .off = off, .p = p, .next_fd = -1};
}

static bool asked_again(struct window_slot *s, int fd, uint64_t at, uint64_t end) {
    uint64_t off = at & ~(WINDOW_SIZE - 1);
    bool again = s->next_fd == fd && s->next_off == off && at < s->next_end;
    s->next_fd = fd;
    s->next_off = off;
    s->next_end = end;
    return again;
}
char *window_get(struct windows *w, int fd, uint64_t at, uint64_t end, struct window_slot **slot) {
    LOCKED(&w->lock);
    uint64_t off = at & ~(WINDOW_SIZE - 1);
    struct window_slot *s = slot_of(w, fd, off);
    if (s->fd != fd || s->off != off) {
        bool wanted = asked_again(s, fd, at, end) || end - at >= WINDOW_ONCE;
        if (!wanted || s->users)
            return NULL;
        unmap(s);
        map(s, fd, off);
        if (!s->p)
            return NULL;
    }
    s->users++;
    *slot = s;
    return s->p + (at - off);
}
void window_put(struct windows *w, struct window_slot *slot) {
    LOCKED(&w->lock);
    slot->users--;
}
void windows_forget(struct windows *w, int fd) {
    LOCKED(&w->lock);
    for (unsigned i = 0; i < WINDOW_SLOTS; i++) {
        struct window_slot *s = &w->slots[i];
        if (s->fd == fd)
            unmap(s);
        if (s->next_fd == fd)
            s->next_fd = -1;
    }
}
