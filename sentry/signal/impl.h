// SPDX-License-Identifier: Apache-2.0
// What the files of this folder share among themselves.
#ifndef SENTRY_SIGNAL_IMPL_H
#define SENTRY_SIGNAL_IMPL_H
#include "abi/wait.h"
#include "abi/x86_64/sigframe.h"
#include "sentry/kernel.h"
#include "sentry/signal/queue.h"
#include "sentry/signal/signal.h"

// ---- send.c -----------------------------------------------------------------------------------------------
struct linux_sigaction signal_action(struct tgroup *g, int sig);  // a copy; sig_lock held
bool action_ignored(const struct linux_sigaction *a, int sig);    // by choice or by default
// sig_lock held. A signal of the process's queue has become somebody's to take, or not: tells a thread that
// would.
void signal_offer(struct tgroup *g, int sig);
void signal_offer_all(struct tgroup *g, uint64_t set);
// sig_lock held. Queues an entry of a timer, as sending does: false when the signal is ignored and so
// dropped. t: NULL for the process.
bool signal_post_alarm(struct tgroup *g);  // the same for setitimer(2)'s SIGALRM
bool signal_post_timer(struct tgroup *g, struct task *t, struct sigentry *e);
// sig_lock held. Takes one of `set` (own queue first): its number, or 0.
int signal_take_locked(struct task *t, uint64_t set, struct linux_siginfo *info);

// ---- stop.c -----------------------------------------------------------------------------------------------
// sig_lock held. SIGCONT: ends a stop, drops pending stop signals.
void stop_continue(struct tgroup *g);
// t has taken a stop signal; `continues` is stop.continues as it was then. No lock held.
void stop_begin(struct task *t, int sig, uint32_t continues);
// sig_lock held. If a stop is in force t takes part in it from now on: true. *last: it was the last thread.
bool stop_join(struct task *t, bool *last);
// Tells the parent that the stop is complete, or that it was ended. tasks_lock held; no lock held.
void stop_complete(struct tgroup *g);
void stop_report_continue(struct task *t);

// ---- frame.c ----------------------------------------------------------------------------------------------
// Where a frame goes, from the stack pointer of the interrupted code.
struct frame_place {
    uint64_t frame;  // struct linux_rt_sigframe: the handler's stack pointer
    uint64_t fp;     // the XSAVE image
    size_t size;     // from frame to the end of the image
};
// False: it does not fit on the alternate stack, or leaves the address space.
bool frame_place(const struct linux_stack *alt, uint64_t sp, bool onstack, size_t fpsize,
                 struct frame_place *out);
bool altstack_holds(const struct linux_stack *alt, uint64_t sp);
void frame_save_regs(struct linux_sigcontext *sc, const struct lx_regs *regs);
void frame_load_regs(struct lx_regs *regs, const struct linux_sigcontext *sc);
// Writes the frame and points regs to the handler: 0 or -LINUX_EFAULT. Does not change masks.
int frame_push(struct task *t, struct lx_regs *regs, int sig, const struct linux_siginfo *info,
               const struct linux_sigaction *action, uint64_t oldmask);
int frame_pop(struct task *t, struct lx_regs *regs);  // rt_sigreturn's half: 0 or -LINUX_EFAULT

// ---- fpframe.c: the floating-point part -------------------------------------------------------------------
size_t fpframe_size(struct task *t);                    // image and magic2
int fpframe_save(struct task *t, void *buf);            // fpframe_size() bytes
int fpframe_load(struct task *t, uint64_t addr);        // from guest memory; 0: the initial state
int fpframe_init(struct task *t);                       // the initial state, with which handlers start
// Completes an image of `size` bytes (magic2 follows) with the bytes that software owns.
void fpframe_mark(void *image, size_t size, uint64_t xfeatures);
// Is the extended part of a frame to be believed? `max`: our image's size.
bool fpframe_extended(const struct linux_fpstate *fx, size_t max);

// ---- deliver.c --------------------------------------------------------------------------------------------
enum restart_how { RESTART_EINTR, RESTART_SAME, RESTART_BLOCK };
// What becomes of an interrupted call. restart: -LINUX_ERESTART*.
enum restart_how restart_decide(int64_t restart, bool handler, bool sa_restart);

#endif
