// SPDX-License-Identifier: Apache-2.0
// covers: setpgid, kill
// A group that becomes orphaned with stopped members gets SIGHUP and SIGCONT (man 2 exit, setpgid NOTES).
#include "guest.h"

TEST(hangup_and_continue)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t leader = fork_child();
    if (leader == 0) {
        ASSERT_OK(setsid());
        pid_t pid = fork();
        if (pid == 0) {
            setpgid(0, 0);
            signal(SIGHUP, SIG_DFL);
            raise(SIGSTOP);
            _exit(write(fds[1], "not hung up", 11) != 11);
        }
        int status;
        EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
        child_done();
    }
    close(fds[1]);
    EXPECT_EQ(wait_exit(leader), 0);
    char text[16];
    EXPECT_EQ(read_all(fds[0], text, sizeof(text)), 0);
    close(fds[0]);
}

TEST(terminal_stop_does_nothing_in_an_orphaned_group)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        ASSERT_OK(setsid());
        signal(SIGTSTP, SIG_DFL);
        EXPECT_OK(raise(SIGTSTP));
        child_done();
    }
    int status;
    EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
