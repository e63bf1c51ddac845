// SPDX-License-Identifier: Apache-2.0
// epoll sets as objects, below the system calls: what is ready, who is told, and what goes with whom. Event
// counters are the watched files. Every test ends with nothing left in the VFS (vfs_destroy() checks).
#include "sentry/fd/epoll.h"
#include "abi/poll.h"
#include "fs/vfs.h"
#include "sentry/fd/async.h"
#include "sentry/kernel.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
// cmocka wants the four above
#include <cmocka.h>

static struct kernel kern;
static struct vfs *vfs;

static int set_up(void **state) {
    kern.vfs = vfs = vfs_create();
    if (!vfs)
        return -1;
    epoll_graph_init(&kern.epolls);
    watch_file_ends(&kern, true);
    return 0;
}
static int tear_down(void **state) {
    vfs_destroy(vfs);
    epoll_graph_destroy(&kern.epolls);
    return 0;
}

static struct file *counter(uint64_t n) {
    struct file *f;
    assert_int_equal(eventfd_open(vfs, n, LINUX_O_NONBLOCK, &f), 0);
    return f;
}
static struct file *set(void) {
    struct file *f;
    assert_int_equal(epoll_open(&kern.epolls, vfs, &f), 0);
    return f;
}
static void bump(struct file *f) {
    uint64_t one = 1;
    struct uio_kernel u;
    uio_kernel_init(&u, &one, sizeof one);
    assert_int_equal(f->ops->write(f, &u.u, 0), sizeof one);
}
static void drain(struct file *f) {
    uint64_t v;
    struct uio_kernel u;
    uio_kernel_init(&u, &v, sizeof v);
    f->ops->read(f, &u.u, 0);
}

struct got {
    unsigned n;
    int fail;  // an error that put() is to answer with
    struct linux_epoll_event ev[64];
};
static int put(void *arg, const struct linux_epoll_event *ev, unsigned n) {
    struct got *g = arg;
    if (g->fail)
        return g->fail;
    memcpy(g->ev + g->n, ev, n * sizeof *ev);
    g->n += n;
    return 0;
}
static int64_t collect(struct file *ep, int max, struct got *g) {
    *g = (struct got){.fail = g->fail};
    return epoll_collect(epoll_of(ep), max, put, g);
}
static int64_t ready(struct file *ep) {
    struct got g = {0};
    return collect(ep, 64, &g);
}
static int add(struct file *ep, struct file *f, int fd, uint32_t events) {
    return epoll_add(ep, f, fd, &(struct linux_epoll_event){events, (uint64_t)fd});
}

static void test_level(void **state) {
    struct file *ep = set(), *f = counter(0);
    assert_int_equal(add(ep, f, 3, LINUX_EPOLLIN), 0);
    assert_int_equal(add(ep, f, 3, LINUX_EPOLLIN), -LINUX_EEXIST);
    assert_int_equal(add(ep, f, 4, LINUX_EPOLLIN), 0);  // the same file by another number is another item
    assert_int_equal(ready(ep), 0);
    bump(f);
    assert_int_equal(ready(ep), 2);
    assert_int_equal(ready(ep), 2);
    drain(f);
    assert_int_equal(ready(ep), 0);
    assert_int_equal(epoll_del(ep, f, 4), 0);
    assert_int_equal(epoll_del(ep, f, 4), -LINUX_ENOENT);
    bump(f);
    assert_int_equal(ready(ep), 1);
    file_put(f);
    assert_int_equal(ready(ep), 0);
    file_put(ep);
}

static void test_edge_and_one_shot(void **state) {
    struct file *ep = set(), *f = counter(1), *g = counter(1);
    struct linux_epoll_event again = {LINUX_EPOLLIN | LINUX_EPOLLONESHOT, 9};
    assert_int_equal(add(ep, f, 1, LINUX_EPOLLIN | LINUX_EPOLLET), 0);
    assert_int_equal(add(ep, g, 2, LINUX_EPOLLIN | LINUX_EPOLLONESHOT), 0);
    assert_int_equal(ready(ep), 2);
    assert_int_equal(ready(ep), 0);
    bump(f);
    bump(g);
    assert_int_equal(ready(ep), 1);
    assert_int_equal(epoll_mod(ep, g, 2, &again), 0);
    struct got got = {0};
    assert_int_equal(collect(ep, 64, &got), 1);
    assert_int_equal(got.ev[0].data, 9);
    file_put(f);
    file_put(g);
    file_put(ep);
}

