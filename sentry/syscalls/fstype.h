// SPDX-License-Identifier: Apache-2.0
// File systems that guests can mount: a row of a table for each, with its options as data; what mount(2) and
// fsconfig(2) collect before one is made.
#ifndef SENTRY_SYSCALLS_FSTYPE_H
#define SENTRY_SYSCALLS_FSTYPE_H
#include "fs/vfs.h"
#include <stdbool.h>
#include <stdint.h>

struct task;

enum fs_option {
    FS_MODE,
    FS_UID,
    FS_GID,
    FS_SIZE,
    FS_BLOCKS,
    FS_INODES,
    FS_PTMXMODE,
    FS_MAX,
    FS_FD,
    FS_DEFAULT_PERMISSIONS,
    FS_ALLOW_OTHER,
    FS_HIDE,
    FS_SUBSET,
    FS_OVERLAY,  // one of fs_overlay.h
    FS_IGNORED,  // taken, of no effect here
    FS_OPTIONS
};

struct fs_type;

struct fs_config {
    const struct fs_type *type;
    struct ns *owner;             // owned: the user namespace that is to own it
    uint64_t values[FS_OPTIONS];  // ids as the sentry has them
    uint32_t given;               // 1 << FS_*
    bool read_only, told_read_only;
    char subtype[64];  // of a name such as fuse.sshfs; or empty
    char *source;  // owned; NULL: none was named
    struct overlay_config *overlay;  // owned; NULL: it is none, or cannot be changed any more
};

// 0, ENODEV: there is no such file system, or none that can be mounted; ENOMEM.
int fs_config_begin(struct task *t, const char *type, struct fs_config *c);
// For another round over one that is mounted; options that it does not take again are EINVAL.
int fs_config_again(struct task *t, const struct superblock *sb, struct fs_config *c);
void fs_config_end(struct fs_config *c);
const char *fs_config_type(const struct fs_config *c);
// One option; value: NULL: it has none. 0; EINVAL: unknown, or no such value; ENOMEM.
int fs_config_param(struct task *t, struct fs_config *c, const char *key, const char *value);
// One that is given as a descriptor. EINVAL: it takes none.
int fs_config_file(struct task *t, struct fs_config *c, const char *key, const struct path *p);
// A list of them with commas, as mount(2) has it; it is changed.
int fs_config_list(struct task *t, struct fs_config *c, char *data);
// EPERM: the caller may not mount that; else 0 and *out is one reference.
int fs_config_make(struct task *t, struct fs_config *c, struct superblock **out);
// What can change of a mounted one. EPERM: its owner is another, or a landlock ruleset is in the way; EINVAL.
int fs_config_apply(struct task *t, struct fs_config *c, struct superblock *sb);

#endif
