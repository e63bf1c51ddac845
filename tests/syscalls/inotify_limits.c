// SPDX-License-Identifier: Apache-2.0
// covers: inotify_init1, inotify_add_watch, inotify_rm_watch
// Bounds: instances and watches of a user, events in a queue; and changes, renames and closing by several
// threads at once (man 7 inotify).
#include "inotify_text.h"

#include <pthread.h>
#include <sys/resource.h>

static long limit(const char *name)
{
    char path[96], text[32];
    snprintf(path, sizeof(path), "/proc/sys/fs/inotify/%s", name);
    ASSERT_TRUE(get_file(path, text, sizeof(text)) > 0);
    return strtol(text, NULL, 10);
}

TEST(instances)
{
    long max = limit("max_user_instances");
    struct rlimit r = {(rlim_t)max + 64, (rlim_t)max + 64};
    if (max > 900)
        SKIP("so many are allowed that descriptors end first");
    IN_CHILD {
        setrlimit(RLIMIT_NOFILE, &r);
        long n = 0;
        int fd, first = -1;
        while (n <= max && (fd = inotify_init1(0)) >= 0) {
            first = n ? first : fd;
            n++;
        }
        EXPECT_EQ(errno, EMFILE);
        EXPECT_RANGE(n, 1, max);  // others may have some
        close(first);
        EXPECT_OK(inotify_init1(0));
    }
    close(EXPECT_OK(inotify_init1(0)));  // they went with the child
}

// A watch goes with its file: what is charged for it too.
TEST(watches_of_files_that_go)
{
    in_tmpdir();
    int in = inotify_make();
    char name[32];
    for (int n = 0; n < 2000; n++) {
        snprintf(name, sizeof(name), "%d", n);
        close(ASSERT_OK(open(name, O_CREAT | O_WRONLY, 0600)));
        ASSERT_EQ(inotify_add_watch(in, name, IN_MODIFY), n + 1);
        ASSERT_OK(unlink(name));
        if (n % 500 == 499)
            events(in);
    }
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", in);
    get_file(path, text, sizeof(text));
    EXPECT_TRUE(!strstr(text, "inotify wd"));
    close(in);
}

// A full queue tells that something was lost, once, and takes events again when it was read.
TEST(full_queue)
{
    long max = limit("max_queued_events");
    if (max > 20000)
        SKIP("too many to fill");
    in_tmpdir();
    put_file("f", "");
    put_file("g", "");
    int in = inotify_make(), f = ASSERT_OK(open("f", O_WRONLY)), g = ASSERT_OK(open("g", O_WRONLY));
    ASSERT_OK(inotify_add_watch(in, ".", IN_MODIFY | IN_CREATE));
    for (long i = 0; i < max + 100; i++)
        ASSERT_EQ(pwrite(i % 2 ? f : g, "x", 1, 0), 1);
    static char buf[1 << 20] __attribute__((aligned(8)));
    long n = 0, lost = 0;
    ssize_t size;
    while ((size = read(in, buf, sizeof(buf))) > 0)
        for (ssize_t at = 0; at < size; n++) {
            struct inotify_event *e = (void *)(buf + at);
            if (e->mask == IN_Q_OVERFLOW) {
                EXPECT_EQ(e->wd, -1);
                EXPECT_EQ(e->len, 0);
                lost++;
            }
            at += (ssize_t)(sizeof(*e) + e->len);
        }
    EXPECT_EQ(n, max + 1);
    EXPECT_EQ(lost, 1);
    ASSERT_OK(mkdir("after", 0700));
    EXPECT_STREQ(events(in), "a CREATE|ISDIR after");
    close(in);
    close(f);
    close(g);
}

// ---- Several threads --------------------------------------------------------------------------------------
static volatile int stop;

static void *renames(void *arg)
{
    char a[32], b[32];
    snprintf(a, sizeof(a), "r%ld", (long)arg);
    snprintf(b, sizeof(b), "sub/r%ld", (long)arg);
    close(open(a, O_CREAT | O_WRONLY, 0600));
    while (!stop) {
        rename(a, b);
        rename(b, a);
    }
    return NULL;
}
static void *makes_and_deletes(void *arg)
{
    (void)arg;
    while (!stop) {
        int fd = open("shared", O_CREAT | O_RDWR, 0600);
        if (fd >= 0 && write(fd, "x", 1) == 1)
            unlink("shared");
        close(fd);
    }
    return NULL;
}
static void *watches_and_closes(void *arg)
{
    (void)arg;
    char buf[4096];
    while (!stop) {
        int in = inotify_init1(IN_NONBLOCK);
        inotify_add_watch(in, ".", IN_ALL_EVENTS | (now_ms() % 2 ? IN_ONESHOT : 0));
        inotify_add_watch(in, "sub", IN_ALL_EVENTS);
        inotify_add_watch(in, "shared", IN_ALL_EVENTS);
        ssize_t n = read(in, buf, sizeof(buf));
        if (n > 0)
            inotify_rm_watch(in, 1);
        close(in);
    }
    return NULL;
}

TEST(storm)
{
    in_tmpdir();
    ASSERT_OK(mkdir("sub", 0700));
    void *(*const work[])(void *) = {
        renames, renames, makes_and_deletes, makes_and_deletes, watches_and_closes, watches_and_closes};
    pthread_t threads[6];
    stop = 0;
    for (long i = 0; i < 6; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, work[i], (void *)i), 0);
    sleep_ms(700);
    stop = 1;
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    int in = inotify_make();  // all is as it was
    ASSERT_OK(inotify_add_watch(in, ".", IN_CREATE));
    ASSERT_OK(mkdir("after", 0700));
    EXPECT_STREQ(events(in), "a CREATE|ISDIR after");
    close(in);
}
