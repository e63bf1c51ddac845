// SPDX-License-Identifier: Apache-2.0
// The packet filter as nftables has it: tables of chains of rules, sets and stateful objects, as who sets and
// lists them sees them (sentry/net/nf*.c). What is here is read and changed inside of nf_inside() alone,
// under the stack's lock. Changes are made in a transaction: nf_begin(), the changes, nf_commit() or
// nf_abort(); packets see all of it or nothing. Everything is charged to the stack, up to NF_MEMORY. Errors
// are -LINUX_E*, those that Linux has for it.
//
//     netstack -> nf -> tables -> chains -> rules -> expressions
//                           +---> sets -> elements
//                           +---> objects (named counters, quotas, limits)
#ifndef NETSTACK_FILTER_NFT_H
#define NETSTACK_FILTER_NFT_H
#include "base/list.h"
#include "base/rbtree.h"
#include "netstack/netstack.h"
#include <assert.h>

#define NF_MEMORY  (16u << 20)  // bytes of all rules of a stack
#define NF_TABLES  256          // as many of each kind in a stack: who looks one up goes through a list
#define NF_CHAINS  8192
#define NF_RULES   32768
#define NF_SETS    4096   // and named objects
#define NF_ELEMS   65536  // of all sets
#define NF_NAME    256    // with its NUL
#define NF_DEPTH   16     // chains that jump to each other, as Linux
#define NF_EXPRS   128    // of a rule, as Linux
#define NF_REGS    20     // words: the verdict's 4, then 16 of data
#define NF_DATA    16     // bytes of a value in an expression
#define NF_KEY     64     // bytes of a key or a value of a set
#define NF_XT_MOST 512    // bytes of what an xtables match or target is told

enum nf_hooknum { NF_PREROUTING, NF_INPUT, NF_FORWARD, NF_OUTPUT, NF_POSTROUTING, NF_HOOKS };
enum { NF_INET = 1, NF_IPV4 = 2, NF_ARP = 3, NF_NETDEV = 5, NF_BRIDGE = 7, NF_IPV6 = 10 };  // families
enum nf_chain_type { NF_FILTER, NF_NAT, NF_ROUTE };
enum { NF_DROP = 0, NF_ACCEPT = 1 };
enum { NF_CONTINUE = -1, NF_BREAK = -2, NF_JUMP = -3, NF_GOTO = -4, NF_RETURN = -5 };

struct nf;
struct nf_chain;
struct nf_set;
struct nf_obj;
struct nf_xt;

// A value, or a verdict when it goes to register 0.
struct nf_data {
    uint32_t len;            // bytes; of a verdict 0
    int32_t code;            // of a verdict
    struct nf_chain *chain;  // of NF_JUMP and NF_GOTO
    uint8_t b[NF_DATA];
};

