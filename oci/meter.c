// SPDX-License-Identifier: Apache-2.0
// See meter.h. The stubs are the sentry's children, and the sentry may be process 1 of a pid namespace of its
// own, in which it knows them: the last number of NSpid. Only numbers go to it. A stub can do nothing about
// what the host's kernel says of it.
#include "oci/meter.h"
#include "base/cleanup.h"
#include "base/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int meter_open(struct meter *m, int *sentrys_end) {
    int pair[2];
    const int room =
        sizeof(struct report_memory) + REPORT_PROCESSES_MAX * sizeof(struct report_process) + 4096;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -1;
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    *m = (struct meter){.fd = pair[0], .proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    *sentrys_end = pair[1];
    return 0;
}

// ---- /proc ------------------------------------------------------------------------------------------------
static ssize_t read_file(int proc, const char *path, char *buf, size_t size) {
    int fd cleanup_close = openat(proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);
    if (n >= 0)
        buf[n] = '\0';
    return n;
}

// The text behind "\nkey:"; NULL: there is none.
static const char *field(const char *text, const char *key) {
    size_t n = strlen(key);
    for (const char *p = text; (p = strchr(p, '\n'));) {
        p++;
        if (!strncmp(p, key, n) && p[n] == ':')
            return p + n + 1;
    }
    return NULL;
}
static uint64_t kilobytes(const char *text) { return text ? strtoull(text, NULL, 10) * 1024 : 0; }

static int innermost(const char *nspid) {
    int pid = 0;
    for (char *end; nspid && *nspid && *nspid != '\n'; nspid = end) {
        long v = strtol(nspid, &end, 10);
        if (end == nspid)
            break;
        pid = (int)v;
    }
    return pid;
}

// False: it has gone. Where shares may not be read, it is each process's own number.
static bool measure(int proc, int pid, bool exact, struct report_process *p) {
    char path[64], text[4096];
    snprintf(path, sizeof path, "%d/status", pid);
    if (read_file(proc, path, text, sizeof text) <= 0)
        return false;
    *p = (struct report_process){.pid = innermost(field(text, "NSpid")),
                                 .bytes = kilobytes(field(text, "RssAnon"))};
    snprintf(path, sizeof path, "%d/smaps_rollup", pid);
    if (exact && p->bytes && read_file(proc, path, text, sizeof text) > 0 && field(text, "Pss_Anon"))
        p->bytes = kilobytes(field(text, "Pss_Anon"));
    return p->pid > 0;
}

static void add(struct report_memory *r, int proc, int pid, bool exact) {
    if (r->n < REPORT_PROCESSES_MAX && measure(proc, pid, exact, &r->of[r->n]))
        r->n++;
}

static DIR *open_dir(int proc, const char *path) {
    int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0)
        close(fd);
    return d;
}

// Numbers, with blanks between.
static void add_list(struct report_memory *r, int proc, FILE *f, bool exact) {
    for (int pid; fscanf(f, "%d", &pid) == 1;)
        add(r, proc, pid, exact);
    fclose(f);
}

// By the list of each of its threads; false: this kernel has none.
static bool add_children(struct report_memory *r, const struct meter *m, bool exact) {
    char path[64];
    snprintf(path, sizeof path, "%d/task", (int)m->sentry);
    DIR *d = open_dir(m->proc, path);
    bool any = false;
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "%d/task/%.16s/children", (int)m->sentry, e->d_name);
        int fd = e->d_name[0] == '.' ? -1 : openat(m->proc, path, O_RDONLY | O_CLOEXEC);
        FILE *f = fd < 0 ? NULL : fdopen(fd, "re");
        any |= f != NULL;
        if (f)
            add_list(r, m->proc, f, exact);
    }
    if (d)
        closedir(d);
    return any;
}

static void add_by_parent(struct report_memory *r, const struct meter *m, bool exact) {
    DIR *d = open_dir(m->proc, ".");
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[64], text[4096];
        snprintf(path, sizeof path, "%.16s/status", e->d_name);
        if (e->d_name[0] < '1' || e->d_name[0] > '9' || read_file(m->proc, path, text, sizeof text) <= 0)
            continue;
        const char *parent = field(text, "PPid");
        if (parent && atoi(parent) == (int)m->sentry)
            add(r, m->proc, atoi(e->d_name), exact);
    }
    if (d)
        closedir(d);
}

static int by_pid(const void *a, const void *b) {
    const struct report_process *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

// ---- Messages ---------------------------------------------------------------------------------------------
static void drop(struct meter *m) {
    close(m->fd);
    close(m->proc);
    m->fd = m->proc = -1;
}

static void tell_memory(struct meter *m, bool exact) {
    struct report_memory *r cleanup_free = malloc(sizeof *r + REPORT_PROCESSES_MAX * sizeof r->of[0]);
    if (!r)
        return;
    *r = (struct report_memory){.kind = REPORT_MEMORY, .exact = exact};
    add(r, m->proc, m->sentry, false);
    if (r->n)
        r->of[0].pid = REPORT_SENTRY;
    if (!add_children(r, m, exact))
        add_by_parent(r, m, exact);
    qsort(r->of, r->n, sizeof r->of[0], by_pid);
    // One that is lost (no memory, of all things) is asked for again; who has ended meanwhile has left more
    // to be read.
    if (send(m->fd, r, sizeof *r + r->n * sizeof r->of[0], MSG_NOSIGNAL) < 0)
        log_debug("an answer about memory is lost: errno %d", errno);
}

static void take_end(struct meter *m, const struct report_end *end) {
    m->end = *end;
    if (m->end.cause == END_NONE || m->end.cause >= END_CAUSES_N)
        m->end.cause = END_HOST;
    m->ended = true;
}

void meter_serve(struct meter *m) {
    union {
        uint32_t kind;
        struct report_ask ask;
        struct report_end end;
    } u;
    ssize_t n = recv(m->fd, &u, sizeof u, MSG_TRUNC);
    if (n < 0)
        return;  // ECONNRESET too: the sentry closed with an answer unread; what it said comes next
    if (n == (ssize_t)sizeof u.ask && u.kind == REPORT_ASK)
        tell_memory(m, u.ask.exact);
    else if (n == (ssize_t)sizeof u.end && u.kind == REPORT_END && !m->ended)
        take_end(m, &u.end);
    else
        drop(m);
}

void meter_protect(const struct meter *m, pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "%d/oom_score_adj", (int)pid);
    int fd cleanup_close = openat(m->proc, path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "-998", 4) != 4)
        return;  // not root: all have the same chance
}

void meter_finish(struct meter *m) {
    char byte;
    while (m->fd >= 0) {
        ssize_t n = recv(m->fd, &byte, 1, MSG_PEEK);
        if (n > 0)
            meter_serve(m);
        else if (n == 0 || errno != ECONNRESET)
            break;
    }
    if (m->fd >= 0)
        drop(m);
}
