// SPDX-License-Identifier: Apache-2.0
// covers: socket, bind, recvfrom, sendto, setsockopt, getsockopt, mmap
// Packet sockets on the loopback (man 7 packet): what is seen of a datagram with and without its link header,
// sending, statistics, and the ring that tcpdump maps (Documentation/networking/packet_mmap.rst).
#include "guest.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

static int udp_port;  // network order

static int open_packet(int type, int protocol)
{
    int s = socket(AF_PACKET, type, htons(protocol));
    if (s < 0 && errno == EPERM)
        SKIP("no right to packet sockets");
    ASSERT_OK(s);
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = 1};
    EXPECT_OK(bind(s, (void *)&at, sizeof(at)));
    return s;
}

// A datagram to a socket of our own.
static int udp_pair(const char *text)
{
    struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t n = sizeof(a);
    int r = socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_OK(bind(r, (void *)&a, sizeof(a)));
    EXPECT_OK(getsockname(r, (void *)&a, &n));
    udp_port = a.sin_port;
    EXPECT_EQ(sendto(r, text, strlen(text), 0, (void *)&a, sizeof(a)), (int)strlen(text));
    return r;
}

// Is it that datagram, of which the IP header begins there?
static int is_ours(const unsigned char *ip, int n, const char *text)
{
    size_t len = strlen(text);
    return n == (int)(28 + len) && ip[0] == 0x45 && ip[9] == IPPROTO_UDP && !memcmp(ip + 22, &udp_port, 2) &&
           !memcmp(ip + 28, text, len);
}

TEST(both_ways_with_header)
{
    int s = open_packet(SOCK_RAW, ETH_P_ALL), r = udp_pair("hello");
    int kinds[8] = {0};
    unsigned char b[2000];
    struct sockaddr_ll from;
    for (int i = 0; i < 2;) {
        socklen_t len = sizeof(from);
        int n = recvfrom(s, b, sizeof(b), 0, (void *)&from, &len);
        ASSERT_TRUE(n > 0);
        if (!is_ours(b + 14, n - 14, "hello"))
            continue;
        i++;
        EXPECT_EQ(len, sizeof(from));
        EXPECT_EQ(from.sll_family, AF_PACKET);
        EXPECT_EQ(from.sll_protocol, htons(ETH_P_IP));
        EXPECT_EQ(from.sll_ifindex, 1);
        EXPECT_EQ(from.sll_hatype, 772);
        EXPECT_EQ(from.sll_halen, 6);
        EXPECT_MEMEQ(b, "\0\0\0\0\0\0\0\0\0\0\0\0\x08\0", 14);
        kinds[from.sll_pkttype & 7]++;
    }
    EXPECT_EQ(kinds[PACKET_OUTGOING], 1);
    EXPECT_EQ(kinds[PACKET_HOST], 1);
    close(s);
    close(r);
}

TEST(one_protocol_without_header)
{
    int s = open_packet(SOCK_DGRAM, ETH_P_IP), r = udp_pair("datagram");
    unsigned char b[2000];
    int n;
    do {
        n = recv(s, b, sizeof(b), 0);
        ASSERT_TRUE(n > 0);
    } while (!is_ours(b, n, "datagram"));
    // what goes out is only for those who want all protocols
    struct pollfd p = {s, POLLIN, 0};
    int again = 0;
    while (poll(&p, 1, 20) == 1 && (n = recv(s, b, sizeof(b), 0)) > 0)
        again += is_ours(b, n, "datagram");
    EXPECT_EQ(again, 0);
    close(s);
    close(r);
}

TEST(sends)
{
    int s = open_packet(SOCK_RAW, ETH_P_ALL), r = udp_pair("first");
    unsigned char b[2000], frame[14 + 28 + 5];
    int n;
    char text[16];
    EXPECT_EQ(recv(r, text, sizeof(text), 0), 5);
    do {
        n = recv(s, b, sizeof(b), 0);
        ASSERT_TRUE(n > 0);
    } while (!is_ours(b + 14, n - 14, "first"));
    memcpy(frame, b, sizeof(frame));
    memcpy(frame + 42, "again", 5);
    memset(frame + 40, 0, 2);  // no checksum
    int other = open_packet(SOCK_RAW, ETH_P_IP);
    EXPECT_EQ(send(s, frame, sizeof(frame), 0), sizeof(frame));
    do {
        n = recv(other, b, sizeof(b), 0);
        ASSERT_TRUE(n > 0);
    } while (!is_ours(b + 14, n - 14, "again"));
    close(other);
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = 12345};
    EXPECT_ERRNO(sendto(s, frame, sizeof(frame), 0, (void *)&to, sizeof(to)), ENXIO);
    EXPECT_ERRNO(sendto(s, frame, sizeof(frame), 0, (void *)&to, 4), EINVAL);
    close(s);
    close(r);
}

