// SPDX-License-Identifier: Apache-2.0
// Pipes, fifos, eventfds, locks, /dev, and files over host descriptors.
#include "abi/ioctl.h"
#include "fs/hostfd.h"
#include "fs/pipe/pipe.h"
#include "tests/unit/fs_util.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

struct note {
    struct waiter w;
    unsigned woken;
    uint32_t events;
};
static bool note_wake(struct waiter *w, uint32_t events) {
    struct note *n = container_of(w, struct note, w);
    n->woken++;
    n->events |= events;
    return true;
}
static void note_init(struct note *n, uint32_t events) {
    *n = (struct note){.w = {.events = events, .wake = note_wake}};
}
static int ua_copy_out(struct uaccess *a, uaddr_t dst, const void *src, size_t n) {
    memcpy((void *)(uintptr_t)dst.v, src, n);
    return 0;
}
static int ua_copy_in(struct uaccess *a, void *dst, uaddr_t src, size_t n) {
    memcpy(dst, (void *)(uintptr_t)src.v, n);
    return 0;
}
static struct uaccess ua = {.in = ua_copy_in, .out = ua_copy_out};

static char big[200000], back[200000];

static void test_pipe(void **state) {
    struct fx x;
    struct file *p[2];
    char buf[64];
    fx_begin(&x);
    assert_int_equal(pipe_open(x.vfs, 0, p), 0);
    path_text(x.vfs, &p[0]->path, &x.ctx.root, buf, sizeof buf);
    assert_memory_equal(buf, "pipe:[", 6);
    assert_int_equal(fx_read(p[0], buf, 1), -LINUX_EAGAIN);
    assert_int_equal(fx_write(&x, p[0], "x", 1), -LINUX_EBADF);
    assert_int_equal(fx_pread(p[0], buf, 1, 0), -LINUX_ESPIPE);
    assert_int_equal(vfs_llseek(p[0], 0, LINUX_SEEK_SET), -LINUX_ESPIPE);
    struct note n;
    note_init(&n, LINUX_POLLIN);
    assert_int_equal(vfs_poll(p[0], &n.w), 0);
    assert_int_equal(vfs_poll(p[1], NULL), LINUX_POLLOUT | LINUX_POLLWRNORM);
    assert_int_equal(fx_write(&x, p[1], "hello", 5), 5);
    assert_int_equal(n.woken, 1);
    assert_int_equal(vfs_poll(p[0], NULL), LINUX_POLLIN | LINUX_POLLRDNORM);
    int32_t avail = 0;
    assert_int_equal(vfs_ioctl(&(struct vfs_ctx){0}, p[0], LINUX_FIONREAD, (uintptr_t)&avail, &ua), 0);
    assert_int_equal(avail, 5);
    assert_int_equal(fx_read(p[0], buf, 3), 3);
    assert_int_equal(fx_read(p[0], buf + 3, 60), 2);
    assert_memory_equal(buf, "hello", 5);
    // Full: a short write, then nothing; small writes are whole or not at all.
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 31 >> 3);
    assert_int_equal(fx_write(&x, p[1], big, sizeof big), 65536);
    assert_int_equal(fx_write(&x, p[1], big, sizeof big), -LINUX_EAGAIN);
    assert_int_equal(vfs_poll(p[1], NULL), 0);
    assert_int_equal(fx_read(p[0], back, 100), 100);
    assert_int_equal(fx_write(&x, p[1], big, 4096), -LINUX_EAGAIN);
    assert_int_equal(fx_write(&x, p[1], big + 65536, 100), 100);
    // Growing keeps what is in it.
    assert_int_equal(pipe_get_size(p[0]), 65536);
    assert_int_equal(pipe_set_size(p[0], 4096, false), -LINUX_EBUSY);
    assert_int_equal(pipe_set_size(p[0], 100000, false), 131072);
    assert_int_equal(pipe_set_size(p[0], 2 << 20, false), -LINUX_EPERM);
    assert_int_equal(pipe_set_size(p[0], 0, false), -LINUX_EBUSY);  // 0 is a page
    assert_int_equal(fx_read(p[0], back + 100, sizeof back), 65536);
    assert_memory_equal(back, big, 65636);
    assert_int_equal(pipe_set_size(p[0], 1, false), 4096);
    waitq_del(&n.w);
    // The end of each end.
    assert_int_equal(fx_write(&x, p[1], "z", 1), 1);
    note_init(&n, LINUX_POLLIN);
    vfs_poll(p[0], &n.w);
    file_put(p[1]);
    assert_int_equal(n.woken, 1);
    assert_int_equal(vfs_poll(p[0], NULL), LINUX_POLLIN | LINUX_POLLRDNORM | LINUX_POLLHUP);
    assert_int_equal(fx_read(p[0], buf, 9), 1);
    assert_int_equal(fx_read(p[0], buf, 9), 0);
    waitq_del(&n.w);
    file_put(p[0]);
    assert_int_equal(pipe_open(x.vfs, 0, p), 0);
    file_put(p[0]);
    assert_int_equal(fx_write(&x, p[1], "z", 1), -LINUX_EPIPE);
    assert_true(vfs_poll(p[1], NULL) & LINUX_POLLERR);
    file_put(p[1]);
    assert_int_equal(pipe_open(x.vfs, LINUX_O_APPEND, p), -LINUX_EINVAL);
    fx_end(&x);
}

