// SPDX-License-Identifier: Apache-2.0
// The sentry's one entry: oci/ forks a process and calls sentry_run() there.
#ifndef SENTRY_SENTRY_H
#define SENTRY_SENTRY_H
#include "base/hostprocess.h"
#include "platform/platform.h"
#include "sentry/netconfig.h"
#include "sentry/report.h"
#include <stdbool.h>
#include <stdint.h>

struct linux_sock_filter;

// ---- A process from outside -------------------------------------------------------------------------------
// The main process, and those of exec. All borrowed.
enum {
    SENTRY_CAP_EFFECTIVE,
    SENTRY_CAP_PERMITTED,
    SENTRY_CAP_INHERITABLE,
    SENTRY_CAP_BOUNDING,
    SENTRY_CAP_AMBIENT,
    SENTRY_NCAPS
};
#define SENTRY_NLIMITS 16
#define SENTRY_FDS 19u  // descriptors that a program can be given, its stdio among them
struct sentry_process {
    char *const *argv;  // the program: looked up in PATH of envp when it has no slash
    char *const *envp;
    unsigned path_skip;  // so many first entries of that PATH have no such program: whoever starts it has looked
    const char *cwd;  // when it is not there: an error if cwd_wanted, else "/"
    bool cwd_wanted;
    bool cwd_made;  // it is made where it is missing: a container's
    uint32_t uid, gid, umask;
    const uint32_t *groups;
    unsigned ngroups;
    bool has_caps;  // false: all for root, none for others
    uint64_t caps[SENTRY_NCAPS];
    bool no_new_privs;
    int32_t oom_score_adj;
    unsigned more_fds;    // what it is given besides its stdio: descriptors 3 and on; SENTRY_FDS with these
    uint32_t limits_set;  // bit n: limits[n] (RLIMIT_*) holds, else what init has
    struct {
        uint64_t cur, max;
    } limits[SENTRY_NLIMITS];
};

// ---- Mounts -----------------------------------------------------------------------------------------------
enum sentry_mount_kind {
    SENTRY_BIND,  // a root of the gofer
    SENTRY_TMPFS,
    SENTRY_DEV,  // a tmpfs with the usual devices
    SENTRY_DEVPTS,
    SENTRY_PROC,
    SENTRY_SYSFS,
    SENTRY_CGROUP,  // cgroup v2, read-only
    SENTRY_DEVICE,  // the device that is at `source` inside
    SENTRY_MASK,    // what is there is hidden: an empty read-only directory, or what /dev/null is
    SENTRY_RDONLY,  // what is there cannot be written
};
// In order; a place that is missing is made with its parents, but for SENTRY_MASK and SENTRY_RDONLY, which
// then do nothing.
struct sentry_mount {
    enum sentry_mount_kind kind;
    const char *target;       // absolute path inside
    const char *source;       // for /proc/mounts; SENTRY_DEVICE: which
    unsigned flags;           // LINUX_MS_RDONLY, NOSUID, NODEV, NOEXEC
    unsigned root;            // SENTRY_BIND: which of the gofer's
    bool is_dir;              // SENTRY_BIND: or a file
    bool copy_up;             // SENTRY_TMPFS: begins with what lay there
    uint32_t mode, uid, gid;  // SENTRY_TMPFS, SENTRY_DEVPTS
    uint32_t ptmxmode;        // SENTRY_DEVPTS
    uint64_t size;            // SENTRY_TMPFS: bytes; 0: no limit of its own
};
static inline bool sentry_mount_on_dir(const struct sentry_mount *m) {
    return m->kind == SENTRY_BIND ? m->is_dir : m->kind != SENTRY_DEVICE;
}

// A filter over the calls of the program, of its children and of those of exec, as seccomp(2) has them.
struct sentry_filter {
    const struct linux_sock_filter *insns;  // NULL: none
    unsigned n;
    bool log;
};

// A file below /proc/sys by its name with points, and what is written to it before the program starts.
struct sentry_sysctl {
    const char *name, *value;
};

struct sentry_file {
    const char *path, *text;  // absolute; its directory is there
};

// ---- The sandbox ------------------------------------------------------------------------------------------
// in a byte of control_fd: the signal is the terminal's, not somebody's kill(2)
#define SENTRY_CONTROL_TERMINAL 0x80

struct sentry_stop {          // written at once
    unsigned char sig;        // which signal stopped it
    unsigned char continues;  // how many SIGCONTs had come by control_fd (modulo 256)
};

struct sentry_config {
    int gofer_sock;      // taken over
    int control_fd;      // signals from the CLI, one byte each; -1: none; taken over
    // to the CLI: a struct sentry_stop when the main process has stopped; -1: none; taken over
    int stops_fd;
    const struct process_inherited *inherited;  // what the program gets of it: run/boot.c
    enum plat_kind platform;
    bool plain_calls;       // struct plat_config's
    unsigned stdio_closed;  // bit n: descriptor n is not the program's
    bool strace;
    bool verbose;        // say which platform was chosen and why
    struct sentry_process process;
    const char *hostname, *domainname;  // domainname NULL: none
    bool write_through;                 // root 0 of the gofer is the root; false: read-only below an overlay
    bool root_readonly;
    bool main_is_1;  // the main process is number 1 and takes orphans; false: a built-in init is and does
    const struct sentry_mount *mounts;
    unsigned nmounts;
    // An OCI container's: a listening SOCK_SEQPACKET socket and the connection of its init; the main process
    // waits for SENTRY_START (sentry/control.h). Both -1: it starts at once, and there is no control. Taken
    // over
    int listen_fd, init_fd;
    // The network outside: NULL: none. net_fds: sentry_net_fds() of them; taken over. net_later: a
    // CONTROL_NET may still bring one.
    const struct sentry_net *net;
    const int *net_fds;
    bool net_later;
    // Files that lie over the root's when it is read-only below an overlay, before anything is mounted.
    const struct sentry_file *files;
    unsigned nfiles;
    struct sentry_filter filter;
    const struct sentry_sysctl *sysctls;
    unsigned nsysctls;
    struct sentry_limits limits;
    int report_fd;  // to the supervisor (sentry/report.h); -1: there is none; taken over
};

// Before sentry_run(), in its process: the processors of limits.cpus_milli, some of those that there are.
void sentry_take_cpus(const struct sentry_limits *limits);

#define SENTRY_EXIT_FAILED   125  // Picket itself could not do it
#define SENTRY_EXIT_NO_EXEC  126  // the program is there and cannot be run
#define SENTRY_EXIT_NO_FILE  127  // no such program

// Runs the sandbox to its end; descriptors 0 to 2, and as many as process.more_fds says, are the program's.
// Returns the exit status to be given to the caller: the program's, 128 + n when signal n ended it, or one of
// the above after a line on stderr.
int sentry_run(const struct sentry_config *config);

#endif
