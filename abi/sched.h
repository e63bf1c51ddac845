// SPDX-License-Identifier: Apache-2.0
// Making tasks and scheduling them: clone(2), clone3(2), sched_*(2).
#pragma once

#include <assert.h>
#include <stdint.h>

#define LINUX_CSIGNAL              0x000000ffull // clone only: the signal at exit
#define LINUX_CLONE_NEWTIME        0x00000080ull // clone3 and unshare only
#define LINUX_CLONE_VM             0x00000100ull
#define LINUX_CLONE_FS             0x00000200ull
#define LINUX_CLONE_FILES          0x00000400ull
#define LINUX_CLONE_SIGHAND        0x00000800ull
#define LINUX_CLONE_PIDFD          0x00001000ull
#define LINUX_CLONE_PTRACE         0x00002000ull
#define LINUX_CLONE_VFORK          0x00004000ull
#define LINUX_CLONE_PARENT         0x00008000ull
#define LINUX_CLONE_THREAD         0x00010000ull
#define LINUX_CLONE_NEWNS          0x00020000ull
#define LINUX_CLONE_SYSVSEM        0x00040000ull
#define LINUX_CLONE_SETTLS         0x00080000ull
#define LINUX_CLONE_PARENT_SETTID  0x00100000ull
#define LINUX_CLONE_CHILD_CLEARTID 0x00200000ull
#define LINUX_CLONE_DETACHED       0x00400000ull
#define LINUX_CLONE_UNTRACED       0x00800000ull
#define LINUX_CLONE_CHILD_SETTID   0x01000000ull
#define LINUX_CLONE_NEWCGROUP      0x02000000ull
#define LINUX_CLONE_NEWUTS         0x04000000ull
#define LINUX_CLONE_NEWIPC         0x08000000ull
#define LINUX_CLONE_NEWUSER        0x10000000ull
#define LINUX_CLONE_NEWPID         0x20000000ull
#define LINUX_CLONE_NEWNET         0x40000000ull
#define LINUX_CLONE_IO             0x80000000ull
#define LINUX_CLONE_CLEAR_SIGHAND  0x100000000ull // clone3 only
#define LINUX_CLONE_INTO_CGROUP    0x200000000ull // clone3 only

#define LINUX_CLONE_NS_FLAGS                                                                                 \
    (LINUX_CLONE_NEWTIME | LINUX_CLONE_NEWNS | LINUX_CLONE_NEWCGROUP | LINUX_CLONE_NEWUTS |                  \
     LINUX_CLONE_NEWIPC | LINUX_CLONE_NEWUSER | LINUX_CLONE_NEWPID | LINUX_CLONE_NEWNET)

struct linux_clone_args {
    uint64_t flags;
    uint64_t pidfd;
    uint64_t child_tid;
    uint64_t parent_tid;
    uint64_t exit_signal;
    uint64_t stack; // lowest byte, unlike clone(2)
    uint64_t stack_size;
    uint64_t tls;
    uint64_t set_tid;
    uint64_t set_tid_size;
    uint64_t cgroup;
};
#define LINUX_CLONE_ARGS_SIZE_VER0 64
#define LINUX_CLONE_ARGS_SIZE_VER1 80
#define LINUX_CLONE_ARGS_SIZE_VER2 88
static_assert(sizeof(struct linux_clone_args) == LINUX_CLONE_ARGS_SIZE_VER2, "struct clone_args");

#define LINUX_SCHED_NORMAL        0
#define LINUX_SCHED_OTHER         0
#define LINUX_SCHED_FIFO          1
#define LINUX_SCHED_RR            2
#define LINUX_SCHED_BATCH         3
#define LINUX_SCHED_IDLE          5
#define LINUX_SCHED_DEADLINE      6
#define LINUX_SCHED_EXT           7
#define LINUX_SCHED_RESET_ON_FORK 0x40000000

#define LINUX_SCHED_FLAG_RESET_ON_FORK  0x01
#define LINUX_SCHED_FLAG_RECLAIM        0x02
#define LINUX_SCHED_FLAG_DL_OVERRUN     0x04
#define LINUX_SCHED_FLAG_KEEP_POLICY    0x08
#define LINUX_SCHED_FLAG_KEEP_PARAMS    0x10
#define LINUX_SCHED_FLAG_UTIL_CLAMP_MIN 0x20
#define LINUX_SCHED_FLAG_UTIL_CLAMP_MAX 0x40
#define LINUX_SCHED_FLAG_ALL            0x7f

struct linux_sched_param {
    int32_t sched_priority;
};

#define LINUX_SCHED_ATTR_SIZE_VER0 48
struct linux_sched_attr {
    uint32_t size;
    uint32_t sched_policy;
    uint64_t sched_flags;
    int32_t sched_nice;
    uint32_t sched_priority;
    uint64_t sched_runtime;
    uint64_t sched_deadline;
    uint64_t sched_period;
    uint32_t sched_util_min;
    uint32_t sched_util_max;
};
static_assert(sizeof(struct linux_sched_attr) == 56, "struct sched_attr");
