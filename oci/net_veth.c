// SPDX-License-Identifier: Apache-2.0
// --net=veth: the links of the network namespace that we are in become the sandbox's, as podman, docker, CNI
// or `ip` have set them up: name, MAC, MTU, addresses, routes. Each gets a packet socket with virtio-net
// headers; then the host's addresses there are removed, and IPv6 is switched off, so that the host's kernel
// answers nobody in the sandbox's name. (Packet sockets see a frame before the protocols do.)
//
// Links taken: Ethernet, up, and not a part of another one (a port of a bridge).
// LIMIT: routes of table main with one gateway each; no policy rules, no metrics of routes but the priority,
// no permanent neighbours. The namespace's loopback stays the host's: the sandbox has its own.
#include "oci/net.h"
#include "base/cleanup.h"
#include "oci/hostnl.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

// A burst of one round trip waits there while we are at work; the usual limit would lose it.
#define QUEUE_BYTES (8 << 20)
#define ADDED       (NLM_F_CREATE | NLM_F_REPLACE)

// What is to be put back: the lists as they were before, and which links they are about.
struct taken {
    struct taken_links {
        unsigned n;
        bool changed;             // something has been removed
        int index[SENTRY_LINKS];  // the host's
        char name[SENTRY_LINKS][16];
        bool ipv6_disabled[SENTRY_LINKS];  // by us
    } links;
    struct hostnl_list addrs, routes;
};

static int place_of(const struct taken *t, unsigned index) {
    for (unsigned i = 0; i < t->links.n; i++)
        if ((unsigned)t->links.index[i] == index)
            return (int)i;
    return -1;
}

