// SPDX-License-Identifier: Apache-2.0
// Signals: those that the platform itself lives from, blocked, ignored, handled, sent and flooded.
#include "escape.h"
#include <pthread.h>

static long set_mask(uint64_t mask) {
    return raw(SYS_rt_sigprocmask, SIG_SETMASK, (uint64_t)&mask, 0, 8, 0, 0);
}

static void work_a_little(void) {
    must(getpid() > 0 && raw(SYS_munmap, 0, 0, 0, 0, 0, 0) == -EINVAL);
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(p != MAP_FAILED);
    *(volatile char *)p = 1;
    must(munmap(p, PAGE) == 0);
    pid_t pid = fork();
    need(pid >= 0);
    if (pid == 0)
        _exit(0);
    must(waitpid(pid, NULL, 0) == pid);
}

static void all_blocked(void) {
    must(set_mask(~0ul) == 0);
    for (int i = 0; i < 20; i++)
        work_a_little();
    if (raw(0x40000000 | SYS_getpid, 0, 0, 0, 0, 0, 0) != -ENOSYS)
        escaped("x32 with all signals blocked");
}

// A blocked or ignored fault ends the process, as on Linux.
static void fault_while(bool ignored, int sig) {
    pid_t pid = fork();
    need(pid >= 0);
    if (pid == 0) {
        if (ignored)
            signal(sig, SIG_IGN);
        else
            set_mask(~0ul);
        if (sig == SIGSEGV)
            *(volatile int *)8 = 1;
        else if (sig == SIGILL)
            __asm__ volatile("ud2");
        else
            __asm__ volatile("int3");
        _exit(0);
    }
    int status = wait_limited(pid, 5);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != sig)
        escaped("signal %d %s: status %#x", sig, ignored ? "ignored" : "blocked", (unsigned)status);
}
static void faults_while_blocked(void) {
    const int signals[] = {SIGSEGV, SIGILL, SIGTRAP};
    for (int i = 0; i < 3; i++) {
        fault_while(false, signals[i]);
        fault_while(true, signals[i]);
    }
}

static void all_ignored(void) {
    for (int sig = 1; sig <= 64; sig++) {
        struct {
            uint64_t handler, flags, restorer, mask;
        } sa = {1, 0, 0, 0};
        long r = raw(SYS_rt_sigaction, (uint64_t)sig, (uint64_t)&sa, 0, 8, 0, 0);
        if ((sig == SIGKILL || sig == SIGSTOP) && r != -EINVAL)
            escaped("signal %d can be ignored", sig);
    }
    signal(SIGCHLD, SIG_DFL);
    for (int i = 0; i < 20; i++)
        work_a_little();
    for (int sig = 1; sig <= 64; sig++)
        if (sig != SIGKILL && sig != SIGSTOP)
            raw(SYS_kill, (uint64_t)getpid(), (uint64_t)sig, 0, 0, 0, 0);
    work_a_little();
}

static volatile sig_atomic_t count;
static void counting(int sig) { count++; }

static void all_handled(void) {
    struct sigaction sa = {.sa_handler = counting, .sa_flags = SA_RESTART};
    for (int sig = 1; sig <= 64; sig++)
        if (sig != SIGKILL && sig != SIGSTOP && sig != SIGCHLD)
            sigaction(sig, &sa, NULL);
    for (int round = 0; round < 20; round++)
        for (int sig = 1; sig <= 64; sig++)
            if (sig != SIGKILL && sig != SIGSTOP && sig != SIGCHLD && sig != 32 && sig != 33)
                raw(SYS_tgkill, (uint64_t)getpid(), (uint64_t)getpid(), (uint64_t)sig, 0, 0, 0);
    work_a_little();
    if (count < 100)
        escaped("only %d signals came", (int)count);
}

// What only a kernel may say of itself.
static void forged_origins(void) {
    const int codes[] = {1, 2, 0x80, -6, 128, 0x7fffffff};
    pid_t pid = fork();
    need(pid >= 0);
    if (pid == 0) {
        pause();
        _exit(0);
    }
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        siginfo_t si = {.si_signo = SIGSEGV, .si_code = codes[i]};
        if (codes[i] >= 0 &&
            raw(SYS_rt_sigqueueinfo, (uint64_t)pid, SIGSYS, (uint64_t)&si, 0, 0, 0) != -EPERM)
            escaped("si_code %d for another process", codes[i]);
        if (codes[i] >= 0 &&
            raw(SYS_rt_tgsigqueueinfo, (uint64_t)pid, (uint64_t)pid, SIGSYS, (uint64_t)&si, 0, 0) != -EPERM)
            escaped("si_code %d for another thread", codes[i]);
    }
    kill(pid, SIGKILL);
    wait_limited(pid, 5);
}

// Two processes that flood each other, and a third that works under the flood.
static void flood(void) {
    struct sigaction sa = {.sa_handler = counting, .sa_flags = SA_RESTART};
    for (int sig = 34; sig <= 64; sig++)
        sigaction(sig, &sa, NULL);
    pid_t target = getpid();
    pid_t senders[2];
    for (int i = 0; i < 2; i++) {
        senders[i] = fork();
        need(senders[i] >= 0);
        if (senders[i] == 0) {
            // for ever, none would get anywhere on Linux either
            for (uint64_t stop = now_ms() + 1500; now_ms() < stop;)
                for (int k = 0; k < 31; k++)
                    kill(target, 34 + k);
            _exit(0);
        }
    }
    uint64_t end = now_ms() + 1500;
    while (now_ms() < end)
        work_a_little();
    for (int i = 0; i < 2; i++) {
        wait_limited(senders[i], 5);
    }
    if (count < 10)
        unjudged("only %d signals came in time", (int)count);
}

static void *thread_work(void *unused) {
    for (int i = 0; i < 100; i++)
        work_a_little();
    return NULL;
}
static void stop_and_go(void) {
    pid_t pid = fork();
    need(pid >= 0);
    if (pid == 0) {
        pthread_t t;
        need(pthread_create(&t, NULL, thread_work, NULL) == 0);
        thread_work(NULL);
        pthread_join(t, NULL);
        _exit(0);
    }
    for (int i = 0; i < 60; i++) {
        kill(pid, SIGSTOP);
        usleep(500);
        kill(pid, SIGCONT);
        usleep(500);
    }
    if (wait_limited(pid, 20) != 0)
        escaped("a process that was stopped and continued does not end well");
}

// A guest's own seccomp filter that traps, inside the platform's. (Unsupported is an answer, too.)
static void nested_filter(void) {
    struct {
        uint16_t code;
        uint8_t jt, jf;
        uint32_t k;
    } trap_all[] = {{0x06, 0, 0, 0x00030000}};
    struct {
        uint16_t len;
        void *filter;
    } prog = {1, trap_all};
    raw(SYS_prctl, 38, 1, 0, 0, 0, 0);
    long r = raw(SYS_seccomp, 1, 0, (uint64_t)&prog, 0, 0, 0);
    if (r == 0)
        raw(SYS_getpid, 0, 0, 0, 0, 0, 0);
    raw(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

ATTACKS({"A13_all_blocked", all_blocked, SURVIVES},
        {"A13_faults_while_blocked", faults_while_blocked, SURVIVES},
        {"A13_all_ignored", all_ignored, SURVIVES},
        {"A13_all_handled", all_handled, SURVIVES},
        {"A13_forged_origins", forged_origins, SURVIVES},
        {"A13_flood", flood, SURVIVES},
        {"A13_stop_and_go", stop_and_go, SURVIVES},
        {"A13_nested_filter", nested_filter, ENDS})
