// SPDX-License-Identifier: Apache-2.0
// What our own processes give up, in one place: namespaces, root directory, user, capabilities, Landlock
// domain, seccomp filter. The second layer: it has to hold when the first, the process's own checks, has
// failed. Each step does what the host lets the caller do and carries on without what it refuses; what is in
// force is told by confine_describe(). For processes with one thread (but for the filter); nothing can be
// taken back. Functions return 0 or -LINUX_E*.
#ifndef HOST_CONFINE_H
#define HOST_CONFINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// ---- Namespaces and root (namespaces.c) -------------------------------------------------------------------
// As fork(2); the child lies in network, pid, ipc, uts, mount and cgroup namespaces of its own, made directly
// or through a user namespace, as far as the host allows. It is the caller's child in any case, and process 1
// of its pid namespace when it has one (getppid() is 0 there). The caller may become a subreaper.
pid_t confine_fork(void);
// Is this process 1 of a pid namespace of its own? Then its end is that of all in it: the kernel kills them,
// and shows the end to the parent when they are gone.
bool confine_first(void);
// The root becomes an empty read-only file system that lies nowhere. Needs a mount namespace of
// confine_fork()'s.
void confine_root(void);

// ---- User and capabilities (privileges.c) -----------------------------------------------------------------
// Root becomes a user without name, groups and files, which no other sandbox of this pid namespace has.
// Others stay what they are. Capabilities of the old user are lost; the parent death signal has to be set
// anew.
int confine_user(void);
// A session keyring of its own: the caller's keys are not at hand any more.
void confine_keys(void);
// Keeps no capability in any set but those of `keep` (bits) that are permitted now.
int confine_capabilities(uint64_t keep);

// ---- Landlock (landlock.c) --------------------------------------------------------------------------------
// The host's version of Landlock's interface, 0 without Landlock.
int landlock_version(void);
// All rights on files that this version can refuse.
uint64_t landlock_file_rights(int version);
// A new ruleset that refuses `files` (of these rights), TCP, and abstract sockets and signals beyond the
// domain. A descriptor or -LINUX_E*. Rules may be added; landlock_enter() closes it.
int landlock_ruleset(int version, uint64_t files);
int landlock_enter(int ruleset);
// A domain without any rule: no file is opened, made or removed but by a descriptor that is open. Without
// Landlock: 0. Makes host calls only, so that it may be called in a stub. `reads`: files may still be opened
// for reading and writing.
int confine_landlock(bool reads);

// ---- seccomp (filter.c) -----------------------------------------------------------------------------------
// A row of a host_syscalls.def. The meaning of both small numbers is the process's own.
struct filter_row {
    int number;
    unsigned char when, condition;
};
// A call that is allowed, whatever its arguments are or when a test holds: the low half of argument `arg`
// (0 to 5), masked, is `value` or is not. With several rules for a number one is enough; the first that holds
// counts. error: what the call fails with instead of being made, 0 for none.
enum filter_test { FILTER_ANY, FILTER_IS, FILTER_IS_NOT };
struct filter_rule {
    int number;
    unsigned char test, arg;
    unsigned short error;
    uint32_t mask, value;
};
struct filter_rules;
void filter_add(struct filter_rules *to, struct filter_rule rule);

struct filter {
    const struct filter_row *rows;
    size_t nrows;
    unsigned when;  // bit n: rows with that `when` are in
    // Adds the rules of one row.
    void (*allow)(struct filter_rules *rules, const struct filter_row *row, const void *arg);
    const void *arg;
    bool all_threads;
};
// Loads it: what no row allows ends the process.
int filter_load(const struct filter *f);
// Its program; insn: room for FILTER_MAX_INSNS. How many there are.
#define FILTER_MAX_INSNS 960
struct sock_filter;
unsigned filter_build(const struct filter *f, struct sock_filter *insn);

// ---- What is in force -------------------------------------------------------------------------------------
// One line, "user, net, pid ... namespaces; empty root; ..." into text.
void confine_describe(char *text, size_t size);

#endif
