// SPDX-License-Identifier: Apache-2.0
// covers: inotify_init1, inotify_add_watch
// What each call tells to a watched file and to the directory that it lies in, in order (man 7 inotify).
#include "inotify_text.h"

#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/socket.h>
#include <sys/xattr.h>

TEST(life_of_a_file)
{
    in_tmpdir();
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, ".", IN_ALL_EVENTS));
    int fd = ASSERT_OK(open("f", O_CREAT | O_RDWR | O_EXCL, 0600));
    EXPECT_STREQ(events(in), "a CREATE f, a OPEN f");
    EXPECT_EQ(write(fd, "12345", 5), 5);
    EXPECT_STREQ(events(in), "a MODIFY f");
    char c[4];
    EXPECT_EQ(pread(fd, c, 4, 0), 4);
    EXPECT_EQ(read(fd, c, 4), 0);  // at the end: nothing was read
    EXPECT_EQ(pwrite(fd, c, 0, 0), 0);
    EXPECT_STREQ(events(in), "a ACCESS f");
    EXPECT_OK(ftruncate(fd, 2));
    EXPECT_OK(fallocate(fd, 0, 0, 8));
    EXPECT_STREQ(events(in), "a MODIFY f");
    EXPECT_OK(fchmod(fd, 0644));
    EXPECT_STREQ(events(in), "a ATTRIB f");
    close(fd);
    EXPECT_STREQ(events(in), "a CLOSE_WRITE f");
    close(ASSERT_OK(open("f", O_RDONLY | O_CREAT, 0600)));
    EXPECT_STREQ(events(in), "a OPEN f, a CLOSE_NOWRITE f");
    EXPECT_ERRNO(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
    EXPECT_STREQ(events(in), "");
    EXPECT_OK(unlink("f"));
    EXPECT_STREQ(events(in), "a DELETE f");
    close(in);
}

TEST(file_and_directory_both_watched)
{
    in_tmpdir();
    put_file("f", "x");
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, ".", IN_ALL_EVENTS));
    ASSERT_OK(inotify_add_watch(in, "f", IN_ALL_EVENTS));
    int fd = ASSERT_OK(open("f", O_WRONLY));
    EXPECT_STREQ(events(in), "a OPEN f, b OPEN");
    EXPECT_EQ(write(fd, "y", 1), 1);
    EXPECT_STREQ(events(in), "a MODIFY f, b MODIFY");
    close(fd);
    EXPECT_STREQ(events(in), "a CLOSE_WRITE f, b CLOSE_WRITE");
    EXPECT_OK(unlink("f"));
    EXPECT_STREQ(events(in), "b ATTRIB, b DELETE_SELF, b IGNORED, a DELETE f");
    close(in);
}

TEST(attributes)
{
    in_tmpdir();
    put_file("f", "x");
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, "f", IN_ALL_EVENTS));
    EXPECT_OK(chmod("f", 0600));
    EXPECT_STREQ(events(in), "a ATTRIB");
    EXPECT_OK(chown("f", geteuid(), getegid()));
    EXPECT_STREQ(events(in), "a ATTRIB");
    EXPECT_OK(utimes("f", NULL));
    EXPECT_STREQ(events(in), "a ATTRIB");
    struct timespec atime_only[2] = {{1, 0}, {0, UTIME_OMIT}}, mtime_only[2] = {{0, UTIME_OMIT}, {1, 0}};
    EXPECT_OK(utimensat(AT_FDCWD, "f", atime_only, 0));
    EXPECT_STREQ(events(in), "a ACCESS");
    EXPECT_OK(utimensat(AT_FDCWD, "f", mtime_only, 0));
    EXPECT_STREQ(events(in), "a MODIFY");
    EXPECT_OK(truncate("f", 0));
    EXPECT_STREQ(events(in), "a MODIFY");
    EXPECT_OK(link("f", "g"));
    EXPECT_STREQ(events(in), "a ATTRIB");
    EXPECT_OK(unlink("g"));
    EXPECT_STREQ(events(in), "a ATTRIB");
    if (setxattr("f", "user.a", "1", 1, 0) == 0) {
        EXPECT_STREQ(events(in), "a ATTRIB");
        EXPECT_OK(removexattr("f", "user.a"));
        EXPECT_STREQ(events(in), "a ATTRIB");
    }
    EXPECT_ERRNO(chmod("f/x", 0600), ENOTDIR);
    EXPECT_STREQ(events(in), "");
    close(in);
}

