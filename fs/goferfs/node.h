// SPDX-License-Identifier: Apache-2.0
// Inside goferfs. A node is what this file system keeps of an inode: where it is on the host (its parent's
// node and its name, and perhaps a handle), its donated descriptors, its symlink target.
//
// Few nodes have a handle. One is got with a single walk from the nearest ancestor that has one, when a
// directory is searched, and given back when too many are held. Messages name a file by its directory's
// handle and its name, so files need none, but for one that was deleted while open.
//
// Locks: gfs->lock (RANK_OBJECT) guards every field marked [g]; it is held over round trips (the connection
// carries one at a time anyway), never over a call that may free an inode.
#ifndef FS_GOFERFS_NODE_H
#define FS_GOFERFS_NODE_H
#include "base/fault.h"
#include "base/rbtree.h"
#include "fs/goferfs/client.h"
#include "fs/use.h"
#include "fs/vfs.h"
#include <stdlib.h>
#include <unistd.h>

// A host file below writable mounts: what all its nodes share, for it may have several names, and be below
// several mounts.
struct hostfile {
    struct rb_node link;  // [h] in vfs->host_files, unless it is gone
    struct vfs *vfs;      // [c]
    uint64_t dev, ino;    // [c]
    unsigned refs;        // [h: vfs->host_files_lock] nodes, and changes of the size under way
    bool gone;            // [h] it has no name any more: with the last node what it was charged comes back
    // Held over whatever changes the size, so that what the file is charged for --disk is what it grew by.
    // RANK_FILE_POS, inside of a file's offset and stripe.
    struct lock lock;
    _Atomic uint64_t counted;  // [lock] the size as the last change through us has left it
    _Atomic bool sure;         // that it is `counted` was seen since a node came
};

struct node {
    struct refcount refs;   // its inode, its children
    struct node *parent;    // [g] owned; NULL: the root
    char *name;             // [g] NULL: the root
    struct list kids, link_in_dir;  // [g] nodes of a directory, in the order in which they were met
    struct node
        *next_open;         // [g] only to be compared: the file that is opened next if files go in that order
    unsigned ahead;         // [g] how many were opened ahead the last time; 0: they do not
    bool deleted;           // [g] has no name on the host any more: its handle is all there is
    uint64_t handle;        // [g] 0: none
    struct list handle_lru; // [g] on gfs->handles when it has a handle that can be given back
    uint32_t type;          // [c] S_IFMT part of the mode
    uint64_t host_dev, host_ino;  // [g] which host file it is
    // written under [g]; -1: none; may be the same. Stay while `opens` is not 0
    _Atomic int fd_read, fd_write;
    unsigned opens;         // [g] open files
    struct hostfile *file;  // [g] a reference; stays while `opens` is not 0. NULL: a directory, or read-only
    struct list fd_lru;     // [g] on gfs->idle when it has descriptors and is not open
    char *link;             // [c] target of a symlink, or NULL: ask
    // A directory below a live mount: names in it that were asked for one by one since run_start (mono_ns).
    _Atomic uint64_t run_start;
    _Atomic unsigned run;
    _Atomic uint64_t linked;   // g->linked_changes when the attributes came
    _Atomic uint64_t checked;  // when the attributes came from the host (mono_ns); 0: they are stale
};

struct gfs {
    struct gofer_client *c;  // a reference
    struct lock lock;
    struct list handles;  // [g] oldest last
    struct list idle;     // [g] oldest last
    unsigned nhandles, nidle;  // [g]
    uint64_t root_dev;    // [c] host device of the root
    // [a] counts changes of files with several names: what is known of one may have come by another
    _Atomic uint64_t linked_changes;
    bool stable;          // [c] once mounted. Nobody changes these files: what is known stays true
};

static inline struct gfs *gfs_of(const struct inode *i) { return i->sb->priv; }
static inline struct node *node_of(const struct inode *i) { return i->priv; }

// node.c
// A new inode with its node for what `a` describes under `name` in `dir` (NULL: the root). Takes over handle
// on success. link: a symlink's target or NULL.
struct inode *gfs_inode(struct superblock *sb, struct inode *dir, const char *name,
                        const struct gofer_attr *a, uint64_t handle, const char *link);
