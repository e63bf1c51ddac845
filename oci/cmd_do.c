// SPDX-License-Identifier: Apache-2.0
// picket do [OPTIONS] -- CMD [ARGS]: one program in a sandbox over this machine's files. The host's root is
// read-only below, changes are kept in memory and gone at the end. The guest's environment is made here, not
// inherited: but for a short list, what is in the caller's does not enter.
#include "abi/misc.h"
#include "base/log.h"
#include "oci/cmd.h"
#include "oci/launch.h"
#include "oci/limits.h"
#include "oci/net.h"
#include "oci/opt.h"
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BINDS 32
#define MAX_ENV   256

// What every sandbox has; --bind comes on top. LIMIT: /sys is empty but for fs/cgroup.
#define NOSUID_NODEV (LINUX_MS_NOSUID | LINUX_MS_NODEV)
static const struct sentry_mount system_mounts[] = {
    {.kind = SENTRY_DEV, .target = "/dev", .source = "dev", .flags = LINUX_MS_NOSUID},
    // as systemd and container engines mount it; group 5 is "tty"
    {.kind = SENTRY_DEVPTS,
     .target = "/dev/pts",
     .source = "devpts",
     .flags = LINUX_MS_NOSUID | LINUX_MS_NOEXEC,
     .gid = 5,
     .mode = 0620,
     .ptmxmode = 0666},
    {.kind = SENTRY_TMPFS, .target = "/dev/shm", .source = "tmpfs", .flags = NOSUID_NODEV, .mode = 01777},
    {.kind = SENTRY_PROC, .target = "/proc", .source = "proc", .flags = NOSUID_NODEV | LINUX_MS_NOEXEC},
    {.kind = SENTRY_SYSFS,
     .target = "/sys",
     .source = "sysfs",
     .flags = NOSUID_NODEV | LINUX_MS_NOEXEC | LINUX_MS_RDONLY},
    {.kind = SENTRY_CGROUP,
     .target = "/sys/fs/cgroup",
     .source = "cgroup",
     .flags = NOSUID_NODEV | LINUX_MS_NOEXEC | LINUX_MS_RDONLY},
};
#define NSYSTEM (sizeof system_mounts / sizeof system_mounts[0])

struct do_options {
    struct sentry_config config;
    struct gofer_root roots[1 + MAX_BINDS];
    struct sentry_mount mounts[NSYSTEM + MAX_BINDS];
    unsigned nbinds;
    char *env[MAX_ENV + 1];
    unsigned nenv;
    const char *json;  // where the result line goes: a path, "" for stderr; NULL: nowhere
    bool limited;
    char cwd[PATH_MAX];
    gid_t groups[NGROUPS_MAX];
    struct net_words net_words;
    struct net_options net_options;
    struct net net;
    struct sentry_file files[2];
};

// The variables of the caller's that a program needs to find its way; SECURITY.md lists them too. No other
// goes in.
#define PASSED_ON "PATH HOME TERM LANG LC_ALL TZ USER LOGNAME SHELL TMPDIR"

static const char usage[] =
    "usage: picket do [OPTIONS] -- CMD [ARGS]\n\n"
    "  --platform P            auto (default), seccomp or ptrace: how system calls are caught\n"
    "  --fast-calls on|off     off: no call site is changed, no call answered through shared memory;\n"
    "                          slower, and less to go wrong (default: on)\n"
    "  --bind HOST:GUEST[:ro]  show the host's file or directory HOST at GUEST, writable unless :ro\n"
    "  --cwd DIR               working directory inside (default: the current one)\n"
    "  --env K=V               set an environment variable; of the caller's, these alone are passed on:\n"
    "                          " PASSED_ON "\n"
    "  --hostname NAME         the host name inside (default: picket)\n" LIMITS_USAGE
    "  --net none|tap:NAME[,address=ADDRESS/PREFIX][,gateway=ADDRESS]|veth\n"
    "                          the network inside: a loopback (default), one more link on a tap of this\n"
    "                          host, or the links, addresses and routes of the network namespace that\n"
    "                          picket is started in (ip netns exec), which are the sandbox's until it ends\n"
    "  --net-rx-rate RATE, --net-tx-rate RATE\n"
    "                          at most so much in and out of each link, as 100mbit (default: no limit)\n"
    "  --pcap FILE             write what passes the links to FILE (pcapng), at most\n"
    "  --pcap-size SIZE        so much of it (default: 64M)\n"
    "  --stdin FILE            what CMD reads, instead of the caller's standard input\n"
    "  --json[=FILE]           at the end one line that says how it went, on stderr or appended to FILE\n"
    "  --strace                show each system call on stderr\n"
    "  --verbose               say which platform was chosen and why, and what confines it\n\n"
    "Exit status: CMD's own; 128+n when signal n ended it; 127 no such program; 126 it cannot be run;\n"
    "125 Picket itself failed.\n";

