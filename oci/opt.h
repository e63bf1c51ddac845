// SPDX-License-Identifier: Apache-2.0
// The options of a command, as a table.
#ifndef OCI_OPT_H
#define OCI_OPT_H
#include "oci/error.h"
#include <stdbool.h>

enum opt_kind {
    OPT_FLAG,   // to: bool
    OPT_TEXT,   // to: const char *
    OPT_MAYBE,  // to: const char *; its value, after =, may be left out: ""
    OPT_LIST,   // to: struct opt_list; may be given more than once
    OPT_SKIP,   // accepted, and means nothing here
    OPT_SKIP_TEXT,
};
#define OPT_LIST_MAX 256
struct opt_list {
    const char *items[OPT_LIST_MAX];
    unsigned n;
};
struct opt {
    const char *name;
    char letter;  // 0: none
    enum opt_kind kind;
    void *to;
};

// argv[0] is the command. Returns the index of the first word that is no option, when between `least` and
// `most` words are left there; else -1. --help prints `usage` and ends the process. Ends with a row of zeros.
int opt_parse(int argc, char **argv, const struct opt *opts, const char *usage, int least, int most,
              struct error *e);

// How many descriptors, from 3 on, somebody has given us to hand on (sd_listen_fds(3)).
unsigned listen_fds(void);
// --preserve-fds N, NULL: not given: that many from 3 + `listens` on stay open with those before them, all
// behind them are closed. *n: how many are open from 3 on.
int keep_fds(const char *text, unsigned listens, unsigned *n, struct error *e);
// --stdin FILE (NULL: not given): it becomes descriptor 0.
int take_stdin(const char *file, struct error *e);
void drop_fds(unsigned n);  // closes those: they are the program's

#endif
