// SPDX-License-Identifier: Apache-2.0
// A program of the host's, run to its end with a text on its stdin and a limit of time.
#ifndef OCI_RUN_H
#define OCI_RUN_H
#include <stddef.h>
#include <sys/types.h>

// envp NULL: ours. within: a process whose network and mount namespaces it is to be in, with the caller's
// root all the same: it cannot mount there; 0: in the caller's. 0 when it ended with 0; else why says how it
// ended, or why it was not run.
int run_program(const char *path, char *const argv[], char *const envp[], const char *input, pid_t within,
                int seconds, char *why, size_t size);

// A descriptor, at its start, of what a program is to read; -1: errno says why.
int run_input(const char *text);
// "exit status 3", "ended by signal 9"
void run_describe(int wait_status, char *why, size_t size);

#endif
