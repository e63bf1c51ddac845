// SPDX-License-Identifier: Apache-2.0
// From a configuration to a running sandbox and back: platform, file systems, kernel, the first process, the
// threads; then the teardown that proves nothing leaked. Called once, by the process that oci/ forked for it.
//
// Order matters: the platform first, while the process has one thread and knows no secrets (stubs are forked
// from it); then everything that needs host calls which the filter forbids; then the filter; then the guest.
#include "abi/caps.h"
#include "abi/misc.h"
#include "abi/syscalls.h"
#include "base/cleanup.h"
#include "base/errtext.h"
#include "base/fault.h"
#include "base/fdcharge.h"
#include "base/log.h"
#include "fs/goferfs/client.h"
#include "fs/hostfd.h"
#include "host/confine.h"
#include "sentry/fd/fdtable.h"
#include "sentry/hostfilter/hostfilter.h"
#include "sentry/kernel.h"
#include "sentry/loader/exec.h"
#include "sentry/mm/mm.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/jobctl.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/task_impl.h"
#include "sentry/procfs/procfs.h"
#include "sentry/run/hostevent.h"
#include "sentry/run/run.h"
#include "sentry/sentry.h"
#include "sentry/signal/signal.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int fail(const char *what, int64_t err) {
    log_error("%s: %s", what, linux_strerror((int)-err));
    return SENTRY_EXIT_FAILED;
}

// ---- File systems -----------------------------------------------------------------------------------------
static struct vfs_ctx root_ctx(struct vfs *vfs, const struct path *root) {
    return (struct vfs_ctx){.vfs = vfs, .cred = {.caps = LINUX_CAP_ALL}, .root = *root, .cwd = *root,
                            .fsize_limit = ~0ull};
}

// Mounts sb (taken over) at `where`; the place is made when it is missing, with its parents.
static int mount_at(struct vfs *vfs, const struct path *root, const char *where, struct superblock *sb,
                    unsigned flags, const char *source, bool dir) {
    struct vfs_ctx ctx = root_ctx(vfs, root);
    char text[LINUX_PATH_MAX];
    if (strlen(where) >= sizeof text)
        return -LINUX_ENAMETOOLONG;
    strcpy(text, where);
    for (char *p = text + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        vfs_mkdir(&ctx, NULL, text, 0755);  // what is there already is fine; the walk below judges
        *p = '/';
    }
    if (dir)
        vfs_mkdir(&ctx, NULL, where, 0755);
    else
        vfs_mknod(&ctx, NULL, where, LINUX_S_IFREG | 0644, 0, NULL);
    struct path at;
    int err = vfs_walk(&ctx, NULL, where, WALK_FOLLOW, &at);
    if (err < 0)
        return err;
    err = vfs_mount(vfs, sb, &at, flags, source);
    path_put(&at);
    return err;
}

static int mount_root(struct vfs *vfs, struct gofer_client *gofer) {
    struct superblock *lower, *upper, *root;
    int err = goferfs_create(vfs, gofer, 0, true, &lower);
    if (err < 0)
        return err;
    err = tmpfs_create(vfs, &(struct tmpfs_opts){.mode = 0755}, &upper);
    if (err == 0)
        err = overlay_create(vfs, lower, upper, &root);
    return err < 0 ? err : vfs_mount(vfs, root, NULL, 0, "overlay");
}

static int mount_tmpfs(struct vfs *vfs, const struct path *root, const char *where, uint32_t mode) {
    struct superblock *sb;
    int err = tmpfs_create(vfs, &(struct tmpfs_opts){.mode = mode}, &sb);
    return err < 0 ? err : mount_at(vfs, root, where, sb, LINUX_MS_NOSUID | LINUX_MS_NODEV, "tmpfs", true);
}

// As systemd and container engines mount it; group 5 is "tty".
static int mount_devpts(struct vfs *vfs, const struct path *root) {
    static const struct devpts_opts opts = {.uid = DEVPTS_OWNER, .gid = 5, .mode = 0620, .ptmxmode = 0666};
    struct superblock *sb;
    int err = devpts_create(vfs, &opts, &sb);
    return err < 0 ? err
                   : mount_at(vfs, root, "/dev/pts", sb, LINUX_MS_NOSUID | LINUX_MS_NOEXEC, "devpts", true);
}

static int mount_devices(struct vfs *vfs, const struct path *root) {
    struct superblock *dev;
    int err = devfs_create(vfs, &dev);
    if (err < 0)
        return err;
    err = mount_at(vfs, root, "/dev", dev, LINUX_MS_NOSUID, "dev", true);
    if (err < 0)
        return err;
    err = mount_devpts(vfs, root);
    return err < 0 ? err : mount_tmpfs(vfs, root, "/dev/shm", 01777);
}

