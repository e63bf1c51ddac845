// SPDX-License-Identifier: Apache-2.0
// See opt.h. Options end at the first word that is none: what follows may be a program with options of its
// own.
#include "oci/opt.h"
#include "base/cleanup.h"
#include "sentry/sentry.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_OPTIONS 32
#define LONG        256

static int take(const struct opt *o, char *value, struct error *e) {
    struct opt_list *list = o->to;
    switch (o->kind) {
    case OPT_FLAG:
        *(bool *)o->to = true;
        return 0;
    case OPT_TEXT:
        *(const char **)o->to = value;
        return 0;
    case OPT_MAYBE:
        *(const char **)o->to = value ? value : "";
        return 0;
    case OPT_LIST:
        if (list->n == OPT_LIST_MAX)
            return error_set(e, "--%s: more than %d times", o->name, OPT_LIST_MAX);
        list->items[list->n++] = value;
        return 0;
    default:
        return 0;
    }
}

static const struct opt *find(const struct opt *opts, int c) {
    if (c >= LONG)
        return &opts[c - LONG];
    for (; opts->name; opts++)
        if (opts->letter == c)
            return opts;
    return NULL;
}

int opt_parse(int argc, char **argv, const struct opt *opts, const char *usage, int least, int most,
              struct error *e) {
    struct option longs[MAX_OPTIONS + 2] = {{0}};
    char letters[2 * MAX_OPTIONS + 8] = "+:h", *p = letters + 3;
    int n = 0, c;
    for (const struct opt *o = opts; o->name && n < MAX_OPTIONS; o++, n++) {
        bool value = o->kind == OPT_TEXT || o->kind == OPT_LIST || o->kind == OPT_SKIP_TEXT;
        int takes = value ? required_argument : no_argument;
        longs[n] = (struct option){o->name, o->kind == OPT_MAYBE ? optional_argument : takes, NULL, LONG + n};
        if (!o->letter)
            continue;
        *p++ = o->letter;
        if (value)
            *p++ = ':';
    }
    longs[n] = (struct option){"help", no_argument, NULL, 'h'};
    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (c == 'h') {
            printf("usage: picket %s\n", usage);
            exit(0);
        }
        const struct opt *o = c == '?' || c == ':' ? NULL : find(opts, c);
        if (!o)
            return error_set(e, "%s: %s '%s' (usage: picket %s)", argv[0],
                             c == ':' ? "missing value for" : "unknown option", argv[optind - 1], usage);
        if (take(o, optarg, e) < 0)
            return -1;
    }
    if (argc - optind < least || argc - optind > most)
        return error_set(e, "%s: usage: picket %s", argv[0], usage);
    return optind;
}

unsigned listen_fds(void) {
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    char *end;
    unsigned long n = pid && fds && atoi(pid) == (int)getpid() ? strtoul(fds, &end, 10) : 0;
    return n <= SENTRY_FDS - 3 ? (unsigned)n : 0;
}

// Only stdio comes in, and what the caller names: what else it has open (and may not know of) is closed.
int keep_fds(const char *text, unsigned listens, unsigned *n, struct error *e) {
    char *end = NULL;
    unsigned long count = text ? strtoul(text, &end, 10) : 0;
    *n = 0;
    if (text && (end == text || *end || count > SENTRY_FDS - 3 - listens))
        return error_set(e, "--preserve-fds %s: is not a number up to %u", text, SENTRY_FDS - 3 - listens);
    count += listens;
    for (unsigned fd = 3; fd < 3 + count; fd++)
        if (fcntl((int)fd, F_GETFD) < 0)
            return error_set(e, "%s %s: descriptor %u is not open", text ? "--preserve-fds" : "LISTEN_FDS",
                             text ? text : "", fd);
    close_range(3 + (unsigned)count, ~0u, 0);
    *n = (unsigned)count;
    return 0;
}

int take_stdin(const char *file, struct error *e) {
    int fd cleanup_close = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    if (file && (fd < 0 || dup2(fd, 0) < 0))
        return error_errno(e, errno, "--stdin %s", file);
    return 0;
}

void drop_fds(unsigned n) {
    if (n)
        close_range(3, 2 + n, 0);
}
