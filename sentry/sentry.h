// SPDX-License-Identifier: Apache-2.0
// The sentry's one entry: oci/ forks a process and calls sentry_run() there.
#ifndef SENTRY_SENTRY_H
#define SENTRY_SENTRY_H
#include "base/hostprocess.h"
#include "platform/platform.h"
#include <stdbool.h>
#include <stdint.h>

struct sentry_bind {
    const char *guest;  // absolute path inside
    unsigned root;      // which root of the gofer
    bool writable;
    bool is_dir;
};

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
    char *const *argv;   // the program: looked up in PATH of envp when it has no slash
    char *const *envp;
    const char *cwd;     // when it is not there: an error if cwd_wanted, else "/"
    bool cwd_wanted;
    const char *hostname;
    uint32_t uid, gid;
    const uint32_t *groups;
    unsigned ngroups;
    const struct sentry_bind *binds;
    unsigned nbinds;
};

#define SENTRY_EXIT_FAILED   125  // Picket itself could not do it
#define SENTRY_EXIT_NO_EXEC  126  // the program is there and cannot be run
#define SENTRY_EXIT_NO_FILE  127  // no such program

// Runs the sandbox to its end; descriptors 0, 1 and 2 are the program's. Returns the exit status to be given
// to the caller: the program's, 128 + n when signal n ended it, or one of the above after a line on stderr.
int sentry_run(const struct sentry_config *config);

#endif
