// SPDX-License-Identifier: Apache-2.0
// covers: fanotify_init, fanotify_mark
// Groups that are told files (man 7 fanotify): what the two calls refuse, marks of inodes and mounts, what is
// ignored, how events are merged and lost, the file of a group.
#include "fanotify_text.h"
#include "landlock_rules.h"

#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

static void touch(const char *path, const char *text) {
    int fd = ASSERT_OK(open(path, O_WRONLY | O_CREAT, 0644));
    ASSERT_EQ(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}
static void look(const char *path) {
    char c;
    int fd = ASSERT_OK(open(path, O_RDONLY));
    ASSERT_OK(read(fd, &c, 1));
    close(fd);
}

TEST(init) {
    close(fan_open(0));
    static const unsigned bad[] = {1u << 31,
                                   0x10000,
                                   FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT,
                                   FAN_REPORT_PIDFD | FAN_REPORT_TID,
                                   FAN_REPORT_FID | FAN_CLASS_CONTENT,
                                   FAN_REPORT_NAME,
                                   FAN_REPORT_NAME | FAN_REPORT_FID,
                                   FAN_REPORT_TARGET_FID | FAN_REPORT_FID,
                                   FAN_REPORT_TARGET_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!EXPECT_ERRNO(fan_init(bad[i], 0), EINVAL))
            FAIL("flags %#x", bad[i]);
    EXPECT_ERRNO(fan_init(0, O_ACCMODE), EINVAL);
    EXPECT_ERRNO(fan_init(0, O_DIRECTORY), EINVAL);
    int fd = EXPECT_OK(fan_init(FAN_CLOEXEC, O_RDWR | O_LARGEFILE | O_CLOEXEC));
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(fcntl(fd, F_GETFL) & ~0100000, O_RDWR);
    char link[64], name[64] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    EXPECT_OK(readlink(link, name, sizeof name - 1));
    EXPECT_STREQ(name, "anon_inode:[fanotify]");
    EXPECT_ERRNO(write(fd, "x", 1), EINVAL);
    close(fd);
}

TEST(mark) {
    in_tmpdir();
    touch("f", "");
    int fan = fan_open(0), fid = fan_open(FAN_REPORT_FID), plain = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_ERRNO(fan_mark(fan, 0, FAN_OPEN, AT_FDCWD, "."), EINVAL);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD | MARK_REMOVE, FAN_OPEN, AT_FDCWD, "."), EINVAL);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD | 0x1000, FAN_OPEN, AT_FDCWD, "."), EINVAL);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD | MARK_MOUNT | MARK_FILESYSTEM, FAN_OPEN, AT_FDCWD, "."), EINVAL);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD, 0, AT_FDCWD, "."), EINVAL);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD, 1ull << 32, AT_FDCWD, "."), EINVAL);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD, FAN_Q_OVERFLOW, AT_FDCWD, "."), EINVAL);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "."), EINVAL);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD | MARK_IGNORE | MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "."), EINVAL);
    EXPECT_ERRNO(fan_mark(fan, MARK_FLUSH | MARK_ONLYDIR, 0, AT_FDCWD, "."), EINVAL);
    EXPECT_ERRNO(fan_mark(-1, MARK_ADD, FAN_OPEN, AT_FDCWD, "."), EBADF);
    EXPECT_ERRNO(fan_mark(plain, MARK_ADD, FAN_OPEN, AT_FDCWD, "."), EINVAL);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD, FAN_CREATE, AT_FDCWD, "."), EINVAL);  // has no file
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD, FAN_ATTRIB, AT_FDCWD, "."), EINVAL);
    EXPECT_ERRNO(fan_mark(fid, MARK_ADD | MARK_MOUNT, FAN_CREATE, AT_FDCWD, "."), EINVAL);
    EXPECT_ERRNO(fan_mark(fid, MARK_ADD, FAN_RENAME, AT_FDCWD, "."), EINVAL);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD | MARK_MOUNT | MARK_EVICTABLE, FAN_OPEN, AT_FDCWD, "."), EINVAL);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD, FAN_OPEN, AT_FDCWD, "none"), ENOENT);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD, FAN_OPEN, AT_FDCWD, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD, FAN_OPEN, -1, "f"), EBADF);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD | MARK_ONLYDIR, FAN_OPEN, AT_FDCWD, "f"), ENOTDIR);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD | MARK_ONLYDIR, FAN_OPEN, plain, NULL), ENOTDIR);
    EXPECT_ERRNO(fan_mark(fan, MARK_REMOVE, FAN_OPEN, AT_FDCWD, "f"), ENOENT);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD | MARK_IGNORE, FAN_OPEN, AT_FDCWD, "."), EISDIR);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD | MARK_IGNORE | MARK_MOUNT, FAN_OPEN, AT_FDCWD, "."), EINVAL);
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN, plain, NULL));
    EXPECT_OK(fan_mark(fan, MARK_REMOVE, FAN_OPEN, AT_FDCWD, "f"));
    EXPECT_ERRNO(fan_mark(fan, MARK_REMOVE, FAN_OPEN, AT_FDCWD, "f"), ENOENT);
    EXPECT_OK(fan_mark(fan, MARK_FLUSH, 0, AT_FDCWD, NULL));
    close(plain);
    close(fan);
    close(fid);
}

