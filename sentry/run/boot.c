// SPDX-License-Identifier: Apache-2.0
// From a configuration to a running sandbox and back: platform, file systems, kernel, the first process, the
// threads; then the teardown that proves nothing leaked. Called once, by the process that oci/ forked for it.
//
// Order matters: the platform first, while the process has one thread (stubs are forked from it); beside its
// start, and then, everything that needs host calls which the filter forbids; then the filter; then the
// guest. So the first stub is forked from a process that knows no secrets; but under --platform=auto, where
// seccomp fails after make_parts() has begun, that of ptrace is forked from one that has the kernel's objects
// and the gofer's socket. What keeps these from a stub then is what it does in any case before guest code
// runs: it closes descriptors that are not its own, and unmaps all memory that is not (platform/stub/).
#include "abi/caps.h"
#include "abi/misc.h"
#include "abi/syscalls.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errtext.h"
#include "base/fault.h"
#include "base/fdcharge.h"
#include "base/log.h"
#include "fs/goferfs/client.h"
#include "fs/hostfd.h"
#include "host/confine.h"
#include "sentry/proc/uts_ns.h"
#include "sentry/fd/fdtable.h"
#include "sentry/hostfilter/hostfilter.h"
#include "sentry/fd/fanotify.h"
#include "sentry/kernel.h"
#include "sentry/link/link.h"
#include "sentry/loader/exec.h"
#include "sentry/mm/mm.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/jobctl.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/task_impl.h"
#include "sentry/procfs/procfs.h"
#include "sentry/run/fuse_wait.h"
#include "sentry/run/hostcontrol.h"
#include "sentry/run/hostevent.h"
#include "sentry/run/hostring.h"
#include "sentry/run/impl.h"
#include "sentry/run/limits.h"
#include "sentry/run/mounts.h"
#include "sentry/run/outside.h"
#include "sentry/run/run.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/sentry.h"
#include "sentry/signal/signal.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int fail(const char *what, int64_t err) {
    log_error("%s: %s", what, linux_strerror((int)-err));
    return SENTRY_EXIT_FAILED;
}

// ---- Threads ----------------------------------------------------------------------------------------------
static void *worker_thread(void *k) {
    run_worker(k);
    return NULL;
}

static void *events(void *k) {
    event_thread(k);
    return NULL;
}

// The workers beside the main thread. The platform asks for each when it needs one: most programs never have
// more than one thing to do at a time.
#define MAX_WORKERS 8
struct crew {
    struct lock lock;               // RANK_LEAF
    struct kernel *k;               // [lock] NULL: not yet, or no more
    unsigned n, most;               // [lock]
    pthread_t workers[MAX_WORKERS - 1];
};

// A worker waits for the gofer: who else has something to serve is not to wait with it.
void run_worker_sleeps(void *owner, bool begins) {
    struct platform *p = owner;
    if (begins)
        plat_block_begin(p);
    else
        plat_block_end(p);
}

static bool another_worker(void *arg) {
    struct crew *crew = arg;
    LOCKED(&crew->lock);
    if (!crew->k || crew->n == crew->most ||
        pthread_create(&crew->workers[crew->n], NULL, worker_thread, crew->k))
        return false;
    crew->n++;
    return true;
}

static void crew_open(struct crew *crew, struct kernel *k) {
    unsigned waiters = plat_max_waiters(k->platform);
    LOCKED(&crew->lock);
    crew->k = k;
    crew->most = (waiters < MAX_WORKERS ? waiters : MAX_WORKERS) - 1;
}

static void crew_close(struct crew *crew) {
    lock_take(&crew->lock);
    crew->k = NULL;
    lock_drop(&crew->lock);
    while (crew->n > 0)
        pthread_join(crew->workers[--crew->n], NULL);
}

