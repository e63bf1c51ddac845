// SPDX-License-Identifier: Apache-2.0
// The calls on the seccomp listener, each one ioctl. The receiving one can be interrupted without a race and
// without a second host call for each event: it is a piece of assembly that looks at a flag right before it
// enters the kernel, and the handler of PLAT_KICK_SIGNAL moves a thread that stands between the look and the
// entry behind it. No locks.
#include "abi/errno.h"
#include "base/log.h"
#include "platform/seccomp/sc.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

long sc_recv_call(int fd, unsigned long request, void *notif, const _Atomic int *attention);
extern const char sc_recv_begin[], sc_recv_end[], sc_recv_out[];
void sc_kick_restorer(void);

__asm__(".pushsection .text.sc_recv_call, \"ax\", @progbits\n"
        ".globl sc_recv_call, sc_recv_begin, sc_recv_end, sc_recv_out, sc_kick_restorer\n"
        ".hidden sc_recv_call, sc_recv_begin, sc_recv_end, sc_recv_out, sc_kick_restorer\n"
        ".type sc_recv_call, @function\n"
        "sc_recv_call:\n"
        "       movl    $16, %eax\n"  // ioctl
        "sc_recv_begin:\n"
        "       cmpl    $0, (%rcx)\n"
        "       jne     sc_recv_out\n"
        "       syscall\n"
        "sc_recv_end:\n"
        "       ret\n"
        "sc_recv_out:\n"
        "       movq    $-4, %rax\n"  // -EINTR
        "       ret\n"
        ".size sc_recv_call, . - sc_recv_call\n"
        "sc_kick_restorer:\n"
        "       movl    $15, %eax\n"
        "       syscall\n"
        ".popsection\n");

static void on_kick(int sig, siginfo_t *si, void *uc) {
    greg_t *rip = &((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP];
    if (*rip >= (greg_t)(uintptr_t)sc_recv_begin && *rip < (greg_t)(uintptr_t)sc_recv_end)
        *rip = (greg_t)(uintptr_t)sc_recv_out;
}

// Not sigaction(3): ThreadSanitizer's version delays handlers. SA_RESTART: other host calls of the sentry's
// threads must not notice a kick that comes late; the receiving one is restarted too, and so found at its
// entry.
void sc_kick_handler_install(void) {
    struct {
        void (*handler)(int, siginfo_t *, void *);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask;
    } sa = {on_kick, SA_SIGINFO | SA_RESTART | SA_ONSTACK | 0x04000000ul, sc_kick_restorer, 0};
    syscall(SYS_rt_sigaction, PLAT_KICK_SIGNAL, &sa, NULL, 8);
}

int sc_recv(struct sc_platform *p, struct seccomp_notif *n) {
    memset(n, 0, sizeof *n);  // the kernel insists
    return (int)sc_recv_call(p->wait.fd, SECCOMP_IOCTL_NOTIF_RECV, n, &p->wait.attention);
}

// All but receiving. A signal that comes while another one of our threads holds the listener's lock is EINTR,
// with SA_RESTART too, and nothing has been done.
static int listener_call(struct sc_platform *p, unsigned long request, void *arg) {
    int r;
    do
        r = ioctl(p->wait.fd, request, arg);
    while (r < 0 && errno == EINTR);
    return r;
}

// A thread that has died meanwhile is not an error (ENOENT): the reaper tells of it.
static void respond(struct sc_platform *p, struct seccomp_notif_resp *r) {
    listener_call(p, SECCOMP_IOCTL_NOTIF_SEND, r);
}

void sc_send(struct sc_platform *p, uint64_t id, int64_t value) {
    respond(p, &(struct seccomp_notif_resp){.id = id, .val = value});
}
void sc_send_continue(struct sc_platform *p, uint64_t id) {
    respond(p, &(struct seccomp_notif_resp){.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE});
}

static void set_reply(struct sc_thread *t, struct seccomp_notif_resp r) {
    invariant(!t->notif.has_reply);
    r.id = t->notif.id;
    t->notif.reply = r;
    t->notif.has_reply = true;
}
void sc_reply(struct sc_thread *t, int64_t value) { set_reply(t, (struct seccomp_notif_resp){.val = value}); }
void sc_reply_error(struct sc_thread *t, int error) {
    set_reply(t, (struct seccomp_notif_resp){.error = error});
}
void sc_reply_continue(struct sc_thread *t) {
    set_reply(t, (struct seccomp_notif_resp){.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE});
}

// Behind lock_drop() t may be gone: the reply has the number of its notification.
void sc_unlock(struct sc_thread *t, struct lock *outer) {
    struct sc_platform *p = sc_plat(t);
    bool has_reply = t->notif.has_reply;
    struct seccomp_notif_resp r = t->notif.reply;
    t->notif.has_reply = false;
    lock_drop(&t->lock);
    if (outer)
        lock_drop(outer);
    if (has_reply)
        respond(p, &r);
}

int sc_addfd(struct sc_platform *p, uint64_t id, int fd, int at, bool send) {
    struct seccomp_notif_addfd a = {
        .id = id,
        .flags = SECCOMP_ADDFD_FLAG_SETFD | (send ? SECCOMP_ADDFD_FLAG_SEND : 0),
        .srcfd = (uint32_t)fd,
        .newfd = (uint32_t)at,
    };
    return listener_call(p, SECCOMP_IOCTL_NOTIF_ADDFD, &a) < 0 ? -errno : 0;
}

void sc_wake_here(struct sc_platform *p, bool here) {
    ioctl(p->wait.fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
          here ? SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP : 0ul);  // Linux 6.6
}

bool sc_notif_valid(struct sc_platform *p, uint64_t id) {
    return listener_call(p, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}
