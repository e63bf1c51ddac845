// SPDX-License-Identifier: Apache-2.0
// seccomp(2) as the guest knows it, and the classic BPF that it is written in.
#pragma once

#include <assert.h>
#include <stdint.h>

#define LINUX_SECCOMP_MODE_DISABLED 0
#define LINUX_SECCOMP_MODE_STRICT   1
#define LINUX_SECCOMP_MODE_FILTER   2

#define LINUX_SECCOMP_SET_MODE_STRICT  0
#define LINUX_SECCOMP_SET_MODE_FILTER  1
#define LINUX_SECCOMP_GET_ACTION_AVAIL 2
#define LINUX_SECCOMP_GET_NOTIF_SIZES  3

#define LINUX_SECCOMP_FILTER_FLAG_TSYNC              0x01
#define LINUX_SECCOMP_FILTER_FLAG_LOG                0x02
#define LINUX_SECCOMP_FILTER_FLAG_SPEC_ALLOW         0x04
#define LINUX_SECCOMP_FILTER_FLAG_NEW_LISTENER       0x08
#define LINUX_SECCOMP_FILTER_FLAG_TSYNC_ESRCH        0x10
#define LINUX_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV 0x20

#define LINUX_SECCOMP_RET_KILL_PROCESS 0x80000000u
#define LINUX_SECCOMP_RET_KILL_THREAD  0x00000000u
#define LINUX_SECCOMP_RET_TRAP         0x00030000u
#define LINUX_SECCOMP_RET_ERRNO        0x00050000u
#define LINUX_SECCOMP_RET_USER_NOTIF   0x7fc00000u
#define LINUX_SECCOMP_RET_TRACE        0x7ff00000u
#define LINUX_SECCOMP_RET_LOG          0x7ffc0000u
#define LINUX_SECCOMP_RET_ALLOW        0x7fff0000u
#define LINUX_SECCOMP_RET_ACTION_FULL  0xffff0000u
#define LINUX_SECCOMP_RET_DATA         0x0000ffffu

#define LINUX_SECCOMP_USER_NOTIF_FLAG_CONTINUE 1u
#define LINUX_SECCOMP_ADDFD_FLAG_SETFD         1u
#define LINUX_SECCOMP_ADDFD_FLAG_SEND          2u
#define LINUX_SECCOMP_IOCTL_NOTIF_RECV         0xc0502100u
#define LINUX_SECCOMP_IOCTL_NOTIF_SEND         0xc0182101u
#define LINUX_SECCOMP_IOCTL_NOTIF_ID_VALID     0x40082102u
#define LINUX_SECCOMP_IOCTL_NOTIF_ID_OLD       0x80082102u  // as headers before 5.17 have it
#define LINUX_SECCOMP_IOCTL_NOTIF_ADDFD        0x40182103u
#define LINUX_SECCOMP_IOCTL_NOTIF_SET_FLAGS    0x40082104u

#define LINUX_AUDIT_ARCH_X86_64 0xc000003eu
#define LINUX_AUDIT_ARCH_I386   0x40000003u
#define LINUX_X32_SYSCALL_BIT   0x40000000u

struct linux_seccomp_data {
    int32_t nr;
    uint32_t arch;
    uint64_t instruction_pointer;
    uint64_t args[6];
};
static_assert(sizeof(struct linux_seccomp_data) == 64, "struct seccomp_data");

struct linux_seccomp_notif {
    uint64_t id;
    uint32_t pid;
    uint32_t flags;
    struct linux_seccomp_data data;
};
static_assert(sizeof(struct linux_seccomp_notif) == 80, "struct seccomp_notif");

struct linux_seccomp_notif_resp {
    uint64_t id;
    int64_t val;
    int32_t error;
    uint32_t flags;
};
static_assert(sizeof(struct linux_seccomp_notif_resp) == 24, "struct seccomp_notif_resp");

struct linux_seccomp_notif_addfd {
    uint64_t id;
    uint32_t flags;
    uint32_t srcfd;
    uint32_t newfd;
    uint32_t newfd_flags;
};
static_assert(sizeof(struct linux_seccomp_notif_addfd) == 24, "struct seccomp_notif_addfd");

struct linux_seccomp_notif_sizes {
    uint16_t seccomp_notif;
    uint16_t seccomp_notif_resp;
    uint16_t seccomp_data;
};

#define LINUX_BPF_MAXINSNS 4096
struct linux_sock_filter {
    uint16_t code;
    uint8_t jt;
    uint8_t jf;
    uint32_t k;
};
static_assert(sizeof(struct linux_sock_filter) == 8, "struct sock_filter");

struct linux_sock_fprog {
    uint16_t len;
    uint16_t pad0[3];
    uint64_t filter; // guest address
};
static_assert(sizeof(struct linux_sock_fprog) == 16, "struct sock_fprog");
