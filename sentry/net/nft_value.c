// SPDX-License-Identifier: Apache-2.0
// nf_tables: registers, values and verdicts, as netlink has them.
#include "sentry/net/nfnl.h"

// As netlink numbers them: 0 the verdict, 1 to 4 of 16 bytes, 8 to 23 of 4.
int nft_reg_get(uint32_t v, uint32_t *reg) {
    if (v > 4 && (v < 8 || v > 23))
        return -LINUX_ERANGE;
    *reg = v <= 4 ? v * 4 : v - 4;
    return 0;
}
uint32_t nft_reg_told(uint32_t reg) { return reg % 4 ? reg + 4 : reg / 4; }

// Are len bytes from there within the data?
int nft_reg_check(uint32_t reg, uint32_t len) {
    if (reg < 4 || len == 0)
        return -LINUX_EINVAL;
    return reg >= NF_REGS || len > (NF_REGS - reg) * 4 ? -LINUX_ERANGE : 0;
}
int nft_value_get(struct nfattr data, uint8_t *to, size_t most) {
    struct nfattr v = nfa_in(data, LINUX_NFTA_DATA_VALUE);
    if (!v.p || v.n == 0)
        return -LINUX_EINVAL;
    if (v.n > most)
        return -LINUX_EOVERFLOW;
    memcpy(to, v.p, v.n);
    return (int)v.n;
}
void nft_value_put(struct nl_buf *b, uint16_t attr, const uint8_t *p, size_t n) {
    size_t at = nl_nest(b, attr);
    nl_put(b, LINUX_NFTA_DATA_VALUE, p, n);
    nl_nest_end(b, at);
}
int nft_verdict_get(struct nf *nf, struct nf_table *t, struct nfattr data, struct nf_data *d) {
    struct nfattr v = nfa_in(data, LINUX_NFTA_DATA_VERDICT), chain = nfa_in(v, LINUX_NFTA_VERDICT_CHAIN);
    char name[NF_NAME];
    uint32_t code, id;
    if (!v.p || !nfa_in(v, LINUX_NFTA_VERDICT_CODE).p ||
        !nfa_be32(nfa_in(v, LINUX_NFTA_VERDICT_CODE), &code, 0))
        return -LINUX_EINVAL;
    d->code = (int32_t)code;
    if (d->code == NF_ACCEPT || d->code == NF_DROP || d->code == NF_CONTINUE || d->code == NF_BREAK ||
        d->code == NF_RETURN)
        return 0;
    if (d->code != NF_JUMP && d->code != NF_GOTO)
        return (code & 0xff) == 3 ? -LINUX_EOPNOTSUPP : -LINUX_EINVAL;  // 3: to a program's queue
    if (!nfa_be32(nfa_in(v, LINUX_NFTA_VERDICT_CHAIN_ID), &id, 0))
        return -LINUX_EINVAL;
    if (!chain.p && !id)
        return -LINUX_EINVAL;
    if (chain.p && !nfa_str(chain, name, sizeof name))
        return -LINUX_EINVAL;
    d->chain = chain.p ? nf_chain_find(t, name) : nf_chain_by_id(nf, t, id);
    if (!d->chain)
        return -LINUX_ENOENT;
    return d->chain->base ? -LINUX_EOPNOTSUPP : 0;
}
void nft_verdict_put(struct nl_buf *b, uint16_t attr, const struct nf_data *d) {
    size_t data = nl_nest(b, attr), v = nl_nest(b, LINUX_NFTA_DATA_VERDICT);
    nfa_put_be32(b, LINUX_NFTA_VERDICT_CODE, (uint32_t)d->code);
    if (d->chain)
        nl_put_str(b, LINUX_NFTA_VERDICT_CHAIN, d->chain->name);
    nl_nest_end(b, v);
    nl_nest_end(b, data);
}