enum nf_kind {
    NF_X_IMMEDIATE,
    NF_X_CMP,
    NF_X_PAYLOAD,
    NF_X_META,
    NF_X_META_SET,
    NF_X_BITWISE,
    NF_X_BYTEORDER,
    NF_X_COUNTER,
    NF_X_CT,
    NF_X_CT_SET,
    NF_X_LOOKUP,
    NF_X_LIMIT,
    NF_X_LOG,
    NF_X_REJECT,
    NF_X_NAT,
    NF_X_MASQ,
    NF_X_REDIR,
    NF_X_FIB,
    NF_X_RANGE,
    NF_X_NOTRACK,
    NF_X_QUOTA,
    NF_X_OBJREF,
    NF_X_MATCH,
    NF_X_TARGET,
    NF_KINDS
};
// One expression. Registers are words of NF_REGS, 0 the verdict's; numbers are as nf_tables(4) has them.
struct nf_expr {
    enum nf_kind kind;
    uint32_t sreg, dreg, len;
    union {
        struct nf_data imm;
        struct {
            uint32_t op;
            struct nf_data data;
        } cmp;
        struct {
            uint32_t base, offset;
        } payload;
        struct {
            uint32_t key;
        } meta;
        struct {
            uint32_t op;
            struct nf_data mask, xor, data;
        } bitwise;
        struct {
            uint32_t op, size;
        } byteorder;
        struct {
            uint64_t packets, bytes;
        } counter;
        struct {
            uint32_t key, dir;  // dir: 0 original, 1 reply, NF_NO_DIR
        } ct;
        struct {
            struct nf_set *set;
            uint32_t flags;
            bool has_dreg;
        } lookup;
        struct {
            uint64_t rate, unit;  // so many in `unit` seconds
            uint32_t burst, type, flags;
            uint64_t tokens, at;  // ns
        } limit;
        struct {
            uint32_t group, snaplen, qthreshold, level, flags, given;  // given: bits of attributes
            char prefix[128];
        } log;
        struct {
            uint32_t type, code;
        } reject;
        struct {
            uint32_t type, family, flags;
            uint32_t addr_min, addr_max, port_min, port_max;  // registers; 0: none
        } nat;
        struct {
            uint32_t result, flags;
        } fib;
        struct {
            uint32_t op;
            struct nf_data from, to;
        } range;
        struct {
            uint64_t bytes, consumed;
            uint32_t flags;
        } quota;
        struct {
            struct nf_obj *obj;
            struct nf_set *set;  // instead: a map from what is in sreg to an object
        } objref;
        struct {
            const struct nf_xt *xt;
            uint32_t info_len;
            uint8_t *info;        // owned, of info_len bytes
            uint64_t tokens, at;  // of "limit"
        } xt;
    };
};
#define NF_NO_DIR 255u

struct nf_blob {  // bytes that are kept and told, no more
    uint8_t *p;   // owned
    uint32_t len;
};
struct nf_table {
    struct nf *nf;
    struct list link;
    char name[NF_NAME];
    uint32_t family, flags, use;
    uint64_t handle, last_handle;  // last_handle: of its chains, rules, sets and objects
    struct list chains, sets, objs;
    struct nf_blob user;
};
struct nf_rule {
    struct list link;
    struct nf_chain *chain;
    uint64_t handle;
    uint32_t id;  // in its transaction
    uint32_t n;
    struct nf_expr *exprs;  // owned
    struct nf_blob user;
    bool tracks;  // needs connection tracking
};
struct nf_chain {
    struct list link;
    struct nf_table *table;
    char name[NF_NAME];
    uint64_t handle;
    uint32_t id, flags, use;
    struct list rules;
    uint32_t nrules;
    bool base, has_stats;
    // of a base chain:
    enum nf_chain_type type;
    enum nf_hooknum hook;
    int32_t priority;
    uint32_t policy;
    uint64_t packets, bytes;
    struct nf_blob user;
    // of the walk that looks for loops (filter/check.c):
    uint64_t walk;
    uint32_t depth, reach;
};
#define NF_TABLE_DORMANT 1u
#define NF_CHAIN_BASE    1u

