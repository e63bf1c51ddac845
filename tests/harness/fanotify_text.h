// SPDX-License-Identifier: Apache-2.0
// What the guest programs about fanotify(7) share: the calls, and events as text. Headers of the build
// machine may be older than the interface, so that its numbers stand here.
#pragma once
#include "guest.h"

#include <poll.h>

#define FAN_ACCESS         0x1ull
#define FAN_MODIFY         0x2ull
#define FAN_ATTRIB         0x4ull
#define FAN_CLOSE_WRITE    0x8ull
#define FAN_CLOSE_NOWRITE  0x10ull
#define FAN_CLOSE          (FAN_CLOSE_WRITE | FAN_CLOSE_NOWRITE)
#define FAN_OPEN           0x20ull
#define FAN_MOVED_FROM     0x40ull
#define FAN_MOVED_TO       0x80ull
#define FAN_CREATE         0x100ull
#define FAN_DELETE         0x200ull
#define FAN_DELETE_SELF    0x400ull
#define FAN_MOVE_SELF      0x800ull
#define FAN_OPEN_EXEC      0x1000ull
#define FAN_Q_OVERFLOW     0x4000ull
#define FAN_FS_ERROR       0x8000ull
#define FAN_OPEN_PERM      0x10000ull
#define FAN_EVENT_ON_CHILD 0x08000000ull
#define FAN_RENAME         0x10000000ull
#define FAN_ONDIR          0x40000000ull

#define FAN_CLOEXEC           1u
#define FAN_NONBLOCK          2u
#define FAN_CLASS_CONTENT     4u
#define FAN_CLASS_PRE_CONTENT 8u
#define FAN_UNLIMITED_QUEUE   0x10u
#define FAN_UNLIMITED_MARKS   0x20u
#define FAN_REPORT_PIDFD      0x80u
#define FAN_REPORT_TID        0x100u
#define FAN_REPORT_FID        0x200u
#define FAN_REPORT_DIR_FID    0x400u
#define FAN_REPORT_NAME       0x800u
#define FAN_REPORT_TARGET_FID 0x1000u
#define FAN_REPORT_FD_ERROR   0x2000u

#define MARK_ADD          1u
#define MARK_REMOVE       2u
#define MARK_DONT_FOLLOW  4u
#define MARK_ONLYDIR      8u
#define MARK_MOUNT        0x10u
#define MARK_IGNORED_MASK 0x20u
#define MARK_SURV_MODIFY  0x40u
#define MARK_FLUSH        0x80u
#define MARK_FILESYSTEM   0x100u
#define MARK_EVICTABLE    0x200u
#define MARK_IGNORE       0x400u

struct fan_meta {
    uint32_t len;
    uint8_t vers, reserved;
    uint16_t meta_len;
    uint64_t mask;
    int32_t fd, pid;
};
struct fan_info {
    uint8_t type, pad;
    uint16_t len;
};
struct fan_handle {
    int32_t fsid[2];
    uint32_t bytes;
    int32_t type;
    unsigned char h[128];
};

GUEST_FN int fan_init(unsigned flags, unsigned file_flags) { return (int)syscall(300, flags, file_flags); }
GUEST_FN int fan_mark(int fd, unsigned flags, uint64_t mask, int dirfd, const char *path) {
    return (int)syscall(301, fd, flags, mask, dirfd, path);
}
static const struct {
    uint64_t bit;
    const char *name;
} fan_bits[] = {{FAN_ACCESS, "ACCESS"},
                {FAN_MODIFY, "MODIFY"},
                {FAN_ATTRIB, "ATTRIB"},
                {FAN_CLOSE_WRITE, "CLOSE_WRITE"},
                {FAN_CLOSE_NOWRITE, "CLOSE_NOWRITE"},
                {FAN_OPEN, "OPEN"},
                {FAN_MOVED_FROM, "MOVED_FROM"},
                {FAN_MOVED_TO, "MOVED_TO"},
                {FAN_CREATE, "CREATE"},
                {FAN_DELETE, "DELETE"},
                {FAN_DELETE_SELF, "DELETE_SELF"},
                {FAN_MOVE_SELF, "MOVE_SELF"},
                {FAN_OPEN_EXEC, "OPEN_EXEC"},
                {FAN_Q_OVERFLOW, "Q_OVERFLOW"},
                {FAN_RENAME, "RENAME"},
                {FAN_ONDIR, "ONDIR"}};

