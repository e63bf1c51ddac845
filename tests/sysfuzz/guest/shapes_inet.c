// SPDX-License-Identifier: Apache-2.0
// Shapes over inet, packet and netlink sockets: connections and datagrams among few ports of the loopback, so
// that the processes of a generation meet, options and control messages of all levels, requests of rtnetlink
// and of netdevice(7).
#include "fuzz.h"
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PORTS 6u

static const int levels[] = {SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_RAW,
                             IPPROTO_ICMPV6, SOL_NETLINK, SOL_PACKET};

static int family(void) { return one_in(2) ? AF_INET : AF_INET6; }

// Somewhere on the loopback, of that family; *len: mostly right.
static void *place(int of, unsigned *len) {
    struct sockaddr_in6 *six = room(sizeof *six);
    struct sockaddr_in *four = (struct sockaddr_in *)six;
    memset(six, 0, sizeof *six);
    six->sin6_family = (sa_family_t)of;
    six->sin6_port = htons((uint16_t)(one_in(12) ? 0 : 40000 + below(PORTS)));
    if (of == AF_INET)
        four->sin_addr.s_addr = htonl(one_in(8) ? 0 : INADDR_LOOPBACK + below(2));
    else
        six->sin6_addr.s6_addr[15] = !one_in(8);
    *len = of == AF_INET ? sizeof *four : sizeof *six;
    if (one_in(20))
        *len = below(40);
    return six;
}

static int inet(int of, int type) {
    return (int)call(SYS_socket, of, type | (one_in(3) ? 0 : SOCK_NONBLOCK), 0);
}

static void set_option(int fd) {
    uint8_t *v = room(64);
    unsigned n = one_in(2) ? 4 : below(64);
    fill("bytes", 5, v, 64);
    if (one_in(2))
        *(int *)v = (int)below(300) - 20;
    call(SYS_setsockopt, fd, pick(levels), below(90), v, n);
}

static void sh_tcp_server(void) {
    int of = family(), fd = inet(of, SOCK_STREAM);
    unsigned len;
    void *at = place(of, &len);
    int *one = room(4);
    *one = 1;
    call(SYS_setsockopt, fd, SOL_SOCKET, one_in(2) ? SO_REUSEADDR : SO_REUSEPORT, one, 4);
    while (one_in(2))
        set_option(fd);
    call(SYS_bind, fd, at, len);
    call(SYS_listen, fd, below(5));
    for (unsigned i = below(3); i > 0; i--) {
        int s = (int)call(SYS_accept4, fd, NULL, NULL, SOCK_NONBLOCK);
        uint64_t flags = flags_of("msg", 3, false) | MSG_DONTWAIT;
        call(SYS_recvfrom, s, any_pointer(), below(5000), flags, NULL, NULL);
        if (one_in(2))
            call(SYS_close, s);
    }
}

static void sh_tcp_client(void) {
    int of = family(), fd = inet(of, SOCK_STREAM);
    unsigned len;
    void *to = place(of, &len);
    while (one_in(3))
        set_option(fd);
    call(SYS_connect, fd, to, len);
    for (unsigned i = below(4); i > 0; i--)
        call(SYS_sendto, fd, any_pointer(), below(70000), flags_of("msg", 3, false) | MSG_NOSIGNAL, NULL, 0);
    if (one_in(3))
        call(SYS_shutdown, fd, below(3));
    if (one_in(3))
        call(SYS_connect, fd, memset(to, 0, 16), 16);  // AF_UNSPEC: not connected any more
    if (one_in(2))
        call(SYS_close, fd);
}

static const int types[] = {IP_PKTINFO, IP_TTL, IP_TOS, 103 /* UDP_SEGMENT */, IPV6_PKTINFO, IPV6_HOPLIMIT,
                            IPV6_TCLASS};
