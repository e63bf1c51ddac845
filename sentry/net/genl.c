// SPDX-License-Identifier: Apache-2.0
// Generic netlink: its controller, which knows of one family, itself. Others are ENOENT, as on a Linux
// without their modules.
#include "abi/errno.h"
#include "sentry/net/rtnl_impl.h"
#include <string.h>

static const char name[] = "nlctrl";

static bool put_family(struct nl_buf *b, uint16_t flags, uint32_t seq, uint32_t portid) {
    static const uint16_t id = LINUX_GENL_ID_CTRL;
    const struct linux_genlmsghdr m = {.cmd = LINUX_CTRL_CMD_NEWFAMILY, .version = 2};
    size_t at = nl_begin(b, LINUX_GENL_ID_CTRL, flags, seq, portid, &m, sizeof m);
    nl_put_str(b, LINUX_CTRL_ATTR_FAMILY_NAME, name);
    nl_put(b, LINUX_CTRL_ATTR_FAMILY_ID, &id, sizeof id);
    nl_put_u32(b, LINUX_CTRL_ATTR_VERSION, 2);
    nl_put_u32(b, LINUX_CTRL_ATTR_HDRSIZE, 0);
    nl_put_u32(b, LINUX_CTRL_ATTR_MAXATTR, 0);
    return nl_end(b, at);
}

bool genl_dump(struct rtnl_dump *d, struct nl_buf *b) {
    if (d->at == 0 && !put_family(b, LINUX_NLM_F_MULTI, d->seq, d->portid))
        return false;
    d->at = 1;
    return true;
}

// By its number or its name.
static int get_family(struct rtnl_out *o, const struct request *q) {
    _Alignas(4) uint8_t buf[RTNL_CHUNK];
    struct nl_buf b = {.p = buf, .cap = sizeof buf};
    const uint8_t *attrs = q->body + sizeof(struct linux_genlmsghdr);
    size_t n = q->n - sizeof(struct linux_genlmsghdr), id_len = 0, name_len = 0;
    const void *id = nl_find(attrs, n, LINUX_CTRL_ATTR_FAMILY_ID, &id_len);
    const void *given = nl_find(attrs, n, LINUX_CTRL_ATTR_FAMILY_NAME, &name_len);
    uint16_t number = 0;
    if ((!id && !given) || (id && id_len < sizeof number))
        return -LINUX_EINVAL;
    if (id)
        memcpy(&number, id, sizeof number);
    size_t len = given ? strnlen(given, name_len) : 0;
    bool found = id ? number == LINUX_GENL_ID_CTRL : len == sizeof name - 1 && !memcmp(given, name, len);
    if (!found)
        return -LINUX_ENOENT;
    put_family(&b, 0, q->h.nlmsg_seq, o->portid);
    o->reply(o, b.p, b.len, NULL, 0);
    return 0;
}

int genl_serve(struct rtnl_out *o, const struct request *q) {
    struct linux_genlmsghdr m;
    if (q->h.nlmsg_type != LINUX_GENL_ID_CTRL)
        return -LINUX_ENOENT;
    if (q->n < sizeof m)
        return -LINUX_EINVAL;
    memcpy(&m, q->body, sizeof m);
    if (m.cmd != LINUX_CTRL_CMD_GETFAMILY)
        return -LINUX_EOPNOTSUPP;
    if (!(q->h.nlmsg_flags & LINUX_NLM_F_DUMP))
        return get_family(o, q);
    if (o->dump->running)
        return -LINUX_EBUSY;
    *o->dump = (struct rtnl_dump){
        .net = o->net, .running = true, .kind = RTNL_GENERIC, .seq = q->h.nlmsg_seq, .portid = o->portid};
    o->dump_begun(o);
    return 1;
}
