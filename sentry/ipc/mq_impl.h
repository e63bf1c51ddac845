// SPDX-License-Identifier: Apache-2.0
// What the files of message queues share: mq.c the calls, mqfs.c the file system. [lock]: the table's.
#ifndef SENTRY_IPC_MQ_IMPL_H
#define SENTRY_IPC_MQ_IMPL_H
#include "abi/mqueue.h"
#include "abi/signal.h"
#include "base/list.h"
#include "base/refcount.h"
#include "base/waitq.h"
#include "fs/vfs.h"
#include "sentry/ipc/mq.h"

#define MQ_SHOWN_SIZE 80  // of the text that read(2) gives

struct mqueue {
    struct refcount refs;    // its name, its files
    struct mq_table *table;  // [c]
    struct list link;        // [lock]
    char *name;              // [lock] owned; NULL: it has none any more
    struct waitq wait;
    struct list messages;         // [lock] by priority, and in order of their coming
    int64_t count, max, msgsize;  // [lock], [c], [c]
    uint64_t queued;              // [lock] bytes of text
    uint32_t uid, gid, mode;      // [lock] read without it too
    uint64_t number;              // [c] no other queue of the namespace ever has it
    uint32_t user;                // [c] whom it is charged to
    unsigned receivers;           // [lock] calls that wait for a message
    struct mq_notice {            // [lock] who is to be told of a message in an empty queue, once
        struct tgroup *to;        // owned; NULL: nobody
        const void *files;  // its descriptors, to be compared only: who closes the queue there is not told
        struct linux_sigevent event;
        struct file *netlink;  // owned, of SIGEV_THREAD
        unsigned char cookie[LINUX_NOTIFY_COOKIE_LEN];
    } notice;
};

extern const struct file_ops mq_ops;
void queue_put(struct mqueue *q);
struct mqueue *mq_find(struct mq_table *x, const char *name);  // borrowed; the lock is held
void mq_open_file(struct mqueue *q, struct file *f);           // f is open on q from now on
// A queue with the usual attributes, referenced. EEXIST, ENOSPC, EMFILE, ENOMEM.
int mq_make(struct task *t, struct mq_table *x, const char *name, uint32_t mode, struct mqueue **out);
void mq_drop_name(struct mqueue *q);  // the lock is held; the name's reference is the caller's then

#endif
