// SPDX-License-Identifier: Apache-2.0
// nfnetlink: requests about the filter (nf_tables), its compat expressions and its connections. What changes
// rules comes in a batch, from NFNL_MSG_BATCH_BEGIN to _END, and is done as a whole or not at all: each
// message is tried, so that all errors are told, and one error is enough. A batch without its end is tried
// and taken back. All of it, also asking, wants CAP_NET_ADMIN over the socket's namespace.
// LIMIT: nobody is told of changes (nft monitor, conntrack -E, NLM_F_ECHO).
#include "sentry/net/nfnl.h"
#include "base/fault.h"
#include <stdlib.h>

// ---- Attributes -------------------------------------------------------------------------------------------
struct nfattr nfa_find(const void *attrs, size_t n, uint16_t attr) {
    struct nfattr a = {NULL, 0};
    if (attrs)
        a.p = nl_find(attrs, n, attr, &a.n);
    return a;
}
bool nfa_next(struct nfattr nest, size_t *at, uint16_t *type, struct nfattr *out) {
    struct linux_nlattr a;
    if (!nest.p || *at >= nest.n || nest.n - *at < sizeof a)
        return false;
    memcpy(&a, nest.p + *at, sizeof a);
    if (a.nla_len < sizeof a || a.nla_len > nest.n - *at)
        return false;
    *type = a.nla_type & 0x3fff;
    *out = (struct nfattr){nest.p + *at + sizeof a, a.nla_len - sizeof a};
    *at += NL_ALIGN(a.nla_len);
    return true;
}
// The first n bytes as a number in the wire's order.
static bool number(struct nfattr a, size_t n, uint64_t *v) {
    if (a.n < n)
        return false;
    *v = 0;
    for (size_t i = 0; i < n; i++)
        *v = *v << 8 | a.p[i];
    return true;
}
static bool small(struct nfattr a, size_t n, uint32_t *v, uint32_t otherwise) {
    uint64_t wide = otherwise;
    bool ok = !a.p || number(a, n, &wide);
    *v = (uint32_t)wide;
    return ok;
}
bool nfa_u8(struct nfattr a, uint32_t *v, uint32_t otherwise) { return small(a, 1, v, otherwise); }
bool nfa_be16(struct nfattr a, uint32_t *v, uint32_t otherwise) { return small(a, 2, v, otherwise); }
bool nfa_be32(struct nfattr a, uint32_t *v, uint32_t otherwise) { return small(a, 4, v, otherwise); }
bool nfa_be64(struct nfattr a, uint64_t *v, uint64_t otherwise) {
    *v = otherwise;
    return !a.p || number(a, 8, v);
}
bool nfa_str(struct nfattr a, char *to, size_t n) {
    size_t len = a.p ? strnlen((const char *)a.p, a.n) : 0;
    if (len == 0 || len >= n)
        return false;
    memset(to, 0, n);
    memcpy(to, a.p, len);
    return true;
}
static void put_number(struct nl_buf *b, uint16_t attr, uint64_t v, unsigned n) {
    uint8_t bytes[8];
    for (unsigned i = 0; i < n; i++)
        bytes[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    nl_put(b, attr, bytes, n);
}
void nfa_put_be16(struct nl_buf *b, uint16_t attr, uint32_t v) { put_number(b, attr, v, 2); }
void nfa_put_be32(struct nl_buf *b, uint16_t attr, uint32_t v) { put_number(b, attr, v, 4); }
void nfa_put_be64(struct nl_buf *b, uint16_t attr, uint64_t v) { put_number(b, attr, v, 8); }

// ---- Messages ---------------------------------------------------------------------------------------------
// Into pieces. False: it is too short.
static bool open_request(struct nfreq *r, const struct request *q) {
    struct linux_nfgenmsg m;
    if (q->n < sizeof m)
        return false;
    memcpy(&m, q->body, sizeof m);
    r->q = q;
    r->family = m.nfgen_family;
    r->type = q->h.nlmsg_type & 0xff;
    r->flags = q->h.nlmsg_flags;
    r->attrs = q->body + sizeof m;
    r->n = q->n - sizeof m;
    return true;
}
static uint8_t subsystem(const struct request *q) { return (uint8_t)(q->h.nlmsg_type >> 8); }

// Does a compat match or target exist, and which of its revisions is the highest?
static int compat_get(struct nfreq *r) {
    char name[32];
    uint32_t revision, target;
    int most;
    if (r->type != 0 || !nfa(r, LINUX_NFTA_COMPAT_REV).p || !nfa(r, LINUX_NFTA_COMPAT_TYPE).p ||
        !nfa_str(nfa(r, LINUX_NFTA_COMPAT_NAME), name, sizeof name) ||
        !nfa_be32(nfa(r, LINUX_NFTA_COMPAT_REV), &revision, 0) ||
        !nfa_be32(nfa(r, LINUX_NFTA_COMPAT_TYPE), &target, 0))
        return -LINUX_EINVAL;
    const struct nf_xt *xt = nf_xt_find(target != 0, name, r->family, revision, &most);
    if (!xt)
        return most < 0 ? -LINUX_ENOENT : -LINUX_EPROTONOSUPPORT;
    struct linux_nfgenmsg m = {.nfgen_family = r->family};
    size_t at =
        nl_begin(r->out, LINUX_NFNL_SUBSYS_NFT_COMPAT << 8, 0, r->q->h.nlmsg_seq, r->portid, &m, sizeof m);
    nl_put_str(r->out, LINUX_NFTA_COMPAT_NAME, name);
    nfa_put_be32(r->out, LINUX_NFTA_COMPAT_REV, (uint32_t)most);
    nfa_put_be32(r->out, LINUX_NFTA_COMPAT_TYPE, target);
    return nl_end(r->out, at) ? 0 : -LINUX_EMSGSIZE;
}

static const struct change {
    uint16_t type;
    bool if_there;  // that it is not there is no error
    int (*run)(struct nfreq *r);
} changes[] = {
    {LINUX_NFT_MSG_NEWTABLE, false, nft_new_table},      {LINUX_NFT_MSG_DELTABLE, false, nft_del_table},
    {LINUX_NFT_MSG_NEWCHAIN, false, nft_new_chain},      {LINUX_NFT_MSG_DELCHAIN, false, nft_del_chain},
    {LINUX_NFT_MSG_NEWRULE, false, nft_new_rule},        {LINUX_NFT_MSG_DELRULE, false, nft_del_rule},
    {LINUX_NFT_MSG_NEWSET, false, nft_new_set},          {LINUX_NFT_MSG_DELSET, false, nft_del_set},
    {LINUX_NFT_MSG_NEWSETELEM, false, nft_new_elems},    {LINUX_NFT_MSG_DELSETELEM, false, nft_del_elems},
    {LINUX_NFT_MSG_NEWOBJ, false, nft_new_obj},          {LINUX_NFT_MSG_DELOBJ, false, nft_del_obj},
    {LINUX_NFT_MSG_DESTROYTABLE, true, nft_del_table},   {LINUX_NFT_MSG_DESTROYCHAIN, true, nft_del_chain},
    {LINUX_NFT_MSG_DESTROYRULE, true, nft_del_rule},     {LINUX_NFT_MSG_DESTROYSET, true, nft_del_set},
    {LINUX_NFT_MSG_DESTROYSETELEM, true, nft_del_elems}, {LINUX_NFT_MSG_DESTROYOBJ, true, nft_del_obj},
};
static const struct change *change_of(uint16_t type) {
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        if (changes[i].type == type)
            return &changes[i];
    return NULL;
}
static int change(struct nfreq *r) {
    const struct change *c = change_of(r->type);
    if (!c)
        return r->type < LINUX_NFT_MSG_MAX ? -LINUX_EOPNOTSUPP : -LINUX_EINVAL;
    int err = c->run(r);
    return err == -LINUX_ENOENT && c->if_there ? 0 : err;
}

// ---- Batches ----------------------------------------------------------------------------------------------
struct note {  // an acknowledgement or an error, told when all is done
    struct request q;
    int err;
};
struct batch {
    const uint8_t *p;
    size_t n, at;  // at: behind what was read
    uint32_t portid;
    struct note *notes;  // owned
    size_t nnotes, room;
    bool failed, ended;
};
static bool next_request(struct batch *b, struct request *q) {
    size_t left = b->n - b->at;
    if (b->at > b->n || left < sizeof q->h)
        return false;
    memcpy(&q->h, b->p + b->at, sizeof q->h);
    if (q->h.nlmsg_len < sizeof q->h || q->h.nlmsg_len > left)
        return false;
    q->body = b->p + b->at + sizeof q->h;
    q->n = q->h.nlmsg_len - sizeof q->h;
    b->at += NL_ALIGN(q->h.nlmsg_len);
    return true;
}
// False: no memory for it, which ends the batch.
static bool note(struct batch *b, const struct request *q, int err) {
    b->failed |= err < 0;
    if (err == 0 && !(q->h.nlmsg_flags & LINUX_NLM_F_ACK))
        return true;
    if (b->nnotes == b->room) {
        size_t room = b->room ? b->room * 2 : 16;
        struct note *more = xrealloc(b->notes, room * sizeof *more);
        if (!more) {
            b->failed = true;
            return false;
        }
        b->notes = more;
        b->room = room;
    }
    b->notes[b->nnotes++] = (struct note){*q, err};
    return true;
}
static int batch_message(struct nf *nf, struct batch *b, const struct request *q) {
    struct nfreq r = {.nf = nf, .portid = b->portid};
    if (!(q->h.nlmsg_flags & LINUX_NLM_F_REQUEST) || subsystem(q) != LINUX_NFNL_SUBSYS_NFTABLES ||
        !open_request(&r, q))
        return -LINUX_EINVAL;
    return change(&r);
}
static void batch_messages(struct nf *nf, struct batch *b) {
    struct request q;
    while (next_request(b, &q)) {
        if (q.h.nlmsg_type == LINUX_NFNL_BATCH_END) {
            b->ended = true;
            note(b, &q, 0);
            return;
        }
        if (q.h.nlmsg_type < LINUX_NLMSG_MIN_TYPE || q.h.nlmsg_type == LINUX_NFNL_BATCH_BEGIN) {
            note(b, &q, -LINUX_EINVAL);
            return;
        }
        int err = batch_message(nf, b, &q);
        if (!note(b, &q, err) || err == -LINUX_ENOMEM)
            return;
    }
}
// The message that begins it has been read.
static int run_batch(struct nf *nf, struct batch *b, const struct request *begin) {
    struct nfreq r = {.nf = nf};
    uint32_t generation;
    if (!open_request(&r, begin) || !nfa_be32(nfa(&r, LINUX_NFNL_BATCH_GENID), &generation, nf->generation))
        return -LINUX_EINVAL;
    uint8_t id[2];
    memcpy(id, begin->body + 2, sizeof id);
    if ((id[0] << 8 | id[1]) != LINUX_NFNL_SUBSYS_NFTABLES)
        return -LINUX_EOPNOTSUPP;
    if (generation != nf->generation)
        return -LINUX_ERESTART;
    note(b, begin, 0);
    nf_begin(nf);
    batch_messages(nf, b);
    if (b->failed || !b->ended) {
        nf_abort(nf);
        return 0;
    }
    return nf_commit(nf);
}
struct batch_call {
    struct batch *b;
    const struct request *begin;
};
static int batch_inside(struct nf *nf, void *arg) {
    struct batch_call *c = arg;
    return run_batch(nf, c->b, c->begin);
}
static void receive_batch(struct rtnl_out *o, struct batch *b, const struct request *begin) {
    struct batch_call c = {b, begin};
    int err = nf_inside(o->stack, batch_inside, &c);
    for (size_t i = 0; i < b->nnotes; i++)
        rtnl_answer(o, &b->notes[i].q, b->notes[i].err);
    if (err < 0)
        rtnl_answer(o, begin, err);
    free(b->notes);
}

// ---- Alone ------------------------------------------------------------------------------------------------
struct call {
    struct nfreq r;
    struct rtnl_dump *dump;
    uint8_t subsystem;
    bool begun;
};
static bool is_get(uint16_t type) {
    switch (type) {
    case LINUX_NFT_MSG_GETTABLE:
    case LINUX_NFT_MSG_GETCHAIN:
    case LINUX_NFT_MSG_GETRULE:
    case LINUX_NFT_MSG_GETRULE_RESET:
    case LINUX_NFT_MSG_GETSET:
    case LINUX_NFT_MSG_GETSETELEM:
    case LINUX_NFT_MSG_GETGEN:
    case LINUX_NFT_MSG_GETOBJ:
    case LINUX_NFT_MSG_GETOBJ_RESET:
    case LINUX_NFT_MSG_GETFLOWTABLE:
        return true;
    default:
        return false;
    }
}
static int begin_dump(struct nf *nf, struct call *c) {
    bool tables = c->subsystem == LINUX_NFNL_SUBSYS_NFTABLES;
    bool flows = c->subsystem == LINUX_NFNL_SUBSYS_CTNETLINK && c->r.type == LINUX_IPCTNL_MSG_CT_GET;
    if (!tables && !flows)
        return -LINUX_EOPNOTSUPP;
    if (c->dump->running)
        return -LINUX_EBUSY;
    struct rtnl_dump d = {.kind = RTNL_NETFILTER,
                          .subsystem = c->subsystem,
                          .type = c->r.type,
                          .family = c->r.family,
                          .seq = c->r.q->h.nlmsg_seq,
                          .portid = c->r.portid};
    int err = tables ? nft_dump_begin(&c->r, &d) : 0;
    if (err < 0)
        return err;
    *c->dump = d;
    c->begun = true;
    return 1;
}
static int serve_inside(struct nf *nf, void *arg) {
    struct call *c = arg;
    c->r.nf = nf;
    if ((c->r.flags & LINUX_NLM_F_DUMP) == LINUX_NLM_F_DUMP &&
        (c->subsystem != LINUX_NFNL_SUBSYS_NFTABLES || c->r.type != LINUX_NFT_MSG_GETGEN))
        return begin_dump(nf, c);
    switch (c->subsystem) {
    case LINUX_NFNL_SUBSYS_NFTABLES:
        return nft_get(&c->r);
    case LINUX_NFNL_SUBSYS_NFT_COMPAT:
        return compat_get(&c->r);
    default:
        return ctnl_serve(&c->r);
    }
}
static int serve(struct rtnl_out *o, const struct request *q) {
    struct call c = {.dump = o->dump, .subsystem = subsystem(q)};
    struct nl_buf b = {.p = xcalloc(1, RTNL_LONG), .cap = RTNL_LONG};
    int err = b.p ? 0 : -LINUX_ENOMEM;
    bool known = c.subsystem == LINUX_NFNL_SUBSYS_NFTABLES || c.subsystem == LINUX_NFNL_SUBSYS_NFT_COMPAT ||
                 c.subsystem == LINUX_NFNL_SUBSYS_CTNETLINK;
    c.r.out = &b;
    c.r.portid = o->portid;
    if (err == 0 && (!known || !open_request(&c.r, q)))
        err = -LINUX_EINVAL;
    if (err == 0 && c.subsystem == LINUX_NFNL_SUBSYS_NFTABLES && !is_get(c.r.type))
        err = -LINUX_EINVAL;  // changes come in batches
    if (err == 0)
        err = nf_inside(o->stack, serve_inside, &c);
    if (err == 0 && b.len)
        o->reply(o, b.p, b.len, NULL, 0);
    free(b.p);
    if (c.begun) {
        o->dump->net = o->net;
        o->dump->stack = o->stack;
        o->dump->running = true;
        o->dump_begun(o);
    }
    return err;
}
void nfnl_receive(struct rtnl_out *o, const void *msgs, size_t n) {
    struct batch b = {.p = msgs, .n = n, .portid = o->portid};
    struct request q;
    for (bool first = true; next_request(&b, &q); first = false) {
        bool request = (q.h.nlmsg_flags & LINUX_NLM_F_REQUEST) && q.h.nlmsg_type >= LINUX_NLMSG_MIN_TYPE;
        int err = 0;
        if (request && !o->admin) {
            rtnl_answer(o, &q, -LINUX_EPERM);
            return;
        }
        if (request && q.h.nlmsg_type == LINUX_NFNL_BATCH_BEGIN && first) {
            receive_batch(o, &b, &q);
            return;
        }
        if (request)
            err = serve(o, &q);
        if (err < 0 || (err == 0 && (q.h.nlmsg_flags & LINUX_NLM_F_ACK)))
            rtnl_answer(o, &q, err);
    }
}

// ---- Dumps ------------------------------------------------------------------------------------------------
struct part {
    struct rtnl_dump *d;
    struct nl_buf *b;
    bool all;
};
static int part_inside(struct nf *nf, void *arg) {
    struct part *p = arg;
    bool tables = p->d->subsystem == LINUX_NFNL_SUBSYS_NFTABLES;
    p->all = tables ? nft_dump(nf, p->d, p->b) : ctnl_dump(nf, p->d, p->b);
    return 0;
}
bool nfnl_dump(struct rtnl_dump *d, struct nl_buf *b) {
    struct part p = {.d = d, .b = b};
    if (nf_inside(d->stack, part_inside, &p) < 0) {
        d->err = -LINUX_ENOMEM;
        return true;
    }
    return p.all;
}
