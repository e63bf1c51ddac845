// SPDX-License-Identifier: Apache-2.0
// covers: read, write, pread64, pwrite64, sendto, open, openat, access, readlink
// Calls with bytes and paths at sites that have been busy for a while: whatever carries these along must
// bring them whole, of every length and at every place, and bad pointers must cost nothing that was not asked
// for.
#include "guest.h"
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

static unsigned char from[16384], to[16384];

static void fill(unsigned seed) {
    for (unsigned i = 0; i < sizeof from; i++)
        from[i] = (unsigned char)(seed + i * 7 + (i >> 8));
    memset(to, 0xee, sizeof to);
}

// The bytes arrived, and nothing beside them was touched.
static void expect_moved(unsigned at, unsigned n) {
    EXPECT_EQ(memcmp(to + at, from + at, n), 0);
    EXPECT_EQ(to[at + n], 0xee);
    EXPECT_EQ(at ? to[at - 1] : 0xee, 0xee);
}

static const unsigned lengths[] = {0,   1,   2,   7,   8,    9,    63,   255,  383,  384,
                                   385, 511, 512, 513, 4096, 4097, 7671, 7672, 7673, 8192};

TEST(every_length) {
    int p[2], f = memfd_create("file", 0);
    ASSERT_OK(f);
    ASSERT_OK(pipe(p));
    for (unsigned round = 0; round < 200; round++) {
        unsigned n = lengths[round % (sizeof lengths / sizeof *lengths)], at = round % 11;
        fill(round);
        ASSERT_EQ(write(p[1], from + at, n), (ssize_t)n);
        ASSERT_EQ(n ? read(p[0], to + at, n) : 0, (ssize_t)n);
        expect_moved(at, n);
        fill(round + 1);
        ASSERT_EQ(pwrite(f, from + at, n, round), (ssize_t)n);
        ASSERT_EQ(pread(f, to + at, n, round), (ssize_t)n);
        expect_moved(at, n);
    }
}

// With the direction flag set, as a program may have it when it calls.
static long pread_backwards(long fd, void *buf, long n, long at) {
    register long offset __asm__("r10") = at;
    long r;
    __asm__ volatile("std\n mov $17, %%eax\n syscall\n cld"
                     : "=a"(r)
                     : "D"(fd), "S"(buf), "d"(n), "r"(offset)
                     : "rcx", "r11", "memory");
    return r;
}
TEST(direction_flag) {
    int f = memfd_create("file", 0);
    fill(3);
    ASSERT_EQ(write(f, from, sizeof from), (ssize_t)sizeof from);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned n = round % 4 ? 512 + round % 600 : 4096, at = round % 11;
        if (round % 16 == 0)
            memset(to, 0xee, sizeof to);
        memset(to + at, 0xee, n + 1);
        ASSERT_EQ(pread_backwards(f, to + at, n, at), (long)n);
        ASSERT_TRUE(memcmp(to + at, from + at, n) == 0 && to[at + n] == 0xee);
    }
}

// A handler that comes between a call's beginning and the call, and makes the same call with other bytes:
// what it left in the buffer is what the call sends.
static int pair[2];
static volatile char word[8];
static volatile int armed, met, due;
static long write_word(void) {
    long r;
    __asm__ volatile("mov $1, %%eax\n syscall"
                     : "=a"(r)
                     : "D"((long)pair[1]), "S"(word), "d"(8l)
                     : "rcx", "r11", "memory");
    return r;
}
static void on_signal_in_between(int sig) {
    (void)sig;
    due = 1;
    if (!armed)
        return;
    word[0] = 'H';
    met += write_word() == 8;
}
// At most one signal for each call, so that it ends on a machine where a handler takes longer than the timer.
TEST(a_handler_in_between) {
    static char got[16384];
    struct sigaction sa = {.sa_handler = on_signal_in_between, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;
    ASSERT_OK(pipe(pair));
    ASSERT_OK(sigaction(SIGUSR1, &sa, NULL));
    ASSERT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    due = 1;
    for (unsigned i = 0; i < 10000; i++) {
        if (due) {
            struct itimerspec once = {.it_value = {0, 100000 + i % 200 * 1000}};
            due = 0;
            ASSERT_OK(timer_settime(timer, 0, &once, NULL));
        }
        word[0] = 'k';
        met = 0;
        armed = 1;
        ASSERT_EQ(write_word(), 8);
        armed = 0;
        ssize_t n = read(pair[0], got, sizeof got);
        ASSERT_EQ(n, 8 * (met + 1));
        int own = 0;
        for (int k = 0; k <= met; k++) {
            own += got[k * 8] == 'k';
            ASSERT_TRUE(k == 0 || got[(k - 1) * 8] == 'k' || got[k * 8] == 'H');
        }
        ASSERT_TRUE(own <= 1);
    }
    ASSERT_OK(timer_delete(timer));
}

TEST(sockets) {
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    for (unsigned round = 0; round < 200; round++) {
        unsigned n = 1 + round * 3;
        fill(round);
        ASSERT_EQ(send(s[0], from, n, 0), (ssize_t)n);
        ASSERT_EQ(recv(s[1], to, sizeof to, 0), (ssize_t)n);
        expect_moved(0, n);
    }
}

// A page that may be read and written, one that may only be read, and one that is not there.
static char *three_pages(void) {
    char *m = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m == MAP_FAILED || mprotect(m + 4096, 4096, PROT_READ) || munmap(m + 8192, 4096))
        return NULL;
    return m;
}

