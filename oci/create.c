// SPDX-License-Identifier: Apache-2.0
// See create.h. The order of creating: config (nothing is made before it is found good), directory, terminal,
// init, cgroup (init is in it before it makes anything), sandbox, hooks, state, pid file. A failure takes it
// back from the end.
#include "oci/create.h"
#include "base/cleanup.h"
#include "oci/cgroup.h"
#include "oci/console.h"
#include "oci/control.h"
#include "oci/hooks.h"
#include "oci/limits.h"
#include "oci/json.h"
#include "oci/mounts.h"
#include "oci/net_start.h"
#include "oci/pod.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ATTEMPTS 1000  // times 10 ms

int write_pid_file(const char *path, pid_t pid, struct error *e) {
    char *temporary cleanup_free = NULL;
    if (asprintf(&temporary, "%s.%d.new", path, (int)getpid()) < 0)
        return error_set(e, "--pid-file %s: no memory", path);
    int fd cleanup_close = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd >= 0 && dprintf(fd, "%d", (int)pid) > 0 && fchmod(fd, 0644) == 0 && rename(temporary, path) == 0)
        return 0;
    error_errno(e, errno, "--pid-file %s", path);
    if (fd >= 0)
        unlink(temporary);
    return -1;
}

// What the bundle says later means nothing.
static int keep_config(const struct container *c, const struct config *config, struct error *e) {
    char *text cleanup_free = json_dumps(config->json, JSON_COMPACT);
    int fd cleanup_close =
        openat(c->dir, "config.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t n = text ? strlen(text) : 0;
    if (!text || fd < 0 || !write_whole(fd, text, n))
        return error_errno(e, text ? errno : ENOMEM, "container %s: keeping config.json", c->id);
    return 0;
}

json_t *kept_config(const struct container *c, struct error *e) {
    return json_read_file(c->dir, "config.json", e);
}

static int fill(struct container *c, const struct config *config, struct error *e) {
    c->bundle = strdup(config->bundle);
    c->rootfs = strdup(config->rootfs);
    c->annotations = json_incref(config_get(config->json, "annotations"));
    return c->bundle && c->rootfs ? 0 : error_set(e, "no memory");
}

// -1 in *slave: the program's stdio is ours.
static int open_terminal(const struct config *config, const struct create_options *opts, int *slave,
                         struct error *e) {
    const struct process_config *p = &config->process;
    *slave = -1;
    if (p->terminal && !opts->console_socket && !opts->keeps_terminal)
        return error_set(e, "config.json: process.terminal: is true, and there is no --console-socket");
    if (!p->terminal && opts->console_socket)
        return error_set(e, "--console-socket: config.json has no process.terminal");
    if (!opts->console_socket)
        return 0;
    *slave = console_open(opts->console_socket, p->rows, p->cols, e);
    return *slave < 0 ? -1 : 0;
}

// From here on there are processes.
static int bring_up(const struct oci *o, const struct config *config, const struct create_options *opts,
                    struct container *c, struct init *init, struct error *e) {
    json_t *resources = config_get(config->json, "linux.resources");
    c->pid = init->pid;
    c->pid_start = process_start_time(init->pid);
    if (cgroup_add(c->cgroup, init->pid, e) < 0 || cgroup_apply(o, c->cgroup, resources, e) < 0 ||
        container_save(c, e) < 0 || init_go(init, e) < 0)
        return -1;
    for (enum hook_point at = PRESTART; at <= CREATE_CONTAINER; at++)
        if (hooks_run(config->json, at, c, e) < 0)
            return -1;
    c->status = CREATED;
    if (container_save(c, e) < 0)
        return -1;
    if (opts->pid_file && write_pid_file(opts->pid_file, init->pid, e) < 0)
        return -1;
    init_keep(init);
    return 0;
}

// Before it is made: who finds the remains of this container has to know of it.
static int note_cgroup(const struct container *c, const struct config *config, struct error *e) {
    char *name cleanup_free = cgroup_name(config->cgroups_path, c->id, e);
    return name ? container_note_cgroup(c, name, e) : -1;
}

static int make(const struct oci *o, const struct config *config, const struct create_options *opts,
                struct container *c, struct init *init, struct error *e) {
    int slave;
    if (fill(c, config, e) < 0 || keep_config(c, config, e) < 0 || net_keep(o, c, e) < 0 ||
        open_terminal(config, opts, &slave, e) < 0)
        return -1;
    if (note_cgroup(c, config, e) < 0 || cgroup_make(o, config->cgroups_path, c->id, &c->cgroup, e) < 0 ||
        init_fork(o, config, c, slave, init, e) < 0) {
        if (slave >= 0)
            close(slave);
        return -1;
    }
    return bring_up(o, config, opts, c, init, e);
}

static void take_back(const struct oci *o, struct container *c, struct init *init) {
    struct error unused;
    init_kill(init);
    if (cgroup_remove(c->cgroup, &unused) < 0)
        oci_warn(o, "%s", unused.text);
    if (container_remove(o, c, &unused) < 0)
        oci_warn(o, "%s", unused.text);
    container_close(c);
}

// Options win over config.json.
static int take_limits(const struct create_options *opts, struct config *config, struct error *e) {
    struct sentry_limits l = {0};
    for (size_t i = 0; opts->limits && limit_names[i]; i++)
        if (opts->limits[i] && (limit_set(&l, limit_names[i], opts->limits[i], e) < 0 ||
                                limit_set(&config->limits, limit_names[i], opts->limits[i], e) < 0))
            return -1;
    return limits_to_config(&l, config->json) < 0 ? error_set(e, "no memory") : 0;
}

int create_container(const struct oci *o, const char *id, const struct create_options *opts,
                     struct container *c, struct init *init, struct error *e) {
    struct config config;
    *init = (struct init){.go = -1, .word = -1};
    *c = (struct container){.dir = -1};
    if (oci_check_id(id, e) < 0 || config_load(o, opts->bundle ? opts->bundle : ".", &config, e) < 0)
        return -1;
    config.process.what.more_fds = opts->more_fds;
    pod_limits(config_get(config.json, "annotations"), &config.limits);
    if (opts->overlay && config_set_overlay(&config, opts->overlay) < 0) {
        config_free(&config);
        return error_set(e, "--overlay '%.64s' is not none or memory", opts->overlay);
    }
    int err = opts->listen_fds ? process_add_listens(&config.process, opts->listen_fds, e) : 0;
    if (err < 0 || pod_check(o, &config, e) < 0 || take_limits(opts, &config, e) < 0) {
        config_free(&config);
        return -1;
    }
    mode_t mask = umask(0);  // places have the modes that are asked for
    err = config.readonly && !config.in_memory ? mounts_make_places(&config, e) : 0;
    umask(mask);
    if (err < 0 || container_create(o, id, c, e) < 0) {
        container_close(c);
        config_free(&config);
        return -1;
    }
    err = make(o, &config, opts, c, init, e);
    if (err < 0)
        take_back(o, c, init);
    config_free(&config);
    return err;
}

// ---- Later ------------------------------------------------------------------------------------------------
int start_container(const struct oci *o, struct container *c, struct error *e) {
    struct control_head m;
    if (c->status == STOPPED)
        return error_set(e, "cannot start a container that has stopped: %s", c->id);
    if (c->status != CREATED)
        return error_set(e, "cannot start an already running container: %s", c->id);
    json_t *config = kept_config(c, e);
    if (!config)
        return -1;
    int err = pod_sandbox(c->annotations) ? 0 : net_start(c, config, e);  // the sandbox has its network
    if (err == 0)
        err = hooks_run_inside(config, c, e);
    if (err == 0)
        err = control_call(c, CONTROL_START, &m, sizeof m, e);
    if (err == 0) {
        c->status = RUNNING;
        err = container_save(c, e);
    }
    if (err == 0)
        err = hooks_run(config, POSTSTART, c, e);
    if (err < 0) {  // what could not be started is stopped
        struct error unused;
        end_container(c, &unused);
    }
    json_decref(config);
    return err;
}

int delete_container(const struct oci *o, struct container *c, struct error *e) {
    struct error unused;
    json_t *config = kept_config(c, &unused);
    int err = cgroup_remove(c->cgroup, e);
    if (err == 0)
        err = container_remove(o, c, e);
    // a failure of these does not keep the container
    if (err == 0 && config && hooks_run(config, POSTSTOP, c, &unused) < 0)
        oci_warn(o, "%s", unused.text);
    json_decref(config);
    return err;
}

int end_container(struct container *c, struct error *e) {
    struct error unused;
    if (c->cgroup)
        cgroup_freeze(c->cgroup, false, &unused);  // what is frozen does not die
    int fd cleanup_close = c->pid > 0 ? (int)syscall(SYS_pidfd_open, c->pid, 0) : -1;
    container_check(c);  // is it still the one? Then the descriptor is its
    if (c->pid == 0)
        return 0;
    if (fd < 0 || (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0 && errno != ESRCH))
        return error_errno(e, errno, "container %s: killing its init", c->id);
    for (int i = 0; i < ATTEMPTS; i++) {
        container_check(c);
        if (c->pid == 0)
            return 0;
        usleep(10000);
    }
    return error_set(e, "container %s: its init (%d) does not end", c->id, (int)c->pid);
}
