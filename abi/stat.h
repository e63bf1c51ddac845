// SPDX-License-Identifier: Apache-2.0
// File attributes and directory entries: stat(2), statx(2), statfs(2), getdents64(2), as on x86-64.
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define LINUX_S_IFMT    0170000
#define LINUX_S_IFSOCK  0140000
#define LINUX_S_IFLNK   0120000
#define LINUX_S_IFREG   0100000
#define LINUX_S_IFBLK   0060000
#define LINUX_S_IFDIR   0040000
#define LINUX_S_IFCHR   0020000
#define LINUX_S_IFIFO   0010000
#define LINUX_S_ISUID   0004000
#define LINUX_S_ISGID   0002000
#define LINUX_S_ISVTX   0001000
#define LINUX_S_IRWXU   00700
#define LINUX_S_IRUSR   00400
#define LINUX_S_IWUSR   00200
#define LINUX_S_IXUSR   00100
#define LINUX_S_IRWXG   00070
#define LINUX_S_IRGRP   00040
#define LINUX_S_IWGRP   00020
#define LINUX_S_IXGRP   00010
#define LINUX_S_IRWXO   00007
#define LINUX_S_IROTH   00004
#define LINUX_S_IWOTH   00002
#define LINUX_S_IXOTH   00001
#define LINUX_S_IRWXUGO 00777
#define LINUX_S_IALLUGO 07777

#define LINUX_S_ISREG(m)  (((m)&LINUX_S_IFMT) == LINUX_S_IFREG)
#define LINUX_S_ISDIR(m)  (((m)&LINUX_S_IFMT) == LINUX_S_IFDIR)
#define LINUX_S_ISLNK(m)  (((m)&LINUX_S_IFMT) == LINUX_S_IFLNK)
#define LINUX_S_ISCHR(m)  (((m)&LINUX_S_IFMT) == LINUX_S_IFCHR)
#define LINUX_S_ISBLK(m)  (((m)&LINUX_S_IFMT) == LINUX_S_IFBLK)
#define LINUX_S_ISFIFO(m) (((m)&LINUX_S_IFMT) == LINUX_S_IFIFO)
#define LINUX_S_ISSOCK(m) (((m)&LINUX_S_IFMT) == LINUX_S_IFSOCK)

#define LINUX_DT_UNKNOWN 0
#define LINUX_DT_FIFO    1
#define LINUX_DT_CHR     2
#define LINUX_DT_DIR     4
#define LINUX_DT_BLK     6
#define LINUX_DT_REG     8
#define LINUX_DT_LNK     10
#define LINUX_DT_SOCK    12
#define LINUX_DT_WHT     14
// The type of a directory entry is the type field of the mode.
#define LINUX_MODE_TO_DT(m) (((m)&LINUX_S_IFMT) >> 12)

// st_dev and st_rdev: 12 bits of major and 20 of minor, the low 8 bits of minor lowest (new_encode_dev).
#define LINUX_MKDEV(major, minor)                                                                            \
    (((uint32_t)(minor)&0xff) | (((uint32_t)(major)&0xfff) << 8) | (((uint32_t)(minor)&0xfff00) << 12))
#define LINUX_MAJOR(dev) (((uint32_t)(dev) >> 8) & 0xfff)
#define LINUX_MINOR(dev) (((uint32_t)(dev)&0xff) | (((uint32_t)(dev) >> 12) & 0xfff00))

struct linux_stat {
    uint64_t st_dev;
    uint64_t st_ino;
    uint64_t st_nlink;
    uint32_t st_mode;
    uint32_t st_uid;
    uint32_t st_gid;
    uint32_t pad0;
    uint64_t st_rdev;
    int64_t st_size;
    int64_t st_blksize;
    int64_t st_blocks; // of 512 bytes
    uint64_t st_atime_sec;
    uint64_t st_atime_nsec;
    uint64_t st_mtime_sec;
    uint64_t st_mtime_nsec;
    uint64_t st_ctime_sec;
    uint64_t st_ctime_nsec;
    int64_t unused[3];
};
static_assert(sizeof(struct linux_stat) == 144, "struct stat");
static_assert(offsetof(struct linux_stat, st_rdev) == 40, "struct stat");
static_assert(offsetof(struct linux_stat, st_atime_sec) == 72, "struct stat");

#define LINUX_STATX_TYPE           0x00000001u
#define LINUX_STATX_MODE           0x00000002u
#define LINUX_STATX_NLINK          0x00000004u
#define LINUX_STATX_UID            0x00000008u
#define LINUX_STATX_GID            0x00000010u
#define LINUX_STATX_ATIME          0x00000020u
#define LINUX_STATX_MTIME          0x00000040u
#define LINUX_STATX_CTIME          0x00000080u
#define LINUX_STATX_INO            0x00000100u
#define LINUX_STATX_SIZE           0x00000200u
#define LINUX_STATX_BLOCKS         0x00000400u
#define LINUX_STATX_BASIC_STATS    0x000007ffu
#define LINUX_STATX_BTIME          0x00000800u
#define LINUX_STATX_ALL            0x00000fffu
#define LINUX_STATX_MNT_ID         0x00001000u
#define LINUX_STATX_DIOALIGN       0x00002000u
#define LINUX_STATX_MNT_ID_UNIQUE  0x00004000u
#define LINUX_STATX_SUBVOL         0x00008000u
#define LINUX_STATX_WRITE_ATOMIC   0x00010000u
#define LINUX_STATX_DIO_READ_ALIGN 0x00020000u
#define LINUX_STATX__RESERVED      0x80000000u

