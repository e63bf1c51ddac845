// SPDX-License-Identifier: Apache-2.0
// picket ps [--format table|json] ID: the host's numbers of the processes inside (docker top looks at these).
// The sandbox knows its processes by the numbers of its own pid namespace; the host's /proc says which those
// are.
#include "base/cleanup.h"
#include "oci/cmd.h"
#include "oci/control.h"
#include "oci/opt.h"
#include "oci/pod.h"
#include "oci/run.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_text(const char *path, char *buf, size_t size) {
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(buf, 1, size - 1, f) : 0;
    if (f)
        fclose(f);
    buf[n] = '\0';
    return n > 0;
}

// The pid namespace of what runs below the init: its children are sentry and gofer.
static bool namespace_of(pid_t init, char *ns, size_t size) {
    char path[64], own[64] = "", children[256], *end = children;
    snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)init);
    ssize_t n = readlink(path, own, sizeof own - 1);
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)init, (int)init);
    if (n < 0 || !read_text(path, children, sizeof children))
        return false;
    for (char *p = children; *p; p = end) {
        long child = strtol(p, &end, 10);
        if (end == p)
            break;
        snprintf(path, sizeof path, "/proc/%ld/ns/pid", child);
        n = readlink(path, ns, size - 1);
        ns[n < 0 ? 0 : n] = '\0';
        if (n > 0 && strcmp(ns, own) != 0)
            return true;
    }
    snprintf(ns, size, "%s", own);
    return true;
}

// The last number of NSpid: as its own namespace has it.
static int inner_pid(const char *pid) {
    char path[320], text[4096];
    snprintf(path, sizeof path, "/proc/%s/status", pid);
    char *line = read_text(path, text, sizeof text) ? strstr(text, "\nNSpid:") : NULL;
    if (!line)
        return 0;
    line[1 + strcspn(line + 1, "\n")] = '\0';
    char *last = strrchr(line, '\t');
    return last ? atoi(last + 1) : 0;
}

static bool is_listed(const struct control_pids *m, int pid) {
    for (uint32_t i = 0; i < m->n; i++)
        if (m->pids[i] == pid)
            return true;
    return false;
}

static json_t *host_pids(pid_t init, const struct control_pids *m) {
    char want[64], path[320], ns[64];
    json_t *list = json_array();
    DIR *d = namespace_of(init, want, sizeof want) ? opendir("/proc") : NULL;
    for (struct dirent *entry; d && (entry = readdir(d));) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof path, "/proc/%s/ns/pid", entry->d_name);
        ssize_t n = readlink(path, ns, sizeof ns - 1);
        ns[n < 0 ? 0 : n] = '\0';
        if (n > 0 && !strcmp(ns, want) && is_listed(m, inner_pid(entry->d_name)))
            json_array_append_new(list, json_integer(atoi(entry->d_name)));
    }
    if (d)
        closedir(d);
    return list;
}

static struct control_pids *ask(const struct container *c, struct error *e) {
    size_t size = sizeof(struct control_pids) + CONTROL_NPIDS_MAX * sizeof(int32_t);
    struct control_head m;
    struct control_pids *pids = malloc(size);
    int fd cleanup_close = pids ? control_connect(c, e) : -1;
    ssize_t n = -1;
    if (fd >= 0 && control_send(fd, CONTROL_PIDS, &m, sizeof m, NULL, 0, e) == 0)
        n = control_receive(fd, CONTROL_PID_LIST, pids, sizeof *pids, size, e);
    if (n >= 0 && (size_t)n == sizeof *pids + (size_t)pids->n * sizeof pids->pids[0])
        return pids;
    if (n >= 0)
        error_set(e, "the sandbox answers nonsense");
    free(pids);
    return NULL;
}

// The host's ps shows them, with the caller's options.
static int show_table(json_t *list, int argc, char **argv, struct error *e) {
    char *pids cleanup_free = json_dumps(list, JSON_COMPACT), why[128];
    char *args[64] = {"ps"};
    int n = 1;
    for (int i = 0; i < argc && n < 60; i++)
        args[n++] = argv[i];
    if (n == 1)
        args[n++] = "-f";
    pids[strlen(pids) - 1] = '\0';
    if (json_array_size(list) == 0)
        return 0;
    args[n++] = "-p";
    args[n] = pids + 1;
    return run_program("/bin/ps", args, NULL, "", 0, 10, why, sizeof why) == 0 ? 0
                                                                               : error_set(e, "ps: %s", why);
}

int cmd_ps(struct oci *o, int argc, char **argv, struct error *e) {
    const char *format = "table";
    const struct opt opts[] = {{"format", 'f', OPT_TEXT, &format}, {0}};
    int at = opt_parse(argc, argv, opts, "ps [--format table|json] ID [OPTIONS OF ps]", 1, 50, e);
    if (at < 0)
        return -1;
    if (strcmp(format, "json") != 0 && strcmp(format, "table") != 0)
        return error_set(e, "ps: --format '%s' is not table or json", format);
    struct container c;
    int err = container_load(o, argv[at], false, &c, e);
    if (err == 0 && c.status == STOPPED)
        err = error_set(e, "container %s: container not running", c.id);
    struct control_pids *m = err == 0 ? ask(&c, e) : NULL;
    json_t *list = m ? host_pids(pod_init(o, &c), m) : NULL;
    char *text cleanup_free = list ? json_dumps(list, JSON_COMPACT) : NULL;
    err = text ? 0 : -1;
    if (text && !strcmp(format, "json"))
        puts(text);
    else if (text)
        err = show_table(list, argc - at - 1, argv + at + 1, e);
    free(m);
    json_decref(list);
    container_close(&c);
    return err;
}
