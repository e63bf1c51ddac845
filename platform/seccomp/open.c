// SPDX-License-Identifier: Apache-2.0
// Opening and closing the seccomp platform: is it possible here, the zygote's first steps, the listener.
// Called by platform.c; runs before there is a second thread.
//
// The zygote shares our descriptor table until it has installed its filter, so that the listener simply
// appears in it: no descriptor passing, which containers forbid in part (pidfd_getfd) and which the filter
// would stop itself.
#include "abi/errno.h"
#include "abi/x86_64/sigframe.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "platform/seccomp/sc.h"
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROBES          5
#define BOOT_TIMEOUT_MS 10000

// ---- The zygote's boot: what it must say, in this order ---------------------------------------------------

// Waits for the shared word: 1 + listener, or an error of seccomp(2). The zygote cannot wake us: from that
// moment on its calls wait for us. So: look again after short naps.
static int wait_for_listener(const struct stub_place *pl, pid_t pid, char *why, size_t whylen) {
    _Atomic int32_t *word = (_Atomic int32_t *)pl->share;
    int status, value;
    for (int i = 0; (value = atomic_load(word)) == 0; i++) {
        struct timespec nap = {0, i < 1000 ? 20000 : 1000000};
        if (waitpid(pid, &status, WNOHANG | __WALL) == pid) {
            snprintf(why, whylen, "seccomp: the first stub ended with status %#x", (unsigned)status);
            return -LINUX_ECHILD;
        }
        if (i > 1000 + BOOT_TIMEOUT_MS) {
            snprintf(why, whylen, "seccomp: the first stub does not start");
            return -LINUX_ETIMEDOUT;
        }
        nanosleep(&nap, NULL);
    }
    if (value > 0)
        return value - 1;
    snprintf(why, whylen, "seccomp: the host refuses the filter: %s%s", strerror(1 - value),
             value == 1 - EINVAL ? " (it needs Linux 5.19)" : "");
    return value - 1;
}

static int next_notif(struct sc_platform *p, struct seccomp_notif *n) {
    struct pollfd pfd = {.fd = p->wait.fd, .events = POLLIN};
    if (poll(&pfd, 1, BOOT_TIMEOUT_MS) != 1 || !(pfd.revents & POLLIN))
        return -LINUX_ETIMEDOUT;
    return sc_recv(p, n);
}

static bool expect_call(struct sc_platform *p, pid_t pid, long nr) {
    struct seccomp_notif n;
    if (next_notif(p, &n) || (pid_t)n.pid != pid || n.data.nr != nr ||
        n.data.instruction_pointer != p->gate_ip)
        return false;
    sc_send_continue(p, n.id);
    return true;
}

// The zygote's int3 shows where in a slot the kernel puts the frame and its parts; it is the same for all
// threads.
static bool learn_frame(struct sc_platform *p, struct sc_thread *z, const struct seccomp_notif *n) {
    struct linux_ucontext uc;
    struct linux_fpstate fp;
    uint64_t slot = sc_slot_addr(z), at = n->data.args[4];
    struct iovec local = {&uc, sizeof uc}, remote = {(void *)at, sizeof uc};
    if (at <= slot || at >= slot + STUB_SLOT_SIZE ||
        plat_memory_raw(z->base.as, false, &local, 1, &remote, 1) < 0)
        return false;
    p->frame.uc_off = at - slot;
    p->frame.fp_off = uc.uc_mcontext.fpstate - slot;
    local = (struct iovec){&fp, sizeof fp};
    remote = (struct iovec){(void *)uc.uc_mcontext.fpstate, sizeof fp};
    if (p->frame.fp_off >= STUB_SLOT_SIZE || plat_memory_raw(z->base.as, false, &local, 1, &remote, 1) < 0 ||
        fp.sw_reserved.magic1 != LINUX_FP_XSTATE_MAGIC1 ||
        p->frame.fp_off + fp.sw_reserved.extended_size > STUB_SLOT_SIZE)
        return false;
    p->frame.fp_len = fp.sw_reserved.xstate_size;
    p->frame.fp_features = fp.sw_reserved.xfeatures;
    memcpy(p->frame.fp_sw, &fp.sw_reserved, sizeof p->frame.fp_sw);
    p->base.layout.fpstate_size = p->frame.fp_len;
    return true;
}

