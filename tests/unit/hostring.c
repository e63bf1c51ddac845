// SPDX-License-Identifier: Apache-2.0
// The ring of the host for work that sleeps: what it answers, that it can do nothing else, and that nothing
// is left of operations that nobody waits for any more.
#include "tests/unit/fs_util.h"
// after that
#include "abi/errno.h"
#include "sentry/run/hostevent.h"
#include "sentry/run/hostring.h"
#include "sentry/time/timer.h"
#include <dirent.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIZE 300000

struct world {
    struct fx fx;
    struct timer_queue timers;
    struct hostevents *events;
    struct hostring *ring;
    struct file *f;  // stands for the one whose descriptor fd is
    int fd;
};

static int set_up(void **state) {
    struct world *w = calloc(1, sizeof *w);
    char path[] = "/tmp/hostring.XXXXXX";
    assert_non_null(w);
    fx_begin(&w->fx);
    timers_init(&w->timers);
    assert_int_equal(hostevent_open(w->fx.vfs, &w->timers, -1, -1, &w->events), 0);
    assert_int_equal(hostring_open(w->events, &w->ring), 0);
    w->f = fx_open(&w->fx, "/f", LINUX_O_RDWR | LINUX_O_CREAT, 0600);
    w->fd = mkstemp(path);
    assert_true(w->fd >= 0);
    unlink(path);
    assert_int_equal(ftruncate(w->fd, SIZE), 0);
    *state = w;
    return 0;
}
static int tear_down(void **state) {
    struct world *w = *state;
    hostring_close(w->ring);
    file_put(w->f);
    fx_end(&w->fx);
    hostevent_close(w->events);
    timers_destroy(&w->timers);
    close(w->fd);
    free(w);
    return 0;
}
#define NEEDS_RING(w) \
    if (!(w)->ring) \
    skip()  // the host has none for us

// The event thread's part, until op is done.
static int64_t served(struct world *w, struct hostring_op *op) {
    int64_t answer;
    assert_non_null(op);
    while (!hostring_done(op, &answer))
        assert_true(hostevent_serve(w->events, NULL, NULL));
    hostring_put(op);
    return answer;
}

static void test_answers(void **state) {
    struct world *w = *state;
    NEEDS_RING(w);
    assert_int_equal(served(w, hostring_sync(w->ring, w->f, w->fd, false)), 0);
    assert_int_equal(served(w, hostring_sync(w->ring, w->f, w->fd, true)), 0);
    assert_int_equal(served(w, hostring_fetch(w->ring, w->f, w->fd, 0, 5)), 5);
    assert_int_equal(served(w, hostring_fetch(w->ring, w->f, w->fd, SIZE - 10, 4096)), 10);
    assert_int_equal(served(w, hostring_fetch(w->ring, w->f, w->fd, SIZE, 4096)), 0);
    assert_int_equal(served(w, hostring_fetch(w->ring, w->f, w->fd, 100, UINT64_MAX / 2)), SIZE - 100);
    int end[2];
    assert_int_equal(pipe(end), 0);
    assert_int_equal(served(w, hostring_sync(w->ring, w->f, end[1], false)), -EINVAL);
    assert_int_equal(served(w, hostring_fetch(w->ring, w->f, end[1], 0, 10)), -EBADF);
    close(end[0]);
    close(end[1]);
}

// More than are under way at a time: each is answered.
static void test_many(void **state) {
    struct world *w = *state;
    NEEDS_RING(w);
    static struct hostring_op *op[500];
    for (int k = 0; k < 500; k++)
        op[k] = k % 3 ? hostring_fetch(w->ring, w->f, w->fd, (uint64_t)k * 500, 3000)
                      : hostring_sync(w->ring, w->f, w->fd, true);
    for (int k = 499; k >= 0; k--)
        assert_int_equal(served(w, op[k]), k % 3 ? 3000 : 0);
}

// Without end nothing is put off: the caller does it itself then. What is put off keeps its file, and no
// longer.
static void test_bound(void **state) {
    struct world *w = *state;
    NEEDS_RING(w);
    int n = 0;
    struct hostring_op *op;
    while (n < 100000 && (op = hostring_sync(w->ring, w->f, w->fd, true))) {
        hostring_put(op);  // nobody waits for it
        n++;
    }
    assert_in_range(n, 100, 10000);
    assert_true(hostevent_serve(w->events, NULL, NULL));
    assert_int_equal(served(w, hostring_fetch(w->ring, w->f, w->fd, 0, 10)), 10);
    hostring_put(hostring_sync(w->ring, w->f, w->fd, false));  // still on the list at the end
}

// The host gives up what it has no thread for. No fsync(2) answers so: its caller does it itself.
static void test_given_up(void **state) {
    static const int32_t answers[] = {-ECANCELED, -EINTR, -EAGAIN};
    struct world *w = *state;
    NEEDS_RING(w);
    struct io_uring_cqe *e;
    int64_t answer;
    for (int k = 0; k < 3; k++) {
        struct hostring_op *op = hostring_sync(w->ring, w->f, w->fd, false);
        assert_non_null(op);
        assert_true(hostevent_serve(w->events, NULL, NULL));
        assert_false(hostring_done(op, &answer));  // begun
        while (io_uring_peek_cqe(hostring_of_host(w->ring), &e))
            usleep(100);
        e->res = answers[k];
        assert_true(served(w, op) == HOSTRING_UNDONE);
    }
}

static int ring_fd(void) {
    DIR *d = opendir("/proc/self/fd");
    int fd = -1;
    char text[64];
    for (struct dirent *e; d && (e = readdir(d));) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, text, sizeof text - 1);
        text[n < 0 ? 0 : n] = 0;
        if (!strcmp(text, "anon_inode:[io_uring]"))
            fd = atoi(e->d_name);
    }
    closedir(d);
    return fd;
}
// What a sentry that was taken over could make of it: entries of other kinds, or with flags, are refused by
// the host.
static int refused(struct io_uring *ring, const struct io_uring_sqe *entry) {
    struct io_uring_cqe *answer;
    struct io_uring_sqe *e = io_uring_get_sqe(ring);
    assert_non_null(e);
    *e = *entry;
    assert_int_equal(io_uring_submit_and_wait(ring, 1), 1);
    assert_int_equal(io_uring_peek_cqe(ring, &answer), 0);
    int res = answer->res;
    io_uring_cqe_seen(ring, answer);
    return res;
}
static void test_nothing_else(void **state) {
    struct world *w = *state;
    NEEDS_RING(w);
    struct io_uring *ring = hostring_of_host(w->ring);
    int fd = ring_fd(), event = eventfd(0, 0);
    assert_true(fd >= 0 && event >= 0);
    assert_int_equal(syscall(SYS_io_uring_register, fd, IORING_REGISTER_EVENTFD, &event, 1), -1);
    assert_int_equal(errno, EACCES);
    assert_int_equal(syscall(SYS_io_uring_register, fd, IORING_REGISTER_FILES, &event, 1), -1);
    assert_int_equal(errno, EACCES);
    for (unsigned op = 0; op < 40; op++) {
        struct io_uring_sqe entry = {.opcode = (uint8_t)op, .fd = -1};
        bool may = op == IORING_OP_READ || op == IORING_OP_READV || op == IORING_OP_FSYNC;
        assert_int_equal(refused(ring, &entry), may ? -EBADF : -EACCES);
        entry.flags = IOSQE_ASYNC;
        assert_int_equal(refused(ring, &entry), -EACCES);
    }
    close(event);
}

int main(void) {
#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {T(test_answers), T(test_many), T(test_bound), T(test_given_up),
                                       T(test_nothing_else)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
