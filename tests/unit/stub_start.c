// SPDX-License-Identifier: Apache-2.0
// The first stub, on its way from a copy of the sentry to guest code, and the ptrace platform's filter, asked
// for every call that it must not pass.
#include "platform/ptrace/pt.h"
#include "platform/seccomp/sc.h"
#include <linux/audit.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
// after those
#include <cmocka.h>

#define FINE 250
// In the child, with raw calls only; the exit status is FINE, or the number of the line that does not hold.
#define hold(cond) \
    do { \
        if (!(cond)) \
            return __LINE__ & 0xff; \
    } while (0)

static int look_around(void *sentry) {
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[2];
    struct rlimit core;
    uint64_t blocked;
    int death = 0;
    hold(syscall(SYS_getppid) == *(pid_t *)sentry);
    hold(prctl(PR_GET_PDEATHSIG, &death) == 0 && death == SIGKILL);
    hold(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    hold(syscall(SYS_capget, &head, caps) == 0);
    hold(!(caps[0].permitted | caps[0].effective | caps[0].inheritable | caps[1].permitted |
           caps[1].effective));
    hold(syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, &core) == 0 && core.rlim_max == 0);
    hold(syscall(SYS_getpgid, 0) == syscall(SYS_getpid));
    hold(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &blocked, 8) == 0 && blocked == 0);
    _Static_assert(__LINE__ < FINE, "no line is taken for it");
    return FINE;
}

static void test_rights(void **state) {
    struct stub_place place;
    pid_t self = getpid();
    sigset_t all;
    int status;
    assert_int_equal(stub_place(1, &place), 0);
    struct stub_spawn s = {
        .place = &place, .clone_flags = SIGCHLD, .prepare = look_around, .prepare_arg = &self};
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    pid_t pid = stub_spawn(&s);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    stub_unplace(&place);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), FINE);
}

// ---- The filter -------------------------------------------------------------------------------------------

static struct sock_filter insns[PT_FILTER_MAX];
static struct sock_fprog filter = {.filter = insns};
static const uint64_t gate = 0x7ead00001234;

static uint32_t decide(long nr, uint64_t ip, unsigned arg, uint64_t value) {
    struct seccomp_data d = {.nr = (int)nr, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = ip};
    d.args[arg] = value;
    return sc_filter_run(&filter, &d);
}
#define PASSES(nr, arg, value) assert_int_equal(decide(nr, gate, arg, (uint64_t)(value)), SECCOMP_RET_ALLOW)
#define ENDS(nr, arg, value) \
    assert_int_equal(decide(nr, gate, arg, (uint64_t)(value)), SECCOMP_RET_KILL_PROCESS)

static void test_ptrace_filter_arguments(void **state) {
    PASSES(SYS_munmap, 0, 0);
    PASSES(SYS_mmap, 4, 0xffffffff);
    PASSES(SYS_mmap, 4, PT_FD_FILE);
    ENDS(SYS_mmap, 4, PT_FD_CHANNEL);
    ENDS(SYS_mmap, 4, PT_FD_FILE + 1);
    PASSES(SYS_close, 0, PT_FD_FILE);
    ENDS(SYS_close, 0, PT_FD_CHANNEL);
    PASSES(SYS_recvmsg, 0, PT_FD_CHANNEL);
    ENDS(SYS_recvmsg, 0, PT_FD_FILE);
    PASSES(SYS_clone, 0, PT_CLONE_FORK);
    PASSES(SYS_clone, 0, PT_CLONE_VM);
    PASSES(SYS_clone, 0, PT_CLONE_THREAD);
    ENDS(SYS_clone, 0, SIGCHLD);
    ENDS(SYS_clone, 0, PT_CLONE_FORK & ~CLONE_PTRACE);
    ENDS(SYS_clone, 0, PT_CLONE_FORK | CLONE_UNTRACED);
    ENDS(SYS_clone, 0, PT_CLONE_THREAD | CLONE_NEWUSER);
}

static void test_ptrace_filter_numbers(void **state) {
    for (long nr = 0; nr < 600; nr++) {
        bool row = nr == SYS_munmap || nr == SYS_mprotect || nr == SYS_mremap || nr == SYS_madvise ||
                   nr == SYS_mincore || nr == SYS_exit || nr == SYS_mmap || nr == SYS_close ||
                   nr == SYS_recvmsg || nr == SYS_clone;
        if (!row)
            ENDS(nr, 0, 0);
    }
    ENDS(SYS_getppid | 0x40000000, 0, 0);
    struct seccomp_data other = {.nr = SYS_munmap, .arch = AUDIT_ARCH_I386, .instruction_pointer = gate};
    assert_int_equal(sc_filter_run(&filter, &other), SECCOMP_RET_KILL_PROCESS);
}

// From the one instruction, and from no other place.
static void test_ptrace_filter_place(void **state) {
    const uint64_t others[] = {gate - 2, gate + 1, gate + 2, gate + (1ull << 32), gate - (1ull << 32),
                               0,        0x401000, ~0ull,    (uint32_t)gate};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(decide(SYS_munmap, others[i], 0, 0), SECCOMP_RET_KILL_PROCESS);
    for (uint64_t slot = 0; slot < 3; slot++)
        assert_int_equal(decide(SYS_getpid, 0xffffffffff600000 + slot * 0x400, 0, 0), SECCOMP_RET_TRAP);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_ptrace_filter_arguments),
        cmocka_unit_test(test_ptrace_filter_numbers),
        cmocka_unit_test(test_ptrace_filter_place),
    };
    filter.len = (unsigned short)pt_filter(gate, insns);
    alarm(300);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
