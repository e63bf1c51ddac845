// SPDX-License-Identifier: Apache-2.0
// Opening and closing the ptrace platform: finds out, by doing it, whether this host lets us trace; makes the
// zygote. Called by the sentry thread that becomes the tracer, while the process has no other thread.
#include "abi/errno.h"
#include "base/fault.h"
#include "platform/ptrace/pt.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

struct reason {
    char *text;
    size_t len;
};

static int __attribute__((format(printf, 3, 4))) fail(struct reason *why, int err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why->text, why->len, fmt, ap);
    va_end(ap);
    return err < 0 ? err : -LINUX_EIO;
}

// In the child, before it becomes a stub: waits until it is traced, and keeps one descriptor, the channel's
// far end.
static int child_prepare(void *arg) {
    int far = *(int *)arg;
    char byte;
    if (recv(far, &byte, 1, 0) != 1)
        return 1;
    if (far != PT_FD_CHANNEL && syscall(SYS_dup2, far, PT_FD_CHANNEL) < 0)
        return 1;
    if (syscall(SYS_close_range, PT_FD_CHANNEL + 1, ~0u, 0) == 0)
        return 0;
    for (int fd = PT_FD_CHANNEL + 1; fd < 65536; fd++) // before Linux 5.9
        syscall(SYS_close, fd);
    return 0;
}

static int yama_scope = -1;

void pt_prepare(void) {
    char text[8] = "";
    int fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (read(fd, text, sizeof(text) - 1) > 0)
        yama_scope = atoi(text);
    close(fd);
}

static int seize(pid_t pid, struct reason *why) {
    if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD) == 0)
        return 0;
    int err = -errno;
    if (yama_scope >= 2)
        return fail(why, err, "ptrace: this host forbids tracing (kernel.yama.ptrace_scope is %d)",
                    yama_scope);
    return fail(why, err, "ptrace: PTRACE_SEIZE: %s (forbidden by a container's seccomp profile?)",
                strerror(-err));
}

// The next stop of the zygote, with its registers. 0 or -errno.
static int zygote_stop(pid_t pid, int *status, struct lx_regs *regs) {
    int st;
    while (waitpid(pid, &st, __WALL) < 0)
        if (errno != EINTR)
            return -errno;
    *status = st;
    if (!WIFSTOPPED(st))
        return -ECHILD;
    return ptrace(PTRACE_GETREGS, pid, 0, regs) < 0 ? -errno : 0;
}

static int wait_ready(struct pt_platform *p, pid_t pid, struct reason *why) {
    struct lx_regs regs;
    int status = 0;
    for (;;) {
        int err = zygote_stop(pid, &status, &regs);
        if (err != 0)
            return fail(why, err, "ptrace: the first stub ended during its start (status %#x)",
                        (unsigned)status);
        if (status >> 8 == SIGTRAP && regs.rip >= p->place.base &&
            regs.rip < p->place.base + p->place.text_len)
            return 0;
        if (status >> 16 == 0 && (status >> 8 == SIGSEGV || status >> 8 == SIGBUS || status >> 8 == SIGILL))
            return fail(why, -EIO, "ptrace: the first stub died of signal %d at its start", status >> 8);
        ptrace(PTRACE_CONT, pid, 0, 0);
    }
}

