// SPDX-License-Identifier: Apache-2.0
// What `create` and `run` do.
#ifndef OCI_CREATE_H
#define OCI_CREATE_H
#include "oci/init.h"

struct create_options {
    const char *bundle, *pid_file, *console_socket;  // NULL: the current directory, none, none
    const char *overlay;                             // NULL: as config.json says
    const char *const *limits;  // one for each of limit_names, NULL: as in config.json; or NULL
    unsigned more_fds;          // descriptors that the program is given, from 3 on; the first of them are
    unsigned listen_fds;        // ... sockets of which LISTEN_FDS tells it
    bool keeps_terminal;  // run in the foreground: without a console socket the caller's own terminal will do
};

// Makes the container: state, cgroup, init and sandbox; hooks are run. On success it is CREATED, locked, and
// init->pid is our child; on failure nothing is left of it.
int create_container(const struct oci *o, const char *id, const struct create_options *opts,
                     struct container *c, struct init *init, struct error *e);
// Starts it (it is CREATED and locked), runs the poststart hooks.
int start_container(const struct oci *o, struct container *c, struct error *e);
// Removes a stopped container (locked): cgroup, directory, poststop hooks.
int delete_container(const struct oci *o, struct container *c, struct error *e);
// Ends what runs of it, without its consent; waits until it is gone.
int end_container(struct container *c, struct error *e);
// Replaces the file by one with the number in it.
int write_pid_file(const char *path, pid_t pid, struct error *e);
// The config that was kept at create; NULL: it cannot be read.
json_t *kept_config(const struct container *c, struct error *e);

#endif
