// SPDX-License-Identifier: Apache-2.0
// Opening, locking and renaming files: open(2), openat2(2), fcntl(2), flock(2), the *at family, as on x86-64.
#pragma once

#include <assert.h>
#include <stdint.h>

#define LINUX_O_RDONLY    00000000
#define LINUX_O_WRONLY    00000001
#define LINUX_O_RDWR      00000002
#define LINUX_O_ACCMODE   00000003
#define LINUX_O_CREAT     00000100
#define LINUX_O_EXCL      00000200
#define LINUX_O_NOCTTY    00000400
#define LINUX_O_TRUNC     00001000
#define LINUX_O_APPEND    00002000
#define LINUX_O_NONBLOCK  00004000
#define LINUX_O_NDELAY    LINUX_O_NONBLOCK
#define LINUX_O_DSYNC     00010000
#define LINUX_FASYNC      00020000
#define LINUX_O_ASYNC     LINUX_FASYNC
#define LINUX_O_DIRECT    00040000
#define LINUX_O_NOTIFICATION_PIPE LINUX_O_EXCL  // pipe2
#define LINUX_O_LARGEFILE 00100000 // the kernel sets it on every open of a 64-bit program; F_GETFL shows it
#define LINUX_O_DIRECTORY 00200000
#define LINUX_O_NOFOLLOW  00400000
#define LINUX_O_NOATIME   01000000
#define LINUX_O_CLOEXEC   02000000
#define LINUX___O_SYNC    04000000
#define LINUX_O_SYNC      (LINUX___O_SYNC | LINUX_O_DSYNC)
#define LINUX_O_PATH      010000000
#define LINUX___O_TMPFILE 020000000
#define LINUX_O_TMPFILE   (LINUX___O_TMPFILE | LINUX_O_DIRECTORY)

// All that open(2) knows. open(2) and openat(2) ignore other bits, openat2(2) refuses them.
#define LINUX_VALID_OPEN_FLAGS                                                                               \
    (LINUX_O_ACCMODE | LINUX_O_CREAT | LINUX_O_EXCL | LINUX_O_NOCTTY | LINUX_O_TRUNC | LINUX_O_APPEND |      \
     LINUX_O_NONBLOCK | LINUX_O_SYNC | LINUX_FASYNC | LINUX_O_DIRECT | LINUX_O_LARGEFILE |                   \
     LINUX_O_DIRECTORY | LINUX_O_NOFOLLOW | LINUX_O_NOATIME | LINUX_O_CLOEXEC | LINUX_O_PATH |               \
     LINUX_O_TMPFILE)
// What F_SETFL changes as it is asked to. FASYNC, too, but only where the kind of file tells its readiness by
// signals.
#define LINUX_SETFL_MASK (LINUX_O_APPEND | LINUX_O_NONBLOCK | LINUX_O_DIRECT | LINUX_O_NOATIME)

#define LINUX_AT_FDCWD              (-100)
#define LINUX_AT_SYMLINK_NOFOLLOW   0x100
#define LINUX_AT_REMOVEDIR          0x200 // unlinkat
#define LINUX_AT_EACCESS            0x200 // faccessat2
#define LINUX_AT_HANDLE_FID         0x200 // name_to_handle_at
#define LINUX_AT_HANDLE_CONNECTABLE 0x002 // ... likewise
#define LINUX_AT_SYMLINK_FOLLOW     0x400 // linkat
#define LINUX_AT_NO_AUTOMOUNT       0x800
#define LINUX_AT_EMPTY_PATH         0x1000
#define LINUX_AT_STATX_SYNC_TYPE    0x6000
#define LINUX_AT_STATX_SYNC_AS_STAT 0x0000
#define LINUX_AT_STATX_FORCE_SYNC   0x2000
#define LINUX_AT_STATX_DONT_SYNC    0x4000
#define LINUX_AT_RECURSIVE          0x8000
#define LINUX_AT_EXECVE_CHECK       0x10000

