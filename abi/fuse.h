// SPDX-License-Identifier: Apache-2.0
// The protocol of /dev/fuse, version 7: <linux/fuse.h>, fuse(4). Requests go to the daemon, replies come
// back; each begins with its header.
#ifndef ABI_FUSE_H
#define ABI_FUSE_H
#include <assert.h>
#include <stdint.h>

#define LINUX_FUSE_SUPER_MAGIC     0x65735546
#define LINUX_FUSE_VERSION         7u
#define LINUX_FUSE_MINOR           38u
#define LINUX_FUSE_MINOR_LEAST     12u  // of a daemon's that is spoken to
#define LINUX_FUSE_ROOT_ID         1u
#define LINUX_FUSE_MIN_READ_BUFFER 8192u
#define LINUX_FUSE_DEV_MAJOR       10
#define LINUX_FUSE_DEV_MINOR       229

enum linux_fuse_opcode {
    LINUX_FUSE_LOOKUP = 1,
    LINUX_FUSE_FORGET = 2,
    LINUX_FUSE_GETATTR = 3,
    LINUX_FUSE_SETATTR = 4,
    LINUX_FUSE_READLINK = 5,
    LINUX_FUSE_SYMLINK = 6,
    LINUX_FUSE_MKNOD = 8,
    LINUX_FUSE_MKDIR = 9,
    LINUX_FUSE_UNLINK = 10,
    LINUX_FUSE_RMDIR = 11,
    LINUX_FUSE_RENAME = 12,
    LINUX_FUSE_LINK = 13,
    LINUX_FUSE_OPEN = 14,
    LINUX_FUSE_READ = 15,
    LINUX_FUSE_WRITE = 16,
    LINUX_FUSE_STATFS = 17,
    LINUX_FUSE_RELEASE = 18,
    LINUX_FUSE_FSYNC = 20,
    LINUX_FUSE_SETXATTR = 21,
    LINUX_FUSE_GETXATTR = 22,
    LINUX_FUSE_LISTXATTR = 23,
    LINUX_FUSE_REMOVEXATTR = 24,
    LINUX_FUSE_FLUSH = 25,
    LINUX_FUSE_INIT = 26,
    LINUX_FUSE_OPENDIR = 27,
    LINUX_FUSE_READDIR = 28,
    LINUX_FUSE_RELEASEDIR = 29,
    LINUX_FUSE_FSYNCDIR = 30,
    LINUX_FUSE_ACCESS = 34,
    LINUX_FUSE_CREATE = 35,
    LINUX_FUSE_INTERRUPT = 36,
    LINUX_FUSE_DESTROY = 38,
    LINUX_FUSE_BATCH_FORGET = 42,
    LINUX_FUSE_FALLOCATE = 43,
    LINUX_FUSE_RENAME2 = 45,
    LINUX_FUSE_LSEEK = 46,
};

// INIT: what the kernel can do, and what the daemon wants of it.
#define LINUX_FUSE_ASYNC_READ         0x1u
#define LINUX_FUSE_BIG_WRITES         0x20u
#define LINUX_FUSE_AUTO_INVAL_DATA    0x1000u
#define LINUX_FUSE_NO_OPEN_SUPPORT    0x20000u
#define LINUX_FUSE_PARALLEL_DIROPS    0x40000u
#define LINUX_FUSE_ABORT_ERROR        0x200000u
#define LINUX_FUSE_MAX_PAGES          0x400000u
#define LINUX_FUSE_NO_OPENDIR_SUPPORT 0x1000000u

#define LINUX_FUSE_FOPEN_DIRECT_IO 1u
#define LINUX_FUSE_FOPEN_NOFLUSH   0x20u

#define LINUX_FUSE_FATTR_MODE      1u
#define LINUX_FUSE_FATTR_UID       2u
#define LINUX_FUSE_FATTR_GID       4u
#define LINUX_FUSE_FATTR_SIZE      8u
#define LINUX_FUSE_FATTR_ATIME     0x10u
#define LINUX_FUSE_FATTR_MTIME     0x20u
#define LINUX_FUSE_FSYNC_FDATASYNC 1u

// Unasked words of the daemon's: `unique` is 0, `error` is one of these.
enum linux_fuse_notify {
    LINUX_FUSE_NOTIFY_POLL = 1,
    LINUX_FUSE_NOTIFY_INVAL_INODE = 2,
    LINUX_FUSE_NOTIFY_INVAL_ENTRY = 3,
    LINUX_FUSE_NOTIFY_STORE = 4,
    LINUX_FUSE_NOTIFY_RETRIEVE = 5,
    LINUX_FUSE_NOTIFY_DELETE = 6,
};

#define LINUX_FUSE_DEV_IOC_CLONE 0x8004e500u  // _IOR(229, 0, uint32_t)

struct linux_fuse_in_header {
    uint32_t len, opcode;
    uint64_t unique, nodeid;
    uint32_t uid, gid, pid;
    uint16_t total_extlen, padding;
};
static_assert(sizeof(struct linux_fuse_in_header) == 40, "struct fuse_in_header");
struct linux_fuse_out_header {
    uint32_t len;
    int32_t error;
    uint64_t unique;
};
static_assert(sizeof(struct linux_fuse_out_header) == 16, "struct fuse_out_header");

