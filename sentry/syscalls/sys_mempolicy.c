// SPDX-License-Identifier: Apache-2.0
// NUMA: mbind set_mempolicy get_mempolicy set_mempolicy_home_node migrate_pages move_pages. There is one
// memory node, number 0, so every policy has the same effect: none. They are checked as by Linux, kept, and
// shown.
//
// LIMIT: memory policies: nodes besides 0 are not kept for MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES.
// LIMIT: move_pages: a page that is mapped counts as present.
#include "abi/caps.h"
#include "abi/mempolicy.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/mm_policy.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/park.h"
#include "sentry/signal/signal.h"
#include "sentry/syscalls/table.h"

#define NODES_MOST 1024u  // that a mask may speak of, as with a kernel of distributions
#define NODE0      1u     // as a mask

// ---- Masks ------------------------------------------------------------------------------------------------
struct nodes {
    bool any, zero, other;
};

// Bits that no node can have are EINVAL, wherever they are in the mask.
static int read_nodes(struct task *t, uaddr_t from, uint64_t maxnode, struct nodes *out) {
    uint64_t bits = maxnode - 1;  // as Linux counts
    *out = (struct nodes){false};
    if (maxnode == 1 || uaddr_is_null(from))
        return 0;
    if (bits > GUEST_PAGE_SIZE * 8)
        return -LINUX_EINVAL;
    for (uint64_t at = 0; at < bits; at += 64) {
        uint64_t word;
        if (copy_in_obj(t, &word, uaddr_add(from, at / 8)) < 0)
            return -LINUX_EFAULT;
        if (bits - at < 64)
            word &= (UINT64_C(1) << (bits - at)) - 1;
        if (word && at >= NODES_MOST)
            return -LINUX_EINVAL;
        out->any |= word != 0;
        out->zero |= at == 0 && (word & NODE0);
        out->other |= (at == 0 ? word & ~(uint64_t)NODE0 : word) != 0;
    }
    return 0;
}

static int write_nodes(struct task *t, uaddr_t to, uint64_t maxnode, uint64_t nodes) {
    uint64_t bytes = (maxnode - 1 + 63) / 64 * 8;
    if (bytes > sizeof nodes) {
        if (bytes > GUEST_PAGE_SIZE)
            return -LINUX_EINVAL;
        if (clear_user(t, uaddr_add(to, sizeof nodes), bytes - sizeof nodes) < 0)
            return -LINUX_EFAULT;
        bytes = sizeof nodes;
    }
    return copy_out(t, to, &nodes, bytes);
}

// ---- Policies ---------------------------------------------------------------------------------------------
#define MODE_FLAGS (LINUX_MPOL_F_STATIC_NODES | LINUX_MPOL_F_RELATIVE_NODES | LINUX_MPOL_F_NUMA_BALANCING)

static int check_mode(uint32_t mode) {
    const uint32_t both = LINUX_MPOL_F_STATIC_NODES | LINUX_MPOL_F_RELATIVE_NODES;
    uint32_t plain = mode & ~MODE_FLAGS;
    if (plain > LINUX_MPOL_PREFERRED_MANY || (mode & both) == both)
        return -LINUX_EINVAL;
    return (mode & LINUX_MPOL_F_NUMA_BALANCING) && plain != LINUX_MPOL_BIND ? -LINUX_EINVAL : 0;
}

// The policy of mode and nodes, as it is kept.
static int make_policy(uint32_t mode, const struct nodes *n, uint32_t *out) {
    uint32_t plain = mode & ~MODE_FLAGS;
    bool flags = mode & (LINUX_MPOL_F_STATIC_NODES | LINUX_MPOL_F_RELATIVE_NODES);
    *out = mode;
    if (plain == LINUX_MPOL_DEFAULT)
        return n->any ? -LINUX_EINVAL : 0;
    if (plain == LINUX_MPOL_PREFERRED && !n->any) {
        *out = LINUX_MPOL_LOCAL;
        return flags ? -LINUX_EINVAL : 0;
    }
    if (plain == LINUX_MPOL_LOCAL)
        return n->any || flags ? -LINUX_EINVAL : 0;
    if (mode & LINUX_MPOL_F_RELATIVE_NODES)
        return n->any ? 0 : -LINUX_EINVAL;  // whichever they are, folded onto what there is they are node 0
    return n->zero ? 0 : -LINUX_EINVAL;
}

