// SPDX-License-Identifier: Apache-2.0
// covers: inotify_init1, inotify_add_watch, inotify_rm_watch
// Renames: both halves with one cookie, what is moved, what is replaced, exchanges; watches follow the object
// (man 7 inotify).
#include "inotify_text.h"

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

static int exchange(const char *a, const char *b)
{
    return (int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
}

TEST(within_a_directory)
{
    in_tmpdir();
    put_file("f", "x");
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, ".", IN_ALL_EVENTS));
    ASSERT_OK(inotify_add_watch(in, "f", IN_ALL_EVENTS));
    EXPECT_OK(rename("f", "g"));
    EXPECT_STREQ(events(in), "a MOVED_FROM #1 f, a MOVED_TO #1 g, b MOVE_SELF");
    EXPECT_OK(rename("g", "f"));
    EXPECT_OK(rename("f", "f"));
    EXPECT_STREQ(events(in), "a MOVED_FROM #1 g, a MOVED_TO #1 f, b MOVE_SELF");
    close(in);
}

TEST(between_directories)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0700));
    ASSERT_OK(mkdir("e", 0700));
    ASSERT_OK(mkdir("d/sub", 0700));
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, "d", IN_ALL_EVENTS));
    ASSERT_OK(inotify_add_watch(in, "e", IN_ALL_EVENTS));
    ASSERT_OK(inotify_add_watch(in, "d/sub", IN_ALL_EVENTS));
    EXPECT_OK(rename("d/sub", "e/bus"));
    EXPECT_STREQ(events(in), "a MOVED_FROM|ISDIR #1 sub, b MOVED_TO|ISDIR #1 bus, c MOVE_SELF");
    put_file("e/bus/f", "");  // the watch has moved along
    EXPECT_STREQ(events(in), "c CREATE f, c OPEN f, c CLOSE_WRITE f");
    close(in);
}

TEST(over_another)
{
    in_tmpdir();
    put_file("f", "x");
    put_file("g", "y");
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, ".", IN_ALL_EVENTS));
    ASSERT_OK(inotify_add_watch(in, "f", IN_ALL_EVENTS));
    ASSERT_OK(inotify_add_watch(in, "g", IN_ALL_EVENTS));
    EXPECT_OK(rename("f", "g"));
    EXPECT_STREQ(events(in),
                 "a MOVED_FROM #1 f, a MOVED_TO #1 g, c ATTRIB, b MOVE_SELF, c DELETE_SELF, c IGNORED");
    put_file("g", "z");
    const char *got = events(in);
    EXPECT_TRUE(strstr(got, "b MODIFY") != NULL);
    EXPECT_TRUE(strstr(got, "c ") == NULL);
    close(in);
}

TEST(directory_over_another)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0700));
    ASSERT_OK(mkdir("e", 0700));
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, "d", IN_ALL_EVENTS));
    ASSERT_OK(inotify_add_watch(in, "e", IN_ALL_EVENTS));
    EXPECT_OK(rename("d", "e"));
    EXPECT_STREQ(events(in), "b ATTRIB|ISDIR, a MOVE_SELF, b DELETE_SELF, b IGNORED");
    close(in);
}

TEST(exchanged)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0700));
    ASSERT_OK(mkdir("d/sub", 0700));
    put_file("f", "x");
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, ".", IN_ALL_EVENTS));
    ASSERT_OK(inotify_add_watch(in, "d", IN_ALL_EVENTS));
    ASSERT_OK(inotify_add_watch(in, "f", IN_ALL_EVENTS));
    EXPECT_OK(exchange("f", "d/sub"));
    EXPECT_STREQ(events(in), "a MOVED_FROM #1 f, b MOVED_TO #1 sub, c MOVE_SELF, "
                             "b MOVED_FROM|ISDIR #2 sub, a MOVED_TO|ISDIR #2 f");
    close(in);
}

// Linux tells of nothing when two names of one file are renamed to each other.
TEST(same_file)
{
    in_tmpdir();
    put_file("f", "x");
    ASSERT_OK(link("f", "g"));
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, ".", IN_ALL_EVENTS));
    EXPECT_OK(rename("f", "g"));
    EXPECT_STREQ(events(in), "");
    close(in);
}

// A watch is of the object, by whichever name it was found and is used.
TEST(watch_by_another_name)
{
    in_tmpdir();
    put_file("f", "x");
    ASSERT_OK(link("f", "g"));
    ASSERT_OK(symlink("f", "l"));
    int in = inotify_make();
    int wd = ASSERT_OK(inotify_add_watch(in, "l", IN_MODIFY));
    EXPECT_EQ(inotify_add_watch(in, "g", IN_MODIFY), wd);
    put_file("g", "more");
    EXPECT_STREQ(events(in), "a MODIFY");
    EXPECT_OK(unlink("f"));
    put_file("g", "more");
    EXPECT_STREQ(events(in), "a MODIFY");
    close(in);
}

// The first change of a file that lies in a read-only layer below copies it: the watch stays with it.
TEST(first_change_of_a_file)
{
    const char *watched = "/etc/hostname";
    if (geteuid() != 0 || access(watched, W_OK))
        SKIP("a file of the system that may be changed is needed");
    int in = inotify_make();
    ASSERT_OK(inotify_add_watch(in, watched, IN_ATTRIB | IN_MODIFY));
    struct stat st;
    ASSERT_OK(stat(watched, &st));
    EXPECT_OK(chmod(watched, st.st_mode & 07777));
    EXPECT_STREQ(events(in), "a ATTRIB");
    int fd = ASSERT_OK(open(watched, O_RDWR));
    char c;
    ASSERT_EQ(pread(fd, &c, 1, 0), 1);
    EXPECT_EQ(pwrite(fd, &c, 1, 0), 1);
    EXPECT_STREQ(events(in), "a MODIFY");
    close(fd);
    close(in);
}
