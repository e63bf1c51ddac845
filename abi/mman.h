// SPDX-License-Identifier: Apache-2.0
// Memory mapping: mmap(2), mprotect(2), madvise(2), mremap(2), msync(2), mlockall(2), memfd_create(2), pkeys.
#pragma once

#include <assert.h>
#include <stdint.h>

#define LINUX_PAGE_SHIFT 12
#define LINUX_PAGE_SIZE  4096ull
// One page below the end of the lower half: the highest address a program can map.
#define LINUX_TASK_SIZE     0x7ffffffff000ull
#define LINUX_MMAP_MIN_ADDR 65536ull

#define LINUX_PROT_NONE      0x0
#define LINUX_PROT_READ      0x1
#define LINUX_PROT_WRITE     0x2
#define LINUX_PROT_EXEC      0x4
#define LINUX_PROT_SEM       0x8
#define LINUX_PROT_GROWSDOWN 0x01000000
#define LINUX_PROT_GROWSUP   0x02000000

#define LINUX_MAP_SHARED          0x01
#define LINUX_MAP_PRIVATE         0x02
#define LINUX_MAP_SHARED_VALIDATE 0x03
#define LINUX_MAP_TYPE            0x0f
#define LINUX_MAP_FIXED           0x10
#define LINUX_MAP_ANONYMOUS       0x20
#define LINUX_MAP_32BIT           0x40
#define LINUX_MAP_ABOVE4G         0x80
#define LINUX_MAP_GROWSDOWN       0x00100
#define LINUX_MAP_DENYWRITE       0x00800
#define LINUX_MAP_EXECUTABLE      0x01000
#define LINUX_MAP_LOCKED          0x02000
#define LINUX_MAP_NORESERVE       0x04000
#define LINUX_MAP_POPULATE        0x08000
#define LINUX_MAP_NONBLOCK        0x10000
#define LINUX_MAP_STACK           0x20000
#define LINUX_MAP_HUGETLB         0x40000
#define LINUX_MAP_SYNC            0x80000
#define LINUX_MAP_FIXED_NOREPLACE 0x100000
#define LINUX_MAP_UNINITIALIZED   0x4000000
#define LINUX_MAP_HUGE_SHIFT      26
#define LINUX_MAP_HUGE_MASK       0x3f
#define LINUX_MAP_HUGE_2MB        (21u << LINUX_MAP_HUGE_SHIFT)
#define LINUX_MAP_HUGE_1GB        (30u << LINUX_MAP_HUGE_SHIFT)

#define LINUX_MS_ASYNC      1
#define LINUX_MS_INVALIDATE 2
#define LINUX_MS_SYNC       4

#define LINUX_MREMAP_MAYMOVE   1
#define LINUX_MREMAP_FIXED     2
#define LINUX_MREMAP_DONTUNMAP 4

#define LINUX_MCL_CURRENT   1
#define LINUX_MCL_FUTURE    2
#define LINUX_MCL_ONFAULT   4
#define LINUX_MLOCK_ONFAULT 1

#define LINUX_MADV_NORMAL          0
#define LINUX_MADV_RANDOM          1
#define LINUX_MADV_SEQUENTIAL      2
#define LINUX_MADV_WILLNEED        3
#define LINUX_MADV_DONTNEED        4
#define LINUX_MADV_FREE            8
#define LINUX_MADV_REMOVE          9
#define LINUX_MADV_DONTFORK        10
#define LINUX_MADV_DOFORK          11
#define LINUX_MADV_MERGEABLE       12
#define LINUX_MADV_UNMERGEABLE     13
#define LINUX_MADV_HUGEPAGE        14
#define LINUX_MADV_NOHUGEPAGE      15
#define LINUX_MADV_DONTDUMP        16
#define LINUX_MADV_DODUMP          17
#define LINUX_MADV_WIPEONFORK      18
#define LINUX_MADV_KEEPONFORK      19
#define LINUX_MADV_COLD            20
#define LINUX_MADV_PAGEOUT         21
#define LINUX_MADV_POPULATE_READ   22
#define LINUX_MADV_POPULATE_WRITE  23
#define LINUX_MADV_DONTNEED_LOCKED 24
#define LINUX_MADV_COLLAPSE        25
#define LINUX_MADV_HWPOISON        100
#define LINUX_MADV_SOFT_OFFLINE    101
#define LINUX_MADV_GUARD_INSTALL   102
#define LINUX_MADV_GUARD_REMOVE    103

#define LINUX_MFD_CLOEXEC       0x0001u
#define LINUX_MFD_ALLOW_SEALING 0x0002u
#define LINUX_MFD_HUGETLB       0x0004u
#define LINUX_MFD_HUGE_MASK     0xfc000000u  // the base-two logarithm of the size of a page
#define LINUX_MFD_NOEXEC_SEAL   0x0008u
#define LINUX_MFD_EXEC          0x0010u

#define LINUX_PKEY_DISABLE_ACCESS 0x1
#define LINUX_PKEY_DISABLE_WRITE  0x2

// System V shared memory.
#define LINUX_SHM_R         0400
#define LINUX_SHM_W         0200
#define LINUX_SHM_RDONLY    010000
#define LINUX_SHM_RND       020000
#define LINUX_SHM_REMAP     040000
#define LINUX_SHM_EXEC      0100000
#define LINUX_SHM_HUGETLB   04000
#define LINUX_SHM_NORESERVE 010000

#define LINUX_IPC_CREAT   01000
#define LINUX_IPC_EXCL    02000
#define LINUX_IPC_NOWAIT  04000
#define LINUX_IPC_RMID    0
#define LINUX_IPC_SET     1
#define LINUX_IPC_STAT    2
#define LINUX_IPC_INFO    3
#define LINUX_SHM_LOCK    11
#define LINUX_SHM_UNLOCK  12
#define LINUX_SHM_STAT    13
#define LINUX_SHM_INFO    14
#define LINUX_IPC_PRIVATE 0
