// SPDX-License-Identifier: Apache-2.0
// See config.h. First the walk along the table of fields (types, what is refused, what is only warned about),
// then the values.
#include "oci/config.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "oci/fields.h"
#include "oci/hooks.h"
#include "oci/idmap.h"
#include "oci/json.h"
#include "oci/limits.h"
#include "oci/mounts.h"
#include "oci/seccomp.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *text_of(json_t *j, const char *path) { return json_string_value(config_get(j, path)); }

static int bad(const struct config *c, const char *field, const char *why, struct error *e) {
    return error_set(e, "%s: %s: %s", c->file, field, why);
}

static void warn(void *arg, const char *field, const char *why) {
    const struct oci *o = arg;
    oci_warn(o, "config.json: %s: %s", field, why);
}

// ---- Names ------------------------------------------------------------------------------------------------
static int read_names(struct config *c, struct error *e) {
    const char *version = text_of(c->json, "ociVersion");
    if (!version || strncmp(version, "1.", 2) != 0)
        return bad(c, "ociVersion", "is missing, or not 1.x", e);
    c->hostname = text_of(c->json, "hostname");
    c->domainname = text_of(c->json, "domainname");
    if ((c->hostname && strlen(c->hostname) > 64) || (c->domainname && strlen(c->domainname) > 64))
        return bad(c, "hostname", "more than 64 characters", e);
    return 0;
}

// ---- linux ------------------------------------------------------------------------------------------------
static const char *const kinds[] = {"pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"};
#define USER_KIND 5

static int read_namespace(const struct oci *o, struct config *c, json_t *j, unsigned *seen, struct error *e) {
    const char *type = text_of(j, "type"), *path = text_of(j, "path");
    unsigned k = 0;
    while (k < sizeof kinds / sizeof kinds[0] && (!type || strcmp(type, kinds[k])))
        k++;
    if (k == sizeof kinds / sizeof kinds[0])
        return error_set(e, "%s: linux.namespaces[].type: '%.64s' is not known", c->file, type ? type : "");
    if (*seen & 1u << k)
        return error_set(e, "%s: linux.namespaces: %s is there twice", c->file, type);
    *seen |= 1u << k;
    if (!strcmp(type, "time"))
        return error_set(e, "%s: linux.namespaces: %s namespaces are not supported", c->file, type);
    if (path && path[0] != '/')
        return error_set(e, "%s: linux.namespaces: %s: the path is not absolute", c->file, type);
    if (!strcmp(type, "network")) {
        c->host_network = false;
        c->netns = path && *path ? path : NULL;
    } else if (path && *path) {
        oci_warn(o, "%s: linux.namespaces: %s: its path is not used, the sandbox has one of its own", c->file,
                 type);
    }
    return 0;
}

static const struct {
    const char *path;
    int major, minor;
} devices[] = {{"/dev/null", 1, 3},    {"/dev/zero", 1, 5}, {"/dev/full", 1, 7},    {"/dev/random", 1, 8},
               {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},  {"/dev/console", 5, 1}, {"/dev/ptmx", 5, 2}};

const char *config_device(unsigned major, unsigned minor) {
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if ((unsigned)devices[i].major == major && (unsigned)devices[i].minor == minor)
            return devices[i].path;
    return NULL;
}

static int read_device(const struct config *c, json_t *j, struct error *e) {
    const char *path = text_of(j, "path"), *type = text_of(j, "type"), *its = NULL;
    int64_t major = 0, minor = 0;
    json_whole(json_object_get(j, "major"), &major);
    json_whole(json_object_get(j, "minor"), &minor);
    if (type && (*type == 'c' || *type == 'u') && major >= 0 && major <= UINT32_MAX && minor >= 0 &&
        minor <= UINT32_MAX)
        its = config_device((unsigned)major, (unsigned)minor);
    if (its && path && path[0] == '/')
        return 0;  // elsewhere than in every sandbox: mounts_parse()
    return error_set(e, "%s: linux.devices: %.128s: no device of the host is given to a sandbox", c->file,
                     path ? path : "(no path)");
}

// What they mean the sentry says: it has the files.
static int read_sysctls(struct config *c, struct error *e) {
    json_t *map = config_get(c->json, "linux.sysctl"), *v;
    const char *name;
    if (json_object_size(map) > CONFIG_STRINGS_MAX)
        return bad(c, "linux.sysctl", "has too many members", e);
    c->sysctls = xcalloc(json_object_size(map) + 1, sizeof *c->sysctls);
    if (!c->sysctls)
        return bad(c, "linux.sysctl", "no memory", e);
    json_object_foreach(map, name, v)
        c->sysctls[c->nsysctls++] = (struct sentry_sysctl){name, json_string_value(v)};
    return 0;
}

