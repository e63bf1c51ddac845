// SPDX-License-Identifier: Apache-2.0
// covers: open, write, rename, mkdir, link
// What must be atomic between processes: exclusive creation, appending, renaming over (man 2 open, man 2
// rename).
#include "guest.h"

enum { PROCESSES = 4 };

// Runs the work in some processes at once and returns the sum of their exit statuses.
static int together(int (*work)(int self))
{
    int fds[2], sum = 0;
    char c;
    pid_t pids[PROCESSES];
    ASSERT_OK(pipe(fds));
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = ASSERT_OK(fork());
        if (pids[i] == 0) {
            close(fds[1]);
            ssize_t n = read(fds[0], &c, 1);
            _exit(n == 0 ? work(i) : 200);
        }
    }
    close(fds[0]);
    close(fds[1]);
    for (int i = 0; i < PROCESSES; i++)
        sum += wait_exit(pids[i]);
    return sum;
}

static int create(int self)
{
    int won = 0;
    char name[16];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
        won += fd >= 0;
        close(fd);
    }
    return won;
}

TEST(exclusive_creation_has_one_winner)
{
    in_tmpdir();
    EXPECT_EQ(together(create), 50);
}

static int make_directories(int self)
{
    int won = 0;
    char name[16];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "d%d", i);
        won += mkdir(name, 0700) == 0;
    }
    return won;
}

TEST(mkdir_has_one_winner)
{
    in_tmpdir();
    EXPECT_EQ(together(make_directories), 50);
}

static int append(int self)
{
    int fd = open("log", O_WRONLY | O_APPEND);
    char line[10];
    memset(line, 'a' + self, 9);
    line[9] = '\n';
    for (int i = 0; i < 100; i++) {
        if (write(fd, line, 10) != 10)
            return 1;
    }
    return 0;
}

TEST(appends_do_not_overwrite)
{
    in_tmpdir();
    put_file("log", "");
    EXPECT_EQ(together(append), 0);
    static char text[PROCESSES * 1000 + 1];
    EXPECT_EQ(get_file("log", text, sizeof(text)), PROCESSES * 1000);
    int broken = 0;
    for (int i = 0; i < PROCESSES * 100; i++) {
        for (int k = 1; k < 9; k++)
            broken += text[i * 10 + k] != text[i * 10];
    }
    EXPECT_EQ(broken, 0);
}

static int replace(int self)
{
    char name[16];
    snprintf(name, sizeof(name), "tmp%d", self);
    for (int i = 0; i < 100; i++) {
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        if (write(fd, "complete", 8) != 8 || close(fd) < 0 || rename(name, "target") < 0)
            return 1;
        char text[16];
        fd = open("target", O_RDONLY);
        if (fd < 0 || read(fd, text, sizeof(text)) != 8)
            return 1;
        close(fd);
    }
    return 0;
}

TEST(renaming_over_never_shows_a_gap)
{
    in_tmpdir();
    put_file("target", "complete");
    EXPECT_EQ(together(replace), 0);
}
