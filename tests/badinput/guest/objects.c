// SPDX-License-Identifier: Apache-2.0
// The descriptors, files and memory that the cases work on.
#include "bad.h"

#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "places.h"

const char *const object_names[] = {"file",   "readonly", "writeonly", "directory", "opath",
                                    "pipe-r", "pipe-w",   "stream",    "peer",      "eventfd",
                                    "epoll",  "timerfd",  "signalfd",  "inotify",   "memfd",
                                    "pidfd",  "dgram",    "listener",  "mqueue",    "pty"};

static void must(long result, const char *what) {
    if (result >= 0)
        return;
    perror(what);
    exit(2);
}

static void place(int fd, enum object number, const char *what) {
    must(fd, what);
    must(dup2(fd, number), what);
    close(fd);
}

static void *map_at(uint64_t at, size_t size, int prot) {
    void *p = mmap((void *)at, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    must(p == MAP_FAILED ? -1 : 0, "mmap");
    return p;
}

void memory_make(void) {
    for (unsigned i = 0; i < MAX_ARGS + 1; i++) {
        map_at(GOOD_AT + i * GOOD_STEP, GOOD_SIZE, PROT_READ | PROT_WRITE);
        map_at(GOOD_AT + i * GOOD_STEP + GOOD_SIZE, PAGE, PROT_NONE);
    }
    char *edge = map_at(EDGE_AT - PAGE, 2 * PAGE, PROT_READ | PROT_WRITE);
    memset(edge, 'e', PAGE);
    must(mprotect((void *)EDGE_AT, PAGE, PROT_NONE), "mprotect");
    map_at(NONE_AT, PAGE, PROT_NONE);
    char *text = map_at(READ_ONLY_AT, PAGE, PROT_READ | PROT_WRITE);
    must(mprotect(text, PAGE, PROT_READ), "mprotect");
    char *names = map_at(NAMES_AT, 4 * PAGE, PROT_READ | PROT_WRITE);
    strcpy(names + NAME_FILE, "file");
    strcpy(names + NAME_MISSING, "missing");
    strcpy(names + NAME_BELOW_FILE, "file/below");
    strcpy(names + NAME_LOOP, "loop");
    strcpy(names + NAME_NEW, "new");
    strcpy(names + NAME_DIRECTORY, "directory");
    strcpy(names + NAME_XATTR, "user.some");
    strcpy(names + NAME_QUEUE, "queue");
    memset(names + NAME_LONG, 'l', 300);
    memset(names + NAME_LONGEST, 'l', 2 * PAGE);
    for (unsigned i = 0; i < 2 * PAGE; i += 2)
        names[NAME_LONGEST + i] = '/';
}

static void files_make(void) {
    char bytes[PAGE];
    memset(bytes, 'x', sizeof(bytes));
    int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0644);
    must(fd, "file");
    must(write(fd, bytes, sizeof(bytes)), "write");
    lseek(fd, 0, SEEK_SET);
    place(fd, FILE_RW, "file");
    place(open("file", O_RDONLY), FILE_R, "file");
    place(open("file", O_WRONLY), FILE_W, "file");
    must(mkdir("directory", 0755), "mkdir");
    must(symlink("loop", "loop"), "symlink");
    place(open("directory", O_RDONLY | O_DIRECTORY), DIRECTORY, "directory");
    place(open("file", O_PATH), PATH_ONLY, "O_PATH");
    int fds[2];
    must(pipe2(fds, O_NONBLOCK), "pipe");
    must(write(fds[1], bytes, 64), "write");
    place(fds[0], PIPE_R, "pipe");
    place(fds[1], PIPE_W, "pipe");
    fd = memfd_create("bad", MFD_ALLOW_SEALING);
    must(fd, "memfd");
    must(write(fd, bytes, sizeof(bytes)), "write");
    place(fd, MEMFD, "memfd");
}

static void sockets_make(void) {
    int fds[2];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), "socketpair");
    must(write(fds[1], "stream", 6), "write");
    place(fds[0], STREAM, "socketpair");
    place(fds[1], STREAM_PEER, "socketpair");
    place(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), DGRAM, "socket");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "listener"};
    must(bind(fd, (struct sockaddr *)&name, sizeof(name)), "bind");
    must(listen(fd, 4), "listen");
    place(fd, LISTENER, "socket");
}

static void others_make(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    place(eventfd(1, EFD_NONBLOCK), EVENTFD, "eventfd");
    place(epoll_create1(0), EPOLL, "epoll");
    must(epoll_ctl(EPOLL, EPOLL_CTL_ADD, EVENTFD, &(struct epoll_event){.events = EPOLLIN}), "epoll_ctl");
    place(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), TIMERFD, "timerfd");
    place(signalfd(-1, &set, SFD_NONBLOCK), SIGNALFD, "signalfd");
    place(inotify_init1(IN_NONBLOCK), INOTIFY, "inotify");
    place((int)syscall(SYS_pidfd_open, getpid(), 0), PIDFD, "pidfd");
    place((int)mq_open("/queue", O_RDWR | O_CREAT | O_NONBLOCK, 0600, NULL), MQUEUE, "mq_open");
    place(open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), PTY, "/dev/pts/ptmx");
}

void objects_make(const char *place_name) {
    char path[64];
    snprintf(path, sizeof(path), "/tmp/%s", place_name);
    must(mkdir(path, 0755), path);
    must(chdir(path), path);
    mq_unlink("/queue");
    files_make();
    sockets_make();
    others_make();
}

uint64_t good_memory(const char *type, unsigned index) {
    char *p = (char *)(GOOD_AT + index * GOOD_STEP);
    uint64_t *words = (uint64_t *)p;
    memset(p, 0, GOOD_SIZE);
    if (!strcmp(type, "iovec")) {
        words[0] = GOOD_AT + MAX_ARGS * GOOD_STEP;
        words[1] = 16;
    } else if (!strcmp(type, "pollfd")) {
        *(struct pollfd *)p = (struct pollfd){.fd = FILE_RW, .events = POLLIN};
    } else if (!strcmp(type, "fdset")) {
        p[FILE_RW / 8] = (char)(1 << FILE_RW % 8);
    } else if (!strcmp(type, "sockaddr")) {
        *(struct sockaddr_un *)p = (struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = "listener"};
    } else if (!strcmp(type, "sigevent")) {
        ((struct sigevent *)p)->sigev_notify = SIGEV_NONE;
    } else if (!strcmp(type, "rlimit")) {
        words[0] = words[1] = PAGE;
    } else if (!strcmp(type, "epoll_event")) {
        *(struct epoll_event *)p = (struct epoll_event){.events = EPOLLIN};
    } else if (!strcmp(type, "sigset of one")) {
        words[0] = 1ul << (SIGUSR2 - 1);
    } else if (!strcmp(type, "addrlen")) {
        *(int *)p = 16;
    }
    return (uint64_t)p;
}