// The calling thread is a worker too (on ptrace it is the tracer). A first program that has begun its exec is let go first: the
// event thread is made while that runs its loader. (Its death is an event too, so the turn ends.)
static int run_threads(struct kernel *k, struct crew *crew, bool begun) {
    pthread_t event;
    crew_open(crew, k);
    if (begun && !run_turn(k)) {
        crew_close(crew);
        return 0;
    }
    if (pthread_create(&event, NULL, events, k)) {
        plat_shutdown(k->platform);
        crew_close(crew);
        return -LINUX_EAGAIN;
    }
    run_worker(k);
    crew_close(crew);
    links_linger(k->links);
    hostevent_stop(k->events);
    pthread_join(event, NULL);
    return 0;
}

static int exit_code(int status) { return status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff; }

// Everything is given back, and what is left over is said: a leak is a bug that tests see.
static void show_stats(const struct platform *p) {
    struct plat_stats s;
    plat_get_stats(p, &s);
    log_msg(LOG_ERROR, "calls: %llu plain, %llu with registers, %llu by rings", (unsigned long long)s.plain,
            (unsigned long long)s.context, (unsigned long long)s.ring);
    log_msg(
        LOG_ERROR,
        "sites: %llu patched, %llu of them beside other threads, %llu known before; %llu threads dispatched",
        (unsigned long long)s.patched, (unsigned long long)s.patched_shared, (unsigned long long)s.known,
        (unsigned long long)s.dispatched);
    log_msg(LOG_ERROR, "rings polled %llu times; %llu premaps, %llu behind breaks; %llu long waits apart",
            (unsigned long long)s.polled, (unsigned long long)s.premapped, (unsigned long long)s.heaps,
            (unsigned long long)s.rested);
    log_msg(LOG_ERROR, "of the plain calls %llu brought their bytes, %llu were maps at the wrong place",
            (unsigned long long)s.staged, (unsigned long long)s.moved);
    log_msg(LOG_ERROR, "threads: %llu on kept host threads, %llu put aside for a poller",
            (unsigned long long)s.renewed, (unsigned long long)s.aside);
}

// The ends of the stubs are not waited for twice, here and by the host's kernel. (A sanitizer wants to see
// what is given back.)
static bool ends_with_stubs(void) {
#ifdef PICKET_SANITIZED
    return false;
#else
    return confine_first();
#endif
}

static void teardown(struct kernel *k, struct gofer_client *gofer) {
    struct platform *p = k->platform;
    struct vfs *vfs = k->vfs;
    struct hostevents *events = k->events;
    struct hostring *ring = k->ring;
    unsigned threads, spaces;
    struct limits *limits = k->limits;
    control_close(k);
    links_close(take_ptr(k->links));
    limits_stop(limits);
    bool clean = kernel_end(k);
    hostfd_forget_terminals(NULL);
    hostring_close(ring);
    vfs_destroy(vfs);
    kernel_free(k);
    limits_free(limits);
    gofer_client_free(gofer);
    plat_count(p, &threads, &spaces);
    if (threads || spaces || !clean)
        log_error("leak: %u threads, %u address spaces", threads, spaces);
    if (ends_with_stubs())
        plat_leave(p);
    else
        plat_close(p);
    hostevent_close(events);
}

// Clear of the numbers that stdio functions take for granted. False: none is left.
static bool own_fds(const struct sentry_config *c, int fds[SENTRY_FDS]) {
    for (int fd = 0; fd < 3 + (int)c->process.more_fds; fd++) {
        fds[fd] = c->stdio_closed >> fd & 1 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 64);
        if (fds[fd] < 0 && !(c->stdio_closed >> fd & 1))
            return false;
        if (fd > 2)
            close(fd);
    }
    return true;
}

static int exec_failed(const struct sentry_config *c, int err) {
    char text[256];
    int status = outside_failed(&c->process, err, text, sizeof text);
    log_error("%s", text);
    return status;
}

static bool has_links(const struct sentry_config *c) { return c->net || c->net_later; }

// Links, and the control socket, by which they may come later.
static int open_network(struct kernel *k, const struct sentry_config *c) {
    int err = has_links(c) ? links_reserve() : 0;
    if (err == 0 && c->net)
        err = links_open(k->net.inet.stack, k->events, &k->timers, c->net, c->net_fds, &k->links);
    return err < 0 ? err : control_open(k, c->listen_fd, c->init_fd, c->net_later);
}

