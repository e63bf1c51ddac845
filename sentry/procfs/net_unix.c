// SPDX-License-Identifier: Apache-2.0
// /proc/net/unix.
#include "sentry/procfs/impl.h"
#include "sentry/socket/unix.h"

#define SO_ACCEPTCON (1u << 16)
enum { UNCONNECTED = 1, CONNECTING, CONNECTED };  // of Linux' enum socket_state

static void put_name(struct proc_text *x, const struct unix_name *n) {
    const size_t path_at = offsetof(struct linux_sockaddr_un, sun_path);
    size_t len = n->len - path_at;
    const char *p = n->addr.sun_path;
    if (*p)
        len--;  // without its NUL
    proc_printf(x, " ");
    for (size_t i = 0; i < len; i++)
        proc_printf(x, "%c", p[i] ? p[i] : '@');
}

static void put(void *arg, const struct unix_info *i) {
    struct proc_text *x = arg;
    unsigned state = i->state == UNIX_CONNECTED ? CONNECTED : UNCONNECTED;
    if (!i->accepted)
        state = CONNECTING;
    proc_printf(x, "%016x: %08X 00000000 %08X %04X %02X %5u", 0u, i->refs,
                i->state == UNIX_LISTENING ? SO_ACCEPTCON : 0, (unsigned)i->type, state, i->ino);
    if (i->name)
        put_name(x, i->name);
    proc_printf(x, "\n");
}

int proc_show_unix(struct proc_text *x, const struct proc_node *n) {
    struct net_ns *ns cleanup_net_ns = proc_net(n);
    if (!ns)
        return -LINUX_EINVAL;
    proc_printf(x, "Num       RefCount Protocol Flags    Type St Inode Path\n");
    unix_each(ns, put, x);
    return 0;
}
