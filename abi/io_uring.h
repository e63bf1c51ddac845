// SPDX-License-Identifier: Apache-2.0
// io_uring(7), as of Linux 6.1.
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define LINUX_IORING_MAX_ENTRIES    32768u
#define LINUX_IORING_MAX_CQ_ENTRIES 65536u

// io_uring_setup(2)
#define LINUX_IORING_SETUP_IOPOLL        (1u << 0)
#define LINUX_IORING_SETUP_SQPOLL        (1u << 1)
#define LINUX_IORING_SETUP_SQ_AFF        (1u << 2)
#define LINUX_IORING_SETUP_CQSIZE        (1u << 3)
#define LINUX_IORING_SETUP_CLAMP         (1u << 4)
#define LINUX_IORING_SETUP_ATTACH_WQ     (1u << 5)
#define LINUX_IORING_SETUP_R_DISABLED    (1u << 6)
#define LINUX_IORING_SETUP_SUBMIT_ALL    (1u << 7)
#define LINUX_IORING_SETUP_COOP_TASKRUN  (1u << 8)
#define LINUX_IORING_SETUP_TASKRUN_FLAG  (1u << 9)
#define LINUX_IORING_SETUP_SQE128        (1u << 10)
#define LINUX_IORING_SETUP_CQE32         (1u << 11)
#define LINUX_IORING_SETUP_SINGLE_ISSUER (1u << 12)
#define LINUX_IORING_SETUP_DEFER_TASKRUN (1u << 13)

#define LINUX_IORING_FEAT_SINGLE_MMAP     (1u << 0)
#define LINUX_IORING_FEAT_NODROP          (1u << 1)
#define LINUX_IORING_FEAT_SUBMIT_STABLE   (1u << 2)
#define LINUX_IORING_FEAT_RW_CUR_POS      (1u << 3)
#define LINUX_IORING_FEAT_CUR_PERSONALITY (1u << 4)
#define LINUX_IORING_FEAT_FAST_POLL       (1u << 5)
#define LINUX_IORING_FEAT_POLL_32BITS     (1u << 6)
#define LINUX_IORING_FEAT_EXT_ARG         (1u << 8)
#define LINUX_IORING_FEAT_NATIVE_WORKERS  (1u << 9)
#define LINUX_IORING_FEAT_CQE_SKIP        (1u << 11)
#define LINUX_IORING_FEAT_LINKED_FILE     (1u << 12)

#define LINUX_IORING_OFF_SQ_RING 0ull
#define LINUX_IORING_OFF_CQ_RING 0x8000000ull
#define LINUX_IORING_OFF_SQES    0x10000000ull

#define LINUX_IORING_SQ_CQ_OVERFLOW (1u << 1)

struct linux_io_sqring_offsets {
    uint32_t head, tail, ring_mask, ring_entries, flags, dropped, array, resv1;
    uint64_t user_addr;
};
struct linux_io_cqring_offsets {
    uint32_t head, tail, ring_mask, ring_entries, overflow, cqes, flags, resv1;
    uint64_t user_addr;
};
struct linux_io_uring_params {
    uint32_t sq_entries, cq_entries, flags, sq_thread_cpu, sq_thread_idle, features, wq_fd, resv[3];
    struct linux_io_sqring_offsets sq_off;
    struct linux_io_cqring_offsets cq_off;
};
static_assert(sizeof(struct linux_io_uring_params) == 120, "struct io_uring_params");

struct linux_io_uring_cqe {
    uint64_t user_data;
    int32_t res;
    uint32_t flags;
};
static_assert(sizeof(struct linux_io_uring_cqe) == 16, "struct io_uring_cqe");
#define LINUX_IORING_CQE_F_BUFFER     (1u << 0)
#define LINUX_IORING_CQE_F_MORE       (1u << 1)
#define LINUX_IORING_CQE_F_NOTIF      (1u << 3)
#define LINUX_IORING_CQE_BUFFER_SHIFT 16

// The unions of Linux by the name of what most requests have there.
struct linux_io_uring_sqe {
    uint8_t opcode, flags;
    uint16_t ioprio;
    int32_t fd;
    uint64_t off;   // addr2
    uint64_t addr;  // splice_off_in
    uint32_t len;
    uint32_t op_flags;  // rw_flags, poll32_events, timeout_flags ...
    uint64_t user_data;
    uint16_t buf_index;  // buf_group
    uint16_t personality;
    int32_t splice_fd_in;  // file_index, addr_len
    uint64_t addr3;
    uint64_t pad2;
};
static_assert(sizeof(struct linux_io_uring_sqe) == 64, "struct io_uring_sqe");
static_assert(offsetof(struct linux_io_uring_sqe, user_data) == 32, "user_data");

