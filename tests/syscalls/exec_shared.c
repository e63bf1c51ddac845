// SPDX-License-Identifier: Apache-2.0
// covers: execve, clone
// A set-user-ID program gains nothing while another process shares its caller's place in the file system
// (CLONE_FS): that one could lead it about. Threads of the caller are no other process (man 2 execve;
// check_unsafe_exec() of Linux).
#include "guest.h"

#include <sched.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

// Exits with what it became: 1 the effective user changed, 2 AT_SECURE, 4 dumpable, 8 capabilities.
ROLE(report)
{
    char status[4096];
    unsigned long long effective = 0;
    get_file("/proc/self/status", status, sizeof(status));
    sscanf(strstr(status, "CapEff:"), "CapEff: %llx", &effective);
    return (geteuid() != getuid()) | (getauxval(AT_SECURE) != 0) << 1 | (prctl(PR_GET_DUMPABLE) == 1) << 2 |
           (effective != 0) << 3;
}

enum { GAINED = 1, SECURE = 2, DUMPABLE = 4, CAPABLE = 8 };

static void make_program(uid_t owner)
{
    if (geteuid() != 0)
        SKIP("needs root");
    in_tmpdir();
    ASSERT_OK(chmod(".", 0755));
    int in = ASSERT_OK(open(guest.exe, O_RDONLY)), out = ASSERT_OK(open("p", O_WRONLY | O_CREAT, 0755));
    char buffer[65536];
    for (ssize_t n; (n = read(in, buffer, sizeof(buffer))) > 0;)
        ASSERT_EQ(write(out, buffer, n), n);
    close(in);
    close(out);
    ASSERT_OK(chown("p", owner, owner));
    ASSERT_OK(chmod("p", 04755));
}

static void be_plain(void)
{
    ASSERT_OK(setgid(1001));
    ASSERT_OK(setuid(1001));
}

static pid_t fork_sharing(unsigned long flags)
{
    return ASSERT_OK((pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL));
}

static void run_program(void)
{
    execl("./p", "p", "report", NULL);
    _exit(99);
}

// What the program becomes when a child with `flags` of clone is there meanwhile.
static int beside(unsigned long flags)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        be_plain();
        pid_t self = getpid(), other = fork_sharing(flags);
        if (other == 0) {
            while (getppid() == self)
                sleep_ms(1);
            _exit(0);
        }
        run_program();
    }
    return wait_exit(pid);
}

TEST(alone_it_gains)
{
    make_program(0);
    int result = beside(0);
    if (result == DUMPABLE)
        SKIP("set-user-ID has no effect here (nosuid or no_new_privs)");
    EXPECT_EQ(result, GAINED | SECURE | CAPABLE);
}

TEST(beside_a_process_that_shares)
{
    make_program(0);
    int result = beside(CLONE_FS);
    EXPECT_EQ(result & (GAINED | CAPABLE), 0);
}

TEST(another_user_than_root)
{
    make_program(1002);
    EXPECT_EQ(beside(CLONE_FS) & (GAINED | CAPABLE), 0);
}

// Descriptors that are shared become private in exec, so they are no reason.
TEST(beside_a_process_that_shares_descriptors)
{
    make_program(1002);
    if (beside(0) == DUMPABLE)
        SKIP("set-user-ID has no effect here (nosuid or no_new_privs)");
    EXPECT_EQ(beside(CLONE_FILES), GAINED | SECURE);
}

static void *sleep_on(void *arg)
{
    for (;;)
        pause();
    return NULL;
}

TEST(threads_share_by_nature)
{
    make_program(1002);
    if (beside(0) == DUMPABLE)
        SKIP("set-user-ID has no effect here (nosuid or no_new_privs)");
    pid_t pid = fork_child();
    if (pid == 0) {
        pthread_t threads[3];
        be_plain();
        for (int i = 0; i < 3; i++)
            ASSERT_EQ(pthread_create(&threads[i], NULL, sleep_on, NULL), 0);
        run_program();
    }
    EXPECT_EQ(wait_exit(pid), GAINED | SECURE);
}

static void *end_at_once(void *arg)
{
    return NULL;
}

// A thread that has been joined has let go, however late its last steps are.
TEST(ended_threads_are_no_others)
{
    make_program(1002);
    if (beside(0) == DUMPABLE)
        SKIP("set-user-ID has no effect here (nosuid or no_new_privs)");
    for (int round = 0; round < 20; round++) {
        pid_t pid = fork_child();
        if (pid == 0) {
            pthread_t thread;
            be_plain();
            ASSERT_EQ(pthread_create(&thread, NULL, end_at_once, NULL), 0);
            pthread_join(thread, NULL);
            run_program();
        }
        EXPECT_EQ(wait_exit(pid), GAINED | SECURE);
    }
}

static void *clone_without_end(void *arg)
{
    for (;;) {
        pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FS | SIGCHLD, NULL, NULL, NULL, NULL);
        if (pid == 0) {
            sleep_ms(20);
            _exit(0);
        }
    }
    return NULL;
}

// A sibling thread shares the place with ever new processes while exec is under way.
TEST(nobody_joins_during_exec)
{
    make_program(1002);
    for (int round = 0; round < 10; round++) {
        pid_t pid = fork_child();
        if (pid == 0) {
            pthread_t thread;
            be_plain();
            ASSERT_EQ(pthread_create(&thread, NULL, clone_without_end, NULL), 0);
            sleep_ms(2);
            run_program();
        }
        int result = wait_exit(pid);
        EXPECT_TRUE(result == (GAINED | SECURE) || !(result & GAINED));
    }
}

// The one who left the shared place before the exec is alone.
TEST(after_unshare)
{
    make_program(1002);
    if (beside(0) == DUMPABLE)
        SKIP("set-user-ID has no effect here (nosuid or no_new_privs)");
    pid_t pid = fork_child();
    if (pid == 0) {
        be_plain();
        pid_t self = getpid(), other = fork_sharing(CLONE_FS);
        if (other == 0) {
            while (getppid() == self)
                sleep_ms(1);
            _exit(0);
        }
        ASSERT_OK(unshare(CLONE_FS));
        run_program();
    }
    EXPECT_EQ(wait_exit(pid), GAINED | SECURE);
}

// Root that has given up its capabilities gets them back by an exec, but not with no_new_privs.
TEST(no_new_privs_keeps_capabilities_away)
{
    if (geteuid() != 0)
        SKIP("needs root");
    for (int no_new_privs = 0; no_new_privs < 2; no_new_privs++) {
        pid_t pid = fork_child();
        if (pid == 0) {
            struct {
                uint32_t version, pid;
            } header = {0x20080522, 0};
            struct {
                uint32_t effective, permitted, inheritable;
            } none[2] = {{0}};
            ASSERT_OK((int)syscall(SYS_capset, &header, none));
            if (no_new_privs)
                ASSERT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
            execl(guest.exe, guest.exe, "report", NULL);
            _exit(99);
        }
        EXPECT_EQ(wait_exit(pid) & CAPABLE, no_new_privs ? 0 : CAPABLE);
    }
}