struct linux_fuse_attr {
    uint64_t ino, size, blocks, atime, mtime, ctime;
    uint32_t atimensec, mtimensec, ctimensec, mode, nlink, uid, gid, rdev, blksize, flags;
};
static_assert(sizeof(struct linux_fuse_attr) == 88, "struct fuse_attr");
struct linux_fuse_entry_out {
    uint64_t nodeid, generation, entry_valid, attr_valid;
    uint32_t entry_valid_nsec, attr_valid_nsec;
    struct linux_fuse_attr attr;
};
static_assert(sizeof(struct linux_fuse_entry_out) == 128, "struct fuse_entry_out");
struct linux_fuse_attr_out {
    uint64_t attr_valid;
    uint32_t attr_valid_nsec, dummy;
    struct linux_fuse_attr attr;
};
static_assert(sizeof(struct linux_fuse_attr_out) == 104, "struct fuse_attr_out");
struct linux_fuse_open_out {
    uint64_t fh;
    uint32_t open_flags, backing_id;
};
struct linux_fuse_init_in {
    uint32_t major, minor, max_readahead, flags, flags2, unused[11];
};
static_assert(sizeof(struct linux_fuse_init_in) == 64, "struct fuse_init_in");
struct linux_fuse_init_out {
    uint32_t major, minor, max_readahead, flags;
    uint16_t max_background, congestion_threshold;
    uint32_t max_write, time_gran;
    uint16_t max_pages, map_alignment;
    uint32_t flags2, unused[7];
};
static_assert(sizeof(struct linux_fuse_init_out) == 64, "struct fuse_init_out");
#define LINUX_FUSE_INIT_OUT_LEAST 24u  // before 7.23

struct linux_fuse_forget_in {
    uint64_t nlookup;
};
struct linux_fuse_forget_one {
    uint64_t nodeid, nlookup;
};
struct linux_fuse_batch_forget_in {
    uint32_t count, dummy;
};
struct linux_fuse_getattr_in {
    uint32_t getattr_flags, dummy;
    uint64_t fh;
};
struct linux_fuse_setattr_in {
    uint32_t valid, padding;
    uint64_t fh, size, lock_owner, atime, mtime, ctime;
    uint32_t atimensec, mtimensec, ctimensec, mode, unused4, uid, gid, unused5;
};
static_assert(sizeof(struct linux_fuse_setattr_in) == 88, "struct fuse_setattr_in");
struct linux_fuse_mknod_in {
    uint32_t mode, rdev, umask, padding;
};
struct linux_fuse_mkdir_in {
    uint32_t mode, umask;
};
struct linux_fuse_create_in {
    uint32_t flags, mode, umask, open_flags;
};
struct linux_fuse_open_in {
    uint32_t flags, open_flags;
};
struct linux_fuse_rename_in {
    uint64_t newdir;
};
struct linux_fuse_rename2_in {
    uint64_t newdir;
    uint32_t flags, padding;
};
struct linux_fuse_link_in {
    uint64_t oldnodeid;
};
struct linux_fuse_release_in {
    uint64_t fh;
    uint32_t flags, release_flags;
    uint64_t lock_owner;
};
struct linux_fuse_flush_in {
    uint64_t fh;
    uint32_t unused, padding;
    uint64_t lock_owner;
};
struct linux_fuse_read_in {
    uint64_t fh, offset;
    uint32_t size, read_flags;
    uint64_t lock_owner;
    uint32_t flags, padding;
};
static_assert(sizeof(struct linux_fuse_read_in) == 40, "struct fuse_read_in");
struct linux_fuse_write_in {
    uint64_t fh, offset;
    uint32_t size, write_flags;
    uint64_t lock_owner;
    uint32_t flags, padding;
};
static_assert(sizeof(struct linux_fuse_write_in) == 40, "struct fuse_write_in");
struct linux_fuse_write_out {
    uint32_t size, padding;
};
struct linux_fuse_statfs_out {
    uint64_t blocks, bfree, bavail, files, ffree;
    uint32_t bsize, namelen, frsize, padding, spare[6];
};
static_assert(sizeof(struct linux_fuse_statfs_out) == 80, "struct fuse_statfs_out");
struct linux_fuse_fsync_in {
    uint64_t fh;
    uint32_t fsync_flags, padding;
};
struct linux_fuse_setxattr_in {
    uint32_t size, flags;
};
struct linux_fuse_getxattr_in {
    uint32_t size, padding;
};
struct linux_fuse_getxattr_out {
    uint32_t size, padding;
};
struct linux_fuse_access_in {
    uint32_t mask, padding;
};
struct linux_fuse_interrupt_in {
    uint64_t unique;
};
struct linux_fuse_fallocate_in {
    uint64_t fh, offset, length;
    uint32_t mode, padding;
};
struct linux_fuse_lseek_in {
    uint64_t fh, offset;
    uint32_t whence, padding;
};
struct linux_fuse_lseek_out {
    uint64_t offset;
};
struct linux_fuse_dirent {  // the name follows, padded to 8 bytes
    uint64_t ino, off;
    uint32_t namelen, type;
};
struct linux_fuse_notify_inval_inode_out {
    uint64_t ino;
    int64_t off, len;
};
struct linux_fuse_notify_inval_entry_out {  // the name and a NUL follow
    uint64_t parent;
    uint32_t namelen, flags;
};
struct linux_fuse_notify_delete_out {  // likewise
    uint64_t parent, child;
    uint32_t namelen, padding;
};

#endif
