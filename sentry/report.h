// SPDX-License-Identifier: Apache-2.0
// Limits of a sandbox, why it ended, and what the sentry and its supervisor (the CLI of `do`, a container's
// init) say to each other about both: SOCK_SEQPACKET, one message each, host byte order. The sentry sees no
// /proc, so it asks its supervisor how much memory its stubs have; at its end it reports. The supervisor
// believes nothing of that but what it shows.
#ifndef SENTRY_REPORT_H
#define SENTRY_REPORT_H
#include <stdint.h>

// One for each end. Names are those of state.json and the result line.
#define END_CAUSES(X) \
    X(END_NONE, "") \
    X(END_EXITED, "exited")           /* by itself */ \
    X(END_SIGNAL, "signal")           /* that somebody sent */ \
    X(END_MEMORY, "memory")           /* past its memory limit, and chosen */ \
    X(END_TIMEOUT, "timeout")         /* --timeout or --cpu-time */ \
    X(END_PIDS, "pids")               /* went on forking past its limit */ \
    X(END_OUTPUT, "output")           /* went on writing past its limit */ \
    X(END_DISK, "disk")               /* the same, of files */ \
    X(END_GUEST_FAULT, "guest-fault") /* a fault of its own code, which it did not handle */ \
    X(END_VIOLATION, "violation")     /* its stub left its protocol */ \
    X(END_HOST, "host")               /* the host or Picket itself */
#define END_ENUM(name, text) name,
enum end_cause { END_CAUSES(END_ENUM) END_CAUSES_N };
#undef END_ENUM
const char *end_cause_name(uint32_t cause);  // "host" for what is none

// 0: no limit.
struct sentry_limits {
    uint64_t memory;      // bytes: private memory of all processes, tmpfs and memfds
    uint64_t pids;        // processes and threads
    uint64_t cpus_milli;  // thousandths of a processor
    uint64_t cpu_ns;      // of processor time, all processes together
    uint64_t timeout_ns;  // from the program's start
    uint64_t disk;        // bytes by which files may grow
    uint64_t files;       // how many may be made
    uint64_t output;      // bytes of stdout and of stderr that are passed on
};

enum report_kind { REPORT_ASK = 1, REPORT_MEMORY, REPORT_END };

struct report_ask {
    uint32_t kind;
    uint32_t exact;  // shared pages in shares (slower), else each process's own number
};

#define REPORT_SENTRY        (-1)  // as pid: the sentry itself
#define REPORT_PROCESSES_MAX 8192u
struct report_memory {
    uint32_t kind, n;
    uint32_t exact, pad;  // as it was asked for
    struct report_process {
        int32_t pid;  // in the sentry's pid namespace
        uint32_t pad;
        uint64_t bytes;
    } of[];  // by pid
};

struct report_output {
    uint64_t total, passed;  // bytes
};
struct report_end {
    uint32_t kind;
    uint32_t cause;        // enum end_cause
    uint32_t wait_status;  // of the main process
    uint32_t memory_kills;
    uint64_t memory_peak;                 // bytes, as far as it was looked at
    uint64_t wall_ns, cpu_ns;             // since the program's start
    uint64_t refused_pids, refused_disk;  // calls
    uint64_t written;                     // bytes to files
    struct report_output output[2];       // stdout, stderr
};

#endif