#define LINUX_F_DUPFD            0
#define LINUX_F_GETFD            1
#define LINUX_F_SETFD            2
#define LINUX_F_GETFL            3
#define LINUX_F_SETFL            4
#define LINUX_F_GETLK            5
#define LINUX_F_SETLK            6
#define LINUX_F_SETLKW           7
#define LINUX_F_SETOWN           8
#define LINUX_F_GETOWN           9
#define LINUX_F_SETSIG           10
#define LINUX_F_GETSIG           11
#define LINUX_F_SETOWN_EX        15
#define LINUX_F_GETOWN_EX        16
#define LINUX_F_GETOWNER_UIDS    17
#define LINUX_F_OFD_GETLK        36
#define LINUX_F_OFD_SETLK        37
#define LINUX_F_OFD_SETLKW       38
#define LINUX_F_SETLEASE         1024
#define LINUX_F_GETLEASE         1025
#define LINUX_F_NOTIFY           1026
#define LINUX_DN_ACCESS          0x01u
#define LINUX_DN_MODIFY          0x02u
#define LINUX_DN_CREATE          0x04u
#define LINUX_DN_DELETE          0x08u
#define LINUX_DN_RENAME          0x10u
#define LINUX_DN_ATTRIB          0x20u
#define LINUX_DN_MULTISHOT       0x80000000u
#define LINUX_F_DUPFD_QUERY      1027
#define LINUX_F_CREATED_QUERY    1028
#define LINUX_F_CANCELLK         1029
#define LINUX_F_DUPFD_CLOEXEC    1030
#define LINUX_F_SETPIPE_SZ       1031
#define LINUX_F_GETPIPE_SZ       1032
#define LINUX_F_ADD_SEALS        1033
#define LINUX_F_GET_SEALS        1034
#define LINUX_F_GET_RW_HINT      1035
#define LINUX_F_SET_RW_HINT      1036
#define LINUX_RWH_WRITE_LIFE_EXTREME 5
#define LINUX_F_GET_FILE_RW_HINT 1037
#define LINUX_F_SET_FILE_RW_HINT 1038

#define LINUX_RWH_WRITE_LIFE_EXTREME 5  // the last one

#define LINUX_FD_CLOEXEC 1

#define LINUX_F_RDLCK 0
#define LINUX_F_WRLCK 1
#define LINUX_F_UNLCK 2

#define LINUX_F_OWNER_TID  0
#define LINUX_F_OWNER_PID  1
#define LINUX_F_OWNER_PGRP 2

#define LINUX_F_SEAL_SEAL         0x0001
#define LINUX_F_SEAL_SHRINK       0x0002
#define LINUX_F_SEAL_GROW         0x0004
#define LINUX_F_SEAL_WRITE        0x0008
#define LINUX_F_SEAL_FUTURE_WRITE 0x0010
#define LINUX_F_SEAL_EXEC         0x0020

#define LINUX_LOCK_SH 1
#define LINUX_LOCK_EX 2
#define LINUX_LOCK_NB 4
#define LINUX_LOCK_UN 8
#define LINUX_LOCK_MAND 32

#define LINUX_SEEK_SET  0
#define LINUX_SEEK_CUR  1
#define LINUX_SEEK_END  2
#define LINUX_SEEK_DATA 3
#define LINUX_SEEK_HOLE 4

#define LINUX_R_OK 4
#define LINUX_W_OK 2
#define LINUX_X_OK 1
#define LINUX_F_OK 0

#define LINUX_RENAME_NOREPLACE 1u
#define LINUX_RENAME_EXCHANGE  2u
#define LINUX_RENAME_WHITEOUT  4u

#define LINUX_RESOLVE_NO_XDEV       0x01
#define LINUX_RESOLVE_NO_MAGICLINKS 0x02
#define LINUX_RESOLVE_NO_SYMLINKS   0x04
#define LINUX_RESOLVE_BENEATH       0x08
#define LINUX_RESOLVE_IN_ROOT       0x10
#define LINUX_RESOLVE_CACHED        0x20

#define LINUX_POSIX_FADV_NORMAL     0
#define LINUX_POSIX_FADV_RANDOM     1
#define LINUX_POSIX_FADV_SEQUENTIAL 2
#define LINUX_POSIX_FADV_WILLNEED   3
#define LINUX_POSIX_FADV_DONTNEED   4
#define LINUX_POSIX_FADV_NOREUSE    5

#define LINUX_SYNC_FILE_RANGE_WAIT_BEFORE 1
#define LINUX_SYNC_FILE_RANGE_WRITE       2
#define LINUX_SYNC_FILE_RANGE_WAIT_AFTER  4

#define LINUX_SPLICE_F_MOVE     1
#define LINUX_SPLICE_F_NONBLOCK 2
#define LINUX_SPLICE_F_MORE     4
#define LINUX_SPLICE_F_GIFT     8

#define LINUX_PATH_MAX 4096
#define LINUX_NAME_MAX 255
#define LINUX_PIPE_BUF 4096

struct linux_flock {
    int16_t l_type;
    int16_t l_whence;
    uint32_t pad0;
    int64_t l_start;
    int64_t l_len;
    int32_t l_pid;
    uint32_t pad1;
};
static_assert(sizeof(struct linux_flock) == 32, "struct flock");

struct linux_f_owner_ex {
    int32_t type;
    int32_t pid;
};

#define LINUX_OPEN_HOW_SIZE_VER0 24

struct linux_open_how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};
static_assert(sizeof(struct linux_open_how) == LINUX_OPEN_HOW_SIZE_VER0, "struct open_how");