static int bad(const char *option, const char *value, const char *why) {
    log_error("do: %s '%s': %s", option, value, why);
    return SENTRY_EXIT_FAILED;
}

static int parse_platform(struct do_options *o, const char *value) {
    static const char *const names[] = {
        [PLAT_AUTO] = "auto", [PLAT_PTRACE] = "ptrace", [PLAT_SECCOMP] = "seccomp"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(value, names[i])) {
            o->config.platform = (enum plat_kind)i;
            return 0;
        }
    return bad("--platform", value, "is not auto, seccomp or ptrace");
}

static int parse_stdin(struct do_options *o, const char *value) {
    struct error e;
    if (take_stdin(value, &e) < 0) {
        log_error("do: %s", e.text);
        return SENTRY_EXIT_FAILED;
    }
    o->config.stdio_closed &= ~1u;
    return 0;
}

static int parse_fast_calls(struct do_options *o, const char *value) {
    o->config.plain_calls = !strcmp(value, "off");
    return o->config.plain_calls || !strcmp(value, "on") ? 0 : bad("--fast-calls", value, "is not on or off");
}

// HOST:GUEST[:ro|:rw]; a name with a colon in it cannot be given.
static int parse_bind(struct do_options *o, char *value) {
    if (o->nbinds == MAX_BINDS)
        return bad("--bind", value, "too many binds (32 at most)");
    char *text = strdup(value), *guest = text ? strchr(text, ':') : NULL;
    if (!guest)
        return bad("--bind", value, "is not HOST:GUEST[:ro]");
    *guest++ = '\0';
    char *mode = strchr(guest, ':');
    bool writable = true;
    if (mode) {
        *mode++ = '\0';
        writable = !strcmp(mode, "rw");
        if (!writable && strcmp(mode, "ro"))
            return bad("--bind", value, "the mode is not ro or rw");
    }
    if (!*text)
        return bad("--bind", value, "the host path is empty");
    struct stat st;
    if (stat(text, &st) < 0)
        return bad("--bind", value,
                   errno == ENOENT ? "the host path does not exist: make it first" : strerror(errno));
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return bad("--bind", value, "the host path is neither a directory nor a regular file");
    if (guest[0] != '/' || !guest[1])
        return bad("--bind", value, "the guest path is not absolute, or is the root");
    char *host = realpath(text, NULL);
    if (!host)
        return bad("--bind", value, strerror(errno));
    unsigned n = o->nbinds++;
    o->roots[1 + n] = (struct gofer_root){host, writable};
    o->mounts[NSYSTEM + n] = (struct sentry_mount){.kind = SENTRY_BIND,
                                                   .target = guest,
                                                   .source = "bind",
                                                   .root = 1 + n,
                                                   .flags = writable ? 0 : LINUX_MS_RDONLY,
                                                   .is_dir = S_ISDIR(st.st_mode)};
    return 0;
}

static int add_env(struct do_options *o, char *text) {
    size_t name = strcspn(text, "=");
    if (!text[name] || !name)
        return bad("--env", text, "is not K=V");
    for (unsigned i = 0; i < o->nenv; i++)
        if (!strncmp(o->env[i], text, name + 1)) {
            o->env[i] = text;
            return 0;
        }
    if (o->nenv == MAX_ENV)
        return bad("--env", text, "too many variables");
    o->env[o->nenv++] = text;
    return 0;
}

