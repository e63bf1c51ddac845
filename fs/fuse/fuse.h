// SPDX-License-Identifier: Apache-2.0
// Inside fs/fuse/: connections to daemons, requests, nodes. The daemon is a guest: what it writes is copied
// once, and every length, number and kind in it is checked (dev.c, ask.c). What stands here for a guest is
// charged to vfs_buffers().
//
// Locks: conn->lock (RANK_OBJECT), under which nothing is copied to or from a guest, and no inode is put.
#ifndef FS_FUSE_FUSE_H
#define FS_FUSE_FUSE_H
#include "abi/fuse.h"
#include "base/rbtree.h"
#include "fs/core.h"
#include "fs/fuse/ask.h"

#define FUSE_PAGES_MAX   256u    // of a READ or WRITE
#define FUSE_FORGETS_MAX 65536u  // not read by the daemon: more names are not looked up
#define FUSE_REPLY_MAX   ((FUSE_PAGES_MAX + 1) * GUEST_PAGE_SIZE)

// NEW -> READY: INIT is answered (dev.c). NEW, READY -> DEAD: fuse_abort(), by the last close of the device,
// the end of the mount, a daemon that speaks nonsense to INIT. Never back.
enum fuse_state { FUSE_NEW, FUSE_READY, FUSE_DEAD };

struct fuse_forget {   // of a node, or of an answer that nobody wants
    struct list link;  // [l] conn->forgets
    uint64_t nodeid, nlookup;
};

struct fuse_conn {         // [l] conn->lock, [c] constant after the mount
    struct refcount refs;  // devices, the superblock, requests, open files
    struct lock lock;
    struct vfs *vfs;                                       // [c] borrowed
    _Atomic(enum fuse_state) state;                        // changed under [l]
    unsigned ndevs;                                        // [l] open files of /dev/fuse
    uint64_t next_unique;                                  // [l]
    struct list pending, processing, interrupts, forgets;  // [l]
    unsigned nforgets, forget_batch;                       // [l]
    struct rb_root nodes;                                  // [l] by number; not owned
    struct waitq readable;                                 // the daemon's: something to read
    struct waitq changed;                                  // NEW is over
    _Atomic uint64_t absent;                               // 1 << opcode: the daemon has said ENOSYS
    _Atomic uint32_t minor, max_write, max_read, flags;    // set with READY
    struct fuse_opts opts;                                 // [c] without a subtype
    char type_name[80];                                    // [c] "fuse", "fuse.SUBTYPE"
    uint64_t dev;                                          // [c] st_dev
};

// QUEUED -> SENT (a daemon reads it) -> DONE; QUEUED -> DONE (interrupted, aborted); all under conn->lock.
enum fuse_req_state { FUSE_REQ_NEW, FUSE_REQ_QUEUED, FUSE_REQ_SENT, FUSE_REQ_DONE };

struct fuse_open;
struct fuse_map;
struct fuse_req {
    struct refcount refs;    // who asked; the connection while QUEUED or SENT
    struct fuse_conn *conn;  // [c] owned
    struct list link;        // [l] pending or processing
    struct list intr;        // [l] interrupts
    struct list asked;       // the call's, whoever handles that
    _Atomic(enum fuse_req_state) state;
    uint64_t unique;   // [l]
    bool interrupted;  // [l] the daemon is told so, after the question
    bool orphan;       // [l] nobody waits for the answer
    bool claimed;      // [l] its reply is being copied: on no list, and its end is that thread's
    // [c] the question: header and arguments, of which the first `key` bytes say which it is
    size_t size, key;
    unsigned char *in;           // owned
    size_t out_least, out_most;  // of a good answer, without its header
    uint32_t sizes;              // [c] fuse_question.sizes
    // the answer, once DONE
    int error;
    size_t out_size;
    unsigned char *out;  // owned; NULL: empty
    struct waitq answered;
    size_t charged;  // [l] of vfs_buffers()
    // what its asker has made of a good answer
    bool used;
    struct inode *inode;       // owned
    struct fuse_open *opened;  // owned
};
static inline struct linux_fuse_in_header *fuse_header(const struct fuse_req *r) {
    return (struct linux_fuse_in_header *)(void *)r->in;
}

// What one open(2) has at the daemon; RELEASE is sent when the last one goes who knows it.
struct fuse_open {
    struct refcount refs;
    struct fuse_conn *conn;  // owned
    uint64_t nodeid, fh;
    uint32_t flags, open_flags;  // LINUX_O_* as sent, LINUX_FUSE_FOPEN_*
    bool dir, nothing;           // nothing: the daemon knows of no open
    struct fuse_req *release;    // owned, made beforehand
    struct fuse_map *map;        // owned; NULL: it was not mapped yet
};

struct fuse_node {         // inode->priv
    struct rb_node by_id;  // [conn l]
    bool known;            // [conn l] it is in conn->nodes
    struct inode *inode;   // borrowed
    uint64_t nodeid, generation;
    _Atomic uint64_t nlookup;
    _Atomic uint64_t attr_until;  // mono ns
    _Atomic uint32_t epoch;  // of a directory: names that were learnt before another one are looked up again
    struct fuse_asked *_Atomic writer;  // [conn l] the call whose WRITEs go on; NULL: none
    _Atomic uint32_t sizes;             // changes of its size from here: an answer from before one is old
    struct waitq writable;
    struct fuse_forget *forget;  // owned, made beforehand
    struct fuse_map *map;        // [i] owned; NULL: none is whole
};
static inline struct fuse_node *fuse_node(const struct inode *i) { return i->priv; }
static inline struct fuse_conn *fuse_conn(const struct inode *i) { return i->sb->priv; }