// ---- Whose namespace it is --------------------------------------------------------------------------------
bool net_is_ours(pid_t pid) {
    char path[64];
    struct stat x, y;
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    return stat("/proc/self/ns/net", &x) == 0 && stat(path, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}
// That of process 1, or the first one of the machine, which alone has this file.
bool net_is_hosts(void) { return net_is_ours(1) || access("/proc/sys/net/core/dev_weight", F_OK) == 0; }

// ---- Reading ----------------------------------------------------------------------------------------------
static bool wanted(const struct nlmsghdr *m) {
    const struct ifinfomsg *i = NLMSG_DATA(m);
    return i->ifi_type == ARPHRD_ETHER && i->ifi_flags & IFF_UP && !(i->ifi_flags & IFF_LOOPBACK) &&
           !hostnl_attr(m, sizeof *i, IFLA_MASTER, 4) && hostnl_attr(m, sizeof *i, IFLA_IFNAME, 1) &&
           hostnl_attr(m, sizeof *i, IFLA_ADDRESS, 6) && hostnl_attr(m, sizeof *i, IFLA_MTU, 4);
}

static int read_links(struct hostnl *r, struct net *n, struct error *e) {
    struct hostnl_list links = {0};
    struct sentry_net *net = &n->net;
    size_t at = 0;
    int err = hostnl_dump(r, RTM_GETLINK, AF_UNSPEC, &links);
    for (const struct nlmsghdr *m; err == 0 && (m = hostnl_next(&links, &at, sizeof(struct ifinfomsg)));) {
        const struct ifinfomsg *i = NLMSG_DATA(m);
        if (m->nlmsg_type != RTM_NEWLINK || !wanted(m))
            continue;
        if (net->nlinks == SENTRY_LINKS) {
            err = -E2BIG;
            break;
        }
        struct sentry_link *l = &net->links[net->nlinks];
        n->taken->links.index[net->nlinks] = i->ifi_index;
        *l = (struct sentry_link){.kind = SENTRY_LINK_PACKET};
        snprintf(l->name, sizeof l->name, "%s", (const char *)hostnl_attr(m, sizeof *i, IFLA_IFNAME, 1));
        memcpy(n->taken->links.name[net->nlinks++], l->name, sizeof l->name);
        memcpy(l->mac, hostnl_attr(m, sizeof *i, IFLA_ADDRESS, 6), 6);
        memcpy(&l->mtu, hostnl_attr(m, sizeof *i, IFLA_MTU, 4), 4);
    }
    n->taken->links.n = net->nlinks;
    hostnl_free(&links);
    return err < 0 ? error_errno(e, -err, "--net=veth: the links of the network namespace") : 0;
}

static uint32_t flags_of_addr(const struct nlmsghdr *m) {
    const struct ifaddrmsg *a = NLMSG_DATA(m);
    const void *wide = hostnl_attr(m, sizeof *a, IFA_FLAGS, 4);
    uint32_t flags = a->ifa_flags;
    if (wide)
        memcpy(&flags, wide, 4);
    return flags;
}

// Of IPv4 what is ours is IFA_LOCAL; IFA_ADDRESS is the other end of a point-to-point link.
static void read_addr(struct net *n, const struct nlmsghdr *m) {
    const struct ifaddrmsg *a = NLMSG_DATA(m);
    bool six = a->ifa_family == AF_INET6;
    size_t size = six ? 16 : 4;
    const void *bytes = hostnl_attr(m, sizeof *a, IFA_LOCAL, size);
    int place = place_of(n->taken, a->ifa_index);
    if (!bytes)
        bytes = hostnl_attr(m, sizeof *a, IFA_ADDRESS, size);
    if (place < 0 || !bytes || (!six && a->ifa_family != AF_INET) || flags_of_addr(m) & IFA_F_DADFAILED)
        return;
    struct sentry_link *l = &n->net.links[place];
    if (six && !(flags_of_addr(m) & IFA_F_PERMANENT))
        l->automatic = SENTRY_AUTO_ROUTERS;
    if (l->naddrs == SENTRY_LINK_ADDRS)
        return;
    struct sentry_addr *to = &l->addrs[l->naddrs++];
    *to = (struct sentry_addr){.six = six, .prefix = a->ifa_prefixlen};
    memcpy(to->bytes, bytes, size);
}

static int read_addrs(struct hostnl *r, struct net *n, struct error *e) {
    size_t at = 0;
    int err = hostnl_dump(r, RTM_GETADDR, AF_UNSPEC, &n->taken->addrs);
    if (err < 0)
        return error_errno(e, -err, "--net=veth: the addresses of the network namespace");
    for (const struct nlmsghdr *m; (m = hostnl_next(&n->taken->addrs, &at, sizeof(struct ifaddrmsg)));)
        if (m->nlmsg_type == RTM_NEWADDR)
            read_addr(n, m);
    return 0;
}

#define KNOB "/proc/sys/net/ipv6/conf/%.15s/disable_ipv6"
static bool has_ipv6(const char *name) {
    char path[96], text = '1';
    snprintf(path, sizeof path, KNOB, name);
    int fd cleanup_close = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &text, 1) == 1 && text == '0';
}

// The host's kernel makes one as soon as there is a carrier; without it there is no IPv6 at all.
static void add_link_local(struct sentry_link *l) {
    for (unsigned i = 0; i < l->naddrs; i++)
        if (l->addrs[i].six && l->addrs[i].bytes[0] == 0xfe && (l->addrs[i].bytes[1] & 0xc0) == 0x80)
            return;
    if (l->naddrs == SENTRY_LINK_ADDRS || !has_ipv6(l->name))
        return;
    const uint8_t *mac = l->mac;
    l->addrs[l->naddrs++] = (struct sentry_addr){
        .six = 1,
        .prefix = 64,  // RFC 4291, appendix A
        .bytes = {0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}};
}

// Routes that come with addresses are made by the stack.
static bool wanted_route(const struct nlmsghdr *m) {
    const struct rtmsg *r = NLMSG_DATA(m);
    const void *table = hostnl_attr(m, sizeof *r, RTA_TABLE, 4);
    uint32_t number = r->rtm_table;
    if (table)
        memcpy(&number, table, 4);
    return m->nlmsg_type == RTM_NEWROUTE && number == RT_TABLE_MAIN && r->rtm_type == RTN_UNICAST &&
           r->rtm_protocol != RTPROT_KERNEL && (r->rtm_family == AF_INET || r->rtm_family == AF_INET6);
}

