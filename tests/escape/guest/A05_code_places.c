// SPDX-License-Identifier: Apache-2.0
// Where a syscall instruction may stand: across pages, at the end of memory, in code that changes under it;
// and where it may return to.
#include "escape.h"
#include <pthread.h>

static long call_code(void *code, long nr) {
    long ret;
    __asm__ volatile("call *%1"
                     : "=a"(ret)
                     : "r"(code), "a"(nr), "D"(0L), "S"(0L), "d"(0L)
                     : "rcx", "r11", "memory");
    return ret;
}

static void straddling(void) {
    unsigned char *code = code_pages(2, false);
    memcpy(code + PAGE - 1, "\x0f\x05\xc3", 3);
    if (call_code(code + PAGE - 1, SYS_getpid) != getpid())
        escaped("a call across pages returned another pid");
    for (int i = 0; i < 50; i++) {  // with mappings that come and go: the calls that need registers too
        long r = call_code(code + PAGE - 1, SYS_munmap);
        if (r != -EINVAL)
            escaped("munmap(0, 0) returned %ld", r);
    }
    mprotect(code + PAGE, PAGE, PROT_NONE);
    catch_faults();
    if (fault_of(call_code(code + PAGE - 1, SYS_getpid)) != SIGSEGV)
        escaped("half an instruction is enough");
}

static void top_of_memory(void) {
    for (volatile unsigned i = 1; i <= 2; i++) {
        unsigned char *last = (unsigned char *)(TASK_SIZE - i * PAGE);
        void *p = mmap(last, PAGE, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (p != last)
            continue;
        const long numbers[] = {SYS_getpid, SYS_munmap, SYS_mmap, SYS_clone};
        catch_faults();
        for (volatile size_t n = 0; n < 3; n++) {
            memcpy(last + PAGE - 2, "\x0f\x05", 2);
            if (fault_of(call_code(last + PAGE - 2, numbers[n])) == 0)
                escaped("a call at the end of memory returned");
        }
    }
    void *p = mmap((void *)TASK_SIZE, PAGE, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (p != MAP_FAILED)
        escaped("memory behind the end of user space");
}

// The return address of sysret is taken from the signal handler's frame: not canonical, or the kernel's half.
static void set_rip(int sig, siginfo_t *si, void *uc) {
    ((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP] =
        (greg_t)fault_signal == 0 ? (greg_t)NOT_CANONICAL : (greg_t)KERNEL_HALF;
}
static void bad_return_address(void) {
    struct sigaction sa = {.sa_sigaction = set_rip, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
}
static void bad_return_address_kernel(void) {
    fault_signal = 1;
    bad_return_address();
}

static unsigned char *shared_code;
static volatile bool stop;
static void *patcher(void *unused) {
    while (!stop) {
        memcpy(shared_code, "\x90\x90", 2);
        __sync_synchronize();
        memcpy(shared_code, "\x0f\x05", 2);
        __sync_synchronize();
    }
    return NULL;
}
static void self_modifying(void) {
    pthread_t t;

    shared_code = code_pages(1, false);
    memcpy(shared_code, "\x0f\x05\xc3", 3);
    catch_faults();
    need(pthread_create(&t, NULL, patcher, NULL) == 0);
    for (volatile int i = 0; i < 3000; i++) {
        volatile long r = 0;
        volatile long nr = i & 1 ? SYS_getpid : SYS_munmap;
        int sig = fault_of(r = call_code(shared_code, nr));
        if (sig == 0 && r != nr && r != getpid() && r != -EINVAL)
            escaped("a call under change returned %ld", r);
    }
    stop = true;
    pthread_join(t, NULL);
}

ATTACKS({"A05_straddling", straddling, SURVIVES},
        {"A05_top_of_memory", top_of_memory, SURVIVES},
        {"A05_bad_return_address", bad_return_address, DIES},
        {"A05_bad_return_address_kernel", bad_return_address_kernel, DIES},
        {"A05_self_modifying", self_modifying, SURVIVES})