TEST(open_with_truncation)
{
    in_tmpdir();
    put_file("f", "x");
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, "f", IN_ALL_EVENTS));
    close(ASSERT_OK(open("f", O_WRONLY | O_TRUNC)));
    const char *got = events(in);
    // Linux before 6.10 tells of the truncation first.
    if (strncmp(got, "a MODIFY", 8) == 0)
        EXPECT_STREQ(got, "a MODIFY, a OPEN, a CLOSE_WRITE");
    else
        EXPECT_STREQ(got, "a OPEN, a MODIFY, a CLOSE_WRITE");
    close(in);
}

TEST(other_kinds_of_names)
{
    in_tmpdir();
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, ".", IN_ALL_EVENTS));
    EXPECT_OK(mkdir("d", 0700));
    EXPECT_OK(symlink("d", "l"));
    EXPECT_OK(mkfifo("p", 0600));
    EXPECT_OK(mknod("r", S_IFREG | 0600, 0));
    EXPECT_OK(link("r", "h"));
    EXPECT_STREQ(events(in), "a CREATE|ISDIR d, a CREATE l, a CREATE p, a CREATE r, a CREATE h");
    struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "s"};
    int s = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_OK(bind(s, (struct sockaddr *)&sa, sizeof(sa)));
    EXPECT_STREQ(events(in), "a CREATE s");
    close(s);
    EXPECT_OK(rmdir("d"));
    EXPECT_OK(unlink("h"));
    EXPECT_STREQ(events(in), "a DELETE|ISDIR d, a DELETE h");
    EXPECT_ERRNO(mkdir("l", 0700), EEXIST);
    EXPECT_ERRNO(unlink("missing"), ENOENT);
    EXPECT_STREQ(events(in), "");
    close(in);
}

// An open counts when its other side is there; which of the two is told first is open.
TEST(fifos)
{
    in_tmpdir();
    ASSERT_OK(mkfifo("p", 0600));
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, "p", IN_ALL_EVENTS));
    pid_t child = fork_child();
    if (child == 0) {
        int w = ASSERT_OK(open("p", O_WRONLY));
        EXPECT_EQ(write(w, "x", 1), 1);
        child_done();
    }
    int r = ASSERT_OK(open("p", O_RDONLY));
    EXPECT_EQ(wait_exit(child), 0);
    const char *got = events(in);
    EXPECT_TRUE(!strncmp(got, "a OPEN", 6) && strstr(got, "a MODIFY") && strstr(got, "a CLOSE_WRITE"));
    char c;
    EXPECT_EQ(read(r, &c, 1), 1);
    EXPECT_STREQ(events(in), "a ACCESS");
    close(r);
    EXPECT_STREQ(events(in), "a CLOSE_NOWRITE");
    close(in);
}

TEST(reading_a_directory)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0700));
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, ".", IN_ALL_EVENTS));
    ASSERT_OK(inotify_add_watch(in, "d", IN_ALL_EVENTS));
    char buf[1024];
    int fd = ASSERT_OK(open("d", O_RDONLY | O_DIRECTORY));
    EXPECT_GE(syscall(SYS_getdents64, fd, buf, sizeof(buf)), 1);
    close(fd);
    EXPECT_STREQ(events(in), "a OPEN|ISDIR d, b OPEN|ISDIR, a ACCESS|ISDIR d, b ACCESS|ISDIR, "
                             "a CLOSE_NOWRITE|ISDIR d, b CLOSE_NOWRITE|ISDIR");
    EXPECT_OK(chmod("d", 0755));
    EXPECT_STREQ(events(in), "a ATTRIB|ISDIR d, b ATTRIB|ISDIR");
    put_file("d/f", "x");
    EXPECT_STREQ(events(in), "b CREATE f, b OPEN f, b MODIFY f, b CLOSE_WRITE f");
    EXPECT_OK(unlink("d/f"));
    EXPECT_OK(rmdir("d"));
    EXPECT_STREQ(events(in), "b DELETE f, b DELETE_SELF, b IGNORED, a DELETE|ISDIR d");
    close(in);
}