#define NF_SET_ANONYMOUS 1u
#define NF_SET_CONSTANT  2u
#define NF_SET_INTERVAL  4u
#define NF_SET_MAP       8u
#define NF_SET_TIMEOUT   0x10u
#define NF_SET_OBJECT    0x40u
#define NF_SET_CONCAT    0x80u
#define NF_ELEM_END      1u
#define NF_ELEM_CATCHALL 2u
#define NF_VERDICT_TYPE  0xffffff00u
struct nf_elem {
    struct rb_node node;
    struct list link;  // of sets that are looked through: the set's ranges
    struct nf_set *set;
    uint32_t flags;
    bool has_end;
    struct nf_data verdict;   // of a verdict map
    struct nf_obj *obj;       // of a map of objects
    uint64_t timeout, until;  // ns; 0: none
    struct nf_blob user;
    uint8_t key[NF_KEY], end[NF_KEY], data[NF_KEY];
};
struct nf_set {
    struct list link;
    struct nf_table *table;
    char name[NF_NAME];
    uint64_t handle;
    uint32_t id, flags, use;
    uint32_t key_type, key_len, data_type, data_len, obj_type;
    uint32_t policy, size, gc, nfields;
    uint8_t field[16];
    uint64_t timeout;  // ms
    struct rb_root elems;
    struct list ranges;      // [elem.link] of concatenations of intervals: in the order they came
    struct nf_elem *others;  // the catch-all
    uint32_t n;
    struct nf_blob user;
    uint64_t walk;  // as of chains
    uint32_t depth;
};
struct nf_obj {
    struct list link;
    struct nf_table *table;
    char name[NF_NAME];
    uint64_t handle;
    uint32_t type, use;
    struct nf_expr x;
};
enum { NF_OBJ_COUNTER = 1, NF_OBJ_QUOTA = 2, NF_OBJ_LIMIT = 4 };

// What there is, and what can happen to it besides coming and going.
enum nf_what {
    NF_W_TABLE,
    NF_W_CHAIN,
    NF_W_RULE,
    NF_W_SET,
    NF_W_ELEM,
    NF_W_OBJ,
    NF_W_FLAGS,
    NF_W_POLICY,
    NF_W_STATS,
    NF_W_ALL
};
// The rules of one stack.
struct nf_change;
struct nf {
    struct netstack *ns;
    struct list tables;
    uint64_t last_handle;
    uint32_t generation;
    size_t bytes;
    unsigned n[NF_W_ALL];  // of each kind
    struct list log;       // what the transaction has done
    bool changing;
    uint64_t turn;  // of the walks of check.c: never the same again
};

// Runs fn inside of the stack; its result, or -ENOMEM.
int nf_inside(struct netstack *ns, int (*fn)(struct nf *nf, void *arg), void *arg);
uint64_t nf_now(const struct nf *nf);  // ns, of the stack

// ---- Transactions -----------------------------------------------------------------------------------------
void nf_begin(struct nf *nf);
// 0, or why not (-EMLINK, -EOPNOTSUPP): then it is taken back. Every commit is a new generation.
int nf_commit(struct nf *nf);
void nf_abort(struct nf *nf);

// ---- Memory, charged; NULL: -ENOMEM -----------------------------------------------------------------------
void *nf_alloc(struct nf *nf, size_t n);
void nf_free(struct nf *nf, void *p, size_t n);
bool nf_keep(struct nf *nf, struct nf_blob *b, const void *p, size_t n);  // a copy; n 0: nothing

// ---- Looking up: NULL: there is none ----------------------------------------------------------------------
struct nf_table *nf_table_find(struct nf *nf, uint32_t family, const char *name);
struct nf_table *nf_table_by_handle(struct nf *nf, uint32_t family, uint64_t handle);
struct nf_chain *nf_chain_find(struct nf_table *t, const char *name);
struct nf_chain *nf_chain_by_handle(struct nf_table *t, uint64_t handle);
struct nf_rule *nf_rule_by_handle(struct nf_chain *c, uint64_t handle);
struct nf_set *nf_set_find(struct nf_table *t, const char *name);
struct nf_set *nf_set_by_handle(struct nf_table *t, uint64_t handle);
struct nf_obj *nf_obj_find(struct nf_table *t, const char *name, uint32_t type);
// By the number that its maker gave it in this transaction.
struct nf_chain *nf_chain_by_id(struct nf *nf, struct nf_table *t, uint32_t id);
struct nf_set *nf_set_by_id(struct nf *nf, struct nf_table *t, uint32_t id);
struct nf_rule *nf_rule_by_id(struct nf *nf, struct nf_chain *c, uint32_t id);

