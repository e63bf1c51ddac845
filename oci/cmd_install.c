// SPDX-License-Identifier: Apache-2.0
// picket install [OPTIONS] docker|podman|containerd: makes this binary a runtime of that engine, in the
// engine's own file. What was there is kept beside it, as FILE.before-picket; what is already as it should be
// is left alone. It says what it did, and what is left to do; it starts and stops nothing.
#include "base/cleanup.h"
#include "oci/cmd.h"
#include "oci/json.h"
#include "oci/opt.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKUP ".before-picket"

struct install {
    const char *file, *name;  // the engine's file; what the runtime is called in it
    bool is_default, dry;
    char self[PATH_MAX];  // this binary
};

// ---- Files ------------------------------------------------------------------------------------------------
// What is in it, "" when it is not there; owned. NULL: it cannot be read.
static char *read_all(const char *file, struct error *e) {
    int fd cleanup_close = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return strdup("");
    char *text = fd < 0 ? NULL : malloc(JSON_FILE_MAX + 1);
    ssize_t n = text ? read(fd, text, JSON_FILE_MAX) : -1;
    if (n >= 0 && n < (ssize_t)JSON_FILE_MAX) {
        text[n] = '\0';
        return text;
    }
    error_errno(e, n < 0 ? errno : EFBIG, "install: %s", file);
    free(text);
    return NULL;
}

static int make_parents(const char *file, struct error *e) {
    char *path cleanup_free = strdup(file);
    for (char *p = path ? path + 1 : NULL; p && (p = strchr(p, '/')); *p++ = '/') {
        *p = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return error_errno(e, errno, "install: %s", path);
    }
    return path ? 0 : error_set(e, "no memory");
}

static int write_file(const char *file, const char *text, mode_t mode, struct error *e) {
    char temporary[PATH_MAX + 32];
    snprintf(temporary, sizeof temporary, "%s.new-%d", file, (int)getpid());
    int fd cleanup_close = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t n = strlen(text);
    if (fd >= 0 && write_whole(fd, text, n) && fchmod(fd, mode) == 0 && fsync(fd) == 0 &&
        rename(temporary, file) == 0)
        return 0;
    error_errno(e, errno, "install: %s", file);
    if (fd >= 0)
        unlink(temporary);
    return -1;
}

// The first backup is the one that counts: it is from before us.
static int replace(const struct install *in, const char *was, const char *text, struct error *e) {
    char backup[PATH_MAX + 32];
    struct stat st;
    bool there = stat(in->file, &st) == 0;
    mode_t mode = there ? st.st_mode & 0777 : 0644;
    if (!strcmp(was, text)) {
        printf("%s: is as it should be already\n", in->file);
        return 0;
    }
    if (in->dry) {
        printf("%s would be:\n%s", in->file, text);
        return 0;
    }
    snprintf(backup, sizeof backup, "%s" BACKUP, in->file);
    if (make_parents(in->file, e) < 0)
        return -1;
    if (there && access(backup, F_OK) < 0) {
        if (write_file(backup, was, mode, e) < 0)
            return -1;
        printf("%s: kept as %s\n", in->file, backup);
    }
    if (write_file(in->file, text, mode, e) < 0)
        return -1;
    printf("%s: written; the runtime '%s' is %s\n", in->file, in->name, in->self);
    return 0;
}

// ---- Engines ----------------------------------------------------------------------------------------------
static json_t *member(json_t *in, const char *name) {
    json_t *j = json_object_get(in, name);
    if (!j) {
        j = json_object();
        json_object_set_new(in, name, j);
    }
    return json_is_object(j) ? j : NULL;
}

static int install_docker(const struct install *in, struct error *e) {
    char *was cleanup_free = read_all(in->file, e);
    json_t *j = NULL;
    if (was)
        j = *was ? json_read(was, strlen(was), in->file, e) : json_object();
    if (!j)
        return -1;
    json_t *runtimes = member(j, "runtimes"), *ours = runtimes ? json_pack("{ss}", "path", in->self) : NULL;
    int err = runtimes && json_object_set_new(runtimes, in->name, ours) == 0
                  ? 0
                  : error_set(e, "install: %s: runtimes is no object", in->file);
    if (err == 0 && in->is_default)
        json_object_set_new(j, "default-runtime", json_string(in->name));
    char *json cleanup_free = err == 0 ? json_dumps(j, JSON_INDENT(2)) : NULL, *text cleanup_free = NULL;
    if (json && asprintf(&text, "%s\n", json) < 0)
        text = NULL;
    json_decref(j);
    if (err == 0)
        err = text ? replace(in, was, text, e) : error_set(e, "no memory");
    if (err == 0)
        printf("then: systemctl restart docker; docker run --runtime %s --network none IMAGE\n", in->name);
    return err;
}

// A file of its own, which is read after containers.conf.
static int install_podman(const struct install *in, struct error *e) {
    char *was cleanup_free = read_all(in->file, e), *text cleanup_free = NULL;
    if (!was || asprintf(&text,
                         "[engine]\n%s%s%sruntime_supports_json = [\"crun\", \"runc\", \"kata\", \"runsc\", "
                         "\"krun\", \"%s\"]\n"
                         "[engine.runtimes]\n%s = [\"%s\"]\n",
                         in->is_default ? "runtime = \"" : "", in->is_default ? in->name : "",
                         in->is_default ? "\"\n" : "", in->name, in->name, in->self) < 0) {
        text = NULL;
        return was ? error_set(e, "no memory") : -1;
    }
    int err = replace(in, was, text, e);
    if (err == 0)
        printf("then: podman --cgroup-manager=cgroupfs --runtime %s run --network none IMAGE\n", in->name);
    return err;
}

