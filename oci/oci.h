// SPDX-License-Identifier: Apache-2.0
// What all commands of the OCI runtime share: the options before the command, and where messages go. One
// object, made by main and handed down; nothing of it is written later but by the functions here.
#ifndef OCI_OCI_H
#define OCI_OCI_H
#include "oci/error.h"
#include "oci/net.h"
#include "platform/platform.h"
#include <stdbool.h>

#define OCI_SPEC_VERSION "1.3.0"
#define OCI_NAME_MAX     255  // bytes of an id

struct oci {
    char *root;       // --root, or the default; absolute
    const char *log;  // --log; NULL: none
    bool log_json, debug;
    bool systemd_cgroup;  // --systemd-cgroup
    bool rootless;        // --rootless, or the caller is not root
    enum plat_kind platform;
    bool strace, fast_calls_off;
    struct net_words net;  // of create and run; elsewhere they mean nothing
};

// Takes the options before the command from argv (argv[0] is the program's name); the index of the command,
// argc when there is none, or -1.
int oci_options(struct oci *o, int argc, char **argv, struct error *e);
// The end of a command that failed: the message to stderr, and to the log as its last line. Returns 1.
int oci_failed(const struct oci *o, const struct error *e);
// To the log alone (stderr may be the container's own); with --debug, or when stderr is a terminal, there
// too.
void oci_warn(const struct oci *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// All n bytes; false: with errno, ENOSPC where only a part had room.
bool write_whole(int fd, const char *text, size_t n);
// A name that may be a container's: [a-zA-Z0-9_+-][a-zA-Z0-9_+.-]*, and not too long.
int oci_check_id(const char *id, struct error *e);

#endif
