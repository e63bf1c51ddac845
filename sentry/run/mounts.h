// SPDX-License-Identifier: Apache-2.0
// The file systems of a new sandbox.
#ifndef SENTRY_RUN_MOUNTS_H
#define SENTRY_RUN_MOUNTS_H

struct gofer_client;
struct sentry_config;
struct vfs;

// The root and what config->mounts says, in its order. 0, or -LINUX_E* after a line in the log.
int mounts_make(struct vfs *vfs, struct gofer_client *gofer, const struct sentry_config *config);

#endif
