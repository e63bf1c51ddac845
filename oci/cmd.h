// SPDX-License-Identifier: Apache-2.0
// The commands of the `picket` binary: one file each, `int cmd_NAME(int argc, char **argv)` (argv[0] is the
// command's name) which returns the exit status. Every command is a row in oci/main.c.
#ifndef OCI_CMD_H
#define OCI_CMD_H

int picket_main(int argc, char **argv);
int cmd_do(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_version(int argc, char **argv);

struct process_inherited;
extern struct process_inherited inherited;  // what the caller gave us besides, for the program
extern unsigned stdio_closed;  // bit n: descriptor n was closed when we were started

#endif
