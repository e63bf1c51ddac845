// SPDX-License-Identifier: Apache-2.0
// See group.h: who is joined, and when reports go out. Called by sock/membership.c, netif.c and ndp.c to join
// and leave, by igmp.c with queries. Lock: the stack's.
// LIMIT: sources are filtered at the sockets; routers hear that a group is joined for all its senders, and a
// query about single sources is answered for all.
// LIMIT: routers are told of groups over Ethernet only; what an NETIF_IP link carries is up to its other end.
#include "netstack/ip/group.h"
#include "abi/errno.h"
#include "base/fault.h"
#include "netstack/core/addr.h"
#include "netstack/link/netif.h"

#define ROBUSTNESS    2                // RFC 3376 8.1, RFC 3810 9.1
#define INTERVAL      (125 * NS_SEC)   // 8.2
#define NEWS_INTERVAL NS_SEC           // 8.11: Unsolicited Report Interval
#define NEWS_OLDER    (10 * NS_SEC)    // RFC 2236 8.10, RFC 2710 7.10

static bool all_hosts(const struct ns_ip *ip) {
    static const struct ns_ip nodes = {{0xff, 0x02, [15] = 1}};
    return ns_ip_is4(ip) ? ip_num4(ip) == 0xe0000001 : ip_eq(ip, &nodes);
}

bool group_reportable(const struct group *g) {
    bool local = !ns_ip_is4(&g->ip) && (g->ip.b[1] & 15) <= 1;
    return g->nif->config.kind == NETIF_ETHER && !local && !all_hosts(&g->ip);
}

static struct group_router *router_of(struct netif *nif, const struct ns_ip *ip) {
    return &nif->group_routers[ns_ip_is4(ip) ? 0 : 1];
}

unsigned group_version(const struct group_router *r) {
    uint64_t now = r->nif->ns->now;
    if (r->v1_until > now)
        return 1;
    return r->v2_until > now ? 2 : 3;
}

struct group *group_find(struct netif *nif, const struct ns_ip *ip) {
    struct group *g;
    list_for_each(g, &nif->groups, link) {
        if (ip_eq(&g->ip, ip))
            return g;
    }
    return NULL;
}

static void group_free(struct group *g) {
    stack_cancel(g->nif->ns, &g->news);
    stack_cancel(g->nif->ns, &g->answer);
    list_del(&g->link);
    g->nif->ngroups--;
    free(g);
}

int netstack_group_at(struct netstack *ns, uint32_t netif, unsigned i, struct ns_group *out) {
    IN_STACK(ns);
    struct netif *nif = netif_by_index(ns, netif);
    struct group *g;
    if (!nif)
        return -LINUX_ENODEV;
    list_for_each(g, &nif->groups, link) {
        if (group_left(g) || all_hosts(&g->ip) || i-- > 0)
            continue;
        *out = (struct ns_group){g->ip, g->users};
        return 0;
    }
    return -LINUX_ENODEV;
}

bool group_member(struct netif *nif, const struct ns_ip *ip) {
    const struct group *g = all_hosts(ip) ? NULL : group_find(nif, ip);
    return all_hosts(ip) || (g && !group_left(g));
}

// ---- News -------------------------------------------------------------------------------------------------
// At a random time from now on; never at once, so that a timer of 0 is not run in the same turn.
static void arm_within(struct netstack *ns, struct timer *t, uint64_t most) {
    uint64_t ms = most / NS_MS;
    stack_arm(ns, t, ns->now + (1 + (ms ? stack_random(ns) % ms : 0)) * NS_MS);
}

// RFC 3376 5.1, RFC 2236 3, RFC 2710 4. The group may be gone afterwards.
static void tell(struct group *g) {
    const struct group_router *r = router_of(g->nif, &g->ip);
    unsigned version = group_version(r);
    if (version == 3) {
        igmp_record(g, group_left(g) ? RECORD_TO_INCLUDE : RECORD_TO_EXCLUDE);
    } else if (!group_left(g)) {
        igmp_report(g);
        g->ours = true;
    } else {
        if (version == 2 && g->ours)
            igmp_done(g);
        g->repeats = 0;
    }
    if (g->repeats > 0) {
        g->repeats--;
        arm_within(g->nif->ns, &g->news, version == 3 ? NEWS_INTERVAL : NEWS_OLDER);
    } else if (group_left(g)) {
        group_free(g);
    }
}

static void news_timer(struct timer *t) { tell(container_of(t, struct group, news)); }

static void changed(struct group *g) {
    stack_cancel(g->nif->ns, &g->news);
    if (group_left(g))
        stack_cancel(g->nif->ns, &g->answer);
    if (group_reportable(g)) {
        g->repeats = router_of(g->nif, &g->ip)->robustness - 1;
        tell(g);
    } else if (group_left(g)) {
        group_free(g);
    }
}

