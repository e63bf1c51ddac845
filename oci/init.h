// SPDX-License-Identifier: Apache-2.0
// The process whose number clients know: one for each container, and one for each exec. Forked by the
// command, it outlives it, ends as the program inside ends, and hands on what is sent to it (docs/OCI.md).
#ifndef OCI_INIT_H
#define OCI_INIT_H
#include "oci/config.h"
#include "oci/state.h"

struct init {
    pid_t pid;
    int go;    // to it: a byte lets it begin, another one keeps it; without that it ends with the command
    int word;  // from it: 'R' when the program is loaded (or, of exec, runs), or 'E' and a message
};

// Forks a container's init, which waits for init_go(). slave: its terminal, or -1; consumed.
int init_fork(const struct oci *o, const struct config *config, const struct container *c, int slave,
              struct init *init, struct error *e);
// Lets it begin, and waits until the program is loaded. -1: it could not be, and the init has ended.
int init_go(struct init *init, struct error *e);
void init_keep(struct init *init);  // the creation has come to its end
void init_kill(struct init *init);  // when the creation fails afterwards; waits for its end

// Forks an exec's init, which begins at once, over `control` (a connection, consumed).
int init_fork_exec(const struct sentry_process *p, int control, int slave, struct init *init,
                   struct error *e);
// Waits for the end of an init that is our child, handing signals on; the exit status for the caller (128 +
// n).
int init_wait(pid_t pid);

#endif
