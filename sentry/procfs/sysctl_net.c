// SPDX-License-Identifier: Apache-2.0
// /proc/sys/net: what programs look up, and the knobs that have an effect, which root may turn.
// LIMIT: knobs without an effect here are read-only; most of IPv6 and those of single links are missing.
#include "sentry/procfs/impl.h"
#include "netstack/netstack.h"
#include "sentry/socket/net_ns.h"
#include <stdlib.h>
#include <string.h>

#define KNOB(n, s, w) \
    { .name = n, .mode = LINUX_S_IFREG | 0644, .show = s, .store = w }

int proc_numbers(char *text, uint64_t *v, int most) {
    static const char blanks[] = " \t\n";
    int n = 0;
    for (char *p = text + strspn(text, blanks); *p && n < most; p += strspn(p, blanks)) {
        char *end;
        if (*p < '0' || *p > '9')
            return -1;
        v[n++] = strtoull(p, &end, 10);
        if (*end && !strchr(blanks, *end))
            return -1;
        p = end;
    }
    return n;
}

static int store_int(_Atomic int *to, char *text, int least, int most) {
    uint64_t v;
    if (proc_numbers(text, &v, 1) != 1 || v > (uint64_t)most || v < (uint64_t)least)
        return -LINUX_EINVAL;
    atomic_store(to, (int)v);
    return 0;
}
static int show_int(struct proc_text *x, _Atomic int *from) {
    proc_printf(x, "%d\n", atomic_load(from));
    return 0;
}

// Everybody sees his own namespace's.
#define INT_KNOB(name, field, least, most) \
    static int show_##name(struct proc_text *x, const struct proc_node *n) { \
        struct net_ns *ns cleanup_net_ns = proc_callers_net(); \
        return show_int(x, &ns->inet.field); \
    } \
    static int store_##name(const struct proc_node *n, char *text, size_t len) { \
        struct net_ns *ns cleanup_net_ns = proc_callers_net(); \
        return store_int(&ns->inet.field, text, least, most); \
    }
INT_KNOB(port, unprivileged_port, 0, 65535)
INT_KNOB(somaxconn, somaxconn, 0, INT32_MAX)
INT_KNOB(rmem_max, rmem_max, 2304, INT32_MAX)
INT_KNOB(wmem_max, wmem_max, 4608, INT32_MAX)

static int show_ping(struct proc_text *x, const struct proc_node *n) {
    struct net_ns *ns cleanup_net_ns = proc_callers_net();
    uint64_t v = atomic_load(&ns->inet.ping_groups);
    proc_printf(x, "%u\t%u\n", (unsigned)(v >> 32), (unsigned)v);
    return 0;
}
static int store_ping(const struct proc_node *n, char *text, size_t len) {
    struct net_ns *ns cleanup_net_ns = proc_callers_net();
    uint64_t now = atomic_load(&ns->inet.ping_groups), v[2] = {now >> 32, (uint32_t)now};
    if (proc_numbers(text, v, 2) < 1 || v[0] > INT32_MAX || v[1] > INT32_MAX)
        return -LINUX_EINVAL;
    if (v[1] < v[0]) {  // nobody, whichever numbers say so
        v[0] = 1;
        v[1] = 0;
    }
    atomic_store(&ns->inet.ping_groups, v[0] << 32 | v[1]);
    return 0;
}

// ---- Forwarding -------------------------------------------------------------------------------------------
static int show_forward(struct proc_text *x, bool four) {
    struct net_ns *ns cleanup_net_ns = proc_callers_net();
    proc_printf(x, "%d\n", netstack_forwarding(ns->inet.stack, four));
    return 0;
}
static int store_forward(char *text, bool four) {
    struct net_ns *ns cleanup_net_ns = proc_callers_net();
    uint64_t v;
    if (proc_numbers(text, &v, 1) != 1 || v > INT32_MAX)
        return -LINUX_EINVAL;
    netstack_set_forwarding(ns->inet.stack, four, v != 0);
    return 0;
}
static int show_forward4(struct proc_text *x, const struct proc_node *n) { return show_forward(x, true); }
static int show_forward6(struct proc_text *x, const struct proc_node *n) { return show_forward(x, false); }
static int store_forward4(const struct proc_node *n, char *text, size_t len) {
    return store_forward(text, true);
}
static int store_forward6(const struct proc_node *n, char *text, size_t len) {
    return store_forward(text, false);
}
// LIMIT: forwarding is of all links together; conf/ has `all` alone.
static const struct proc_entry all4_entries[] = {KNOB("forwarding", show_forward4, store_forward4), {0}},
                               all6_entries[] = {KNOB("forwarding", show_forward6, store_forward6), {0}},
                               conf4_entries[] = {PROC_SYS("all", all4_entries), {0}},
                               conf6_entries[] = {PROC_SYS("all", all6_entries), {0}},
                               ipv6_entries[] = {PROC_SYS("conf", conf6_entries), {0}};

static const struct proc_entry core_entries[] = {
    NUMBER("optmem_max", 131072),
    NUMBER("rmem_default", 212992),
    KNOB("rmem_max", show_rmem_max, store_rmem_max),
    KNOB("somaxconn", show_somaxconn, store_somaxconn),
    NUMBER("wmem_default", 212992),
    KNOB("wmem_max", show_wmem_max, store_wmem_max),
    {0},
};
static const struct proc_entry ipv4_entries[] = {
    PROC_SYS("conf", conf4_entries),
    NUMBER("ip_default_ttl", 64),
    KNOB("ip_forward", show_forward4, store_forward4),
    PROC_CONST("ip_local_port_range", "32768\t60999\n"),
    PROC_CONST("ip_local_reserved_ports", "\n"),
    NUMBER("ip_nonlocal_bind", 0),
    KNOB("ip_unprivileged_port_start", show_port, store_port),
    KNOB("ping_group_range", show_ping, store_ping),
    PROC_CONST("tcp_allowed_congestion_control", "reno cubic\n"),
    PROC_CONST("tcp_available_congestion_control", "reno cubic\n"),
    PROC_CONST("tcp_congestion_control", "cubic\n"),
    NUMBER("tcp_fastopen", 0),
    NUMBER("tcp_fin_timeout", 60),
    NUMBER("tcp_keepalive_intvl", 75),
    NUMBER("tcp_keepalive_probes", 9),
    NUMBER("tcp_keepalive_time", 7200),
    NUMBER("tcp_max_syn_backlog", 1024),
    PROC_CONST("tcp_rmem", "4096\t131072\t6291456\n"),
    NUMBER("tcp_sack", 1),
    NUMBER("tcp_syncookies", 1),
    NUMBER("tcp_timestamps", 1),
    NUMBER("tcp_window_scaling", 1),
    PROC_CONST("tcp_wmem", "4096\t16384\t4194304\n"),
    {0},
};
static const struct proc_entry unix_entries[] = {NUMBER("max_dgram_qlen", 512), {0}};
const struct proc_entry proc_sys_net_entries[] = {PROC_SYS("core", core_entries),
                                                  PROC_SYS("ipv4", ipv4_entries),
                                                  PROC_SYS("ipv6", ipv6_entries),
                                                  PROC_SYS("unix", unix_entries),
                                                  {0}};
