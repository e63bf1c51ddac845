// SPDX-License-Identifier: Apache-2.0
// linux/mount.h: the calls on mounts by descriptors, and those that tell of mounts.
#ifndef ABI_MOUNT_H
#define ABI_MOUNT_H
#include <stddef.h>
#include <stdint.h>

#define LINUX_OPEN_TREE_CLONE   1u
#define LINUX_OPEN_TREE_CLOEXEC 02000000u  // O_CLOEXEC

#define LINUX_MOVE_MOUNT_F_SYMLINKS   0x001u
#define LINUX_MOVE_MOUNT_F_AUTOMOUNTS 0x002u
#define LINUX_MOVE_MOUNT_F_EMPTY_PATH 0x004u
#define LINUX_MOVE_MOUNT_T_SYMLINKS   0x010u
#define LINUX_MOVE_MOUNT_T_AUTOMOUNTS 0x020u
#define LINUX_MOVE_MOUNT_T_EMPTY_PATH 0x040u
#define LINUX_MOVE_MOUNT_SET_GROUP    0x100u
#define LINUX_MOVE_MOUNT_BENEATH      0x200u
#define LINUX_MOVE_MOUNT_MASK         0x377u

#define LINUX_AT_HANDLE_MNT_ID_UNIQUE 1  // name_to_handle_at

#define LINUX_FSOPEN_CLOEXEC          1u
#define LINUX_FSMOUNT_CLOEXEC         1u
#define LINUX_FSPICK_CLOEXEC          1u
#define LINUX_FSPICK_SYMLINK_NOFOLLOW 2u
#define LINUX_FSPICK_NO_AUTOMOUNT     4u
#define LINUX_FSPICK_EMPTY_PATH       8u

enum {
    LINUX_FSCONFIG_SET_FLAG,
    LINUX_FSCONFIG_SET_STRING,
    LINUX_FSCONFIG_SET_BINARY,
    LINUX_FSCONFIG_SET_PATH,
    LINUX_FSCONFIG_SET_PATH_EMPTY,
    LINUX_FSCONFIG_SET_FD,
    LINUX_FSCONFIG_CMD_CREATE,
    LINUX_FSCONFIG_CMD_RECONFIGURE,
    LINUX_FSCONFIG_CMD_CREATE_EXCL,
};

#define LINUX_MOUNT_ATTR_RDONLY      0x01u
#define LINUX_MOUNT_ATTR_NOSUID      0x02u
#define LINUX_MOUNT_ATTR_NODEV       0x04u
#define LINUX_MOUNT_ATTR_NOEXEC      0x08u
#define LINUX_MOUNT_ATTR_ATIME       0x70u  // of these one
#define LINUX_MOUNT_ATTR_RELATIME    0x00u
#define LINUX_MOUNT_ATTR_NOATIME     0x10u
#define LINUX_MOUNT_ATTR_STRICTATIME 0x20u
#define LINUX_MOUNT_ATTR_NODIRATIME  0x80u
#define LINUX_MOUNT_ATTR_IDMAP       0x100000u
#define LINUX_MOUNT_ATTR_NOSYMFOLLOW 0x200000u

struct linux_mount_attr {
    uint64_t attr_set, attr_clr, propagation, userns_fd;
};
#define LINUX_MOUNT_ATTR_SIZE_VER0 32u

struct linux_mnt_id_req {
    uint32_t size, mnt_ns_fd;
    uint64_t mnt_id, param, mnt_ns_id;
};
#define LINUX_MNT_ID_REQ_SIZE_VER0 24u
#define LINUX_LSMT_ROOT            UINT64_MAX
#define LINUX_LISTMOUNT_REVERSE    1u
#define LINUX_MNT_UNIQUE_ID_OFFSET (1ull << 31)  // their numbers are beyond it

#define LINUX_STATMOUNT_SB_BASIC       0x0001u
#define LINUX_STATMOUNT_MNT_BASIC      0x0002u
#define LINUX_STATMOUNT_PROPAGATE_FROM 0x0004u
#define LINUX_STATMOUNT_MNT_ROOT       0x0008u
#define LINUX_STATMOUNT_MNT_POINT      0x0010u
#define LINUX_STATMOUNT_FS_TYPE        0x0020u
#define LINUX_STATMOUNT_MNT_NS_ID      0x0040u
#define LINUX_STATMOUNT_MNT_OPTS       0x0080u
#define LINUX_STATMOUNT_FS_SUBTYPE     0x0100u
#define LINUX_STATMOUNT_SB_SOURCE      0x0200u
#define LINUX_STATMOUNT_OPT_ARRAY      0x0400u
#define LINUX_STATMOUNT_OPT_SEC_ARRAY  0x0800u
#define LINUX_STATMOUNT_SUPPORTED_MASK 0x1000u
#define LINUX_STATMOUNT_MNT_UIDMAP     0x2000u
#define LINUX_STATMOUNT_MNT_GIDMAP     0x4000u

struct linux_statmount {
    uint32_t size, mnt_opts;
    uint64_t mask;
    uint32_t sb_dev_major, sb_dev_minor;
    uint64_t sb_magic;
    uint32_t sb_flags, fs_type;
    uint64_t mnt_id, mnt_parent_id;
    uint32_t mnt_id_old, mnt_parent_id_old;
    uint64_t mnt_attr, mnt_propagation, mnt_peer_group, mnt_master, propagate_from;
    uint32_t mnt_root, mnt_point;
    uint64_t mnt_ns_id;
    uint32_t fs_subtype, sb_source;
    uint32_t opt_num, opt_array, opt_sec_num, opt_sec_array;
    uint64_t supported_mask;
    uint32_t mnt_uidmap_num, mnt_uidmap, mnt_gidmap_num, mnt_gidmap;
    uint64_t spare[43];
};
_Static_assert(sizeof(struct linux_mount_attr) == 32 && sizeof(struct linux_mnt_id_req) == 32,
               "linux/mount.h");
_Static_assert(sizeof(struct linux_statmount) == 512 && offsetof(struct linux_statmount, mnt_ns_id) == 112,
               "linux/mount.h");

#endif
