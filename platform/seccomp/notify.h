// SPDX-License-Identifier: Apache-2.0
// The calls on the seccomp listener, and the reply that waits in a thread until its lock is dropped: the
// thread may take this very CPU at once, and whoever then serves it on another must not find our locks taken.
#ifndef PLATFORM_SECCOMP_NOTIFY_H
#define PLATFORM_SECCOMP_NOTIFY_H
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

struct lock;
struct sc_platform;
struct sc_thread;

// The notification of a held thread that is in our hands.
struct sc_notif {
    uint64_t id;
    bool has_reply;
    struct seccomp_notif_resp reply;  // to be sent when the lock is dropped
};

int sc_recv(struct sc_platform *p, struct seccomp_notif *n);  // 0, -LINUX_EINTR (attention), -LINUX_E*
void sc_send(struct sc_platform *p, uint64_t id, int64_t value);
void sc_send_continue(struct sc_platform *p, uint64_t id);
// [lock] The reply to the notification of `t`, sent by sc_unlock().
void sc_reply(struct sc_thread *t, int64_t value);
void sc_reply_error(struct sc_thread *t, int error);  // error: -LINUX_E*
void sc_reply_continue(struct sc_thread *t);
void sc_unlock(struct sc_thread *t, struct lock *outer);  // drops t->lock, and `outer` unless it is NULL
int sc_addfd(struct sc_platform *p, uint64_t id, int fd, int at, bool send);  // 0 or -LINUX_E*
bool sc_notif_valid(struct sc_platform *p, uint64_t id);
// A reply wakes its thread on the core of who sends it, which is going to sleep then; or where the host
// likes.
void sc_wake_here(struct sc_platform *p, bool here);
void sc_kick_handler_install(void);

#endif