// ---- Changes ----------------------------------------------------------------------------------------------
// Within a transaction. What is added was allocated by nf_alloc() and filled by the caller; when adding fails
// it is freed. What is deleted stays until the commit.
int nf_table_add(struct nf *nf, struct nf_table *t);
int nf_table_del(struct nf *nf, struct nf_table *t);  // with all in it
int nf_table_set_flags(struct nf *nf, struct nf_table *t, uint32_t flags);
int nf_chain_add(struct nf *nf, struct nf_chain *c);
int nf_chain_del(struct nf *nf, struct nf_chain *c);  // with its rules; -EBUSY: a rule goes there
int nf_chain_set_policy(struct nf *nf, struct nf_chain *c, uint32_t policy);
int nf_chain_set_stats(struct nf *nf, struct nf_chain *c, uint64_t packets, uint64_t bytes);
// In front of `at`, behind it, or (NULL) at the beginning or the end.
int nf_rule_add(struct nf *nf, struct nf_rule *r, struct nf_rule *at, bool behind);
int nf_rule_del(struct nf *nf, struct nf_rule *r);
int nf_set_add(struct nf *nf, struct nf_set *s);
int nf_set_del(struct nf *nf, struct nf_set *s);               // -EBUSY: a rule asks it
int nf_elem_add(struct nf *nf, struct nf_elem *e, bool excl);  // -EEXIST, -ENOTEMPTY, -ENFILE
int nf_elem_del(struct nf *nf, struct nf_elem *e);
int nf_obj_add(struct nf *nf, struct nf_obj *o);
int nf_obj_del(struct nf *nf, struct nf_obj *o);

// The element that has that key (and flags, and end), not the one that covers it.
struct nf_elem *nf_elem_find(struct nf_set *s, const struct nf_elem *like);
struct nf_elem *nf_elem_next(struct nf_set *s, struct nf_elem *e);  // NULL: the first
// What covers a key. NULL: nothing.
struct nf_elem *nf_set_lookup(struct nf *nf, struct nf_set *s, const void *key);

// What they own, and themselves.
void nf_expr_done(struct nf *nf, struct nf_expr *x);
void nf_table_free(struct nf *nf, struct nf_table *t);
void nf_chain_free(struct nf *nf, struct nf_chain *c);
void nf_rule_free(struct nf *nf, struct nf_rule *r);
void nf_set_free(struct nf *nf, struct nf_set *s);
void nf_elem_free(struct nf *nf, struct nf_elem *e);
void nf_obj_free(struct nf *nf, struct nf_obj *o);

// ---- xtables' matches and targets (the compat expressions) ------------------------------------------------
// By name, family of the table and revision, what there is: NULL: none. `most`: the highest revision of that
// name, or -1.
const struct nf_xt *nf_xt_find(bool target, const char *name, uint32_t family, uint32_t revision, int *most);
const char *nf_xt_name(const struct nf_xt *xt);
uint32_t nf_xt_revision(const struct nf_xt *xt);
bool nf_xt_info_ok(const struct nf_xt *xt, const uint8_t *info, uint32_t len);

// ---- Connections ------------------------------------------------------------------------------------------
struct nf_tuple {
    struct ns_ip src, dst;
    uint16_t sport, dport;  // of ICMP echo both the identifier
    uint16_t proto;
};
static_assert(sizeof(struct nf_tuple) == 38, "it is compared and hashed as bytes");
struct nf_flow {  // one, as it is told
    struct nf_tuple orig, reply;
    uint32_t status, mark, tcp_state, id;
    uint64_t timeout;  // s that are left
    uint64_t packets[2], bytes[2];
};
// From *at on; false: that was the last.
bool nf_flow_next(struct nf *nf, uint32_t *at, struct nf_flow *out);
void nf_flow_flush(struct nf *nf);
// The one that has that tuple in that direction; false: none. With `forget` it is forgotten.
bool nf_flow_find(struct nf *nf, const struct nf_tuple *t, bool reply, bool forget, struct nf_flow *out);
unsigned nf_flow_count(struct nf *nf);

#endif
