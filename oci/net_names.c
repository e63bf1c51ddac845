// SPDX-License-Identifier: Apache-2.0
// /etc/hosts and /etc/resolv.conf of `picket do`: the caller's, without what means something else inside. A
// container's are its client's to make.
#include "oci/net.h"
#include "base/cleanup.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (64u << 10)  // bytes that are read of a file

// As text; "" when it cannot be read. Owned.
static char *read_text(const char *path) {
    char *text = malloc(FILE_MAX + 1);  // not cleared: processes that are forked from us would have it too
    int fd cleanup_close = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t n = text && fd >= 0 ? read(fd, text, FILE_MAX) : -1;
    if (text)
        text[n < 0 ? 0 : n] = '\0';
    return text;
}

// Whether the n-th word of the line (from 0) is an address of the caller's own loopback.
static bool is_loopback(const char *line, int n) {
    static const char blanks[] = " \t\n\v\f\r";
    char word[64];
    struct in_addr four;
    struct in6_addr six;
    line += strspn(line, blanks);
    for (; n > 0; n--) {
        line += strcspn(line, blanks);
        line += strspn(line, blanks);
    }
    snprintf(word, sizeof word, "%.*s", (int)strcspn(line, blanks), line);
    if (inet_pton(AF_INET, word, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, word, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

// Adds the lines of text that keep() wants; one that is very long is none.
static void add_lines(FILE *out, const char *text, bool (*keep)(const char *line)) {
    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        char copy[512];
        snprintf(copy, sizeof copy, "%.*s", (int)len, line);
        if (len < sizeof copy && keep(copy))
            fprintf(out, "%s\n", copy);
        line += len + (line[len] == '\n');
    }
}

static bool foreign_host(const char *line) { return !is_loopback(line, 0); }
static bool is_server(const char *line) { return !strncmp(line, "nameserver", 10); }
static bool reachable(const char *line) { return !is_server(line) || !is_loopback(line, 1); }

char *net_hosts(const char *hostname, const struct sentry_net *net) {
    char *text = NULL, *callers cleanup_free = read_text("/etc/hosts"), own[INET6_ADDRSTRLEN] = "127.0.1.1";
    size_t n;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return NULL;
    for (unsigned i = 0; net && net->nlinks && i < net->links[0].naddrs; i++)
        if (!net->links[0].addrs[i].six) {
            inet_ntop(AF_INET, net->links[0].addrs[i].bytes, own, sizeof own);
            break;
        }
    fprintf(out, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n%s\t%s\n", own, hostname);
    add_lines(out, callers ? callers : "", foreign_host);
    return fclose(out) == 0 ? text : NULL;
}

static bool has_server(const char *text) {
    for (const char *at = text; (at = strstr(at, "nameserver")); at++)
        if ((at == text || at[-1] == '\n') && !is_loopback(at, 1))
            return true;
    return false;
}

char *net_resolv_conf(void) {
    static const char *const files[] = {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"};
    for (unsigned i = 0; i < 2; i++) {
        char *callers cleanup_free = read_text(files[i]), *text = NULL;
        size_t n;
        FILE *out = callers && has_server(callers) ? open_memstream(&text, &n) : NULL;
        if (!out)
            continue;
        add_lines(out, callers, reachable);
        return fclose(out) == 0 ? text : NULL;
    }
    return NULL;
}
