// SPDX-License-Identifier: Apache-2.0
// The stub's filter of the seccomp platform, simulated over all numbers, architectures and classes of
// instruction pointers: what an answer of the sentry can make a stub do, and what none can.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "abi/syscalls.h"
#include "platform/seccomp/sc.h"
#include <linux/audit.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define GUEST   0x400000u
#define NUMBERS 1024

static struct stub_place place = {.base = 0x7ead00008000, .text_len = 8192};
static struct sock_fprog filter;
static bool needs_context[512];

static uint32_t decide(uint32_t arch, uint64_t ip, uint32_t nr) {
    struct seccomp_data d = {.nr = (int)nr, .arch = arch, .instruction_pointer = ip};
    return sc_filter_run(&filter, &d);
}
static uint32_t guest(uint32_t nr) { return decide(AUDIT_ARCH_X86_64, GUEST, nr); }

// What makes or names an object of the host, or changes the state of one: no answer may let it happen.
static const int never[] = {
    SYS_open,
    SYS_creat,
    SYS_openat,
    437 /* openat2 */,
    SYS_link,
    SYS_linkat,
    SYS_symlink,
    SYS_symlinkat,
    SYS_unlink,
    SYS_unlinkat,
    SYS_rename,
    SYS_renameat,
    SYS_renameat2,
    SYS_mkdir,
    SYS_mkdirat,
    SYS_rmdir,
    SYS_mknod,
    SYS_mknodat,
    SYS_truncate,
    SYS_chmod,
    SYS_fchmodat,
    452 /* fchmodat2 */,
    SYS_chown,
    SYS_lchown,
    SYS_fchownat,
    SYS_utime,
    SYS_utimes,
    SYS_utimensat,
    SYS_futimesat,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_removexattr,
    SYS_chdir,
    SYS_fchdir,
    SYS_chroot,
    SYS_pivot_root,
    SYS_mount,
    SYS_umount2,
    428 /* open_tree */,
    429,
    430 /* fsopen */,
    431,
    432,
    433,
    442 /* mount_setattr */,
    467 /* open_tree_attr */,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_swapon,
    SYS_swapoff,
    SYS_quotactl,
    443,
    SYS_acct,
    SYS_sync,
    SYS_syncfs,
    SYS_socket,
    SYS_socketpair,
    SYS_bind,
    SYS_connect,
    SYS_execve,
    SYS_execveat,
    SYS_clone,
    435 /* clone3 */,
    SYS_fork,
    SYS_vfork,
    SYS_unshare,
    SYS_setns,
    SYS_ptrace,
    SYS_bpf,
    425 /* io_uring_setup */,
    426,
    427,
    SYS_perf_event_open,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_userfaultfd,
    434 /* pidfd_open */,
    424,
    438,
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_memfd_create,
    447 /* memfd_secret */,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    440,
    448,
    SYS_kcmp,
    SYS_prctl,
    SYS_arch_prctl,
    SYS_seccomp,
    444 /* landlock */,
    445,
    446,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setfsuid,
    SYS_setfsgid,
    SYS_setgroups,
    SYS_capset,
    SYS_setpgid,
    SYS_setsid,
    SYS_setrlimit,
    SYS_prlimit64,
    SYS_setpriority,
    SYS_ioprio_set,
    SYS_sched_setaffinity,
    SYS_sched_setparam,
    SYS_sched_setscheduler,
    SYS_sched_setattr,
    SYS_mbind,
    SYS_migrate_pages,
    SYS_move_pages,
    SYS_set_mempolicy,
    SYS_shmget,
    SYS_shmat,
    SYS_shmctl,
    SYS_semget,
    SYS_semop,
    SYS_semctl,
    SYS_msgget,
    SYS_msgsnd,
    SYS_msgctl,
    SYS_mq_open,
    SYS_mq_unlink,
    SYS_inotify_init,
    SYS_inotify_init1,
    SYS_fanotify_init,
    SYS_eventfd,
    SYS_eventfd2,
    SYS_signalfd,
    SYS_signalfd4,
    SYS_timerfd_create,
    SYS_epoll_create,
    SYS_epoll_create1,
    SYS_pipe,
    SYS_pipe2,
    SYS_timer_create,
    SYS_setitimer,
    SYS_alarm,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_reboot,
    SYS_syslog,
    SYS_vhangup,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_personality,
    SYS_mmap,
    SYS_mremap,
    SYS_brk,
    SYS_exit,
    SYS_exit_group,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
};

static void test_never(void **state) {
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (guest((uint32_t)never[i]) != SECCOMP_RET_TRAP)
            fail_msg("an answer can make call %d happen", never[i]);
}

