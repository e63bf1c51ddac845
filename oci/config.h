// SPDX-License-Identifier: Apache-2.0
// config.json as the rest of oci/ wants it: checked, with paths made absolute. Strings are borrowed from the
// JSON, which the config keeps.
#ifndef OCI_CONFIG_H
#define OCI_CONFIG_H
#include "gofer/gofer.h"
#include "oci/oci.h"
#include "sentry/sentry.h"
#include <jansson.h>

#define CONFIG_STRINGS_MAX 8192u
#define CONFIG_MOUNTS_MAX  256u

// A process of config.json, or of `exec --process`.
struct process_config {
    struct sentry_process what;  // argv, envp, groups are owned
    bool terminal;
    unsigned rows, cols;  // of the terminal; 0: not given
    char *home;           // owned: what envp has of it; NULL: it came with one
    char listens[24];     // the same of LISTEN_FDS
};

enum hook_point { PRESTART, CREATE_RUNTIME, CREATE_CONTAINER, START_CONTAINER, POSTSTART, POSTSTOP, NHOOKS };

struct config {
    json_t *json;           // owned
    const char *file;       // for messages
    char *bundle, *rootfs;  // absolute; owned
    struct process_config process;
    const char *hostname, *domainname;  // NULL: not given
    bool readonly;
    bool in_memory;               // what is written to the root stays in the sandbox's memory
    struct sentry_mount *mounts;  // owned; sorted; targets are cleaned and owned
    unsigned nmounts;
    struct gofer_root roots[GOFER_ROOTS_MAX];  // host_path: owned, but for the first
    int nroots;
    struct gofer_idmap *ids;   // of all roots; owned; NULL: as on the host
    const char *netns;         // path of a network namespace to join; NULL: none
    bool host_network;         // there is no network namespace in the list
    const char *cgroups_path;  // NULL: not given
    struct sentry_filter filter;    // instructions are owned
    struct sentry_sysctl *sysctls;  // owned
    unsigned nsysctls;
    struct sentry_limits limits;
};

// What is in the bundle's config.json. Warnings go to the log. 0, or -1 and c is empty.
int config_load(const struct oci *o, const char *bundle, struct config *c, struct error *e);
// The same from memory: `text` is what the file has; nothing on disk is looked at (for fuzzing, and spec).
int config_parse(const struct oci *o, const char *text, size_t n, struct config *c, struct error *e);
void config_free(struct config *c);
// The process of `exec`: an object like config.json's "process". `j` must live as long as the result.
int process_parse(const struct oci *o, json_t *j, const char *file, const char *at, struct process_config *p,
                  struct error *e);
// --overlay, and its annotation: "memory", or "none". 0, or -1: it is neither.
int config_set_overlay(struct config *c, const char *text);
// HOME is what the /etc/passwd below rootfs says of the user, else "/", unless the environment has one.
int process_set_home(struct process_config *p, const char *rootfs, struct error *e);
// The program gets n sockets that somebody listens on, from descriptor 3 on, and is told as sd_listen_fds(3)
// has it.
int process_add_listens(struct process_config *p, unsigned n, struct error *e);
void process_free(struct process_config *p);
// Where a sandbox has the character device of that number; NULL: it has none.
const char *config_device(unsigned major, unsigned minor);
// "a.b.c" below j, NULL when it is not there or null.
json_t *config_get(json_t *j, const char *path);

#endif
