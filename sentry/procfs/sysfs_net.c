// SPDX-License-Identifier: Apache-2.0
// /sys/class/net and /sys/devices/virtual/net: the network devices, as Documentation/ABI/testing has them in
// sysfs-class-net and sysfs-class-net-statistics. Called by procfs.c through the tables; the devices are
// asked for at each look.
// LIMIT: it shows the network namespace of who looks, not of who has mounted it; all devices are virtual
// ones, nothing can be written, and queues and what is of bridges have no directories.
#include "sentry/net/net.h"
#include "sentry/procfs/impl.h"
#include "sentry/procfs/procfs.h"
#include <stdio.h>
#include <string.h>

// ---- Devices by index -------------------------------------------------------------------------------------
bool proc_link_of(const struct proc_node *n, struct net_link *out) {
    struct net_ns *ns cleanup_net_ns = proc_callers_net();
    return net_link_by_index(&ns->inet.links.source, n->link, out);
}

int proc_find_link(const struct proc_node *dir, int32_t index, struct proc_node *child) {
    struct net_link l;
    child->link = index;
    return proc_link_of(child, &l) ? 0 : -LINUX_ENOENT;
}
int32_t proc_next_link(const struct proc_node *dir, int32_t from) {
    struct net_ns *ns cleanup_net_ns = proc_callers_net();
    uint32_t at = (uint32_t)from;
    struct net_link l;
    return net_next_link(&ns->inet.links.source, &at, &l) ? l.index : -1;
}
unsigned proc_count_links(const struct proc_node *dir) {
    unsigned n = 0;
    for (int32_t at = 0; (at = proc_next_link(dir, at)) >= 0; at++)
        n++;
    return n;
}
bool proc_link_name(const struct proc_node *dir, int32_t index, char *buf, size_t size) {
    const struct proc_node child = {.link = index};
    struct net_link l;
    if (!proc_link_of(&child, &l))
        return false;
    snprintf(buf, size, "%s", l.name);
    return true;
}
int32_t proc_link_number(const struct proc_node *dir, const char *name) {
    struct net_ns *ns cleanup_net_ns = proc_callers_net();
    struct net_link l;
    return net_link_by_name(&ns->inet.links.source, name, &l) ? l.index : -1;
}

// ---- Files ------------------------------------------------------------------------------------------------
#define SHOW(what) \
    static int what##_text(struct proc_text *x, const struct net_link *l); \
    static int show_##what(struct proc_text *x, const struct proc_node *n) { \
        struct net_link l; \
        return proc_link_of(n, &l) ? what##_text(x, &l) : -LINUX_ENODEV; \
    } \
    static int what##_text(struct proc_text *x, const struct net_link *l)
#define SHOW_NUMBER(what, format, expr) \
    SHOW(what) { \
        proc_printf(x, format "\n", expr); \
        return 0; \
    }
#define SHOW_COUNT(what, expr) SHOW_NUMBER(what, "%llu", (unsigned long long)(expr))

static int put_hw(struct proc_text *x, const uint8_t *hw, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        proc_printf(x, "%s%02x", i ? ":" : "", hw[i]);
    proc_printf(x, "\n");
    return 0;
}
SHOW(address) { return put_hw(x, l->hw, l->hw_len); }
SHOW(broadcast) { return put_hw(x, l->hw_broadcast, l->hw_len); }
SHOW_NUMBER(addr_assign_type, "%d", l->kind ? 1 : 0)  // NET_ADDR_RANDOM
SHOW_NUMBER(addr_len, "%u", l->hw_len)
SHOW_NUMBER(flags, "0x%x", l->flags & ~(LINUX_IFF_RUNNING | LINUX_IFF_LOWER_UP))
SHOW_NUMBER(ifindex, "%d", l->index)
SHOW_NUMBER(iflink, "%d", l->peer ? l->peer : l->index)
SHOW_NUMBER(mtu, "%u", l->mtu)
SHOW_NUMBER(tx_queue_len, "%u", l->txqlen)
SHOW_NUMBER(type, "%u", l->type)
// As Linux: of a device that is down it is not known.
SHOW(carrier) {
    if (!(l->flags & LINUX_IFF_UP))
        return -LINUX_EINVAL;
    proc_printf(x, "%d\n", !l->no_carrier);
    return 0;
}
SHOW(operstate) {
    static const char *const names[] = {"unknown", "notpresent", "down", "lowerlayerdown",
                                        "testing", "dormant",    "up"};
    proc_printf(x, "%s\n", l->operstate < sizeof names / sizeof names[0] ? names[l->operstate] : "unknown");
    return 0;
}
// What ethtool asks a device: a pair says 10 Gbit/s, a loopback and a bridge nothing.
static bool has_speed(const struct net_link *l) { return l->kind && !strcmp(l->kind, "veth"); }
SHOW(duplex) {
    if (!has_speed(l))
        return -LINUX_EINVAL;
    proc_printf(x, "full\n");
    return 0;
}
SHOW(speed) {
    if (!has_speed(l))
        return -LINUX_EINVAL;
    proc_printf(x, "10000\n");
    return 0;
}
SHOW(uevent) {
    if (l->kind && !strcmp(l->kind, "bridge"))
        proc_printf(x, "DEVTYPE=bridge\n");
    proc_printf(x, "INTERFACE=%s\nIFINDEX=%d\n", l->name, l->index);
    return 0;
}
static int show_name_assign(struct proc_text *x, const struct proc_node *n) {
    struct net_link l;
    if (!proc_link_of(n, &l))
        return -LINUX_ENODEV;
    if (!l.kind)
        return -LINUX_EINVAL;
    proc_printf(x, "3\n");  // NET_NAME_USER
    return 0;
}

