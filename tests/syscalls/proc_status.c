// SPDX-License-Identifier: Apache-2.0
// covers: open, read
// /proc/self/status and stat: names, ids, state, threads, parent (man 5 proc).
#include "guest.h"

static char *field(const char *name)
{
    static char text[8192];
    get_file("/proc/self/status", text, sizeof(text));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        size_t length = strlen(name);
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            return line + length + 1 + strspn(line + length + 1, " \t");
    }
    return "";
}

static void *wait_for_byte(void *fd)
{
    char c;
    return (void *)read(*(int *)fd, &c, 1);
}

TEST(identity)
{
    EXPECT_EQ(atoi(field("Pid")), getpid());
    EXPECT_EQ(atoi(field("Tgid")), getpid());
    EXPECT_EQ(atoi(field("PPid")), getppid());
    EXPECT_EQ(atoi(field("Uid")), getuid());
    EXPECT_EQ(atoi(field("Gid")), getgid());
    EXPECT_EQ(field("State")[0], 'R');
    EXPECT_STREQ(field("Name"), "proc_status");
    EXPECT_GE(atoi(field("VmSize")), 100);
    EXPECT_GE(atoi(field("VmRSS")), 10);
}

TEST(threads)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, wait_for_byte, &fds[0]), 0);
    EXPECT_EQ(atoi(field("Threads")), 2);
    close(fds[1]);
    pthread_join(thread, NULL);
    close(fds[0]);
}

TEST(signal_masks)
{
    IN_CHILD {
        block_signal(SIG_BLOCK, SIGUSR1);
        signal(SIGUSR2, SIG_IGN);
        EXPECT_EQ(strtoull(field("SigBlk"), NULL, 16), 1ULL << (SIGUSR1 - 1));
        EXPECT_EQ(strtoull(field("SigIgn"), NULL, 16) >> (SIGUSR2 - 1) & 1, 1);
    }
}

TEST(stat_line)
{
    char text[1024], name[64], state;
    int pid, ppid, pgrp, session;
    ASSERT_TRUE(get_file("/proc/self/stat", text, sizeof(text)) > 0);
    EXPECT_EQ(sscanf(text, "%d (%63[^)]) %c %d %d %d", &pid, name, &state, &ppid, &pgrp, &session), 6);
    EXPECT_EQ(pid, getpid());
    EXPECT_STREQ(name, "proc_status");
    EXPECT_EQ(state, 'R');
    EXPECT_EQ(ppid, getppid());
    EXPECT_EQ(pgrp, getpgrp());
    EXPECT_EQ(session, getsid(0));
}

TEST(speculation)
{
    EXPECT_TRUE(field("Speculation_Store_Bypass")[0] != 0);
    EXPECT_TRUE(field("SpeculationIndirectBranch")[0] != 0);
}

TEST(zombie)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    siginfo_t info;
    EXPECT_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    ASSERT_TRUE(get_file(path, text, sizeof(text)) > 0);
    EXPECT_EQ(strrchr(text, ')')[2], 'Z');
    EXPECT_EQ(wait_exit(pid), 0);
    EXPECT_ERRNO(access(path, F_OK), ENOENT);
}