// What the program finds as it begins, and cannot ask for itself.
static int set_ahead(struct kernel *k, const struct sentry_config *c) {
    char why[160];
    for (unsigned i = 0; i < c->nsysctls; i++) {
        int err = procfs_sysctl(c->sysctls[i].name, c->sysctls[i].value, why, sizeof why);
        if (err < 0) {
            log_error("config.json: linux.sysctl: %.100s: %s", c->sysctls[i].name, why);
            return err;
        }
    }
    if (!c->filter.insns)
        return 0;
    int err = seccomp_filter_make(c->filter.insns, c->filter.n, c->filter.log, &k->first_filter);
    if (err < 0)
        log_error("config.json: linux.seccomp: %s", linux_strerror(-err));
    return err;
}

static int run(struct kernel *k, const struct sentry_config *c, struct crew *crew) {
    int fds[SENTRY_FDS], err = set_ahead(k, c);
    if (err < 0)
        return SENTRY_EXIT_FAILED;
    err = outside_init(k, c->inherited);
    if (err < 0 || !own_fds(c, fds))
        return fail("start", err < 0 ? err : -LINUX_EMFILE);
    struct outside_place at;
    outside_first(k, OUTSIDE_MAIN, &at);
    struct task *t = outside_new(k, &c->process, fds, c->inherited->ignored, &at, &err);
    if (!t)
        return SENTRY_EXIT_FAILED;
    err = outside_load(t, &c->process);
    if (err != (int)SYS_FLUSH)
        return exec_failed(c, err);
    err = hostfilter_load(plat_name(k->platform), has_links(c));
    if (err < 0)
        return fail("seccomp filter of the sentry", err);
    if (k->control) {
        control_ready(k->control, t);
    } else {
        limits_start(k);
        run_first_exec(t);
    }
    err = run_threads(k, crew, !k->control);
    limits_report(k);
    return err < 0 ? fail("threads", err) : exit_code(k->exit_status);
}

// Who asks for a descriptor: the caller of the call that this thread handles, or, outside of calls, the
// kernel itself.
static struct fdcharge_who current_user(void) {
    const struct task *t = task_current;
    return (struct fdcharge_who){t ? t->cred->uid : 0, !t || task_capable(t, LINUX_CAP_SYS_ADMIN) ||
                                                           task_capable(t, LINUX_CAP_SYS_RESOURCE)};
}
// What is left beside the sentry's own: event set, timers, gofer, control pipe, stdio, the platform's few.
#define OWN_FDS 64u
static int limit_descriptors(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return -errno;
    uint64_t max = r.rlim_cur < 1u << 20 ? r.rlim_cur : 1u << 20;
    return fdcharge_init((uint32_t)(max > 4 * OWN_FDS ? max - OWN_FDS : max - max / 4), current_user);
}
// As many as the limit says, the last one perhaps not in whole; they begin anywhere, so that many sandboxes
// do not meet on the first ones.
void sentry_take_cpus(const struct sentry_limits *limits) {
    cpu_set_t all, some;
    if (!limits->cpus_milli || sched_getaffinity(0, sizeof all, &all) < 0)
        return;
    unsigned n = (unsigned)CPU_COUNT(&all), want = (unsigned)((limits->cpus_milli + 999) / 1000);
    unsigned skip = n ? (unsigned)random_u64() % n : 0;
    CPU_ZERO(&some);
    for (unsigned i = 0; want < n && CPU_COUNT(&some) < (int)want; i++) {
        if (!CPU_ISSET(i % CPU_SETSIZE, &all))
            continue;
        if (skip)
            skip--;
        else
            CPU_SET(i % CPU_SETSIZE, &some);
    }
    if (want < n)
        sched_setaffinity(0, sizeof some, &some);
}

static bool caller_dies(void) { return task_current && signal_dying(task_current); }

static void tell_confinement(const char *platform) {
    char how[256];
    log_msg(LOG_ERROR, "platform: %s", platform);
    confine_describe(how, sizeof how);
    log_msg(LOG_ERROR, "confinement: %s", how);
}