const struct inode_ops *gfs_ops(const struct gfs *g, uint32_t mode);
void gfs_evict(struct inode *i);
uint64_t gfs_ino(const struct gfs *g, uint64_t host_dev, uint64_t host_ino);
void gfs_attr(const struct gfs *g, const struct gofer_attr *from, struct vfs_attr *to);
// A file was changed, or lost or got a name: if it has others, what is known of it by these is stale.
static inline void gfs_linked_changed(struct inode *i) {
    if (__atomic_load_n(&i->attr.nlink, __ATOMIC_RELAXED) > 1 && !LINUX_S_ISDIR(node_of(i)->type))
        atomic_fetch_add(&gfs_of(i)->linked_changes, 1);
}
void gfs_update(struct inode *i, const struct gofer_attr *a);  // the host's word becomes inode->attr
void gfs_known(struct inode *i, struct vfs_attr *a);                // inode->attr as it is

// With gfs->lock held:
int node_handle(struct gfs *g, struct node *n, uint64_t *h);  // gets one if need be
bool gfs_drop_handles(struct gfs *g);  // the gofer has none left: gives old ones back; false: there are none
// how to name it in a message
int node_target(struct gfs *g, struct node *n, uint64_t *h, const char **name);
int node_readdir(struct gfs *g, struct node *n, uint64_t pos, void *buf, bool *end);  // see client_readdir()
// Walks to names below the directory dir in one round trip, also when dir has no handle. flags:
// GOFER_WALK_HANDLE_DIR and _OPEN alone. *w tells of what is below dir; a handle of dir itself is dir's.
// -LINUX_ESTALE: dir is not there any more.
int node_walk(struct gfs *g, struct node *dir, const struct gofer_names *names, unsigned flags,
              struct client_walk *w);
int node_pin(struct gfs *g, struct node *n);  // before it loses its name: a handle that stays
void node_unlinked(struct gfs *g, struct node *n);
// A file that has lost its name lives under this one again.
void node_rename(struct gfs *g, struct node *n, struct node *dir, char *name /* taken over */);
int node_open(struct gfs *g, struct inode *i, unsigned flags);  // makes the descriptors ready and counts
void node_close(struct gfs *g, struct node *n);
// Another host file has the node's name: it is this one's from now on. -LINUX_ESTALE: it is open.
int node_becomes(struct gfs *g, struct inode *i, const struct gofer_attr *a);
// a fresh node's descriptor: for reading, or both
void node_adopt(struct gfs *g, struct node *n, int fd, bool write);
// which is released if it has one already
void node_give_handle(struct gfs *g, struct node *n, uint64_t h);

// Of a node with fd_write, without gfs->lock and with file->lock held: the size before a change.
uint64_t node_size(struct node *n);

// hostfile.c
struct hostfile *hostfile_get(struct vfs *v, const struct gofer_attr *a);  // NULL: no memory
struct hostfile *hostfile_again(struct hostfile *f);                       // one more reference
void hostfile_put(struct hostfile *f);                                     // or NULL
void hostfile_gone(struct hostfile *f);                                    // the last name was removed
bool hostfile_is(struct hostfile *f, const struct gofer_attr *a);
bool hostfile_shared(struct hostfile *f);  // somebody else has a reference too

// ahead.c, with gfs->lock held. For reading; with it those that are likely to be next. -1: ask plainly.
int ahead_open(struct gfs *g, struct node *n, struct gofer_attr *a);

// dir.c, file.c
extern const struct inode_ops gfs_dir_ops, gfs_dir_live_ops;
extern const struct file_ops gfs_dir_fops;
extern const struct inode_ops gfs_file_ops, gfs_file_live_ops, gfs_link_ops, gfs_link_live_ops, gfs_other_ops,
    gfs_other_live_ops;
extern const struct file_ops gfs_file_fops;

// attr.c
#define LIVE_NS 100000000ull  // how long what is known of a live mount is trusted: 100 ms
int gfs_getattr(struct inode *i, struct vfs_attr *a);
int gfs_setattr(struct inode *i, const struct vfs_attr *a, unsigned which);
int64_t gfs_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int gfs_setxattr(struct inode *i, const char *name, const void *value, size_t size, int flags);
int64_t gfs_listxattr(struct inode *i, char *buf, size_t size, bool trusted);
int gfs_removexattr(struct inode *i, const char *name);

#endif