// conn.c
struct fuse_conn *fuse_conn_new(struct vfs *v);
struct fuse_conn *fuse_conn_get(struct fuse_conn *c);
void fuse_conn_put(struct fuse_conn *c);
void fuse_abort(struct fuse_conn *c);
struct fuse_req *fuse_req_new(struct fuse_conn *c, unsigned opcode, uint64_t nodeid, size_t args);
struct fuse_req *fuse_req_get(struct fuse_req *r);
void fuse_req_put(struct fuse_req *r);
// 0, or -LINUX_ENOTCONN: it is not queued
int fuse_submit(struct fuse_req *r);
void fuse_submit_orphan(struct fuse_req *r);           // nobody waits; r is taken over
void fuse_done_locked(struct fuse_req *r, int error);  // [l] is held; drops the connection's reference later
void fuse_interrupt_locked(struct fuse_req *r);
void fuse_queue_forget(struct fuse_conn *c, struct fuse_forget *f /* taken over */);
int fuse_begin(struct fuse_conn *c);  // sends INIT
void fuse_init_answered(struct fuse_conn *c, const struct fuse_req *r);

// ask.c
struct fuse_arg {
    const void *p;
    size_t n;
};
struct fuse_question {
    unsigned opcode;
    uint64_t nodeid;
    struct fuse_arg args[3];
    uint32_t sizes;  // of GETATTR: of the node, now
    size_t key;  // bytes of the arguments that say which question it is; 0: all
    size_t out_least, out_most;
};
// 0: answered, *r is borrowed, until the call ends. An error of the daemon's, of ours, or FS_WAIT.
int fuse_ask(struct fuse_conn *c, const struct fuse_question *q, struct fuse_req **r);
// The same in two steps: the call's own question, if it was asked already (borrowed), else NULL and 0, or an
// error.
int fuse_asked_before(struct fuse_conn *c, const struct fuse_question *q, struct fuse_req **r);
int fuse_ask_new(struct fuse_conn *c, const struct fuse_question *q, struct fuse_req *r /* taken over */);
int fuse_outcome(struct fuse_req *r);  // of one that was asked
bool fuse_is_absent(const struct fuse_conn *c, unsigned opcode);
// Before a WRITE to i: 0, or FS_WAIT while another call writes. Given back when the call ends.
int fuse_claim_writer(struct inode *i);
// An open file that this call's CREATE has made of i, or NULL; a reference.
struct fuse_open *fuse_created(struct inode *i);
bool fuse_made(struct inode *i);      // by this call, in an earlier run of its handler
// This call has asked for that name to be made, and has not made anything of the answer yet: it is none to it
// until then, whoever has looked it up meanwhile. (Linux holds the directory's lock until the daemon
// answers.)
bool fuse_makes(struct inode *dir, const char *name);
void fuse_drop(struct fuse_req *r);   // its answer is noted elsewhere: it is not asked again, and ends
void fuse_unask(struct fuse_req *r);  // what follows looks from it on again
bool fuse_has_flushed(const struct fuse_open *o);
void fuse_give_back(struct fuse_req *r);  // a good answer that nobody has used

// node.c
struct inode *fuse_inode_new(struct superblock *sb, uint64_t nodeid, uint64_t generation,
                             const struct linux_fuse_attr *a);  // its number is known from now on
int fuse_inode_for(struct superblock *sb, struct fuse_req *r, const struct linux_fuse_entry_out *e,
                   struct inode **out);
int fuse_attr_check(const struct linux_fuse_attr *a, uint32_t type);
void fuse_take_attr(struct inode *i, const struct linux_fuse_attr *a, uint64_t sec, uint32_t nsec);
uint64_t fuse_until(uint64_t sec, uint32_t nsec);               // mono ns
struct inode *fuse_find(struct fuse_conn *c, uint64_t nodeid);  // referenced, or NULL
int fuse_getattr(struct inode *i, struct vfs_attr *a);
int fuse_setattr(struct inode *i, const struct vfs_attr *a, unsigned which);
int fuse_permission(struct inode *i, int mask, const struct vfs_cred *c);
int fuse_readlink(struct inode *i, char *buf, size_t size);
void fuse_evict(struct inode *i);
void fuse_stale(struct inode *i);  // its attributes are to be asked for again
// xattr.c
int64_t fuse_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int fuse_setxattr(struct inode *i, const char *name, const void *value, size_t size, int flags);
int64_t fuse_listxattr(struct inode *i, char *buf, size_t size, bool trusted);
int fuse_removexattr(struct inode *i, const char *name);
// dir.c, file.c
extern const struct inode_ops fuse_dir_ops, fuse_file_inode_ops, fuse_link_ops, fuse_node_ops;
extern const struct file_ops fuse_dir_fops, fuse_file_fops;
int fuse_open_file(struct inode *i, struct file *f, const struct vfs_ctx *ctx);
struct fuse_open *fuse_open_new(struct fuse_conn *c, uint64_t nodeid, bool dir);
void fuse_open_put(struct fuse_open *o);
int fuse_dev_attach(struct file *f, struct fuse_conn *c);  // dev.c. -LINUX_EINVAL: is none, or has one
// A READ of f from `off`, of at most `most` bytes: *size were asked for.
int fuse_ask_read(struct file *f, uint64_t off, uint64_t most, struct fuse_req **r, size_t *size);
// map.c
int fuse_mmap_fd(struct file *f, int prot, bool shared);
void fuse_map_forget(struct inode *i);  // the file has changed
void fuse_map_put(struct fuse_map *m);
// notify.c
int64_t fuse_notified(struct fuse_conn *c, int code, const unsigned char *p, size_t n);

#endif
