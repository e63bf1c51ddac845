// SPDX-License-Identifier: Apache-2.0
// See oci.h. The log has the two forms that containerd's shim and podman read: one JSON object for each line
// with level, msg and time, or key=value text.
#include "oci/oci.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// ---- The log ----------------------------------------------------------------------------------------------
static void now_text(char *buf, size_t size) {
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf + n, size - n, ".%09ldZ", now.tv_nsec);
}

static char *log_line(const struct oci *o, const char *level, const char *text) {
    char when[64], *line = NULL;
    now_text(when, sizeof when);
    // text that is not UTF-8 cannot be a JSON string
    json_t *j = json_pack("{ss ss ss}", "level", level, "msg", text, "time", when);
    if (!j)
        j = json_pack("{ss ss ss}", "level", level, "msg", "a message that is no UTF-8", "time", when);
    char *json = j ? json_dumps(j, JSON_COMPACT) : NULL;
    json_t *quoted = json_string(text);
    char *msg = quoted ? json_dumps(quoted, JSON_ENCODE_ANY) : NULL;
    if (o->log_json && json)
        line = strdup(json);
    else if (msg && asprintf(&line, "time=\"%s\" level=%s msg=%s", when, level, msg) < 0)
        line = NULL;
    free(json);
    free(msg);
    json_decref(j);
    json_decref(quoted);
    return line;
}

