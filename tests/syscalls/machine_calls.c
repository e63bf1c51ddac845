// SPDX-License-Identifier: Apache-2.0
// covers: syslog, swapon, swapoff, reboot, iopl, ioperm, init_module, finit_module, delete_module, kexec_load
// covers: kexec_file_load, quotactl, quotactl_fd, settimeofday, lsm_list_modules
// Calls about the machine: which errors come in which order, and what they do to a pid namespace (man 2
// syslog, swapon, reboot, iopl, ioperm, quotactl, settimeofday).
#include "guest.h"

#include <fcntl.h>
#include <linux/reboot.h>
#include <sched.h>
#include <signal.h>
#include <sys/klog.h>
#include <sys/quota.h>
#include <sys/swap.h>
#include <sys/time.h>

#define SYS_quotactl_fd_      443
#define SYS_lsm_list_modules_ 461
#define SWAP_BAD_FLAG         0x80000

static void as_user(void) {
    if (geteuid() == 0) {
        ASSERT_OK(setgid(54321));
        ASSERT_OK(setuid(54321));
    }
}

// EPERM before a look at any argument; a kernel may be built without modules or kexec.
static void refused(long r, const char *name) {
    if (r != -1 || (errno != EPERM && errno != ENOSYS))
        FAIL("%s: expected EPERM got %ld %s", name, r, guest_errno_name(errno));
}

TEST(users_are_refused) {
    IN_CHILD {
        as_user();
        EXPECT_ERRNO(syscall(SYS_swapon, "/nowhere", SWAP_BAD_FLAG), EINVAL);
        EXPECT_ERRNO(syscall(SYS_swapon, "/nowhere", 0), EPERM);
        EXPECT_ERRNO(swapoff("/nowhere"), EPERM);
        EXPECT_ERRNO(syscall(SYS_reboot, 0, 0, 0, 0), EPERM);
        refused(syscall(SYS_init_module, KERNEL_POINTER, 1, ""), "init_module");
        refused(syscall(SYS_finit_module, -1, "", 0), "finit_module");
        refused(syscall(SYS_delete_module, KERNEL_POINTER, 0), "delete_module");
        refused(syscall(SYS_kexec_load, 0, 0, 0, 0xffff), "kexec_load");
        refused(syscall(SYS_kexec_file_load, -1, -1, 0, 0, 0xffff), "kexec_file_load");
    }
}

TEST(ports) {
    IN_CHILD {
        as_user();
        if (syscall(SYS_iopl, 0) == -1 && errno == ENOSYS)
            SKIP("built without port permissions");
        EXPECT_OK(syscall(SYS_iopl, 0));
        EXPECT_ERRNO(syscall(SYS_iopl, 3), EPERM);
        EXPECT_ERRNO(syscall(SYS_iopl, 4), EINVAL);
        EXPECT_OK(syscall(SYS_ioperm, 0L, 1L, 0));
        EXPECT_ERRNO(syscall(SYS_ioperm, 0L, 1L, 1), EPERM);
        EXPECT_ERRNO(syscall(SYS_ioperm, 0L, 0L, 0), EINVAL);
        EXPECT_ERRNO(syscall(SYS_ioperm, 65535L, 2L, 0), EINVAL);
        EXPECT_ERRNO(syscall(SYS_ioperm, -1L, 2L, 1), EINVAL);
    }
}

TEST(clock_arguments) {
    IN_CHILD {
        as_user();
        struct timeval tv = {1000000000, 0}, micros = {0, 1000001}, second = {0, 1000000}, past = {-1, 0};
        struct timezone zone = {0, 0};
        EXPECT_ERRNO(syscall(SYS_settimeofday, &tv, NULL), EPERM);
        EXPECT_ERRNO(syscall(SYS_settimeofday, NULL, &zone), EPERM);
        EXPECT_ERRNO(syscall(SYS_settimeofday, KERNEL_POINTER, NULL), EFAULT);
        EXPECT_ERRNO(syscall(SYS_settimeofday, &tv, KERNEL_POINTER), EFAULT);
        EXPECT_ERRNO(syscall(SYS_settimeofday, &micros, KERNEL_POINTER), EINVAL);
        EXPECT_ERRNO(syscall(SYS_settimeofday, &second, KERNEL_POINTER), EINVAL);
        EXPECT_ERRNO(syscall(SYS_settimeofday, &second, NULL), EINVAL);
        EXPECT_ERRNO(syscall(SYS_settimeofday, &past, NULL), EINVAL);
    }
}

TEST(the_log) {
    char text[64];
    if (klogctl(9, NULL, 0) == -1 && errno == EPERM)
        SKIP("no right to the log");
    EXPECT_GE(klogctl(9, NULL, 0), 0);
    EXPECT_GE(klogctl(10, NULL, 0), 4096);
    EXPECT_GE(klogctl(3, text, sizeof(text)), 0);
    EXPECT_EQ(klogctl(3, text, 0), 0);
    EXPECT_ERRNO(klogctl(3, NULL, 8), EINVAL);
    EXPECT_ERRNO(klogctl(3, text, -1), EINVAL);
    EXPECT_ERRNO(klogctl(3, KERNEL_POINTER, 8), EFAULT);
    EXPECT_ERRNO(klogctl(8, NULL, 9), EINVAL);
    EXPECT_ERRNO(klogctl(11, NULL, 0), EINVAL);
    EXPECT_ERRNO(klogctl(-1, NULL, 0), EINVAL);
    IN_CHILD {
        as_user();
        EXPECT_ERRNO(klogctl(5, NULL, 0), EPERM);
    }
}

