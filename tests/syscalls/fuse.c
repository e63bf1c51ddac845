// SPDX-License-Identifier: Apache-2.0
// covers: mount
// A file system of FUSE as its callers and its daemon see it: names, data, attributes and how long they are
// true, errors, interrupts, daemons that die or answer nonsense, callers that are killed.
#include "fuse_daemon.h"
#include "ring.h"
#include <poll.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

TEST(reads) {
    in_tmpdir();
    mounted(PLAIN, 1);
    char buf[64];
    struct stat st;
    struct statfs fs;
    EXPECT_EQ(get_file("m/hello", buf, sizeof buf), 14);
    EXPECT_MEMEQ(buf, "Hello, World!\n", 14);
    EXPECT_OK(stat("m/hello", &st));
    EXPECT_EQ(st.st_mode, S_IFREG | 0644);
    EXPECT_EQ(st.st_size, 14);
    EXPECT_EQ(st.st_mtime, 1000);
    EXPECT_ERRNO(stat("m/none", &st), ENOENT);
    EXPECT_ERRNO(open("m/hello/x", O_RDONLY), ENOTDIR);
    EXPECT_OK(statfs("m", &fs));
    EXPECT_EQ(fs.f_type, 0x65735546);
    EXPECT_EQ(fs.f_blocks, 100);
    EXPECT_EQ(fs.f_namelen, 60);
    int seen = 0;
    DIR *d = opendir("m");
    ASSERT_TRUE(d != NULL);
    for (struct dirent *e; (e = readdir(d));)
        seen += !strcmp(e->d_name, "hello") || (!strcmp(e->d_name, "dir") && e->d_type == DT_DIR);
    EXPECT_EQ(seen, 2);
    closedir(d);
    EXPECT_EQ(getxattr("m/hello", "user.x", buf, sizeof buf), 14);
    EXPECT_ERRNO(getxattr("m/hello", "user.x", buf, 3), ERANGE);
    EXPECT_ERRNO(getxattr("m/hello", "user.y", buf, sizeof buf), ENODATA);
    EXPECT_ERRNO(setxattr("m/hello", "user.x", "1", 1, 0), EOPNOTSUPP);
    unmounted();
}

static void writes_and_names(int way) {
    static char big[100000], back[100001];
    in_tmpdir();
    mounted(way, 1);
    int fd = open("m/dir/new", O_CREAT | O_EXCL | O_RDWR, 0640);
    ASSERT_OK(fd);
    EXPECT_ERRNO(open("m/dir/new", O_CREAT | O_EXCL | O_RDWR, 0640), EEXIST);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7 + i / 251);
    EXPECT_EQ(write(fd, big, sizeof big), sizeof big);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), sizeof big);
    EXPECT_EQ(pread(fd, back, sizeof back, 0), sizeof big);
    EXPECT_MEMEQ(back, big, sizeof big);
    EXPECT_EQ(pread(fd, back, 10, sizeof big - 4), 4);
    EXPECT_EQ(lseek(fd, 0, SEEK_END), sizeof big);
    EXPECT_OK(ftruncate(fd, 5));
    EXPECT_EQ(pread(fd, back, sizeof back, 0), 5);
    EXPECT_ERRNO(fsync(fd), EIO);
    EXPECT_OK(close(fd));
    fd = open("m/dir/new", O_WRONLY | O_APPEND);
    ASSERT_OK(fd);
    EXPECT_EQ(write(fd, "abc", 3), 3);
    EXPECT_EQ(write(fd, "defgh", 5), 5);
    EXPECT_ERRNO(close(fd), EDQUOT);  // 13 bytes: what FLUSH says
    fd = open("m/dir/new", O_WRONLY | O_TRUNC);
    ASSERT_OK(fd);
    close(fd);
    struct stat st;
    EXPECT_OK(stat("m/dir/new", &st));
    EXPECT_EQ(st.st_size, 0);
    EXPECT_OK(chmod("m/dir/new", 0600));
    EXPECT_OK(stat("m/dir/new", &st));
    EXPECT_EQ(st.st_mode, S_IFREG | 0600);
    EXPECT_OK(rename("m/dir/new", "m/moved"));
    EXPECT_ERRNO(stat("m/dir/new", &st), ENOENT);
    EXPECT_OK(stat("m/moved", &st));
    EXPECT_OK(symlink("moved", "m/link"));
    char text[32] = "";
    EXPECT_EQ(readlink("m/link", text, sizeof text), 5);
    EXPECT_OK(access("m/link", F_OK));
    EXPECT_OK(mkdir("m/d2", 0700));
    EXPECT_ERRNO(mkdir("m/d2", 0700), EEXIST);
    EXPECT_OK(rename("m/moved", "m/d2/x"));
    EXPECT_OK(unlink("m/d2/x"));
    EXPECT_OK(rmdir("m/d2"));
    EXPECT_ERRNO(rmdir("m/d2"), ENOENT);
    unmounted();
}
TEST(writes) { writes_and_names(PLAIN); }
TEST(writes_without_create) { writes_and_names(NO_CREATE); }

