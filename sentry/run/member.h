// SPDX-License-Identifier: Apache-2.0
// A container beside the first one in a sandbox: a pod's. It has a root, mounts, names and a filter of its
// own, from a gofer of its own, and limits of memory and processes within the sandbox's (limits.h); network,
// System V objects, process numbers and all other limits are the sandbox's. Its processes bear its number
// (struct tgroup), and end with the one that leads it. Used on the event thread
// alone.
#ifndef SENTRY_RUN_MEMBER_H
#define SENTRY_RUN_MEMBER_H
#include "sentry/control.h"
#include "sentry/run/outside.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gofer_client;

struct member {
    uint64_t number;                // never 0
    struct gofer_client *gofer;     // owned
    struct mnt_ns *ns;              // owned
    struct nsproxy *proxy;          // owned: with names of its own
    struct seccomp_filter *filter;  // owned; NULL: none
    struct tgroup *main;            // owned
    struct task *first;             // its main task, loaded and not started; borrowed
};

// A container as n bytes of `message` say, over the gofer's socket and with the stdio. False: that is not a
// message, and nothing was taken. True: gofer and stdio were taken over, whatever *err is: 0, with its
// program loaded in *out, or -LINUX_E* and why in `text`.
bool member_make(struct kernel *k, const void *message, size_t n, int gofer, const int stdio[3],
                 struct member **out, int *err, char *text, size_t size);
// Its processes are killed, and what it has is given back when they have gone.
void member_end(struct kernel *k, struct member *m);
// When the sandbox ends: only what it has.
void member_give_back(struct member *m);
// Where a program of exec begins; borrowed from m.
void member_place(const struct member *m, struct outside_place *at);
bool member_alive(const struct member *m);
// Every process of that number, tasks_lock held.
void member_kill(struct kernel *k, uint64_t number);

#endif
