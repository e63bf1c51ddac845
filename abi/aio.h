// SPDX-License-Identifier: Apache-2.0
// Asynchronous I/O, io_submit(2).
#pragma once

#include <assert.h>
#include <stdint.h>

#define LINUX_IOCB_CMD_PREAD   0
#define LINUX_IOCB_CMD_PWRITE  1
#define LINUX_IOCB_CMD_FSYNC   2
#define LINUX_IOCB_CMD_FDSYNC  3
#define LINUX_IOCB_CMD_POLL    5
#define LINUX_IOCB_CMD_NOOP    6
#define LINUX_IOCB_CMD_PREADV  7
#define LINUX_IOCB_CMD_PWRITEV 8
#define LINUX_IOCB_FLAG_RESFD  1u
#define LINUX_IOCB_FLAG_IOPRIO 2u

struct linux_iocb {
    uint64_t aio_data;
    uint32_t aio_key, aio_rw_flags;
    uint16_t aio_lio_opcode;
    int16_t aio_reqprio;
    uint32_t aio_fildes;
    uint64_t aio_buf, aio_nbytes;
    int64_t aio_offset;
    uint64_t aio_reserved2;
    uint32_t aio_flags, aio_resfd;
};
static_assert(sizeof(struct linux_iocb) == 64, "struct iocb");

struct linux_io_event {
    uint64_t data, obj;
    int64_t res, res2;
};
static_assert(sizeof(struct linux_io_event) == 32, "struct io_event");