// An answer that cannot be given away (a bad buffer) loses no event.
static void test_refused_answer(void **state) {
    struct file *ep = set(), *f = counter(1), *g = counter(1);
    struct got got = {.fail = -LINUX_EFAULT};
    add(ep, f, 1, LINUX_EPOLLIN | LINUX_EPOLLET);
    add(ep, g, 2, LINUX_EPOLLIN | LINUX_EPOLLONESHOT);
    assert_int_equal(collect(ep, 64, &got), -LINUX_EFAULT);
    got.fail = 0;
    assert_int_equal(collect(ep, 64, &got), 2);
    file_put(f);
    file_put(g);
    file_put(ep);
}

// Fewer than there are: those that were not seen come first the next time.
static void test_fairness(void **state) {
    struct file *ep = set(), *f[40];
    bool seen[40] = {false};
    for (int i = 0; i < 40; i++) {
        f[i] = counter(1);
        assert_int_equal(add(ep, f[i], i, LINUX_EPOLLIN), 0);
    }
    for (int round = 0; round < 4; round++) {
        struct got g = {0};
        assert_int_equal(collect(ep, 10, &g), 10);
        for (unsigned i = 0; i < g.n; i++) {
            assert_false(seen[g.ev[i].data]);
            seen[g.ev[i].data] = true;
        }
    }
    for (int i = 0; i < 40; i++)
        file_put(f[i]);
    file_put(ep);
}

static void test_nesting(void **state) {
    struct file *f = counter(0), *ep[7];
    for (int i = 0; i < 7; i++)
        ep[i] = set();
    assert_int_equal(add(ep[0], f, 1, LINUX_EPOLLIN), 0);
    for (int i = 1; i < 5; i++)
        assert_int_equal(add(ep[i], ep[i - 1], 1, LINUX_EPOLLIN), 0);
    assert_int_equal(add(ep[5], ep[4], 1, LINUX_EPOLLIN), -LINUX_ELOOP);  // too deep
    assert_int_equal(add(ep[0], ep[4], 2, LINUX_EPOLLIN), -LINUX_ELOOP);  // a ring
    assert_int_equal(ready(ep[4]), 0);
    bump(f);
    assert_int_equal(ready(ep[4]), 1);
    drain(f);
    assert_int_equal(ready(ep[4]), 0);
    file_put(f);
    for (int i = 0; i < 7; i++)
        file_put(ep[i]);
}

struct counting {
    struct waiter w;
    unsigned woken;
};
static bool count(struct waiter *w, uint32_t events) {
    struct counting *c = container_of(w, struct counting, w);
    c->woken++;
    return true;
}

// Of several sets that watch one file exclusively, one is told; of waiters of a set, those that are not
// exclusive all.
static void test_exclusive(void **state) {
    struct file *a = set(), *b = set(), *f = counter(0);
    struct counting ca = {.w = {.events = ~0u, .wake = count}}, cb = {.w = {.events = ~0u, .wake = count}};
    assert_int_equal(add(a, f, 1, LINUX_EPOLLIN | LINUX_EPOLLEXCLUSIVE), 0);
    assert_int_equal(add(b, f, 1, LINUX_EPOLLIN | LINUX_EPOLLEXCLUSIVE), 0);
    assert_int_equal(add(a, b, 2, LINUX_EPOLLIN | LINUX_EPOLLEXCLUSIVE), -LINUX_EINVAL);
    waitq_add(epoll_waitq(epoll_of(a)), &ca.w);
    waitq_add(epoll_waitq(epoll_of(b)), &cb.w);
    bump(f);
    assert_int_equal(ca.woken + cb.woken, 1);
    waitq_del(&ca.w);
    waitq_del(&cb.w);
    file_put(f);
    file_put(a);
    file_put(b);
}

// Sets and files that come and go on four threads.
static struct file *shared_ep, *shared_outer;
static void *churn(void *arg) {
    for (int i = 0; i < 2000; i++) {
        struct file *f = counter(i & 1);
        add(shared_ep, f, i, LINUX_EPOLLIN | (i & 2 ? LINUX_EPOLLET : 0));
        bump(f);
        ready(i & 4 ? shared_ep : shared_outer);
        if (i & 8)
            epoll_del(shared_ep, f, i);
        file_put(f);
    }
    return NULL;
}
static void test_threads(void **state) {
    pthread_t t[4];
    shared_ep = set();
    shared_outer = set();
    add(shared_outer, shared_ep, 1, LINUX_EPOLLIN);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, churn, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(ready(shared_ep), 0);
    file_put(shared_outer);
    file_put(shared_ep);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_level, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_edge_and_one_shot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fairness, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nesting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exclusive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