// New programs start with a clean FP state, not with what the sentry's own code left in the registers.
static bool clean_fpstate(struct sc_platform *p, struct sc_thread *z) {
    struct linux_xstate *x = xcalloc(1, p->frame.fp_len);
    if (!x)
        return false;
    x->fpstate.cwd = LINUX_FCW_INIT;
    x->fpstate.mxcsr = LINUX_MXCSR_INIT;
    bool ok = sc_fpstate_write(z, x, p->frame.fp_len) == 0;
    free(x);
    return ok;
}

static struct sc_thread *adopt_zygote(struct sc_platform *p, pid_t pid) {
    struct sc_as *as = sc_as_new(p);
    struct sc_proc *proc = as ? sc_proc_new(as) : NULL;
    struct sc_thread *z = proc ? sc_thread_new(as, proc, NULL) : NULL;
    if (!z)
        return NULL;
    z->internal = z->leader = true;
    z->slot = 0;
    if (!sc_slot_claim(as, 0))
        return NULL;
    z->tid = proc->pid = pid;
    atomic_store(&as->base.pid, pid);
    atomic_store(&p->tids[pid], z);
    p->zygote = p->first = z;
    return z;
}

// What a call by notification costs here: the zygote says the same again and again. The least counts.
static bool time_notification(struct sc_platform *p, struct seccomp_notif *n) {
    const int nr = n->data.nr;
    for (int i = 0; i < PROBES; i++) {
        uint64_t start = mono_ns();
        sc_send(p, n->id, STUB_AGAIN);
        if (next_notif(p, n) || n->data.nr != nr)
            return false;
        uint64_t ns = mono_ns() - start;
        if (i == 0 || ns < p->notified_ns)
            p->notified_ns = (unsigned)ns;
    }
    return true;
}

static int boot_zygote(struct sc_platform *p, pid_t pid, char *why, size_t whylen) {
    struct seccomp_notif n;
    struct sc_thread *z = adopt_zygote(p, pid);
    if (!z)
        return -LINUX_ENOMEM;
    p->wait.fd = wait_for_listener(&p->place, pid, why, whylen);
    if (p->wait.fd < 0)
        return p->wait.fd;
    sc_wake_here(p, true);
    if (!expect_call(p, pid, SYS_close_range) || !expect_call(p, pid, SYS_munmap) || next_notif(p, &n) ||
        (pid_t)n.pid != pid || STUB_EV_KIND((unsigned)n.data.nr) != STUB_EV_FAULT) {
        snprintf(why, whylen, "seccomp: the first stub does not start as it should");
        return -LINUX_EIO;
    }
    if (!time_notification(p, &n)) {
        snprintf(why, whylen, "seccomp: the first stub does not repeat what it says");
        return -LINUX_EIO;
    }
    int err = plat_memory_probe(&p->base, pid, sc_slot_addr(z));
    if (err) {
        snprintf(why, whylen, "seccomp: the host refuses to read a stub's memory: %s", strerror(-err));
        return err;
    }
    z->notif.id = n.id;
    z->hold = HOLD_EVENT;
    sc_set_state(z, SC_HELD);
    if (!learn_frame(p, z, &n) || !clean_fpstate(p, z)) {
        snprintf(why, whylen, "seccomp: the signal frame is not as expected");
        return -LINUX_EIO;
    }
    return 0;
}

// ---- Open and close ---------------------------------------------------------------------------------------

