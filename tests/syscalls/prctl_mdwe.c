// SPDX-License-Identifier: Apache-2.0
// covers: prctl, mmap, mprotect
// PR_SET_MDWE (man 2 prctl, Linux 6.3): memory is not made runnable that was or is writable; forks and
// programs that are executed inherit that, unless told otherwise (6.6).
#include "guest.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define SET_MDWE   65
#define GET_MDWE   66
#define REFUSE     1ul
#define NO_INHERIT 2ul

static long map(int prot) {
    void *p = mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? -1 : (munmap(p, 4096), 0);
}

static bool missing(void) { return prctl(GET_MDWE, 0, 0, 0, 0) == -1 && errno == EINVAL; }

ROLE(show) { return prctl(GET_MDWE, 0, 0, 0, 0); }

static int executed(unsigned long bits) {
    pid_t child = fork_child();
    if (child == 0) {
        prctl(SET_MDWE, bits, 0, 0, 0);
        execl(guest.exe, guest.exe, "show", NULL);
        _exit(99);
    }
    return wait_exit(child);
}

TEST(refuses) {
    if (missing())
        SKIP("older than Linux 6.3");
    IN_CHILD {
        char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
        char *x = map_pages(1, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS);
        EXPECT_EQ(map(PROT_READ | PROT_WRITE | PROT_EXEC), 0);
        EXPECT_OK(prctl(SET_MDWE, REFUSE, 0, 0, 0));
        EXPECT_ERRNO(map(PROT_WRITE | PROT_EXEC), EACCES);
        EXPECT_EQ(map(PROT_READ | PROT_EXEC), 0);
        EXPECT_ERRNO(mprotect(p, 4096, PROT_READ | PROT_EXEC), EACCES);
        EXPECT_ERRNO(mprotect(x, 4096, PROT_WRITE | PROT_EXEC), EACCES);
        EXPECT_OK(mprotect(x, 4096, PROT_READ | PROT_EXEC));
        EXPECT_OK(mprotect(x, 4096, PROT_READ));
        EXPECT_ERRNO(mprotect(x, 4096, PROT_EXEC), EACCES);
        EXPECT_EQ(prctl(GET_MDWE, 0, 0, 0, 0), REFUSE);
        EXPECT_ERRNO(prctl(SET_MDWE, 0, 0, 0, 0), EPERM);
        EXPECT_OK(prctl(SET_MDWE, REFUSE, 0, 0, 0));
        pid_t child = fork_child();
        if (child == 0)
            _exit(map(PROT_WRITE | PROT_EXEC) == -1 && errno == EACCES ? 0 : 1);
        EXPECT_EQ(wait_exit(child), 0);
    }
    EXPECT_EQ(map(PROT_WRITE | PROT_EXEC), 0);
}

TEST(is_inherited) {
    if (missing())
        SKIP("older than Linux 6.3");
    EXPECT_EQ(executed(0), 0);
    EXPECT_EQ(executed(REFUSE), REFUSE);
    IN_CHILD {
        if (prctl(SET_MDWE, REFUSE | NO_INHERIT, 0, 0, 0) == -1)
            SKIP("older than Linux 6.6");
        EXPECT_ERRNO(map(PROT_WRITE | PROT_EXEC), EACCES);
        pid_t child = fork_child();
        if (child == 0)
            _exit(map(PROT_WRITE | PROT_EXEC) == 0 ? 0 : 1);
        EXPECT_EQ(wait_exit(child), 0);
    }
    EXPECT_EQ(executed(REFUSE | NO_INHERIT), 0);
}

TEST(errors) {
    if (missing())
        SKIP("older than Linux 6.3");
    EXPECT_ERRNO(prctl(SET_MDWE, 4, 0, 0, 0), EINVAL);
    EXPECT_ERRNO(prctl(SET_MDWE, NO_INHERIT, 0, 0, 0), EINVAL);
    EXPECT_ERRNO(prctl(SET_MDWE, REFUSE, 1, 0, 0), EINVAL);
    EXPECT_ERRNO(prctl(GET_MDWE, 1, 0, 0, 0), EINVAL);
}
