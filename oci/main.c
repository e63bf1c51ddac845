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
    const char *summary;
} commands[] = {
    {"do", cmd_do, "run one program in a sandbox over this machine's files"},
    {"help", cmd_help, "show this text"},
    {"version", cmd_version, "show the version"},
};
#define NCOMMANDS (sizeof commands / sizeof commands[0])

int cmd_help(int argc, char **argv) {
    printf("usage: picket COMMAND [OPTIONS] [ARGS]\n\n");
    for (unsigned i = 0; i < NCOMMANDS; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    printf("\n`picket do --help` shows the options of do.\n");
    return 0;
}

int cmd_version(int argc, char **argv) {
    printf("picket %s\n", PICKET_VERSION);
    return 0;
}

// Only stdio comes in: what else the caller has open (and may not know of) is closed. A closed stdin, stdout
// or stderr must not become a socket of ours: the number is taken, and stays closed inside.
unsigned stdio_closed;
struct process_inherited inherited;
static void stdio_guard(void) {
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_CLOEXEC) == fd)
            stdio_closed |= 1u << fd;
    close_range(3, ~0u, 0);
}

static void log_level_from_env(void) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    const char *want = getenv("PICKET_LOG");
    for (unsigned i = 0; want && i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(want, names[i]))
            log_set_level((enum log_level)i);
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
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        name = "help";
    if (!strcmp(name, "--version"))
        name = "version";
    for (unsigned i = 0; i < NCOMMANDS; i++)
        if (!strcmp(name, commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    log_error("unknown command '%s' (see picket help)", name);
    return SENTRY_EXIT_FAILED;
}