static void log_write(const struct oci *o, const char *level, const char *text) {
    int fd = o->log ? open(o->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;
    if (fd < 0)
        return;
    char *line = log_line(o, level, text);
    if (line && dprintf(fd, "%s\n", line) < 0)
        fprintf(stderr, "picket: %s: %s\n", o->log, strerror(errno));
    free(line);
    close(fd);
}

int oci_failed(const struct oci *o, const struct error *e) {
    log_write(o, "error", e->text);
    fprintf(stderr, "picket: %s\n", e->text);
    return 1;
}

void oci_warn(const struct oci *o, const char *fmt, ...) {
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    error_make_printable(text);
    log_write(o, "warning", text);
    if (o->debug || (!o->log && isatty(2)))
        fprintf(stderr, "picket: warning: %s\n", text);
}

// ---- Options ----------------------------------------------------------------------------------------------
// As rootless podman starts us: root there, and not of the host. In the first one all ids are their own.
static bool in_user_namespace(void) {
    unsigned inside, outside, count;
    FILE *f = fopen("/proc/self/uid_map", "re");
    bool first = !f || (fscanf(f, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 &&
                        outside == 0 && count == UINT32_MAX);
    if (f)
        fclose(f);
    return !first;
}

static char *default_root(void) {
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char *root = NULL;
    if ((geteuid() != 0 || in_user_namespace()) && runtime && runtime[0] == '/')
        return asprintf(&root, "%s/picket", runtime) < 0 ? NULL : root;
    if (geteuid() != 0)
        return asprintf(&root, "/tmp/picket-%u", geteuid()) < 0 ? NULL : root;
    return strdup("/run/picket");
}

static int set_root(struct oci *o, const char *value, struct error *e) {
    char cwd[PATH_MAX];
    free(o->root);
    o->root = NULL;
    if (value[0] == '/')
        o->root = strdup(value);
    else if (getcwd(cwd, sizeof cwd) && asprintf(&o->root, "%s/%s", cwd, value) < 0)
        o->root = NULL;
    return o->root ? 0 : error_set(e, "--root %s: no memory", value);
}

static int set_bool(bool *to, const char *option, const char *value, struct error *e) {
    static const char *const yes[] = {"true", "1"}, *const no[] = {"false", "0", "auto"};
    for (size_t i = 0; value && i < sizeof no / sizeof no[0]; i++)
        if (!strcmp(value, no[i])) {
            *to = false;
            return 0;
        }
    *to = true;
    for (size_t i = 0; value && i < sizeof yes / sizeof yes[0]; i++)
        if (!strcmp(value, yes[i]))
            return 0;
    return value ? error_set(e, "%s '%s' is not true or false", option, value) : 0;
}

static int set_platform(struct oci *o, const char *value, struct error *e) {
    static const char *const names[] = {
        [PLAT_AUTO] = "auto", [PLAT_PTRACE] = "ptrace", [PLAT_SECCOMP] = "seccomp"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(value, names[i])) {
            o->platform = (enum plat_kind)i;
            return 0;
        }
    return error_set(e, "--platform '%s' is not auto, seccomp or ptrace", value);
}

enum {
    ROOT = 256,
    LOG,
    FORMAT,
    DEBUG,
    SYSTEMD,
    ROOTLESS,
    PLATFORM,
    MANAGER,
    STRACE,
    CRIU,
    NET,
    RX_RATE,
    TX_RATE,
    PCAP,
    PCAP_SIZE
};

static int take_option(struct oci *o, int option, char *value, struct error *e) {
    switch (option) {
    case ROOT:
        return set_root(o, value, e);
    case LOG:
        o->log = value;
        return 0;
    case FORMAT:
        o->log_json = !strcmp(value, "json");
        if (o->log_json || !strcmp(value, "text"))
            return 0;
        return error_set(e, "--log-format '%s' is not text or json", value);
    case DEBUG:
        return set_bool(&o->debug, "--debug", value, e);
    case SYSTEMD:
        return set_bool(&o->systemd_cgroup, "--systemd-cgroup", value, e);
    case ROOTLESS:
        return set_bool(&o->rootless, "--rootless", value, e);
    case PLATFORM:
        return set_platform(o, value, e);
    case MANAGER:
        o->systemd_cgroup = !strcmp(value, "systemd");
        return 0;
    case STRACE:
        o->strace = true;
        return 0;
    case CRIU:
        return 0;
    case NET:
        o->net.net = value;
        return 0;
    case RX_RATE:
        o->net.rx_rate = value;
        return 0;
    case TX_RATE:
        o->net.tx_rate = value;
        return 0;
    case PCAP:
        o->net.pcap = value;
        return 0;
    case PCAP_SIZE:
        o->net.pcap_size = value;
        return 0;
    }
    return -1;
}

int oci_options(struct oci *o, int argc, char **argv, struct error *e) {
    static const struct option options[] = {
        {"root", required_argument, NULL, ROOT},
        {"log", required_argument, NULL, LOG},
        {"log-format", required_argument, NULL, FORMAT},
        {"debug", optional_argument, NULL, DEBUG},
        {"rootless", optional_argument, NULL, ROOTLESS},
        {"systemd-cgroup", optional_argument, NULL, SYSTEMD},
        {"platform", required_argument, NULL, PLATFORM},
        {"cgroup-manager", required_argument, NULL, MANAGER},
        {"strace", no_argument, NULL, STRACE},
        {"criu", required_argument, NULL, CRIU},
        {"net", required_argument, NULL, NET},
        {"net-rx-rate", required_argument, NULL, RX_RATE},
        {"net-tx-rate", required_argument, NULL, TX_RATE},
        {"pcap", required_argument, NULL, PCAP},
        {"pcap-size", required_argument, NULL, PCAP_SIZE},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    o->rootless = geteuid() != 0;
    o->root = default_root();
    opterr = 0;
    optind = 1;
    int c;
    while ((c = getopt_long(argc, argv, "+:vh", options, NULL)) != -1) {
        if (c == '?' || c == ':')
            return error_set(e, "%s '%s' (see picket help)",
                             c == '?' ? "unknown option" : "missing value for", argv[optind - 1]);
        if (c == 'v' || c == 'h')  // commands that look like options
            return optind - 1;
        if (take_option(o, c, optarg, e) < 0)
            return -1;
    }
    if (!o->root)
        return error_set(e, "no memory");
    int fd = o->log ? open(o->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;
    if (o->log && fd < 0)
        return error_errno(e, errno, "--log %s", o->log);
    if (fd >= 0)
        close(fd);
    return optind;
}

bool write_whole(int fd, const char *text, size_t n) {
    while (n > 0) {
        ssize_t wrote = TEMP_FAILURE_RETRY(write(fd, text, n));
        if (wrote < 0)
            return false;
        text += wrote;
        n -= (size_t)wrote;
    }
    return true;
}

int oci_check_id(const char *id, struct error *e) {
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-";
    size_t n = strlen(id);
    if (n == 0)
        return error_set(e, "invalid container id: it is empty");
    if (n > OCI_NAME_MAX)
        return error_set(e, "invalid container id '%.32s...': more than %d characters", id, OCI_NAME_MAX);
    for (size_t i = 0; i < n; i++)
        if (!strchr(first, id[i]) && (i == 0 || id[i] != '.'))
            return error_set(e, "invalid container id '%s': letters, digits, _ + - and, not at first, .", id);
    return 0;
}
