// SPDX-License-Identifier: Apache-2.0
// covers: setpgid, kill
// A group that becomes orphaned with stopped members gets SIGHUP and SIGCONT (man 2 exit, setpgid NOTES): by
// the end that orphans it, and by no other.
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

// In a session of its own: a group that is orphaned from the start, with a stopped member, and one that ends.
TEST(the_end_of_another_member_is_none)
{
    pid_t leader = fork_child();
    if (leader == 0) {
        ASSERT_OK(setsid());
        signal(SIGHUP, SIG_DFL);
        pid_t stopped = fork(), passing;
        if (stopped == 0) {
            raise(SIGSTOP);
            _exit(3);
        }
        int status;
        EXPECT_EQ(waitpid(stopped, &status, WUNTRACED), stopped);
        passing = fork();
        if (passing == 0)
            _exit(0);
        EXPECT_EQ(wait_exit(passing), 0);
        sleep_ms(20);
        EXPECT_EQ(waitpid(stopped, &status, WNOHANG | WUNTRACED | WCONTINUED), 0);
        EXPECT_OK(kill(stopped, SIGCONT));
        EXPECT_EQ(wait_exit(stopped), 3);
        child_done();
    }
    EXPECT_EQ(wait_exit(leader), 0);
}

// The group has a second member whose parent could continue it: nothing is lost while that one lives.
TEST(not_while_another_link_is_left)
{
    pid_t leader = fork_child();
    if (leader == 0) {
        ASSERT_OK(setsid());
        pid_t stopped = fork();
        if (stopped == 0) {
            setpgid(0, 0);
            raise(SIGSTOP);
            _exit(4);
        }
        int status;
        EXPECT_EQ(waitpid(stopped, &status, WUNTRACED), stopped);
        pid_t passing = fork();
        if (passing == 0) {
            ASSERT_OK(setpgid(0, stopped));
            _exit(0);
        }
        EXPECT_EQ(wait_exit(passing), 0);
        sleep_ms(20);
        EXPECT_EQ(waitpid(stopped, &status, WNOHANG | WUNTRACED | WCONTINUED), 0);
        EXPECT_OK(kill(stopped, SIGCONT));
        EXPECT_EQ(wait_exit(stopped), 4);
        child_done();
    }
    EXPECT_EQ(wait_exit(leader), 0);
}

// The link that goes is a member's own end: its parent was outside, the stopped one's parent is it.
TEST(by_the_end_of_a_member)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t leader = fork_child();
    if (leader == 0) {
        ASSERT_OK(setsid());
        pid_t middle = fork();
        if (middle == 0) {
            ASSERT_OK(setpgid(0, 0));
            pid_t stopped = fork();
            if (stopped == 0) {
                signal(SIGHUP, SIG_DFL);
                raise(SIGSTOP);
                _exit(write(fds[1], "not hung up", 11) != 11);
            }
            int status;
            EXPECT_EQ(waitpid(stopped, &status, WUNTRACED), stopped);
            child_done();
        }
        EXPECT_EQ(wait_exit(middle), 0);
        close(fds[1]);
        char text[16];
        EXPECT_EQ(read_all(fds[0], text, sizeof(text)), 0);
        child_done();
    }
    close(fds[1]);
    close(fds[0]);
    EXPECT_EQ(wait_exit(leader), 0);
}