TEST(of_a_file) {
    in_tmpdir();
    touch("f", "text");
    int fan = fan_open(0);
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN | FAN_ACCESS | FAN_MODIFY | FAN_CLOSE, AT_FDCWD, "f"));
    EXPECT_STREQ(fan_events(fan), "-");
    look("f");
    EXPECT_STREQ(fan_events(fan), "ACCESS|CLOSE_NOWRITE|OPEN f");  // of one process: one event
    EXPECT_EQ(fan_pid, getpid());
    touch("f", "x");
    EXPECT_STREQ(fan_events(fan), "MODIFY|CLOSE_WRITE|OPEN f");
    struct stat st;
    EXPECT_OK(stat("f", &st));
    EXPECT_OK(truncate("f", 0));  // without a file that it could be told by
    EXPECT_STREQ(fan_events(fan), "-");
    pid_t pid = ASSERT_OK(fork());
    if (pid == 0) {
        look("f");
        _exit(0);
    }
    wait_status(pid);
    EXPECT_STREQ(fan_events(fan), "CLOSE_NOWRITE|OPEN f");
    EXPECT_EQ(fan_pid, pid);
    EXPECT_OK(rename("f", "g"));
    look("g");
    EXPECT_STREQ(fan_events(fan), "CLOSE_NOWRITE|OPEN g");
    close(fan);
}

TEST(of_a_directory) {
    in_tmpdir();
    touch("f", "text");
    ASSERT_OK(mkdir("d", 0700));
    ASSERT_OK(mkdir("d/e", 0700));
    touch("d/f", "text");
    int fan = fan_open(0);
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN, AT_FDCWD, "d"));
    look("d/f");
    close(ASSERT_OK(open("d", O_RDONLY)));
    EXPECT_STREQ(fan_events(fan), "-");  // neither children nor directories were asked for
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD, AT_FDCWD, "d"));
    look("d/f");
    close(ASSERT_OK(open("d", O_RDONLY)));
    close(ASSERT_OK(open("d/e", O_RDONLY)));
    EXPECT_STREQ(fan_events(fan), "OPEN f");
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_ONDIR, AT_FDCWD, "d"));
    close(ASSERT_OK(open("d", O_RDONLY)));
    close(ASSERT_OK(open("d/e", O_RDONLY)));
    look("f");
    EXPECT_STREQ(fan_events(fan), "OPEN d, OPEN e");
    // What has no name is not told, nor what is not a plain file.
    ASSERT_OK(mkfifo("d/p", 0600));
    close(ASSERT_OK(open("d/p", O_RDWR)));
    EXPECT_STREQ(fan_events(fan), "-");
    close(fan);
}

TEST(of_a_mount) {
    int fan = fan_open(0);
    in_tmpdir();
    IN_CHILD {
        ASSERT_OK(unshare(CLONE_NEWNS));
        ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        ASSERT_OK(mkdir("m", 0700));
        ASSERT_OK(mkdir("other", 0700));
        ASSERT_OK(mount("t", "m", "tmpfs", 0, NULL));
        ASSERT_OK(mount("m", "other", NULL, MS_BIND, NULL));
        touch("m/f", "text");
        EXPECT_OK(fan_mark(fan, MARK_ADD | MARK_MOUNT, FAN_OPEN | FAN_CLOSE_WRITE, AT_FDCWD, "m/f"));
        look("m/f");
        ASSERT_OK(mkdir("m/d", 0700));
        touch("m/d/g", "text");
        look("other/f");  // the same file by another mount
        EXPECT_STREQ(fan_events(fan), "OPEN f, CLOSE_WRITE|OPEN g");
        EXPECT_OK(fan_mark(fan, MARK_ADD | MARK_FILESYSTEM, FAN_OPEN, AT_FDCWD, "m"));
        look("other/f");
        EXPECT_STREQ(fan_events(fan), "OPEN f");
        EXPECT_OK(fan_mark(fan, MARK_FLUSH | MARK_FILESYSTEM, 0, AT_FDCWD, "m"));
        look("other/f");
        EXPECT_STREQ(fan_events(fan), "-");
        // An event that nobody has read holds the mount.
        look("m/f");
        EXPECT_ERRNO(umount("m"), EBUSY);
        EXPECT_STREQ(fan_events(fan), "OPEN f");
        EXPECT_OK(umount("m"));
        EXPECT_ERRNO(fan_mark(fan, MARK_REMOVE | MARK_MOUNT, FAN_OPEN, AT_FDCWD, "m"), ENOENT);
    }
    close(fan);
}

