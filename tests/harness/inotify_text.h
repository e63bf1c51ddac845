// SPDX-License-Identifier: Apache-2.0
// Events of inotify(7) as text, so that a test says in one line what it expects: "a CREATE new, a OPEN|ISDIR
// sub". Watches are called a, b, c ... in the order in which they were added; the two halves of a rename
// carry the same "#number".
#pragma once
#include "guest.h"

#include <sys/inotify.h>

#define EVENTS_ROOM 65536

static int inotify_make(void)
{
    return ASSERT_OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
}

__attribute__((unused)) static const char *mask_text(uint32_t mask, char *to)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {{IN_ACCESS, "ACCESS"},
                 {IN_MODIFY, "MODIFY"},
                 {IN_ATTRIB, "ATTRIB"},
                 {IN_CLOSE_WRITE, "CLOSE_WRITE"},
                 {IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"},
                 {IN_OPEN, "OPEN"},
                 {IN_MOVED_FROM, "MOVED_FROM"},
                 {IN_MOVED_TO, "MOVED_TO"},
                 {IN_CREATE, "CREATE"},
                 {IN_DELETE, "DELETE"},
                 {IN_DELETE_SELF, "DELETE_SELF"},
                 {IN_MOVE_SELF, "MOVE_SELF"},
                 {IN_UNMOUNT, "UNMOUNT"},
                 {IN_Q_OVERFLOW, "Q_OVERFLOW"},
                 {IN_IGNORED, "IGNORED"},
                 {IN_ISDIR, "ISDIR"}};
    *to = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (mask & names[i].bit)
            sprintf(to + strlen(to), "%s%s", *to ? "|" : "", names[i].name);
    return to;
}

// All that is queued now, in a buffer that the next call uses again.
__attribute__((unused)) static const char *events(int fd)
{
    static char raw[EVENTS_ROOM] __attribute__((aligned(8))), text[EVENTS_ROOM];
    uint32_t cookies[16];
    unsigned ncookies = 0;
    text[0] = '\0';
    ssize_t size;
    while ((size = read(fd, raw, sizeof(raw))) > 0)
        for (ssize_t at = 0; at < size;) {
            const struct inotify_event *e = (const void *)(raw + at);
            char mask[256], *to = text + strlen(text);
            to += sprintf(to, "%s%c %s", *text ? ", " : "", e->wd > 0 ? 'a' + e->wd - 1 : '*',
                          mask_text(e->mask, mask));
            unsigned k = 0;
            while (e->cookie && k < ncookies && cookies[k] != e->cookie)
                k++;
            if (e->cookie && k == ncookies && k < 16)
                cookies[ncookies++] = e->cookie;
            if (e->cookie)
                to += sprintf(to, " #%u", k + 1);
            if (e->len)
                sprintf(to, " %s", e->name);
            at += (ssize_t)(sizeof(*e) + e->len);
        }
    return text;
}
