// SPDX-License-Identifier: Apache-2.0
// The sentry's descriptors as a target: all sandbox shares them, so a user who takes all that it can get (one
// for each mapped memfd) must leave enough for opens, programs, shared memory and files of others.
#include "escape.h"
#include <sys/mman.h>
#include <sys/resource.h>

// Takes descriptors until something is refused, says so by a byte, and keeps them.
static void take_all(int tell) {
    if (geteuid() == 0)
        need(setgid(4000) == 0 && setuid(4000) == 0);
    for (int n = 0; n < 1 << 20; n++) {
        int fd = (int)syscall(SYS_memfd_create, "x", 0);
        if (fd < 0 || ftruncate(fd, PAGE) < 0)
            break;
        if (mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
            break;
    }
    need(write(tell, "x", 1) == 1);
    pause();
    _exit(0);
}

static void others_go_on(void) {
    int file = open("/etc/passwd", O_RDONLY), fresh = open("/tmp/A46-fresh", O_CREAT | O_RDWR, 0600);
    if (file < 0 || fresh < 0)
        escaped("no file can be opened: errno %d", errno);
    if (ftruncate(fresh, PAGE) < 0 || mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fresh, 0) == MAP_FAILED ||
        mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
        escaped("no memory can be shared: errno %d", errno);
    const char *ill = programs_are_well();
    if (ill)
        escaped("%s", ill);
}

// Without root there is one user: then it is enough that all is well when the hog has gone.
static void one_user_takes_all(void) {
    struct rlimit most;
    int told[2], status;
    char byte;
    need(getrlimit(RLIMIT_NOFILE, &most) == 0 && pipe(told) == 0);
    most.rlim_cur = most.rlim_max;
    need(setrlimit(RLIMIT_NOFILE, &most) == 0);
    pid_t hog = fork();
    need(hog >= 0);
    if (hog == 0)
        take_all(told[1]);
    need(read(told[0], &byte, 1) == 1);
    if (geteuid() == 0)
        others_go_on();
    kill(hog, SIGKILL);
    need(waitpid(hog, &status, 0) == hog);
    others_go_on();
}

ATTACKS({"A46_one_user_takes_all_descriptors", one_user_takes_all, SURVIVES})
