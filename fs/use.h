// SPDX-License-Identifier: Apache-2.0
// What a sandbox may use up of storage and of its caller's output, and has. Files of tmpfs are charged by
// their pages (fs/tmpfs/quota.c); files of the host's by the bytes by which they grow, which come back when
// they shrink or go, so that what counts is by how much the host has less.
// LIMIT: of the host's files holes count as bytes.
#ifndef FS_USE_H
#define FS_USE_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vfs;

struct vfs_output {
    _Atomic uint64_t total, passed;  // [a] bytes: written by guests; given to the host
};
struct vfs_use {
    uint64_t max_disk, max_files, max_output;  // [c] 0: no limit; output: of each stream
    _Atomic int64_t disk, files;               // [a] of the host's
    _Atomic uint64_t written, refused;         // [a] bytes to files; calls
    struct vfs_output output[2];               // stdout, stderr
    // Somebody goes on for long although it is refused. Any thread, under any lock of fs/.
    void (*insists)(void *owner, bool output);
    void *owner;
};

// Borrowed; before the first guest. tmpfs_too: what tmpfs refuses counts as well (it is the storage).
void vfs_set_use(struct vfs *v, struct vfs_use *use, bool tmpfs_too);
// False: it is refused, -LINUX_ENOSPC. Negative: given back.
bool vfs_use_disk(const struct vfs *v, int64_t bytes);
bool vfs_disk_limited(const struct vfs *v);
uint64_t vfs_disk_left(const struct vfs *v);  // bytes; without a limit UINT64_MAX
bool vfs_use_files(const struct vfs *v, int64_t n);
void use_refused(struct vfs_use *u);
// How much of n bytes may be given to the host; the rest is dropped. use_output_done(): what was given, and
// what of it was reserved in vain comes back.
uint64_t use_output(struct vfs_use *u, struct vfs_output *o, uint64_t n);
void use_output_done(struct vfs_use *u, struct vfs_output *o, uint64_t reserved, uint64_t given,
                     uint64_t dropped);

#endif
