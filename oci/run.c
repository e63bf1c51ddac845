// SPDX-License-Identifier: Apache-2.0
// See run.h. What it reads lies in a memfd: a program that does not read it holds nothing up. It leads a
// process group, which is killed when its time is over.
#include "oci/run.h"
#include "base/cleanup.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int run_input(const char *text) {
    int fd = memfd_create("state", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t n = strlen(text);
    if (write(fd, text, n) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    close(fd);
    return -1;
}

// As a shell would start it: no signal is blocked or ignored.
static void be_program(const char *path, char *const argv[], char *const envp[], int input) {
    sigset_t none;
    sigemptyset(&none);
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    if (dup2(input, 0) == 0)
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

int run_program(const char *path, char *const argv[], char *const envp[], const char *input, int seconds,
                char *why, size_t size) {
    int fd cleanup_close = run_input(input), status;
    pid_t pid = fd < 0 ? -1 : fork();
    if (pid == 0)
        be_program(path, argv, envp, fd);
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
