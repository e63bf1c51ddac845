// SPDX-License-Identifier: Apache-2.0
// Classic BPF of guests, for SO_ATTACH_FILTER, socket(7): a program that was checked whole, and its run over
// one packet. Programs only jump forward, so a run takes as many steps as the program has instructions at
// most.
// LIMIT: of ancillary data there are protocol, packet type, interface and a random number; loads relative to
// the link's or the network's header (SKF_LL_OFF, SKF_NET_OFF) end a run with 0.
#ifndef SENTRY_SOCKET_BPF_H
#define SENTRY_SOCKET_BPF_H
#include "abi/seccomp.h"
#include "netstack/netstack.h"

struct bpf_program {
    struct ns_filter filter;  // runs it
    unsigned len;
    struct linux_sock_filter insn[];
};

// A program of n instructions, copied. 0 and *out (to be freed), or -LINUX_EINVAL, -LINUX_ENOMEM.
int bpf_program_new(const struct linux_sock_filter *insn, unsigned n, struct bpf_program **out);

#endif
