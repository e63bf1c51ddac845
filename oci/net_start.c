// SPDX-License-Identifier: Apache-2.0
// The network of a container, at its start: only then has its client set the namespace up. A child of ours
// goes there (the way back may be barred), takes over what there is, and sends it to the sandbox.
#include "oci/net_start.h"
#include "base/cleanup.h"
#include "oci/control.h"
#include "oci/json.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT "net.json"

// ---- What was asked for at create -------------------------------------------------------------------------
// Where each word is, and its key.
static const struct {
    const char *key;
    size_t at;
} words[] = {
    {"net", offsetof(struct net_words, net)},
    {"rxRate", offsetof(struct net_words, rx_rate)},
    {"txRate", offsetof(struct net_words, tx_rate)},
    {"pcap", offsetof(struct net_words, pcap)},
    {"pcapSize", offsetof(struct net_words, pcap_size)},
};
#define NWORDS (sizeof words / sizeof words[0])

static const char **word_at(const struct net_words *w, size_t i) {
    return (const char **)((uintptr_t)w + words[i].at);
}

// A capture file's name holds from here, not from where `start` will be called.
static char *absolute(const char *path) {
    char cwd[4096], *text = NULL;
    if (path[0] == '/')
        return strdup(path);
    return getcwd(cwd, sizeof cwd) && asprintf(&text, "%s/%s", cwd, path) > 0 ? text : NULL;
}

int net_keep(const struct oci *o, const struct container *c, struct error *e) {
    struct net_options options;
    if (net_parse_words(&options, &o->net, e) < 0)
        return -1;
    json_t *j = json_object();
    for (size_t i = 0; i < NWORDS; i++) {
        const char *word = *word_at(&o->net, i);
        char *text cleanup_free = word && !strcmp(words[i].key, "pcap") ? absolute(word) : NULL;
        if (word)
            json_object_set_new(j, words[i].key, json_string(text ? text : word));
    }
    char *text cleanup_free = json_dumps(j, JSON_COMPACT);
    json_decref(j);
    int fd cleanup_close = openat(c->dir, KEPT, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t n = text ? strlen(text) : 0;
    if (!text || fd < 0 || !write_whole(fd, text, n))
        return error_errno(e, text ? errno : ENOMEM, "container %s: keeping its network options", c->id);
    return 0;
}

bool net_comes_later(const struct oci *o, bool host_network) {
    struct net_options options;
    struct error unused;
    if (net_parse_words(&options, &o->net, &unused) < 0)
        return false;
    return options.mode == NET_DEFAULT ? !host_network : options.mode != NET_NONE;
}

static bool has_network_namespace(json_t *config) {
    size_t i;
    json_t *v;
    json_array_foreach(config_get(config, "linux.namespaces"), i, v) {
        const char *type = json_string_value(json_object_get(v, "type"));
        if (type && !strcmp(type, "network"))
            return true;
    }
    return false;
}

// ---- At the start -----------------------------------------------------------------------------------------
static int enter(const struct container *c, struct error *e) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)c->pid);
    int fd cleanup_close = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
        return error_errno(e, errno, "container %s: its network namespace", c->id);
    return 0;
}

static int hand_over(const struct container *c, const struct net *n, struct error *e) {
    char reply[sizeof(struct control_failed)];
    struct control_net *m cleanup_free = calloc(1, sizeof *m);
    int fd cleanup_close = control_connect(c, e);
    if (fd < 0)
        return -1;
    if (!m)
        return error_set(e, "no memory");
    m->net = n->net;
    if (control_send(fd, CONTROL_NET, m, sizeof *m, n->fds, (int)sentry_net_fds(&n->net), e) < 0)
        return -1;
    return control_receive(fd, CONTROL_OK, reply, sizeof(struct control_head), sizeof reply, e) < 0 ? -1 : 0;
}

// In the child.
static int take(const struct container *c, const struct net_options *o, struct error *e) {
    static struct net n;
    struct net_options options = *o;
    bool own = net_is_ours(c->pid);
    if (o->mode == NET_DEFAULT && own)  // a user's container, whose init could make no namespace
        return 0;
    if (o->mode != NET_TAP && !own && enter(c, e) < 0)
        return -1;
    if (o->mode == NET_DEFAULT) {
        if (net_is_hosts())  // host networking, as docker asks for it
            return 0;
        options.mode = NET_VETH;
    }
    if (net_open(&options, &n, e) < 0)
        return -1;
    if (n.net.nlinks == 0)
        return 0;
    if (net_save_taken(&n, c->dir, e) == 0 && hand_over(c, &n, e) == 0)
        return 0;
    net_give_back(&n);
    return -1;
}

static int take_in_child(const struct container *c, const struct net_options *o, struct error *e) {
    int word[2], status = 1;
    char text[sizeof e->text] = "";
    if (pipe2(word, O_CLOEXEC) < 0)
        return error_errno(e, errno, "pipe");
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int err = take(c, o, e);
        if (err < 0 && write(word[1], e->text, strlen(e->text)) < 0)
            _exit(2);
        _exit(err < 0);
    }
    close(word[1]);
    ssize_t n = pid < 0 ? -1 : TEMP_FAILURE_RETRY(read(word[0], text, sizeof text - 1));
    close(word[0]);
    if (pid < 0 || TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
        return error_errno(e, errno, "fork");
    if (status == 0)
        return 0;
    return error_set(e, "%s", n > 0 ? text : "setting up the network ended unexpectedly");
}

int net_start(const struct container *c, json_t *config, struct error *e) {
    struct net_words w = {0};
    struct net_options options;
    json_t *kept = json_read_file(c->dir, KEPT, e);
    if (!kept)
        return -1;
    for (size_t i = 0; i < NWORDS; i++)
        *word_at(&w, i) = json_string_value(json_object_get(kept, words[i].key));
    int err = net_parse_words(&options, &w, e);
    bool none = options.mode == NET_NONE || (options.mode == NET_DEFAULT && !has_network_namespace(config));
    if (err == 0 && !none)
        err = take_in_child(c, &options, e);
    json_decref(kept);
    return err;
}