#define LINUX_IOSQE_FIXED_FILE       (1u << 0)
#define LINUX_IOSQE_IO_DRAIN         (1u << 1)
#define LINUX_IOSQE_IO_LINK          (1u << 2)
#define LINUX_IOSQE_IO_HARDLINK      (1u << 3)
#define LINUX_IOSQE_ASYNC            (1u << 4)
#define LINUX_IOSQE_BUFFER_SELECT    (1u << 5)
#define LINUX_IOSQE_CQE_SKIP_SUCCESS (1u << 6)

enum {
    LINUX_IORING_OP_NOP,
    LINUX_IORING_OP_READV,
    LINUX_IORING_OP_WRITEV,
    LINUX_IORING_OP_FSYNC,
    LINUX_IORING_OP_READ_FIXED,
    LINUX_IORING_OP_WRITE_FIXED,
    LINUX_IORING_OP_POLL_ADD,
    LINUX_IORING_OP_POLL_REMOVE,
    LINUX_IORING_OP_SYNC_FILE_RANGE,
    LINUX_IORING_OP_SENDMSG,
    LINUX_IORING_OP_RECVMSG,
    LINUX_IORING_OP_TIMEOUT,
    LINUX_IORING_OP_TIMEOUT_REMOVE,
    LINUX_IORING_OP_ACCEPT,
    LINUX_IORING_OP_ASYNC_CANCEL,
    LINUX_IORING_OP_LINK_TIMEOUT,
    LINUX_IORING_OP_CONNECT,
    LINUX_IORING_OP_FALLOCATE,
    LINUX_IORING_OP_OPENAT,
    LINUX_IORING_OP_CLOSE,
    LINUX_IORING_OP_FILES_UPDATE,
    LINUX_IORING_OP_STATX,
    LINUX_IORING_OP_READ,
    LINUX_IORING_OP_WRITE,
    LINUX_IORING_OP_FADVISE,
    LINUX_IORING_OP_MADVISE,
    LINUX_IORING_OP_SEND,
    LINUX_IORING_OP_RECV,
    LINUX_IORING_OP_OPENAT2,
    LINUX_IORING_OP_EPOLL_CTL,
    LINUX_IORING_OP_SPLICE,
    LINUX_IORING_OP_PROVIDE_BUFFERS,
    LINUX_IORING_OP_REMOVE_BUFFERS,
    LINUX_IORING_OP_TEE,
    LINUX_IORING_OP_SHUTDOWN,
    LINUX_IORING_OP_RENAMEAT,
    LINUX_IORING_OP_UNLINKAT,
    LINUX_IORING_OP_MKDIRAT,
    LINUX_IORING_OP_SYMLINKAT,
    LINUX_IORING_OP_LINKAT,
    LINUX_IORING_OP_MSG_RING,
    LINUX_IORING_OP_FSETXATTR,
    LINUX_IORING_OP_SETXATTR,
    LINUX_IORING_OP_FGETXATTR,
    LINUX_IORING_OP_GETXATTR,
    LINUX_IORING_OP_SOCKET,
    LINUX_IORING_OP_URING_CMD,
    LINUX_IORING_OP_SEND_ZC,
    LINUX_IORING_OP_SENDMSG_ZC,
    LINUX_IORING_OP_COUNT
};

#define LINUX_IORING_FSYNC_DATASYNC        1u
#define LINUX_IORING_TIMEOUT_ABS           (1u << 0)
#define LINUX_IORING_TIMEOUT_UPDATE        (1u << 1)
#define LINUX_IORING_TIMEOUT_BOOTTIME      (1u << 2)
#define LINUX_IORING_TIMEOUT_REALTIME      (1u << 3)
#define LINUX_IORING_LINK_TIMEOUT_UPDATE   (1u << 4)
#define LINUX_IORING_TIMEOUT_ETIME_SUCCESS (1u << 5)
#define LINUX_SPLICE_F_FD_IN_FIXED         (1u << 31)
#define LINUX_IORING_POLL_ADD_MULTI        (1u << 0)
#define LINUX_IORING_POLL_UPDATE_EVENTS    (1u << 1)
#define LINUX_IORING_POLL_UPDATE_USER_DATA (1u << 2)
#define LINUX_IORING_POLL_ADD_LEVEL        (1u << 3)
#define LINUX_IORING_ASYNC_CANCEL_ALL      (1u << 0)
#define LINUX_IORING_ASYNC_CANCEL_FD       (1u << 1)
#define LINUX_IORING_ASYNC_CANCEL_ANY      (1u << 2)
#define LINUX_IORING_ASYNC_CANCEL_FD_FIXED (1u << 3)
#define LINUX_IORING_RECVSEND_POLL_FIRST   (1u << 0)
#define LINUX_IORING_RECV_MULTISHOT        (1u << 1)
#define LINUX_IORING_RECVSEND_FIXED_BUF    (1u << 2)
#define LINUX_IORING_ACCEPT_MULTISHOT      (1u << 0)
#define LINUX_IORING_FILE_INDEX_ALLOC      UINT32_MAX

