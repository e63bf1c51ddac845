// SPDX-License-Identifier: Apache-2.0
// covers: setns, unshare, execve, ptrace, process_vm_readv
// Who may look into a process whose memory is from before it entered a user namespace, or whose program its
// user may not read: a capability over the namespace that the process is in is not enough, ptrace(2).
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include "guest.h"

enum { SOMEBODY = 1234 };
static char secret[] = "the secret";

static void need_root_and_userns(void) {
    if (geteuid() != 0)
        SKIP("not root");
    int pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWUSER) != 0);
    if (wait_exit(pid) != 0)
        SKIP("no user namespaces here");
}

static void be_somebody(void) {
    ASSERT_OK(setgroups(0, NULL));
    ASSERT_OK(setresgid(SOMEBODY, SOMEBODY, SOMEBODY));
    ASSERT_OK(setresuid(SOMEBODY, SOMEBODY, SOMEBODY));
    ASSERT_OK(prctl(PR_SET_DUMPABLE, 1));
}

static void expect_closed(int pid, void *at) {
    char path[64], got[sizeof(secret)];
    struct iovec l = {got, sizeof(got)}, r = {at, sizeof(got)};
    EXPECT_ERRNO(process_vm_readv(pid, &l, 1, &r, 1, 0), EPERM);
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    EXPECT_ERRNO(open(path, O_RDONLY), EACCES);
    snprintf(path, sizeof(path), "/proc/%d/fd/0", pid);
    EXPECT_ERRNO(readlink(path, got, sizeof(got)), EACCES);
}

static int ask(int to, int from) {
    char c = 0;
    return write(to, &c, 1) == 1 && read(from, &c, 1) == 1;
}

// Somebody makes a namespace, root enters it: neither the maker nor its root may look into root.
TEST(who_enters_a_namespace_stays_closed) {
    need_root_and_userns();
    int ready[2], go[2], self = getpid();
    ASSERT_OK(pipe(ready));
    ASSERT_OK(pipe(go));
    int maker = ASSERT_OK(fork_child());
    if (maker == 0) {
        be_somebody();
        int inside = ASSERT_OK(fork_child());
        if (inside == 0)
            ASSERT_OK(unshare(CLONE_NEWUSER));
        int in = inside ? wait_exit(inside) : 0;
        if (inside == 0) {
            int me = getpid(), entered = 0;
            ASSERT_EQ(write(ready[1], &me, sizeof(me)), sizeof(me));
            ASSERT_EQ(read(go[0], &entered, sizeof(entered)), sizeof(entered));
            expect_closed(entered, secret);
            child_done();
        }
        EXPECT_EQ(in, 0);
        int entered;
        ASSERT_EQ(read(go[0], &entered, sizeof(entered)), sizeof(entered));
        expect_closed(entered, secret);
        child_done();
    }
    int inside;
    ASSERT_EQ(read(ready[0], &inside, sizeof(inside)), sizeof(inside));
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/user", inside);
    int ns = ASSERT_OK(open(path, O_RDONLY));
    int hold[2];
    ASSERT_OK(pipe(hold));
    int root = ASSERT_OK(fork_child());
    if (root == 0) {
        ASSERT_OK(setns(ns, CLONE_NEWUSER));
        EXPECT_TRUE(prctl(PR_GET_DUMPABLE) != 1);
        ASSERT_TRUE(ask(ready[1], hold[0]));
        child_done();
    }
    char c;
    ASSERT_EQ(read(ready[0], &c, 1), 1);
    ASSERT_EQ(write(go[1], (int[]){root, root}, 2 * sizeof(int)), 2 * sizeof(int));
    EXPECT_EQ(wait_exit(maker), 0);
    ASSERT_EQ(write(hold[1], &c, 1), 1);
    EXPECT_EQ(wait_exit(root), 0);
    EXPECT_EQ(getpid(), self);
}

static void copy_self(const char *to, unsigned mode) {
    int in = ASSERT_OK(open("/proc/self/exe", O_RDONLY)), out = ASSERT_OK(open(to, O_CREAT | O_WRONLY, 0700));
    struct stat st;
    ASSERT_OK(fstat(in, &st));
    for (off_t at = 0; at < st.st_size;)
        ASSERT_TRUE(sendfile(out, in, &at, st.st_size - at) > 0);
    close(in);
    close(out);
    ASSERT_OK(chmod(to, mode));
}

ROLE(nothing) { return 0; }

// Run by one in a namespace of somebody's, who traces it from outside.
static void trace(const char *program, bool closed) {
    int pid = ASSERT_OK(fork_child()), status;
    if (pid == 0) {
        ASSERT_OK(unshare(CLONE_NEWUSER));
        ASSERT_OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
        execl(program, program, "nothing", NULL);
        _exit(errno);
    }
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSTOPPED(status));
    struct user_regs_struct regs;
    ASSERT_OK(ptrace(PTRACE_GETREGS, pid, 0, &regs));
    errno = 0;
    long word = ptrace(PTRACE_PEEKTEXT, pid, regs.rip, 0);
    if (closed) {
        EXPECT_EQ(word, -1);
        EXPECT_EQ(errno, EIO);
        EXPECT_ERRNO(ptrace(PTRACE_POKETEXT, pid, regs.rip, 0), EIO);
        expect_closed(pid, (void *)regs.rip);
    } else {
        EXPECT_EQ(errno, 0);
        EXPECT_OK(ptrace(PTRACE_POKETEXT, pid, regs.rip, word));
    }
    ASSERT_OK(ptrace(PTRACE_CONT, pid, 0, 0));
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(a_program_that_may_not_be_read) {
    need_root_and_userns();
    in_tmpdir();
    ASSERT_OK(chmod(".", 0755));
    copy_self("closed", 0711);
    copy_self("open", 0755);
    IN_CHILD {
        be_somebody();
        trace("./open", false);
        trace("./closed", true);
    }
}
