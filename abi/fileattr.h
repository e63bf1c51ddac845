// SPDX-License-Identifier: Apache-2.0
// Flags of files, chattr(1), FS_IOC_GETFLAGS(2const): <linux/fs.h>.
#ifndef ABI_FILEATTR_H
#define ABI_FILEATTR_H
#include <assert.h>
#include <stdint.h>

#define LINUX_FS_IMMUTABLE_FL 0x10u
#define LINUX_FS_APPEND_FL    0x20u
#define LINUX_FS_NODUMP_FL    0x40u
#define LINUX_FS_NOATIME_FL   0x80u

#define LINUX_FS_XFLAG_IMMUTABLE 0x08u
#define LINUX_FS_XFLAG_APPEND    0x10u
#define LINUX_FS_XFLAG_NOATIME   0x40u
#define LINUX_FS_XFLAG_NODUMP    0x80u

struct linux_fsxattr {
    uint32_t fsx_xflags, fsx_extsize, fsx_nextents, fsx_projid, fsx_cowextsize;
    uint8_t fsx_pad[8];
};
static_assert(sizeof(struct linux_fsxattr) == 28, "struct fsxattr");

// The value of security.capability, <linux/capability.h>: versions 2 and 3 (with the root's id behind).
#define LINUX_XATTR_CAPS         "security.capability"
#define LINUX_VFS_CAP_REVISION   0xff000000u
#define LINUX_VFS_CAP_REVISION_2 0x02000000u
#define LINUX_VFS_CAP_REVISION_3 0x03000000u
#define LINUX_VFS_CAP_EFFECTIVE  0x000001u
#define LINUX_VFS_CAP_SIZE_2     20u
#define LINUX_VFS_CAP_SIZE_3     24u
struct linux_vfs_cap_data {
    uint32_t magic_etc;
    struct {
        uint32_t permitted, inheritable;
    } data[2];
    uint32_t rootid;  // version 3
};
static_assert(sizeof(struct linux_vfs_cap_data) == LINUX_VFS_CAP_SIZE_3, "struct vfs_ns_cap_data");

#endif
