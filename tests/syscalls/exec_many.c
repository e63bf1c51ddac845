// SPDX-License-Identifier: Apache-2.0
// covers: execve
// Very many arguments, long strings and repeated exec in one process (man 2 execve, Limits on size of
// arguments).
#include "guest.h"

ROLE(count)
{
    unsigned sum = 0;
    for (int i = 2; i < argc; i++)
        sum += strlen(argv[i]);
    guest_print("%d %u", argc, sum);
    return 0;
}

ROLE(again)
{
    int left = atoi(argv[2]);
    char text[16];
    if (left == 0)
        return 17;
    snprintf(text, sizeof(text), "%d", left - 1);
    execl(guest.exe, guest.exe, "again", text, NULL);
    return 99;
}

static void expect_counted(int count, size_t length)
{
    char **argv = calloc(count + 3, sizeof(*argv)), *word = malloc(length + 1), want[64], got[64];
    memset(word, 'w', length);
    word[length] = 0;
    argv[0] = guest.exe;
    argv[1] = "count";
    for (int i = 0; i < count; i++)
        argv[i + 2] = word;
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t pid = fork_child();
    if (pid == 0) {
        dup2(fds[1], 1);
        execv(guest.exe, argv);
        _exit(errno);
    }
    close(fds[1]);
    read_all(fds[0], got, sizeof(got));
    close(fds[0]);
    snprintf(want, sizeof(want), "%d %zu", count + 2, count * length);
    EXPECT_STREQ(got, want);
    EXPECT_EQ(wait_exit(pid), 0);
    free(argv);
    free(word);
}

TEST(many_arguments)
{
    expect_counted(20000, 3);
}

TEST(long_arguments)
{
    expect_counted(8, 131000);
}

TEST(repeated)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        execl(guest.exe, guest.exe, "again", "30", NULL);
        _exit(98);
    }
    EXPECT_EQ(wait_exit(pid), 17);
}