// What can be made without the platform, beside its start.
struct parts {
    const struct sentry_config *c;
    long ncpus;
    struct vfs *vfs;
    struct gofer_client *gofer;
    struct kernel *k;
    int status;  // 0, or that of a start that has failed, and said why
};

static void set_names(struct kernel *k, const struct sentry_config *c) {
    snprintf(k->uts->hostname, sizeof k->uts->hostname, "%s", c->hostname);
    if (c->domainname)
        snprintf(k->uts->domainname, sizeof k->uts->domainname, "%s", c->domainname);
}

static int make_kernel(struct parts *b) {
    const struct sentry_config *c = b->c;
    b->vfs = vfs_create();
    b->gofer = gofer_client_open(c->gofer_sock);
    if (!b->vfs || !b->gofer)
        return fail("start", -LINUX_ENOMEM);
    vfs_set_caller_dies(b->vfs, caller_dies);
    struct kernel *k = b->k = kernel_new(b->vfs, c);
    if (!k)
        return fail("start", -LINUX_ENOMEM);
    fanotify_begin(k);
    fuse_wait_begin(k);
    int err = hostevent_open(b->vfs, &k->timers, c->control_fd, c->stops_fd, &k->events);
    if (err < 0)
        return fail("event set", err);
    err = hostring_open(k->events, &k->ring);
    if (err < 0)
        return fail("ring", err);
    k->ncpus = c->limits.cpus_milli ? (unsigned)__builtin_popcountll(k->cpus) : (unsigned)b->ncpus;
    err = limits_open(k, &c->limits, c->report_fd, !c->write_through);
    if (err < 0)
        return fail("limits", err);
    err = limit_descriptors();
    if (err < 0)
        return fail("descriptors", err);
    k->strace = c->strace;
    k->main_orphaned = c->inherited->orphaned;
    set_names(k, c);
    jobctl_init();
    err = open_network(k, c);
    if (err < 0)
        return fail("network or control socket", err);
    return mounts_make(b->vfs, b->gofer, c, NULL) < 0 ? SENTRY_EXIT_FAILED : 0;
}

static void make_parts(void *arg) {
    struct parts *b = arg;
    b->status = make_kernel(b);
}

static int open_platform(struct parts *b, struct crew *crew, struct platform **platform) {
    char why[256];
    static bool needs_context[512];
    for (unsigned nr = 0; nr < 512; nr++) {
        const struct sysdesc *d = sysdesc(nr);
        needs_context[nr] = d && d->context == SYSCALL_REGS;
    }
    const struct plat_config pc = {.kind = b->c->platform,
                                   .needs_context = needs_context,
                                   .guest = &kernel_guest_ops,
                                   .another_waiter = another_worker,
                                   .waiters = crew,
                                   .plain_calls = b->c->plain_calls,
                                   .meanwhile = make_parts,
                                   .meanwhile_arg = b};
    if (plat_open(&pc, platform, why, sizeof why) < 0) {
        log_error("platform: %s", why);
        return SENTRY_EXIT_FAILED;
    }
    if (b->c->verbose)
        tell_confinement(why);
    return b->status;
}

int sentry_run(const struct sentry_config *c) {
    struct parts b = {.c = c};
    struct platform *platform;
    struct crew crew = {.lock = LOCK_INITIALIZER(RANK_LEAF)};
    int err = hostfilter_boot_clock();
    if (err < 0)
        return fail("time namespace", err);
    plat_prepare();
    b.ncpus = sysconf(_SC_NPROCESSORS_ONLN);  // reads a file
    err = hostfilter_prepare();
    if (err < 0)
        return fail("giving up privileges", err);
    int status = open_platform(&b, &crew, &platform);
    if (status)
        return status;
    struct kernel *k = b.k;
    k->platform = platform;
    gofer_client_on_sleep(b.gofer, run_worker_sleeps, platform);
    status = run(k, c, &crew);
    if (c->verbose)
        show_stats(platform);
    if (k->ntasks == 0)
        teardown(k, b.gofer);
    else
        plat_close(platform);
    return status;
}
