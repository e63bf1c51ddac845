// SPDX-License-Identifier: Apache-2.0
// A core file, core(5): the status bit, the file's head, its notes and memory; RLIMIT_CORE, PR_SET_DUMPABLE;
// only for the signals that signal(7) marks so.
// covers: prctl, wait4, waitid
#include "guest.h"
#include <elf.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const char mark[] = "a string that is to be found in the core file";

static bool natively_here(void) {  // the host's pattern may send cores elsewhere
    char text[64] = "";
    get_file("/proc/sys/kernel/core_pattern", text, sizeof text);
    return !strncmp(text, "core\n", 5);
}

static int die_by(int sig, uint64_t limit, bool dumpable) {
    pid_t pid = fork();
    if (pid == 0) {
        char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memcpy(p + 100, mark, sizeof mark);
        setrlimit(RLIMIT_CORE, &(struct rlimit){limit, limit});
        prctl(PR_SET_DUMPABLE, dumpable);
        signal(sig, SIG_DFL);
        raise(sig);
        _exit(0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    return status;
}

static char *find_core(size_t *len) {
    int fd = open("core", O_RDONLY);
    if (fd < 0) {  // kernel.core_uses_pid
        char cmd[] = "core.0";
        fd = open(cmd, O_RDONLY);
    }
    if (fd < 0)
        return NULL;
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    *len = (size_t)st.st_size;
    char *p = mmap(NULL, *len, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    return p == MAP_FAILED ? NULL : p;
}

TEST(written) {
    if (!natively_here())
        SKIP("cores go elsewhere");
    in_tmpdir();
    int status = die_by(SIGSEGV, RLIM_INFINITY, true);
    EXPECT_EQ(WTERMSIG(status), SIGSEGV);
    EXPECT_TRUE(WCOREDUMP(status));
    size_t len;
    char *p = find_core(&len);
    ASSERT_TRUE(p != NULL);
    const Elf64_Ehdr *h = (void *)p;
    EXPECT_MEMEQ(h->e_ident, ELFMAG, SELFMAG);
    EXPECT_EQ(h->e_type, ET_CORE);
    EXPECT_EQ(h->e_machine, EM_X86_64);
    const Elf64_Phdr *ph = (void *)(p + h->e_phoff);
    EXPECT_EQ(ph[0].p_type, PT_NOTE);
    const Elf64_Nhdr *n = (void *)(p + ph[0].p_offset);
    EXPECT_EQ(n->n_type, NT_PRSTATUS);
    EXPECT_EQ(n->n_descsz, 336);
    EXPECT_STREQ((const char *)(n + 1), "CORE");
    EXPECT_EQ(*(const int *)((const char *)(n + 1) + 8), SIGSEGV);
    bool found = false;
    for (unsigned i = 1; i < h->e_phnum && !found; i++)
        found = ph[i].p_filesz && ph[i].p_offset + ph[i].p_filesz <= len &&
                memmem(p + ph[i].p_offset, ph[i].p_filesz, mark, sizeof mark);
    EXPECT_TRUE(found);
}

// What the limit counts are bytes that were written: a sparse core is within it.
TEST(small_limit) {
    if (!natively_here())
        SKIP("cores go elsewhere");
    in_tmpdir();
    EXPECT_TRUE(WCOREDUMP(die_by(SIGABRT, 1 << 20, true)));
}

TEST(told_to_waitid) {
    if (!natively_here())
        SKIP("cores go elsewhere");
    in_tmpdir();
    pid_t pid = fork_child();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
        abort();
    }
    siginfo_t info;
    EXPECT_OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
    EXPECT_EQ(info.si_code, CLD_DUMPED);
    EXPECT_EQ(info.si_status, SIGABRT);
}

TEST(not_written) {
    in_tmpdir();
    size_t len;
    EXPECT_EQ(die_by(SIGSEGV, 0, true), SIGSEGV);
    EXPECT_EQ(die_by(SIGTERM, RLIM_INFINITY, true), SIGTERM);
    EXPECT_EQ(die_by(SIGQUIT, RLIM_INFINITY, false), SIGQUIT);
    EXPECT_TRUE(find_core(&len) == NULL);
}

// A name that is already somebody's link is not written through.
TEST(not_through_links) {
    if (!natively_here())
        SKIP("cores go elsewhere");
    in_tmpdir();
    put_file("target", "untouched");
    ASSERT_OK(symlink("target", "core"));
    EXPECT_EQ(WTERMSIG(die_by(SIGABRT, RLIM_INFINITY, true)), SIGABRT);
    char text[32] = "";
    get_file("target", text, sizeof text);
    EXPECT_STREQ(text, "untouched");
}