// From guest code nothing is let pass by the filter itself, and what nobody has looked at is trapped.
static void test_guest_numbers(void **state) {
    unsigned held = 0;
    for (uint32_t nr = 0; nr < NUMBERS; nr++) {
        uint32_t what = guest(nr);
        assert_true(what == SECCOMP_RET_TRAP || what == SECCOMP_RET_USER_NOTIF);
        held += what == SECCOMP_RET_USER_NOTIF;
        if (nr >= 512 || !sysdesc(nr))
            assert_int_equal(what, SECCOMP_RET_TRAP);
    }
    assert_in_range(held, 100, 140);
    assert_int_equal(guest(SYS_getpid), SECCOMP_RET_USER_NOTIF);
    assert_int_equal(guest(SYS_read), SECCOMP_RET_USER_NOTIF);
    assert_int_equal(guest(SYS_futex), SECCOMP_RET_USER_NOTIF);
    for (uint32_t bit = 1u << 30; bit; bit <<= 1)  // x32, and what is no number
        for (uint32_t nr = 0; nr < NUMBERS; nr++)
            assert_int_equal(guest(nr | bit), SECCOMP_RET_TRAP);
    assert_int_equal(guest(STUB_RING_WAIT), SECCOMP_RET_USER_NOTIF);
    assert_int_equal(guest(STUB_RING_FAIL + 1), SECCOMP_RET_USER_NOTIF);
    assert_int_equal(guest(STUB_RING_FAIL + 4096), SECCOMP_RET_TRAP);
    assert_int_equal(guest(STUB_EV(STUB_EV_CALL, 0, 1)), SECCOMP_RET_TRAP);
}

static void test_registers_needed(void **state) {
    needs_context[SYS_getpid] = true;
    free(filter.filter);
    assert_int_equal(sc_filter_build(&place, needs_context, &filter), 0);
    assert_int_equal(guest(SYS_getpid), SECCOMP_RET_TRAP);
    assert_int_equal(guest(SYS_getppid), SECCOMP_RET_USER_NOTIF);
}

static void test_architectures(void **state) {
    const uint32_t other[] = {AUDIT_ARCH_I386, AUDIT_ARCH_X86_64 & ~__AUDIT_ARCH_LE, 0, ~0u};
    const uint64_t ips[] = {GUEST, place.base + stub_header()->gate + 2,
                            place.base + stub_header()->sigreturn + 2};
    for (size_t a = 0; a < sizeof other / sizeof *other; a++)
        for (size_t i = 0; i < sizeof ips / sizeof *ips; i++)
            for (uint32_t nr = 0; nr < NUMBERS; nr++)
                assert_int_equal(decide(other[a], ips[i], nr), SECCOMP_RET_TRAP);
}

// At every byte of the stub's text but two: whoever gets there ends. At those two: what they are for.
static void test_stub_text(void **state) {
    const uint64_t gate = place.base + stub_header()->gate + 2,
                   back = place.base + stub_header()->sigreturn + 2;
    const int ordered[] = {SYS_mmap,         SYS_munmap,         SYS_mprotect,    SYS_mremap,
                           SYS_madvise,      SYS_mincore,        SYS_userfaultfd, SYS_clone,
                           SYS_exit,         SYS_prctl,          SYS_arch_prctl,  436 /* close_range */,
                           SYS_rt_sigreturn, SYS_rt_sigtimedwait};
    for (uint64_t ip = place.base + 1; ip <= place.base + place.text_len; ip++)
        for (uint32_t nr = 0; nr < NUMBERS && ip != gate; nr += ip == back ? 1 : 29) {
            uint32_t may =
                ip == back && nr == SYS_rt_sigreturn ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_PROCESS;
            assert_int_equal(decide(AUDIT_ARCH_X86_64, ip, nr), may);
        }
    for (uint32_t nr = 0; nr < NUMBERS; nr++) {
        bool listed = false;
        for (size_t i = 0; i < sizeof ordered / sizeof *ordered; i++)
            listed = listed || (uint32_t)ordered[i] == nr;
        assert_int_equal(decide(AUDIT_ARCH_X86_64, gate, nr),
                         listed ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_KILL_PROCESS);
    }
    assert_int_equal(decide(AUDIT_ARCH_X86_64, gate, STUB_EV(STUB_EV_CALL, 4095, 511)),
                     SECCOMP_RET_USER_NOTIF);
    assert_int_equal(decide(AUDIT_ARCH_X86_64, gate, 0x40000000u | SYS_mmap), SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(decide(AUDIT_ARCH_X86_64, gate, STUB_RING_WAIT), SECCOMP_RET_KILL_PROCESS);
}

// Right before and behind the text, and in pages that look like it in one half of the address, is guest code.
static void test_around_the_text(void **state) {
    const uint64_t gate = place.base + stub_header()->gate + 2;
    const uint64_t ips[] = {place.base, place.base + place.text_len + 1, gate & 0xffffffff,
                            gate + (1ull << 32)};
    for (size_t i = 0; i < sizeof ips / sizeof *ips; i++) {
        assert_int_equal(decide(AUDIT_ARCH_X86_64, ips[i], SYS_getpid), SECCOMP_RET_USER_NOTIF);
        assert_int_equal(decide(AUDIT_ARCH_X86_64, ips[i], SYS_mmap), SECCOMP_RET_TRAP);
        assert_int_equal(decide(AUDIT_ARCH_X86_64, ips[i], SYS_rt_sigreturn), SECCOMP_RET_TRAP);
    }
    for (uint32_t nr = 0; nr < NUMBERS; nr++)  // the vsyscall page
        assert_int_equal(decide(AUDIT_ARCH_X86_64, 0xffffffffff600000, nr), SECCOMP_RET_TRAP);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never),           cmocka_unit_test(test_guest_numbers),
        cmocka_unit_test(test_architectures),   cmocka_unit_test(test_stub_text),
        cmocka_unit_test(test_around_the_text), cmocka_unit_test(test_registers_needed),
    };
    if (sc_filter_build(&place, needs_context, &filter))
        return 1;
    int failed = cmocka_run_group_tests_name("the stub's filter", tests, NULL, NULL);
    free(filter.filter);
    return failed;
}