SHOW_COUNT(rx_bytes, l->stats.rx_bytes)
SHOW_COUNT(rx_packets, l->stats.rx_packets)
SHOW_COUNT(rx_errors, l->stats.rx_errors)
SHOW_COUNT(rx_dropped, l->stats.rx_dropped)
SHOW_COUNT(tx_bytes, l->stats.tx_bytes)
SHOW_COUNT(tx_packets, l->stats.tx_packets)
SHOW_COUNT(tx_errors, l->stats.tx_errors)
SHOW_COUNT(tx_dropped, l->stats.tx_dropped)
SHOW_COUNT(multicast, l->stats.multicast)

static const struct proc_entry statistics_entries[] = {
    NUMBER("collisions", 0),
    PROC_FILE("multicast", show_multicast),
    PROC_FILE("rx_bytes", show_rx_bytes),
    NUMBER("rx_compressed", 0),
    NUMBER("rx_crc_errors", 0),
    PROC_FILE("rx_dropped", show_rx_dropped),
    PROC_FILE("rx_errors", show_rx_errors),
    NUMBER("rx_fifo_errors", 0),
    NUMBER("rx_frame_errors", 0),
    NUMBER("rx_length_errors", 0),
    NUMBER("rx_missed_errors", 0),
    NUMBER("rx_nohandler", 0),
    NUMBER("rx_over_errors", 0),
    PROC_FILE("rx_packets", show_rx_packets),
    NUMBER("tx_aborted_errors", 0),
    PROC_FILE("tx_bytes", show_tx_bytes),
    NUMBER("tx_carrier_errors", 0),
    NUMBER("tx_compressed", 0),
    PROC_FILE("tx_dropped", show_tx_dropped),
    PROC_FILE("tx_errors", show_tx_errors),
    NUMBER("tx_fifo_errors", 0),
    NUMBER("tx_heartbeat_errors", 0),
    PROC_FILE("tx_packets", show_tx_packets),
    NUMBER("tx_window_errors", 0),
    {0},
};

static int link_to_class(const struct proc_node *n, char *buf, size_t size) {
    snprintf(buf, size, "../../../../class/net");
    return 0;
}
static const struct proc_entry device_entries[] = {
    PROC_FILE("addr_assign_type", show_addr_assign_type),
    PROC_FILE("addr_len", show_addr_len),
    PROC_FILE("address", show_address),
    PROC_FILE("broadcast", show_broadcast),
    PROC_FILE("carrier", show_carrier),
    PROC_CONST("dev_id", "0x0\n"),
    NUMBER("dev_port", 0),
    NUMBER("dormant", 0),
    PROC_FILE("duplex", show_duplex),
    PROC_FILE("flags", show_flags),
    PROC_CONST("ifalias", ""),
    PROC_FILE("ifindex", show_ifindex),
    PROC_FILE("iflink", show_iflink),
    NUMBER("link_mode", 0),
    PROC_FILE("mtu", show_mtu),
    PROC_FILE("name_assign_type", show_name_assign),
    NUMBER("netdev_group", 0),
    PROC_FILE("operstate", show_operstate),
    NUMBER("proto_down", 0),
    PROC_FILE("speed", show_speed),
    PROC_DIR("statistics", statistics_entries),
    PROC_LINK("subsystem", link_to_class),
    PROC_FILE("tx_queue_len", show_tx_queue_len),
    PROC_FILE("type", show_type),
    PROC_FILE("uevent", show_uevent),
    {0},
};

// ---- Directories ------------------------------------------------------------------------------------------
#define LINKS(counts, entry) \
    { proc_find_link, proc_next_link, counts, entry, NULL, proc_link_name, proc_link_number }
static const struct proc_entry device_entry = PROC_DIR("", device_entries);
static const struct proc_list device_list = LINKS(proc_count_links, &device_entry);

static int link_to_device(const struct proc_node *n, char *buf, size_t size) {
    struct net_link l;
    if (!proc_link_of(n, &l))
        return -LINUX_ENOENT;
    snprintf(buf, size, "../../devices/virtual/net/%s", l.name);
    return 0;
}
static const struct proc_entry class_entry = PROC_LINK("", link_to_device);
const struct proc_list sysfs_class_net_list = LINKS(NULL, &class_entry);
const struct proc_entry sysfs_virtual_entries[] = {
    {.name = "net", .mode = LINUX_S_IFDIR | 0555, .list = &device_list},
    {0},
};
