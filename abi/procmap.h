// SPDX-License-Identifier: Apache-2.0
// PROCMAP_QUERY of /proc/PID/maps, since Linux 6.11: <linux/fs.h>.
#ifndef ABI_PROCMAP_H
#define ABI_PROCMAP_H
#include <assert.h>
#include <stdint.h>

#define LINUX_PROCMAP_QUERY 0xc0686611u  // _IOWR('f', 17, struct procmap_query)

#define LINUX_PROCMAP_QUERY_VMA_READABLE         1u
#define LINUX_PROCMAP_QUERY_VMA_WRITABLE         2u
#define LINUX_PROCMAP_QUERY_VMA_EXECUTABLE       4u
#define LINUX_PROCMAP_QUERY_VMA_SHARED           8u
#define LINUX_PROCMAP_QUERY_COVERING_OR_NEXT_VMA 0x10u
#define LINUX_PROCMAP_QUERY_FILE_BACKED_VMA      0x20u

struct linux_procmap_query {
    uint64_t size, query_flags, query_addr;
    uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
    uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
    uint64_t vma_name_addr, build_id_addr;
};
static_assert(sizeof(struct linux_procmap_query) == 104, "struct procmap_query");
#define LINUX_PROCMAP_QUERY_LEAST 24u  // up to query_addr

#endif