// Handles are told as letters, in the order in which they are first seen since fan_open(): "a", "b", ...
static struct fan_handle fan_known[26];
static int fan_nknown;
GUEST_FN int fan_open(unsigned flags) {
    fan_nknown = 0;
    if (geteuid() != 0)
        SKIP("not root");
    int fd = fan_init(flags | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY);
    if (fd < 0 && (errno == EPERM || errno == ENOSYS))
        SKIP("no fanotify here");
    return ASSERT_OK(fd);
}
GUEST_FN char fan_letter(const struct fan_handle *h) {
    for (int i = 0; i < fan_nknown; i++)
        if (fan_known[i].bytes == h->bytes && fan_known[i].type == h->type &&
            !memcmp(fan_known[i].fsid, h->fsid, sizeof h->fsid) && !memcmp(fan_known[i].h, h->h, h->bytes))
            return 'a' + i;
    if (fan_nknown == 26)
        return '?';
    fan_known[fan_nknown] = *h;
    return 'a' + fan_nknown++;
}
GUEST_FN int fan_put_info(char *out, size_t room, const struct fan_info *info) {
    static const char *const types[] = {"?", "fid", "dfid_name", "dfid", "pidfd", "error", "?",
                                        "?", "?",   "?",         "old",  "?",     "new"};
    const char *type = info->type < 13 ? types[info->type] : "?";
    if (info->type == 4) {
        int pidfd;
        memcpy(&pidfd, info + 1, sizeof pidfd);
        int alive = pidfd >= 0;
        if (alive)
            close(pidfd);
        return snprintf(out, room, " pidfd=%s", alive ? "yes" : "no");
    }
    struct fan_handle h;
    const char *at = (const char *)(info + 1), *end = (const char *)info + info->len;
    memset(&h, 0, sizeof h);
    memcpy(&h, at, 16);
    EXPECT_TRUE(h.bytes <= sizeof h.h && info->len % 4 == 0);
    memcpy(h.h, at + 16, h.bytes);
    at += 16 + h.bytes;
    bool named = info->type == 2 || info->type == 10 || info->type == 12;
    EXPECT_TRUE(!named || memchr(at, 0, end - at));
    return snprintf(out, room, " %s=%c%s%s", type, fan_letter(&h), named ? ":" : "", named ? at : "");
}
// All that is there, as "MASK|MASK path", with records behind; "-" when there is nothing.
static char fan_text[16384];
static int fan_pid;  // of the last one
GUEST_FN const char *fan_events(int fd) {
    char buffer[8192] __attribute__((aligned(8)));
    size_t n = 0;
    strcpy(fan_text, "-");
    for (;;) {
        ssize_t got = read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EAGAIN)
            return fan_text;
        ASSERT_TRUE(got > 0);
        for (char *at = buffer; at < buffer + got;) {
            struct fan_meta m;
            ASSERT_TRUE(n < sizeof fan_text - 2 * PATH_MAX);
            memcpy(&m, at, sizeof m);
            ASSERT_TRUE(m.vers == 3 && m.meta_len == sizeof m && m.len >= sizeof m && m.len % 4 == 0);
            n += snprintf(fan_text + n, sizeof fan_text - n, "%s", n ? ", " : "");
            const char *bar = "";
            for (unsigned i = 0; i < sizeof fan_bits / sizeof fan_bits[0]; i++)
                if (m.mask & fan_bits[i].bit) {
                    n += snprintf(fan_text + n, sizeof fan_text - n, "%s%s", bar, fan_bits[i].name);
                    bar = "|";
                }
            if (m.fd >= 0) {
                char link[64], path[PATH_MAX];
                snprintf(link, sizeof link, "/proc/self/fd/%d", m.fd);
                ssize_t len = readlink(link, path, sizeof path - 1);
                path[len > 0 ? len : 0] = 0;
                const char *slash = strrchr(path, '/');
                n += snprintf(fan_text + n, sizeof fan_text - n, " %s", slash ? slash + 1 : path);
                close(m.fd);
            }
            fan_pid = m.pid;
            for (char *info = at + sizeof m; info < at + m.len;) {
                struct fan_info i;
                memcpy(&i, info, sizeof i);
                ASSERT_TRUE(i.len >= sizeof i);
                n += fan_put_info(fan_text + n, sizeof fan_text - n, (struct fan_info *)info);
                info += i.len;
            }
            at += m.len;
        }
    }
}