// getppid by SYSEMU must come to us, and must not reach the filter, which would end the process.
static int probe_sysemu(struct pt_platform *p, pid_t pid, struct reason *why) {
    struct lx_regs regs;
    int status = 0;
    if (ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
        return fail(why, -errno, "ptrace: PTRACE_GETREGS: %s", strerror(errno));
    regs.rip = stub_gate(&p->place);
    regs.rsp = PT_NO_STACK;
    regs.rax = SYS_getppid;
    regs.orig_rax = (uint64_t)-1;
    if (ptrace(PTRACE_SETREGS, pid, 0, &regs) < 0 || ptrace(PTRACE_SYSEMU, pid, 0, 0) < 0)
        return fail(why, -errno, "ptrace: PTRACE_SYSEMU: %s", strerror(errno));
    int err = zygote_stop(pid, &status, &regs);
    if (err != 0 || status >> 8 != (SIGTRAP | 0x80) || regs.orig_rax != SYS_getppid)
        return fail(why, err, "ptrace: PTRACE_SYSEMU does not work here (status %#x)", (unsigned)status);
    return 0;
}

// One injected call, before the machinery for it runs. Its result, or -errno.
static int64_t call_zygote(struct pt_platform *p, const struct host_call *call) {
    struct lx_regs regs;
    int status = 0;
    int err = pt_inject(p->zygote, call);
    if (err == 0)
        err = zygote_stop(p->zygote->tid, &status, &regs);
    if (err == 0 && (status >> 8 != SIGBUS || regs.rip != stub_gate(&p->place) + 2))
        err = -EIO;
    return err != 0 ? err : (int64_t)regs.rax;
}

static int settle_fp(struct pt_platform *p, pid_t pid, struct reason *why) {
    static char image[PT_XSAVE_MAX];
    struct iovec iov = {image, sizeof(image)};
    size_t size = p->base.layout.fpstate_size;
    if (ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov) < 0)
        return fail(why, -errno, "ptrace: PTRACE_GETREGSET of the FP state: %s", strerror(errno));
    if (iov.iov_len < size || iov.iov_len == sizeof(image))
        return fail(why, -EIO, "ptrace: FP state of %zu bytes", iov.iov_len);
    p->xsave_len = iov.iov_len;
    pt_initial_fp(image, size);
    int err = pt_store_fp(p, pid, image, size);
    return err != 0 ? fail(why, err, "ptrace: PTRACE_SETREGSET of the FP state: %s", strerror(-err)) : 0;
}

static int spawn_zygote(struct pt_platform *p, const struct plat_config *config, struct reason *why) {
    struct sock_filter insns[PT_FILTER_MAX];
    struct sock_fprog filter = {(unsigned short)pt_filter(stub_gate(&p->place) + 2, insns), insns};
    struct stub_spawn spawn = {
        .place = &p->place,
        .after_fork = config->after_fork,
        .clone_flags = SIGCHLD,
        .prepare = child_prepare,
        .prepare_arg = &p->channel_far,
        .filter = &filter,
        .mode = STUB_MODE_PTRACE,
    };
    pid_t pid = stub_spawn(&spawn);
    if (pid < 0)
        return fail(why, pid, "ptrace: making the first stub: %s", strerror(-pid));
    p->pgid = pid;
    struct pt_as *as = pt_new_as(p);
    p->zygote = as ? pt_new_thread(as, NULL) : NULL;
    if (as)
        atomic_fetch_sub(&p->base.nspaces, 1);
    if (!p->zygote)
        return fail(why, -ENOMEM, "ptrace: no memory");
    p->zygote->internal = true;
    pt_bind(p->zygote, pid);
    return 0;
}

static int start_zygote(struct pt_platform *p, const struct plat_config *config, struct reason *why) {
    int err = spawn_zygote(p, config, why);
    if (err != 0)
        return err;
    pid_t pid = p->pgid;
    err = seize(pid, why);
    if (err == 0 && send(p->channel, "", 1, MSG_NOSIGNAL) != 1)
        err = fail(why, -errno, "ptrace: the first stub does not listen");
    if (err == 0)
        err = wait_ready(p, pid, why);
    if (err == 0)
        err = probe_sysemu(p, pid, why);
    if (err == 0)
        err = settle_fp(p, pid, why);
    if (err != 0)
        return err;
    const struct host_call unshare = {SYS_munmap, {p->place.share, STUB_PAGE}};
    if (call_zygote(p, &unshare) != 0)
        return fail(why, -EIO, "ptrace: host calls cannot be injected into the first stub");
    err = plat_memory_probe(&p->base, pid, p->place.base);
    if (err != 0)
        return fail(why, err, "ptrace: the memory of stubs cannot be read: %s", strerror(-err));
    pt_set_state(p->zygote, PT_STOPPED);
    return 0;
}

static void block_signals(void) {
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    sigset_t set;
    sigaction(SIGCHLD, &dfl, NULL); // ignored, or with SA_NOCLDSTOP, stops would not be told
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, PLAT_KICK_SIGNAL);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int set_up(struct pt_platform *p, const struct plat_config *config, struct reason *why) {
    int pair[2];
    int err = stub_place(1, &p->place);
    if (err != 0)
        return fail(why, err, "ptrace: no room for the stub: %s", strerror(-err));
    stub_layout(&p->place, &p->base.layout);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        err = fail(why, -errno, "ptrace: socketpair: %s", strerror(errno));
    if (err == 0) {
        p->channel = pair[0];
        p->channel_far = pair[1];
        err = start_zygote(p, config, why);
    }
    stub_unplace(&p->place);
    return err;
}

