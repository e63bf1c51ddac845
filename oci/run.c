// SPDX-License-Identifier: Apache-2.0
// See run.h. What it reads lies in a memfd: a program that does not read it holds nothing up. It leads a
// process group, which is killed when its time is over.
#include "oci/run.h"
#include "base/cleanup.h"
#include "oci/oci.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int run_input(const char *text) {
    int fd = memfd_create("state", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t n = strlen(text);
    if (write_whole(fd, text, n) && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    close(fd);
    return -1;
}

static int open_namespace(pid_t of, const char *kind) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)of, kind);
    return open(path, O_RDONLY | O_CLOEXEC);
}

// Nothing to do where it is ours: to join that, too, takes a privilege.
static bool join_one(int ns, const char *own, int kind) {
    struct stat there, here;
    if (fstat(ns, &there) < 0 || stat(own, &here) < 0)
        return false;
    return (there.st_dev == here.st_dev && there.st_ino == here.st_ino) || setns(ns, kind) == 0;
}

static bool join(pid_t of) {
    int net cleanup_close = open_namespace(of, "net"), mnt cleanup_close = open_namespace(of, "mnt");
    int root cleanup_close = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int cwd cleanup_close = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat old, new;
    if (root < 0 || cwd < 0 || !join_one(net, "/proc/self/ns/net", CLONE_NEWNET) ||
        !join_one(mnt, "/proc/self/ns/mnt", CLONE_NEWNS))
        return false;
    bool moved = fstat(root, &old) < 0 || stat("/", &new) < 0 || old.st_dev != new.st_dev ||
                 old.st_ino != new.st_ino;
    return !moved || (fchdir(root) == 0 && chroot(".") == 0 && fchdir(cwd) == 0);
}

// As a shell would start it: no signal is blocked or ignored.
static _Noreturn void be_program(const char *path, char *const argv[], char *const envp[], int input,
                                 pid_t within) {
    sigset_t none;
    sigemptyset(&none);
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    if (dup2(input, 0) == 0 && (!within || join(within)))
        execve(path, argv, envp ? envp : environ);
    _exit(errno == ENOENT ? 127 : 126);
}

void run_describe(int status, char *why, size_t size) {
    if (WIFSIGNALED(status))
        snprintf(why, size, "ended by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) == 127)
        snprintf(why, size, "no such file or directory, or exit status 127");
    else
        snprintf(why, size, "exit status %d", WEXITSTATUS(status));
}

int run_program(const char *path, char *const argv[], char *const envp[], const char *input, pid_t within,
                int seconds, char *why, size_t size) {
    int fd cleanup_close = run_input(input), status;
    pid_t pid = fd < 0 ? -1 : fork();
    if (pid == 0)
        be_program(path, argv, envp, fd, within);
    if (pid < 0) {
        snprintf(why, size, "%s", strerror(errno));
        return -1;
    }
    int pidfd cleanup_close = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int n = TEMP_FAILURE_RETRY(poll(&p, 1, seconds * 1000));
    if (n == 0)
        kill(kill(-pid, 0) == 0 ? -pid : pid, SIGKILL);
    if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
        status = 0x7f00;
    if (n == 0)
        snprintf(why, size, "killed: not done after %d s", seconds);
    else
        run_describe(status, why, size);
    return n == 0 || status != 0 ? -1 : 0;
}