static void read_route(struct net *n, const struct nlmsghdr *m) {
    const struct rtmsg *r = NLMSG_DATA(m);
    bool six = r->rtm_family == AF_INET6;
    size_t size = six ? 16 : 4;
    const void *oif = hostnl_attr(m, sizeof *r, RTA_OIF, 4), *dst = hostnl_attr(m, sizeof *r, RTA_DST, size),
               *gateway = hostnl_attr(m, sizeof *r, RTA_GATEWAY, size),
               *metric = hostnl_attr(m, sizeof *r, RTA_PRIORITY, 4);
    uint32_t index = 0;
    if (oif)
        memcpy(&index, oif, 4);
    int place = place_of(n->taken, index);
    if (place < 0 || n->net.nroutes == SENTRY_ROUTES || (r->rtm_dst_len && !dst))
        return;
    struct sentry_route *to = &n->net.routes[n->net.nroutes++];
    *to = (struct sentry_route){
        .six = six, .prefix = r->rtm_dst_len, .link = (uint8_t)place, .has_gateway = gateway != NULL};
    if (dst)
        memcpy(to->dst, dst, size);
    if (gateway)
        memcpy(to->gateway, gateway, size);
    if (metric)
        memcpy(&to->metric, metric, 4);
}

static int read_routes(struct hostnl *r, struct net *n, struct error *e) {
    size_t at = 0;
    int err = hostnl_dump(r, RTM_GETROUTE, AF_INET, &n->taken->routes);
    if (err == 0)
        err = hostnl_dump(r, RTM_GETROUTE, AF_INET6, &n->taken->routes);
    if (err < 0)
        return error_errno(e, -err, "--net=veth: the routes of the network namespace");
    for (const struct nlmsghdr *m; (m = hostnl_next(&n->taken->routes, &at, sizeof(struct rtmsg)));)
        if (wanted_route(m))
            read_route(n, m);
    return 0;
}

// ---- Taking -----------------------------------------------------------------------------------------------
static int set_options(int fd) {
    int on = 1, size = QUEUE_BYTES;
    // Frames that the host's own stack sends over this interface are not for us.
    if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) < 0)
        return -errno;
    // Without CAP_NET_ADMIN over the host the limits stay: more loss, no error.
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    return 0;
}

static int open_packet(int index) {
    const struct sockaddr_ll at = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
    // Protocol 0: nothing is received before it is bound to its interface.
    int fd cleanup_close = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int err = set_options(fd);
    if (err < 0)
        return err;
    return bind(fd, (const struct sockaddr *)&at, sizeof at) < 0 ? -errno : take_fd(&fd);
}

static bool set_ipv6(const char *name, bool off) {
    char path[96];
    snprintf(path, sizeof path, KNOB, name);
    int fd cleanup_close = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, off ? "1" : "0", 1) == 1;
}

// One that has gone by itself (a second address of a network goes with the first) is no error.
static int remove_addrs(struct hostnl *r, struct net *n) {
    size_t at = 0;
    int err = 0;
    for (const struct nlmsghdr *m; (m = hostnl_next(&n->taken->addrs, &at, sizeof(struct ifaddrmsg)));) {
        const struct ifaddrmsg *a = NLMSG_DATA(m);
        if (m->nlmsg_type != RTM_NEWADDR || place_of(n->taken, a->ifa_index) < 0)
            continue;
        int one = hostnl_change(r, RTM_DELADDR, 0, a, m->nlmsg_len - NLMSG_HDRLEN);
        if (one < 0 && one != -EADDRNOTAVAIL && err == 0)
            err = one;
    }
    return err;
}

static int take(struct hostnl *r, struct net *n, struct error *e) {
    struct taken_links *l = &n->taken->links;
    for (unsigned i = 0; i < l->n; i++) {
        n->fds[i] = open_packet(l->index[i]);
        if (n->fds[i] < 0)
            return error_errno(e, -n->fds[i], "--net=veth: a packet socket on %s", l->name[i]);
    }
    l->changed = true;
    for (unsigned i = 0; i < l->n; i++)
        l->ipv6_disabled[i] = has_ipv6(l->name[i]) && set_ipv6(l->name[i], true);
    int err = remove_addrs(r, n);
    return err < 0 ? error_errno(e, -err, "--net=veth: removing the host's addresses") : 0;
}