static int mount_proc(struct vfs *vfs, const struct path *root) {
    struct superblock *proc;
    int err = procfs_create(vfs, &proc);
    if (err < 0)
        return err;
    return mount_at(vfs, root, "/proc", proc, LINUX_MS_NOSUID | LINUX_MS_NODEV | LINUX_MS_NOEXEC, "proc",
                    true);
}

static int mount_system(struct vfs *vfs, const struct path *root) {
    int err = mount_devices(vfs, root);
    if (err < 0)
        return err;
    err = mount_proc(vfs, root);
    return err < 0 ? err : mount_tmpfs(vfs, root, "/sys", 0555);  // LIMIT: /sys is empty
}

static int mount_binds(struct vfs *vfs, const struct path *root, struct gofer_client *gofer,
                       const struct sentry_config *c) {
    for (unsigned i = 0; i < c->nbinds; i++) {
        const struct sentry_bind *b = &c->binds[i];
        struct superblock *sb;
        int err = goferfs_create(vfs, gofer, b->root, !b->writable, &sb);
        if (err == 0) {
            goferfs_follow_host(sb);
            err = mount_at(vfs, root, b->guest, sb, b->writable ? 0 : LINUX_MS_RDONLY, "bind", b->is_dir);
        }
        if (err < 0) {
            log_error("--bind: %s: %s", b->guest, linux_strerror(-err));
            return err;
        }
    }
    return 0;
}

static int mount_all(struct vfs *vfs, struct gofer_client *gofer, const struct sentry_config *c) {
    int err = mount_root(vfs, gofer);
    if (err < 0)
        return err;
    struct path root;
    err = vfs_root(vfs, &root);
    if (err < 0)
        return err;
    err = mount_system(vfs, &root);
    if (err == 0)
        err = mount_binds(vfs, &root, gofer, c);
    path_put(&root);
    return err;
}

// ---- The first process ------------------------------------------------------------------------------------
static uint64_t lower(uint64_t a, rlim_t b) { return b != RLIM_INFINITY && b < a ? b : a; }

// Where the caller's are lower, the caller's: for the first process, and for init, whose limits sessions take
// over.
static void first_limits(struct tgroup *init, const struct process_inherited *was) {
    for (int i = 0; i < LINUX_RLIM_NLIMITS; i++) {
        init->rlimits[i].rlim_cur = lower(init->rlimits[i].rlim_cur, was->limits[i].rlim_cur);
        init->rlimits[i].rlim_max = lower(init->rlimits[i].rlim_max, was->limits[i].rlim_max);
    }
}

// What the caller ignores (nohup(1), a shell's background jobs) the program ignores too, as after any exec.
static void first_dispositions(struct tgroup *g, uint64_t ignored) {
    for (int sig = 1; sig <= 64; sig++)
        if (ignored & SIGBIT(sig))
            g->sighand->action[sig - 1].sa_handler = LINUX_SIG_IGN;
}

static struct cred *first_cred(const struct sentry_config *c) {
    struct cred *cred = cred_dup(NULL, c->ngroups);
    if (!cred)
        return NULL;
    cred->uid = cred->euid = cred->suid = cred->fsuid = c->uid;
    cred->gid = cred->egid = cred->sgid = cred->fsgid = c->gid;
    if (c->ngroups)
        memcpy(cred->groups, c->groups, c->ngroups * sizeof cred->groups[0]);
    cred->cap_bounding = LINUX_CAP_ALL;
    if (c->uid == 0)
        cred->cap_permitted = cred->cap_effective = LINUX_CAP_ALL;
    return cred;
}

// Descriptors 0, 1, 2 of the sentry become the program's; those that are closed stay closed.
static int first_files(struct task *t, const struct sentry_config *c) {
    for (int fd = 0; fd < 3; fd++) {
        struct file *f;
        if (c->stdio_closed >> fd & 1)
            continue;
        // clear of the numbers that stdio functions take for granted
        int host = fcntl(fd, F_DUPFD_CLOEXEC, 64);
        if (host < 0)
            return -LINUX_EMFILE;
        int err = hostfd_open(t->k->vfs, host, &f);
        if (err == 0) {
            err = fd_replace(t->files, f, fd, 1024, false);
            file_put(f);
        }
        if (err < 0)
            return err;
    }
    return 0;
}

static int first_fs(struct task *t, const struct sentry_config *c) {
    struct path root, cwd;
    int err = vfs_root(t->k->vfs, &root);
    if (err < 0)
        return err;
    struct vfs_ctx ctx = root_ctx(t->k->vfs, &root);
    err = vfs_walk(&ctx, NULL, c->cwd, WALK_FOLLOW | WALK_DIRECTORY, &cwd);
    if (err < 0 && !c->cwd_wanted)
        err = vfs_walk(&ctx, NULL, "/", WALK_FOLLOW, &cwd);
    if (err < 0) {
        log_error("--cwd: %s: %s", c->cwd, linux_strerror(-err));
    } else {
        t->fs = fs_ctx_new(&root, &cwd, c->inherited->umask);
        err = t->fs ? 0 : -LINUX_ENOMEM;
        path_put(&cwd);
    }
    path_put(&root);
    return err;
}

