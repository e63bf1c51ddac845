// SPDX-License-Identifier: Apache-2.0
// Vectored I/O: readv(2), preadv2(2), process_vm_readv(2); and cachestat(2).
#pragma once

#include <assert.h>
#include <stdint.h>

#define LINUX_IOV_MAX     1024
#define LINUX_UIO_FASTIOV 8
// The kernel cuts every single transfer at this many bytes.
#define LINUX_MAX_RW_COUNT 0x7ffff000ull

#define LINUX_RWF_HIPRI     0x00000001u
#define LINUX_RWF_DSYNC     0x00000002u
#define LINUX_RWF_SYNC      0x00000004u
#define LINUX_RWF_NOWAIT    0x00000008u
#define LINUX_RWF_APPEND    0x00000010u
#define LINUX_RWF_NOAPPEND  0x00000020u
#define LINUX_RWF_ATOMIC    0x00000040u
#define LINUX_RWF_DONTCACHE 0x00000080u
#define LINUX_RWF_NOSIGNAL  0x00000100u

// cachestat(2)
struct linux_cachestat_range {
    uint64_t off, len;  // len 0: to the end
};
static_assert(sizeof(struct linux_cachestat_range) == 16, "struct cachestat_range");
struct linux_cachestat {
    uint64_t nr_cache, nr_dirty, nr_writeback, nr_evicted, nr_recently_evicted;  // pages
};
static_assert(sizeof(struct linux_cachestat) == 40, "struct cachestat");

struct linux_iovec {
    uint64_t iov_base; // guest address
    uint64_t iov_len;
};
static_assert(sizeof(struct linux_iovec) == 16, "struct iovec");