static void sh_udp(void) {
    int of = family(), fd = inet(of, SOCK_DGRAM);
    struct msghdr *m = room(sizeof *m);
    struct iovec *v = room(2 * sizeof *v);
    struct cmsghdr *c = room(128);
    unsigned len;
    if (one_in(2)) {
        void *at = place(of, &len);
        call(SYS_bind, fd, at, len);
    }
    while (one_in(2))
        set_option(fd);
    fill("iovec", 5, v, 2);
    memset(m, 0, sizeof *m);
    m->msg_name = place(of, &m->msg_namelen);
    m->msg_iov = v;
    m->msg_iovlen = below(3);
    if (one_in(2)) {
        fill("bytes", 5, c, 64);
        c->cmsg_len = one_in(6) ? below(200) : CMSG_LEN(4 * (1 + below(5)));
        c->cmsg_level = pick(levels);
        c->cmsg_type = pick(types);
        m->msg_control = c;
        m->msg_controllen = one_in(8) ? below(200) : CMSG_ALIGN(c->cmsg_len);
    }
    call(SYS_sendmsg, fd, m, flags_of("msg", 3, false) | MSG_DONTWAIT);
    m->msg_controllen = below(128);
    call(SYS_recvmsg, one_in(2) ? fd : any_fd(), m, flags_of("msg", 3, false) | MSG_DONTWAIT);
}

static void sh_raw(void) {
    int fd = one_in(2) ? (int)call(SYS_socket, family(), SOCK_RAW, one_in(2) ? IPPROTO_ICMP : (int)below(256))
                       : (int)call(SYS_socket, AF_PACKET, one_in(2) ? SOCK_RAW : SOCK_DGRAM, htons(3));
    unsigned len;
    void *to = place(AF_INET, &len);
    set_option(fd);
    call(SYS_sendto, fd, any_pointer(), below(2000), MSG_DONTWAIT, to, len);
    call(SYS_recvfrom, fd, any_pointer(), below(2000), MSG_DONTWAIT, NULL, NULL);
}

static void sh_option(void) {
    uint8_t *v = room(64);
    unsigned *n = room(4);
    set_option(any_fd());
    *n = below(80);
    call(SYS_getsockopt, any_fd(), pick(levels), below(90), v, n);
}

// A request, with up to three attributes.
static void sh_netlink(void) {
    int protocol = one_in(3) ? (int)below(22) : 0;
    int fd = one_in(3) ? any_fd() : (int)call(SYS_socket, AF_NETLINK, SOCK_RAW, protocol);
    struct nlmsghdr *h = room(256);
    fill("bytes", 5, h, 256);
    h->nlmsg_type = (uint16_t)(one_in(6) ? below(64) : RTM_BASE + below(80));
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (one_in(2) ? NLM_F_DUMP : below(0x1000)));
    char *at = (char *)NLMSG_DATA(h) + sizeof(struct rtmsg) + (one_in(2) ? 4 : 0);
    for (unsigned i = below(4); i > 0; i--) {
        struct rtattr *a = (void *)at;
        a->rta_type = (uint16_t)below(30);
        a->rta_len = (uint16_t)(one_in(8) ? below(70) : RTA_LENGTH(below(20)));
        at += RTA_ALIGN(a->rta_len < 4 ? 4 : a->rta_len & 63);
    }
    h->nlmsg_len = one_in(8) ? below(300) : (uint32_t)(at - (char *)h);
    call(SYS_sendto, fd, h, h->nlmsg_len & 255, 0, NULL, 0);
    call(SYS_recvfrom, fd, any_pointer(), below(9000), MSG_DONTWAIT, NULL, NULL);
}

static void sh_netdevice(void) {
    static const unsigned asks[] = {SIOCGIFNAME, SIOCGIFCONF,  SIOCGIFFLAGS,   SIOCGIFADDR,   SIOCGIFMTU,
                                    SIOCSIFMTU,  SIOCGIFHWADDR, SIOCSIFNETMASK, SIOCSIFADDR,   SIOCGARP,
                                    SIOCSARP,    SIOCDARP,     SIOCATMARK,     0x894b /* SIOCOUTQNSD */};
    struct ifreq *r = room(128);
    fill("bytes", 5, r, 128);
    if (!one_in(4))
        strcpy(r->ifr_name, "lo");
    call(SYS_ioctl, any_fd(), pick(asks), r);
}

const struct shape inet_shapes[] = {
    {sh_tcp_server, 6}, {sh_tcp_client, 8}, {sh_udp, 8},       {sh_raw, 3},
    {sh_option, 6},     {sh_netlink, 5},    {sh_netdevice, 3}, {NULL, 0},
};
