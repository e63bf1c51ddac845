// SPDX-License-Identifier: Apache-2.0
// covers: io_setup, swapon, reboot, mount, pivot_root, init_module
// Privileged calls refuse an ordinary user with EPERM, and never succeed by accident.
#include "guest.h"

#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/swap.h>

static void as_user(void)
{
    if (geteuid() == 0) {
        ASSERT_OK(setgid(54321));
        ASSERT_OK(setuid(54321));
    }
}

static void expect_refused(const char *name, long result)
{
    int error = errno;
    if (result != -1 || (error != EPERM && error != ENOSYS && error != EACCES))
        FAIL("%s: expected EPERM got %ld %s", name, result, guest_errno_name(error));
}

TEST(users_are_refused)
{
    IN_CHILD {
        as_user();
        expect_refused("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
        expect_refused("umount2", umount2("/proc", MNT_DETACH));
        expect_refused("swapon", swapon("/tmp", 0));
        expect_refused("reboot", syscall(SYS_reboot, 0xfee1dead, 0x28121969, 0, NULL));
        expect_refused("chroot", chroot("/"));
        expect_refused("init_module", syscall(SYS_init_module, NULL, 0, ""));
        expect_refused("delete_module", syscall(SYS_delete_module, "x", 0));
        expect_refused("acct", syscall(SYS_acct, NULL));
        expect_refused("vhangup", syscall(SYS_vhangup));
        expect_refused("iopl", syscall(SYS_iopl, 3));
        expect_refused("setns", syscall(SYS_unshare, 0x20000));
    }
}


TEST(bad_magic)
{
    EXPECT_TRUE(syscall(SYS_reboot, 0x12345, 0, 0, NULL) == -1);
}