TEST(open_without_the_daemon) {
    in_tmpdir();
    mounted(NO_OPEN, 1);
    char buf[64];
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(get_file("m/hello", buf, sizeof buf), 14);
    EXPECT_EQ(sh->opens, 1);
    unmounted();
}

TEST(times) {
    in_tmpdir();
    mounted(PLAIN, 1000);
    struct stat st;
    for (int i = 0; i < 5; i++)
        EXPECT_OK(stat("m/hello", &st));
    EXPECT_EQ(sh->lookups, 1);
    EXPECT_EQ(sh->getattrs, 0);
    unmounted();
    EXPECT_OK(rmdir("m"));
    mounted(PLAIN, 0);
    for (int i = 0; i < 5; i++)
        EXPECT_OK(stat("m/hello", &st));
    EXPECT_EQ(sh->lookups, 5);
    // A descriptor of the name is found under it still.
    int fd = open("m/dir", O_RDONLY | O_DIRECTORY);
    EXPECT_OK(fchdir(fd));
    char cwd[4096];
    EXPECT_TRUE(getcwd(cwd, sizeof cwd) && !strcmp(cwd + strlen(cwd) - 6, "/m/dir"));
    EXPECT_OK(chdir("../.."));
    close(fd);
    comes_to(&sh->releases, 1);
    unmounted();
}

TEST(daemon_dies) {
    in_tmpdir();
    mounted(SILENT_READ, 1);
    char buf[8];
    int fd = open("m/hello", O_RDONLY);
    ASSERT_OK(fd);
    pid_t reader = fork_child();
    if (reader == 0) {
        EXPECT_ERRNO(read(fd, buf, sizeof buf), ECONNABORTED);
        child_done();
    }
    sleep_ms(50);
    kill(daemon_pid, SIGKILL);
    EXPECT_EQ(wait_exit(daemon_pid), -SIGKILL);
    EXPECT_EQ(wait_exit(reader), 0);
    EXPECT_ERRNO(read(fd, buf, sizeof buf), ENOTCONN);
    EXPECT_ERRNO(open("m/dir", O_RDONLY), ENOTCONN);
    close(fd);
    EXPECT_OK(umount2("m", 0));
}

static void nothing(int sig) {}
TEST(interrupted) {
    in_tmpdir();
    mounted(SILENT_READ, 1);
    char buf[8];
    int fd = open("m/hello", O_RDONLY);
    ASSERT_OK(fd);
    pid_t reader = fork_child();
    if (reader == 0) {
        on_signal(SIGUSR1, nothing, 0);
        EXPECT_ERRNO(read(fd, buf, sizeof buf), EINTR);
        child_done();
    }
    sleep_ms(100);
    for (int k = 0; k < 1000 && sh->interrupts == 0; k++) {
        kill(reader, SIGUSR1);
        sleep_ms(10);
    }
    EXPECT_EQ(wait_exit(reader), 0);
    EXPECT_EQ(sh->interrupts, 1);
    close(fd);
    unmounted();
}

TEST(killed) {
    in_tmpdir();
    mounted(SILENT_READ, 1);
    char buf[8];
    int fd = open("m/hello", O_RDONLY);
    ASSERT_OK(fd);
    kill(daemon_pid, SIGSTOP);
    pid_t reader = fork_child();
    if (reader == 0) {
        EXPECT_ERRNO(read(fd, buf, sizeof buf), EINTR);
        child_done();
    }
    sleep_ms(100);
    kill(reader, SIGKILL);
    EXPECT_EQ(wait_exit(reader), -SIGKILL);
    kill(daemon_pid, SIGCONT);
    close(fd);
    comes_to(&sh->releases, 1);
    unmounted();
}

TEST(nonsense) {
    in_tmpdir();
    mounted(NONSENSE, 1);
    char buf[8];
    int fd = open("m/hello", O_RDONLY);
    ASSERT_OK(fd);
    EXPECT_ERRNO(read(fd, buf, sizeof buf), EIO);
    close(fd);
    unmounted();
}

