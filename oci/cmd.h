// SPDX-License-Identifier: Apache-2.0
// The commands of the `picket` binary: one file each. Every command is a row in oci/main.c; argv[0] is its
// name. Those of `picket do` return the exit status; those of the OCI runtime too, or -1 with an error.
#ifndef OCI_CMD_H
#define OCI_CMD_H
#include "oci/oci.h"

int picket_main(int argc, char **argv);
int cmd_do(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_version(int argc, char **argv);

int cmd_create(struct oci *o, int argc, char **argv, struct error *e);
int cmd_delete(struct oci *o, int argc, char **argv, struct error *e);
int cmd_events(struct oci *o, int argc, char **argv, struct error *e);
int cmd_exec(struct oci *o, int argc, char **argv, struct error *e);
int cmd_features(struct oci *o, int argc, char **argv, struct error *e);
int cmd_install(struct oci *o, int argc, char **argv, struct error *e);
int cmd_kill(struct oci *o, int argc, char **argv, struct error *e);
int cmd_list(struct oci *o, int argc, char **argv, struct error *e);
int cmd_pause(struct oci *o, int argc, char **argv, struct error *e);
int cmd_ps(struct oci *o, int argc, char **argv, struct error *e);
int cmd_resume(struct oci *o, int argc, char **argv, struct error *e);
int cmd_run(struct oci *o, int argc, char **argv, struct error *e);
int cmd_spec(struct oci *o, int argc, char **argv, struct error *e);
int cmd_start(struct oci *o, int argc, char **argv, struct error *e);
int cmd_state(struct oci *o, int argc, char **argv, struct error *e);
int cmd_unsupported(struct oci *o, int argc, char **argv, struct error *e);
int cmd_update(struct oci *o, int argc, char **argv, struct error *e);
int cmd_wait(struct oci *o, int argc, char **argv, struct error *e);

struct process_inherited;
extern struct process_inherited inherited;  // what the caller gave us besides, for the program
extern unsigned stdio_closed;  // bit n: descriptor n was closed when we were started

#endif
