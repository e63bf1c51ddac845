// SPDX-License-Identifier: Apache-2.0
// overlay(5) as guests mount it: directories of any file systems, one over the other. What is changed goes to
// the upper one, in the form that Linux has for it. (The sandbox's own upper layer is fs/overlay.)
#ifndef FS_LAYERS_H
#define FS_LAYERS_H
#include "fs/vfs.h"

#define LAYERS_MAX 500u

struct layers_opts {
    const struct path *lower;  // the topmost first
    unsigned nlower;
    const struct path *upper, *work;  // both, or NULL
    bool userxattr, is_volatile;
    const char *options;        // for /proc/mounts
    const struct vfs_ctx *ctx;  // who mounts it; what it borrows is kept by:
    void *cred;                 // taken over on success
    void (*cred_put)(void *cred);
};
// 0 and one reference. EINVAL: layers that do not go together; ELOOP: one lies in the other; ENOMEM, and what
// making the working directory says.
int layers_mount(struct vfs *vfs, const struct layers_opts *o, struct superblock **out);
bool layers_is(const struct superblock *sb);
bool layers_can_change(const struct superblock *sb);  // it has an upper layer

#endif
