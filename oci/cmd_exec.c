// SPDX-License-Identifier: Apache-2.0
// picket exec [OPTIONS] ID [CMD [ARGS]]: one more program in a running container. Without --detach its exit
// status is ours.
#include "base/cleanup.h"
#include "base/fault.h"
#include "oci/cgroup.h"
#include "oci/cmd.h"
#include "oci/console.h"
#include "oci/control.h"
#include "oci/create.h"
#include "oci/fields.h"
#include "oci/json.h"
#include "oci/opt.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct exec {
    const char *process, *pid_file, *console_socket, *cwd, *user, *preserve;
    unsigned more_fds;
    struct opt_list env, caps, gids;
    bool detach, tty, no_new_privs, ignore_paused;
};

static void warn(void *arg, const char *field, const char *why) { oci_warn(arg, "exec: %s: %s", field, why); }

// A field of an object; takes the value over. False: no memory, or a text that is no UTF-8.
static bool set(json_t *j, const char *key, json_t *value) {
    return value && json_object_set_new(j, key, value) == 0;
}

static json_t *text_list(const char *const *items, size_t n) {
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(list, json_string(items[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static bool add_env(json_t *j, const struct opt_list *env) {
    json_t *list = config_get(j, "env");
    if (!list && !set(j, "env", list = json_array()))
        return false;
    for (unsigned i = 0; i < env->n; i++) {
        size_t name = strcspn(env->items[i], "=") + 1, at;
        json_t *old, *value = json_string(env->items[i]);
        json_array_foreach(list, at, old)
            if (!strncmp(json_string_value(old), env->items[i], name))
                break;
        bool replaces = at < json_array_size(list);
        if ((replaces ? json_array_set_new(list, at, value) : json_array_append_new(list, value)) < 0)
            return false;
    }
    return true;
}

static bool add_caps(json_t *j, const struct opt_list *caps) {
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    json_t *all = config_get(j, "capabilities");
    if (caps->n && !all && !set(j, "capabilities", all = json_object()))
        return false;
    for (unsigned s = 0; caps->n && s < 3; s++) {
        json_t *list = config_get(all, sets[s]);
        if (!list && !set(all, sets[s], list = json_array()))
            return false;
        for (unsigned i = 0; i < caps->n; i++)
            if (json_array_append_new(list, json_string(caps->items[i])) < 0)
                return false;
    }
    return true;
}

static int set_user(json_t *j, const struct exec *x, struct error *e) {
    char *end;
    unsigned long uid = strtoul(x->user, &end, 10), gid = 0;
    bool fine = end != x->user;
    if (fine && *end == ':') {
        const char *group = end + 1;
        gid = strtoul(group, &end, 10);
        fine = end != group;
    }
    if (!fine || *end || x->user[0] == '-' || uid >= UINT32_MAX || gid >= UINT32_MAX)
        return error_set(e, "exec: --user '%s' is not UID or UID:GID", x->user);
    return set(j, "user", json_pack("{sI sI}", "uid", (json_int_t)uid, "gid", (json_int_t)gid))
               ? 0
               : error_set(e, "exec: no memory");
}

static int set_gids(json_t *j, const struct opt_list *gids, struct error *e) {
    json_t *list = json_array();
    if (!set(config_get(j, "user"), "additionalGids", list))
        return error_set(e, "exec: --additional-gids: no user to add them to");
    for (unsigned i = 0; i < gids->n; i++) {
        char *end;
        unsigned long gid = strtoul(gids->items[i], &end, 10);
        if (end == gids->items[i] || *end || gid >= UINT32_MAX)
            return error_set(e, "exec: --additional-gids '%s' is no number", gids->items[i]);
        json_array_append_new(list, json_integer((json_int_t)gid));
    }
    return 0;
}

// The container's own process, with what the command line says instead.
static json_t *from_options(const struct container *c, const struct exec *x, int argc, char **argv,
                            struct error *e) {
    json_t *config = kept_config(c, e);
    json_t *j = config ? json_incref(config_get(config, "process")) : NULL;
    json_decref(config);
    if (!j)
        return NULL;
    bool fine = set(j, "args", text_list((const char *const *)argv, (size_t)argc)) &&
                set(j, "terminal", json_boolean(x->tty)) && (!x->cwd || set(j, "cwd", json_string(x->cwd))) &&
                add_env(j, &x->env) && add_caps(j, &x->caps) &&
                (!x->no_new_privs || set(j, "noNewPrivileges", json_true()));
    if (!fine)
        error_set(e, "exec: an argument is no UTF-8, or there is no memory");
    if (fine && (!x->user || set_user(j, x, e) == 0) && (!x->gids.n || set_gids(j, &x->gids, e) == 0))
        return j;
    json_decref(j);
    return NULL;
}

static int start(struct container *c, const struct exec *x, const struct process_config *p, struct init *init,
                 struct error *e) {
    int slave = -1;
    if (p->terminal && !x->console_socket && x->detach)
        return error_set(e, "exec: a terminal with --detach needs a --console-socket");
    if (!p->terminal && x->console_socket)
        return error_set(e, "exec: --console-socket without a terminal");
    int control = control_connect(c, e);
    if (control < 0)
        return -1;
    if (x->console_socket && (slave = console_open(x->console_socket, p->rows, p->cols, e)) < 0) {
        close(control);
        return -1;
    }
    if (init_fork_exec(&p->what, control, slave, init, e) < 0)
        return -1;
    if (cgroup_add(c->cgroup, init->pid, e) < 0) {
        init_kill(init);
        return -1;
    }
    if (init_go(init, e) < 0)
        return -1;
    if (x->pid_file && write_pid_file(x->pid_file, init->pid, e) < 0) {
        init_kill(init);
        return -1;
    }
    return 0;
}

static int run(struct oci *o, struct container *c, const struct exec *x, int argc, char **argv,
               struct error *e) {
    if (c->status == PAUSED && !x->ignore_paused)
        return error_set(e, "container %s: is paused", c->id);
    if (c->status == STOPPED)
        return error_set(e, "container %s: cannot exec in a stopped container: container not running", c->id);
    if (!x->process && argc == 0)
        return error_set(e, "exec: neither a program nor --process is given");
    const char *file = x->process ? x->process : "exec";
    json_t *j = x->process ? json_read_file(AT_FDCWD, x->process, e) : from_options(c, x, argc, argv, e);
    struct process_config p = {0};
    struct init init = {0};
    int err = j ? fields_check(j, "process", file, warn, o, e) : -1;
    if (err == 0)
        err = process_parse(o, j, file, "process", &p, e);
    if (err == 0)
        err = process_set_home(&p, c->rootfs, e);
    p.terminal |= x->tty;
    p.what.more_fds = x->more_fds;
    if (err == 0)
        err = start(c, x, &p, &init, e);
    process_free(&p);
    json_decref(j);
    return err < 0 || x->detach ? err : init_wait(init.pid);
}

int cmd_exec(struct oci *o, int argc, char **argv, struct error *e) {
    struct exec x = {0};
    const struct opt opts[] = {
        {"process", 'p', OPT_TEXT, &x.process},
        {"pid-file", 0, OPT_TEXT, &x.pid_file},
        {"console-socket", 0, OPT_TEXT, &x.console_socket},
        {"cwd", 0, OPT_TEXT, &x.cwd},
        {"env", 'e', OPT_LIST, &x.env},
        {"user", 'u', OPT_TEXT, &x.user},
        {"cap", 'c', OPT_LIST, &x.caps},
        {"additional-gids", 'g', OPT_LIST, &x.gids},
        {"tty", 't', OPT_FLAG, &x.tty},
        {"detach", 'd', OPT_FLAG, &x.detach},
        {"no-new-privs", 0, OPT_FLAG, &x.no_new_privs},
        {"ignore-paused", 0, OPT_FLAG, &x.ignore_paused},
        {"preserve-fds", 0, OPT_TEXT, &x.preserve},
        {"apparmor", 0, OPT_SKIP_TEXT, NULL},
        {"process-label", 0, OPT_SKIP_TEXT, NULL},
        {"cgroup", 0, OPT_SKIP_TEXT, NULL},
        {0},
    };
    static const char usage[] =
        "exec [--detach] [--tty] [--process FILE] [--pid-file FILE] [--console-socket PATH] [--cwd DIR] "
        "[--env K=V] [--user UID[:GID]] [--preserve-fds N] ID [CMD [ARGS]]";
    int at = opt_parse(argc, argv, opts, usage, 1, 1 << 20, e);
    if (at < 0 || keep_fds(x.preserve, 0, &x.more_fds, e) < 0)
        return -1;
    struct container c;
    int err = container_load(o, argv[at], false, &c, e);
    if (err == 0)
        err = run(o, &c, &x, argc - at - 1, argv + at + 1, e);
    container_close(&c);
    return err;
}