static struct sc_platform *new_platform(void) {
    struct sc_platform *p = znew(struct sc_platform);
    if (!p)
        return NULL;
    lock_init(&p->lock, RANK_PLATFORM);
    lock_init(&p->wait.lock, RANK_PLATFORM);
    sc_parked_init(&p->parked);
    struct list *lists[] = {&p->procs,   &p->pending,   &p->free_threads, &p->pool,
                            &p->to_make, &p->wait.idle, &p->wait.deaths};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        list_init(lists[i]);
    p->base.proc_fd = p->wait.fd = p->null_fd = p->rings.fd = -1;
    p->base.max_waiters = 64;
    void *table = mmap(NULL, SC_MAX_TID * sizeof *p->tids, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table == MAP_FAILED) {
        free(p);
        return NULL;
    }
    p->tids = table;
    return p;
}

static bool host_has_notifications(char *why, size_t whylen) {
    struct seccomp_notif_sizes sizes;
    uint32_t action = SECCOMP_RET_USER_NOTIF;
    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) ||
        syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes)) {
        snprintf(why, whylen, "seccomp: the host has no seccomp notifications: %s", strerror(errno));
        return false;
    }
    if (sizes.seccomp_notif == sizeof(struct seccomp_notif) &&
        sizes.seccomp_notif_resp == sizeof(struct seccomp_notif_resp))
        return true;
    snprintf(why, whylen, "seccomp: the host's notifications have another size");
    return false;
}

// Without it all that it sets up stays zero, which is "not here": the same as on a host with one CPU.
static void fast_calls_open(struct sc_platform *p, const bool *needs_context) {
    sc_pollers_open(p);
    sc_rings_open(p);
    sc_sites_open(p, needs_context);
    sc_dispatch_probe(p);
    sc_guard_probe(p);
}

static int start(struct sc_platform *p, const struct plat_config *config, char *why, size_t whylen) {
    struct sock_fprog prog = {0};
    int err = stub_place(STUB_MAX_SLOTS, &p->place);
    if (err) {
        snprintf(why, whylen, "seccomp: no place for the stub: %s", strerror(-err));
        return err;
    }
    p->gate_ip = stub_gate(&p->place) + 2;
    stub_layout(&p->place, &p->base.layout);
    p->frame.fsgsbase = p->base.layout.hwcap2 & 2;
    err = sc_filter_build(&p->place, config->needs_context, &prog);
    struct stub_spawn s = {
        .place = &p->place,
        .after_fork = config->after_fork,
        .clone_flags = CLONE_FILES,
        .filter = &prog,
        .filter_flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
        .mode = STUB_MODE_SECCOMP,
    };
    pid_t pid = err ? err : stub_spawn(&s);
    free(prog.filter);
    if (pid < 0) {
        snprintf(why, whylen, "seccomp: no first stub: %s", strerror(-pid));
        err = pid;
    } else {
        if (!config->plain_calls)
            fast_calls_open(p, config->needs_context);
        config->meanwhile(config->meanwhile_arg);
        err = boot_zygote(p, pid, why, whylen);
    }
    stub_unplace(&p->place);
    return err;
}

// As many as have a descriptor number of their own: stubs have our hard limit (spawn.c).
static unsigned slots_by_limit(void) {
    struct rlimit limit;
    uint64_t fds = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : 64;
    uint64_t slots = fds > STUB_FD(1) ? fds - STUB_FD(0) : 1;
    return slots < STUB_MAX_SLOTS ? (unsigned)slots : STUB_MAX_SLOTS;
}

// The first process of the pool is made while the caller goes on: its clone is approved here already. Whoever
// waits first takes the rest, or all of it.
static void first_of_pool(struct sc_platform *p) {
    struct seccomp_notif n;
    struct plat_event ev;
    p->pool_most = 1;
    sc_pool_fill(p);
    if (p->zygote_busy && next_notif(p, &n) == 0)
        sc_handle(p, &n, &ev);
}

