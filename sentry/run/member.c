// SPDX-License-Identifier: Apache-2.0
// See member.h. The message is read once from the control socket's own buffer; whoever sent it is the user
// who started the sandbox, and what counts is checked all the same.
#include "sentry/run/member.h"
#include "abi/errno.h"
#include "abi/misc.h"
#include "base/cleanup.h"
#include "base/errtext.h"
#include "base/fault.h"
#include "fs/goferfs/client.h"
#include "fs/hostfd.h"
#include "fs/mnt_ns.h"
#include "fs/vfs.h"
#include "sentry/kernel.h"
#include "sentry/proc/task_impl.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/user_ns.h"
#include "sentry/proc/uts_ns.h"
#include "sentry/run/controlexec.h"
#include "sentry/run/impl.h"
#include "sentry/run/limits.h"
#include "sentry/run/mounts.h"
#include "sentry/run/run.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/sentry.h"
#include "sentry/signal/signal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- The message ------------------------------------------------------------------------------------------
struct parts {
    const struct control_container *head;
    struct sentry_mount *mounts;  // owned; its strings are the message's
    const void *insns;            // 8 bytes each
    struct exec_request *exec;    // owned
};

static const char *next_string(const char **p, const char *end) {
    const char *s = *p, *nul = memchr(s, '\0', (size_t)(end - s));
    if (!nul)
        return NULL;
    *p = nul + 1;
    return s;
}

static bool read_mount(struct sentry_mount *to, const struct control_mount *m, const char **p,
                       const char *end) {
    const unsigned flags = LINUX_MS_RDONLY | LINUX_MS_NOSUID | LINUX_MS_NODEV | LINUX_MS_NOEXEC;
    *to = (struct sentry_mount){.kind = (enum sentry_mount_kind)m->kind,
                                .flags = m->flags & flags,
                                .root = m->root,
                                .is_dir = m->is_dir,
                                .copy_up = m->copy_up,
                                .mode = m->mode & 07777,
                                .uid = m->uid,
                                .gid = m->gid,
                                .ptmxmode = m->ptmxmode & 0777,
                                .size = m->size};
    to->target = next_string(p, end);
    to->source = to->target ? next_string(p, end) : NULL;
    return m->kind <= SENTRY_RDONLY && to->source && to->target[0] == '/';
}

static bool ends_inside(const char *text, size_t size) { return memchr(text, '\0', size); }

// Where its parts are; false: it is not what it says.
static bool parts_read(struct parts *x, const void *message, size_t n) {
    const struct control_container *h = x->head = message;
    if (n < sizeof *h || h->nmounts > CONTROL_MOUNTS_MAX || h->ninsns > LINUX_BPF_MAXINSNS ||
        h->process % 8 || !h->number || !ends_inside(h->hostname, sizeof h->hostname) ||
        !ends_inside(h->domainname, sizeof h->domainname))
        return false;
    size_t mounts = h->nmounts * sizeof(struct control_mount), insns = (size_t)h->ninsns * 8;
    if (h->process > n || mounts + insns + h->process > n - sizeof *h || h->used > h->process)
        return false;
    const struct control_mount *m = (const void *)(h + 1);
    const char *p = (const char *)(h + 1) + mounts + insns + h->process, *end = (const char *)message + n;
    x->insns = (const char *)(h + 1) + mounts;
    x->mounts = xcalloc(h->nmounts + 1, sizeof *x->mounts);
    x->exec = x->mounts ? controlexec_read((const char *)x->insns + insns, h->used) : NULL;
    for (uint32_t i = 0; x->exec && i < h->nmounts; i++)
        if (!read_mount(&x->mounts[i], &m[i], &p, end))
            return false;
    return x->exec && p == end && !x->exec->process.more_fds;
}

static void parts_free(struct parts *x) {
    free(x->mounts);
    controlexec_free(x->exec);
}

// ---- What it has ------------------------------------------------------------------------------------------
static int make_filter(struct member *m, const struct parts *x) {
    uint32_t n = x->head->ninsns;
    if (!n)
        return 0;
    struct linux_sock_filter *insns cleanup_free = xcalloc(n, sizeof *insns);
    if (!insns)
        return -LINUX_ENOMEM;
    memcpy(insns, x->insns, n * sizeof *insns);
    return seccomp_filter_make(insns, n, x->head->log, &m->filter);
}