// Writes that wait for a disk: the offset moves once.
TEST(writes_through) {
    in_tmpdir();
    mounted(SYNCS, 1);
    int fd = open("m/f", O_CREAT | O_RDWR | O_SYNC, 0600);
    ASSERT_OK(fd);
    EXPECT_EQ(write(fd, "abc", 3), 3);
    EXPECT_EQ(write(fd, "defg", 4), 4);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 7);
    char buf[16];
    EXPECT_EQ(pread(fd, buf, sizeof buf, 0), 7);
    EXPECT_MEMEQ(buf, "abcdefg", 7);
    close(fd);
    unmounted();
}

// A name with a slash leads nowhere.
TEST(bad_names) {
    in_tmpdir();
    mounted(BAD_NAME, 1);
    DIR *d = opendir("m");
    ASSERT_TRUE(d != NULL);
    struct dirent *e;
    errno = 0;
    while ((e = readdir(d)))
        EXPECT_TRUE(!strchr(e->d_name, '/'));
    EXPECT_EQ(errno, EIO);
    closedir(d);
    unmounted();
}

TEST(many_at_once) {
    in_tmpdir();
    mounted(PLAIN, 0);
    pid_t pids[8];
    for (int k = 0; k < 8; k++) {
        pids[k] = fork_child();
        if (pids[k])
            continue;
        char name[32], buf[64];
        snprintf(name, sizeof name, "m/dir/f%d", k);
        for (int i = 0; i < 20; i++) {
            put_file(name, "0123456789");
            EXPECT_EQ(get_file(name, buf, sizeof buf), 10);
            EXPECT_OK(unlink(name));
        }
        child_done();
    }
    for (int k = 0; k < 8; k++)
        EXPECT_EQ(wait_exit(pids[k]), 0);
    unmounted();
}

// Who makes a name by O_EXCL or mkdir(2) has made it, though another one finds it before the answer is there.
static void made_once(bool dir) {
    in_tmpdir();
    mounted(LATE, 1);
    pid_t maker = fork_child();
    if (maker == 0) {
        if (dir)
            EXPECT_OK(mkdir("m/x", 0700));
        else
            EXPECT_OK(open("m/x", O_CREAT | O_EXCL | O_RDWR, 0600));
        child_done();
    }
    comes_to(&sh->late, 1);
    struct stat st;
    EXPECT_OK(stat("m/x", &st));
    EXPECT_EQ(st.st_mode & S_IFMT, dir ? S_IFDIR : S_IFREG);
    EXPECT_EQ(wait_exit(maker), 0);
    EXPECT_OK(stat("m/x", &st));
    unmounted();
}
TEST(makes_a_file_once) { made_once(false); }
TEST(makes_a_directory_once) { made_once(true); }

// Two append; what one has been told of the size is old when the other has written.
TEST(appends) {
    in_tmpdir();
    mounted(PLAIN, 0);
    int fd = open("m/log", O_CREAT | O_RDWR | O_APPEND, 0600);
    ASSERT_OK(fd);
    EXPECT_EQ(write(fd, "abc", 3), 3);
    sh->way = LATE;
    pid_t first = fork_child();
    if (first == 0) {
        EXPECT_EQ(write(fd, "def", 3), 3);
        child_done();
    }
    for (int k = 0; k < 100 && !sh->late; k++)  // Linux does not ask
        sleep_ms(5);
    EXPECT_EQ(write(fd, "ghi", 3), 3);
    EXPECT_EQ(wait_exit(first), 0);
    char buf[16];
    EXPECT_EQ(pread(fd, buf, sizeof buf, 0), 9);
    EXPECT_MEMEQ(buf, "abc", 3);
    close(fd);
    unmounted();
}

// A signal that has a handler ends no question that the daemon has not read yet; one that kills does.
TEST(signals_before_it_is_read) {
    in_tmpdir();
    mounted(PLAIN, 0);
    struct stat st;
    EXPECT_OK(stat("m", &st));
    kill(daemon_pid, SIGSTOP);
    pid_t dies = fork_child();
    if (dies == 0) {
        stat("m/dir", &st);
        _exit(1);
    }
    sleep_ms(100);
    kill(dies, SIGTERM);
    EXPECT_EQ(wait_exit(dies), -SIGTERM);
    pid_t handles = fork_child();
    if (handles == 0) {
        on_signal(SIGUSR1, nothing, 0);
        EXPECT_OK(stat("m/hello", &st));
        child_done();
    }
    sleep_ms(100);
    kill(handles, SIGUSR1);
    sleep_ms(100);
    kill(daemon_pid, SIGCONT);
    EXPECT_EQ(wait_exit(handles), 0);
    unmounted();
}

