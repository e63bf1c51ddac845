// SPDX-License-Identifier: Apache-2.0
// What ps(1) shows of our processes.
#ifndef OCI_PROCTITLE_H
#define OCI_PROCTITLE_H

// by main(), first: copies the arguments elsewhere, their area is for titles
void proctitle_init(char **argv);
void proctitle_set(const char *name);  // both the name (15 bytes) and the command line of this process

#endif