static uint64_t nodes_of(uint32_t policy) {
    uint32_t plain = policy & ~MODE_FLAGS;
    return plain == LINUX_MPOL_DEFAULT || plain == LINUX_MPOL_LOCAL ? 0 : NODE0;
}

static int read_policy(struct task *t, uint32_t mode, uaddr_t nodes, uint64_t maxnode, struct nodes *n) {
    int err = check_mode(mode);
    return err < 0 ? err : read_nodes(t, nodes, maxnode, n);
}

int64_t sys_set_mempolicy(struct task *t, const struct sysargs *a) {
    struct nodes n;
    uint32_t policy;
    int err = read_policy(t, arg_u32(a, 0), arg_ptr(a, 1), arg_ulong(a, 2), &n);
    err = err < 0 ? err : make_policy(arg_u32(a, 0), &n, &policy);
    if (err == 0)
        t->mempolicy = policy;
    return err;
}

int64_t sys_mbind(struct task *t, const struct sysargs *a) {
    const uint64_t known = LINUX_MPOL_MF_STRICT | LINUX_MPOL_MF_MOVE | LINUX_MPOL_MF_MOVE_ALL;
    uint64_t start = arg_ulong(a, 0), len = arg_ulong(a, 1), flags = arg_u32(a, 5);
    uint32_t mode = arg_u32(a, 2), policy;
    struct nodes n;
    int err = read_policy(t, mode, arg_ptr(a, 3), arg_ulong(a, 4), &n);
    if (err < 0)
        return err;
    if (flags & ~known)
        return -LINUX_EINVAL;
    if ((flags & LINUX_MPOL_MF_MOVE_ALL) && !task_capable(t, LINUX_CAP_SYS_NICE))
        return -LINUX_EPERM;
    if (start % GUEST_PAGE_SIZE)
        return -LINUX_EINVAL;
    len = (len + GUEST_PAGE_SIZE - 1) & GUEST_PAGE_MASK;
    if (start + len < start)
        return -LINUX_EINVAL;
    if (len == 0)
        return 0;
    err = make_policy(mode, &n, &policy);
    if (err < 0)
        return err;
    int64_t r = mm_op_begin(t);
    return r ? r : mm_op_finish(t, mm_policy_set(t->mm, start, start + len, policy));
}

int64_t sys_set_mempolicy_home_node(struct task *t, const struct sysargs *a) {
    uint64_t start = arg_ulong(a, 0), len = arg_ulong(a, 1);
    if (start % GUEST_PAGE_SIZE || arg_ulong(a, 3) || arg_ulong(a, 2))
        return -LINUX_EINVAL;
    len = (len + GUEST_PAGE_SIZE - 1) & GUEST_PAGE_MASK;
    if (start + len < start)
        return -LINUX_EINVAL;
    return len ? mm_policy_home(t->mm, start, start + len) : 0;
}

// What is asked about, as it is kept.
static int asked_about(struct task *t, uint64_t addr, uint64_t flags, uint32_t *policy) {
    if (flags & LINUX_MPOL_F_ADDR)
        return mm_policy_at(t->mm, addr, policy);
    *policy = t->mempolicy;
    return addr ? -LINUX_EINVAL : 0;
}

int64_t sys_get_mempolicy(struct task *t, const struct sysargs *a) {
    uint64_t maxnode = arg_ulong(a, 2), flags = arg_ulong(a, 4), nodes = NODE0;
    uint32_t policy = 0;
    if (arg_given(a, 1) && maxnode < 1)
        return -LINUX_EINVAL;
    if (flags & ~(uint64_t)(LINUX_MPOL_F_NODE | LINUX_MPOL_F_ADDR | LINUX_MPOL_F_MEMS_ALLOWED))
        return -LINUX_EINVAL;
    if (flags & LINUX_MPOL_F_MEMS_ALLOWED) {
        if (flags & (LINUX_MPOL_F_NODE | LINUX_MPOL_F_ADDR))
            return -LINUX_EINVAL;
    } else {
        int err = asked_about(t, arg_ulong(a, 3), flags, &policy);
        if (err < 0)
            return err;
        nodes = nodes_of(policy);
        bool interleaves = (policy & ~MODE_FLAGS) == LINUX_MPOL_INTERLEAVE;
        if ((flags & LINUX_MPOL_F_NODE) && !(flags & LINUX_MPOL_F_ADDR) && !interleaves)
            return -LINUX_EINVAL;
        if (flags & LINUX_MPOL_F_NODE)
            policy = 0;  // the number of the node
    }
    if (copy_out_opt(t, arg_ptr(a, 0), &policy) < 0)
        return -LINUX_EFAULT;
    return arg_given(a, 1) ? write_nodes(t, arg_ptr(a, 1), maxnode, nodes) : 0;
}

