// SPDX-License-Identifier: Apache-2.0
// See outside.h. Called by boot.c for the main process, before there are threads, and by hostcontrol.c on the
// event thread for those of exec.
#include "sentry/run/outside.h"
#include "abi/caps.h"
#include "base/cleanup.h"
#include "base/errtext.h"
#include "base/log.h"
#include "fs/hostfd.h"
#include "fs/use.h"
#include "fs/mnt_ns.h"
#include "fs/vfs.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/loader/exec.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/user_ns.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/jobctl.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/task_impl.h"
#include "sentry/proc/uts_ns.h"
#include "sentry/run/limits.h"
#include "sentry/run/run.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/sentry.h"
#include "sentry/signal/signal.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// ---- What a process begins with ---------------------------------------------------------------------------
static uint64_t lower(uint64_t a, rlim_t b) { return b != RLIM_INFINITY && b < a ? b : a; }

// Where the caller's are lower, the caller's: init's, which sessions take over.
static void init_limits(struct tgroup *init, const struct process_inherited *was) {
    for (int i = 0; i < LINUX_RLIM_NLIMITS; i++) {
        init->rlimits[i].rlim_cur = lower(init->rlimits[i].rlim_cur, was->limits[i].rlim_cur);
        init->rlimits[i].rlim_max = lower(init->rlimits[i].rlim_max, was->limits[i].rlim_max);
    }
}

static void set_limits(struct tgroup *g, const struct sentry_process *p) {
    memcpy(g->rlimits, g->k->init->rlimits, sizeof g->rlimits);
    for (int i = 0; i < LINUX_RLIM_NLIMITS; i++)
        if (p->limits_set >> i & 1)
            g->rlimits[i] = (struct linux_rlimit64){p->limits[i].cur, p->limits[i].max};
}

// What the caller ignores (nohup(1), a shell's background jobs) the program ignores too, as after any exec.
static void set_dispositions(struct tgroup *g, uint64_t ignored) {
    for (int sig = 1; sig <= 64; sig++)
        if (ignored & SIGBIT(sig))
            g->sighand->action[sig - 1].sa_handler = LINUX_SIG_IGN;
}

static void set_caps(struct cred *cred, const struct sentry_process *p) {
    cred->cap_bounding = LINUX_CAP_ALL;
    if (!p->has_caps) {
        cred->cap_permitted = cred->cap_effective = p->uid == 0 ? LINUX_CAP_ALL : 0;
        return;
    }
    const uint64_t *caps = p->caps;
    cred->cap_bounding = caps[SENTRY_CAP_BOUNDING] & LINUX_CAP_ALL;
    cred->cap_permitted = caps[SENTRY_CAP_PERMITTED] & LINUX_CAP_ALL;
    cred->cap_effective = caps[SENTRY_CAP_EFFECTIVE] & cred->cap_permitted;
    cred->cap_inheritable = caps[SENTRY_CAP_INHERITABLE] & LINUX_CAP_ALL;
    cred->cap_ambient = caps[SENTRY_CAP_AMBIENT] & cred->cap_permitted & cred->cap_inheritable;
}

static struct cred *new_cred(struct kernel *k, const struct sentry_process *p) {
    struct cred *cred = cred_dup(NULL, p->ngroups);
    if (!cred)
        return NULL;
    cred->user = user_ns_get(k->user_ns);
    cred->uid = cred->euid = cred->suid = cred->fsuid = p->uid;
    cred->gid = cred->egid = cred->sgid = cred->fsgid = p->gid;
    if (p->ngroups)
        memcpy(cred->groups, p->groups, p->ngroups * sizeof cred->groups[0]);
    cred_sort_groups(cred);
    cred->no_new_privs = p->no_new_privs;
    set_caps(cred, p);
    return cred;
}

// Takes over all of them, also when it fails.
static int set_files(struct task *t, const int *fds, int n) {
    struct hostfd_stdio of = {.owner = t->tg};
    int err = t->files ? 0 : -LINUX_ENOMEM;
    for (int fd = 0; fd < n; fd++) {
        struct file *f;
        if (fds[fd] < 0)
            continue;
        if (err < 0) {
            close(fds[fd]);
            continue;
        }
        int one = hostfd_open(t->k->vfs, fds[fd], &of, &f);
        if (one == 0) {
            if (fd == 1 || fd == 2)
                hostfd_count(f, &limits_use(t->k)->output[fd - 1]);
            one = fd_replace(t->files, f, fd, 1024, false);
            file_put(f);
        }
        err = one < 0 ? one : 0;
    }
    return err;
}