static int read_linux(const struct oci *o, struct config *c, struct error *e) {
    unsigned seen = 0;
    size_t i;
    json_t *v;
    c->host_network = true;
    json_array_foreach(config_get(c->json, "linux.namespaces"), i, v)
        if (read_namespace(o, c, v, &seen, e) < 0)
            return -1;
    json_array_foreach(config_get(c->json, "linux.devices"), i, v)
        if (read_device(c, v, e) < 0)
            return -1;
    if (idmap_read(c, seen >> USER_KIND & 1, e) < 0)
        return -1;
    const char *domain = text_of(c->json, "linux.personality.domain");
    if (domain && strcmp(domain, "LINUX") != 0)
        return bad(c, "linux.personality.domain", "is not LINUX", e);
    c->cgroups_path = text_of(c->json, "linux.cgroupsPath");
    if (c->cgroups_path && !*c->cgroups_path)
        c->cgroups_path = NULL;
    return read_sysctls(c, e) < 0
               ? -1
               : seccomp_read(o, config_get(c->json, "linux.seccomp"), c->file, &c->filter, e);
}

// ---- The whole --------------------------------------------------------------------------------------------
#define OVERLAY "dev.picket.overlay"

int config_set_overlay(struct config *c, const char *text) {
    c->in_memory = !strcmp(text, "memory");
    c->roots[0].writable = !c->readonly && !c->in_memory;
    return c->in_memory || !strcmp(text, "none") ? 0 : -1;
}

static int read_root(struct config *c, bool look, struct error *e) {
    const char *path = text_of(c->json, "root.path");
    struct stat st;
    if (!path || !*path)
        return bad(c, "root.path", "is missing", e);
    if (asprintf(&c->rootfs, "%s%s%s", path[0] == '/' ? "" : c->bundle, path[0] == '/' ? "" : "/", path) < 0)
        return bad(c, "root.path", "no memory", e);
    if (look) {
        char *real = realpath(c->rootfs, NULL);
        if (!real || stat(real, &st) < 0) {
            free(real);
            return error_errno(e, errno, "%s: root.path: %s", c->file, c->rootfs);
        }
        free(c->rootfs);
        c->rootfs = real;
        if (!S_ISDIR(st.st_mode))
            return error_set(e, "%s: root.path: %s: not a directory", c->file, real);
    }
    c->readonly = json_is_true(config_get(c->json, "root.readonly"));
    c->roots[0] = (struct gofer_root){c->rootfs, !c->readonly};
    c->nroots = 1;
    const char *overlay = json_string_value(json_object_get(config_get(c->json, "annotations"), OVERLAY));
    return overlay && config_set_overlay(c, overlay) < 0
               ? bad(c, "annotations: " OVERLAY, "is not none or memory", e)
               : 0;
}

static int read_all(const struct oci *o, struct config *c, bool look, struct error *e) {
    json_t *process = config_get(c->json, "process");
    if (fields_check(c->json, "", c->file, warn, (void *)o, e) < 0 || read_names(c, e) < 0)
        return -1;
    if (!process)
        return bad(c, "process", "is missing", e);
    if (process_parse(o, process, c->file, "process", &c->process, e) < 0 || read_root(c, look, e) < 0 ||
        (look && process_set_home(&c->process, c->rootfs, e) < 0) || read_linux(o, c, e) < 0 ||
        hooks_check(c, e) < 0 || limits_from_config(c->json, c->file, &c->limits, e) < 0)
        return -1;
    if (mounts_parse(o, c, look, e) < 0)
        return -1;
    for (int i = 0; i < c->nroots; i++)
        c->roots[i].ids = c->ids;
    return 0;
}

void config_free(struct config *c) {
    process_free(&c->process);
    mounts_free(c);
    free(c->ids);
    free((void *)c->filter.insns);
    free(c->sysctls);
    free(c->bundle);
    free(c->rootfs);
    json_decref(c->json);
    *c = (struct config){0};
}

int config_parse(const struct oci *o, const char *text, size_t n, struct config *c, struct error *e) {
    *c = (struct config){.file = "config.json", .bundle = strdup("/bundle")};
    c->json = n > JSON_FILE_MAX ? NULL : json_read(text, n, c->file, e);
    if (c->json && c->bundle && read_all(o, c, false, e) == 0)
        return 0;
    config_free(c);
    return -1;
}

int config_load(const struct oci *o, const char *bundle, struct config *c, struct error *e) {
    *c = (struct config){.file = "config.json", .bundle = realpath(bundle, NULL)};
    int dir cleanup_close = c->bundle ? open(c->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (dir < 0)
        error_errno(e, errno, "bundle %s", bundle);
    else
        c->json = json_read_file(dir, c->file, e);
    if (c->json && read_all(o, c, true, e) == 0)
        return 0;
    config_free(c);
    return -1;
}
