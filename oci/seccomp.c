// SPDX-License-Identifier: Apache-2.0
// See seccomp.h. libseccomp makes the program, as for other runtimes, so that a profile means the same here.
// Only calls of the one architecture that guests have are ever judged.
#include "oci/seccomp.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "oci/config.h"
#include "oci/json.h"
#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ERRNO_MAX 4095
#define ARGS_MAX  6u
#define NEWER     4u  // instructions before libseccomp's

struct compiler {
    const struct oci *o;
    const char *file;
    scmp_filter_ctx ctx;
    uint32_t default_action;
    unsigned newest;  // number of the newest call that the profile names
    bool named;       // ... one at all
    struct error *e;
};

static int bad(const struct compiler *c, const char *field, const char *what, const char *why) {
    return error_set(c->e, "%s: linux.seccomp.%s: '%.64s' %s", c->file, field, what ? what : "", why);
}

// ---- Words ------------------------------------------------------------------------------------------------
static const struct word {
    const char *name;
    uint32_t value;
} actions[] = {{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
               {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
               {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
               {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
               {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
               {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
               {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
               {"SCMP_ACT_LOG", SCMP_ACT_LOG},
               {0}},
  operators[] = {{"SCMP_CMP_NE", SCMP_CMP_NE},
                 {"SCMP_CMP_LT", SCMP_CMP_LT},
                 {"SCMP_CMP_LE", SCMP_CMP_LE},
                 {"SCMP_CMP_EQ", SCMP_CMP_EQ},
                 {"SCMP_CMP_GE", SCMP_CMP_GE},
                 {"SCMP_CMP_GT", SCMP_CMP_GT},
                 {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
                 {0}},
  architectures[] = {{"SCMP_ARCH_X86", 0},      {"SCMP_ARCH_X86_64", 1},      {"SCMP_ARCH_X32", 0},
                     {"SCMP_ARCH_ARM", 0},      {"SCMP_ARCH_AARCH64", 0},     {"SCMP_ARCH_MIPS", 0},
                     {"SCMP_ARCH_MIPS64", 0},   {"SCMP_ARCH_MIPS64N32", 0},   {"SCMP_ARCH_MIPSEL", 0},
                     {"SCMP_ARCH_MIPSEL64", 0}, {"SCMP_ARCH_MIPSEL64N32", 0}, {"SCMP_ARCH_PPC", 0},
                     {"SCMP_ARCH_PPC64", 0},    {"SCMP_ARCH_PPC64LE", 0},     {"SCMP_ARCH_S390", 0},
                     {"SCMP_ARCH_S390X", 0},    {"SCMP_ARCH_PARISC", 0},      {"SCMP_ARCH_PARISC64", 0},
                     {"SCMP_ARCH_RISCV64", 0},  {"SCMP_ARCH_LOONGARCH64", 0}, {"SCMP_ARCH_M68K", 0},
                     {"SCMP_ARCH_SH", 0},       {"SCMP_ARCH_SHEB", 0},        {0}},
  // what concerns the host's kernel, or several threads, has no meaning for a program that has not begun
    flags[] = {{"SECCOMP_FILTER_FLAG_TSYNC", 0},
               {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", 0},
               {"SECCOMP_FILTER_FLAG_LOG", 1},
               {0}};

static const struct word *find(const struct word *words, const char *name) {
    for (; name && words->name; words++)
        if (!strcmp(words->name, name))
            return words;
    return NULL;
}

// An action with its errno, which is EPERM where none is given.
static int read_action(const struct compiler *c, json_t *j, const char *key, const char *errno_key,
                       uint32_t *action) {
    const char *name = json_string_value(json_object_get(j, key));
    const struct word *w = find(actions, name);
    int64_t ret = EPERM;
    if (name && !strcmp(name, "SCMP_ACT_NOTIFY"))
        return bad(c, key, name, "is not supported: no call is handed to a program outside");
    if (!w)
        return bad(c, key, name, "is not known");
    json_t *given = config_get(j, errno_key);
    bool takes = w->value == SCMP_ACT_ERRNO(0) || w->value == SCMP_ACT_TRACE(0);
    if (given && (!json_whole(given, &ret) || ret < 0 || ret > ERRNO_MAX))
        return bad(c, errno_key, name, "has a number that is out of range");
    *action = takes ? w->value | (uint32_t)ret : w->value;
    return 0;
}

// ---- Rules ------------------------------------------------------------------------------------------------
static int read_number(json_t *j, const char *key, uint64_t *value) {
    json_t *v = json_object_get(j, key);
    int64_t whole = 0;
    if (v && !json_whole(v, &whole))
        return -1;
    *value = json_is_real(v) && json_real_value(v) >= 0x1p63 ? (uint64_t)json_real_value(v) : (uint64_t)whole;
    if (json_is_real(v) && json_real_value(v) >= 0x1p64)
        *value = UINT64_MAX;
    return 0;
}

static int read_arg(const struct compiler *c, json_t *j, struct scmp_arg_cmp *out) {
    const char *op = json_string_value(json_object_get(j, "op"));
    const struct word *w = find(operators, op);
    uint64_t index, value, two;
    if (!w)
        return bad(c, "syscalls[].args[].op", op, "is not known");
    if (read_number(j, "index", &index) < 0 || index >= ARGS_MAX)
        return bad(c, "syscalls[].args[].index", op, "is of an argument that no call has");
    if (read_number(j, "value", &value) < 0 || read_number(j, "valueTwo", &two) < 0)
        return bad(c, "syscalls[].args[].value", op, "has a number that is out of range");
    *out = (struct scmp_arg_cmp){(unsigned)index, (enum scmp_compare)w->value, value, two};
    return 0;
}

// Conditions hold together; but of several on one argument, which libseccomp does not know, each is a rule of
// its own, as other runtimes have it.
static bool one_argument_twice(const struct scmp_arg_cmp *args, unsigned n) {
    unsigned seen = 0;
    for (unsigned i = 0; i < n; i++) {
        if (seen >> args[i].arg & 1)
            return true;
        seen |= 1u << args[i].arg;
    }
    return false;
}

static int add_rules(const struct compiler *c, uint32_t action, int nr, const struct scmp_arg_cmp *args,
                     unsigned n) {
    if (!one_argument_twice(args, n))
        return seccomp_rule_add_array(c->ctx, action, nr, n, args);
    int err = 0;
    for (unsigned i = 0; i < n && (err == 0 || err == -EEXIST); i++)
        err = seccomp_rule_add_array(c->ctx, action, nr, 1, &args[i]);
    return err;
}

static int add_names(struct compiler *c, json_t *names, uint32_t action, const struct scmp_arg_cmp *args,
                     unsigned nargs) {
    size_t i;
    json_t *v;
    if (!json_array_size(names))
        return error_set(c->e, "%s: linux.seccomp.syscalls[].names: is missing or empty", c->file);
    json_array_foreach(names, i, v) {
        int nr = seccomp_syscall_resolve_name(json_string_value(v));
        if (nr < 0)  // another architecture's, or newer than the library
            continue;
        if (!c->named || (unsigned)nr > c->newest)
            c->newest = (unsigned)nr;
        c->named = true;
        int err = action == c->default_action ? 0 : add_rules(c, action, nr, args, nargs);
        if (err == -EEXIST)
            oci_warn(
                c->o,
                "linux.seccomp.syscalls[]: a rule for %s is passed over: an earlier one has its conditions",
                json_string_value(v));
        else if (err < 0)
            return error_errno(c->e, -err, "%s: linux.seccomp.syscalls[]: a rule for %s", c->file,
                               json_string_value(v));
    }
    return 0;
}

static int add_entry(struct compiler *c, json_t *j) {
    struct scmp_arg_cmp args[ARGS_MAX];
    json_t *list = config_get(j, "args");
    uint32_t action;
    unsigned n = (unsigned)json_array_size(list);
    if (json_array_size(list) > ARGS_MAX)
        return bad(c, "syscalls[].args", "", "has more than 6 elements");
    for (unsigned i = 0; i < n; i++)
        if (read_arg(c, json_array_get(list, i), &args[i]) < 0)
            return -1;
    if (read_action(c, j, "action", "errnoRet", &action) < 0)
        return -1;
    return add_names(c, config_get(j, "names"), action, args, n);
}

// ---- The program ------------------------------------------------------------------------------------------
// A profile that refuses what it does not name means calls that were there when it was written. Newer ones do
// not exist: programs then go on with older calls, which EPERM would keep them from.
static unsigned put_newer(const struct compiler *c, struct linux_sock_filter *to) {
    bool refuses = (c->default_action & LINUX_SECCOMP_RET_ACTION_FULL) == SCMP_ACT_ERRNO(0) && c->named;
    if (!refuses || c->default_action == SCMP_ACT_ERRNO(ENOSYS))
        return 0;
    const struct linux_sock_filter newer[NEWER] = {
        {0x20, 0, 0, 0},          // the call's number
        {0x25, 0, 1, c->newest},  // beyond the newest?
        {0x06, 0, 0, LINUX_SECCOMP_RET_ERRNO | ENOSYS},
        {0x05, 0, 0, 0},  // to what follows
    };
    memcpy(to, newer, sizeof newer);
    return NEWER;
}

static int take_program(const struct compiler *c, struct sentry_filter *out) {
    int fd cleanup_close = memfd_create("filter", MFD_CLOEXEC);
    struct stat st;
    int err = fd < 0 ? -errno : seccomp_export_bpf(c->ctx, fd);
    if (err < 0 || fstat(fd, &st) < 0)
        return error_errno(c->e, err < 0 ? -err : errno, "%s: linux.seccomp", c->file);
    size_t size = (size_t)st.st_size;
    if (size / sizeof *out->insns + NEWER > LINUX_BPF_MAXINSNS)
        return error_set(c->e, "%s: linux.seccomp: makes more than %u instructions", c->file,
                         LINUX_BPF_MAXINSNS);
    struct linux_sock_filter *program = xcalloc(size / sizeof *program + NEWER, sizeof *program);
    if (!program)
        return error_set(c->e, "%s: linux.seccomp: no memory", c->file);
    unsigned n = put_newer(c, program);
    if (pread(fd, program + n, size, 0) != (ssize_t)size) {
        free(program);
        return error_errno(c->e, EIO, "%s: linux.seccomp", c->file);
    }
    out->insns = program;
    out->n = n + (unsigned)(size / sizeof *program);
    return 0;
}

static int compile(struct compiler *c, json_t *j, struct sentry_filter *out) {
    size_t i;
    json_t *v;
    // as a tree: less to be gone through for each call
    if (seccomp_attr_set(c->ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0)
        oci_warn(c->o, "linux.seccomp: the filter is a list, and slower");
    json_array_foreach(config_get(j, "architectures"), i, v) {
        if (!find(architectures, json_string_value(v)))
            return bad(c, "architectures", json_string_value(v), "is not known");
        if (!strcmp(json_string_value(v), "SCMP_ARCH_X32"))
            seccomp_attr_set(c->ctx, SCMP_FLTATR_ACT_BADARCH, c->default_action);
    }
    json_array_foreach(config_get(j, "flags"), i, v) {
        const struct word *w = find(flags, json_string_value(v));
        if (!w)
            return bad(c, "flags", json_string_value(v), "is not supported");
        out->log |= w->value;
    }
    json_array_foreach(config_get(j, "syscalls"), i, v)
        if (add_entry(c, v) < 0)
            return -1;
    return take_program(c, out);
}

int seccomp_read(const struct oci *o, json_t *j, const char *file, struct sentry_filter *out,
                 struct error *e) {
    struct compiler c = {.o = o, .file = file, .e = e};
    *out = (struct sentry_filter){0};
    if (!j)
        return 0;
    if (read_action(&c, j, "defaultAction", "defaultErrnoRet", &c.default_action) < 0)
        return -1;
    c.ctx = seccomp_init(c.default_action);
    if (!c.ctx)
        return error_set(e, "%s: linux.seccomp: no memory", file);
    int err = compile(&c, j, out);
    seccomp_release(c.ctx);
    return err;
}