int sc_open(const struct plat_config *config, struct platform **out, char *why, size_t whylen) {
    if (!host_has_notifications(why, whylen))
        return -LINUX_ENOSYS;
    struct sc_platform *p = new_platform();
    if (!p) {
        snprintf(why, whylen, "seccomp: no memory");
        return -LINUX_ENOMEM;
    }
    sc_kick_handler_install();
    p->null_fd = memfd_create("picket-empty", MFD_CLOEXEC);
    p->nslots = slots_by_limit();
    int err = start(p, config, why, whylen);
    if (err) {
        sc_close(&p->base);
        return err;
    }
    sc_guard_settle(p);
    first_of_pool(p);
    snprintf(why, whylen, "seccomp: notifications (%u.%u us), %s%s", p->notified_ns / 1000,
             p->notified_ns / 100 % 10, p->base.use_proc_mem ? "memory through /proc" : "direct memory",
             config->plain_calls ? ", plain calls only" : "");
    *out = &p->base;
    return 0;
}

static void free_thread(struct sc_thread *t) {
    LOCKED(&t->lock);
    if (t->state != SC_FREE)
        sc_thread_free(t);
}

// All host processes are gone. What is left: the pool, the zygote, children that never came, and what the
// sentry has not given back.
static void free_all(struct sc_platform *p) {
    lock_take(&p->lock);
    while (!list_empty(&p->pool)) {
        struct sc_thread *t = list_first(&p->pool, struct sc_thread, pool_link);
        sc_pool_forget(t);
        sc_as_drop(sc_as(t));
    }
    if (p->first)
        sc_as_drop(sc_as(p->first));
    lock_drop(&p->lock);
    while (p->chunks) {
        struct sc_chunk *c = p->chunks;
        for (size_t i = 0; i < sizeof c->threads / sizeof *c->threads; i++)
            free_thread(&c->threads[i]);
        p->chunks = c->next;
    }
}

void sc_close(struct platform *pp) {
    struct sc_platform *p = sc_of(pp);
    sc_kill_all(p);
    if (p->wait.fd >= 0)
        close(p->wait.fd);
    if (p->reaper_runs)
        pthread_join(p->reaper, NULL);
    else
        sc_reap_all(p);
    struct sc_chunk *chunks = p->chunks;
    free_all(p);
    while (chunks) {
        struct sc_chunk *next = chunks->next;
        free(chunks);
        chunks = next;
    }
    sc_rings_close(p);
    munmap(p->tids, SC_MAX_TID * sizeof *p->tids);
    if (p->null_fd >= 0)
        close(p->null_fd);
    if (p->base.proc_fd >= 0)
        close(p->base.proc_fd);
    free(p);
}

static void sc_leave(struct platform *p) { sc_kill_all(sc_of(p)); }

const struct plat_backend plat_seccomp = {
    .name = "seccomp",
    .kind = PLAT_SECCOMP,
    .open = sc_open,
    .close = sc_close,
    .leave = sc_leave,
    .wait = sc_wait,
    .block_begin = sc_block_begin,
    .block_end = sc_block_end,
    .kick = sc_kick,
    .shutdown = sc_shutdown,
    .as_create = sc_as_create,
    .as_release = sc_as_release,
    .thread_destroy = sc_thread_destroy,
    .answer = sc_answer,
    .resume = sc_resume,
    .flush = sc_flush,
    .interrupt = sc_interrupt,
    .get_regs = sc_get_regs,
    .set_regs = sc_set_regs,
    .get_fpstate = sc_get_fpstate,
    .set_fpstate = sc_set_fpstate,
    .queue = sc_queue,
    .clone = sc_clone,
    .started = sc_started,
    .text_work = sc_text_work,
    .place_below = sc_place_below,
    .park = sc_park,
    .call_string = sc_ring_string,
    .call_data = sc_ring_data,
    .copy_later = sc_ring_copy_later,
    .admit = sc_guard_admit,
    .host_tid = sc_host_tid,
    .host_pid = sc_host_pid,
};
