// SPDX-License-Identifier: Apache-2.0
// Encoding and decoding of the gofer protocol, for both ends. Cursors keep every access inside the record;
// each kind of field has its bounds in one place, and the functions of each message derive from proto.def. No
// locks.
#include "gofer/proto.h"
#include "abi/errno.h"
#include <string.h>

// ---- Cursors ----------------------------------------------------------------------------------------------
static const uint8_t *in_take(struct gofer_in *in, size_t n) {
    if (in->bad || in->left < n) {
        in->bad = true;
        return NULL;
    }
    const uint8_t *p = in->p;
    in->p += n;
    in->left -= n;
    return p;
}

static uint8_t *out_room(struct gofer_out *out, size_t n) {
    if (out->bad || out->cap - out->len < n) {
        out->bad = true;
        return NULL;
    }
    uint8_t *p = out->p + out->len;
    out->len += n;
    return p;
}

static uint64_t load_le(const uint8_t *p, unsigned n) {
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static void store_le(uint8_t *p, uint64_t v, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(struct gofer_in *in, unsigned n) {
    const uint8_t *p = in_take(in, n);
    return p ? load_le(p, n) : 0;
}

static void put_le(struct gofer_out *out, uint64_t v, unsigned n) {
    uint8_t *p = out_room(out, n);
    if (p)
        store_le(p, v, n);
}

// ---- Field kinds ------------------------------------------------------------------------------------------
static void get_u32(struct gofer_in *in, uint32_t *v) { *v = (uint32_t)get_le(in, 4); }
static void put_u32(struct gofer_out *out, const uint32_t *v) { put_le(out, *v, 4); }
static void get_u64(struct gofer_in *in, uint64_t *v) { *v = get_le(in, 8); }
static void put_u64(struct gofer_out *out, const uint64_t *v) { put_le(out, *v, 8); }

bool gofer_name_ok(const char *name, size_t n) {
    if (n == 0 || n > GOFER_NAME_MAX || memchr(name, '/', n) || memchr(name, '\0', n))
        return false;
    return !(name[0] == '.' && (n == 1 || (n == 2 && name[1] == '.')));
}

// A length of 16 bits, the text, and a NUL that is not counted, so that the text can be used where it lies.
static void get_text(struct gofer_in *in, struct gofer_str *s, size_t max) {
    *s = (struct gofer_str){.p = ""};
    size_t n = get_le(in, 2);
    if (n > max)
        in->bad = true;
    const uint8_t *p = in_take(in, n + 1);
    if (!p)
        return;
    if (p[n] != 0 || memchr(p, 0, n)) {
        in->bad = true;
        return;
    }
    *s = (struct gofer_str){(const char *)p, (uint32_t)n};
}

static void put_text(struct gofer_out *out, const struct gofer_str *s, size_t max) {
    if (s->n > max || (s->n && memchr(s->p, 0, s->n))) {
        out->bad = true;
        return;
    }
    put_le(out, s->n, 2);
    uint8_t *p = out_room(out, s->n + 1u);
    if (!p)
        return;
    if (s->n)
        memcpy(p, s->p, s->n);
    p[s->n] = 0;
}

static void get_path(struct gofer_in *in, struct gofer_str *s) { get_text(in, s, GOFER_PATH_MAX); }
static void put_path(struct gofer_out *out, const struct gofer_str *s) { put_text(out, s, GOFER_PATH_MAX); }

static void get_oname(struct gofer_in *in, struct gofer_str *s) {
    get_text(in, s, GOFER_NAME_MAX);
    if (s->n && !gofer_name_ok(s->p, s->n))
        in->bad = true;
}
static void put_oname(struct gofer_out *out, const struct gofer_str *s) {
    if (s->n && !gofer_name_ok(s->p, s->n))
        out->bad = true;
    put_text(out, s, GOFER_NAME_MAX);
}

static void get_name(struct gofer_in *in, struct gofer_str *s) {
    get_oname(in, s);
    if (s->n == 0)
        in->bad = true;
}
static void put_name(struct gofer_out *out, const struct gofer_str *s) {
    if (s->n == 0)
        out->bad = true;
    put_oname(out, s);
}

static void get_xname(struct gofer_in *in, struct gofer_str *s) {
    get_text(in, s, GOFER_NAME_MAX);
    if (s->n == 0)
        in->bad = true;
}
static void put_xname(struct gofer_out *out, const struct gofer_str *s) {
    if (s->n == 0)
        out->bad = true;
    put_text(out, s, GOFER_NAME_MAX);
}

static void get_bytes(struct gofer_in *in, struct gofer_str *s) {
    size_t n = get_le(in, 4);
    *s = (struct gofer_str){.p = ""};
    if (n > GOFER_BYTES_MAX)
        in->bad = true;
    const uint8_t *p = in_take(in, n);
    if (p)
        *s = (struct gofer_str){(const char *)p, (uint32_t)n};
}
static void put_bytes(struct gofer_out *out, const struct gofer_str *s) {
    if (s->n > GOFER_BYTES_MAX) {
        out->bad = true;
        return;
    }
    put_le(out, s->n, 4);
    uint8_t *p = out_room(out, s->n);
    if (p && s->n)
        memcpy(p, s->p, s->n);
}

static void get_attr(struct gofer_in *in, struct gofer_attr *a) {
#define FIELD(kind, name) get_##kind(in, &a->name);
    GOFER_ATTR_FIELDS(FIELD)
#undef FIELD
}
static void put_attr(struct gofer_out *out, const struct gofer_attr *a) {
#define FIELD(kind, name) put_##kind(out, &a->name);
    GOFER_ATTR_FIELDS(FIELD)
#undef FIELD
}

// Lists: a count of 16 bits, then the items.
static uint32_t get_count(struct gofer_in *in, uint32_t max) {
    uint32_t n = (uint32_t)get_le(in, 2);
    if (n > max)
        in->bad = true;
    return in->bad ? 0 : n;
}
static uint32_t put_count(struct gofer_out *out, uint32_t n, uint32_t max) {
    if (n > max)
        out->bad = true;
    put_le(out, n, 2);
    return out->bad ? 0 : n;
}
#define LIST_KIND(list, item, max)                                                                           \
    static void get_##list(struct gofer_in *in, struct gofer_##list *l) {                                    \
        l->n = get_count(in, max);                                                                           \
        for (uint32_t i = 0; i < l->n && !in->bad; i++)                                                      \
            get_##item(in, &l->v[i]);                                                                        \
    }                                                                                                        \
    static void put_##list(struct gofer_out *out, const struct gofer_##list *l) {                            \
        uint32_t n = put_count(out, l->n, max);                                                              \
        for (uint32_t i = 0; i < n; i++)                                                                     \
            put_##item(out, &l->v[i]);                                                                       \
    }