// The built-in init has a place and a table as every process has, since programs look for them: /proc/1/root,
// fd/.
static int init_parts(struct kernel *k) {
    struct path root;
    int err = vfs_root(k->vfs, &root);
    if (err < 0)
        return err;
    struct task *init = k->init->leader;
    init->fs = fs_ctx_new(&root, &root, 022);
    init->files = fdtable_new();
    path_put(&root);
    return init->fs && init->files ? 0 : -LINUX_ENOMEM;
}

static struct task *first_task(struct kernel *k, const struct sentry_config *c) {
    struct tgroup *g = tgroup_alloc(k);
    struct task *t = g ? task_alloc(k, g) : NULL;
    if (!t)
        return NULL;
    g->sighand = sighand_new();
    t->cred = first_cred(c);
    t->files = fdtable_new();
    t->altstack.ss_flags = LINUX_SS_DISABLE;
    t->timer_slack = t->timer_slack_default = 50000;
    first_limits(k->init, c->inherited);
    memcpy(g->rlimits, k->init->rlimits, sizeof g->rlimits);
    if (!g->sighand || !t->cred || !t->files || first_fs(t, c) < 0 || first_files(t, c) < 0)
        return NULL;
    first_dispositions(g, c->inherited->ignored);
    g->exit_signal = LINUX_SIGCHLD;
    LOCKED(&k->tasks_lock);
    int32_t pid = pid_reserve(k);
    g->pid = pid;
    g->leader = t;
    g->parent = k->init;
    list_add_tail(&k->init->children, &g->sibling);
    k->tgs[pid] = g;
    k->main = g;
    task_publish(t, pid);
    {
        LOCKED(&g->sig_lock);
        cpu_timers_limit(g);
    }
    return tgroup_setsid(g) < 0 ? NULL : t;
}

// The session's terminal is the first of the stdio that is one.
static void first_tty(struct task *t) {
    for (int fd = 0; fd < 3; fd++) {
        struct file *f cleanup_file = fd_get(t->files, fd);
        struct ctty *c = f ? hostfd_terminal(f) : NULL;
        if (!c)
            continue;
        jobctl_first_terminal(t, c);
        return;
    }
}

