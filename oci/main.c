// SPDX-License-Identifier: Apache-2.0
// picket COMMAND: finds the command in the table and runs it.
#include "base/log.h"
#include "base/hostprocess.h"
#include "oci/cmd.h"
#include "oci/proctitle.h"
#include "sentry/sentry.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    int (*oci)(struct oci *o, int argc, char **argv, struct error *e);  // of the OCI runtime
    const char *summary;
    bool keeps_fds;  // has --preserve-fds: closes itself what the caller has open beyond that
} commands[] = {
    {"do", cmd_do, NULL, "run one program in a sandbox over this machine's files"},
    {"create", NULL, cmd_create, "make a container from a bundle", true},
    {"start", NULL, cmd_start, "start a created container's program"},
    {"run", NULL, cmd_run, "create, start, wait, delete", true},
    {"exec", NULL, cmd_exec, "run one more program in a container", true},
    {"kill", NULL, cmd_kill, "send a signal to a container"},
    {"wait", NULL, cmd_wait, "wait for a container's end"},
    {"delete", NULL, cmd_delete, "remove a stopped container"},
    {"state", NULL, cmd_state, "show a container's state"},
    {"list", NULL, cmd_list, "show all containers"},
    {"ps", NULL, cmd_ps, "show the processes of a container"},
    {"pause", NULL, cmd_pause, "hold a container"},
    {"resume", NULL, cmd_resume, "let a paused container go on"},
    {"update", NULL, cmd_update, "change a container's limits"},
    {"events", NULL, cmd_events, "show what a container uses"},
    {"spec", NULL, cmd_spec, "write a config.json to begin with"},
    {"features", NULL, cmd_features, "show what this runtime supports"},
    {"install", NULL, cmd_install, "make Picket a runtime of docker, podman or containerd"},
    {"checkpoint", NULL, cmd_unsupported, "not supported"},
    {"restore", NULL, cmd_unsupported, "not supported"},
    {"help", cmd_help, NULL, "show this text"},
    {"version", cmd_version, NULL, "show the version"},
};
#define NCOMMANDS (sizeof commands / sizeof commands[0])

int cmd_help(int argc, char **argv) {
    printf("usage: picket [--root DIR] [--log FILE] [--log-format text|json] [--debug] COMMAND [OPTIONS] "
           "[ARGS]\n\n");
    for (unsigned i = 0; i < NCOMMANDS; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    printf("\n`picket COMMAND --help` shows the options of a command; docs/OCI.md is about containers.\n");
    return 0;
}

int cmd_version(int argc, char **argv) {
    printf("picket version %s\nspec: %s\n", PICKET_VERSION, OCI_SPEC_VERSION);
    return 0;
}

// A closed stdin, stdout or stderr must not become a socket of ours: the number is taken, and stays closed
// inside.
unsigned stdio_closed;
struct process_inherited inherited;
static void stdio_guard(void) {
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_CLOEXEC) == fd)
            stdio_closed |= 1u << fd;
}

// What else the caller has open (and may not know of) does not come in.
static void only_stdio(void) { close_range(3, ~0u, 0); }

static void log_level_from_env(void) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    const char *want = getenv("PICKET_LOG");
    for (unsigned i = 0; want && i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(want, names[i]))
            log_set_level((enum log_level)i);
}

static const struct command *find(const char *name) {
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        name = "help";
    if (!strcmp(name, "--version") || !strcmp(name, "-v"))
        name = "version";
    for (unsigned i = 0; i < NCOMMANDS; i++)
        if (!strcmp(name, commands[i].name))
            return &commands[i];
    return NULL;
}

// Options may come before the command of a container.
static int run_command(int argc, char **argv) {
    struct oci o = {0};
    struct error e;
    const struct command *c = find(argv[1]);
    if (c && c->run) {
        only_stdio();
        return c->run(argc - 1, argv + 1);
    }
    int at = oci_options(&o, argc, argv, &e);
    if (at < 0)
        return oci_failed(&o, &e);
    c = at < argc ? find(argv[at]) : NULL;
    if (!c) {
        log_error("unknown command '%s' (see picket help)", at < argc ? argv[at] : "");
        return SENTRY_EXIT_FAILED;
    }
    if (!c->keeps_fds)
        only_stdio();
    int status = c->run ? c->run(argc - at, argv + at) : c->oci(&o, argc - at, argv + at, &e);
    if (fflush(stdout) == EOF && status == 0)
        status = error_set(&e, "stdout: cannot be written");
    status = status < 0 ? oci_failed(&o, &e) : status;
    free(o.root);
    return status;
}

int picket_main(int argc, char **argv) {
    const char *narrow = process_start(&inherited);
    stdio_guard();
    log_level_from_env();
    proctitle_init(argv);
    if (narrow) {
        log_error("%s: it cannot work with so little", narrow);
        return SENTRY_EXIT_FAILED;
    }
    if (argc < 2) {
        cmd_help(0, NULL);
        return SENTRY_EXIT_FAILED;
    }
    return run_command(argc, argv);
}
