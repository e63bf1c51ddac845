// SPDX-License-Identifier: Apache-2.0
// The first line of a #! script. A pure function, for the loader, its tests and its fuzzer.
#ifndef SENTRY_LOADER_SCRIPT_H
#define SENTRY_LOADER_SCRIPT_H
#include "abi/misc.h"
#include <stdbool.h>
#include <stddef.h>

struct script {
    char interp[LINUX_BINPRM_BUF_SIZE];
    // the one optional argument, inner blanks included; "" when has_arg is false
    char arg[LINUX_BINPRM_BUF_SIZE];
    bool has_arg;
};
// buf: the file's first bytes. 0; 1: not a script; -LINUX_ENOEXEC: one without a usable interpreter.
int script_parse(const char *buf, size_t len, struct script *out);

#endif
