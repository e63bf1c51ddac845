// SPDX-License-Identifier: Apache-2.0
// Files by their numbers, for open_by_handle_at(2).
#ifndef FS_BY_HANDLE_H
#define FS_BY_HANDLE_H
#include <stdint.h>

struct dentry;
struct superblock;

// Looks through the cache for a name of the file with that number: referenced, or NULL.
struct dentry *dcache_find_inode(struct superblock *sb, uint64_t ino);

#endif