TEST(swap_needs_a_file_that_can) {
    if (geteuid() != 0)
        SKIP("needs root");
    in_tmpdir();
    put_file("f", "0123456789");
    if (syscall(SYS_swapon, "f", 0) == -1 && errno == EPERM)
        SKIP("no right to swap");
    EXPECT_ERRNO(syscall(SYS_swapon, "f", 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_swapon, "missing", 0), ENOENT);
    EXPECT_ERRNO(syscall(SYS_swapon, ".", 0), EISDIR);
    EXPECT_ERRNO(syscall(SYS_swapon, KERNEL_POINTER, 0), EFAULT);
    EXPECT_ERRNO(swapoff("f"), EINVAL);
    EXPECT_ERRNO(swapoff("missing"), ENOENT);
}

TEST(quotas) {
    in_tmpdir();
    put_file("f", "x");
    char room[256];
    if (syscall(SYS_quotactl, QCMD(Q_GETQUOTA, 0), "f", 0, room) == -1 && errno == ENOSYS)
        SKIP("built without quotas");
    EXPECT_ERRNO(syscall(SYS_quotactl, QCMD(Q_GETQUOTA, 3), "f", 0, room), EINVAL);
    EXPECT_ERRNO(syscall(SYS_quotactl, QCMD(Q_GETQUOTA, 0), NULL, 0, room), ENODEV);
    EXPECT_OK(syscall(SYS_quotactl, QCMD(Q_SYNC, 0), NULL, 0, NULL));
    EXPECT_ERRNO(syscall(SYS_quotactl, QCMD(Q_GETQUOTA, 0), "f", 0, room), ENOTBLK);
    EXPECT_ERRNO(syscall(SYS_quotactl, QCMD(Q_GETQUOTA, 0), "missing", 0, room), ENOENT);
    EXPECT_ERRNO(syscall(SYS_quotactl, QCMD(Q_GETQUOTA, 0), KERNEL_POINTER, 0, room), EFAULT);
    EXPECT_ERRNO(syscall(SYS_quotactl_fd_, -1, QCMD(Q_GETQUOTA, 0), 0, room), EBADF);
    EXPECT_ERRNO(syscall(SYS_quotactl_fd_, 0, QCMD(Q_GETQUOTA, 3), 0, room), EINVAL);
}

TEST(modules_of_security) {
    uint64_t ids[32];
    uint32_t size = sizeof(ids), none = 0;
    long n = syscall(SYS_lsm_list_modules_, ids, &size, 0);
    if (n == -1 && errno == ENOSYS)
        SKIP("older than Linux 6.8, or without security modules");
    ASSERT_TRUE(n > 0);
    EXPECT_EQ(size, n * 8);
    bool capability = false;
    for (long i = 0; i < n; i++)
        capability |= ids[i] == 100;
    EXPECT_TRUE(capability);
    EXPECT_ERRNO(syscall(SYS_lsm_list_modules_, ids, &none, 0), E2BIG);
    EXPECT_EQ(none, n * 8);
    EXPECT_ERRNO(syscall(SYS_lsm_list_modules_, ids, &size, 1), EINVAL);
    EXPECT_ERRNO(syscall(SYS_lsm_list_modules_, ids, KERNEL_POINTER, 0), EFAULT);
    EXPECT_ERRNO(syscall(SYS_lsm_list_modules_, KERNEL_POINTER, &size, 0), EFAULT);
}

// The namespaces are made together: in its own user namespace nobody can mean another pid namespace than this
// one.
static int init_that(unsigned cmd, bool from_child) {
    pid_t maker = fork_child();
    if (maker == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0)
            _exit(200);
        pid_t init = fork();
        if (init == 0) {
            if (getpid() != 1)
                _exit(201);
            if (from_child && fork() != 0) {
                for (;;)
                    pause();
            }
            syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, cmd, 0);
            _exit(from_child ? 0 : errno);
        }
        int status;
        if (waitpid(init, &status, 0) != init)
            _exit(202);
        _exit(WIFSIGNALED(status) ? 100 + WTERMSIG(status) : WEXITSTATUS(status));
    }
    return wait_exit(maker);
}

TEST(reboot_ends_a_pid_namespace) {
    int first = init_that(LINUX_REBOOT_CMD_RESTART, false);
    if (first == 200)
        SKIP("no user namespaces");
    EXPECT_EQ(first, 100 + SIGHUP);
    EXPECT_EQ(init_that(LINUX_REBOOT_CMD_POWER_OFF, false), 100 + SIGINT);
    EXPECT_EQ(init_that(LINUX_REBOOT_CMD_HALT, true), 100 + SIGINT);
    EXPECT_EQ(init_that(LINUX_REBOOT_CMD_CAD_ON, false), EINVAL);
    EXPECT_EQ(init_that(0x1234, false), EINVAL);
}
