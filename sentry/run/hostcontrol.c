// SPDX-License-Identifier: Apache-2.0
// See hostcontrol.h. Everything is served on the event thread, one message after the other; what is received
// is read once into the object's own buffer. Who connects is the user who started the sandbox (the socket
// lies in a directory of theirs), and is believed in what it wants, not in how it says it. A connection that
// breaks the protocol is closed, with its program.
//
// Locks: `lock` for the table of connections, which control_tell_end() reads on any thread. It is held for a
// look and for one send that does not wait.
#include "sentry/run/hostcontrol.h"
#include "abi/errno.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "fs/hostfd.h"
#include "fs/tty/ctty.h"
#include "sentry/control.h"
#include "sentry/kernel.h"
#include "sentry/link/link.h"
#include "sentry/proc/jobctl.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/task_impl.h"
#include "sentry/run/controlexec.h"
#include "sentry/run/hostevent.h"
#include "sentry/run/limits.h"
#include "sentry/run/member.h"
#include "sentry/run/outside.h"
#include "sentry/run/run.h"
#include "sentry/signal/signal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
    struct hostevent_source source;
    struct control *c;
    int fd;                       // -1: free
    struct tgroup *tg;            // [lock] whom it speaks for; owned; NULL: nobody (any more)
    struct member *member;        // the container that it brought; owned, or NULL
    uint64_t number;              // [lock] of the container that its requests concern; 0: the first
    bool speaks_for_main, waits;  // [lock]
};

// Descriptors that came with a message; whoever takes them sets n to 0.
struct gift {
    unsigned n;
    int fds[CONTROL_FDS];
};

struct control {
    struct lock lock;  // RANK_LEAF
    struct kernel *k;
    struct hostevent_source listener;
    int listen_fd;
    bool net_later;        // [c] a CONTROL_NET may come
    struct task *first;    // loaded and not started; borrowed
    bool ended;            // [lock] the main process
    uint32_t main_status;  // [lock]
    struct peer peers[CONTROL_PEERS];
    char buf[CONTROL_MAX];
};

