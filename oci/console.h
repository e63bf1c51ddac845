// SPDX-License-Identifier: Apache-2.0
// Terminals of containers: a pty of the host's. The client has the master, the program the other end.
#ifndef OCI_CONSOLE_H
#define OCI_CONSOLE_H
#include "oci/error.h"

// Makes a pty and sends its master, with its name, over the socket at `path`. The program's end, or -1.
int console_open(const char *path, unsigned rows, unsigned cols, struct error *e);
// The calling process becomes the leader of a session that the terminal belongs to, and has it as its stdio.
int console_take(int slave);

#endif
