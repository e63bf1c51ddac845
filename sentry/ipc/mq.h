// SPDX-License-Identifier: Apache-2.0
// POSIX message queues, mq_overview(7): what syscalls/sys_mq.c decodes for. A queue is an object with a name
// in its namespace, and a file over it; it is there as long as it has either.
#ifndef SENTRY_IPC_MQ_H
#define SENTRY_IPC_MQ_H
#include "abi/mqueue.h"
#include "base/list.h"
#include "base/lock.h"
#include <stdint.h>

#define MQ_NAME_MAX        255

struct file;
struct linux_sigevent;
struct task;

struct mq_table {        // a member of struct ipc_ns
    struct lock lock;    // RANK_OBJECT: of all its queues
    struct list queues;  // [lock] those without a name too
    unsigned named;      // [lock]
    uint64_t last;       // [lock] the last one's number
    uint64_t bytes;      // [lock] of all messages
};
void mq_table_init(struct mq_table *x);
void mq_table_destroy(struct mq_table *x);  // all files are closed: names that were left go too

struct mq_message {
    struct list link;
    uint32_t prio;
    uint64_t size;
    char text[];
};

// Opens, or makes: flags as mq_open's, attr as it comes from the caller (NULL: defaults). 0 or -LINUX_E*.
int do_mq_open(struct task *t, const char *name, unsigned flags, uint32_t mode,
               const struct linux_mq_attr *attr, struct file **out);
int do_mq_unlink(struct task *t, const char *name);
bool mq_is(const struct file *f);
int64_t mq_message_size(struct file *f);
// One try, armed before: 0 or -LINUX_EAGAIN, -LINUX_EMSGSIZE, -LINUX_ENOMEM. *m is taken over when it was
// sent; received, it is the caller's.
int mq_send(struct task *t, struct file *f, struct mq_message **m);
int mq_receive(struct task *t, struct file *f, struct mq_message **m);
void mq_arm(struct task *t, struct file *f);  // wakes t when anything changes
// t waits for a message from now on, or no more: nobody is notified while somebody waits.
void mq_waits(struct file *f, int delta);
// ev NULL: no more. netlink: SIGEV_THREAD's socket, with its cookie; else NULL.
int do_mq_notify(struct task *t, struct file *f, const struct linux_sigevent *ev, struct file *netlink,
                 const unsigned char *cookie);
void mq_attr(struct file *f, struct linux_mq_attr *out);

// mqfs.c: the queues of a namespace as files, to be mounted (one reference).
struct ipc_ns;
struct superblock;
struct vfs;
int mqfs_create(struct vfs *vfs, struct ipc_ns *ns, struct superblock **out);

#endif
