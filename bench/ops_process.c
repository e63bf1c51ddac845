// SPDX-License-Identifier: Apache-2.0
// Processes and threads that come and go.
#include "micro.h"
#include <pthread.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

static void op_fork(void) {
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0)
        _exit(0);
    check(waitpid(pid, NULL, 0) == pid, "wait");
}
static void wait_for(pid_t pid) {
    int status;
    check(waitpid(pid, &status, 0) == pid && status == 0, "exec");
}
static void op_exec(void) {
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        execl(self, self, "nothing", (char *)NULL);
        _exit(1);
    }
    wait_for(pid);
}
static void op_vfork_true(void) {
    pid_t pid = vfork();
    check(pid >= 0, "vfork");
    if (pid == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    wait_for(pid);
}
static void *nothing(void *arg) { return arg; }
static void op_thread(void) {
    pthread_t t;
    check(pthread_create(&t, NULL, nothing, NULL) == 0 && pthread_join(t, NULL) == 0, "thread");
}

const struct op process_ops[] = {
    {.name = "fork", .run = op_fork},
    {.name = "exec", .run = op_exec},
    {.name = "vfork_true", .run = op_vfork_true},
    {.name = "thread", .run = op_thread},
    {0},
};
