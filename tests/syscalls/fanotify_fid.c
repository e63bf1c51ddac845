// SPDX-License-Identifier: Apache-2.0
// covers: fanotify_init, fanotify_mark
// Groups that are told handles and names (man 7 fanotify, FAN_REPORT_*), and listeners without privileges.
#include "fanotify_text.h"

#include <sched.h>
#include <sys/mount.h>

#define NAMES  (FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME)
#define DIRENT (FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO)

static void look(const char *path) {
    char c;
    int fd = ASSERT_OK(open(path, O_RDONLY));
    ASSERT_OK(read(fd, &c, 1));
    close(fd);
}

TEST(fid) {
    in_tmpdir();
    put_file("f", "text");
    ASSERT_OK(mkdir("d", 0700));
    int fan = fan_open(FAN_REPORT_FID);
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN | FAN_ATTRIB | FAN_MODIFY | FAN_DELETE_SELF | FAN_MOVE_SELF,
                       AT_FDCWD, "f"));
    EXPECT_OK(fan_mark(fan, MARK_ADD, DIRENT | FAN_ONDIR, AT_FDCWD, "."));
    look("f");
    EXPECT_OK(chmod("f", 0600));
    EXPECT_OK(truncate("f", 1));
    EXPECT_STREQ(fan_events(fan), "MODIFY|ATTRIB|OPEN fid=a");
    EXPECT_OK(rename("f", "d/f"));
    EXPECT_STREQ(fan_events(fan), "MOVED_FROM fid=b, MOVE_SELF fid=a");
    EXPECT_OK(mkdir("e", 0700));
    EXPECT_OK(rmdir("e"));
    EXPECT_STREQ(fan_events(fan), "CREATE|DELETE|ONDIR fid=b");
    EXPECT_OK(unlink("d/f"));
    EXPECT_STREQ(fan_events(fan), "ATTRIB|DELETE_SELF fid=a");
    EXPECT_ERRNO(fan_mark(fan, MARK_REMOVE, FAN_OPEN, AT_FDCWD, "d"), ENOENT);
    close(fan);
}

TEST(directory_fid) {
    in_tmpdir();
    put_file("f", "text");
    ASSERT_OK(mkdir("d", 0700));
    int fan = fan_open(FAN_REPORT_DIR_FID);
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN | DIRENT | FAN_ONDIR | FAN_EVENT_ON_CHILD, AT_FDCWD, "."));
    look("f");
    EXPECT_STREQ(fan_events(fan), "OPEN fid=a");
    close(ASSERT_OK(open("d", O_RDONLY)));
    EXPECT_STREQ(fan_events(fan), "OPEN|ONDIR dfid=b");
    EXPECT_OK(unlink("f"));
    EXPECT_STREQ(fan_events(fan), "DELETE dfid=a");
    close(fan);
}

TEST(names) {
    in_tmpdir();
    put_file("f", "text");
    ASSERT_OK(mkdir("d", 0700));
    int fan = fan_open(FAN_REPORT_DIR_FID | FAN_REPORT_NAME);
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN | FAN_CLOSE | DIRENT | FAN_ONDIR | FAN_EVENT_ON_CHILD,
                       AT_FDCWD, "."));
    look("f");
    EXPECT_STREQ(fan_events(fan), "CLOSE_NOWRITE|OPEN dfid_name=a:f");
    close(ASSERT_OK(open("d", O_RDONLY)));
    EXPECT_STREQ(fan_events(fan), "CLOSE_NOWRITE|OPEN|ONDIR dfid_name=b:.");
    EXPECT_OK(mkdir("e", 0700));
    EXPECT_OK(rename("f", "a longer name"));
    EXPECT_OK(unlink("a longer name"));
    EXPECT_STREQ(fan_events(fan), "CREATE|ONDIR dfid_name=a:e, MOVED_FROM dfid_name=a:f, "
                                  "MOVED_TO|DELETE dfid_name=a:a longer name");
    close(fan);
}

TEST(names_and_objects) {
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0700));
    int fan = fan_open(NAMES);
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN | FAN_ATTRIB | DIRENT | FAN_ONDIR | FAN_EVENT_ON_CHILD,
                       AT_FDCWD, "d"));
    put_file("d/f", "text");
    EXPECT_STREQ(fan_events(fan), "CREATE dfid_name=a:f, OPEN dfid_name=a:f fid=b");
    EXPECT_OK(chmod("d/f", 0600));
    EXPECT_OK(chmod("d", 0755));
    EXPECT_STREQ(fan_events(fan), "ATTRIB dfid_name=a:f fid=b, ATTRIB|ONDIR dfid_name=a:.");
    close(fan);
    fan = fan_open(NAMES | FAN_REPORT_TARGET_FID);
    EXPECT_OK(fan_mark(fan, MARK_ADD, DIRENT | FAN_ONDIR, AT_FDCWD, "d"));
    EXPECT_ERRNO(fan_mark(fan, MARK_ADD, DIRENT, AT_FDCWD, "d/f"), ENOTDIR);
    EXPECT_OK(link("d/f", "d/g"));
    EXPECT_OK(mkdir("d/e", 0700));
    EXPECT_OK(unlink("d/f"));
    EXPECT_STREQ(fan_events(fan), "CREATE dfid_name=a:g fid=b, CREATE|ONDIR dfid_name=a:e fid=c, "
                                  "DELETE dfid_name=a:f fid=b");
    close(fan);
}