// io_uring_enter(2)
#define LINUX_IORING_ENTER_GETEVENTS (1u << 0)
#define LINUX_IORING_ENTER_SQ_WAKEUP (1u << 1)
#define LINUX_IORING_ENTER_SQ_WAIT   (1u << 2)
#define LINUX_IORING_ENTER_EXT_ARG   (1u << 3)
struct linux_io_uring_getevents_arg {
    uint64_t sigmask;
    uint32_t sigmask_sz, pad;
    uint64_t ts;
};
static_assert(sizeof(struct linux_io_uring_getevents_arg) == 24, "struct io_uring_getevents_arg");

// io_uring_register(2)
enum {
    LINUX_IORING_REGISTER_BUFFERS,
    LINUX_IORING_UNREGISTER_BUFFERS,
    LINUX_IORING_REGISTER_FILES,
    LINUX_IORING_UNREGISTER_FILES,
    LINUX_IORING_REGISTER_EVENTFD,
    LINUX_IORING_UNREGISTER_EVENTFD,
    LINUX_IORING_REGISTER_FILES_UPDATE,
    LINUX_IORING_REGISTER_EVENTFD_ASYNC,
    LINUX_IORING_REGISTER_PROBE,
    LINUX_IORING_REGISTER_PERSONALITY,
    LINUX_IORING_UNREGISTER_PERSONALITY,
    LINUX_IORING_REGISTER_RESTRICTIONS,
    LINUX_IORING_REGISTER_ENABLE_RINGS,
    LINUX_IORING_REGISTER_FILES2,
    LINUX_IORING_REGISTER_FILES_UPDATE2,
    LINUX_IORING_REGISTER_BUFFERS2,
    LINUX_IORING_REGISTER_BUFFERS_UPDATE,
    LINUX_IORING_REGISTER_IOWQ_AFF,
    LINUX_IORING_UNREGISTER_IOWQ_AFF,
    LINUX_IORING_REGISTER_IOWQ_MAX_WORKERS,
    LINUX_IORING_REGISTER_RING_FDS,
    LINUX_IORING_UNREGISTER_RING_FDS,
    LINUX_IORING_REGISTER_PBUF_RING,
    LINUX_IORING_UNREGISTER_PBUF_RING,
    LINUX_IORING_REGISTER_SYNC_CANCEL,
    LINUX_IORING_REGISTER_FILE_ALLOC_RANGE,
    LINUX_IORING_REGISTER_COUNT
};

struct linux_io_uring_files_update {
    uint32_t offset, resv;
    uint64_t fds;
};
static_assert(sizeof(struct linux_io_uring_files_update) == 16, "struct io_uring_files_update");
#define LINUX_IORING_REGISTER_FILES_SKIP (-2)

#define LINUX_IORING_RSRC_REGISTER_SPARSE 1u
struct linux_io_uring_rsrc_register {
    uint32_t nr, flags;
    uint64_t resv2, data, tags;
};
static_assert(sizeof(struct linux_io_uring_rsrc_register) == 32, "struct io_uring_rsrc_register");

struct linux_io_uring_probe_op {
    uint8_t op, resv;
    uint16_t flags;
    uint32_t resv2;
};
#define LINUX_IO_URING_OP_SUPPORTED 1u
struct linux_io_uring_probe {
    uint8_t last_op, ops_len;
    uint16_t resv;
    uint32_t resv2[3];
};
static_assert(sizeof(struct linux_io_uring_probe) == 16 && sizeof(struct linux_io_uring_probe_op) == 8,
              "struct io_uring_probe");

struct linux_io_uring_restriction {
    uint16_t opcode;
    uint8_t arg;  // register_op, sqe_op, sqe_flags
    uint8_t resv;
    uint32_t resv2[3];
};
static_assert(sizeof(struct linux_io_uring_restriction) == 16, "struct io_uring_restriction");
enum {
    LINUX_IORING_RESTRICTION_REGISTER_OP,
    LINUX_IORING_RESTRICTION_SQE_OP,
    LINUX_IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
    LINUX_IORING_RESTRICTION_SQE_FLAGS_REQUIRED
};

struct linux_io_uring_buf {
    uint64_t addr;
    uint32_t len;
    uint16_t bid, resv;  // resv of the first one: the tail
};
static_assert(sizeof(struct linux_io_uring_buf) == 16, "struct io_uring_buf");
struct linux_io_uring_buf_reg {
    uint64_t ring_addr;
    uint32_t ring_entries;
    uint16_t bgid, flags;
    uint64_t resv[3];
};
static_assert(sizeof(struct linux_io_uring_buf_reg) == 40, "struct io_uring_buf_reg");
#define LINUX_IORING_CQ_EVENTFD_DISABLED 1u

struct linux_io_uring_sync_cancel_reg {
    uint64_t addr;
    int32_t fd;
    uint32_t flags;
    struct {
        int64_t tv_sec, tv_nsec;
    } timeout;
    uint64_t pad[4];
};
static_assert(sizeof(struct linux_io_uring_sync_cancel_reg) == 64, "struct io_uring_sync_cancel_reg");