// A stream of odd pieces through the ring comes out as it went in.
static void test_pipe_stream(void **state) {
    struct fx x;
    struct file *p[2];
    unsigned seed = 5;
    size_t in = 0, out = 0;
    fx_begin(&x);
    pipe_open(x.vfs, 0, p);
    pipe_set_size(p[0], 8192, false);
    while (out < sizeof big) {
        size_t n = (size_t)rand_r(&seed) % 9000 + 1;
        n = n < sizeof big - in ? n : sizeof big - in;
        int64_t w = n ? fx_write(&x, p[1], big + in, n) : 0;
        in += w > 0 ? (size_t)w : 0;
        int64_t r = fx_read(p[0], back + out, (size_t)rand_r(&seed) % 7000 + 1);
        out += r > 0 ? (size_t)r : 0;
    }
    assert_memory_equal(big, back, sizeof big);
    // A ping-pong of small writes allocates nothing.
    fault_alloc_at(1);
    char c = 'x';
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(fx_write(&x, p[1], &c, 1), 1);
        assert_int_equal(fx_read(p[0], &c, 1), 1);
    }
    assert_int_equal(fault_alloc_at(0), 0);
    file_put(p[0]);
    file_put(p[1]);
    fx_end(&x);
}

static void test_fifo(void **state) {
    struct fx x;
    struct file *r, *w;
    char buf[8];
    fx_begin(&x);
    assert_int_equal(vfs_mknod(&x.ctx, NULL, "/p", LINUX_S_IFIFO | 0644, 0, NULL), 0);
    assert_int_equal(fx_open_err(&x, "/p", LINUX_O_WRONLY | LINUX_O_NONBLOCK), -LINUX_ENXIO);
    // A reader waits; the writer that comes meets it, and both go on.
    assert_int_equal(vfs_open(&x.ctx, NULL, "/p", LINUX_O_RDONLY, 0, 0, &r), -LINUX_EAGAIN);
    assert_non_null(r);
    struct note n;
    note_init(&n, LINUX_POLLIN);
    assert_int_equal(vfs_open_again(r, &n.w), -LINUX_EAGAIN);
    assert_int_equal(vfs_open(&x.ctx, NULL, "/p", LINUX_O_WRONLY, 0, 0, &w), 0);
    assert_true(n.woken > 0);
    waitq_del(&n.w);
    assert_int_equal(fx_write(&x, w, "one", 3), 3);
    file_put(w);  // gone before the reader has looked
    assert_int_equal(vfs_open_again(r, NULL), 0);
    assert_int_equal(fx_read(r, buf, 8), 3);
    assert_int_equal(fx_read(r, buf, 8), 0);
    assert_true(vfs_poll(r, NULL) & LINUX_POLLHUP);
    file_put(r);
    // A waiting writer is given up.
    assert_int_equal(vfs_open(&x.ctx, NULL, "/p", LINUX_O_WRONLY, 0, 0, &w), -LINUX_EAGAIN);
    assert_int_equal(vfs_open_again(w, NULL), -LINUX_EAGAIN);
    file_put(w);
    // A reader that does not wait; no hang-up before the first writer.
    r = fx_open(&x, "/p", LINUX_O_RDONLY | LINUX_O_NONBLOCK, 0);
    assert_int_equal(vfs_poll(r, NULL), 0);
    assert_int_equal(fx_read(r, buf, 8), 0);
    w = fx_open(&x, "/p", LINUX_O_WRONLY | LINUX_O_NONBLOCK, 0);
    assert_int_equal(fx_read(r, buf, 8), -LINUX_EAGAIN);
    file_put(w);
    assert_int_equal(vfs_poll(r, NULL), LINUX_POLLHUP);
    file_put(r);
    r = fx_open(&x, "/p", LINUX_O_RDWR, 0);
    assert_int_equal(fx_write(&x, r, "ab", 2), 2);
    assert_int_equal(fx_read(r, buf, 8), 2);
    file_put(r);
    fx_end(&x);
}

