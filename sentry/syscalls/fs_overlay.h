// SPDX-License-Identifier: Apache-2.0
// The options of an overlay, as they come one by one; the mount of it. fs/layers.h has what it is.
#ifndef SENTRY_SYSCALLS_FS_OVERLAY_H
#define SENTRY_SYSCALLS_FS_OVERLAY_H
#include "fs/vfs.h"

struct task;
struct overlay_config;

enum overlay_option {
    OVERLAY_LOWER,      // a list with colons
    OVERLAY_LOWER_ADD,  // one, below those before
    OVERLAY_UPPER,
    OVERLAY_WORK,
    OVERLAY_USERXATTR,
    OVERLAY_VOLATILE,
    OVERLAY_REDIRECT,
    OVERLAY_METACOPY,
    OVERLAY_SWITCH,  // on or off, of no effect here
    OVERLAY_XINO,
    OVERLAY_UUID,
};

struct overlay_config *overlay_config_new(void);  // NULL: no memory
void overlay_config_free(struct overlay_config *c);
// Directories are found at once, as the caller sees them. 0 or -LINUX_E*.
int overlay_config_param(struct task *t, struct overlay_config *c, enum overlay_option o, const char *value);
// A directory by a descriptor. EINVAL: the option is none.
int overlay_config_path(struct task *t, struct overlay_config *c, enum overlay_option o,
                        const struct path *p);
int overlay_config_make(struct task *t, struct overlay_config *c, struct superblock **sb);

#endif