TEST(names)
{
    int s = open_packet(SOCK_RAW, ETH_P_IP);
    struct sockaddr_ll a = {0};
    socklen_t n = sizeof(a);
    EXPECT_OK(getsockname(s, (void *)&a, &n));
    EXPECT_EQ(a.sll_ifindex, 1);
    EXPECT_EQ(a.sll_protocol, htons(ETH_P_IP));
    EXPECT_EQ(a.sll_hatype, 772);
    EXPECT_ERRNO(getpeername(s, (void *)&a, &n), EOPNOTSUPP);
    a = (struct sockaddr_ll){.sll_family = AF_PACKET, .sll_ifindex = 4711};
    EXPECT_ERRNO(bind(s, (void *)&a, sizeof(a)), ENODEV);
    EXPECT_ERRNO(bind(s, (void *)&a, 8), EINVAL);
    EXPECT_ERRNO(connect(s, (void *)&a, sizeof(a)), EOPNOTSUPP);
    EXPECT_ERRNO(listen(s, 1), EOPNOTSUPP);
    EXPECT_ERRNO(shutdown(s, SHUT_RD), EOPNOTSUPP);
    close(s);
}

TEST(statistics)
{
    int s = open_packet(SOCK_DGRAM, ETH_P_IP), r = udp_pair("count me");
    struct tpacket_stats t = {0};
    socklen_t n = sizeof(t);
    EXPECT_OK(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &t, &n));
    EXPECT_EQ(n, sizeof(t));
    EXPECT_GE(t.tp_packets, 1);
    EXPECT_EQ(t.tp_drops, 0);
    EXPECT_OK(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &t, &n));
    EXPECT_EQ(t.tp_drops, 0);
    close(s);
    close(r);
}

TEST(auxiliary_data)
{
    int s = open_packet(SOCK_RAW, ETH_P_IP), one = 1;
    EXPECT_OK(setsockopt(s, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)));
    int r = udp_pair("aux");
    char control[128] __attribute__((aligned(8)));
    unsigned char b[20];
    struct iovec iov = {b, sizeof(b)};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 128};
    EXPECT_EQ(recvmsg(s, &m, 0), sizeof(b));
    EXPECT_EQ(m.msg_flags & MSG_TRUNC, MSG_TRUNC);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    ASSERT_TRUE(h != NULL);
    EXPECT_EQ(h->cmsg_level, SOL_PACKET);
    EXPECT_EQ(h->cmsg_type, PACKET_AUXDATA);
    struct tpacket_auxdata a;
    memcpy(&a, CMSG_DATA(h), sizeof(a));
    EXPECT_GE(a.tp_len, 31);
    EXPECT_EQ(a.tp_net, 14);
    close(s);
    close(r);
}

TEST(ring)
{
    int s = open_packet(SOCK_RAW, ETH_P_ALL), version = TPACKET_V2, length = TPACKET_V2, bad = 17;
    socklen_t n = sizeof(length);
    EXPECT_OK(getsockopt(s, SOL_PACKET, PACKET_HDRLEN, &length, &n));
    EXPECT_EQ(length, sizeof(struct tpacket2_hdr));
    EXPECT_ERRNO(getsockopt(s, SOL_PACKET, PACKET_HDRLEN, &bad, &n), EINVAL);
    EXPECT_ERRNO(mmap(NULL, 4096, PROT_READ, MAP_SHARED, s, 0) == MAP_FAILED ? -1 : 0, EINVAL);
    EXPECT_OK(setsockopt(s, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)));
    struct tpacket_req q = {.tp_block_size = 8192, .tp_block_nr = 4, .tp_frame_size = 3072, .tp_frame_nr = 8};
    struct tpacket_req odd = q;
    odd.tp_frame_nr = 9;
    EXPECT_ERRNO(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &odd, sizeof(odd)), EINVAL);
    odd = q;
    odd.tp_block_size = 5000;
    EXPECT_ERRNO(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &odd, sizeof(odd)), EINVAL);
    ASSERT_OK(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)));
    EXPECT_ERRNO(setsockopt(s, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)), EBUSY);
    unsigned char *ring = mmap(NULL, 4 * 8192, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0);
    ASSERT_TRUE(ring != MAP_FAILED);
    int seen = 0, frame = 0;
    for (int round = 0; round < 12; round++) {  // more than there are frames
        int r = udp_pair("ring");
        struct pollfd p = {s, POLLIN, 0};
        int found = 0;
        while (found < 2 && poll(&p, 1, 2000) == 1) {
            unsigned char *at = ring + frame / 2 * 8192 + frame % 2 * 3072;
            struct tpacket2_hdr *h = (void *)at;
            if (!(*(volatile uint32_t *)&h->tp_status & TP_STATUS_USER))
                break;
            struct sockaddr_ll *from = (void *)(at + TPACKET_ALIGN(sizeof(*h)));
            EXPECT_EQ(from->sll_ifindex, 1);
            EXPECT_EQ(h->tp_net - h->tp_mac, 14);
            found += is_ours(at + h->tp_net, h->tp_snaplen - 14, "ring");
            EXPECT_EQ(h->tp_len, h->tp_snaplen);
            EXPECT_RANGE((int64_t)h->tp_sec, time(NULL) - 5, time(NULL) + 5);
            h->tp_status = TP_STATUS_KERNEL;
            frame = (frame + 1) % 8;
        }
        seen += found;
        close(r);
    }
    EXPECT_EQ(seen, 24);
    EXPECT_OK(munmap(ring, 4 * 8192));
    close(s);
}