static const char *env_path(char *const *envp) {
    for (; *envp; envp++)
        if (!strncmp(*envp, "PATH=", 5))
            return *envp + 5;
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

static int try_exec(struct task *t, const struct sentry_config *c, const char *path) {
    struct exec_args args = {0};
    int err = 0;
    for (char *const *a = c->argv; *a && err == 0; a++)
        err = exec_args_add(&args, *a, false);
    for (char *const *e = c->envp; *e && err == 0; e++)
        err = exec_args_add(&args, *e, true);
    if (err < 0) {
        exec_args_free(&args);
        return err;
    }
    return (int)do_exec(t, NULL, path, 0, &args);
}

// As execvp(3): a name without a slash is looked for in PATH; EACCES is remembered while the search goes on.
static int first_exec(struct task *t, const struct sentry_config *c) {
    const char *name = c->argv[0];
    if (strchr(name, '/') || !*name)
        return try_exec(t, c, name);
    int result = -LINUX_ENOENT;
    const char *dir = env_path(c->envp);
    for (;;) {
        size_t n = strcspn(dir, ":");
        char path[LINUX_PATH_MAX];
        int len = snprintf(path, sizeof path, "%.*s%s%s", (int)n, dir, n ? "/" : "", name);
        if (len > 0 && (size_t)len < sizeof path) {
            int err = try_exec(t, c, path);
            if (err != -LINUX_ENOENT && err != -LINUX_ENOTDIR && err != -LINUX_EACCES)
                return err;
            if (err == -LINUX_EACCES)
                result = err;
        }
        if (!dir[n])
            return result;
        dir += n + 1;
    }
}

static int exec_failed(const struct sentry_config *c, int err) {
    bool missing = err == -LINUX_ENOENT || err == -LINUX_ENOTDIR;
    log_error("%s: %s", c->argv[0],
              missing && !strchr(c->argv[0], '/') ? "not found in PATH" : linux_strerror(-err));
    return missing ? SENTRY_EXIT_NO_FILE : SENTRY_EXIT_NO_EXEC;
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
static void worker_sleeps(void *owner, bool begins) {
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

// The calling thread is a worker too (on ptrace it is the tracer).
static int run_threads(struct kernel *k, struct crew *crew) {
    pthread_t event;
    if (pthread_create(&event, NULL, events, k))
        return -LINUX_EAGAIN;
    crew_open(crew, k);
    run_worker(k);
    crew_close(crew);
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
    log_msg(LOG_ERROR, "sites: %llu patched, %llu of them beside other threads; %llu threads dispatched",
            (unsigned long long)s.patched, (unsigned long long)s.patched_shared,
            (unsigned long long)s.dispatched);
    log_msg(LOG_ERROR, "rings polled %llu times; %llu premaps; %llu long waits apart",
            (unsigned long long)s.polled, (unsigned long long)s.premapped, (unsigned long long)s.rested);
    log_msg(LOG_ERROR, "threads: %llu on kept host threads", (unsigned long long)s.renewed);
}

static void teardown(struct kernel *k, struct gofer_client *gofer) {
    struct platform *p = k->platform;
    struct vfs *vfs = k->vfs;
    struct hostevents *events = k->events;
    unsigned threads, spaces;
    bool clean = kernel_free(k);
    hostfd_forget_terminals();
    vfs_destroy(vfs);
    gofer_client_free(gofer);
    plat_count(p, &threads, &spaces);
    if (threads || spaces || !clean)
        log_error("leak: %u threads, %u address spaces", threads, spaces);
    plat_close(p);
    hostevent_close(events);
}

static int run(struct kernel *k, const struct sentry_config *c, struct crew *crew) {
    struct task *t = init_parts(k) < 0 ? NULL : first_task(k, c);
    if (!t)
        return SENTRY_EXIT_FAILED;
    first_tty(t);
    int err = first_exec(t, c);
    if (err != (int)SYS_FLUSH)
        return exec_failed(c, err);
    err = hostfilter_load(plat_name(k->platform));
    if (err < 0)
        return fail("seccomp filter of the sentry", err);
    malloc_trim(0);  // what the filter was made from
    run_first_exec(t);
    err = run_threads(k, crew);
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
static bool caller_dies(void) { return task_current && signal_dying(task_current); }

int sentry_run(const struct sentry_config *c) {
    char why[256];
    struct platform *platform;
    struct crew crew = {.lock = LOCK_INITIALIZER(RANK_LEAF)};
    int err = hostfilter_boot_clock();
    if (err < 0)
        return fail("time namespace", err);
    plat_prepare();
    long ncpus = sysconf(_SC_NPROCESSORS_ONLN);  // reads a file
    err = hostfilter_prepare();
    if (err < 0)
        return fail("giving up privileges", err);
    static bool needs_context[512];
    for (unsigned nr = 0; nr < 512; nr++) {
        const struct sysdesc *d = sysdesc(nr);
        needs_context[nr] = d && d->context == SYSCALL_REGS;
    }
    struct plat_config pc = {.kind = c->platform, .needs_context = needs_context, .guest = &kernel_guest_ops,
                             .another_waiter = another_worker, .waiters = &crew,
                             .plain_calls = c->plain_calls};
    err = plat_open(&pc, &platform, why, sizeof why);
    if (err < 0) {
        log_error("platform: %s", why);
        return SENTRY_EXIT_FAILED;
    }
    if (c->verbose) {
        log_msg(LOG_ERROR, "platform: %s", why);
        confine_describe(why, sizeof why);
        log_msg(LOG_ERROR, "confinement: %s", why);
    }
    struct vfs *vfs = vfs_create();
    struct gofer_client *gofer = gofer_client_open(c->gofer_sock);
    if (!vfs || !gofer)
        return fail("start", -LINUX_ENOMEM);
    vfs_set_caller_dies(vfs, caller_dies);
    gofer_client_on_sleep(gofer, worker_sleeps, platform);
    struct kernel *k = kernel_new(platform, vfs);
    if (!k)
        return fail("start", -LINUX_ENOMEM);
    err = hostevent_open(vfs, &k->timers, c->control_fd, c->stops_fd, &k->events);
    if (err < 0)
        return fail("event set", err);
    k->ncpus = (unsigned)ncpus;
    vfs_limit_memory(vfs, k->mem_total / 2);  // as a tmpfs of Linux has it, here for all together
    err = limit_descriptors();
    if (err < 0)
        return fail("descriptors", err);
    k->strace = c->strace;
    k->main_orphaned = c->inherited->orphaned;
    snprintf(k->hostname, sizeof k->hostname, "%s", c->hostname);
    jobctl_init();
    err = mount_all(vfs, gofer, c);
    if (err < 0)
        return fail("file systems", err);
    int status = run(k, c, &crew);
    if (c->verbose)
        show_stats(platform);
    if (k->ntasks == 0)
        teardown(k, gofer);
    else
        plat_close(platform);
    return status;
}
