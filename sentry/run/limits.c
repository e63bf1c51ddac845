// SPDX-License-Identifier: Apache-2.0
// See limits.h.
//
// Memory. Maps promise more than programs touch, so what counts is what the host has given to the stubs, and
// the supervisor reads that from /proc. Nobody asks while all maps together promise less than half of the
// limit (the other half is the most that tmpfs may have). Beyond that the next look comes when the rest could
// be used up, at FILL_RATE for each processor; while nothing grows, later and later. First each process's own
// pages are summed, which counts what a fork shares more than once; only where that is too much, shares. Past
// the limit the process with the highest badness ends, Linux' measure: its bytes, and oom_score_adj of
// thousandths of the limit.
// LIMIT: between two looks (2 to 100 ms) more may be touched than the limit says: of 256 MiB mostly 2 to 14
// MiB more by one, two and eight threads that fill as fast as they can on two busy processors; on a machine
// with much else to do 61 and 143 MiB more were seen (tests/oci/run_limits.py, memory_overshoot, says how it
// is here); where there is a cgroup, its limit is not far above.
#include "sentry/run/limits.h"
#include "base/budget.h"
#include "base/clamp.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "fs/vfs.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/proc/task_impl.h"
#include "sentry/run/hostevent.h"
#include "sentry/run/limits_impl.h"
#include "sentry/run/run.h"
#include "sentry/signal/signal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- Ends -------------------------------------------------------------------------------------------------
// The whole sandbox. The main process's end is the end of all.
static void end(struct limits *l, enum end_cause why) {
    struct tgroup *main = l->k->main;
    if (!main)
        return;
    tgroup_blame(main, why);
    tgroup_begin_exit(main, LINUX_SIGKILL);
}

static void on_timeout(struct ktimer *t) { end(container_of(t, struct limits, timeout), END_TIMEOUT); }

// ---- Who insists ------------------------------------------------------------------------------------------
static void on_insists(struct ktimer *t) {
    struct limits *l = container_of(t, struct limits, insists);
    end(l, (enum end_cause)atomic_load(&l->insisted));
}

// Any thread, under any lock that is taken before the timers'.
static void insist(struct limits *l, enum end_cause why) {
    uint32_t none = END_NONE;
    if (atomic_compare_exchange_strong(&l->insisted, &none, (uint32_t)why))
        ktimer_set(&l->insists, mono_ns());
}
static void files_insist(void *owner, bool output) { insist(owner, output ? END_OUTPUT : END_DISK); }

bool limits_take_pid(const struct tgroup *g) {
    struct kernel *k = g->k;
    struct limits *l = k->limits;
    if (!l)
        return true;
    if (g->member && !limits_part_takes_pid(k, g->member))
        return false;
    uint64_t most = atomic_load(&l->pids);
    if (!most || k->ntasks + k->nzombies + l->being_made < most) {
        l->being_made++;
        return true;
    }
    if (g->member)
        limits_part_gives_pid(k, g->member);
    if (atomic_fetch_add(&l->refused_pids, 1) == INSISTS)
        insist(l, END_PIDS);
    return false;
}
void limits_give_pid(const struct tgroup *g) {
    struct kernel *k = g->k;
    if (!k->limits)
        return;
    k->limits->being_made--;
    if (g->member)
        limits_part_gives_pid(k, g->member);
}

// ---- Processor time ---------------------------------------------------------------------------------------
uint64_t limits_cpu_ns(struct kernel *k) {
    LOCKED(&k->tasks_lock);
    uint64_t ns = k->cpu_ns_gone;
    for (int pid = 1; pid < k->pid_end; pid++)
        if (k->tgs[pid] && k->tgs[pid]->state == TG_ALIVE)
            ns += tgroup_cpu_ns(k->tgs[pid]);
    return ns;
}

uint64_t limits_sys_ns(struct kernel *k) {
    LOCKED(&k->tasks_lock);
    uint64_t ns = k->sys_ns_gone;
    for (int pid = 1; pid < k->pid_end; pid++)
        if (k->tgs[pid] && k->tgs[pid]->state == TG_ALIVE)
            ns += atomic_load(&k->tgs[pid]->sys_ns);
    return ns;
}

static void on_cpu(struct ktimer *t) {
    struct limits *l = container_of(t, struct limits, cpu);
    uint64_t used = limits_cpu_ns(l->k), left = l->max.cpu_ns > used ? l->max.cpu_ns - used : 0;
    if (left == 0) {
        end(l, END_TIMEOUT);
        return;
    }
    uint64_t wait = clamp_u64(left / (l->k->ncpus ? l->k->ncpus : 1), LOOK_LEAST_NS, NS_PER_SEC);
    l->cpu_wait = used == l->cpu_seen ? clamp_u64(l->cpu_wait * 2, wait, NS_PER_SEC / 2) : wait;
    l->cpu_seen = used;
    ktimer_set(t, mono_ns() + l->cpu_wait);
}