TEST(of_a_file_with_names) {
    in_tmpdir();
    put_file("f", "text");
    int fan = fan_open(NAMES);
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN | FAN_DELETE_SELF, AT_FDCWD, "f"));
    look("f");
    EXPECT_STREQ(fan_events(fan), "OPEN dfid_name=a:f fid=b");
    EXPECT_OK(unlink("f"));
    EXPECT_STREQ(fan_events(fan), "DELETE_SELF fid=b");
    close(fan);
}

TEST(renames) {
    in_tmpdir();
    ASSERT_OK(mkdir("a", 0700));
    ASSERT_OK(mkdir("b", 0700));
    put_file("a/f", "");
    int fan = fan_open(NAMES | FAN_REPORT_TARGET_FID), old = fan_open(FAN_REPORT_DIR_FID | FAN_REPORT_NAME);
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_RENAME | FAN_ONDIR, AT_FDCWD, "a"));
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_RENAME | FAN_ONDIR, AT_FDCWD, "b"));
    EXPECT_OK(fan_mark(old, MARK_ADD, FAN_RENAME | FAN_MOVED_FROM, AT_FDCWD, "a"));
    EXPECT_OK(rename("a/f", "b/g"));
    EXPECT_STREQ(fan_events(fan), "RENAME old=a:f new=b:g fid=c");
    EXPECT_STREQ(fan_events(old), "RENAME old=a:f, MOVED_FROM dfid_name=a:f");
    EXPECT_OK(rename("b/g", "a/f"));
    EXPECT_STREQ(fan_events(fan), "RENAME old=b:g new=a:f fid=c");
    EXPECT_STREQ(fan_events(old), "RENAME new=a:f");
    close(fan);
    close(old);
}

TEST(of_a_file_system) {
    in_tmpdir();
    int fan = fan_open(NAMES);
    IN_CHILD {
        ASSERT_OK(unshare(CLONE_NEWNS));
        ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        ASSERT_OK(mount("t", ".", "tmpfs", 0, NULL));
        ASSERT_OK(chdir(guest.tmpdir));
        ASSERT_OK(mkdir("d", 0700));
        put_file("d/f", "");
        EXPECT_OK(fan_mark(fan, MARK_ADD | MARK_FILESYSTEM, DIRENT | FAN_DELETE_SELF, AT_FDCWD, "."));
        EXPECT_OK(rename("d/f", "g"));
        EXPECT_OK(unlink("g"));
        EXPECT_STREQ(fan_events(fan), "MOVED_FROM dfid_name=a:f, MOVED_TO|DELETE dfid_name=b:g, "
                                      "DELETE_SELF fid=c");
        ASSERT_OK(chdir("/"));
        EXPECT_OK(umount(guest.tmpdir));
    }
    EXPECT_STREQ(fan_events(fan), "-");
    close(fan);
}

TEST(pidfds_and_threads) {
    in_tmpdir();
    put_file("f", "text");
    int fan = fan_open(FAN_REPORT_PIDFD), tids = fan_open(FAN_REPORT_TID);
    EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN, AT_FDCWD, "f"));
    EXPECT_OK(fan_mark(tids, MARK_ADD, FAN_OPEN, AT_FDCWD, "f"));
    look("f");
    EXPECT_STREQ(fan_events(fan), "OPEN f pidfd=yes");
    EXPECT_EQ(fan_pid, getpid());
    pid_t pid = ASSERT_OK(fork());
    if (pid == 0) {
        look("f");
        _exit(0);
    }
    wait_status(pid);
    EXPECT_STREQ(fan_events(tids), "OPEN f, OPEN f");
    EXPECT_EQ(fan_pid, pid);
    fan_events(fan);
    EXPECT_EQ(fan_pid, pid);
    close(fan);
    close(tids);
}

TEST(without_privileges) {
    in_tmpdir();
    ASSERT_OK(chmod(".", 0777));
    put_file("f", "text");
    close(fan_open(0));
    IN_CHILD {
        ASSERT_OK(setresuid(1000, 1000, 1000));
        EXPECT_ERRNO(fan_init(0, 0), EPERM);
        EXPECT_ERRNO(fan_init(FAN_REPORT_FID | FAN_UNLIMITED_QUEUE, 0), EPERM);
        EXPECT_ERRNO(fan_init(FAN_REPORT_FID | FAN_REPORT_PIDFD, 0), EPERM);
        EXPECT_ERRNO(fan_init(FAN_CLASS_CONTENT, 0), EPERM);
        int fan = ASSERT_OK(fan_init(FAN_REPORT_FID | FAN_NONBLOCK, 0));
        EXPECT_ERRNO(fan_mark(fan, MARK_ADD | MARK_MOUNT, FAN_OPEN, AT_FDCWD, "f"), EPERM);
        EXPECT_ERRNO(fan_mark(fan, MARK_ADD | MARK_FILESYSTEM, FAN_OPEN, AT_FDCWD, "f"), EPERM);
        EXPECT_OK(fan_mark(fan, MARK_ADD, FAN_OPEN, AT_FDCWD, "f"));
        pid_t pid = ASSERT_OK(fork());
        if (pid == 0) {
            look("f");
            _exit(0);
        }
        wait_status(pid);
        EXPECT_STREQ(fan_events(fan), "OPEN fid=a");
        EXPECT_EQ(fan_pid, 0);  // another's number is not told
        look("f");
        fan_events(fan);
        EXPECT_EQ(fan_pid, getpid());
    }
    ASSERT_OK(chmod("f", 0));
    IN_CHILD {
        ASSERT_OK(setresuid(1000, 1000, 1000));
        int fan = ASSERT_OK(fan_init(FAN_REPORT_FID | FAN_NONBLOCK, 0));
        EXPECT_ERRNO(fan_mark(fan, MARK_ADD, FAN_OPEN, AT_FDCWD, "f"), EACCES);
    }
}
