// SPDX-License-Identifier: Apache-2.0
// Small areas that deserve no header of their own: getrandom, close_range, membarrier, rseq, timerfd,
// eventfd, fallocate, xattr, pidfd, kcmp, mount flags, limits of execve.
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define LINUX_GRND_NONBLOCK 1u
#define LINUX_GRND_RANDOM   2u
#define LINUX_GRND_INSECURE 4u

#define LINUX_CLOSE_RANGE_UNSHARE 2u
#define LINUX_CLOSE_RANGE_CLOEXEC 4u

#define LINUX_MEMBARRIER_CMD_QUERY                                0
#define LINUX_MEMBARRIER_CMD_GLOBAL                               0x01
#define LINUX_MEMBARRIER_CMD_GLOBAL_EXPEDITED                     0x02
#define LINUX_MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED            0x04
#define LINUX_MEMBARRIER_CMD_PRIVATE_EXPEDITED                    0x08
#define LINUX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED           0x10
#define LINUX_MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE          0x20
#define LINUX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE 0x40
#define LINUX_MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ               0x80
#define LINUX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ      0x100
#define LINUX_MEMBARRIER_CMD_GET_REGISTRATIONS                    0x200
#define LINUX_MEMBARRIER_CMD_FLAG_CPU                             1

#define LINUX_RSEQ_FLAG_UNREGISTER            1
#define LINUX_RSEQ_CPU_ID_UNINITIALIZED       (-1)
#define LINUX_RSEQ_CPU_ID_REGISTRATION_FAILED (-2)
#define LINUX_RSEQ_ORIG_SIZE                  32

struct linux_rseq_cs {
    uint32_t version;
    uint32_t flags;
    uint64_t start_ip;
    uint64_t post_commit_offset;
    uint64_t abort_ip;
};
static_assert(sizeof(struct linux_rseq_cs) == 32, "struct rseq_cs");

struct linux_rseq {
    uint32_t cpu_id_start;
    uint32_t cpu_id;
    uint64_t rseq_cs; // guest address
    uint32_t flags;
    uint32_t node_id;
    uint32_t mm_cid;
    uint32_t pad0;
};
static_assert(sizeof(struct linux_rseq) == LINUX_RSEQ_ORIG_SIZE, "struct rseq");

#define LINUX_TFD_NONBLOCK            00004000
#define LINUX_TFD_CLOEXEC             02000000
#define LINUX_TFD_TIMER_ABSTIME       1
#define LINUX_TFD_TIMER_CANCEL_ON_SET 2

#define LINUX_EFD_SEMAPHORE 1
#define LINUX_EFD_NONBLOCK  00004000
#define LINUX_EFD_CLOEXEC   02000000

#define LINUX_SFD_NONBLOCK 00004000
#define LINUX_SFD_CLOEXEC  02000000

#define LINUX_FALLOC_FL_KEEP_SIZE      0x01
#define LINUX_FALLOC_FL_PUNCH_HOLE     0x02
#define LINUX_FALLOC_FL_NO_HIDE_STALE  0x04
#define LINUX_FALLOC_FL_COLLAPSE_RANGE 0x08
#define LINUX_FALLOC_FL_ZERO_RANGE     0x10
#define LINUX_FALLOC_FL_INSERT_RANGE   0x20
#define LINUX_FALLOC_FL_UNSHARE_RANGE  0x40
#define LINUX_FALLOC_FL_WRITE_ZEROES   0x80

#define LINUX_XATTR_CREATE   1
#define LINUX_XATTR_REPLACE  2
#define LINUX_XATTR_NAME_MAX 255
#define LINUX_XATTR_SIZE_MAX 65536
#define LINUX_XATTR_LIST_MAX 65536

struct linux_xattr_args {
    uint64_t value;
    uint32_t size;
    uint32_t flags;
};
static_assert(sizeof(struct linux_xattr_args) == 16, "struct xattr_args");

#define LINUX_PIDFD_NONBLOCK             00004000
#define LINUX_PIDFD_THREAD               00000200
#define LINUX_PIDFD_SIGNAL_THREAD        1
#define LINUX_PIDFD_SIGNAL_THREAD_GROUP  2
#define LINUX_PIDFD_SIGNAL_PROCESS_GROUP 4

#define LINUX_KCMP_FILE      0
#define LINUX_KCMP_VM        1
#define LINUX_KCMP_FILES     2
#define LINUX_KCMP_FS        3
#define LINUX_KCMP_SIGHAND   4
#define LINUX_KCMP_IO        5
#define LINUX_KCMP_SYSVSEM   6
#define LINUX_KCMP_EPOLL_TFD 7
struct linux_kcmp_epoll_slot {
    uint32_t efd, tfd, toff;
};

#define LINUX_MS_RDONLY      0x0001ul
#define LINUX_MS_NOSUID      0x0002ul
#define LINUX_MS_NODEV       0x0004ul
#define LINUX_MS_NOEXEC      0x0008ul
#define LINUX_MS_SYNCHRONOUS 0x0010ul
#define LINUX_MS_REMOUNT     0x0020ul
#define LINUX_MS_NOSYMFOLLOW 0x0100ul
#define LINUX_MS_NOATIME     0x0400ul
#define LINUX_MS_NODIRATIME  0x0800ul
#define LINUX_MS_BIND        0x1000ul
#define LINUX_MS_MOVE        0x2000ul
#define LINUX_MS_REC         0x4000ul
#define LINUX_MS_SILENT      0x8000ul
#define LINUX_MS_UNBINDABLE  0x20000ul
#define LINUX_MS_PRIVATE     0x40000ul
#define LINUX_MS_SLAVE       0x80000ul
#define LINUX_MS_SHARED      0x100000ul
#define LINUX_MS_RELATIME    0x200000ul
#define LINUX_MS_STRICTATIME 0x1000000ul

#define LINUX_MNT_FORCE       1
#define LINUX_MNT_DETACH      2
#define LINUX_MNT_EXPIRE      4
#define LINUX_UMOUNT_NOFOLLOW 8
#define LINUX_MS_MGC_VAL      0xc0ed0000ul
#define LINUX_MS_MGC_MSK      0xffff0000ul
#define LINUX_UMOUNT_NOFOLLOW 8

#define LINUX_NGROUPS_MAX     65536
#define LINUX_MAX_ARG_STRLEN  (32 * 4096)
#define LINUX_MAX_ARG_STRINGS 0x7fffffff
#define LINUX_BINPRM_BUF_SIZE 256

#define LINUX_REBOOT_MAGIC1 0xfee1deadu
#define LINUX_REBOOT_MAGIC2 672274793u