// ---- Memory: when to look ---------------------------------------------------------------------------------
static void look_in(struct limits *l, uint64_t ns) { ktimer_set(&l->memory, mono_ns() + ns); }

static void on_promise(struct mem_pool *pool) {
    struct limits *l = container_of(pool, struct limits, pool);
    if (!atomic_exchange(&l->watching, true))
        look_in(l, LOOK_LEAST_NS);
}

static void stop_watching(struct limits *l) {
    l->used = 0;
    atomic_store(&l->watching, false);
    uint64_t most = atomic_load(&l->pool.threshold);
    if (most && atomic_load(&l->pool.promised) > most)
        on_promise(&l->pool);
}

static void ask(struct limits *l, bool exact) {
    const struct report_ask m = {REPORT_ASK, exact};
    l->asked_at = mono_ns();
    bool sent = l->fd >= 0 && write(l->fd, &m, sizeof m) == (ssize_t)sizeof m;
    look_in(l, sent ? ANSWER_NS : LOOK_MOST_NS);
}

// When the rest could be gone (`left` bytes of the limit that is nearest); looks that take long come more
// rarely.
static void look_later(struct limits *l, uint64_t used, uint64_t left) {
    uint64_t took = l->took;
    uint64_t each = left / (l->k->ncpus ? l->k->ncpus : 1);
    uint64_t wait = (each < FILL_RATE ? each : FILL_RATE) * NS_PER_SEC / FILL_RATE;
    l->quiet = used > l->used ? 0 : l->quiet + 1;
    wait <<= l->quiet < 6 ? l->quiet : 6;
    took *= l->quiet ? 4 : 1;
    uint64_t least = took > LOOK_LEAST_NS ? took : LOOK_LEAST_NS;
    l->used = used;
    look_in(l, clamp_u64(wait, least, LOOK_MOST_NS));
}

static void on_look(struct ktimer *t) {
    struct limits *l = container_of(t, struct limits, memory);
    uint64_t promised = atomic_load(&l->pool.promised), most = limits_tightest(l);
    if (!most || promised <= atomic_load(&l->pool.threshold))
        stop_watching(l);
    else if ((promised += vfs_memory_used(l->k->vfs)) <= most)
        look_later(l, promised, most - promised);  // so much may be touched
    else
        ask(l, false);
}