// ---- Replies ----------------------------------------------------------------------------------------------
// Never waits: who does not read its replies loses them.
static void send_message(const struct peer *p, void *m, size_t n, enum control_kind kind) {
    struct control_head *head = m;
    *head = (struct control_head){kind, (uint32_t)n};
    struct iovec v = {m, n};
    const struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};
    if (sendmsg(p->fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        log_info("control: a reply is lost: error %d", errno);
}
static void reply_ok(const struct peer *p) {
    struct control_head m;
    send_message(p, &m, sizeof m, CONTROL_OK);
}
static void reply_failed(const struct peer *p, int error, const char *text) {
    struct control_failed m = {.error = -error};
    snprintf(m.text, sizeof m.text, "%s", text);
    send_message(p, &m, sizeof m, CONTROL_FAILED);
}
static void send_end(const struct peer *p, uint32_t status) {
    struct control_end m = {.wait_status = status};
    send_message(p, &m, sizeof m, CONTROL_END);
}
static void send_end_of_part(const struct peer *p, struct tgroup *g, uint32_t status) {
    const struct limits_of_part had = limits_tell_part(g->k, g->member);
    struct control_end m = {.wait_status = status,
                            .cause = limits_cause((int)status, atomic_load(&g->end_cause)),
                            .memory_kills = had.memory_kills,
                            .memory_peak = had.memory_peak};
    send_message(p, &m, sizeof m, CONTROL_END);
}

void control_tell_end(struct control *c, struct tgroup *g) {
    uint32_t status = (uint32_t)g->group_exit_code & 0xffff;
    bool main = g == g->k->main;
    LOCKED(&c->lock);
    if (main) {
        c->ended = true;
        c->main_status = status;
    }
    for (struct peer *p = c->peers; p < c->peers + CONTROL_PEERS; p++) {
        if (p->fd >= 0 && p->tg == g && g->leads_member)
            send_end_of_part(p, g, status);
        else if (p->fd >= 0 && (p->tg == g || (main && p->speaks_for_main) ||
                                (p->waits && p->number == g->member && (main || g->leads_member))))
            send_end(p, status);
    }
}

void control_ready(struct control *c, struct task *first) {
    struct control_head m;
    c->first = first;
    send_message(&c->peers[0], &m, sizeof m, CONTROL_READY);
}

// ---- Requests ---------------------------------------------------------------------------------------------
static void start(struct control *c) {
    limits_start(c->k);
    run_first_exec(take_ptr(c->first));
}

// The container that a peer's requests concern, NULL: the first one, or there is none of that number (any
// more).
static struct member *member_of(struct control *c, const struct peer *asks) {
    for (struct peer *p = c->peers; asks->number && p < c->peers + CONTROL_PEERS; p++)
        if (p->fd >= 0 && p->member && p->member->number == asks->number)
            return p->member;
    return NULL;
}

// Does its main program run no more?
static bool has_ended(struct control *c, const struct peer *p) {
    const struct member *m = member_of(c, p);
    if (c->ended || !p->number)
        return c->ended;
    return !m || !member_alive(m);
}

static struct tgroup *main_of(struct control *c, const struct peer *p) {
    const struct member *m = member_of(c, p);
    return m ? m->main : c->k->main;
}

// The task that is loaded and not started, of that container.
static struct task **first_of(struct control *c, const struct peer *p) {
    struct member *m = member_of(c, p);
    return m ? &m->first : &c->first;
}

static void start_of(struct control *c, const struct peer *p) {
    struct member *m = member_of(c, p);
    if (m)
        run_first_exec(take_ptr(m->first));
    else
        start(c);
}

static bool ends_by_default(int sig) {
    return sig != LINUX_SIGCHLD && sig != LINUX_SIGURG && sig != LINUX_SIGWINCH && sig != LINUX_SIGCONT &&
           sig != LINUX_SIGSTOP && sig != LINUX_SIGTSTP && sig != LINUX_SIGTTIN && sig != LINUX_SIGTTOU;
}

static void signal_all(struct kernel *k, uint64_t member, int sig) {
    LOCKED(&k->tasks_lock);
    for (int pid = 1; pid < k->pid_end; pid++)
        if (k->tgs[pid] && k->tgs[pid]->member == member && k->tgs[pid]->state == TG_ALIVE)
            signal_send_group(k->tgs[pid], sig, NULL);
}

static bool is_key(int sig) {
    return sig == LINUX_SIGINT || sig == LINUX_SIGQUIT || sig == LINUX_SIGTSTP || sig == LINUX_SIGWINCH;
}

static void signal_one(struct tgroup *g, int sig) {
    LOCKED(&g->k->tasks_lock);
    if (g->state == TG_ALIVE)
        signal_send_group(g, sig, NULL);
}

// To the foreground group of the session that g leads.
static void signal_key(struct tgroup *g, int sig) {
    LOCKED(&g->k->tasks_lock);
    struct session *s = g->pgrp ? g->pgrp->session : NULL;
    struct pgroup *front = s && s->tty && s->tty->pgrp ? pgroup_find(g->k, s->tty->pgrp) : NULL;
    if (front)
        signal_send_pgrp(front, sig, NULL);
}

static void send_signal(struct control *c, struct peer *p, const struct control_signal *m) {
    struct kernel *k = c->k;
    int sig = (int)m->sig;
    struct tgroup *g = m->flags & SIGNAL_MINE && p->tg ? p->tg : main_of(c, p);
    if (m->flags & SIGNAL_ALL)
        signal_all(k, p->number, sig);
    else if (m->flags & SIGNAL_TERMINAL && g != k->main && is_key(sig))
        signal_key(g, sig);
    else if (g == k->main)
        jobctl_signal(k, sig, m->flags & SIGNAL_TERMINAL);
    else
        signal_one(g, sig);
    // A program that has not been started goes as far as its first instruction, and there finds its end.
    if (*first_of(c, p) && ends_by_default(sig) && !(m->flags & SIGNAL_TERMINAL))
        start_of(c, p);
}

static bool request_signal(struct control *c, struct peer *p, size_t n) {
    const struct control_signal *m = (const void *)c->buf;
    if (n != sizeof *m || m->sig > 64 ||
        m->flags & ~(SIGNAL_ALL | SIGNAL_TERMINAL | SIGNAL_QUIET | SIGNAL_MINE))
        return false;
    if (has_ended(c, p)) {
        reply_failed(p, -LINUX_ESRCH, "container not running");
        return true;
    }
    if (m->sig)
        send_signal(c, p, m);
    if (!(m->flags & SIGNAL_QUIET))
        reply_ok(p);
    return true;
}

static bool request_start(struct control *c, struct peer *p, size_t n) {
    if (n != sizeof(struct control_head))
        return false;
    if (has_ended(c, p) || !*first_of(c, p)) {
        reply_failed(p, -LINUX_EBUSY, "it has been started already");
        return true;
    }
    start_of(c, p);
    reply_ok(p);
    return true;
}

static bool request_net(struct control *c, struct peer *p, size_t n, struct gift *g) {
    const struct control_net *m = (const void *)c->buf;
    struct kernel *k = c->k;
    if (n != sizeof *m || m->net.nlinks > SENTRY_LINKS || g->n != sentry_net_fds(&m->net))
        return false;
    if (!c->first || !c->net_later || k->links) {
        reply_failed(p, -LINUX_EBUSY, "it has its network already");
        return true;
    }
    g->n = 0;
    int err = links_open(k->net.inet.stack, k->events, &k->timers, &m->net, g->fds, &k->links);
    if (err < 0)
        reply_failed(p, err, "its links cannot be set up");
    else
        reply_ok(p);
    return true;
}

static bool request_wait(struct control *c, struct peer *p, size_t n) {
    const struct member *m = member_of(c, p);
    if (p->number && !m)
        return false;
    lock_take(&c->lock);
    p->waits = true;
    lock_drop(&c->lock);
    bool gone = m && !member_alive(m);  // else its end tells
    LOCKED(&c->lock);
    if (gone)
        send_end(p, (uint32_t)m->main->group_exit_code & 0xffff);
    else if (c->ended)
        send_end(p, c->main_status);
    return n == sizeof(struct control_head);
}

static bool request_limits(struct control *c, struct peer *p, size_t n) {
    const struct control_limits *m = (const void *)c->buf;
    struct sentry_limits max;
    if (n != sizeof *m)
        return false;
    if (p->number) {
        limits_change_part(c->k, p->number, m->memory, m->pids);
        reply_ok(p);
        return true;
    }
    limits_get(c->k, &max);
    max.memory = m->memory == CONTROL_KEEP ? max.memory : m->memory;
    max.pids = m->pids == CONTROL_KEEP ? max.pids : m->pids;
    limits_change(c->k, &max);
    reply_ok(p);
    return true;
}

static bool request_pids(struct control *c, struct peer *p, size_t n) {
    struct kernel *k = c->k;
    struct control_pids *m = (void *)c->buf;
    if (n != sizeof(struct control_head))
        return false;
    m->n = 0;
    m->pad = 0;
    {
        LOCKED(&k->tasks_lock);
        for (int pid = 1; pid < k->pid_end && m->n < CONTROL_NPIDS_MAX; pid++) {
            struct tgroup *g = k->tgs[pid];
            bool is_its = g && g->member == p->number && g->state == TG_ALIVE;
            int host = is_its ? tgroup_host_pid(g) : 0;
            if (host > 0)
                m->pids[m->n++] = host;
        }
    }
    send_message(p, m, sizeof *m + m->n * sizeof m->pids[0], CONTROL_PID_LIST);
    return true;
}

// ---- exec -------------------------------------------------------------------------------------------------
static void run_program(struct control *c, struct peer *p, const struct sentry_process *what,
                        const int *fds) {
    char text[CONTROL_TEXT];
    int err;
    struct outside_place at;
    const struct member *m = member_of(c, p);
    if (m)
        member_place(m, &at);
    else
        outside_first(c->k, OUTSIDE_EXEC, &at);
    struct task *t = outside_new(c->k, what, fds, 0, &at, &err);
    if (!t) {
        snprintf(text, sizeof text, "working directory %.180s, or no memory", what->cwd);
        reply_failed(p, err, text);
        return;
    }
    err = outside_load(t, what);
    if (err != (int)SYS_FLUSH) {
        outside_failed(what, err, text, sizeof text);
        hostfd_forget_terminals(t->tg);
        task_die(t, LINUX_SIGKILL);
        reply_failed(p, err, text);
        return;
    }
    {
        LOCKED(&c->lock);
        p->tg = tgroup_get(t->tg);
    }
    reply_ok(p);
    run_first_exec(t);
}

static bool request_exec(struct control *c, struct peer *p, size_t n, struct gift *g) {
    struct exec_request *r = controlexec_read(c->buf, n);
    if (!r || p->tg || p->speaks_for_main || g->n != 3 + r->process.more_fds) {
        controlexec_free(r);
        return false;
    }
    if (has_ended(c, p)) {
        reply_failed(p, -LINUX_ESRCH, "container not running");
    } else {
        g->n = 0;
        run_program(c, p, &r->process, g->fds);
    }
    controlexec_free(r);
    return true;
}

// ---- A pod's further containers ---------------------------------------------------------------------------
static bool number_is_taken(const struct control *c, uint64_t number) {
    for (const struct peer *p = c->peers; p < c->peers + CONTROL_PEERS; p++)
        if (p->fd >= 0 && p->member && p->member->number == number)
            return true;
    return false;
}

static bool request_container(struct control *c, struct peer *p, size_t n, struct gift *g) {
    const struct control_container *m = (const void *)c->buf;
    char text[CONTROL_TEXT];
    if (n < sizeof *m || p->tg || p->number || p->speaks_for_main || g->n != 4)
        return false;
    if (c->first || c->ended || number_is_taken(c, m->number)) {
        reply_failed(p, -LINUX_ESRCH,
                     c->first ? "the pod's sandbox has not been started" : "container not running");
        return true;
    }
    int stdio[3] = {g->fds[1], g->fds[2], g->fds[3]};
    int err;
    if (!member_make(c->k, m, n, g->fds[0], stdio, &p->member, &err, text, sizeof text))
        return false;
    g->n = 0;
    if (err < 0) {
        reply_failed(p, err, text);
        return true;
    }
    {
        LOCKED(&c->lock);
        p->number = p->member->number;
        p->tg = tgroup_get(p->member->main);
    }
    reply_ok(p);
    return true;
}

static bool request_select(struct control *c, struct peer *p, size_t n) {
    const struct control_select *m = (const void *)c->buf;
    if (n != sizeof *m || !m->number || p->tg || p->member || p->speaks_for_main)
        return false;
    if (!number_is_taken(c, m->number)) {
        reply_failed(p, -LINUX_ESRCH, "container not running");
        return true;
    }
    {
        LOCKED(&c->lock);
        p->number = m->number;
    }
    reply_ok(p);
    return true;
}

// ---- Connections ------------------------------------------------------------------------------------------
static void peer_close(struct peer *p) {
    struct tgroup *g;
    bool ends;
    hostevent_remove(p->c->k->events, p->fd);
    {
        LOCKED(&p->c->lock);
        close(p->fd);
        p->fd = -1;
        g = take_ptr(p->tg);
        ends = p->speaks_for_main && !p->c->ended;
        p->speaks_for_main = p->waits = false;
        p->number = 0;
    }
    struct member *member = take_ptr(p->member);
    if (member)
        member_end(p->c->k, member);
    if (ends)  // nobody is left to take the result
        tgroup_begin_exit(p->c->k->main, LINUX_SIGKILL);
    if (!g)
        return;
    hostfd_forget_terminals(g);
    signal_one(g, LINUX_SIGKILL);
    tgroup_put(g);
}

// The descriptors that came along: as many as any request has, or none is kept.
static void take_fds(struct msghdr *h, struct gift *g) {
    for (struct cmsghdr *m = CMSG_FIRSTHDR(h); m; m = CMSG_NXTHDR(h, m)) {
        if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
            continue;
        int got[CONTROL_FDS + 1];
        size_t n = (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(got, CMSG_DATA(m), n * sizeof(int));
        for (size_t i = 0; i < n; i++)
            if (n <= CONTROL_FDS && g->n < CONTROL_FDS)
                g->fds[g->n++] = got[i];
            else
                close(got[i]);
    }
}

// -EAGAIN: nothing there; 0: it has closed. A message that is too long for the buffer is none.
static ssize_t receive(struct control *c, const struct peer *p, struct gift *g) {
    union {
        char bytes[CMSG_SPACE((CONTROL_FDS + 1) * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec v = {c->buf, sizeof c->buf};
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(p->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? -EAGAIN : 0;
    take_fds(&h, g);
    const struct control_head *head = (const void *)c->buf;
    bool whole = (size_t)n >= sizeof *head && !(h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && head->length == n;
    return whole ? n : 0;
}

static bool serve(struct control *c, struct peer *p, size_t n, struct gift *g) {
    switch (((const struct control_head *)(const void *)c->buf)->kind) {
    case CONTROL_START:
        return request_start(c, p, n);
    case CONTROL_SIGNAL:
        return request_signal(c, p, n);
    case CONTROL_EXEC:
        return request_exec(c, p, n, g);
    case CONTROL_WAIT:
        return request_wait(c, p, n);
    case CONTROL_LIMITS:
        return request_limits(c, p, n);
    case CONTROL_PIDS:
        return request_pids(c, p, n);
    case CONTROL_CONTAINER:
        return request_container(c, p, n, g);
    case CONTROL_SELECT:
        return request_select(c, p, n);
    case CONTROL_NET:
        return request_net(c, p, n, g);
    default:
        return false;
    }
}

static void peer_ready(struct hostevent_source *source) {
    struct peer *p = container_of(source, struct peer, source);
    struct control *c = p->c;
    struct gift gift = {0};
    ssize_t n = receive(c, p, &gift);
    bool fine = n == -EAGAIN || (n > 0 && serve(c, p, (size_t)n, &gift));
    for (unsigned i = 0; i < gift.n; i++)
        close(gift.fds[i]);
    if (!fine)
        peer_close(p);
}

static struct peer *peer_add(struct control *c, int fd) {
    for (struct peer *p = c->peers; p < c->peers + CONTROL_PEERS; p++) {
        if (p->fd >= 0)
            continue;
        p->source.ready = peer_ready;
        p->c = c;
        if (hostevent_add(c->k->events, fd, &p->source) < 0)
            return NULL;
        LOCKED(&c->lock);
        p->fd = fd;
        return p;
    }
    return NULL;
}

static void listener_ready(struct hostevent_source *source) {
    struct control *c = container_of(source, struct control, listener);
    int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && !peer_add(c, fd))
        close(fd);
}

int control_open(struct kernel *k, int listen_fd, int init_fd, bool net_later) {
    if (listen_fd < 0)
        return 0;
    struct control *c = znew(struct control);
    if (!c)
        return -LINUX_ENOMEM;
    lock_init(&c->lock, RANK_LEAF);
    c->k = k;
    c->listen_fd = listen_fd;
    c->net_later = net_later;
    c->listener.ready = listener_ready;
    for (unsigned i = 0; i < CONTROL_PEERS; i++)
        c->peers[i].fd = -1;
    k->control = c;
    struct peer *init = peer_add(c, init_fd);
    if (!init)
        return -LINUX_EMFILE;
    init->speaks_for_main = true;
    return hostevent_add(k->events, listen_fd, &c->listener);
}

void control_close(struct kernel *k) {
    struct control *c = take_ptr(k->control);
    if (!c)
        return;
    for (struct peer *p = c->peers; p < c->peers + CONTROL_PEERS; p++) {
        if (p->fd >= 0)
            close(p->fd);
        if (p->tg)
            tgroup_put(p->tg);
        if (p->member)
            member_give_back(p->member);
    }
    close(c->listen_fd);
    lock_destroy(&c->lock);
    free(c);
}
