// SPDX-License-Identifier: Apache-2.0
// covers: modify_ldt, acct, perf_event_open, bpf, rseq, userfaultfd, uretprobe, uprobe, memfd_secret
// covers: map_shadow_stack, lsm_get_self_attr, lsm_set_self_attr, file_getattr, file_setattr
// Calls that a Linux may lack, or keep from an ordinary user: with arguments that no Linux takes they fail,
// with one of the errors that man pages give for that. docs/COMPAT.md says which one it is inside.
#include "guest.h"

#include <sys/utsname.h>

#define SYS_map_shadow_stack_  453
#define SYS_lsm_get_self_attr_ 459
#define SYS_lsm_set_self_attr_ 460
#define SYS_file_getattr_      468
#define SYS_file_setattr_      469

struct refused {
    const char *name;
    long nr;
    long a[5];
    int linux_error;  // natively, where the call is there; ENOSYS otherwise
    int ours;         // as docs/COMPAT.md has it
};

static void check(const struct refused *c, bool ours) {
    long r = syscall((int)c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4]);
    int e = errno;
    bool right = ours ? e == c->ours : e == c->linux_error || e == ENOSYS || e == EPERM || e == EOPNOTSUPP;
    if (c->nr == SYS_modify_ldt && r != -1)  // its result is an int that Linux does not extend
        right = !ours && (int)r == -ENOSYS;
    else
        right &= r == -1;
    if (!right)
        FAIL("%s: got %ld %s", c->name, r, guest_errno_name(e));
}

TEST(fail_with_their_error) {
    static char zeros[128];
    struct utsname u;
    ASSERT_OK(uname(&u));
    bool ours = strstr(u.version, "Picket");
    const struct refused calls[] = {
        {"modify_ldt", SYS_modify_ldt, {99, 0, 0}, ENOSYS, ENOSYS},
        {"acct", SYS_acct, {(long)"/no/such/file"}, ENOENT, EPERM},
        {"perf_event_open", SYS_perf_event_open, {(long)zeros, 0, -1, -1, -1L}, EINVAL, ENOSYS},
        {"bpf", SYS_bpf, {-1, (long)zeros, sizeof(zeros)}, EINVAL, EPERM},
        {"rseq", SYS_rseq, {(long)zeros + 1, 1, 99, 0}, EINVAL, ENOSYS},
        {"memfd_secret", SYS_memfd_secret, {-1}, EINVAL, ENOSYS},
        {"map_shadow_stack", SYS_map_shadow_stack_, {1, 1, 99}, EINVAL, EOPNOTSUPP},
        {"lsm_get_self_attr", SYS_lsm_get_self_attr_, {0, 0, 0, 99}, EINVAL, EOPNOTSUPP},
        {"lsm_set_self_attr", SYS_lsm_set_self_attr_, {0, 0, 0, 99}, EINVAL, EOPNOTSUPP},
        {"file_getattr", SYS_file_getattr_, {-1, (long)"x", (long)zeros, 24, 0}, EBADF, EOPNOTSUPP},
        {"file_setattr", SYS_file_setattr_, {-1, (long)"x", (long)zeros, 24, 0}, EBADF, EOPNOTSUPP},
    };
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
        check(&calls[i], ours);
    // flags that are not there: an error everywhere, whichever
    EXPECT_EQ(syscall(SYS_userfaultfd, 0x7ffffff0), -1);
}

// Outside of the kernel's own trampolines they kill or are not there; nothing may go on as if they had
// worked.
TEST(probes_have_no_effect) {
    static const long probes[] = {335, 336};
    for (int i = 0; i < 2; i++) {
        pid_t child = fork_child();
        if (child == 0)
            _exit(syscall((int)probes[i]) == -1 ? 0 : 1);
        int status;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_TRUE((WIFEXITED(status) && WEXITSTATUS(status) == 0) || WIFSIGNALED(status));
    }
}