LIST_KIND(attrs, attr, GOFER_WALK_MAX)
LIST_KIND(names, name, GOFER_WALK_MAX)
LIST_KIND(ids, u64, GOFER_IDS_MAX)

// ---- Messages ---------------------------------------------------------------------------------------------
static int got(const struct gofer_in *in) { return in->bad || in->left ? -LINUX_EBADMSG : 0; }
static int wrote(const struct gofer_out *out) { return out->bad ? -LINUX_EMSGSIZE : 0; }

#define GOFER_MSG(name, number, flags)                                                                       \
    int gofer_get_##name##_req(struct gofer_in *in, struct gofer_##name##_req *m) {
#define REQ(kind, field) get_##kind(in, &m->field);
#define GOFER_MSG_END(name)                                                                                  \
    return got(in);                                                                                          \
    }
#include "gofer/proto.def"

#define GOFER_MSG(name, number, flags)                                                                       \
    int gofer_put_##name##_req(struct gofer_out *out, const struct gofer_##name##_req *m) {
#define REQ(kind, field) put_##kind(out, &m->field);
#define GOFER_MSG_END(name)                                                                                  \
    return wrote(out);                                                                                       \
    }
#include "gofer/proto.def"

#define GOFER_MSG(name, number, flags)                                                                       \
    int gofer_get_##name##_rep(struct gofer_in *in, struct gofer_##name##_rep *m) {
#define REP(kind, field) get_##kind(in, &m->field);
#define GOFER_MSG_END(name)                                                                                  \
    return got(in);                                                                                          \
    }
#include "gofer/proto.def"

#define GOFER_MSG(name, number, flags)                                                                       \
    int gofer_put_##name##_rep(struct gofer_out *out, const struct gofer_##name##_rep *m) {
#define REP(kind, field) put_##kind(out, &m->field);
#define GOFER_MSG_END(name)                                                                                  \
    return wrote(out);                                                                                       \
    }
#include "gofer/proto.def"

int gofer_get_hdr(const uint8_t *record, size_t n, struct gofer_hdr *h) {
    if (n < GOFER_HDR_SIZE || n > GOFER_MSG_MAX)
        return -LINUX_EPROTO;
    h->size = (uint32_t)load_le(record, 4);
    h->type = (uint16_t)load_le(record + 4, 2);
    h->nfds = (uint16_t)load_le(record + 6, 2);
    h->tag = (uint32_t)load_le(record + 8, 4);
    h->error = (int32_t)load_le(record + 12, 4);
    return h->size == n ? 0 : -LINUX_EPROTO;
}

void gofer_put_hdr(uint8_t record[GOFER_HDR_SIZE], const struct gofer_hdr *h) {
    store_le(record, h->size, 4);
    store_le(record + 4, h->type, 2);
    store_le(record + 6, h->nfds, 2);
    store_le(record + 8, h->tag, 4);
    store_le(record + 12, (uint32_t)h->error, 4);
}

uint64_t gofer_peek_u64(const struct gofer_in *in) { return load_le(in->p, 8); }

int gofer_get_entry(struct gofer_in *in, struct gofer_entry *e) {
    if (!in->bad && in->left == 0)
        return 0;
    get_u64(in, &e->offset);
    get_u64(in, &e->ino);
    e->dtype = (uint32_t)get_le(in, 1);
    uint64_t has_attr = get_le(in, 1);
    e->has_attr = has_attr == 1;
    if (has_attr > 1 || e->dtype > 15)
        in->bad = true;
    if (e->has_attr)
        get_attr(in, &e->attr);
    get_name(in, &e->name);
    return in->bad ? -LINUX_EBADMSG : 1;
}

bool gofer_put_entry(struct gofer_out *out, const struct gofer_entry *e) {
    size_t start = out->len;
    put_u64(out, &e->offset);
    put_u64(out, &e->ino);
    put_le(out, e->dtype & 15, 1);
    put_le(out, e->has_attr, 1);
    if (e->has_attr)
        put_attr(out, &e->attr);
    put_name(out, &e->name);
    if (!out->bad)
        return true;
    out->len = start;
    out->bad = false;
    return false;
}

static const struct {
    const char *name;
    unsigned flags;
} types[GOFER_TYPE_end] = {
#define GOFER_MSG(name, number, flags) [number] = {#name, flags},
#include "gofer/proto.def"
};

const char *gofer_type_name(unsigned type) { return type < GOFER_TYPE_end ? types[type].name : NULL; }
unsigned gofer_type_flags(unsigned type) { return type < GOFER_TYPE_end ? types[type].flags : 0; }
