// SPDX-License-Identifier: Apache-2.0
// What the steps of confine.h have reached in this process; children inherit it. For this folder alone.
#ifndef HOST_INFORCE_H
#define HOST_INFORCE_H
#include <stdbool.h>

struct in_force {
    int namespaces;      // CLONE_NEW* bits
    bool empty_root, own_user;
    int landlock;        // version, 0: none
    // the number of the process that confine_fork() was called in; it lives as long as the sandbox
    unsigned sandbox;
};
extern struct in_force in_force;

#endif