// With its parents; what cannot be made the walk to it tells.
static void make_directory(struct vfs_ctx *ctx, const char *path) {
    char text[LINUX_PATH_MAX];
    if ((size_t)snprintf(text, sizeof text, "%s", path) >= sizeof text)
        return;
    for (char *p = text + 1; (p = strchr(p, '/')); *p++ = '/') {
        *p = '\0';
        vfs_mkdir(ctx, NULL, text, 0755);
    }
    vfs_mkdir(ctx, NULL, text, 0755);
}

static int set_fs(struct task *t, const struct sentry_process *p, struct mnt_ns *ns, bool makes_cwd) {
    struct path root = mnt_ns_root(ns), cwd;
    if (!root.mnt)
        return -LINUX_ENOENT;
    struct vfs_ctx ctx = {
        .vfs = t->k->vfs, .cred = {.caps = LINUX_CAP_ALL}, .root = root, .cwd = root, .fsize_limit = ~0ull};
    int err = vfs_walk(&ctx, NULL, p->cwd, WALK_FOLLOW | WALK_DIRECTORY, &cwd);
    if (err == -LINUX_ENOENT && makes_cwd) {  // of a container it is made where it is missing
        make_directory(&ctx, p->cwd);
        err = vfs_walk(&ctx, NULL, p->cwd, WALK_FOLLOW | WALK_DIRECTORY, &cwd);
    }
    if (err < 0 && !p->cwd_wanted)
        err = vfs_walk(&ctx, NULL, "/", WALK_FOLLOW, &cwd);
    if (err < 0) {
        log_error("working directory %s: %s", p->cwd, linux_strerror(-err));
    } else {
        t->fs = fs_ctx_new(ns, &root, &cwd, p->umask);
        err = t->fs ? 0 : -LINUX_ENOMEM;
        path_put(&cwd);
    }
    path_put(&root);
    return err;
}

int outside_init(struct kernel *k, const struct process_inherited *was) {
    struct path root;
    int err = vfs_root(k->vfs, &root);
    if (err < 0)
        return err;
    struct task *init = k->init->leader;
    init_limits(k->init, was);
    init->fs = fs_ctx_new(vfs_first_ns(k->vfs), &root, &root, 022);
    init->files = fdtable_new();
    path_put(&root);
    return init->fs && init->files ? 0 : -LINUX_ENOMEM;
}

// ---- The process ------------------------------------------------------------------------------------------
void outside_first(const struct kernel *k, enum outside_role role, struct outside_place *at) {
    *at = (struct outside_place){
        .ns = vfs_first_ns(k->vfs), .proxy = k->nsproxy, .filter = k->first_filter, .role = role};
}

static int set_parts(struct task *t, const struct sentry_process *p, const int *fds, uint64_t ignored,
                     const struct outside_place *at) {
    struct tgroup *g = t->tg;
    g->member = at->member;
    g->leads_member = at->role == OUTSIDE_LEADS;
    g->sighand = sighand_new();
    t->nsproxy = nsproxy_get(at->proxy);
    t->cred = new_cred(t->k, p);
    t->files = fdtable_new();
    t->altstack.ss_flags = LINUX_SS_DISABLE;
    t->timer_slack = t->timer_slack_default = 50000;
    g->exit_signal = LINUX_SIGCHLD;
    g->oom_score_adj = p->oom_score_adj;
    set_limits(g, p);
    seccomp_begin(t, at->filter);
    int err = set_files(t, fds, 3 + (int)p->more_fds);
    if (!g->sighand || !t->cred)
        return -LINUX_ENOMEM;
    set_dispositions(g, ignored);
    return err < 0 ? err : set_fs(t, p, at->ns, p->cwd_made || at->role == OUTSIDE_LEADS);
}

