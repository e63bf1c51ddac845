// SPDX-License-Identifier: Apache-2.0
// The layouts of abi/ against those of the build machine's headers, where libc's are the kernel's; the rows
// of the syscall table and the flag sets against themselves. (Constants are compared by tools/check_abi.py.)
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "abi/auxv.h"
#include "abi/flags.h"
#include "abi/syscalls.h"
#include "abi/sysinfo.h"
#include "abi/utsname.h"
#include "abi/x86_64/regs.h"
#include "abi/x86_64/sigframe.h"

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/utsname.h>
#include <termios.h>
#include <ucontext.h>

#define SIZE(ours, host) static_assert(sizeof(struct linux_##ours) == sizeof(host), #ours)
#define AT(ours, mine, host, its)                                                                            \
    static_assert(offsetof(struct linux_##ours, mine) == offsetof(host, its), #mine)
#define SAME(ours, host, member) AT(ours, member, host, member)

SIZE(stat, struct stat);
SAME(stat, struct stat, st_nlink);
SAME(stat, struct stat, st_mode);
SAME(stat, struct stat, st_gid);
SAME(stat, struct stat, st_rdev);
SAME(stat, struct stat, st_size);
SAME(stat, struct stat, st_blocks);
AT(stat, st_mtime_sec, struct stat, st_mtim);
AT(stat, st_ctime_nsec, struct stat, st_ctim.tv_nsec);
SIZE(statx, struct statx);
SAME(statx, struct statx, stx_mode);
SAME(statx, struct statx, stx_attributes_mask);
SAME(statx, struct statx, stx_mtime);
SAME(statx, struct statx, stx_dev_minor);
SIZE(statfs, struct statfs);
SAME(statfs, struct statfs, f_fsid);
SAME(statfs, struct statfs, f_flags);
AT(dirent64, d_name, struct dirent64, d_name);
SIZE(flock, struct flock);
SAME(flock, struct flock, l_pid);
SIZE(open_how, struct open_how);
SIZE(clone_args, struct clone_args);
SAME(clone_args, struct clone_args, cgroup);
SIZE(epoll_event, struct epoll_event);
AT(epoll_event, data, struct epoll_event, data);
SIZE(inotify_event, struct inotify_event);
SIZE(winsize, struct winsize);
AT(termios, c_cc, struct termios, c_cc);
SIZE(rlimit64, struct rlimit);
SIZE(rusage, struct rusage);
SAME(rusage, struct rusage, ru_maxrss);
SAME(rusage, struct rusage, ru_nivcsw);
SIZE(signalfd_siginfo, struct signalfd_siginfo);
SAME(signalfd_siginfo, struct signalfd_siginfo, ssi_addr);
SIZE(msghdr, struct msghdr);
SAME(msghdr, struct msghdr, msg_iovlen);
SAME(msghdr, struct msghdr, msg_flags);
SIZE(mmsghdr, struct mmsghdr);
SIZE(cmsghdr, struct cmsghdr);
SIZE(ucred, struct ucred);
SIZE(linger, struct linger);
SIZE(sockaddr_un, struct sockaddr_un);
SIZE(sockaddr_in, struct sockaddr_in);
SIZE(sockaddr_in6, struct sockaddr_in6);
SIZE(sockaddr_storage, struct sockaddr_storage);
SIZE(sysinfo, struct sysinfo);
SAME(sysinfo, struct sysinfo, procs);
SAME(sysinfo, struct sysinfo, mem_unit);
SIZE(timex, struct timex);
SAME(timex, struct timex, tick);
SAME(timex, struct timex, tai);
SIZE(tms, struct tms);
SIZE(utsname, struct utsname);
SIZE(seccomp_data, struct seccomp_data);
SIZE(sock_fprog, struct sock_fprog);
SIZE(futex_waitv, struct futex_waitv);
SIZE(robust_list_head, struct robust_list_head);
SIZE(cap_user_data, struct __user_cap_data_struct);
SIZE(auxv, Elf64_auxv_t);
SIZE(siginfo, siginfo_t);
SIZE(sigevent, struct sigevent);
SAME(sigevent, struct sigevent, sigev_notify);
SIZE(stack, stack_t);
SAME(stack, stack_t, ss_size);
SIZE(pollfd, struct pollfd);

static_assert(sizeof(struct lx_regs) == sizeof(struct user_regs_struct), "registers");
static_assert(offsetof(struct lx_regs, orig_rax) == offsetof(struct user_regs_struct, orig_rax), "orig_rax");
static_assert(offsetof(struct lx_regs, gs) == offsetof(struct user_regs_struct, gs), "gs");

// libc's ucontext begins as the kernel's does.
AT(ucontext, uc_mcontext, ucontext_t, uc_mcontext);
AT(ucontext, uc_sigmask, ucontext_t, uc_sigmask);
AT(sigcontext, rip, mcontext_t, gregs[REG_RIP]);
AT(sigcontext, rsp, mcontext_t, gregs[REG_RSP]);
AT(sigcontext, rax, mcontext_t, gregs[REG_RAX]);
AT(sigcontext, eflags, mcontext_t, gregs[REG_EFL]);
AT(sigcontext, cs, mcontext_t, gregs[REG_CSGSFS]);
AT(sigcontext, trapno, mcontext_t, gregs[REG_TRAPNO]);
AT(sigcontext, cr2, mcontext_t, gregs[REG_CR2]);
AT(sigcontext, fpstate, mcontext_t, fpregs);
AT(fpstate, mxcsr, struct _libc_fpstate, mxcsr);
AT(fpstate, xmm_space, struct _libc_fpstate, _xmm);

static void rows(void **state) {
    unsigned count = 0;
    for (unsigned nr = 0; nr < LINUX_NR_COUNT; nr++) {
        const struct sysdesc *desc = sysdesc(nr);
        if (!desc) {
            assert_true(nr > LINUX_NR_uprobe && nr < LINUX_NR_pidfd_send_signal);
            continue;
        }
        count++;
        assert_true((desc->support == SYSCALL_NONE) == (desc->err != 0));
        assert_true((desc->support == SYSCALL_FULL) == (desc->note[0] == '\0'));
    }
    assert_int_equal(count, 383);
    assert_int_equal(LINUX_NR_COUNT, LINUX_NR_file_setattr + 1);
    assert_null(sysdesc(LINUX_NR_COUNT));
    assert_null(sysdesc(UINT32_MAX));
    assert_string_equal(sysdesc(LINUX_NR_openat)->name, "openat");
    assert_int_equal(sysdesc(LINUX_NR_mmap)->context, SYSCALL_REGS);
    assert_int_equal(sysdesc(LINUX_NR_read)->context, SYSCALL_VALUE);
    assert_int_equal(sysdesc(LINUX_NR_tuxcall)->err, LINUX_ENOSYS);
}

static void sets(void **state) {
    assert_ptr_equal(flagset_find("open", 4), &flagset_open);
    assert_ptr_equal(flagset_find("openx", 4), &flagset_open);
    assert_null(flagset_find("ope", 3));
    assert_null(flagset_find("", 0));
    assert_string_equal(flagset_name(&flagset_errno, LINUX_EPERM), "EPERM");
    assert_string_equal(flagset_name(&flagset_errno, LINUX_EHWPOISON), "EHWPOISON");
    assert_null(flagset_name(&flagset_errno, 41));
    assert_string_equal(flagset_name(&flagset_rusage, (uint32_t)-1), "RUSAGE_CHILDREN");
    assert_string_equal(flagset_name(&flagset_signal, LINUX_SIGSYS), "SIGSYS");
    assert_int_equal(LINUX_KNOWN_open, LINUX_VALID_OPEN_FLAGS);
    assert_int_equal(LINUX_KNOWN_prot & 7, 7);
    assert_true(LINUX_KNOWN_clone & LINUX_CLONE_INTO_CGROUP);
    assert_false(LINUX_KNOWN_rename & ~7ull);
    assert_int_equal(flagset_rename.known, LINUX_KNOWN_rename);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(sets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