// A daemon's EAGAIN is the caller's: there is nothing to wait for.
TEST(again_is_an_answer) {
    in_tmpdir();
    mounted(AGAIN, 1);
    char buf[8];
    int fd = open("m/hello", O_RDONLY);
    ASSERT_OK(fd);
    EXPECT_ERRNO(read(fd, buf, sizeof buf), EAGAIN);
    EXPECT_ERRNO(pread(fd, buf, sizeof buf, 0), EAGAIN);
    close(fd);
    unmounted();
}

// A read by a ring whose owner is killed keeps nothing.
TEST(ring_of_the_killed) {
    in_tmpdir();
    mounted(SILENT_READ, 1);
    int *ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t reader = fork_child();
    if (reader == 0) {
        static char buf[8];
        struct ring r;
        ring_init(&r, 4, 0);
        int fd = open("m/hello", O_RDONLY);
        ring_prep(&r, IORING_OP_READ, fd, buf, sizeof buf, 0, 1);
        __atomic_store_n(ready, 1, __ATOMIC_SEQ_CST);
        ring_submit(&r, 0);  // Linux asks the daemon in it
        for (;;)
            pause();
    }
    for (int k = 0; k < 2000 && !__atomic_load_n(ready, __ATOMIC_SEQ_CST); k++)
        sleep_ms(5);
    sleep_ms(200);
    kill(reader, SIGKILL);
    EXPECT_EQ(wait_exit(reader), -SIGKILL);
    comes_to(&sh->releases, 1);
    unmounted();
}

// Two processes write by one description: neither's bytes lie over the other's.
TEST(shared_offset) {
    in_tmpdir();
    mounted(PLAIN, 1);
    int fd = open("m/out", O_CREAT | O_RDWR, 0600);
    ASSERT_OK(fd);
    pid_t pids[2];
    for (int k = 0; k < 2; k++) {
        pids[k] = fork_child();
        if (pids[k])
            continue;
        for (int i = 0; i < 50; i++)
            EXPECT_EQ(write(fd, k ? "bb" : "a", (size_t)k + 1), k + 1);
        child_done();
    }
    for (int k = 0; k < 2; k++)
        EXPECT_EQ(wait_exit(pids[k]), 0);
    char buf[200];
    EXPECT_EQ(pread(fd, buf, sizeof buf, 0), 150);
    int as = 0;
    for (int i = 0; i < 150; i++)
        as += buf[i] == 'a';
    EXPECT_EQ(as, 50);
    close(fd);
    unmounted();
}

// By force is for who may take it off, and is over it: not for a namespace that was given a view of it.
TEST(force) {
    in_tmpdir();
    mounted(PLAIN, 1000);
    char buf[64];
    EXPECT_ERRNO(umount2("m/dir", MNT_FORCE), EINVAL);
    pid_t below = fork_child();
    if (below == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
            _exit(0);
        EXPECT_TRUE(umount2("m", MNT_FORCE) < 0 && (errno == EINVAL || errno == EPERM));
        child_done();
    }
    EXPECT_EQ(wait_exit(below), 0);
    EXPECT_EQ(get_file("m/hello", buf, sizeof buf), 14);
    int fd = open("m/hello", O_RDONLY);
    ASSERT_OK(fd);
    EXPECT_ERRNO(umount2("m", MNT_FORCE), EBUSY);
    EXPECT_ERRNO(open("m/none", O_RDONLY), ENOTCONN);
    close(fd);
    unmounted();
}

