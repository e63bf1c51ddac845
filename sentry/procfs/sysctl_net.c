// SPDX-License-Identifier: Apache-2.0
// /proc/sys/net: what programs look up, and the knobs that have an effect, which root may turn.
// LIMIT: knobs without an effect here are read-only; of what Linux has for each link most are missing.
#include "sentry/procfs/impl.h"
#include "netstack/netstack.h"
#include "sentry/net/net.h"
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

static int show_echo(struct proc_text *x, const struct proc_node *n) {
    struct net_ns *ns cleanup_net_ns = proc_callers_net();
    proc_printf(x, "%d\n", !netstack_echo_to_all(ns->inet.stack));
    return 0;
}
static int store_echo(const struct proc_node *n, char *text, size_t len) {
    struct net_ns *ns cleanup_net_ns = proc_callers_net();
    uint64_t v;
    if (proc_numbers(text, &v, 1) != 1 || v > 1)
        return -LINUX_EINVAL;
    netstack_set_echo_to_all(ns->inet.stack, v == 0);
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

// ---- Of each link, and of all -----------------------------------------------------------------------------
static int show_dad(struct proc_text *x, const struct proc_node *n) {
    struct net_ns *ns cleanup_net_ns = proc_callers_net();
    int on = netstack_dad(ns->inet.stack, (uint32_t)n->link);
    if (on < 0)
        return -LINUX_ENOENT;
    proc_printf(x, "%d\n", on);
    return 0;
}
static int store_dad(const struct proc_node *n, char *text, size_t len) {
    struct net_ns *ns cleanup_net_ns = proc_callers_net();
    uint64_t v;
    if (proc_numbers(text, &v, 1) != 1 || v > INT32_MAX)
        return -LINUX_EINVAL;
    return netstack_set_dad(ns->inet.stack, (uint32_t)n->link, v != 0) < 0 ? -LINUX_ENOENT : 0;
}
static int show_mtu6(struct proc_text *x, const struct proc_node *n) {
    struct net_link l;
    if (!proc_link_of(n, &l))
        return -LINUX_ENOENT;
    proc_printf(x, "%u\n", l.mtu);
    return 0;
}

// LIMIT: forwarding is of all links together: what one link has of it is what all have.
#define CONF4 \
    NUMBER("accept_redirects", 0), NUMBER("accept_source_route", 0), NUMBER("arp_announce", 0), \
        NUMBER("arp_filter", 0), NUMBER("arp_ignore", 0), NUMBER("disable_policy", 0), \
        NUMBER("rp_filter", 0), NUMBER("secure_redirects", 0), NUMBER("send_redirects", 0)
#define CONF6 \
    NUMBER("accept_ra", 1), NUMBER("accept_redirects", 0), NUMBER("addr_gen_mode", 0), \
        NUMBER("autoconf", 1), NUMBER("dad_transmits", 1), NUMBER("disable_ipv6", 0), \
        NUMBER("hop_limit", 64), NUMBER("use_tempaddr", 0)
static const struct proc_entry
    all4_entries[] = {CONF4, KNOB("forwarding", show_forward4, store_forward4), {0}},
    all6_entries[] = {CONF6, NUMBER("accept_dad", 0), KNOB("forwarding", show_forward6, store_forward6), {0}},
    default6_entries[] = {CONF6, NUMBER("accept_dad", 0), PROC_FILE("forwarding", show_forward6), {0}},
    link4_entries[] = {CONF4, PROC_FILE("forwarding", show_forward4), {0}},
    link6_entries[] = {CONF6,
                       KNOB("accept_dad", show_dad, store_dad),
                       PROC_FILE("forwarding", show_forward6),
                       PROC_FILE("mtu", show_mtu6),
                       {0}},
    link4_entry = PROC_SYS("", link4_entries), link6_entry = PROC_SYS("", link6_entries),
    conf4_entries[] = {PROC_SYS("all", all4_entries), PROC_SYS("default", link4_entries), {0}},
    conf6_entries[] = {PROC_SYS("all", all6_entries), PROC_SYS("default", default6_entries), {0}};
#define LINK_LIST(of) \
    { proc_find_link, proc_next_link, NULL, of, NULL, proc_link_name, proc_link_number }
static const struct proc_list conf4_list = LINK_LIST(&link4_entry), conf6_list = LINK_LIST(&link6_entry);
#define CONF(c, l) \
    { .name = "conf", .mode = LINUX_S_IFDIR | 0555, .flags = PROC_SYSCTL, .children = c, .list = l }
static const struct proc_entry ipv6_entries[] = {CONF(conf6_entries, &conf6_list), {0}};

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
    CONF(conf4_entries, &conf4_list),
    NUMBER("icmp_echo_ignore_all", 0),
    KNOB("icmp_echo_ignore_broadcasts", show_echo, store_echo),
    NUMBER("igmp_max_memberships", 20),
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