TEST(copies_between_files)
{
    in_tmpdir();
    put_file("from", "0123456789");
    int r = ASSERT_OK(open("from", O_RDONLY)), w = ASSERT_OK(open("to", O_CREAT | O_WRONLY, 0600));
    int in = inotify_make(), p[2];
    ASSERT_OK(pipe(p));
    ASSERT_OK(inotify_add_watch(in, "from", IN_ALL_EVENTS));
    ASSERT_OK(inotify_add_watch(in, "to", IN_ALL_EVENTS));
    EXPECT_EQ(sendfile(w, r, NULL, 4), 4);
    EXPECT_STREQ(events(in), "a ACCESS, b MODIFY");
    EXPECT_EQ(splice(r, NULL, p[1], NULL, 2, 0), 2);
    EXPECT_STREQ(events(in), "a ACCESS");
    EXPECT_EQ(splice(p[0], NULL, w, NULL, 2, 0), 2);
    EXPECT_STREQ(events(in), "b MODIFY");
    EXPECT_EQ(copy_file_range(r, NULL, w, NULL, 4, 0), 4);
    EXPECT_STREQ(events(in), "a ACCESS, b MODIFY");
    char *m = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, r, 0);
    EXPECT_EQ(m[0], '0');
    EXPECT_STREQ(events(in), "");
    munmap(m, 4096);
    close(in);
}

// A file that is deleted while it is open ends when it is closed.
TEST(deleted_while_open)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_CREAT | O_RDWR, 0600));
    ASSERT_OK(link("f", "g"));
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, "f", IN_ALL_EVENTS));
    ASSERT_OK(inotify_add_watch(in, ".", IN_ALL_EVENTS));
    EXPECT_OK(unlink("g"));
    EXPECT_STREQ(events(in), "a ATTRIB, b DELETE g");
    EXPECT_OK(unlink("f"));
    EXPECT_STREQ(events(in), "a ATTRIB, b DELETE f");
    EXPECT_EQ(write(fd, "x", 1), 1);
    EXPECT_STREQ(events(in), "b MODIFY f, a MODIFY");
    close(fd);
    EXPECT_STREQ(events(in), "b CLOSE_WRITE f, a CLOSE_WRITE, a DELETE_SELF, a IGNORED");
    EXPECT_ERRNO(inotify_rm_watch(in, 1), EINVAL);
    close(in);
}

// Who begins to watch what has no name any more is told its end, too.
TEST(watched_after_deletion)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0700));
    put_file("f", "x");
    int fds[2] = {ASSERT_OK(open("d", O_RDONLY | O_DIRECTORY)), ASSERT_OK(open("f", O_RDWR))};
    ASSERT_OK(rmdir("d"));
    ASSERT_OK(unlink("f"));
    int in = inotify_make();
    char path[64];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[i]);
        ASSERT_OK(inotify_add_watch(in, path, IN_CLOSE | IN_DELETE_SELF));
    }
    close(fds[0]);
    EXPECT_STREQ(events(in), "a CLOSE_NOWRITE|ISDIR, a DELETE_SELF, a IGNORED");
    close(fds[1]);
    EXPECT_STREQ(events(in), "b CLOSE_WRITE, b DELETE_SELF, b IGNORED");
    close(in);
}

TEST(programs)
{
    if (access("/bin/true", X_OK))
        SKIP("no /bin/true");
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, "/bin/true", IN_ALL_EVENTS));
    IN_CHILD {
        execl("/bin/true", "true", NULL);
    }
    const char *got = events(in);
    EXPECT_EQ(strncmp(got, "a OPEN, a ACCESS", 16), 0);
    EXPECT_TRUE(strstr(got, "a CLOSE_NOWRITE") != NULL);
    close(in);
}