// ---- Answers ----------------------------------------------------------------------------------------------
static void answer_timer(struct timer *t) {
    struct group *g = container_of(t, struct group, answer);
    if (group_version(router_of(g->nif, &g->ip)) == 3) {
        igmp_record(g, RECORD_EXCLUDE);
    } else {
        igmp_report(g);
        g->ours = true;
    }
}

static void answer_all_timer(struct timer *t) { igmp_all(container_of(t, struct group_router, answer)); }

// An answer that is due earlier stands for this one too (RFC 3376 5.2, RFC 2236 3).
static void answer_within(struct netstack *ns, struct timer *t, uint64_t most) {
    if (!timer_armed(t) || timer_when(t) > ns->now + most)
        arm_within(ns, t, most);
}

static bool of_router(const struct group_router *r, const struct group *g) {
    return ns_ip_is4(&g->ip) == r->four && group_reportable(g);
}

// RFC 3376 7.2.1: what was under way in another version is given up.
static void forget_timers(struct group_router *r) {
    struct netstack *ns = r->nif->ns;
    struct group *g, *next;
    stack_cancel(ns, &r->answer);
    list_for_each_safe(g, next, &r->nif->groups, link) {
        if (!of_router(r, g))
            continue;
        stack_cancel(ns, &g->answer);
        stack_cancel(ns, &g->news);
        if (group_left(g))
            group_free(g);
    }
}

// RFC 3376 7.2.1 and 8.12, RFC 3810 8.2.1 and 9.12.
static void note_version(struct group_router *r, const struct group_query *q) {
    unsigned before = group_version(r);
    uint64_t until = r->nif->ns->now + r->robustness * r->interval + q->delay;
    if (q->version == 1)
        r->v1_until = until;
    else if (q->version == 2)
        r->v2_until = until;
    if (group_version(r) != before)
        forget_timers(r);
}

void group_query(struct group_router *r, const struct group_query *q) {
    struct netstack *ns = r->nif->ns;
    if (q->version == 3) {
        r->robustness = q->robustness ? q->robustness : ROBUSTNESS;
        r->interval = q->interval ? q->interval : INTERVAL;
    }
    note_version(r, q);
    bool all = ip_is_any(&q->group);
    if (all && group_version(r) == 3) {
        answer_within(ns, &r->answer, q->delay);
        return;
    }
    struct group *g;
    list_for_each(g, &r->nif->groups, link) {
        if (of_router(r, g) && !group_left(g) && (all || ip_eq(&g->ip, &q->group)))
            answer_within(ns, &g->answer, q->delay);
    }
}

// RFC 2236 3, RFC 2710 4: one report of a group is enough for its link. A report of the newest version says
// nothing here.
void group_reported(struct netif *nif, const struct ns_ip *ip) {
    struct group *g = group_find(nif, ip);
    if (!g || group_version(router_of(nif, ip)) == 3)
        return;
    stack_cancel(nif->ns, &g->answer);
    g->ours = false;
}

// ---- Coming and going -------------------------------------------------------------------------------------
void group_start(struct netif *nif) {
    list_init(&nif->groups);
    for (unsigned i = 0; i < 2; i++) {
        nif->group_routers[i] =
            (struct group_router){.nif = nif, .four = i == 0, .robustness = ROBUSTNESS, .interval = INTERVAL};
        timer_init(&nif->group_routers[i].answer, answer_all_timer);
    }
}

void group_flush(struct netif *nif) {
    struct netstack *ns = nif->ns;
    while (!list_empty(&nif->groups))
        group_free(list_first(&nif->groups, struct group, link));
    for (unsigned i = 0; i < 2; i++)
        stack_cancel(ns, &nif->group_routers[i].answer);
}

int group_join(struct netif *nif, const struct ns_ip *ip) {
    struct group *g = group_find(nif, ip);
    if (!g) {
        if (nif->ngroups == NETIF_GROUPS)
            return -LINUX_ENOBUFS;
        if (!(g = znew(struct group)))
            return -LINUX_ENOMEM;
        *g = (struct group){.nif = nif, .ip = *ip};
        timer_init(&g->news, news_timer);
        timer_init(&g->answer, answer_timer);
        list_add_tail(&nif->groups, &g->link);
        nif->ngroups++;
    }
    if (++g->users == 1)
        changed(g);
    return 0;
}

void group_leave(struct netif *nif, const struct ns_ip *ip) {
    struct group *g = group_find(nif, ip);
    if (g && !group_left(g) && --g->users == 0)
        changed(g);
}