#define LINUX_STATX_ATTR_COMPRESSED 0x00000004
#define LINUX_STATX_ATTR_IMMUTABLE  0x00000010
#define LINUX_STATX_ATTR_APPEND     0x00000020
#define LINUX_STATX_ATTR_NODUMP     0x00000040
#define LINUX_STATX_ATTR_ENCRYPTED  0x00000800
#define LINUX_STATX_ATTR_AUTOMOUNT  0x00001000
#define LINUX_STATX_ATTR_MOUNT_ROOT 0x00002000
#define LINUX_STATX_ATTR_VERITY     0x00100000
#define LINUX_STATX_ATTR_DAX        0x00200000

struct linux_statx_timestamp {
    int64_t tv_sec;
    uint32_t tv_nsec;
    int32_t reserved;
};
static_assert(sizeof(struct linux_statx_timestamp) == 16, "struct statx_timestamp");

struct linux_statx {
    uint32_t stx_mask;
    uint32_t stx_blksize;
    uint64_t stx_attributes;
    uint32_t stx_nlink;
    uint32_t stx_uid;
    uint32_t stx_gid;
    uint16_t stx_mode;
    uint16_t pad0;
    uint64_t stx_ino;
    uint64_t stx_size;
    uint64_t stx_blocks;
    uint64_t stx_attributes_mask;
    struct linux_statx_timestamp stx_atime;
    struct linux_statx_timestamp stx_btime;
    struct linux_statx_timestamp stx_ctime;
    struct linux_statx_timestamp stx_mtime;
    uint32_t stx_rdev_major;
    uint32_t stx_rdev_minor;
    uint32_t stx_dev_major;
    uint32_t stx_dev_minor;
    uint64_t stx_mnt_id;
    uint32_t stx_dio_mem_align;
    uint32_t stx_dio_offset_align;
    uint64_t stx_subvol;
    uint32_t stx_atomic_write_unit_min;
    uint32_t stx_atomic_write_unit_max;
    uint32_t stx_atomic_write_segments_max;
    uint32_t stx_dio_read_offset_align;
    uint32_t stx_atomic_write_unit_max_opt;
    uint32_t pad1;
    uint64_t spare[8];
};
static_assert(sizeof(struct linux_statx) == 256, "struct statx");
static_assert(offsetof(struct linux_statx, stx_atime) == 64, "struct statx");
static_assert(offsetof(struct linux_statx, stx_mnt_id) == 144, "struct statx");

#define LINUX_ST_RDONLY      0x0001
#define LINUX_ST_NOSUID      0x0002
#define LINUX_ST_NODEV       0x0004
#define LINUX_ST_NOEXEC      0x0008
#define LINUX_ST_SYNCHRONOUS 0x0010
#define LINUX_ST_VALID       0x0020
#define LINUX_ST_MANDLOCK    0x0040
#define LINUX_ST_NOATIME     0x0400
#define LINUX_ST_NODIRATIME  0x0800
#define LINUX_ST_RELATIME    0x1000
#define LINUX_ST_NOSYMFOLLOW 0x2000
#define LINUX_ST_NOSYMFOLLOW 0x2000

#define LINUX_TMPFS_MAGIC           0x01021994
#define LINUX_MQUEUE_MAGIC          0x19800202
#define LINUX_RAMFS_MAGIC           0x858458f6
#define LINUX_PROC_SUPER_MAGIC      0x9fa0
#define LINUX_SYSFS_MAGIC           0x62656572
#define LINUX_DEVPTS_SUPER_MAGIC    0x1cd1
#define LINUX_OVERLAYFS_SUPER_MAGIC 0x794c7630
#define LINUX_EXT4_SUPER_MAGIC      0xef53
#define LINUX_PIPEFS_MAGIC          0x50495045
#define LINUX_SOCKFS_MAGIC          0x534f434b
#define LINUX_ANON_INODE_FS_MAGIC   0x09041934
#define LINUX_NSFS_MAGIC            0x6e736673
#define LINUX_V9FS_MAGIC            0x01021997
#define LINUX_CGROUP2_SUPER_MAGIC   0x63677270

struct linux_statfs {
    int64_t f_type;
    int64_t f_bsize;
    uint64_t f_blocks;
    uint64_t f_bfree;
    uint64_t f_bavail;
    uint64_t f_files;
    uint64_t f_ffree;
    int32_t f_fsid[2];
    int64_t f_namelen;
    int64_t f_frsize;
    int64_t f_flags;
    int64_t f_spare[4];
};
static_assert(sizeof(struct linux_statfs) == 120, "struct statfs");

// getdents64: records of d_reclen bytes, each rounded up to 8, the name ended by a NUL.
struct linux_dirent64 {
    uint64_t d_ino;
    int64_t d_off;
    uint16_t d_reclen;
    uint8_t d_type;
    char d_name[];
};
static_assert(offsetof(struct linux_dirent64, d_name) == 19, "struct linux_dirent64");

// getdents: the type is the last byte of the record, after the name and its padding.
struct linux_dirent {
    uint64_t d_ino;
    uint64_t d_off;
    uint16_t d_reclen;
    char d_name[];
};
static_assert(offsetof(struct linux_dirent, d_name) == 18, "struct linux_dirent");