static void default_env(struct do_options *o) {
    static char names[] = PASSED_ON;
    char *rest = names, *name;
    while ((name = strsep(&rest, " "))) {
        const char *value = getenv(name);
        char *text;
        if (value && asprintf(&text, "%s=%s", name, value) > 0)
            add_env(o, text);
    }
    if (!getenv("PATH"))
        add_env(o, strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
}

#define LIMIT_FIRST 256  // and on: limit_names

static int parse_limit(struct do_options *o, int option, char *value) {
    struct error e;
    o->limited = true;
    if (limit_set(&o->config.limits, limit_names[option - LIMIT_FIRST], value, &e) == 0)
        return 0;
    log_error("do: %s", e.text);
    return SENTRY_EXIT_FAILED;
}

static int parse_option(struct do_options *o, int option, char *value) {
    if (option >= LIMIT_FIRST)
        return parse_limit(o, option, value);
    switch (option) {
    case 'N':
        o->net_words.net = value;
        return 0;
    case 'R':
        o->net_words.rx_rate = value;
        return 0;
    case 'T':
        o->net_words.tx_rate = value;
        return 0;
    case 'P':
        o->net_words.pcap = value;
        return 0;
    case 'Z':
        o->net_words.pcap_size = value;
        return 0;
    case 'I':
        return parse_stdin(o, value);
    case 'j':
        o->json = value ? value : "";
        return 0;
    case 'p':
        return parse_platform(o, value);
    case 'f':
        return parse_fast_calls(o, value);
    case 'b':
        return parse_bind(o, value);
    case 'e':
        return add_env(o, value);
    case 'c':
        if (value[0] != '/')
            return bad("--cwd", value, "is not an absolute path");
        o->config.process.cwd = value;
        o->config.process.cwd_wanted = true;
        return 0;
    case 'n':
        if (!*value || strlen(value) > 64)
            return bad("--hostname", value, "has no or more than 64 characters");
        o->config.hostname = value;
        return 0;
    case 's':
        o->config.strace = true;
        return 0;
    case 'v':
        o->config.verbose = true;
        return 0;
    case 'h':
        fputs(usage, stdout);
        exit(0);
    }
    return SENTRY_EXIT_FAILED;
}

static int parse_options(struct do_options *o, int argc, char **argv) {
    struct option options[32] = {
        {"platform", required_argument, NULL, 'p'},    {"bind", required_argument, NULL, 'b'},
        {"cwd", required_argument, NULL, 'c'},         {"env", required_argument, NULL, 'e'},
        {"hostname", required_argument, NULL, 'n'},    {"strace", no_argument, NULL, 's'},
        {"verbose", no_argument, NULL, 'v'},           {"help", no_argument, NULL, 'h'},
        {"fast-calls", required_argument, NULL, 'f'},  {"json", optional_argument, NULL, 'j'},
        {"net", required_argument, NULL, 'N'},         {"net-rx-rate", required_argument, NULL, 'R'},
        {"net-tx-rate", required_argument, NULL, 'T'}, {"pcap", required_argument, NULL, 'P'},
        {"pcap-size", required_argument, NULL, 'Z'},   {"stdin", required_argument, NULL, 'I'},
    };
    size_t n = 0;
    while (options[n].name)
        n++;
    for (int i = 0; limit_names[i]; i++)
        options[n++] = (struct option){limit_names[i], required_argument, NULL, LIMIT_FIRST + i};
    opterr = 0;
    int c;
    while ((c = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
        if (c == '?' || c == ':') {
            log_error("do: %s '%s' (see picket do --help)",
                      c == '?' ? "unknown option" : "missing value for", argv[optind - 1]);
            return SENTRY_EXIT_FAILED;
        }
        int err = parse_option(o, c, optarg);
        if (err)
            return err;
    }
    if (optind >= argc) {
        log_error("do: no program is given (see picket do --help)");
        return SENTRY_EXIT_FAILED;
    }
    o->config.process.argv = argv + optind;
    return 0;
}

static void add_file(struct do_options *o, const char *path, const char *text) {
    if (text)
        o->files[o->config.nfiles++] = (struct sentry_file){path, text};
}

static int open_net(struct do_options *o, bool *outside, struct error *e) {
    struct net_options *options = &o->net_options;
    if (!o->net_words.net)
        o->net_words.net = "none";
    if (net_parse_words(options, &o->net_words, e) < 0)
        return -1;
    *outside = options->mode != NET_NONE;
    if (*outside && net_open(options, &o->net, e) < 0)
        return -1;
    if (*outside && o->net.net.nlinks == 0)
        return error_set(e, "--net=veth: no Ethernet link is up in this network namespace");
    return 0;
}

static int make_net(struct do_options *o) {
    struct sentry_config *c = &o->config;
    struct error e;
    bool outside;
    if (open_net(o, &outside, &e) < 0) {
        log_error("do: %s", e.text);
        return SENTRY_EXIT_FAILED;
    }
    c->files = o->files;
    add_file(o, "/etc/hosts", net_hosts(c->hostname, outside ? &o->net.net : NULL));
    if (!outside)
        return 0;
    add_file(o, "/etc/resolv.conf", net_resolv_conf());
    c->net = &o->net.net;
    c->net_fds = o->net.fds;
    return 0;
}

// Our own, not what the host's root shows inside.
static bool is_system(const char *path) {
    return !strncmp(path, "/dev", 4) || !strncmp(path, "/proc", 5) || !strncmp(path, "/sys", 4);
}

// How many first entries of PATH do not have the program: a look each, where the sentry needs a message to the gofer. With binds
// the tree inside is another one.
static unsigned missing_in_path(const struct do_options *o) {
    const char *name = o->config.process.argv[0], *dir = "";
    unsigned n = 0;
    for (unsigned i = 0; i < o->nenv; i++)
        if (!strncmp(o->env[i], "PATH=", 5))
            dir = o->env[i] + 5;
    if (o->nbinds || !*name || strchr(name, '/'))
        return 0;
    for (; *dir == '/' && !is_system(dir); n++) {
        size_t len = strcspn(dir, ":");
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%.*s/%s", (int)len, dir, name) >= (int)sizeof path ||
            access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR))
            break;
        dir += len + (dir[len] == ':');
    }
    return n;
}

