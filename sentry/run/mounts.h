// SPDX-License-Identifier: Apache-2.0
// The file systems of a new sandbox, and of a further container in it.
#ifndef SENTRY_RUN_MOUNTS_H
#define SENTRY_RUN_MOUNTS_H

struct gofer_client;
struct mnt_ns;
struct sentry_config;
struct vfs;

// The root and what config->mounts says, in its order: in the first namespace, or, where ns is not NULL, in a
// new one, *ns, which is the caller's to put also when it fails. 0, or -LINUX_E* after a line in the log.
int mounts_make(struct vfs *vfs, struct gofer_client *gofer, const struct sentry_config *config,
                struct mnt_ns **ns);

#endif