// ---- Pages that are somewhere -----------------------------------------------------------------------------
// The map of a process that t may look into: referenced.
static int map_of(struct task *t, int32_t pid, struct mm **out) {
    struct task *other = pid ? task_find(t, pid) : task_get(t);
    int err = -LINUX_ESRCH;
    if (!other)
        return err;
    {
        LOCKED(&t->k->tasks_lock);
        if (!other->mm)
            err = -LINUX_EINVAL;
        else if (other != t && !ptrace_may_access(t, other, PTRACE_REALCREDS))
            err = -LINUX_EPERM;
        else
            err = 0;
        *out = err == 0 ? mm_get(other->mm) : NULL;
    }
    task_put(other);
    return err;
}

int64_t sys_migrate_pages(struct task *t, const struct sysargs *a) {
    struct nodes from, to;
    struct mm *mm;
    int err = read_nodes(t, arg_ptr(a, 2), arg_ulong(a, 1), &from);
    err = err < 0 ? err : read_nodes(t, arg_ptr(a, 3), arg_ulong(a, 1), &to);
    err = err < 0 ? err : map_of(t, arg_int(a, 0), &mm);
    if (err < 0)
        return err;
    mm_put(mm);
    if (to.other && !task_capable(t, LINUX_CAP_SYS_NICE))
        return -LINUX_EPERM;
    return to.zero ? 0 : -LINUX_EINVAL;
}

// Where the i-th page is, or why it is nowhere; a node that is wished for is looked at first.
static int64_t one_page(struct task *t, struct mm *mm, const struct sysargs *a, uint64_t i) {
    uint64_t page;
    int32_t node, status;
    if (copy_in_obj(t, &page, uaddr_add(arg_ptr(a, 2), i * sizeof page)) < 0)
        return -LINUX_EFAULT;
    if (arg_given(a, 3)) {
        if (copy_in_obj(t, &node, uaddr_add(arg_ptr(a, 3), i * sizeof node)) < 0)
            return -LINUX_EFAULT;
        if (node != 0)
            return -LINUX_ENODEV;
    }
    page = page_down(page);
    bool there = page < LINUX_TASK_SIZE && mm_is_mapped(mm, page, page + GUEST_PAGE_SIZE);
    status = there ? 0 : -LINUX_EFAULT;
    return copy_out_obj(t, uaddr_add(arg_ptr(a, 4), i * sizeof status), &status) < 0 ? -LINUX_EFAULT : 0;
}

#define PAGES_AT_ONCE 1024u
int64_t sys_move_pages(struct task *t, const struct sysargs *a) {
    uint32_t flags = arg_u32(a, 5);
    struct mm *mm;
    if (flags & ~(uint32_t)(LINUX_MPOL_MF_MOVE | LINUX_MPOL_MF_MOVE_ALL))
        return -LINUX_EINVAL;
    if ((flags & LINUX_MPOL_MF_MOVE_ALL) && !task_capable(t, LINUX_CAP_SYS_NICE))
        return -LINUX_EPERM;
    int64_t err = map_of(t, arg_int(a, 0), &mm);
    if (err < 0)
        return err;
    uint64_t n = arg_ulong(a, 1), i = (uint64_t)t->call.done, end = i + PAGES_AT_ONCE;
    park_yielded(t);
    for (; i < n && i < end && err == 0; i++)
        err = one_page(t, mm, a, i);
    mm_put(mm);
    t->call.done = (int64_t)i;
    if (err < 0 || i >= n)
        return err;
    return signal_dying(t) ? -LINUX_EINTR : park_yield(t);
}
