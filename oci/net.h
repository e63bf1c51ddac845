// SPDX-License-Identifier: Apache-2.0
// The network outside that a sandbox gets (--net): what is asked for, and what is made of it on the host's
// side. Descriptors are opened here; the sentry gets them ready (sentry/netconfig.h).
#ifndef OCI_NET_H
#define OCI_NET_H
#include "oci/error.h"
#include "sentry/netconfig.h"
#include <stdbool.h>
#include <sys/types.h>

enum net_mode {
    NET_DEFAULT,  // nothing was said: `do` has none, a container what its namespace has
    NET_NONE,     // a loopback
    NET_TAP,      // a tap of the host, by its name
    NET_VETH,     // the links of the network namespace that one is in
    // NET_USER, a gateway process, is to come
};
struct net_options {
    enum net_mode mode;
    char tap[16];
    // of NET_TAP: nobody else says them
    unsigned naddrs;
    struct sentry_addr addrs[SENTRY_LINK_ADDRS];
    struct sentry_addr gateways[2];  // IPv4, IPv6; prefix 0: none
    uint64_t rx_rate, tx_rate;       // bytes a second
    const char *capture;             // a file's name; NULL: none
    uint64_t capture_max;            // bytes
};
#define NET_CAPTURE_MAX (UINT64_C(64) << 20)

// The options as they were given, NULL: not.
struct net_words {
    const char *net, *rx_rate, *tx_rate, *pcap, *pcap_size;
};
int net_parse_words(struct net_options *o, const struct net_words *w, struct error *e);
// "none", "veth", or "tap:NAME[,address=A/P]...[,gateway=A]..."
int net_parse(struct net_options *o, const char *text, struct error *e);
// "100mbit" and the like: bytes a second
int net_parse_rate(uint64_t *rate, const char *option, const char *text, struct error *e);
// "64M" and the like: bytes
int net_parse_size(uint64_t *size, const char *option, const char *text, struct error *e);

// What goes to a sentry, and what is to be put back.
struct taken;
struct net {
    struct sentry_net net;
    int fds[SENTRY_NET_FDS];
    struct taken *taken;  // of NET_VETH; owned, or NULL
};
// Opens what is asked for, in the network namespace that this process is in. Of NET_VETH that is from now on
// the sandbox's: the host's kernel has no addresses there any more. 0, or -1 and nothing has changed.
int net_open(const struct net_options *o, struct net *n, struct error *e);
// Our descriptors, which the sentry has too.
void net_close(struct net *n);
// Addresses and routes as they were, in the same namespace. Nothing, when nothing was taken.
void net_give_back(struct net *n);

// The same for a container, whose start is another process than its end: kept in its directory.
int net_save_taken(const struct net *n, int dir, struct error *e);
void net_give_back_saved(int dir);
// Whether this process is in the network namespace of the machine itself; in that of process `pid`.
bool net_is_hosts(void);
bool net_is_ours(pid_t pid);

// What is to lie at /etc/hosts and /etc/resolv.conf of a sandbox over the caller's files; owned by the
// caller. NULL: the caller's own will do (or there is no memory). net: NULL for a sandbox without a network
// outside.
char *net_hosts(const char *hostname, const struct sentry_net *net);
char *net_resolv_conf(void);

// Parts of it.
int net_open_tap(const struct net_options *o, struct net *n, struct error *e);
int net_take_over(struct net *n, struct error *e);

#endif
