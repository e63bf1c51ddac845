// SPDX-License-Identifier: Apache-2.0
// badinput [CALL]: makes the cases of all calls, or of one, and prints a line for each. See bad.h.
//
// The cases run in namespaces of their own with no capability left, so that natively nothing of the host can
// be hurt, and in a tmpfs of their own, so that the file system is the same on both sides.
#include "bad.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/syscalls.h"
#include "places.h"

#define CASE_MS \
    20000  // a call that does not return is a fault of the table: this is only how long it takes to tell

#define NICE 10  // both sides are no nicer than this, whoever started them

struct result {
    volatile bool done;
    volatile int64_t value;
};
#define outcome_page ((struct result *)RESULT_AT)

// No C library between: its errno lies where a case may have put what it likes.
static int64_t raw(unsigned nr, const uint64_t *a) {
    register uint64_t r10 __asm__("r10") = a[3];
    register uint64_t r8 __asm__("r8") = a[4];
    register uint64_t r9 __asm__("r9") = a[5];
    int64_t value;
    __asm__ volatile("syscall"
                     : "=a"(value)
                     : "0"((uint64_t)nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return value;
}

static void write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) {
        perror(path);
        exit(2);
    }
    close(fd);
}

static void check(long value, const char *what) {
    if (value >= 0)
        return;
    perror(what);
    exit(2);
}

static void drop_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    check(syscall(SYS_capset, &header, data), "capset");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

static void own_world(void) {
    char map[64];
    snprintf(map, sizeof(map), "0 %u 1", geteuid());
    unsigned gid = getegid();
    check(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET),
          "unshare");
    write_text("/proc/self/uid_map", map);
    write_text("/proc/self/setgroups", "deny");
    snprintf(map, sizeof(map), "0 %u 1", gid);
    write_text("/proc/self/gid_map", map);
    pid_t init = fork();
    check(init, "fork");
    if (init) {
        int status;
        check(waitpid(init, &status, 0), "waitpid");
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getpriority(PRIO_PROCESS, 0) < NICE)
        check(setpriority(PRIO_PROCESS, 0, NICE), "setpriority");
    check(mount("none", "/tmp", "tmpfs", 0, "size=16m"), "mount");
    // Of its own: a call that changes a descriptor's file must not change the host's.
    check(mount("none", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666"), "devpts");
    check(chdir("/tmp"), "chdir");
    umask(022);
    struct rlimit files = {1024, 1024}, none = {0, 0};
    check(setrlimit(RLIMIT_NOFILE, &files), "rlimit");
    check(setrlimit(RLIMIT_CORE, &none), "rlimit");
    // What an exec keeps of it depends on how the caller made its processes.
    check(sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL), "sigaltstack");
    drop_capabilities();
}

static void nothing(int sig) { (void)sig; }

static void signals_make(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    check(sigprocmask(SIG_BLOCK, &set, NULL), "sigprocmask");
    check(sigaction(SIGUSR2, &(struct sigaction){.sa_handler = nothing}, NULL), "sigaction");
}

static void one_case(const struct call *call, const uint64_t *args) {
    setpgid(0, 0);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    close(null);
    pid_t pid = getpid();
    uint64_t own[MAX_ARGS];
    for (unsigned i = 0; i < MAX_ARGS; i++) {
        bool self = i < call->nargs && !strcmp(call->args[i].kind, "pid") && !args[i];
        own[i] = self ? (uint64_t)pid : args[i];
    }
    if (!strcmp(call->name, "rt_sigsuspend") || !strcmp(call->name, "rt_sigtimedwait"))
        kill(pid, SIGUSR2);  // so that there is something to wait for
    int64_t value = raw(call->nr, own);
    if ((uint64_t)raw(SYS_getpid, own) == (uint64_t)pid) {
        outcome_page->value = value;
        outcome_page->done = true;
    }
    raw(SYS_exit_group, (uint64_t[MAX_ARGS]){0});
}

static const char *outcome(pid_t pid, int pidfd, char *text, size_t size) {
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    int ended = poll(&wait, 1, CASE_MS);
    bool done = outcome_page->done;
    if (ended <= 0)
        kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (ended <= 0 && !done)
        return "does not return";
    if (done) {
        int64_t value = outcome_page->value;
        if (value >= 0 || value < -4095)
            return "ok";
        snprintf(text, size, "%s", strerrorname_np((int)-value) ? strerrorname_np((int)-value) : "?");
        return text;
    }
    if (WIFSIGNALED(status)) {
        snprintf(text, size, "signal %d", WTERMSIG(status));
        return text;
    }
    return "ended";
}

// Cases that are right to wait for ever.
static bool waits(const struct call *call, const char *what) {
    return (!strcmp(call->name, "poll") && !strncmp(what, "nfds=0 timeout=", 15)) ||
           (!strcmp(call->name, "ppoll") && !strcmp(what, "nfds=0 tmo_p=null"));
}

static void run_case(const struct call *call, const char *what, const uint64_t *args) {
    if (waits(call, what))
        return;
    *outcome_page = (struct result){0};
    unlink("new");
    fflush(stdout);
    pid_t pid = fork();
    check(pid, "fork");
    if (!pid)
        one_case(call, args);
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    char text[32];
    printf("%s %s: %s\n", call->name, what, outcome(pid, pidfd, text, sizeof(text)));
    close(pidfd);
    while (waitpid(-1, NULL, WNOHANG) > 0)  // a case's own children: this is their init
        ;
}

static void run_call(const struct call *call) {
    static struct value bad[MAX_ARGS][MAX_BAD];
    unsigned count[MAX_ARGS] = {0};
    uint64_t args[MAX_ARGS] = {0};
    char what[128];
    for (unsigned i = 0; i < call->nargs; i++) {
        count[i] = bad_values(call, &call->args[i], bad[i]);
        args[i] = call->args[i].good;
    }
    run_case(call, "fair", args);
    for (unsigned i = 0; i < call->nargs; i++) {
        for (unsigned v = 0; v < count[i]; v++) {
            args[i] = bad[i][v].value;
            snprintf(what, sizeof(what), "%s=%s", call->args[i].name, bad[i][v].text);
            run_case(call, what, args);
            for (unsigned j = i + 1; j < call->nargs && bad[i][v].paired; j++) {
                for (unsigned w = 0; w < count[j]; w++) {
                    if (!bad[j][w].paired)
                        continue;
                    args[j] = bad[j][w].value;
                    snprintf(what, sizeof(what), "%s=%s %s=%s", call->args[i].name, bad[i][v].text,
                             call->args[j].name, bad[j][w].text);
                    run_case(call, what, args);
                }
                args[j] = call->args[j].good;
            }
        }
        args[i] = call->args[i].good;
    }
}

int main(int argc, char **argv) {
    own_world();
    memory_make();
    signals_make();
    void *page = mmap((void *)RESULT_AT, PAGE, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    check(page == MAP_FAILED ? -1 : 0, "mmap");
    for (unsigned nr = 0; nr < LINUX_NR_COUNT; nr++) {
        struct call call;
        const char *why;
        bool mine = argc < 2;
        bool served = call_describe(nr, &call, &why);
        if (!served && !why)
            continue;
        for (int i = 1; i < argc; i++)
            mine |= !strcmp(argv[i], call.name);
        if (!mine)
            continue;
        if (!served) {
            printf("- %s: left out, %s\n", call.name, why);
            continue;
        }
        objects_make(call.name);  // anew for each call: cases read, write and remove them
        run_call(&call);
    }
    return 0;
}
