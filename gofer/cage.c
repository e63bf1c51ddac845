// SPDX-License-Identifier: Apache-2.0
// The gofer's cage. In the order in which it goes up:
//   descriptors   all closed but the connection, roots, /proc/self/fd and stderr
//   tracing       not by its user, and no set-uid program
//   chroot        into an empty directory, where allowed: absolute paths lead nowhere. (The root
//                 descriptors are outside, so this alone confines nobody.)
//   capabilities  none but those that file access as root takes
//   Landlock      where the host has it, also without root: opens for I/O only beneath the roots, writes
//                 only beneath writable ones, no device, fifo or socket node can be made, nothing executed,
//                 no process traced or signalled, no abstract socket or TCP port reached
//   seccomp       the rows of host_syscalls.def; everything else kills the process
// No namespaces: a user namespace would show files of other owners as nobody's, and without one only root
// could have them, for a millisecond at each start. No call of the rows makes a socket, an IPC object or a
// process.
//
// LIMIT: below a root "/" Landlock cannot cut out /proc and /sys: a gofer that was taken over could read
// there what its user may read. Requests cannot (resolve.c).
//
// Called by gofer.c once, single-threaded.
#include "gofer/cage.h"
#include "base/log.h"
#include "host/confine.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Newer than the headers we may be built with.
#define LANDLOCK_REFER    (1ull << 13)
#define LANDLOCK_TRUNCATE (1ull << 14)

static bool any_writable(const struct gofer_server *s) {
    for (unsigned i = 0; i < s->nroots; i++)
        if (s->roots[i].writable)
            return true;
    return false;
}

// ---- Descriptors ------------------------------------------------------------------------------------------
static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static int close_gap(unsigned from, unsigned to) {
    return syscall(SYS_close_range, from, to, 0) < 0 ? -errno : 0;
}

int cage_close_others(const struct gofer_server *s, int sock) {
    int keep[GOFER_ROOTS_MAX + 3];
    size_t n = 0;
    keep[n++] = STDERR_FILENO;
    keep[n++] = sock;
    keep[n++] = s->proc_fd;
    for (unsigned i = 0; i < s->nroots; i++)
        keep[n++] = s->roots[i].fd;
    qsort(keep, n, sizeof(keep[0]), by_number);
    unsigned from = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned kept = (unsigned)keep[i];
        int err = kept > from ? close_gap(from, kept - 1) : 0;
        if (err)
            return err;
        from = kept + 1;
    }
    return close_gap(from, ~0u);
}

// ---- Tracing ----------------------------------------------------------------------------------------------
static int refuse_tracing(void) {
    return prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

// Best effort: an ordinary user may not. The directory is one that is always empty of files of any use.
static void enter_empty_root(void) {
    if (chroot("/proc/self/fdinfo") == 0 && chdir("/") == 0)
        return;
    log_debug("no chroot: errno %d", errno);
}

// ---- Capabilities -----------------------------------------------------------------------------------------
int cage_capabilities(bool writable) {
    static const unsigned write_caps[] = {CAP_DAC_OVERRIDE, CAP_CHOWN, CAP_FOWNER, CAP_FSETID};
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct have[2];
    if (syscall(SYS_capget, &h, have) < 0)
        return -errno;
    // Containers often have only the wider one; without either, files are read as their modes allow.
    bool search = have[0].permitted & 1u << CAP_DAC_READ_SEARCH;
    uint64_t keep = search ? 1u << CAP_DAC_READ_SEARCH : 1u << CAP_DAC_OVERRIDE;
    for (size_t i = 0; writable && i < sizeof(write_caps) / sizeof(write_caps[0]); i++)
        keep |= 1u << write_caps[i];
    return confine_capabilities(keep);
}

// ---- Landlock ---------------------------------------------------------------------------------------------
static uint64_t ll_rights(bool writable, bool dir) {
    uint64_t r = LANDLOCK_ACCESS_FS_READ_FILE;
    if (dir)
        r |= LANDLOCK_ACCESS_FS_READ_DIR;
    if (writable)
        r |= LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_TRUNCATE;
    if (writable && dir)
        r |= LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
             LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_REFER;
    return r;
}

static int ll_add_roots(const struct gofer_server *s, int ruleset, uint64_t known) {
    for (unsigned i = 0; i < s->nroots; i++) {
        struct stat st;
        if (fstat(s->roots[i].fd, &st) < 0)
            return -errno;
        if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
            continue;  // is never opened
        struct landlock_path_beneath_attr rule = {
            .allowed_access = ll_rights(s->roots[i].writable, S_ISDIR(st.st_mode)) & known,
            .parent_fd = s->roots[i].fd,
        };
        if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
            return -errno;
    }
    return 0;
}

int cage_landlock(const struct gofer_server *s) {
    int version = landlock_version();
    // Version 1 forbids every rename and link between directories.
    if (version < 1 || (version < 2 && any_writable(s))) {
        log_debug("no Landlock (version %d)", version);
        return 0;
    }
    uint64_t rights = landlock_file_rights(version);
    int fd = landlock_ruleset(version, rights);
    if (fd < 0)
        return fd;
    int err = ll_add_roots(s, fd, rights);
    if (!err)
        return landlock_enter(fd);
    close(fd);
    return err;
}

// ---- seccomp ----------------------------------------------------------------------------------------------
enum when { ALWAYS, WRITE, SANITIZED };
enum condition { ANY, ON_SOCK };
static const struct filter_row rows[] = {
#define HOST_SYSCALL(name, when, condition, reason) {SYS_##name, when, condition},
#include "gofer/host_syscalls.def"
};

static void allow(struct filter_rules *rules, const struct filter_row *row, const void *sock) {
    struct filter_rule rule = {.number = row->number};
    if (row->condition == ON_SOCK) {
        rule.test = FILTER_IS;
        rule.mask = ~0u;
        rule.value = *(const uint32_t *)sock;
    }
    filter_add(rules, rule);
}

int cage_filter(int sock, bool writable) {
    const uint32_t number = (uint32_t)sock;
    struct filter f = {
        .rows = rows,
        .nrows = sizeof(rows) / sizeof(rows[0]),
        .when = 1u << ALWAYS | (writable ? 1u << WRITE : 0),
        .allow = allow,
        .arg = &number,
    };
#ifdef PICKET_SANITIZED
    f.when |= 1u << SANITIZED;
#endif
    return filter_load(&f);
}

// ---- All of it --------------------------------------------------------------------------------------------
static int failed(const char *step, int err) {
    log_error("%s: errno %d", step, -err);
    return err;
}

int gofer_cage(const struct gofer_server *s, int sock) {
    int err = cage_close_others(s, sock);
    if (err)
        return failed("close_range", err);
    if ((err = refuse_tracing()))
        return failed("tracing", err);
    enter_empty_root();
    if ((err = cage_capabilities(any_writable(s))))
        return failed("capabilities", err);
    if ((err = cage_landlock(s)))
        return failed("landlock", err);
    // After the capabilities: the kernel forgets it when credentials change.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return failed("parent death signal", -errno);
    return (err = cage_filter(sock, any_writable(s))) ? failed("seccomp filter", err) : 0;
}