TEST(ignoring) {
    in_tmpdir();
    touch("f", "text");
    touch("g", "text");
    int fan = fan_open(0);
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN | FAN_MODIFY | FAN_EVENT_ON_CHILD, AT_FDCWD, "."));
    EXPECT_OK(fan_mark(fan, MARK_ADD | MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "f"));
    look("f");
    look("g");
    EXPECT_STREQ(fan_events(fan), "OPEN g");
    touch("f", "x");  // its change ends what was ignored
    EXPECT_STREQ(fan_events(fan), "MODIFY f");
    look("f");
    EXPECT_STREQ(fan_events(fan), "OPEN f");
    EXPECT_OK(fan_mark(fan, MARK_ADD | MARK_IGNORED_MASK | MARK_SURV_MODIFY, FAN_OPEN, AT_FDCWD, "f"));
    touch("f", "x");
    look("f");
    EXPECT_STREQ(fan_events(fan), "MODIFY f");
    EXPECT_OK(fan_mark(fan, MARK_REMOVE | MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "f"));
    look("f");
    EXPECT_STREQ(fan_events(fan), "OPEN f");
    EXPECT_ERRNO(fan_mark(fan, MARK_REMOVE | MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "f"), ENOENT);
    int writer = ASSERT_OK(open("g", O_WRONLY));
    EXPECT_OK(
        fan_mark(fan, MARK_ADD | MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "g"));  // in vain: it is written
    fan_events(fan);
    look("g");
    EXPECT_STREQ(fan_events(fan), "OPEN g");
    close(writer);
    EXPECT_OK(fan_mark(fan, MARK_ADD | MARK_IGNORE | MARK_SURV_MODIFY, FAN_OPEN, AT_FDCWD, "g"));
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD | MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "g"), EEXIST);
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD | MARK_IGNORE, FAN_OPEN, AT_FDCWD, "g"), EEXIST);
    look("g");
    EXPECT_STREQ(fan_events(fan), "-");
    close(fan);
}

TEST(executing) {
    in_tmpdir();
    int fan = fan_open(0), from = ASSERT_OK(open("/bin/true", O_RDONLY)),
        to = ASSERT_OK(open("true", O_WRONLY | O_CREAT, 0700));
    char text[4096];
    for (ssize_t n; (n = read(from, text, sizeof text)) > 0;)
        ASSERT_EQ(write(to, text, n), n);
    close(from);
    close(to);
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN_EXEC, AT_FDCWD, "true"));
    look("true");
    EXPECT_STREQ(fan_events(fan), "-");
    pid_t pid = ASSERT_OK(fork());
    if (pid == 0) {
        execl("./true", "true", NULL);
        _exit(1);
    }
    EXPECT_EQ(wait_exit(pid), 0);
    EXPECT_STREQ(fan_events(fan), "OPEN_EXEC true");
    close(fan);
}

TEST(the_file_of_an_event) {
    in_tmpdir();
    touch("f", "text");
    if (geteuid() != 0)
        SKIP("not root");
    int fan = ASSERT_OK(fan_init(FAN_NONBLOCK, O_RDWR | O_CLOEXEC));
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN | FAN_ACCESS | FAN_MODIFY | FAN_CLOSE, AT_FDCWD, "f"));
    EXPECT_OK(chmod("f", 0));
    look("f");
    struct fan_meta m;
    int queued = 0;
    EXPECT_OK(ioctl(fan, FIONREAD, &queued));
    EXPECT_EQ(queued, sizeof m);
    EXPECT_ERRNO(read(fan, &m, sizeof m - 1), EINVAL);
    ASSERT_EQ(read(fan, &m, sizeof m), sizeof m);
    EXPECT_EQ(m.len, sizeof m);
    EXPECT_EQ(fcntl(m.fd, F_GETFD), FD_CLOEXEC);
    char text[8];
    EXPECT_EQ(read(m.fd, text, 4), 4);
    EXPECT_EQ(pwrite(m.fd, "T", 1, 0), 1);
    close(m.fd);
    EXPECT_STREQ(fan_events(fan), "-");  // the listener's own file tells nothing
    look("f");
    EXPECT_ERRNO(read(fan, NULL, sizeof m), EFAULT);
    EXPECT_STREQ(fan_events(fan), "-");  // and the event is lost
    close(fan);
}

