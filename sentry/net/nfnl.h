// SPDX-License-Identifier: Apache-2.0
// nfnetlink on the inside: what its files share. All of it runs within the stack's lock (nf_inside), works on
// a copy of what the guest has sent, and does not wait.
//
//     nfnl.c      messages and batches, who may ask, errors        nft_dump.c  what is told, one by one or
//     all nft_object.c tables, chains, objects    nft_rule.c  rules    nft_set.c   sets and their elements
//     nft_expr.c  expressions, by a table of their attributes      ctnl.c      connections
#ifndef SENTRY_NET_NFNL_H
#define SENTRY_NET_NFNL_H
#include "abi/errno.h"
#include "abi/nfnetlink.h"
#include "netstack/filter/nft.h"
#include "sentry/net/rtnl_impl.h"
#include <string.h>

// A message, without its header, within the stack.
struct nfreq {
    struct nf *nf;
    const struct request *q;
    uint8_t family;
    uint16_t type;   // LINUX_NFT_MSG_*
    uint16_t flags;  // LINUX_NLM_F_*
    const uint8_t *attrs;
    size_t n;
    struct nl_buf *out;  // for an answer; NULL: none is wanted
    uint32_t portid;
};
// An attribute of a message or a nest.
struct nfattr {
    const uint8_t *p;  // NULL: it is not there
    size_t n;
};
struct nfattr nfa_find(const void *attrs, size_t n, uint16_t attr);
static inline struct nfattr nfa_in(struct nfattr nest, uint16_t attr) {
    return nfa_find(nest.p, nest.n, attr);
}
static inline struct nfattr nfa(const struct nfreq *r, uint16_t attr) {
    return nfa_find(r->attrs, r->n, attr);
}
// The next of a nest, from *at on, of any type; false: the end, or what is malformed.
bool nfa_next(struct nfattr nest, size_t *at, uint16_t *type, struct nfattr *out);
// Numbers; `otherwise` when they are not there, false when they are too short.
bool nfa_u8(struct nfattr a, uint32_t *v, uint32_t otherwise);
bool nfa_be16(struct nfattr a, uint32_t *v, uint32_t otherwise);
bool nfa_be32(struct nfattr a, uint32_t *v, uint32_t otherwise);
bool nfa_be64(struct nfattr a, uint64_t *v, uint64_t otherwise);
// A name with its NUL, of less than n bytes: false: it is not there, empty, or too long.
bool nfa_str(struct nfattr a, char *to, size_t n);
void nfa_put_be16(struct nl_buf *b, uint16_t attr, uint32_t v);
void nfa_put_be32(struct nl_buf *b, uint16_t attr, uint32_t v);
void nfa_put_be64(struct nl_buf *b, uint16_t attr, uint64_t v);

// nft_object.c, nft_rule.c, nft_set.c: changes, in a transaction. 0 or -LINUX_E*.
int nft_table_of(const struct nfreq *r, uint16_t attr, struct nf_table **out);
int nft_new_table(struct nfreq *r);
int nft_del_table(struct nfreq *r);
int nft_new_chain(struct nfreq *r);
int nft_del_chain(struct nfreq *r);
int nft_new_obj(struct nfreq *r);
int nft_del_obj(struct nfreq *r);
int nft_new_rule(struct nfreq *r);
int nft_del_rule(struct nfreq *r);
int nft_new_set(struct nfreq *r);
int nft_del_set(struct nfreq *r);
int nft_new_elems(struct nfreq *r);
int nft_del_elems(struct nfreq *r);

// nft_expr.c. A nest of a name and data; what is read is the caller's, also after an error (nf_expr_done()).
int nft_expr_get(struct nf *nf, struct nf_table *t, struct nfattr nest, struct nf_expr *x);
void nft_expr_put(struct nl_buf *b, uint16_t attr, const struct nf_expr *x);
// The data alone, of a named object.
int nft_expr_get_data(struct nf *nf, struct nf_table *t, enum nf_kind kind, struct nfattr data,
                      struct nf_expr *x);
void nft_expr_put_data(struct nl_buf *b, uint16_t attr, const struct nf_expr *x);
// nft_value.c. Registers: 0 the verdict, 1 to 4 of 16 bytes, 8 to 23 of 4, here as words; are `len` bytes
// from there within the data? 0, -LINUX_EINVAL, -LINUX_ERANGE.
int nft_reg_get(uint32_t v, uint32_t *reg);
uint32_t nft_reg_told(uint32_t reg);
int nft_reg_check(uint32_t reg, uint32_t len);
int nft_verdict_get(struct nf *nf, struct nf_table *t, struct nfattr data, struct nf_data *d);
void nft_verdict_put(struct nl_buf *b, uint16_t attr, const struct nf_data *d);
// A value of at most `most` bytes, LINUX_NFTA_DATA_VALUE in a nest. Its length, or -LINUX_EINVAL,
// -LINUX_EOVERFLOW.
int nft_value_get(struct nfattr data, uint8_t *to, size_t most);
void nft_value_put(struct nl_buf *b, uint16_t attr, const uint8_t *p, size_t n);
struct nf_set *nft_set_named(struct nf *nf, struct nf_table *t, struct nfattr name, struct nfattr id);

// nft_dump.c
int nft_get(struct nfreq *r);
// What fits of a dump from d->at on; true: that was all.
bool nft_dump(struct nf *nf, struct rtnl_dump *d, struct nl_buf *b);
int nft_dump_begin(struct nfreq *r, struct rtnl_dump *d);
struct nfput {  // how messages are headed
    struct nf *nf;
    struct nl_buf *b;
    uint16_t flags;
    uint32_t seq, portid;
};
size_t nft_put_begin(struct nfput *p, uint16_t type, uint32_t family);
bool nft_put_set(struct nfput *p, const struct nf_set *s);
bool nft_put_elems(struct nfput *p, struct nf_set *s, uint32_t *at);  // true: all from *at on
// ctnl.c
int ctnl_serve(struct nfreq *r);
bool ctnl_dump(struct nf *nf, struct rtnl_dump *d, struct nl_buf *b);

// nfnl.c: what rtnetlink.c hands over.
void nfnl_receive(struct rtnl_out *o, const void *msgs, size_t n);
bool nfnl_dump(struct rtnl_dump *d, struct nl_buf *b);

#endif
