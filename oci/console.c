// SPDX-License-Identifier: Apache-2.0
// See console.h.
#include "oci/console.h"
#include "base/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

// By way of its directory: paths may be longer than a socket's address.
static int connect_to(const char *path) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char *one cleanup_free = strdup(path), *two cleanup_free = strdup(path);
    int dir cleanup_close = one ? open(dirname(one), O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    int fd = dir < 0 || !two ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int n = snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/%s", dir, basename(two));
    if (n < (int)sizeof a.sun_path && connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    int err = n < (int)sizeof a.sun_path ? errno : ENAMETOOLONG;
    close(fd);
    errno = err;
    return -1;
}

static int send_master(int socket_fd, int master, const char *name) {
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec v = {(char *)name, strlen(name)};
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    control.align = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.align), &master, sizeof master);
    return TEMP_FAILURE_RETRY(sendmsg(socket_fd, &h, MSG_NOSIGNAL)) < 0 ? -1 : 0;
}

int console_open(const char *path, unsigned rows, unsigned cols, struct error *e) {
    const struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};
    int client cleanup_close = connect_to(path);
    if (client < 0)
        return error_errno(e, errno, "--console-socket %s", path);
    int master cleanup_close = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char name[64];
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof name))
        return error_errno(e, errno, "making a terminal");
    int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return error_errno(e, errno, "opening the terminal %s", name);
    bool sized = !(rows || cols) || ioctl(slave, TIOCSWINSZ, &size) == 0;
    if (sized && send_master(client, master, name) == 0)
        return slave;
    error_errno(e, errno, "--console-socket %s: sending the terminal", path);
    close(slave);
    return -1;
}

int console_take(int slave) {
    if (setsid() < 0 && getsid(0) != getpid())
        return -1;
    if (ioctl(slave, TIOCSCTTY, 0) < 0)
        return -1;
    for (int fd = 0; fd < 3; fd++)
        if (dup2(slave, fd) < 0)
            return -1;
    return slave > 2 ? close(slave) : 0;
}