static void test_eventfd(void **state) {
    struct fx x;
    struct file *f;
    uint64_t v = 0;
    fx_begin(&x);
    assert_int_equal(eventfd_open(x.vfs, 0, 0, &f), 0);
    assert_int_equal(fx_read(f, &v, 8), -LINUX_EAGAIN);
    assert_int_equal(fx_read(f, &v, 7), -LINUX_EINVAL);
    assert_int_equal(vfs_poll(f, NULL), LINUX_POLLOUT);
    v = 3;
    assert_int_equal(fx_write(&x, f, &v, 8), 8);
    assert_int_equal(fx_write(&x, f, &v, 8), 8);
    v = UINT64_MAX;
    assert_int_equal(fx_write(&x, f, &v, 8), -LINUX_EINVAL);
    v = UINT64_MAX - 1;
    assert_int_equal(fx_write(&x, f, &v, 8), -LINUX_EAGAIN);
    assert_int_equal(fx_read(f, &v, 8), 8);
    assert_int_equal(v, 6);
    file_put(f);
    assert_int_equal(eventfd_open(x.vfs, 2, LINUX_EFD_SEMAPHORE, &f), 0);
    assert_int_equal(fx_read(f, &v, 8), 8);
    assert_int_equal(v, 1);
    assert_int_equal(fx_read(f, &v, 8), 8);
    assert_int_equal(fx_read(f, &v, 8), -LINUX_EAGAIN);
    file_put(f);
    fx_end(&x);
}