int pt_open(const struct plat_config *config, struct platform **out, char *whytext, size_t whylen) {
    struct reason why = {whytext, whylen};
    struct pt_platform *p = znew(struct pt_platform);
    if (!p)
        return fail(&why, -LINUX_ENOMEM, "ptrace: no memory");
    lock_init(&p->lock, RANK_PLATFORM);
    list_init(&p->ready);
    list_init(&p->commands);
    list_init(&p->kills);
    list_init(&p->spaces);
    list_init(&p->channel_waiters);
    p->base.max_waiters = 1;
    p->base.proc_fd = p->channel = p->channel_far = -1;
    p->base.ops = &plat_ptrace;
    p->tracer = pthread_self();
    p->self_pid = getpid();
    p->tracer_tid = (int)syscall(SYS_gettid);
    p->drained = true;
    pt_follow_init(p);
    block_signals();
    int err = set_up(p, config, &why);
    if (err != 0) {
        pt_close(&p->base);
        return err;
    }
    snprintf(whytext, whylen, "ptrace: works here (calls are taken by PTRACE_SYSEMU)");
    *out = &p->base;
    return 0;
}

// A child whose clone was under way is known to nobody; its first stop shows it. (A wait for ends shows stops
// too.)
static void end_all(struct pt_platform *p) {
    struct pt_as *as;
    struct pt_thread *t;
    siginfo_t info;
    pt_orphans(p);
    list_for_each (as, &p->spaces, link) {
        list_for_each (t, &as->threads, as_link)
            pt_kill(t->proc);
    }
    // One that failed early is not in its own group yet; afterwards all others are met through the group.
    if (p->pgid > 0 && (!p->zygote || p->zygote->state != PT_GONE)) {
        kill(p->pgid, SIGKILL);
        while (waitpid(p->pgid, NULL, __WALL) < 0 && errno == EINTR)
            ;
    }
    while (p->pgid > 0) {
        if (waitid(P_PGID, (id_t)p->pgid, &info, WEXITED | WSTOPPED | __WALL | __WNOTHREAD) == 0) {
            if (info.si_code == CLD_TRAPPED)
                kill(info.si_pid, SIGKILL);
        } else if (errno != EINTR) {
            break;
        }
    }
}

static void free_thread(struct pt_thread *t) {
    pt_free_work(t->now);
    while (!list_empty(&t->work)) {
        struct pt_work *w = list_first(&t->work, struct pt_work, link);
        list_del(&w->link);
        pt_free_work(w);
    }
    pt_free_thread(t);
}

// Whatever the sentry has not given back is freed too.
void pt_close(struct platform *base) {
    struct pt_platform *p = pt_of(base);
    pt_unfollow(p);
    end_all(p);
    while (!list_empty(&p->spaces)) {
        struct pt_as *as = list_first(&p->spaces, struct pt_as, link);
        as->released = false;
        while (!list_empty(&as->threads))
            free_thread(list_first(&as->threads, struct pt_thread, as_link));
        list_del(&as->kill_link);
        as->released = true;
        pt_free_as_if_done(as);
    }
    if (p->channel >= 0)
        close(p->channel);
    if (p->channel_far >= 0)
        close(p->channel_far);
    if (p->base.proc_fd >= 0)
        close(p->base.proc_fd);
    lock_destroy(&p->lock);
    free(p);
}

static void no_block(struct platform *p) {
    (void)p;
}
static int host_tid(const struct plat_thread *t) {
    return pt_thread_of(t)->tid;
}
static int host_pid(const struct plat_thread *t) {
    return pt_thread_of(t)->proc->pid;
}

const struct plat_backend plat_ptrace = {
    .name = "ptrace",
    .kind = PLAT_PTRACE,
    .open = pt_open,
    .close = pt_close,
    .leave = pt_close,  // there is no other thread to be joined
    .wait = pt_wait,
    .block_begin = no_block,
    .block_end = no_block,
    .kick = pt_kick,
    .shutdown = pt_shutdown,
    .as_create = pt_as_create,
    .as_release = pt_as_release,
    .thread_destroy = pt_thread_destroy,
    .answer = pt_answer,
    .resume = pt_resume,
    .flush = pt_flush,
    .interrupt = pt_interrupt,
    .get_regs = pt_get_regs,
    .set_regs = pt_set_regs,
    .get_fpstate = pt_get_fpstate,
    .set_fpstate = pt_set_fpstate,
    .queue = pt_queue,
    .clone = pt_clone,
    .host_tid = host_tid,
    .host_pid = host_pid,
};