// allow_other: those of the namespace that has mounted it, not who is over that.
TEST(others) {
    in_tmpdir();
    int *ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uid_t uid = geteuid();
    pid_t owner = fork_child();
    if (owner == 0) {
        char map[32], buf[64];
        if (uid != 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
            _exit(0);
        snprintf(map, sizeof map, "0 %u 1", uid);
        put_file("/proc/self/uid_map", map);
        put_file("/proc/self/setgroups", "deny");
        put_file("/proc/self/gid_map", map);
        mounted(FOR_OTHERS, 1);
        EXPECT_EQ(get_file("m/hello", buf, sizeof buf), 14);
        *ready = 1;
        while (__atomic_load_n(ready, __ATOMIC_SEQ_CST) == 1)
            sleep_ms(5);
        unmounted();
        child_done();
    }
    for (int k = 0; k < 1000 && !__atomic_load_n(ready, __ATOMIC_SEQ_CST); k++)
        sleep_ms(5);
    if (*ready) {
        char name[4300], cwd[4096];
        struct stat st;
        snprintf(name, sizeof name, "/proc/%d/root%s/m/hello", owner, getcwd(cwd, sizeof cwd));
        EXPECT_ERRNO(stat(name, &st), EACCES);
        *ready = 2;
    }
    EXPECT_EQ(wait_exit(owner), 0);
}

TEST(errors) {
    in_tmpdir();
    own_mounts();
    ASSERT_OK(mkdir("m", 0755));
    int null = open("/dev/null", O_RDWR);
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", null);
    if (mount("x", "m", "fuse", 0, options) < 0 && (errno == EPERM || errno == ENODEV))
        SKIP("may not mount FUSE");
    EXPECT_ERRNO(mount("x", "m", "fuse", 0, options), EINVAL);
    EXPECT_ERRNO(mount("x", "m", "fuse", 0, "rootmode=40000,user_id=0,group_id=0"), EINVAL);
    EXPECT_ERRNO(mount("x", "m", "fuse", 0, "fd=999,rootmode=40000,user_id=0,group_id=0"), EINVAL);
    dev = open("/dev/fuse", O_RDWR);
    ASSERT_OK(dev);
    struct pollfd p = {.fd = dev, .events = POLLIN};
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLERR);
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0", dev);
    EXPECT_ERRNO(mount("x", "m", "fuse", 0, options), EINVAL);
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,nonsense", dev);
    EXPECT_ERRNO(mount("x", "m", "fuse", 0, options), EINVAL);
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", dev);
    ASSERT_OK(mount("x", "m", "fuse", 0, options));
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLIN);
    EXPECT_ERRNO(read(dev, request, 100), EINVAL);
    EXPECT_TRUE(read(dev, request, sizeof request) > 40);
    EXPECT_EQ(in->opcode, FUSE_INIT);
    EXPECT_EQ(in->nodeid, 0);
    uint64_t unique = in->unique;
    struct fuse_out_header h = {.len = sizeof h, .unique = unique + 100};
    EXPECT_ERRNO(write(dev, &h, sizeof h), ENOENT);
    EXPECT_ERRNO(write(dev, &h, sizeof h - 1), EINVAL);
    h.len++;
    EXPECT_ERRNO(write(dev, &h, sizeof h), EINVAL);
    h = (struct fuse_out_header){.len = sizeof h, .unique = unique, .error = 5};
    EXPECT_ERRNO(write(dev, &h, sizeof h), EINVAL);
    EXPECT_EQ(poll(&p, 1, 0), 0);
    EXPECT_OK(umount2("m", MNT_DETACH));
    EXPECT_ERRNO(read(dev, request, sizeof request), ENODEV);
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLERR);
    close(dev);
}

// Private maps, and shared ones for reading, have the file's bytes; a file can be executed.
TEST(maps) {
    static char big[100000];
    in_tmpdir();
    mounted(PLAIN, 1);
    int fd = open("m/f", O_CREAT | O_RDWR, 0700);
    ASSERT_OK(fd);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 11 + i / 253);
    EXPECT_EQ(write(fd, big, sizeof big), sizeof big);
    char *p = mmap(NULL, sizeof big, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    ASSERT_TRUE(p != MAP_FAILED);
    EXPECT_MEMEQ(p, big, sizeof big);
    p[0] = 1;
    EXPECT_OK(munmap(p, sizeof big));
    p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    ASSERT_TRUE(p != MAP_FAILED);
    EXPECT_MEMEQ(p, big, 4096);
    EXPECT_OK(munmap(p, 4096));
    EXPECT_OK(close(fd));
    fd = open("m/f", O_RDONLY);
    p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
    ASSERT_TRUE(p != MAP_FAILED);
    EXPECT_MEMEQ(p, big + 4096, 4096);
    EXPECT_OK(munmap(p, 4096));
    close(fd);
    unmounted();
}
ROLE(from_fuse) { return 42; }
TEST(executes) {
    in_tmpdir();
    mounted(PLAIN, 1);
    static char buf[BYTES];
    int from = open(guest.exe, O_RDONLY), to = open("m/prog", O_CREAT | O_WRONLY, 0755);
    ssize_t n = read(from, buf, sizeof buf);
    if (n == sizeof buf)
        SKIP("the program is too big");
    EXPECT_EQ(write(to, buf, (size_t)n), n);
    close(from);
    close(to);
    pid_t pid = fork_child();
    if (pid == 0) {
        execl("m/prog", "m/prog", "from_fuse", NULL);
        _exit(errno);
    }
    EXPECT_EQ(wait_exit(pid), 42);
    unmounted();
}