static int publish(struct task *t, bool main) {
    struct tgroup *g = t->tg;
    struct kernel *k = t->k;
    LOCKED(&k->tasks_lock);
    int32_t pid = main && k->init->pid == 0 ? 1 : pid_reserve(k);
    if (atomic_load(&k->shutting_down))
        pid = -LINUX_ESRCH;
    if (pid < 0)
        return pid;
    g->pid = pid;
    g->leader = t;
    g->parent = k->init;
    list_add_tail(&k->init->children, &g->sibling);
    k->tgs[pid] = g;
    if (main)
        k->main = tgroup_get(g);
    task_publish(t, pid);
    {
        LOCKED(&g->sig_lock);
        cpu_timers_limit(g);
    }
    return tgroup_setsid(g) < 0 ? -LINUX_ENOMEM : 0;
}

static void set_tty(struct task *t) {
    for (int fd = 0; fd < 3; fd++) {
        struct file *f cleanup_file = fd_get(t->files, fd);
        struct ctty *c = f ? hostfd_terminal(f) : NULL;
        if (!c)
            continue;
        jobctl_first_terminal(t, c);
        return;
    }
}

static void discard(struct task *t) {
    struct tgroup *g = t->tg;
    hostfd_forget_terminals(g);
    if (g->pid > 0) {  // it is known already
        task_die(t, LINUX_SIGKILL);
        return;
    }
    task_drop_parts(t);
    task_put(t);
    tgroup_put(g);
}

struct task *outside_new(struct kernel *k, const struct sentry_process *p, const int *fds, uint64_t ignored,
                         const struct outside_place *at, int *err) {
    struct tgroup *g = tgroup_alloc(k, k->pid_ns);
    struct task *t = g ? task_alloc(k, g) : NULL;
    *err = -LINUX_ENOMEM;
    if (!t) {
        for (unsigned i = 0; i < 3 + p->more_fds; i++)
            if (fds[i] >= 0)
                close(fds[i]);
        if (g)
            tgroup_put(g);
        return NULL;
    }
    *err = set_parts(t, p, fds, ignored, at);
    if (*err == 0)
        *err = publish(t, at->role == OUTSIDE_MAIN);
    if (*err < 0) {
        discard(t);
        return NULL;
    }
    set_tty(t);
    return t;
}

// ---- Its program ------------------------------------------------------------------------------------------
static const char *env_path(char *const *envp) {
    for (; *envp; envp++)
        if (!strncmp(*envp, "PATH=", 5))
            return *envp + 5;
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

static int try_exec(struct task *t, const struct sentry_process *p, const char *path) {
    struct exec_args args = {0};
    int err = 0;
    for (char *const *a = p->argv; *a && err == 0; a++)
        err = exec_args_add(&args, *a, false);
    for (char *const *e = p->envp; *e && err == 0; e++)
        err = exec_args_add(&args, *e, true);
    if (err < 0) {
        exec_args_free(&args);
        return err;
    }
    return (int)do_exec(t, NULL, path, 0, &args);
}

// As execvp(3): a name without a slash is looked for in PATH; EACCES is remembered while the search goes on.
int outside_load(struct task *t, const struct sentry_process *p) {
    const char *name = p->argv[0];
    if (strchr(name, '/') || !*name)
        return try_exec(t, p, name);
    int result = -LINUX_ENOENT;
    const char *dir = env_path(p->envp);
    for (unsigned i = 0;; i++) {
        size_t n = strcspn(dir, ":");
        char path[LINUX_PATH_MAX];
        int len = snprintf(path, sizeof path, "%.*s%s%s", (int)n, dir, n ? "/" : "", name);
        if (i >= p->path_skip && len > 0 && (size_t)len < sizeof path) {
            int err = try_exec(t, p, path);
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

int outside_failed(const struct sentry_process *p, int err, char *text, size_t size) {
    bool missing = err == -LINUX_ENOENT || err == -LINUX_ENOTDIR;
    bool searched = missing && !strchr(p->argv[0], '/');
    snprintf(text, size, "%.200s: %s", p->argv[0],
             searched ? "executable file not found in $PATH" : linux_strerror(-err));
    return missing ? SENTRY_EXIT_NO_FILE : SENTRY_EXIT_NO_EXEC;
}
