// SPDX-License-Identifier: Apache-2.0
// covers: uselib, _sysctl, create_module, get_kernel_syms, query_module, nfsservctl, getpmsg, putpmsg
// covers: afs_syscall, tuxcall, security, set_thread_area, get_thread_area, lookup_dcookie, epoll_ctl_old
// covers: epoll_wait_old, vserver
// Numbers of calls that Linux has no more, or never had: ENOSYS whatever their arguments are (man 2
// unimplemented).
#include "guest.h"

static const long gone[] = {
    SYS_uselib,          SYS__sysctl,        SYS_create_module, SYS_get_kernel_syms, SYS_query_module,
    SYS_nfsservctl,      SYS_getpmsg,        SYS_putpmsg,       SYS_afs_syscall,     SYS_tuxcall,
    SYS_security,        SYS_vserver,        SYS_epoll_ctl_old, SYS_epoll_wait_old,  SYS_set_thread_area,
    SYS_get_thread_area, SYS_lookup_dcookie,
};

TEST(answer_enosys) {
    char text[256] = "/bin/true";
    for (size_t i = 0; i < sizeof(gone) / sizeof(*gone); i++) {
        long r = syscall(gone[i], text, text, 1L, text);
        if (r != -1 || errno != ENOSYS)
            FAIL("call %ld: expected ENOSYS got %ld %s", gone[i], r, guest_errno_name(errno));
        r = syscall(gone[i], 0L, 0L, 0L, 0L);
        if (r != -1 || errno != ENOSYS)
            FAIL("call %ld of nothing: expected ENOSYS got %ld %s", gone[i], r, guest_errno_name(errno));
    }
}