static int lock_it(struct file *f, void *owner, int type, int64_t start, int64_t len) {
    struct linux_flock l = {.l_type = (int16_t)type, .l_start = start, .l_len = len};
    return vfs_lock(f, owner, owner == (void *)1 ? 1 : 2, &l);
}
static void test_locks(void **state) {
    struct fx x;
    void *a = (void *)1, *b = (void *)2;
    fx_begin(&x);
    fx_put(&x, "/f", "0123456789");
    struct file *f = fx_open(&x, "/f", LINUX_O_RDWR, 0), *g = fx_open(&x, "/f", LINUX_O_RDWR, 0);
    struct file *ro = fx_open(&x, "/f", LINUX_O_RDONLY, 0);
    assert_int_equal(lock_it(ro, a, LINUX_F_WRLCK, 0, 1), -LINUX_EBADF);
    assert_int_equal(lock_it(f, a, 9, 0, 1), -LINUX_EINVAL);
    assert_int_equal(lock_it(f, a, LINUX_F_WRLCK, -1, 1), -LINUX_EINVAL);
    assert_int_equal(lock_it(f, a, LINUX_F_WRLCK, 0, 10), 0);
    assert_int_equal(lock_it(g, b, LINUX_F_RDLCK, 9, 1), -LINUX_EAGAIN);
    assert_int_equal(lock_it(g, b, LINUX_F_RDLCK, 10, 0), 0);
    // A hole in the middle: two locks, and the other owner fits in.
    struct note n;
    note_init(&n, LINUX_POLLIN);
    waitq_add(&f->inode->lock_waitq, &n.w);
    assert_int_equal(lock_it(f, a, LINUX_F_UNLCK, 4, 2), 0);
    assert_int_equal(n.woken, 1);
    waitq_del(&n.w);
    assert_int_equal(lock_it(g, b, LINUX_F_WRLCK, 4, 2), 0);
    assert_int_equal(lock_it(g, b, LINUX_F_WRLCK, 3, 2), -LINUX_EAGAIN);
    struct linux_flock t = {.l_type = LINUX_F_WRLCK, .l_start = 0, .l_len = 0};
    assert_int_equal(vfs_lock_test(g, b, &t), 0);
    assert_int_equal(t.l_type, LINUX_F_WRLCK);
    assert_int_equal(t.l_start, 0);
    assert_int_equal(t.l_len, 4);
    assert_int_equal(t.l_pid, 1);
    // Shared, upgraded, merged.
    assert_int_equal(lock_it(f, a, LINUX_F_RDLCK, 0, 4), 0);
    assert_int_equal(lock_it(g, b, LINUX_F_RDLCK, 0, 4), 0);
    assert_int_equal(lock_it(f, a, LINUX_F_WRLCK, 0, 4), -LINUX_EAGAIN);
    vfs_flush(g, b);
    assert_int_equal(lock_it(f, a, LINUX_F_WRLCK, 0, 0), 0);
    t = (struct linux_flock){.l_type = LINUX_F_RDLCK, .l_whence = LINUX_SEEK_END, .l_start = -1, .l_len = -2};
    assert_int_equal(vfs_lock_test(g, b, &t), 0);
    assert_int_equal(t.l_start, 0);
    assert_int_equal(t.l_len, 0);
    // flock is apart.
    assert_int_equal(vfs_flock(g, LINUX_LOCK_EX | LINUX_LOCK_NB), 0);
    assert_int_equal(vfs_flock(f, LINUX_LOCK_SH), -LINUX_EAGAIN);
    assert_int_equal(vfs_flock(g, LINUX_LOCK_SH), 0);
    assert_int_equal(vfs_flock(f, LINUX_LOCK_SH), 0);
    assert_int_equal(vfs_flock(f, LINUX_LOCK_EX), -LINUX_EAGAIN);
    assert_int_equal(vfs_flock(f, 3), -LINUX_EINVAL);
    vfs_flush(f, a);
    // An open-file-description lock goes with the last reference.
    assert_int_equal(lock_it(g, g, LINUX_F_WRLCK, 0, 0), 0);
    assert_int_equal(lock_it(f, a, LINUX_F_RDLCK, 0, 1), -LINUX_EAGAIN);
    file_put(g);
    assert_int_equal(lock_it(f, a, LINUX_F_RDLCK, 0, 1), 0);
    assert_int_equal(vfs_flock(f, LINUX_LOCK_EX), 0);
    vfs_flush(f, a);
    file_put(f);
    file_put(ro);
    fx_end(&x);
}