// ---- As much of TOML as tells what is there: lines, tables, keys ------------------------------------------
// The line's text without blanks and comment, its quotes all of one kind. False: there is no further line.
static bool next_line(const char **p, char *line, size_t size) {
    size_t n = 0;
    if (!**p)
        return false;
    bool comment = false;
    char quote = 0;
    for (; **p && **p != '\n'; (*p)++) {
        char ch = **p;
        comment |= ch == '#' && !quote;
        if (comment || ((ch == ' ' || ch == '\t' || ch == '\r') && !quote))
            continue;
        if ((ch == '"' || ch == '\'') && (!quote || quote == ch)) {
            quote = quote ? 0 : ch;
            ch = '"';
        }
        if (n + 1 < size)
            line[n++] = ch;
    }
    *p += **p == '\n';
    line[n] = '\0';
    return true;
}

// Of the file as a whole, before any table; 0: it says none.
static int toml_version(const char *text) {
    char line[512];
    while (next_line(&text, line, sizeof line) && line[0] != '[')
        if (!strncmp(line, "version=", 8))
            return atoi(line + 8);
    return 0;
}

static bool toml_has(const char *text, const char *table) {
    char line[512], want[512];
    const char *p = table;
    next_line(&p, want, sizeof want);
    while (next_line(&text, line, sizeof line))
        if (line[0] == '[' && !strncmp(line + 1, want, strlen(want)) && line[1 + strlen(want)] == ']')
            return true;
    return false;
}

// Its tables may be anywhere in the file, so ours goes to the end. Version 3 has another name for them.
static int install_containerd(const struct install *in, struct error *e) {
    char *was cleanup_free = read_all(in->file, e), *text cleanup_free = NULL, table[512];
    if (!was)
        return -1;
    bool three = toml_version(was) == 3;
    snprintf(table, sizeof table, "plugins.%c%s%c.containerd.runtimes.%s", three ? '\'' : '"',
             three ? "io.containerd.cri.v1.runtime" : "io.containerd.grpc.v1.cri", three ? '\'' : '"',
             in->name);
    if (in->is_default)
        return error_set(e, "install: containerd: the default is chosen by the RuntimeClass, or by hand");
    if (toml_has(was, table)) {
        printf("%s: has [%s] already: left as it is\n", in->file, table);
        return 0;
    }
    if (asprintf(&text,
                 "%s%s\n[%s]\n  runtime_type = \"io.containerd.runc.v2\"\n"
                 "  pod_annotations = [\"dev.picket.*\"]\n  container_annotations = [\"dev.picket.*\"]\n"
                 "  [%s.options]\n    BinaryName = \"%s\"\n",
                 was, *was ? "" : "version = 2\n", table, table, in->self) < 0) {
        text = NULL;
        return error_set(e, "no memory");
    }
    int err = replace(in, was, text, e);
    if (err == 0)
        printf("then: systemctl restart containerd, and a RuntimeClass with handler: %s\n", in->name);
    return err;
}

static const struct engine {
    const char *name, *file;
    int (*install)(const struct install *in, struct error *e);
} engines[] = {
    {"docker", "/etc/docker/daemon.json", install_docker},
    {"podman", "/etc/containers/containers.conf.d/picket.conf", install_podman},
    {"containerd", "/etc/containerd/config.toml", install_containerd},
};

static int find_self(struct install *in, struct error *e) {
    ssize_t n = readlink("/proc/self/exe", in->self, sizeof in->self - 1);
    if (n < 0)
        return error_errno(e, errno, "install: /proc/self/exe");
    in->self[n] = '\0';
    if (strpbrk(in->self, "\"\\\n"))
        return error_set(e, "install: this binary's path has characters that the engine's file cannot");
    return 0;
}

int cmd_install(struct oci *o, int argc, char **argv, struct error *e) {
    struct install in = {.name = "picket"};
    const struct opt opts[] = {{"config", 0, OPT_TEXT, &in.file},
                               {"name", 0, OPT_TEXT, &in.name},
                               {"default", 0, OPT_FLAG, &in.is_default},
                               {"dry-run", 0, OPT_FLAG, &in.dry},
                               {0}};
    static const char usage[] =
        "install [--config FILE] [--name NAME] [--default] [--dry-run] docker|podman|containerd";
    int at = opt_parse(argc, argv, opts, usage, 1, 1, e);
    if (at < 0 || find_self(&in, e) < 0)
        return -1;
    if (!*in.name || in.name[strspn(in.name, "abcdefghijklmnopqrstuvwxyz0123456789-")])
        return error_set(e, "install: --name '%s': small letters, digits and hyphens alone", in.name);
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
        if (!strcmp(engines[i].name, argv[at])) {
            in.file = in.file ? in.file : engines[i].file;
            return engines[i].install(&in, e);
        }
    return error_set(e, "install: '%s' is not docker, podman or containerd", argv[at]);
}
