// SPDX-License-Identifier: Apache-2.0
// The protocol between the sentry's gofer client and the gofer: one record of a SOCK_SEQPACKET socket is one
// message, a header and then the fields of proto.def in order. Numbers are little endian, every length is
// bounded, nothing is aligned. Both ends read the other's records from private memory and believe nothing in
// them.
//
// Decoded strings and byte runs point into the record; strings are NUL ended there. No locks, no allocation.
#ifndef GOFER_PROTO_H
#define GOFER_PROTO_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GOFER_NAME_MAX   255    // bytes of a component, and of an xattr's name
#define GOFER_PATH_MAX   4095   // bytes of a symlink's target
#define GOFER_BYTES_MAX  65536  // bytes of an xattr's value, or of a batch of directory entries
#define GOFER_WALK_MAX   32     // components in one walk
#define GOFER_IDS_MAX    64     // handles in one release
#define GOFER_FDS_MAX    16     // descriptors that one reply brings
#define GOFER_HDR_SIZE   16
#define GOFER_MSG_MAX    (GOFER_BYTES_MAX + 4096)  // of a whole record

// Message flags.
#define GOFER_WRITES 1u
#define GOFER_SILENT 2u
#define GOFER_DONATES 4u
#define GOFER_DONATES_SOME 8u

// a handle of the last directory reached, none where that is where the walk began
#define GOFER_WALK_HANDLE_DIR 1u
#define GOFER_WALK_HANDLE_ANY 2u  // ... of the last component whatever it is, none when it was not reached
// a descriptor for reading of the last component, if it is a file that can be read
#define GOFER_WALK_OPEN       4u

#define GOFER_OPEN_READ   1u
#define GOFER_OPEN_WRITE  2u
#define GOFER_OPEN_APPEND 4u
#define GOFER_OPEN_TRUNC  8u

#define GOFER_UNLINK_DIR 1u

#define GOFER_RENAME_NOREPLACE 1u
#define GOFER_RENAME_EXCHANGE  2u

#define GOFER_SET_MODE      1u
#define GOFER_SET_UID       2u
#define GOFER_SET_GID       4u
#define GOFER_SET_SIZE      8u
#define GOFER_SET_ATIME     16u
#define GOFER_SET_MTIME     32u
#define GOFER_SET_ATIME_NOW 64u
#define GOFER_SET_MTIME_NOW 128u
#define GOFER_SET_ALL       255u

#define GOFER_XATTR_CREATE  1u
#define GOFER_XATTR_REPLACE 2u

// What stat shows. Times in ns since 1970 (an int64_t in two's complement).
#define GOFER_ATTR_FIELDS(X) \
    X(u64, dev) \
    X(u64, ino) X(u64, size) X(u64, blocks) X(u64, rdev) X(u64, atime) X(u64, mtime) X(u64, ctime) \
        X(u64, btime) X(u32, mode) X(u32, nlink) X(u32, uid) X(u32, gid) X(u32, blksize)

struct gofer_str {
    const char *p;
    uint32_t n;
};

// Field kinds: the type of each. get_KIND and put_KIND in proto.c hold the bounds.
typedef uint32_t gofer_t_u32;
typedef uint64_t gofer_t_u64;
typedef struct gofer_str gofer_t_name;   // 1..255 bytes, no '/', no NUL, not "." or ".."
typedef struct gofer_str gofer_t_oname;  // the same, or empty
typedef struct gofer_str gofer_t_xname;  // 1..255 bytes, no NUL
typedef struct gofer_str gofer_t_path;   // 0..4095 bytes, no NUL
typedef struct gofer_str gofer_t_bytes;  // 0..65536 bytes of anything, not NUL ended

#define GOFER_ATTR_MEMBER(kind, name) gofer_t_##kind name;
typedef struct gofer_attr {
    GOFER_ATTR_FIELDS(GOFER_ATTR_MEMBER)
} gofer_t_attr;
#undef GOFER_ATTR_MEMBER

typedef struct gofer_attrs {
    uint32_t n;
    struct gofer_attr v[GOFER_WALK_MAX];
} gofer_t_attrs;
typedef struct gofer_names {
    uint32_t n;
    struct gofer_str v[GOFER_WALK_MAX];
} gofer_t_names;
typedef struct gofer_ids {
    uint32_t n;
    uint64_t v[GOFER_IDS_MAX];
} gofer_t_ids;

// Descriptors that travel with a reply, v[0] to v[n - 1].
struct gofer_fds {
    uint32_t n;
    int v[GOFER_FDS_MAX];
};

// One directory entry, within the bytes of readdir's reply. `offset` continues after this entry.
struct gofer_entry {
    uint64_t offset, ino;
    uint32_t dtype;
    bool has_attr;  // not for what lies on another mount: that must be walked to
    struct gofer_attr attr;
    struct gofer_str name;
};

struct gofer_hdr {
    uint32_t size;   // of the record
    uint16_t type;
    uint16_t nfds;   // descriptors that come along (replies only)
    uint32_t tag;    // chosen by the client, repeated in the reply
    int32_t error;   // replies: 0 or a negative errno, then there are no fields
};

// ---- Structs and numbers from the table ----
enum gofer_type {
#define GOFER_MSG(name, number, flags) GOFER_TYPE_##name = (number),
#include "gofer/proto.def"
    GOFER_TYPE_end
};

#define GOFER_MSG(name, number, flags) struct gofer_##name##_req {
#define REQ(kind, field)               gofer_t_##kind field;
#define GOFER_MSG_END(name)            };
#include "gofer/proto.def"

#define GOFER_MSG(name, number, flags) struct gofer_##name##_rep {
#define REP(kind, field)               gofer_t_##kind field;
#define GOFER_MSG_END(name)            };
#include "gofer/proto.def"

// ---- Cursors: once bad, always bad; reads then give zeroes ----
struct gofer_in {
    const uint8_t *p;
    size_t left;
    bool bad;
};
struct gofer_out {
    uint8_t *p;
    size_t len, cap;
    bool bad;
};

// ---- Encoders and decoders. Decoders return 0, or -LINUX_EBADMSG unless every byte was used and in bounds -
#define GOFER_MSG(name, number, flags)                                                                       \
    int gofer_get_##name##_req(struct gofer_in *in, struct gofer_##name##_req *m);                           \
    int gofer_get_##name##_rep(struct gofer_in *in, struct gofer_##name##_rep *m);                           \
    int gofer_put_##name##_req(struct gofer_out *out, const struct gofer_##name##_req *m);                   \
    int gofer_put_##name##_rep(struct gofer_out *out, const struct gofer_##name##_rep *m);
#include "gofer/proto.def"

int gofer_get_hdr(const uint8_t *record, size_t n, struct gofer_hdr *h);  // checks that size is n
void gofer_put_hdr(uint8_t record[GOFER_HDR_SIZE], const struct gofer_hdr *h);
// The next entry; 1, 0 at the end, -LINUX_EBADMSG.
int gofer_get_entry(struct gofer_in *in, struct gofer_entry *e);
// False when it does not fit: nothing was written.
bool gofer_put_entry(struct gofer_out *out, const struct gofer_entry *e);

uint64_t gofer_peek_u64(const struct gofer_in *in);  // the next 8 bytes (which are there), not consumed
bool gofer_name_ok(const char *name, size_t n);
const char *gofer_type_name(unsigned type);  // NULL: no such message
unsigned gofer_type_flags(unsigned type);

#endif
