// SPDX-License-Identifier: Apache-2.0
// See hooks.h. A hook is the caller's own program: it runs with the caller's rights, in the caller's
// namespaces, with the environment that config.json gives it and no other. Those of createContainer are in
// the namespaces of the container's init, found by the caller's paths; those of startContainer are programs
// of the container's, run inside like exec's. LIMIT: what a createContainer hook mounts would not be seen
// inside: mount(2) is refused.
#include "oci/hooks.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "oci/control.h"
#include "oci/json.h"
#include "oci/run.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define DEFAULT_SECONDS 60

static const char *const points[] = {[PRESTART] = "hooks.prestart",
                                     [CREATE_RUNTIME] = "hooks.createRuntime",
                                     [CREATE_CONTAINER] = "hooks.createContainer",
                                     [START_CONTAINER] = "hooks.startContainer",
                                     [POSTSTART] = "hooks.poststart",
                                     [POSTSTOP] = "hooks.poststop"};

struct hook {
    const char *path;
    char **argv, **envp;  // owned
    int seconds;
    const char *state;
    pid_t within;  // whose namespaces it is run in; 0: the caller's
    const struct container *c;
};
// 0, or -1 and why.
typedef int run_fn(const struct hook *h, char *why, size_t size);

int hooks_check(const struct config *c, struct error *e) {
    for (unsigned p = 0; p < NHOOKS; p++) {
        size_t i;
        json_t *hook;
        json_array_foreach(config_get(c->json, points[p]), i, hook) {
            const char *path = json_string_value(json_object_get(hook, "path"));
            json_t *timeout = config_get(hook, "timeout");
            int64_t seconds = 1;
            if (!path || path[0] != '/')
                return error_set(e, "%s: %s[%zu].path: is not an absolute path", c->file, points[p], i);
            if (timeout && (!json_whole(timeout, &seconds) || seconds <= 0))
                return error_set(e, "%s: %s[%zu].timeout: is not above zero", c->file, points[p], i);
        }
    }
    return 0;
}

// ---- One hook ---------------------------------------------------------------------------------------------
static int run_outside(const struct hook *h, char *why, size_t size) {
    return run_program(h->path, h->argv, h->envp, h->state, h->within, h->seconds, why, size);
}

// By its own path and not by args[0]: argv[0] is what the sandbox looks up.
static int begin_inside(const struct hook *h, int fd, int input, struct error *e) {
    struct sentry_process p = {.argv = h->argv, .envp = h->envp, .cwd = "/", .umask = 022};
    const int stdio[3] = {input, 1, 2};
    h->argv[0] = (char *)h->path;
    return control_exec(fd, &p, stdio, e);
}

// When its time is over, the end of the connection ends it.
static int run_inside(const struct hook *h, char *why, size_t size) {
    struct error e;
    union {
        struct control_end end;
        char room[sizeof(struct control_failed)];
    } m;
    const struct timeval patience = {.tv_sec = h->seconds};
    int input cleanup_close = run_input(h->state);
    int fd cleanup_close = input < 0 ? error_errno(&e, errno, "the state") : control_connect(h->c, &e);
    int err = fd < 0 ? -1 : begin_inside(h, fd, input, &e);
    if (err == 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
        err = error_errno(&e, errno, "its timeout");
    if (err < 0 || control_receive(fd, CONTROL_END, &m, sizeof m.end, sizeof m, &e) < 0) {
        snprintf(why, size, "%.100s", e.text);
        return -1;
    }
    int status = control_wait_status(m.end.wait_status);
    run_describe(status, why, size);
    return status == 0 ? 0 : -1;
}

static char **vector(json_t *list, const char *first) {
    size_t n = json_array_size(list), i;
    char **v = xcalloc(n + 2, sizeof *v);
    json_t *s;
    if (v && n == 0 && first)
        v[0] = (char *)first;
    json_array_foreach(list, i, s)
        if (v)
            v[i] = (char *)json_string_value(s);
    return v;
}

static int run_one(json_t *json, const char *point, run_fn *run, struct hook *h, struct error *e) {
    json_t *timeout = config_get(json, "timeout");
    int64_t seconds = DEFAULT_SECONDS;
    char why[128] = "no memory";
    if (timeout)
        json_whole(timeout, &seconds);
    h->seconds = seconds < 86400 ? (int)seconds : 86400;
    h->path = json_string_value(json_object_get(json, "path"));
    h->argv = vector(config_get(json, "args"), h->path);
    h->envp = vector(config_get(json, "env"), NULL);
    int err = h->argv && h->envp ? run(h, why, sizeof why) : -1;
    free(h->argv);
    free(h->envp);
    return err == 0 ? 0 : error_set(e, "%s: %s: %s", point, h->path, why);
}

// ---- All of a point ---------------------------------------------------------------------------------------
static int run_all(json_t *json, enum hook_point at, const struct container *c, run_fn *run,
                   struct error *e) {
    size_t i;
    json_t *hook, *list = config_get(json, points[at]);
    char *state cleanup_free = json_array_size(list) ? container_state_json(c, false) : NULL;
    struct hook h = {.state = state, .within = at == CREATE_CONTAINER ? c->pid : 0, .c = c};
    if (json_array_size(list) && !state)
        return error_set(e, "%s: no memory", points[at]);
    json_array_foreach(list, i, hook)
        if (run_one(hook, points[at], run, &h, e) < 0)
            return -1;
    return 0;
}

int hooks_run(json_t *json, enum hook_point at, const struct container *c, struct error *e) {
    return run_all(json, at, c, run_outside, e);
}

int hooks_run_inside(json_t *json, const struct container *c, struct error *e) {
    return run_all(json, START_CONTAINER, c, run_inside, e);
}