static void test_dev(void **state) {
    struct fx x;
    struct superblock *sb;
    struct vfs_attr a;
    char buf[64];
    struct vfs *v = vfs_create();
    assert_int_equal(devfs_create(v, &sb), 0);
    fx_begin_on(&x, v, sb);
    fx_expect_list(&x, "/",
                   "console fd full fuse null ptmx pts random shm stderr stdin stdout tty urandom zero ");
    struct file *f = fx_open(&x, "/null", LINUX_O_RDWR, 0);
    assert_int_equal(fx_write(&x, f, "abc", 3), 3);
    assert_int_equal(fx_read(f, buf, 3), 0);
    vfs_getattr(&f->path, &a);
    assert_int_equal(a.rdev, LINUX_MKDEV(1, 3));
    assert_int_equal(a.mode, LINUX_S_IFCHR | 0666);
    file_put(f);
    f = fx_open(&x, "/null", LINUX_O_WRONLY | LINUX_O_TRUNC | LINUX_O_CREAT | LINUX_O_APPEND, 0644);
    assert_int_equal(fx_write(&x, f, "abc", 3), 3);
    file_put(f);
    f = fx_open(&x, "/zero", LINUX_O_RDONLY, 0);
    memset(back, 1, sizeof back);
    assert_int_equal(fx_read(f, back, sizeof back), sizeof back);
    for (size_t i = 0; i < sizeof back; i++)
        assert_int_equal(back[i], 0);
    assert_int_equal(vfs_mmap_fd(f, 1, false), VFS_MMAP_ANON);
    file_put(f);
    f = fx_open(&x, "/full", LINUX_O_RDWR, 0);
    assert_int_equal(fx_write(&x, f, "x", 1), -LINUX_ENOSPC);
    file_put(f);
    f = fx_open(&x, "/urandom", LINUX_O_RDONLY, 0);
    assert_int_equal(fx_read(f, back, sizeof back), sizeof back);
    file_put(f);
    assert_int_equal(fx_open_err(&x, "/tty", LINUX_O_RDWR), -LINUX_ENXIO);
    assert_int_equal(fx_open_err(&x, "/console", LINUX_O_RDWR), -LINUX_ENXIO);
    fx_put(&x, "/shm/x", "memory");
    fx_expect(&x, "/shm/x", "memory");
    fx_end(&x);
}

static struct {
    struct hostfd *h;
    uint32_t events;
    unsigned watches, unwatches;
} seen;
static int open_host(struct fx *x, int fd, struct file **out) {
    struct hostfd_stdio alone = {0};
    return hostfd_open(x->vfs, fd, &alone, out);
}
static void fake_watch(void *owner, struct hostfd *h, int fd, uint32_t events) {
    seen.h = h;
    seen.events = events;
    seen.watches++;
}
static void fake_unwatch(void *owner, struct hostfd *h, int fd) { seen.unwatches++; }