// ---- Memory: what was found -------------------------------------------------------------------------------
static int by_pid(const void *a, const void *b) {
    const struct report_process *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

static uint64_t bytes_of(const struct report_memory *m, int pid) {
    const struct report_process key = {.pid = pid},
                                *p = pid ? bsearch(&key, m->of, m->n, sizeof m->of[0], by_pid) : NULL;
    return p ? p->bytes : 0;
}

static bool is_over(const struct found *f) { return f->max && f->used > f->max; }

static void judge(struct tgroup *g, uint64_t bytes, struct found *f) {
    int adj = atomic_load(&g->oom_score_adj);
    int64_t bad = (int64_t)bytes + (int64_t)(f->max / 1000) * adj;
    f->least = bytes > f->least ? bytes : f->least;
    if (atomic_load(&g->end_cause) == END_MEMORY && bytes)
        f->dying = true;
    else if (adj > -1000 && bytes && !atomic_load(&g->exiting) && (!f->worst || bad > f->badness)) {
        f->worst = g;
        f->badness = bad;
    }
}

// What the sentry has grown by since the first look is theirs too: it is what they have of pipes, sockets,
// names. tasks_lock is held. A map that several processes run in (vfork) counts once.
static void count_all(struct limits *l, const struct report_memory *m, struct all_found *f) {
    struct kernel *k = l->k;
    l->look++;
    uint64_t ours = bytes_of(m, REPORT_SENTRY);
    l->base = l->base ? l->base : ours;
    f->all.used += ours > l->base ? ours - l->base : 0;
    for (int pid = 1; pid < k->pid_end; pid++) {
        struct tgroup *g = k->tgs[pid];
        struct task *t = g && g->state == TG_ALIVE && !list_empty(&g->tasks)
                             ? list_first(&g->tasks, struct task, tg_link)
                             : NULL;
        if (!t)
            continue;
        uint64_t bytes = bytes_of(m, tgroup_host_pid(g));
        struct mm *mm = t->mm;
        const struct limit_part *p = limits_part(l, g->member);
        struct found *its = p ? &f->parts[p - l->parts] : NULL;
        bool counts = !mm || mm->counted != l->look;
        judge(g, bytes, &f->all);
        if (its)
            judge(g, bytes, its);
        if (counts && mm)
            f->all.used += bytes;
        if (counts && mm && its)
            its->used += bytes;
        if (mm)
            mm->counted = l->look;
    }
}

// Where what is shared counts more than once, what a single process has says whether that is enough.
static bool is_sure(const struct found *f, bool exact) { return exact || !is_over(f) || f->least > f->max; }

// True: somebody was ended.
static bool end_worst(struct found *f, bool exact, uint64_t killed_at) {
    bool waits = mono_ns() - killed_at < DYING_NS;
    if (!is_over(f) || !is_sure(f, exact) || !f->worst || (f->dying && waits))
        return false;
    log_info("memory: %llu bytes of %llu: process %d ends", (unsigned long long)f->used,
             (unsigned long long)f->max, f->worst->pid);
    tgroup_blame(f->worst, END_MEMORY);
    signal_kill(f->worst);
    return true;
}

// True: somebody was ended.
static bool end_worst_of_part(struct limit_part *p, struct found *f, bool exact) {
    p->used = f->used;
    if (is_sure(f, exact) && f->used > atomic_load(&p->peak))
        atomic_store(&p->peak, f->used);
    if (!end_worst(f, exact, p->killed_at))
        return false;
    p->killed_at = mono_ns();
    atomic_fetch_add(&p->kills, 1);
    return true;
}

static uint64_t left_of(const struct found *f) {
    if (!f->max)
        return UINT64_MAX;
    return f->max > f->used ? f->max - f->used : 0;
}

static void take_memory(struct limits *l, const struct report_memory *m) {
    struct all_found *f = &l->found;
    *f = (struct all_found){.all = {.used = vfs_memory_used(l->k->vfs), .max = l->max.memory}};
    for (unsigned i = 0; i < LIMIT_PARTS; i++)
        f->parts[i].max = atomic_load(&l->parts[i].number) ? atomic_load(&l->parts[i].memory) : 0;
    bool over, ended = false;
    uint64_t left;
    {
        LOCKED(&l->k->tasks_lock);
        count_all(l, m, f);
        over = is_over(&f->all);
        left = left_of(&f->all);
        for (unsigned i = 0; i < LIMIT_PARTS; i++) {
            uint64_t its = left_of(&f->parts[i]);
            ended |= end_worst_of_part(&l->parts[i], &f->parts[i], m->exact);
            over |= is_over(&f->parts[i]);
            left = its < left ? its : left;
        }
        if (!ended && end_worst(&f->all, m->exact, l->killed_at)) {
            ended = true;
            l->killed_at = mono_ns();
            atomic_fetch_add(&l->kills, 1);
        }
    }
    if (over && !ended && !m->exact) {
        ask(l, true);
        return;
    }
    l->peak = f->all.used > l->peak ? f->all.used : l->peak;
    l->took = mono_ns() - l->asked_at;
    look_later(l, f->all.used, left);
}

static void on_report(struct hostevent_source *source) {
    struct limits *l = container_of(source, struct limits, source);
    struct report_memory *m = &l->reply.memory;
    ssize_t n = read(l->fd, m, sizeof l->reply);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < (ssize_t)sizeof *m || m->kind != REPORT_MEMORY || m->n > REPORT_PROCESSES_MAX ||
        (size_t)n != sizeof *m + m->n * sizeof m->of[0]) {
        hostevent_remove(l->k->events, l->fd);  // the supervisor has gone, and all ends with it
        return;
    }
    take_memory(l, m);
}

// The container of a pod that looks; NULL: none.
static const struct limit_part *reader(struct limits *l) {
    return task_current ? limits_part(l, task_current->tg->member) : NULL;
}

void limits_show(struct kernel *k, struct limits_shown *out) {
    struct limits *l = k->limits;
    *out = (struct limits_shown){.memory = atomic_load(&l->memory_max),
                                 .pids = atomic_load(&l->pids),
                                 .cpus_milli = l->max.cpus_milli,
                                 .refused_pids = atomic_load(&l->refused_pids),
                                 .memory_kills = atomic_load(&l->kills)};
    const struct limit_part *p = reader(l);
    uint64_t memory = p ? atomic_load(&p->memory) : 0, pids = p ? atomic_load(&p->pids) : 0;
    out->memory = memory ? memory : out->memory;
    out->pids = pids ? pids : out->pids;
    out->memory_kills = p ? atomic_load(&p->kills) : out->memory_kills;
}
uint64_t limits_memory_used(struct kernel *k) {
    const struct limit_part *p = k->limits ? reader(k->limits) : NULL;
    uint64_t its = p ? atomic_load(&p->used) : 0;
    if (its)
        return its;
    return k->limits ? k->limits->used : 0;
}

