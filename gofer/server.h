// SPDX-License-Identifier: Apache-2.0
// Inside the gofer: the server's state, its handles, how names are resolved, and the operation of each
// message. One thread, no locks. Everything in a request is hostile.
#ifndef GOFER_SERVER_H
#define GOFER_SERVER_H
#include "gofer/gofer.h"
#include "gofer/proto.h"
#include <sys/types.h>

// What an object is, as far as the gofer is concerned.
enum gofer_kind {
    KIND_FREE,    // an unused handle slot
    KIND_DIR,
    KIND_FILE,    // regular
    KIND_LINK,
    KIND_OTHER,   // device, fifo, socket: has attributes and can be unlinked or renamed; is never opened
    KIND_MASKED,  // lies on a host file system that is not for guests (procfs, sysfs, ...): looks empty
};

// An object: an O_PATH descriptor and what was learnt when it was opened.
struct gofer_obj {
    int fd;
    enum gofer_kind kind;
    uint32_t root;  // number of the root that it was reached from
    uint64_t dev;
    bool owned;  // fd is to be closed with the object
};

struct gofer_slot {
    uint64_t id;  // serial << 16 | index; serials are never reused
    struct gofer_obj obj;
    uint32_t next_free;
};

struct gofer_server {
    struct gofer_root_fd {
        int fd;  // O_PATH
        bool writable;
        const struct gofer_idmap *ids;  // NULL: as on the host
    } roots[GOFER_ROOTS_MAX];
    unsigned nroots;
    int proc_fd;  // O_PATH of /proc/self/fd: the only race-free way to reopen an O_PATH descriptor

    struct gofer_slot *slots;
    uint32_t nslots, fresh, free_head;  // slots from `fresh` on were never used
    uint64_t serial;

    uint64_t masked_dev[4];  // st_dev of host file systems that no f_type tells (devtmpfs and other /dev)
    unsigned nmasked;

    struct gofer_fds out;  // donated with the reply under way, then closed
    uint8_t rx[GOFER_MSG_MAX], tx[GOFER_MSG_MAX];
    uint8_t scratch[GOFER_BYTES_MAX + 1];  // what the reply's strings and bytes point to
    _Alignas(8) uint8_t dents[16384];  // some 500 short names, about what a reply holds with attributes
};

// server.c. Opens the roots and finds what is masked; max_handles bounds the handles. 0 or negative errno.
int gofer_server_init(struct gofer_server *s, const struct gofer_root *roots, int n, uint32_t max_handles);
void gofer_server_destroy(struct gofer_server *s);
// One request in s->rx (n bytes) into a reply in s->tx: its length, 0 for no reply, or -LINUX_EPROTO when the
// framing is broken. Descriptors to go with the reply are left in s->out.
int gofer_serve_one(struct gofer_server *s, size_t n);
void gofer_close_out(struct gofer_server *s);  // closes those, if there are any
// Receives, serves and answers until the peer is gone (0) or breaks the framing (1).
int gofer_serve(struct gofer_server *s, int sock);

// handle.c
int handle_new(struct gofer_server *s, struct gofer_obj *obj, uint64_t *id);  // takes over obj->fd on success
const struct gofer_obj *handle_get(const struct gofer_server *s, uint64_t id);  // NULL: unknown
void handle_release(struct gofer_server *s, uint64_t id);
void handle_release_all(struct gofer_server *s);

// resolve.c
void obj_close(struct gofer_obj *o);
#define cleanup_obj __attribute__((cleanup(obj_close)))  // struct gofer_obj o cleanup_obj = {.fd = -1};
int obj_stat(struct gofer_server *s, const struct gofer_obj *o, struct gofer_attr *a);
// The object `name` in directory `dir`; a may be NULL.
int obj_child(struct gofer_server *s, const struct gofer_obj *dir, const char *name, struct gofer_obj *out,
              struct gofer_attr *a);
// The object of a request: the handle's own (name empty; borrowed) or a child of it.
int obj_at(struct gofer_server *s, uint64_t handle, const struct gofer_str *name, struct gofer_obj *out);
// must be a directory in which somebody inside may make and remove names
int obj_dir_write(struct gofer_server *s, uint64_t handle, struct gofer_obj *out);
int obj_classify(struct gofer_server *s, struct gofer_obj *o, uint64_t parent_dev, struct gofer_attr *a);
// Opens the very inode of a KIND_FILE or KIND_DIR; ENXIO and so on for all other kinds. A descriptor or
// -errno.
int obj_reopen(struct gofer_server *s, const struct gofer_obj *o, int flags);
int obj_proc_name(const struct gofer_obj *o, char buf[16]);  // its name below proc_fd
int gofer_openat2(int dir, const char *name, int flags, mode_t mode, uint64_t resolve);
int gofer_statx(int fd, const char *name, struct gofer_attr *a);

// ids.c. What a file's owner is inside, ID_NONE: it has no number there; and the reverse: uid and gid may be
// NULL, -LINUX_EINVAL when the host has no number for one.
void gofer_ids_show(const struct gofer_server *s, uint32_t root, struct gofer_attr *a);
int gofer_ids_ask(const struct gofer_server *s, uint32_t root, uint32_t *uid, uint32_t *gid);
// Could anybody inside do that to it? 0 where ids are the host's. mask: as access(2)'s; -EACCES.
int gofer_ids_may(const struct gofer_server *s, const struct gofer_obj *o, unsigned mask);
// change its mode; gives: give it to another user; -EPERM
int gofer_ids_owns(const struct gofer_server *s, const struct gofer_obj *o, bool gives);
// take its name out of a sticky directory; -EPERM
int gofer_ids_may_remove(const struct gofer_server *s, const struct gofer_obj *dir, const char *name);

// ops_read.c
// a descriptor or -errno
int gofer_xattr_open(struct gofer_server *s, uint64_t handle, const struct gofer_str *name, unsigned mask);
bool gofer_xattr_ok(const struct gofer_str *xattr);  // may it pass at all?

// ops_read.c, ops_write.c: one per message; 0 or -errno. Replies come zeroed.
#define GOFER_MSG(name, number, flags)                                                                       \
    int op_##name(struct gofer_server *s, const struct gofer_##name##_req *q, struct gofer_##name##_rep *r);
#include "gofer/proto.def"

#endif