TEST(bad_pointers_lose_nothing) {
    int p[2];
    char *m = three_pages(), c = 0;
    ASSERT_TRUE(m != NULL);
    ASSERT_OK(pipe(p));
    for (int i = 0; i < 300; i++) {
        c = (char)i;
        ASSERT_EQ(write(p[1], &c, 1), 1);
        ASSERT_ERRNO(read(p[0], m + 4096, 1), EFAULT);
        ASSERT_ERRNO(read(p[0], m + 8192, 1), EFAULT);
        ASSERT_ERRNO(write(p[1], m + 8192, 1), EFAULT);
        ASSERT_EQ(read(p[0], m, 1), 1);
        ASSERT_EQ(*m, (char)i);
    }
}

TEST(offsets_stay) {
    int f = memfd_create("file", 0);
    char *m = three_pages();
    ASSERT_TRUE(m != NULL);
    ASSERT_EQ(write(f, from, 4096), 4096);
    for (int i = 0; i < 300; i++) {
        ASSERT_EQ(lseek(f, i, SEEK_SET), i);
        ASSERT_ERRNO(read(f, m + 8192, 8), EFAULT);
        ASSERT_EQ(lseek(f, 0, SEEK_CUR), i);
        ASSERT_ERRNO(write(f, m + 8192, 8), EFAULT);
        ASSERT_EQ(lseek(f, 0, SEEK_CUR), i);
        ASSERT_EQ(read(f, m, 8), 8);
        ASSERT_EQ(lseek(f, 0, SEEK_CUR), i + 8);
    }
}

// Where only the first bytes have a place, these are read.
TEST(short_counts) {
    int f = memfd_create("file", 0);
    char *m = three_pages();
    ASSERT_TRUE(m != NULL);
    ASSERT_EQ(write(f, from, 4096), 4096);
    for (int i = 0; i < 3000; i++) {
        ASSERT_EQ(pread(f, m + 4096 - 20, 40, i), 20);
        ASSERT_EQ(memcmp(m + 4096 - 20, from + i, 20), 0);
        ASSERT_EQ(lseek(f, i, SEEK_SET), i);
        ASSERT_EQ(read(f, m + 4096 - 20, 40), 20);
        ASSERT_EQ(lseek(f, 0, SEEK_CUR), i + 20);
    }
}

TEST(paths) {
    char dir[] = "/tmp/hot-bytes-XXXXXX", name[64], target[64];
    ASSERT_TRUE(mkdtemp(dir) != NULL); // (where the test starts an ordinary user may not write)
    ASSERT_OK(chdir(dir));
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "hot-bytes-%.*s%d", i % 30, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", i);
        int fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
        ASSERT_OK(fd);
        ASSERT_OK(access(name, F_OK));
        ASSERT_ERRNO(open(name, O_CREAT | O_EXCL, 0600), EEXIST);
        ASSERT_OK(unlink(name));
        ASSERT_ERRNO(access(name, F_OK), ENOENT);
        ASSERT_ERRNO(openat(AT_FDCWD, name, O_RDONLY), ENOENT);
        ASSERT_OK(symlink(name + 3, name));
        ASSERT_EQ(readlink(name, target, sizeof target), (ssize_t)strlen(name + 3));
        ASSERT_EQ(memcmp(target, name + 3, strlen(name + 3)), 0);
        ASSERT_OK(unlinkat(AT_FDCWD, name, 0));
        close(fd);
    }
    for (int i = 0; i < 200; i++) {
        ASSERT_ERRNO(open((char *)8, O_RDONLY), EFAULT);
        ASSERT_ERRNO(access("", F_OK), ENOENT);
    }
    ASSERT_OK(chdir("/"));
    ASSERT_OK(rmdir(dir));
}
