// SPDX-License-Identifier: Apache-2.0
// Files by their numbers, for open_by_handle_at(2).
#ifndef FS_BY_HANDLE_H
#define FS_BY_HANDLE_H
#include <stdint.h>

struct dentry;
struct path;

// Looks through the cache for a name of the file with that number, in the file system of `at`: referenced, or
// NULL. Where nothing has a place (pipes, memfds) nothing is found.
struct dentry *dcache_find_inode(const struct path *at, uint64_t ino);

#endif