static void show_end(const char *where, const struct ended *d) {
    json_t *j = ended_json(d);
    char *line = j ? json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    FILE *f = *where ? fopen(where, "ae") : stderr;
    if (!line || !f || fprintf(f, "%s\n", line) < 0 || fflush(f))
        log_error("do: --json %s: %s", where, strerror(errno));
    if (f && f != stderr)
        fclose(f);
    free(line);
    json_decref(j);
}

int cmd_do(int argc, char **argv) {
    static struct do_options *o; // for as long as the process lives, in all three of them
    o = calloc(1, sizeof *o);
    if (!o)
        return bad("start", "", "no memory");
    struct sentry_config *c = &o->config;
    struct sentry_process *p = &c->process;
    c->hostname = "picket";
    c->stdio_closed = stdio_closed;
    c->inherited = &inherited;
    c->listen_fd = c->init_fd = c->report_fd = -1;
    memcpy(o->mounts, system_mounts, sizeof system_mounts);
    o->roots[0] = (struct gofer_root){"/", false};
    default_env(o);
    int err = parse_options(o, argc, argv);
    if (err)
        return err;
    c->mounts = o->mounts;
    c->nmounts = NSYSTEM + o->nbinds;
    p->envp = o->env;
    p->path_skip = missing_in_path(o);
    if (!p->cwd)
        p->cwd = getcwd(o->cwd, sizeof o->cwd) ? o->cwd : "/";
    p->uid = geteuid();
    p->gid = getegid();
    p->umask = inherited.umask;
    int n = getgroups(NGROUPS_MAX, o->groups);
    p->groups = o->groups;
    p->ngroups = n > 0 ? (unsigned)n : 0;
    err = make_net(o);
    if (err)
        return err;
    struct ended ended = {.cause = ""};
    bool tells = o->json || o->limited;
    int status = launch(c, o->roots, 1 + (int)o->nbinds, tells ? &ended : NULL);
    net_give_back(&o->net);
    if (o->json && *ended.cause)
        show_end(o->json, &ended);
    return status;
}
