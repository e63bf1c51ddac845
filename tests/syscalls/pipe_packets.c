// SPDX-License-Identifier: Apache-2.0
// covers: pipe2, fcntl
// Packet mode, pipe(2) O_DIRECT: a read takes one packet, and what of it does not fit is lost; long
// writes are several; as many packets as the pipe has pages; F_SETFL turns the mode on and off.
#include "guest.h"

static int in, out;
static void make(int flags) {
    int p[2];
    ASSERT_OK(pipe2(p, O_DIRECT | O_NONBLOCK | flags));
    in = p[0];
    out = p[1];
}

TEST(one_by_one) {
    char buf[64];
    make(0);
    EXPECT_EQ(write(out, "abc", 3), 3);
    EXPECT_EQ(write(out, "defgh", 5), 5);
    EXPECT_EQ(write(out, "i", 1), 1);
    EXPECT_EQ(read(in, buf, sizeof buf), 3);
    EXPECT_MEMEQ(buf, "abc", 3);
    EXPECT_EQ(read(in, buf, 2), 2);
    EXPECT_MEMEQ(buf, "de", 2);
    EXPECT_EQ(read(in, buf, sizeof buf), 1);
    EXPECT_MEMEQ(buf, "i", 1);
    EXPECT_ERRNO(read(in, buf, sizeof buf), EAGAIN);
    close(out);
    EXPECT_EQ(read(in, buf, sizeof buf), 0);
    close(in);
}

TEST(long_writes) {
    static char big[10000], buf[20000];
    make(0);
    EXPECT_EQ(write(out, big, sizeof big), sizeof big);
    EXPECT_EQ(read(in, buf, sizeof buf), 4096);
    EXPECT_EQ(read(in, buf, sizeof buf), 4096);
    EXPECT_EQ(read(in, buf, sizeof buf), 10000 - 8192);
    close(in);
    close(out);
}

TEST(full) {
    char buf[8];
    int n = 0;
    make(0);
    ASSERT_OK(fcntl(out, F_SETPIPE_SZ, 16384));
    while (n < 100 && write(out, "x", 1) == 1)
        n++;
    EXPECT_EQ(n, 4);
    EXPECT_ERRNO(write(out, "x", 1), EAGAIN);
    EXPECT_EQ(read(in, buf, sizeof buf), 1);
    EXPECT_EQ(write(out, "yz", 2), 2);
    EXPECT_OK(fcntl(out, F_SETPIPE_SZ, 65536));
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(read(in, buf, sizeof buf), 1);
    EXPECT_EQ(read(in, buf, sizeof buf), 2);
    close(in);
    close(out);
}

TEST(turned_on_later) {
    char buf[8];
    int p[2];
    ASSERT_OK(pipe2(p, O_NONBLOCK));
    EXPECT_OK(fcntl(p[1], F_SETFL, O_DIRECT | O_NONBLOCK));
    EXPECT_TRUE(fcntl(p[1], F_GETFL) & O_DIRECT);
    EXPECT_EQ(write(p[1], "ab", 2), 2);
    EXPECT_EQ(write(p[1], "cd", 2), 2);
    EXPECT_OK(fcntl(p[1], F_SETFL, O_NONBLOCK));
    EXPECT_EQ(write(p[1], "ef", 2), 2);
    EXPECT_EQ(read(p[0], buf, sizeof buf), 2);
    EXPECT_EQ(read(p[0], buf, sizeof buf), 2);
    EXPECT_EQ(read(p[0], buf, sizeof buf), 2);
    close(p[0]);
    close(p[1]);
}
