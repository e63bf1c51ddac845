// SPDX-License-Identifier: Apache-2.0
// Shapes over files: opening, fifos, pipes, locks, directories, descriptors that others close.
#include "fuzz.h"
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static void sh_open(void) {
    call(SYS_openat, AT_FDCWD, any_path(), flags_of("open", 4, false) | O_CREAT * one_in(2), 0666);
}

static void sh_open_plain(void) {
    char *p = room(16);
    strcpy(p, pick(((const char *[]){"a", "b", "d/a", "/host/a", "/dev/null", "/proc/self/maps", "/proc", "d",
                                     "."})));
    call(SYS_open, p, one_in(3) ? O_RDONLY : O_RDWR | O_CREAT, 0666);
}

// A fifo's open waits for the other side.
static void sh_fifo(void) {
    char *p = room(16);
    strcpy(p, one_in(2) ? "fifo" : "fifo2");
    if (one_in(6))
        call(SYS_mknodat, AT_FDCWD, p, S_IFIFO | 0666, 0);
    call(SYS_openat, AT_FDCWD, p,
         pick(((const int[]){O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY | O_NONBLOCK, O_WRONLY | O_NONBLOCK})));
    if (one_in(12))
        call(SYS_unlinkat, AT_FDCWD, p, 0);
}

static void sh_pipe(void) {
    int *fds = room(8);
    if (call(SYS_pipe2, fds, one_in(2) ? O_NONBLOCK : 0) < 0)
        return;
    int r = fds[0], w = fds[1];
    call(SYS_write, w, any_pointer(), below(5000));
    if (one_in(4))
        call(SYS_fcntl, w, 1031 /* F_SETPIPE_SZ */, 4096u << below(5));
    call(SYS_read, r, any_pointer(), below(9000));
    if (one_in(2))
        call(SYS_close, one_in(2) ? r : w);
}

static void sh_read(void) { call(SYS_read, any_fd(), any_pointer(), below(9000)); }
static void sh_write(void) { call(SYS_write, any_fd(), any_pointer(), below(9000)); }
static void sh_close(void) { call(SYS_close, 3 + below(32)); }

static void sh_vector(void) {
    void *v = room(256);
    unsigned n = below(9);
    fill("iovec", 5, v, n);
    call(pick(((const long[]){SYS_readv, SYS_writev, SYS_preadv, SYS_pwritev})), any_fd(), v, n, below(10000),
         0);
}

static void sh_splice(void) {
    static const long calls[] = {SYS_splice, SYS_copy_file_range};
    uint64_t *offs = room(16);
    offs[0] = below(5000);
    offs[1] = below(5000);
    if (one_in(4))
        call(SYS_sendfile, any_fd(), any_fd(), one_in(2) ? offs : NULL, below(20000));
    else if (one_in(3))
        call(SYS_tee, any_fd(), any_fd(), below(20000), below(4));
    else
        call(pick(calls), any_fd(), one_in(2) ? offs : NULL, any_fd(), one_in(2) ? offs + 1 : NULL,
             below(20000), 0);
}

// ---- Locks: few ranges of few files, so that they collide; the descriptor is closed by others meanwhile ---
static int open_lockable(void) {
    static const char *const names[] = {"a", "a", "b", "/host/a"};
    char *p = room(16);
    strcpy(p, pick(names));
    return one_in(2) ? any_fd() : (int)call(SYS_openat, AT_FDCWD, p, O_RDWR | O_CREAT, 0666);
}

static void sh_lock(void) {
    static const int commands[] = {F_SETLK, F_SETLKW, F_SETLKW, F_SETLKW, F_GETLK, 37, 38, 38, 36};
    struct flock *l = room(sizeof *l);
    int fd = open_lockable();
    fill("flock", 5, l, 1);
    call(SYS_fcntl, fd, pick(commands), l);
    if (one_in(3))
        call(SYS_close, fd);
}

static void sh_flock(void) {
    int fd = open_lockable();
    call(SYS_flock, fd,
         pick(((const int[]){LOCK_SH, LOCK_EX, LOCK_EX, LOCK_UN, LOCK_EX | LOCK_NB, LOCK_SH | LOCK_NB})));
    if (one_in(3))
        call(SYS_close, fd);
}

static void sh_unlink(void) {
    char *p = room(16);
    strcpy(p, pick(((const char *[]){"a", "b", "d/a", "d/b", "/host/a", "s1", "s2", "link"})));
    if (one_in(3))
        call(SYS_rename, p, any_path());
    else
        call(SYS_unlink, p);
}

static void sh_getdents(void) {
    int fd = (int)call(SYS_openat, AT_FDCWD, any_path(), O_RDONLY | O_DIRECTORY | O_NONBLOCK);
    for (unsigned n = below(4); n > 0; n--)
        call(SYS_getdents64, fd, any_pointer(), 64 + below(2000));
    call(SYS_close, fd);
}

static void sh_proc(void) {
    int fd = (int)call(SYS_openat, AT_FDCWD, any_path(), O_RDONLY | O_NONBLOCK);
    for (unsigned n = below(3); n > 0; n--)
        call(SYS_read, fd, any_pointer(), below(5000));
    call(SYS_close, fd);
}

static void sh_truncate(void) {
    int fd = any_fd();
    call(SYS_ftruncate, fd, below(3) * 4096ul + below(3));
    if (one_in(2))
        call(SYS_fallocate, fd, flags_of("falloc", 6, false), below(3) * 4096ul, below(20000));
}

static void sh_dup(void) {
    int fd = any_fd();
    if (one_in(2))
        call(SYS_dup, fd);
    else
        call(SYS_dup3, fd, 3 + below(32), one_in(2) ? O_CLOEXEC : 0);
}

static void sh_close_range(void) {
    unsigned from = 3 + below(60);
    if (one_in(6))
        call(SYS_close_range, from, from + below(8), one_in(3) ? below(8) : 0);
}

static void sh_owner(void) {
    int fd = any_fd();
    call(SYS_fcntl, fd, F_SETOWN, any_pid());
    call(SYS_fcntl, fd, 10 /* F_SETSIG */, one_in(2) ? 0 : 34);
    call(SYS_fcntl, fd, F_SETFL, (one_in(2) ? O_ASYNC : 0) | (one_in(3) ? O_NONBLOCK : 0));
}

const struct shape file_shapes[] = {
    {sh_open, 6},  {sh_open_plain, 10}, {sh_fifo, 4},     {sh_pipe, 8},   {sh_read, 6},
    {sh_write, 8}, {sh_close, 6},       {sh_vector, 6},   {sh_splice, 5}, {sh_lock, 8},
    {sh_flock, 6}, {sh_unlink, 4},      {sh_getdents, 3}, {sh_proc, 5},   {sh_truncate, 4},
    {sh_dup, 3},   {sh_close_range, 1}, {sh_owner, 2},    {NULL, 0},
};
