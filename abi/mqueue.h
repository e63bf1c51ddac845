// SPDX-License-Identifier: Apache-2.0
// POSIX message queues: mq_overview(7).
#pragma once

#include <assert.h>
#include <stdint.h>

#define LINUX_MQ_PRIO_MAX       32768
#define LINUX_NOTIFY_NONE       0
#define LINUX_NOTIFY_WOKENUP    1
#define LINUX_NOTIFY_REMOVED    2
#define LINUX_NOTIFY_COOKIE_LEN 32

struct linux_mq_attr {
    int64_t mq_flags, mq_maxmsg, mq_msgsize, mq_curmsgs, reserved[4];
};
static_assert(sizeof(struct linux_mq_attr) == 64, "struct mq_attr");
