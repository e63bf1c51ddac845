// SPDX-License-Identifier: Apache-2.0
// Argument vectors of an exec: argv, then envp, as strings back to back. Filled by sys_exec.c from guest
// memory, or by the sentry's start from the command line; changed here for scripts.
#include "abi/errno.h"
#include "abi/misc.h"
#include "base/fault.h"
#include "sentry/loader/loader.h"
#include <stdlib.h>
#include <string.h>

static int make_room(struct exec_args *a, size_t more) {
    size_t pointers = (a->argc + a->envc + 1) * sizeof(uint64_t);
    if (more > EXEC_ARG_MAX || a->len + more + pointers > EXEC_ARG_MAX)
        return -LINUX_E2BIG;
    if (a->len + more <= a->size)
        return 0;
    size_t size = a->size ? a->size : 4096;
    while (size < a->len + more)
        size *= 2;
    char *p = xrealloc(a->strings, size);
    if (!p)
        return -LINUX_ENOMEM;
    a->strings = p;
    a->size = size;
    return 0;
}

int exec_args_add_n(struct exec_args *a, const char *s, size_t len, bool env) {
    if (len >= LINUX_MAX_ARG_STRLEN)
        return -LINUX_E2BIG;
    int r = make_room(a, len + 1);
    if (r < 0)
        return r;
    memcpy(a->strings + a->len, s, len);
    a->strings[a->len + len] = 0;
    a->len += len + 1;
    if (env)
        a->envc++;
    else
        a->argc++;
    return 0;
}
int exec_args_add(struct exec_args *a, const char *s, bool env) {
    return exec_args_add_n(a, s, strlen(s), env);
}

int exec_args_script(struct exec_args *a, const char *interp, const char *arg, const char *script) {
    size_t first = a->argc ? strlen(a->strings) + 1 : 0;  // what execve's caller gave as argv[0] is dropped
    size_t n1 = strlen(interp) + 1, n2 = arg ? strlen(arg) + 1 : 0, n3 = strlen(script) + 1;
    int r = make_room(a, n1 + n2 + n3);
    if (r < 0)
        return r;
    memmove(a->strings + n1 + n2 + n3, a->strings + first, a->len - first);
    memcpy(a->strings, interp, n1);
    if (arg)
        memcpy(a->strings + n1, arg, n2);
    memcpy(a->strings + n1 + n2, script, n3);
    a->len += n1 + n2 + n3 - first;
    a->argc += (arg ? 3 : 2) - (a->argc ? 1 : 0);
    return 0;
}

void exec_args_free(struct exec_args *a) {
    free(a->strings);
    free(a->execfn);
    *a = (struct exec_args){0};
}