// A reader's domain holds for the files that it is given (man 7 landlock).
TEST(a_reader_with_a_domain) {
    ll_needed();
    in_tmpdir();
    touch("f", "text");
    int fan = fan_open(0);
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN, AT_FDCWD, "f"));
    look("f");
    IN_CHILD {
        struct fan_meta m;
        ll_enter(ll_ruleset(FS_READ_FILE, 0, 0));
        EXPECT_ERRNO(read(fan, &m, sizeof m), EACCES);
    }
    close(fan);
}

TEST(waiting) {
    in_tmpdir();
    touch("f", "text");
    int fan = fan_open(0), big;
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_CLOSE, AT_FDCWD, "f"));
    struct pollfd p = {fan, POLLIN, 0};
    EXPECT_EQ(poll(&p, 1, 0), 0);
    pid_t pid = ASSERT_OK(fork());
    if (pid == 0) {
        sleep_ms(20);
        look("f");
        _exit(0);
    }
    EXPECT_EQ(poll(&p, 1, -1), 1);
    wait_status(pid);
    EXPECT_STREQ(fan_events(fan), "CLOSE_NOWRITE f");
    big = fcntl(fan, F_GETFL);
    EXPECT_OK(fcntl(fan, F_SETFL, big & ~O_NONBLOCK));
    pid = ASSERT_OK(fork());
    if (pid == 0) {
        sleep_ms(20);
        look("f");
        _exit(0);
    }
    struct fan_meta m;
    EXPECT_EQ(read(fan, &m, sizeof m), sizeof m);
    EXPECT_EQ(m.pid, pid);
    close(m.fd);
    wait_status(pid);
    close(fan);
}

// Reads all that is there.
static void count_events(int fd, int *n, int *lost) {
    char buffer[65536] __attribute__((aligned(8)));
    *n = *lost = 0;
    for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0;)
        for (char *at = buffer; at < buffer + got;) {
            struct fan_meta m;
            memcpy(&m, at, sizeof m);
            ++*n;
            *lost += !!(m.mask & FAN_Q_OVERFLOW);
            at += m.len;
        }
}

// A name for each event, so that none is merged, and one call.
TEST(overflow) {
    const unsigned names = FAN_REPORT_DIR_FID | FAN_REPORT_NAME;
    int fan = fan_open(names), unlimited = fan_open(names | FAN_UNLIMITED_QUEUE), n, lost;
    char text[32];
    ASSERT_OK(get_file("/proc/sys/fs/fanotify/max_queued_events", text, sizeof text));
    int most = atoi(text);
    if (most > 20000)
        SKIP("the queue is too long here");
    in_tmpdir();
    alarm(200);  // a slow machine may take long for so many calls
    IN_CHILD {
        alarm(200);
        ASSERT_OK(unshare(CLONE_NEWNS));
        ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        ASSERT_OK(mount("t", ".", "tmpfs", 0, NULL));
        ASSERT_OK(chdir(guest.tmpdir));
        EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_CREATE, AT_FDCWD, "."));
        EXPECT_OK(fan_mark(unlimited, MARK_ADD, FAN_CREATE, AT_FDCWD, "."));
        for (int i = 0; i < most + 10; i++) {
            char name[16];
            snprintf(name, sizeof name, "%d", i);
            ASSERT_OK(mknod(name, S_IFREG | 0600, 0));
        }
        count_events(fan, &n, &lost);
        EXPECT_EQ(n, most + 1);
        EXPECT_EQ(lost, 1);
        count_events(unlimited, &n, &lost);
        EXPECT_EQ(n, most + 10);
        EXPECT_EQ(lost, 0);
    }
    close(fan);
    close(unlimited);
}

TEST(shown) {
    in_tmpdir();
    touch("f", "");
    int fan = fan_open(FAN_REPORT_FID);
    char path[64], text[1024];
    struct stat st;
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN, AT_FDCWD, "f"));
    EXPECT_OK(fan_mark(fan, MARK_ADD | MARK_IGNORED_MASK | MARK_SURV_MODIFY, FAN_CLOSE_WRITE, AT_FDCWD, "f"));
    EXPECT_OK(stat("f", &st));
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fan);
    ASSERT_OK(get_file(path, text, sizeof text));
    EXPECT_TRUE(strstr(text, "fanotify flags:203 event-flags:8000\n"));
    char line[128];
    snprintf(line, sizeof line, "fanotify ino:%lx sdev:", st.st_ino);
    EXPECT_TRUE(strstr(text, line));
    EXPECT_TRUE(strstr(text, " mflags:40 mask:20 ignored_mask:8 fhandle-bytes:"));
    close(fan);
}