static void test_hostfd(void **state) {
    static const struct hostfd_watcher watcher = {.watch = fake_watch, .unwatch = fake_unwatch};
    struct fx x;
    struct file *f, *g;
    int p[2];
    char buf[64];
    signal(SIGPIPE, SIG_IGN);
    fx_begin(&x);
    hostfd_set_watcher(x.vfs, &watcher, NULL);
    assert_int_equal(pipe(p), 0);
    assert_int_equal(open_host(&x, p[0], &f), 0);
    assert_int_equal(open_host(&x, p[1], &g), 0);
    assert_int_equal(fx_read(f, buf, 8), -LINUX_EAGAIN);
    assert_int_equal(seen.watches, 0);
    struct note n;
    note_init(&n, LINUX_POLLIN);
    assert_int_equal(vfs_poll(f, &n.w), 0);
    assert_int_equal(seen.watches, 1);
    assert_true(seen.events & LINUX_POLLIN);
    assert_int_equal(fx_write(&x, g, "host", 4), 4);
    hostfd_ready(seen.h, LINUX_POLLIN);
    assert_int_equal(n.woken, 1);
    int32_t avail = 0;
    assert_int_equal(vfs_ioctl(&(struct vfs_ctx){0}, f, LINUX_FIONREAD, (uintptr_t)&avail, &ua), 0);
    assert_int_equal(avail, 4);
    assert_int_equal(vfs_ioctl(&(struct vfs_ctx){0}, f, LINUX_TCGETS, (uintptr_t)buf, &ua), -LINUX_ENOTTY);
    assert_int_equal(vfs_ioctl(&(struct vfs_ctx){0}, f, LINUX_TIOCSTI, (uintptr_t)buf, &ua), -LINUX_ENOTTY);
    assert_int_equal(fx_read(f, buf, 8), 4);
    waitq_del(&n.w);
    // Fill it: writes are short, then EAGAIN, and never wait.
    int64_t total = 0, w;
    while ((w = fx_write(&x, g, big, sizeof big)) > 0)
        total += w;
    assert_int_equal(w, -LINUX_EAGAIN);
    assert_int_equal(total, 65536);
    struct file *again;
    assert_int_equal(vfs_open_path(&x.ctx, &f->path, LINUX_O_RDONLY, &again), 0);
    assert_int_equal(fx_read(again, buf, 8), 8);
    file_put(again);
    assert_int_equal(vfs_open_path(&x.ctx, &f->path, LINUX_O_WRONLY, &again), -LINUX_EACCES);
    file_put(f);
    assert_int_equal(seen.unwatches, 1);
    assert_int_equal(fx_write(&x, g, "x", 1), -LINUX_EPIPE);
    file_put(g);
    fx_end(&x);
}
static void test_hostfd_others(void **state) {
    struct fx x;
    struct file *f;
    char buf[64];
    fx_begin(&x);
    // A regular file: the host's offset.
    char name[] = "/tmp/fs_pipe_XXXXXX";
    int fd = mkstemp(name), shared = dup(fd);
    unlink(name);
    assert_int_equal(open_host(&x, fd, &f), 0);
    assert_int_equal(fx_write(&x, f, "abcdef", 6), 6);
    assert_int_equal(write(shared, "ghi", 3), 3);
    assert_int_equal(fx_write(&x, f, "j", 1), 1);
    assert_int_equal(vfs_llseek(f, 4, LINUX_SEEK_SET), 4);
    assert_int_equal(fx_read(f, buf, 64), 6);
    assert_memory_equal(buf, "efghij", 6);
    assert_int_equal(lseek(shared, 0, SEEK_CUR), 10);
    struct vfs_attr a;
    vfs_getattr(&f->path, &a);
    assert_int_equal(a.size, 10);
    assert_int_equal(vfs_ftruncate(&x.ctx, f, 2), 0);
    assert_int_equal(lseek(shared, 0, SEEK_END), 2);
    file_put(f);
    close(shared);
    int s[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    assert_int_equal(open_host(&x, s[0], &f), 0);
    assert_int_equal(fx_read(f, buf, 8), -LINUX_EAGAIN);
    assert_int_equal(fx_write(&x, f, "sock", 4), 4);
    assert_int_equal(read(s[1], buf, 8), 4);
    close(s[1]);
    assert_int_equal(fx_read(f, buf, 8), 0);
    assert_int_equal(fx_write(&x, f, "sock", 4), -LINUX_EPIPE);
    file_put(f);
    assert_int_equal(open_host(&x, 9999, &f), -LINUX_EBADF);
    fx_end(&x);
}

// One request, worked off in pieces while the other side drains: every byte once, in order.
static void test_host_stream(void **state) {
    struct fx x;
    struct file *f;
    int s[2], small = 4096;
    fx_begin(&x);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    fcntl(s[1], F_SETFL, O_NONBLOCK);
    assert_int_equal(open_host(&x, s[0], &f), 0);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7 >> 2);
    struct uio_kernel k;
    uio_kernel_init(&k, big, sizeof big);
    size_t out = 0, in = 0;
    while (out < sizeof big) {
        int64_t w = k.u.left ? vfs_write(&x.ctx, f, &k.u) : 0;
        assert_true(w >= 0 || w == -LINUX_EAGAIN);
        in += w > 0 ? (size_t)w : 0;
        assert_int_equal(k.u.left, sizeof big - in);
        ssize_t r = read(s[1], back + out, 3000);
        out += r > 0 ? (size_t)r : 0;
    }
    assert_memory_equal(big, back, sizeof big);
    close(s[1]);
    file_put(f);
    fx_end(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipe),        cmocka_unit_test(test_pipe_stream),
        cmocka_unit_test(test_fifo),        cmocka_unit_test(test_eventfd),
        cmocka_unit_test(test_locks),       cmocka_unit_test(test_dev),
        cmocka_unit_test(test_hostfd),      cmocka_unit_test(test_hostfd_others),
        cmocka_unit_test(test_host_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
