// SPDX-License-Identifier: Apache-2.0
// covers: socket, bind, listen, accept, accept4, connect, getsockname, getpeername
// Stream servers by path and by abstract name, and the refusals (man 7 unix).
#include "guest.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static socklen_t fill(struct sockaddr_un *address, const char *name, bool abstract)
{
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    strcpy(address->sun_path + abstract, name);
    return offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1;
}

static void serve(const char *name, bool abstract)
{
    struct sockaddr_un address, peer;
    socklen_t length = fill(&address, name, abstract), peer_length = sizeof(peer);
    int server = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    int client = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_ERRNO(connect(client, (void *)&address, length), abstract ? ECONNREFUSED : ENOENT);
    EXPECT_OK(bind(server, (void *)&address, length));
    EXPECT_ERRNO(connect(client, (void *)&address, length), ECONNREFUSED);
    EXPECT_OK(listen(server, 5));
    EXPECT_OK(connect(client, (void *)&address, length));
    EXPECT_ERRNO(connect(client, (void *)&address, length), EISCONN);
    int accepted = ASSERT_OK(accept4(server, (void *)&peer, &peer_length, SOCK_CLOEXEC));
    EXPECT_EQ(peer_length, sizeof(sa_family_t));
    EXPECT_EQ(peer.sun_family, AF_UNIX);
    EXPECT_EQ(write(client, "hello", 5), 5);
    char buffer[8] = {0};
    EXPECT_EQ(read(accepted, buffer, 8), 5);
    EXPECT_STREQ(buffer, "hello");
    peer_length = sizeof(peer);
    EXPECT_OK(getpeername(client, (void *)&peer, &peer_length));
    EXPECT_EQ(peer_length, length);
    EXPECT_MEMEQ(&peer, &address, length);
    int other = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_ERRNO(bind(other, (void *)&address, length), EADDRINUSE);
    close(other);
    close(accepted);
    close(client);
    close(server);
}

TEST(by_path)
{
    in_tmpdir();
    serve("socket", false);
    struct stat st;
    EXPECT_OK(stat("socket", &st));
    EXPECT_TRUE(S_ISSOCK(st.st_mode));
    EXPECT_ERRNO(open("socket", O_RDWR), ENXIO);
}

TEST(abstract)
{
    char name[64];
    snprintf(name, sizeof(name), "guest-test-%d-%lld", getpid(), (long long)now_ms());
    serve(name, true);
}

TEST(accept_waits_in_another_process)
{
    in_tmpdir();
    struct sockaddr_un address;
    socklen_t length = fill(&address, "s", false);
    int server = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_OK(bind(server, (void *)&address, length));
    ASSERT_OK(listen(server, 1));
    pid_t pid = fork_child();
    if (pid == 0) {
        sleep_ms(30);
        int client = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
        EXPECT_OK(connect(client, (void *)&address, length));
        EXPECT_EQ(write(client, "x", 1), 1);
        child_done();
    }
    int accepted = EXPECT_OK(accept(server, NULL, NULL));
    char c;
    EXPECT_EQ(read(accepted, &c, 1), 1);
    EXPECT_EQ(read(accepted, &c, 1), 0);
    EXPECT_EQ(wait_exit(pid), 0);
    close(accepted);
    close(server);
}

TEST(errors)
{
    in_tmpdir();
    struct sockaddr_un address;
    socklen_t length = fill(&address, "s", false);
    put_file("s", "");
    int fd = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_ERRNO(bind(fd, (void *)&address, length), EADDRINUSE);
    EXPECT_ERRNO(connect(fd, (void *)&address, length), ECONNREFUSED);
    EXPECT_ERRNO(accept(fd, NULL, NULL), EINVAL);
    EXPECT_ERRNO(listen(1000, 1), EBADF);
    EXPECT_ERRNO(bind(fd, KERNEL_POINTER, length), EFAULT);
    EXPECT_ERRNO(bind(fd, (void *)&address, 1000), EINVAL);
    EXPECT_ERRNO(getpeername(fd, (void *)&address, &length), ENOTCONN);
    EXPECT_ERRNO(recv(fd, &address, 1, 0), EINVAL);
    EXPECT_ERRNO(bind(0, (void *)&address, length), ENOTSOCK);
    close(fd);
}