// ---- Life -------------------------------------------------------------------------------------------------
void limits_change(struct kernel *k, const struct sentry_limits *max) {
    struct limits *l = k->limits;
    l->max.memory = max->memory;
    atomic_store(&l->memory_max, max->memory);
    l->max.pids = max->pids;
    atomic_store(&l->pids, max->pids);
    atomic_store(&k->mem_total, max->memory && max->memory < k->machine ? max->memory : k->machine);
    limits_watch(l);
}
void limits_get(struct kernel *k, struct sentry_limits *max) { *max = k->limits->max; }

int limits_open(struct kernel *k, const struct sentry_limits *max, int report_fd, bool in_memory) {
    struct limits *l = k->limits = znew(struct limits);
    if (!l)
        return -LINUX_ENOMEM;
    l->k = k;
    l->max = *max;
    l->fd = report_fd;
    l->source.ready = on_report;
    l->pool.over = on_promise;
    ktimer_init(&k->timers, &l->timeout, on_timeout);
    ktimer_init(&k->timers, &l->cpu, on_cpu);
    ktimer_init(&k->timers, &l->memory, on_look);
    ktimer_init(&k->timers, &l->insists, on_insists);
    l->use = (struct vfs_use){.max_disk = max->disk,
                              .max_files = max->files,
                              .max_output = max->output,
                              .insists = files_insist,
                              .owner = l};
    vfs_set_use(k->vfs, &l->use, in_memory);
    limits_change(k, max);
    uint64_t half = k->mem_total / 2;  // as a tmpfs of Linux has it, here for all together
    vfs_limit_memory(k->vfs, in_memory && max->disk && max->disk < half ? max->disk : half,
                     in_memory ? max->files : 0);
    vfs_buffers(k->vfs)->max = max->memory / BUFFERS_PART;
    k->nets.un.buffers = k->nets.hub.buffers = vfs_buffers(k->vfs);
    return report_fd < 0 ? 0 : hostevent_add(k->events, report_fd, &l->source);
}

void limits_start(struct kernel *k) {
    struct limits *l = k->limits;
    l->started = mono_ns();
    if (l->max.timeout_ns)
        ktimer_set(&l->timeout, mono_ns() + l->max.timeout_ns);
    if (l->max.cpu_ns)
        on_cpu(&l->cpu);
}

struct vfs_use *limits_use(struct kernel *k) {
    return &k->limits->use;
}
struct mem_pool *limits_pool(struct kernel *k) {
    struct limits *l = k->limits;  // without a limit, and nobody who could set one later, nothing is summed
    return l && (l->max.memory || k->control) ? &l->pool : NULL;
}

void limits_stop(struct limits *l) {
    struct ktimer *const timers[] = {&l->timeout, &l->cpu, &l->memory, &l->insists};
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++)
        ktimer_cancel_sync(timers[i]);
}
void limits_free(struct limits *l) {
    if (l->fd >= 0)
        close(l->fd);
    free(l);
}

uint32_t limits_cause(int wait_status, uint32_t blamed) {
    if ((wait_status & 0x7f) == 0)
        return END_EXITED;
    return blamed ? blamed : END_SIGNAL;
}

void limits_report(struct kernel *k) {
    struct limits *l = k->limits;
    if (l->fd < 0)
        return;
    struct report_end m = {.kind = REPORT_END,
                           .cause = limits_cause(k->exit_status, k->end_cause),
                           .wait_status = (uint32_t)k->exit_status & 0xffff,
                           .memory_kills = atomic_load(&l->kills),
                           .memory_peak = l->peak,
                           .wall_ns = l->started ? mono_ns() - l->started : 0,
                           .cpu_ns = k->cpu_ns_gone,
                           .refused_pids = atomic_load(&l->refused_pids),
                           .refused_disk = atomic_load(&l->use.refused),
                           .written = atomic_load(&l->use.written)};
    for (int i = 0; i < 2; i++)
        m.output[i] = (struct report_output){atomic_load(&l->use.output[i].total),
                                             atomic_load(&l->use.output[i].passed)};
    if (write(l->fd, &m, sizeof m) < 0)
        log_info("the report of the end is lost: error %d", errno);
}
