// SPDX-License-Identifier: Apache-2.0
// What goes over the control socket of a sandbox: SOCK_SEQPACKET, one message a request or a reply, host byte
// order. Each begins with struct control_head. Who reads checks length and kind, and everything that counts.
//
// A connection speaks for at most one program: the one it has started by CONTROL_EXEC, or, for the init's
// own, the main one. CONTROL_END tells how that ended; when the connection closes first, the program is
// killed.
#ifndef SENTRY_CONTROL_H
#define SENTRY_CONTROL_H
#include "sentry/netconfig.h"
#include "sentry/sentry.h"
#include <stdint.h>

#define CONTROL_MAX       (192u << 10)  // bytes of a message
#define CONTROL_TEXT      256u          // of CONTROL_FAILED's, with its NUL
#define CONTROL_NPIDS_MAX 8192u
#define CONTROL_PEERS     64u  // connections at a time

enum control_kind {
    // requests
    CONTROL_START = 1,  // of the main program, once. Reply: OK, FAILED
    CONTROL_SIGNAL,     // struct control_signal. Reply: OK, FAILED; none to SIGNAL_QUIET
    // struct control_exec and what follows it, and its descriptors. Reply: OK, FAILED; later END
    CONTROL_EXEC,
    CONTROL_WAIT,  // for the end of the main program. Reply: END
    CONTROL_NET,   // struct control_net and its descriptors, once, before CONTROL_START. Reply: OK, FAILED
    CONTROL_LIMITS,  // struct control_limits. Reply: OK
    CONTROL_PIDS,    // Reply: struct control_pids
    // One more container in the sandbox, for which the connection speaks: struct control_container and what
    // follows
    // it, and 4 descriptors: of its gofer, and the stdio. Reply: OK when its program is loaded, FAILED; later
    // END
    CONTROL_CONTAINER,
    CONTROL_SELECT,  // struct control_select: what follows concerns that container. Reply: OK, FAILED
    // replies
    CONTROL_OK = 64,
    CONTROL_FAILED,  // struct control_failed
    CONTROL_READY,   // to the init: the main program is loaded
    CONTROL_END,     // struct control_end
    CONTROL_PID_LIST,
};

#define CONTROL_FDS SENTRY_FDS  // most descriptors of a message
_Static_assert(CONTROL_FDS >= SENTRY_NET_FDS, "those of CONTROL_NET");

struct control_head {
    uint32_t kind;
    uint32_t length;  // of the whole message
};

enum { SIGNAL_ALL = 1, SIGNAL_TERMINAL = 2, SIGNAL_QUIET = 4, SIGNAL_MINE = 8 };
struct control_signal {
    struct control_head head;
    uint32_t sig;  // 0..64; 0: is it there?
    // ALL: to every process. TERMINAL: a key. MINE: to the program that the connection speaks for, else the
    // main one.
    uint32_t flags;
};

// Of the container that the connection is about.
struct control_limits {
    struct control_head head;
    uint64_t memory, pids;  // as in struct sentry_limits; CONTROL_KEEP: stays
};
#define CONTROL_KEEP UINT64_MAX

struct control_exec {
    struct control_head head;
    uint32_t uid, gid, umask;
    uint32_t ngroups, nargs, nenv;
    uint32_t has_caps, no_new_privs;
    int32_t oom_score_adj;
    uint32_t limits_set;
    uint32_t more_fds, pad;
    uint64_t caps[5];  // struct sentry_process's
    uint64_t limits[16][2];
    // ngroups times uint32_t; then strings, each with its NUL: cwd, arguments, environment
};

// One of struct sentry_mount; its target and source are among the strings at the message's end.
struct control_mount {
    uint32_t kind, flags, root, is_dir, copy_up, mode, uid, gid, ptmxmode, pad;
    uint64_t size;
};
#define CONTROL_MOUNTS_MAX 2048u

struct control_container {
    struct control_head head;
    uint64_t number;  // chosen by the sender: no other container of the sandbox has it; not 0
    char hostname[65], domainname[65], pad[6];  // "": the sandbox's
    uint32_t readonly;                          // its root
    uint32_t log;                               // of its filter
    uint32_t in_memory, pad2;                   // what is written to its root
    uint64_t memory, pids;                      // limits of its own, 0: none
    uint32_t nmounts, ninsns;
    uint32_t used,
        process;  // bytes of the struct control_exec with what follows it; and up to a multiple of 8
    // nmounts times struct control_mount; ninsns instructions of its filter, 8 bytes each; the process; for
    // each mount two strings, each with its NUL: target, source
};

struct control_select {
    struct control_head head;
    uint64_t number;
};

struct control_net {
    struct control_head head;
    struct sentry_net net;
};

struct control_failed {
    struct control_head head;
    int32_t error;  // LINUX_E*
    char text[CONTROL_TEXT];
};

struct control_end {
    struct control_head head;
    uint32_t wait_status;
    // Of a pod's further container; of others 0, and its sandbox's report says it.
    uint32_t cause;  // enum end_cause
    uint32_t memory_kills, pad;
    uint64_t memory_peak;
};

// The processes inside: their host processes' numbers, as the sentry's pid namespace has them.
struct control_pids {
    struct control_head head;
    uint32_t n, pad;
    int32_t pids[];
};

#endif