int net_take_over(struct net *n, struct error *e) {
    struct hostnl r;
    if (net_is_hosts())
        return error_set(e, "--net=veth: this is the host's own network namespace (see ip-netns(8))");
    n->taken = calloc(1, sizeof *n->taken);
    if (!n->taken)
        return error_set(e, "no memory");
    int err = hostnl_open(&r);
    if (err < 0)
        return error_errno(e, -err, "--net=veth: netlink");
    err = read_links(&r, n, e);
    if (err == 0)
        err = read_addrs(&r, n, e);
    if (err == 0)
        err = read_routes(&r, n, e);
    for (unsigned i = 0; err == 0 && i < n->net.nlinks; i++)
        add_link_local(&n->net.links[i]);
    if (err == 0)
        err = take(&r, n, e);
    close(r.fd);
    return err;
}

// ---- Giving back ------------------------------------------------------------------------------------------
static void put_routes(struct hostnl *r, const struct taken *t, bool with_gateway) {
    size_t at = 0;
    for (const struct nlmsghdr *m; (m = hostnl_next(&t->routes, &at, sizeof(struct rtmsg)));)
        if (wanted_route(m) && !hostnl_attr(m, sizeof(struct rtmsg), RTA_GATEWAY, 4) == !with_gateway)
            hostnl_change(r, RTM_NEWROUTE, ADDED, NLMSG_DATA(m), m->nlmsg_len - NLMSG_HDRLEN);
}

// What cannot be put back is lost: the link may have gone.
void net_give_back(struct net *n) {
    struct taken *t = take_ptr(n->taken);
    struct hostnl r;
    size_t at = 0;
    if (!t)
        return;
    if (t->links.changed && hostnl_open(&r) == 0) {
        for (unsigned i = 0; i < t->links.n; i++)
            if (t->links.ipv6_disabled[i])
                set_ipv6(t->links.name[i], false);
        for (const struct nlmsghdr *m; (m = hostnl_next(&t->addrs, &at, sizeof(struct ifaddrmsg)));) {
            const struct ifaddrmsg *a = NLMSG_DATA(m);
            if (m->nlmsg_type == RTM_NEWADDR && place_of(t, a->ifa_index) >= 0)
                hostnl_change(&r, RTM_NEWADDR, ADDED, a, m->nlmsg_len - NLMSG_HDRLEN);
        }
        put_routes(&r, t, false);
        put_routes(&r, t, true);
        close(r.fd);
    }
    hostnl_free(&t->addrs);
    hostnl_free(&t->routes);
    free(t);
}

// In a file of a container's directory, from its start to its end: links, then both lists.
#define SAVED "net.taken"

static bool put(int fd, const void *p, size_t n) { return write(fd, p, n) == (ssize_t)n; }
static bool put_list(int fd, const struct hostnl_list *l) {
    return put(fd, &l->len, sizeof l->len) && put(fd, l->p, l->len);
}
static bool get(int fd, void *p, size_t n) { return read(fd, p, n) == (ssize_t)n; }
static bool get_list(int fd, struct hostnl_list *l) {
    if (!get(fd, &l->len, sizeof l->len) || l->len > HOSTNL_LIST_MAX)
        return false;
    l->p = malloc(l->len + 1);
    return l->p && get(fd, l->p, l->len);
}

int net_save_taken(const struct net *n, int dir, struct error *e) {
    const struct taken *t = n->taken;
    if (!t)
        return 0;
    int fd cleanup_close = openat(dir, SAVED, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && put(fd, &t->links, sizeof t->links) && put_list(fd, &t->addrs) && put_list(fd, &t->routes))
        return 0;
    return error_errno(e, errno, "what the network namespace had");
}

void net_give_back_saved(int dir) {
    int fd cleanup_close = openat(dir, SAVED, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct net n = {.taken = fd < 0 ? NULL : calloc(1, sizeof *n.taken)};
    struct taken *t = n.taken;
    if (!t)
        return;
    if (!get(fd, &t->links, sizeof t->links) || t->links.n > SENTRY_LINKS || !get_list(fd, &t->addrs) ||
        !get_list(fd, &t->routes))
        t->links.changed = false;
    net_give_back(&n);
}