static int make_names(struct kernel *k, struct member *m, const struct parts *x) {
    struct uts_ns *uts = uts_ns_new(k->vfs, 0, &k->user_ns->ns);
    m->proxy = uts ? nsproxy_copy(k->nsproxy) : NULL;
    if (!m->proxy) {
        if (uts)
            ns_put(&uts->ns);
        return -LINUX_ENOMEM;
    }
    const char *host = x->head->hostname[0] ? x->head->hostname : k->uts->hostname;
    const char *domain = x->head->domainname[0] ? x->head->domainname : k->uts->domainname;
    snprintf(uts->hostname, sizeof uts->hostname, "%s", host);
    snprintf(uts->domainname, sizeof uts->domainname, "%s", domain);
    nsproxy_set(m->proxy, NS_UTS, &uts->ns);
    return 0;
}

static int make_files(struct kernel *k, struct member *m, const struct parts *x) {
    const struct sentry_config c = {.write_through = !x->head->in_memory,
                                    .root_readonly = x->head->readonly,
                                    .mounts = x->mounts,
                                    .nmounts = x->head->nmounts};
    gofer_client_on_sleep(m->gofer, run_worker_sleeps, k->platform);
    return mounts_make(k->vfs, m->gofer, &c, &m->ns);
}

void member_give_back(struct member *m) {
    if (m->main)
        tgroup_put(m->main);
    if (m->ns)
        mnt_ns_put(m->ns);
    nsproxy_put(m->proxy);
    seccomp_put(m->filter);
    gofer_client_free(m->gofer);
    free(m);
}

// ---- Its program ------------------------------------------------------------------------------------------
void member_place(const struct member *m, struct outside_place *at) {
    *at = (struct outside_place){
        .ns = m->ns, .proxy = m->proxy, .filter = m->filter, .member = m->number, .role = OUTSIDE_EXEC};
}

static int load(struct kernel *k, struct member *m, const struct sentry_process *p, const int stdio[3],
                char *text, size_t size) {
    struct outside_place at;
    int err;
    member_place(m, &at);
    at.role = OUTSIDE_LEADS;
    struct task *t = outside_new(k, p, stdio, 0, &at, &err);
    if (!t) {
        snprintf(text, size, "working directory %.180s, or no memory", p->cwd);
        return err;
    }
    err = outside_load(t, p);
    if (err != (int)SYS_FLUSH) {
        outside_failed(p, err, text, size);
        hostfd_forget_terminals(t->tg);
        task_die(t, LINUX_SIGKILL);
        return err;
    }
    m->main = tgroup_get(t->tg);
    m->first = t;
    return 0;
}

static int make(struct kernel *k, const struct parts *x, int gofer, const int stdio[3], struct member **out,
                char *text, size_t size) {
    struct member *m = znew(struct member);
    if (m)
        m->gofer = gofer_client_open(gofer);
    int err = m && m->gofer ? 0 : -LINUX_ENOMEM;
    if (err < 0) {
        close(gofer);
        free(take_ptr(m));
    } else {
        m->number = x->head->number;
        err = make_filter(m, x);
        err = err < 0 ? err : make_names(k, m, x);
        err = err < 0 ? err : make_files(k, m, x);
    }
    snprintf(text, size, "its file systems or its filter cannot be made: %s", linux_strerror(-err));
    if (err == 0)
        err = load(k, m, &x->exec->process, stdio, text, size);  // the stdio is its now
    else
        for (int i = 0; i < 3; i++)
            close(stdio[i]);
    if (err == 0)
        limits_join(k, m->number, x->head->memory, x->head->pids);
    if (err == 0)
        *out = m;
    else if (m)
        member_give_back(m);
    return err;
}

bool member_make(struct kernel *k, const void *message, size_t n, int gofer, const int stdio[3],
                 struct member **out, int *err, char *text, size_t size) {
    struct parts x __attribute__((cleanup(parts_free))) = {0};
    if (!parts_read(&x, message, n))
        return false;
    *err = make(k, &x, gofer, stdio, out, text, size);
    return true;
}

// ---- Its end ----------------------------------------------------------------------------------------------
bool member_alive(const struct member *m) {
    LOCKED(&m->main->k->tasks_lock);
    return m->main->state == TG_ALIVE;
}

void member_kill(struct kernel *k, uint64_t number) {
    for (int pid = 1; pid < k->pid_end; pid++)
        if (k->tgs[pid] && k->tgs[pid]->member == number && k->tgs[pid]->state == TG_ALIVE)
            signal_kill(k->tgs[pid]);
}

void member_end(struct kernel *k, struct member *m) {
    struct task *first = take_ptr(m->first);
    {
        LOCKED(&k->tasks_lock);
        member_kill(k, m->number);
    }
    if (first)
        run_first_exec(first);  // as far as its first instruction, where it finds its end
    limits_leave(k, m->number);
    member_give_back(m);
}
