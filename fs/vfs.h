// SPDX-License-Identifier: Apache-2.0
// The virtual file system: names (dentries), objects (inodes), mounts, open files, and the calls on them. It
// knows nothing of tasks: who asks comes as a struct vfs_ctx, guest memory as a struct uio or struct uaccess.
// A file system implements struct inode_ops, file_ops and super_ops.
//
// Nothing here sleeps for a guest: an operation that would block returns -LINUX_EAGAIN, and file_ops.poll()
// tells when to ask again. Errors are negative LINUX_E*. Locks: see base/lock.h; field letters below:
//   [c] constant after creation   [i] inode->lock   [d] the dcache lock   [p] file->pos_lock   [a] atomic
#ifndef FS_VFS_H
#define FS_VFS_H
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "base/idmap.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/refcount.h"
#include "base/waitq.h"
#include "fs/acl.h"
#include "fs/mount.h"
#include "fs/nsfs.h"
#include "fs/uio.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget;
struct landlock_domain;
struct inode;
struct dentry;
struct mount;
struct file;
struct superblock;
struct vfs;

// ---- Whose request it is ----------------------------------------------------------------------------------
struct vfs_cred {  // a view of the caller's credentials, for permission checks
    uint32_t fsuid, fsgid;
    const uint32_t *groups;  // sorted
    unsigned ngroups;
    uint64_t caps;  // effective, 1 << LINUX_CAP_*, of the user namespace that these are the maps of:
    const struct id_map *uids, *gids;  // NULL: the first one
    const struct landlock_domain *landlock;  // fs/landlock.h; NULL: none
};

struct vfs_ctx {  // made on the stack by the sentry for one call; all borrowed
    struct vfs *vfs;
    struct vfs_cred cred;
    struct path root, cwd;
    uint32_t umask;
    uint64_t fsize_limit;  // RLIMIT_FSIZE; writes beyond fail with EFBIG (the sentry adds SIGXFSZ)
    unsigned open_flags;   // of the open(2) that makes a file, for inode_ops.create; else 0
    void *task;            // for procfs ("self") and fifos only: opaque here
};

// ---- Objects ----------------------------------------------------------------------------------------------
struct vfs_attr {  // what stat shows; times in ns since 1970
    uint64_t ino, size, blocks;  // blocks of 512 bytes
    uint32_t mode, nlink, uid, gid, blksize;
    uint64_t rdev;
    int64_t atime, mtime, ctime, btime;
};
#define ATTR_MODE      1u
#define ATTR_UID       2u
#define ATTR_GID       4u
#define ATTR_SIZE      8u
#define ATTR_ATIME     16u
#define ATTR_MTIME     32u
#define ATTR_CTIME     64u
#define ATTR_KILL_PRIV 128u  // drop set-uid and set-gid bits (write, chown, truncate by the unprivileged)
#define ATTR_KILL_SGID 512u  // drop set-gid also where the group may not execute
#define ATTR_KILL_CAPS 256u  // drop security.capability (write, chown, truncate by anybody)

struct readdir_sink {
    // False: no room, stop and come back with this entry's offset. `off` is the position *after* the entry.
    bool (*emit)(struct readdir_sink *s, const char *name, size_t len, uint64_t ino, unsigned dtype,
                 uint64_t off);
};

// What a walk will ask for below the name that it looks up now. A file system whose answers come from afar
// may get them all at once, and put them in the dentry cache; the walk still checks each step by itself.
#define VFS_AHEAD_MAX 15
struct vfs_ahead {
    unsigned n;
    bool open;  // the last one (or the name itself, when there is none) is going to be opened for reading
    struct {
        const char *p;  // not ended by a NUL
        size_t len;     // 1..255
    } names[VFS_AHEAD_MAX];
};

struct inode_ops {
    // Directories. `d` is a negative or unhashed dentry of `dir` whose name is looked up or created; on
    // success the op attaches an inode with dentry_attach(). lookup of a missing name: 0 with d left
    // negative. Called with dir->lock held (but not on a superblock with no_dcache: there, with no lock at
    // all). NULL: the answer is ENOTDIR for lookup, EPERM (EROFS on read-only systems) for changes. next: a
    // help, may be NULL.
    int (*lookup)(struct inode *dir, struct dentry *d, const struct vfs_ahead *next);
    int (*create)(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx);
    int (*mkdir)(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx);
    int (*mknod)(struct inode *dir, struct dentry *d, uint32_t mode, uint64_t rdev,
                 const struct vfs_ctx *ctx);
    int (*symlink)(struct inode *dir, struct dentry *d, const char *target, const struct vfs_ctx *ctx);
    int (*link)(struct inode *dir, struct dentry *d, struct inode *target);
    int (*unlink)(struct inode *dir, struct dentry *d);
    int (*rmdir)(struct inode *dir, struct dentry *d);
    // Both directories' locks are held. flags: LINUX_RENAME_NOREPLACE (already checked),
    // LINUX_RENAME_EXCHANGE.
    int (*rename)(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
                  unsigned flags);
    int (*tmpfile)(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx);
    // Symlinks: the target's text into buf (NUL ended), or, for magic links of procfs, a path to jump to
    // (owned by the caller then) with return value 1.
    int (*readlink)(struct inode *i, char *buf, size_t size);
    int (*jump)(struct inode *i, const struct vfs_ctx *ctx, struct path *out);  // NULL: an ordinary link
    int (*getattr)(struct inode *i, struct vfs_attr *a);                        // NULL: inode->attr
    // Permission is already checked; takes inode->lock itself. NULL: EPERM
    int (*setattr)(struct inode *i, const struct vfs_attr *a, unsigned which);
    int (*permission)(struct inode *i, int mask, const struct vfs_cred *c);     // NULL: vfs_mode_permission()
    // Is the cached answer still right? NULL: always. (procfs: is the process still there?) True: keep. The
    // directory's op is asked, with no lock held.
    bool (*revalidate)(struct dentry *parent, struct dentry *d);
    // The same where others change names (mqueue) or are waited for (fs/fuse/ask.h): 1: keep, 0: look it up
    // anew, or an error. Asked with the directory's lock held, too.
    int (*recheck)(struct dentry *parent, struct dentry *d);
    // size 0: asks the length
    int64_t (*getxattr)(struct inode *i, const char *name, void *buf, size_t size);
    int (*setxattr)(struct inode *i, const char *name, const void *value, size_t size, int flags);
    // trusted: "trusted." names too
    int64_t (*listxattr)(struct inode *i, char *buf, size_t size, bool trusted);
    int (*removexattr)(struct inode *i, const char *name);
    // NULL: no ACLs here. acl: taken over, also when it fails; NULL: it has none from now on. The mode goes
    // with it; keep_sgid: set-gid stays.
    int (*set_acl)(struct inode *i, enum acl_kind kind, struct acl *acl, bool keep_sgid);
    // LINUX_FS_*_FL into i->flags, in which is `was`; -LINUX_EAGAIN: it is not any more. NULL: none here
    int (*set_flags)(struct inode *i, uint32_t was, uint32_t flags);
    // Makes an open file of this inode ready: sets file->ops, file->priv. NULL: file->ops = inode->fops.
    int (*open)(struct inode *i, struct file *f, const struct vfs_ctx *ctx);
    void (*evict)(struct inode *i);  // the last reference is gone: free what `priv` holds
};

// Among the events of a wake-up: something to look at for those who wait, but nothing to be signalled
// (O_ASYNC).
#define VFS_WAKE_QUIET (1u << 16)

struct file_ops {
    // At offset `off` for seekable files (FMODE_SEEK; see FILE_OWN_POS); streams ignore it. Bytes, 0 at the
    // end, -LINUX_EAGAIN when it would block (whether or not O_NONBLOCK is set: the caller parks). A short
    // write of a stream: the caller of a blocking write goes on with the rest. O_APPEND is resolved by
    // vfs_write(): `off` is the place to write.
    int64_t (*read)(struct file *f, struct uio *u, uint64_t off);
    int64_t (*write)(struct file *f, struct uio *u, uint64_t off);
    // With the directory's lock held (but not on a superblock with no_dcache).
    int (*readdir)(struct file *f, struct readdir_sink *s, uint64_t *off);
    // NULL: the generic one (by size); SEEK_DATA, HOLE
    int64_t (*llseek)(struct file *f, int64_t off, int whence);
    // lseek(2): the default; answers 0 whatever it is asked (Linux' noop_llseek()); knows no end
    // (seq_lseek())
    enum { SEEK_DEFAULT, SEEK_NOWHERE, SEEK_NO_END } seek;
    // The LINUX_POLL* that hold now. With w: first puts it on the queue that will tell of changes. (Register,
    // then look: no wake-up is lost.) NULL: always readable and writable.
    uint32_t (*poll)(struct file *f, struct waiter *w);
    // A terminal's VTIME. After a read that would block: until when (mono ns; 0: for ever) it waits for more,
    // given the time that was answered before (0: none yet). Then, or when a signal comes, it is asked once
    // more with UIO_ENOUGH. May be NULL.
    uint64_t (*read_deadline)(struct file *f, uint64_t before);
    // Which LINUX_POLL* are told by a signal to who asks for it (O_ASYNC). NULL or 0: never any.
    uint32_t (*async)(struct file *f);
    int64_t (*ioctl)(struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua);  // NULL: ENOTTY
    int (*fsync)(struct file *f, bool data_only);
    // The host descriptor whose fsync(2) is all that this file's is (borrowed; valid while the file is open),
    // or -1. NULL: -1.
    int (*sync_fd)(struct file *f);
    int (*fallocate)(struct file *f, int mode, uint64_t off, uint64_t len);
    // A host descriptor to be mapped into a guest, at the same offsets (borrowed; valid while the file is
    // open). NULL: ENODEV. `prot`/`shared` as in mmap(2): the answer may be -LINUX_EACCES, or VFS_MMAP_ANON.
    int (*mmap_fd)(struct file *f, int prot, bool shared);
    // Where in that descriptor [*off, +len) is, when not there: moves *off. 0 or -LINUX_EINVAL. May be NULL.
    int (*mmap_at)(struct file *f, uint64_t *off, uint64_t len);
    int (*flush)(struct file *f, void *owner);  // every close of a descriptor, before release
    // Its own lines of /proc/PID/fdinfo, each with its newline. NULL: none. line() may be called with locks
    // held.
    void (*show)(struct file *f, void (*line)(void *arg, const char *text), void *arg);
    void (*release)(struct file *f);            // the last reference is gone
};

struct super_ops {
    int (*statfs)(struct superblock *sb, struct linux_statfs *out);
    void (*shutdown)(struct superblock *sb);  // no mount is left: drop what keeps inodes alive. May be NULL
    void (*kill)(struct superblock *sb);  // free priv; all inodes are gone
    bool (*made)(struct inode *i);        // this very call has made it, before it had to wait. May be NULL
};

struct superblock {
    struct refcount active;       // [a] mounts, and whoever made it: super_put() gives one of these back
    struct refcount refs;         // [a] inodes, and one for all active ones
    const struct super_ops *ops;  // [c]
    const char *type;             // [c] "tmpfs", "overlay", "proc"; a constant
    uint64_t dev;                 // [c] st_dev
    uint64_t magic;               // [c] statfs f_type
    struct dentry *root;          // [c] owned
    struct lock rename_lock;      // directory renames
    _Atomic bool read_only;       // [a]
    struct ns *owner;             // [c] owned: the user namespace that it was mounted in; NULL: the first
    char *options;                // [mounts lock] owned: for /proc/mounts, each with its comma; or NULL
    bool revealing;               // [c] shows more than files of who mounts it (proc, sysfs)
    bool no_dcache;               // [c] names are looked up each time (procfs)
    _Atomic uint32_t covered;     // [a] with no_dcache: how many mounts lie on names of it
    void *priv;                   // [c]
    struct vfs *vfs;              // [c] borrowed
    struct list marks;            // under the lock of fs/notify.c: of fanotify
};

struct inode {
    struct refcount refs;          // [a]
    struct lock lock;              // RANK_DIR or RANK_INODE by type
    struct superblock *sb;         // [c] owned
    const struct inode_ops *ops;   // [c]
    const struct file_ops *fops;   // [c]
    uint32_t type;                 // [c] LINUX_S_IFMT part of the mode
    // [i] mode's type bits and ino are [c]; mode, uid, gid are also read without a lock
    struct vfs_attr attr;
    struct pipe *pipe;             // [i] fifos
    struct list locks;             // [i] POSIX, OFD and flock locks (fs/locks.c)
    _Atomic uint32_t nlocks;       // [a] how many are on `locks`
    struct waitq lock_waitq;       // told when a lock goes
    _Atomic int32_t readers;       // [a] how many have it open for reading alone
    struct list leases;            // [i] fs/leases.c
    _Atomic uint32_t nleases;      // [a] how many there are
    _Atomic int32_t writers;       // [a] > 0: open for writing; < 0: being executed (ETXTBSY)
    _Atomic uint32_t notify_mask;  // [a] LINUX_IN_* that somebody watches (fs/notify.c)
    struct list watches;           // under the lock of fs/notify.c
    _Atomic bool unlinked;         // [a] somebody watched as it lost its last name
    _Atomic(struct acl *) acl[ACL_KINDS];  // owned; under vfs->acl_lock (fs/acl.c)
    _Atomic uint32_t flags;                // [a] LINUX_FS_*_FL, changed under [i]
    _Atomic uint8_t write_hint;            // [a] LINUX_RWH_*
    _Atomic bool file_caps;                // [a] there is a security.capability
    bool dead;                     // [i] a removed directory: nothing is made or found in it
    bool stays_empty;              // [c] a directory in which nothing is ever found
    bool linkable;                 // [i] made by O_TMPFILE: link(2) may give it its first name
    void *sock;                    // [i] bound unix socket (sentry/socket), opaque
    void *priv;                    // [c] the file system's own
};
#define inode_type(i)   ((i)->type)
#define inode_is_dir(i) (inode_type(i) == LINUX_S_IFDIR)
#define inode_is_reg(i) (inode_type(i) == LINUX_S_IFREG)
#define inode_is_lnk(i) (inode_type(i) == LINUX_S_IFLNK)

struct dentry {
    struct refcount refs;   // [a] children, files, paths; the dcache keeps unused ones (LRU, bounded)
    struct list siblings;   // [d] in parent->children
    struct list children;   // [d]
    struct list hash, lru;  // [d]
    struct dentry *parent;  // [d] owned; itself at a root
    // [a] changed under d; owned; NULL: negative. Set once, while the name lives
    _Atomic(struct inode *) inode;
    struct superblock *sb;  // [c] borrowed
    _Atomic uint32_t mounts;  // [a] how many mounts lie on it
    bool recent;              // [d] found since the last look of the shrinker
    bool hashed;              // [d] false: deleted, or never had a name
    uint32_t namehash;        // [d]
    char *name;               // [d] NUL ended
    char short_name[32];      // [d] where `name` points when it fits
    void *priv;               // the file system's own
};

#define FMODE_READ  1u
#define FMODE_WRITE 2u
#define FMODE_SEEK  4u  // has an offset; pread and pwrite work
#define FMODE_PATH  8u  // O_PATH
#define FMODE_EXEC  16u
#define FMODE_UNCOUNTED 64u  // may write, yet is no hindrance to executing it: what memfd_create(2) made
#define FMODE_NAMELESS  512u  // made by file_anon(): F_GETFL does not show O_LARGEFILE
#define FMODE_NOTIFY 256u  // was opened by name: its events are told (fs/notify.h)
// with FMODE_SEEK: `ops` keep the offset (the host's, shared with whoever has the description)
#define FMODE_OWN_POS 32u
#define FMODE_READER  1024u  // counted in inode->readers
#define FMODE_TREE    4096u  // its mount, if it has no place yet, ends with it
#define FMODE_LEASED  2048u  // not open: a lease stands in the way (vfs_open())
#define FMODE_CREATED     8192u   // its open(2) made the file: F_CREATED_QUERY
#define FMODE_NO_TRUNCATE 16384u  // who opened it may not (fs/landlock.h)
#define FMODE_NO_IOCTL    32768u  // of a device, likewise
// what read and write of such a file get as `off` when the call has no offset of its own
#define FILE_OWN_POS UINT64_MAX

struct file {
    struct refcount refs;
    const struct file_ops *ops;  // [c] after open
    struct path path;            // [c] owned; dentry of anonymous files has no parent
    struct inode *inode;         // [c] borrowed from path.dentry
    _Atomic uint32_t flags;      // [a] LINUX_O_*: access mode, O_APPEND, O_NONBLOCK, O_DIRECT, ...
    unsigned mode;               // [c] FMODE_*
    struct lock pos_lock;
    uint64_t pos;                // [p]
    void *priv;                  // [c] the object's own
    struct list epoll_items;     // [epoll lock] (sentry/fd/epoll.c)
    // its end is to be told (vfs_set_watched_release); set by who holds a reference
    _Atomic bool watched;
    // [a] set once; whom its readiness is told by a signal (sentry/fd/async.c), or NULL
    struct async *_Atomic async;
    _Atomic uint64_t read_timeout, write_timeout;  // SO_RCVTIMEO, SO_SNDTIMEO: ns; 0: none
};

// ---- The namespace (fs/vfs.c, fs/mount.c) -----------------------------------------------------------------
struct vfs *vfs_create(void);       // NULL: no memory
void vfs_destroy(struct vfs *vfs);  // everything must have been given back
// How much all tmpfs and memfds may hold together, in bytes of data, and an inode for each page of that.
// Before the first guest; else there is no limit.
// files: that many inodes instead; 0: as said.
void vfs_limit_memory(struct vfs *vfs, uint64_t bytes, uint64_t files);
// How much pipes and unix sockets may hold together (0: no limit), for who charges it too.
struct budget *vfs_buffers(struct vfs *vfs);
uint64_t vfs_memory_used(struct vfs *vfs);  // bytes of data that they hold, mapped files as counted last
// Mounts sb (reference taken over on success) on `at`, or as the root when at is NULL.
int vfs_mount(struct vfs *vfs, struct superblock *sb, const struct path *at, unsigned flags,
              const char *source);
int vfs_umount(struct vfs *vfs, const struct path *at);  // EBUSY, EINVAL
// The same tree again at another place.
int vfs_bind(struct vfs *vfs, const struct path *from, const struct path *at, unsigned flags,
             const char *source);
int vfs_root(struct vfs *vfs, struct path *out);  // out owned: of the first namespace

uint64_t vfs_new_dev(struct vfs *vfs);  // a fresh anonymous device number

struct mount *mount_get(struct mount *m);
void mount_put(struct mount *m);  // m may be NULL
void path_get(const struct path *p);
void path_put(const struct path *p);                     // nothing in it: nothing to do
#define cleanup_path __attribute__((cleanup(path_put)))  // struct path p cleanup_path = {0};
// The path's text as seen from root, into buf; "(unreachable)" and " (deleted)" as Linux writes them. Length
// without NUL, or -LINUX_ENAMETOOLONG.
int64_t path_text(struct vfs *vfs, const struct path *p, const struct path *root, char *buf, size_t size);

// Where a mount begins within its file system, as mountinfo has it.
int64_t mount_root_text(struct mount *m, char *buf, size_t size);
// For /proc/mounts, each option after a comma. The length; 0: none.
int super_options(struct superblock *sb, char *buf, size_t size);
void super_set_options(struct superblock *sb, char *text);  // taken over

// ---- Path walk (fs/namei.c) -------------------------------------------------------------------------------
#define WALK_FOLLOW    1u  // follow a symlink in the last component
#define WALK_DIRECTORY 2u  // the result must be a directory
#define WALK_EMPTY     4u  // "" names `base` itself (AT_EMPTY_PATH)
#define WALK_NO_XDEV   8u  // RESOLVE_*
#define WALK_NO_MAGIC  16u
#define WALK_NO_LINKS  32u
#define WALK_BENEATH   64u
#define WALK_IN_ROOT   128u
#define WALK_OPEN      256u  // the result is going to be opened for reading
// Resolves `name` (NUL ended, at most PATH_MAX) from `base` (borrowed; NULL: ctx->cwd). out is owned.
int vfs_walk(const struct vfs_ctx *ctx, const struct path *base, const char *name, unsigned flags,
             struct path *out);

// ---- Calls on names (fs/namei.c, fs/open.c): permission checks included -----------------------------------
// A file that a lease stands in the way of: -LINUX_EAGAIN and a file with FMODE_LEASED, of use to wait for
// that alone (vfs_lease_break()); then all begins anew. A fifo that waits for its other side: -LINUX_EAGAIN
// *and* a file in *out, which already counts as a reader or writer. Keep it, wait with vfs_open_again(), and
// give it up with file_put() when interrupted. flags: LINUX_O_*; VFS_O_EXEC; how much of `resolve` is
// RESOLVE_* of openat2. The file is returned with one reference.
int vfs_open_check(unsigned flags);  // -LINUX_EINVAL: flags that do not go together, whatever the name
int vfs_open(const struct vfs_ctx *ctx, const struct path *base, const char *name, unsigned flags,
             uint32_t mode, unsigned walk, struct file **out);
#define VFS_O_EXEC 0x20u  // for execve: MAY_EXEC, regular files of mounts without noexec; ETXTBSY; FMODE_EXEC
// Is the fifo open now? 0 or -LINUX_EAGAIN. With w: first puts it on the queue that tells.
int vfs_open_again(struct file *f, struct waiter *w);
// known path
int vfs_open_path(const struct vfs_ctx *ctx, const struct path *p, unsigned flags, struct file **out);
int vfs_mkdir(const struct vfs_ctx *ctx, const struct path *base, const char *name, uint32_t mode);
int vfs_mknod_check(uint32_t mode);  // of its type; -LINUX_EPERM, -LINUX_EINVAL
int vfs_mknod(const struct vfs_ctx *ctx, const struct path *base, const char *name, uint32_t mode,
              uint64_t rdev, struct path *out /* may be NULL; owned */);
int vfs_symlink(const struct vfs_ctx *ctx, const char *target, const struct path *base, const char *name);
int vfs_link(const struct vfs_ctx *ctx, const struct path *obase, const char *oname, const struct path *nbase,
             const char *nname, unsigned walk);
int vfs_unlink(const struct vfs_ctx *ctx, const struct path *base, const char *name);
int vfs_rmdir(const struct vfs_ctx *ctx, const struct path *base, const char *name);
int vfs_rename(const struct vfs_ctx *ctx, const struct path *obase, const char *oname,
               const struct path *nbase, const char *nname, unsigned flags);
int64_t vfs_readlink(const struct vfs_ctx *ctx, const struct path *p, char *buf, size_t size);

// ---- Calls on inodes (fs/attr.c) --------------------------------------------------------------------------
#define MAY_EXEC  1
#define MAY_WRITE 2
#define MAY_READ  4
int vfs_permission(struct inode *i, int mask, const struct vfs_cred *c);
int vfs_mode_permission(struct inode *i, int mask, const struct vfs_cred *c);
// access(2) on a resolved path: MAY_*, with the mount's flags (EROFS; EACCES for noexec).
int vfs_access(const struct path *p, int mask, const struct vfs_cred *c);
int vfs_getattr(const struct path *p, struct vfs_attr *out);
int vfs_chmod(const struct vfs_ctx *ctx, const struct path *p, uint32_t mode);
int vfs_chown(const struct vfs_ctx *ctx, const struct path *p, uint32_t uid, uint32_t gid);  // ~0u: leave
// Times in ns; VFS_TIME_NOW, VFS_TIME_OMIT.
#define VFS_TIME_NOW  INT64_MAX
#define VFS_TIME_OMIT (INT64_MAX - 1)
bool vfs_owns(const struct inode *i, const struct vfs_cred *c);  // or may do as if it did (CAP_FOWNER)
int vfs_utimes(const struct vfs_ctx *ctx, const struct path *p, int64_t atime, int64_t mtime);
int vfs_truncate(const struct vfs_ctx *ctx, const struct path *p, uint64_t size);
int vfs_ftruncate(const struct vfs_ctx *ctx, struct file *f, uint64_t size);
int vfs_statfs(const struct path *p, struct linux_statfs *out);
int64_t vfs_getxattr(const struct vfs_ctx *ctx, const struct path *p, const char *name, void *buf,
                     size_t size);
int vfs_setxattr(const struct vfs_ctx *ctx, const struct path *p, const char *name, const void *v, size_t n,
                 int flags);
int64_t vfs_listxattr(const struct vfs_ctx *ctx, const struct path *p, char *buf, size_t size);
int vfs_removexattr(const struct vfs_ctx *ctx, const struct path *p, const char *name);
struct file_caps {  // 1 << LINUX_CAP_*
    uint64_t permitted, inheritable;
    bool effective;
};
bool vfs_file_caps(struct inode *i, struct file_caps *out);  // of a program; false: it has none

// ---- Calls on open files (fs/file.c) ----------------------------------------------------------------------
struct file *file_get(struct file *f);
void file_put(struct file *f);
// Set before the first file is watched: what is to happen when the last reference of a file with `watched`
// set goes, before ops->release(). No lock is held.
void vfs_set_watched_release(struct vfs *vfs, void (*fn)(void *owner, struct file *f), void *owner);
// At the file's own offset (taken and advanced under pos_lock, O_APPEND honoured)...
int64_t vfs_read(struct file *f, struct uio *u);
int64_t vfs_write(const struct vfs_ctx *ctx, struct file *f, struct uio *u);
// Will a write with these RWF_* wait until the bytes are on a disk (O_DSYNC, RWF_DSYNC)?
bool vfs_writes_through(struct file *f, int rwf);
// ... or at a given one: ESPIPE for streams.
int64_t vfs_pread(struct file *f, struct uio *u, uint64_t off);
int64_t vfs_pwrite(const struct vfs_ctx *ctx, struct file *f, struct uio *u, uint64_t off);
unsigned vfs_direct_align(const struct inode *i);  // of O_DIRECT, in bytes; 0: none
int64_t vfs_llseek(struct file *f, int64_t off, int whence);
// where the next read is, whoever keeps the offset; an error of the host is 0
int64_t vfs_pos(struct file *f);
// How many pages of [start, end), page aligned, are in memory: files in memory alone are counted, those of
// the host are -LINUX_EPERM, others have none. (cachestat)
int vfs_cached_pages(const struct vfs_ctx *ctx, struct file *f, uint64_t start, uint64_t end,
                     uint64_t *pages);
int vfs_readdir(struct file *f, struct readdir_sink *s);
// May splice(2), sendfile(2) and copy_file_range(2) move bytes to or from it?
bool file_splices(const struct file *f);
uint32_t vfs_poll(struct file *f, struct waiter *w);
// FIONBIO etc. are the sentry's
int64_t vfs_ioctl(const struct vfs_ctx *ctx, struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua);
int vfs_fsync(struct file *f, bool data_only);
int vfs_sync_fd(struct file *f);
int vfs_fallocate(const struct vfs_ctx *ctx, struct file *f, int mode, uint64_t off, uint64_t len);
int vfs_mmap_fd(struct file *f, int prot, bool shared);
#define VFS_MMAP_ANON (-4096)  // an answer of it: map anonymous memory instead (/dev/zero)
// The memory map tells of its shared mappings that can be written (+1 made, -1 gone); for F_SEAL_WRITE.
void vfs_mmap_shared(struct file *f, int delta);
// a descriptor of `owner` (its table) was closed: drops POSIX locks
void vfs_flush(struct file *f, void *owner);
// Reads exactly up to n bytes at off into a buffer of ours (ELF loader, #!).
int64_t vfs_kread(struct file *f, void *buf, size_t n, uint64_t off);

// ---- Locks (fs/locks.c). owner: a descriptor table (POSIX), or the file (OFD, flock) ----------------------
// 0, -LINUX_EAGAIN when another holds it (to wait: put a waiter on inode->lock_waitq, then ask again), EINVAL
// ...
int vfs_lock(struct file *f, void *owner, int pid, const struct linux_flock *l);
// A POSIX lock is waited for: notes it in *w (made when NULL). -LINUX_EDEADLK: who is in its way waits,
// itself or through others, for a lock of `owner`. To be called again before each further wait, and ended
// when the call ends.
struct lock_wait;
int vfs_lock_wait(struct file *f, void *owner, const struct linux_flock *l, struct lock_wait **w);
void vfs_lock_wait_end(struct lock_wait *w);
int vfs_lock_test(struct file *f, void *owner, struct linux_flock *l);  // F_GETLK
int vfs_flock(struct file *f, int op);

// ---- Leases (fs/leases.c), F_NOTIFY (fs/dnotify.c) --------------------------------------------------------
int vfs_lease_set(struct file *f, int type);  // LINUX_F_RDLCK, WRLCK, UNLCK; EAGAIN, EINVAL, ENOMEM
int vfs_lease_get(struct file *f);
// The file is to be opened, or (write) changed: who has a lease against that is told. -LINUX_EAGAIN: to wait
// on inode->lock_waitq, until *until (mono ns) at the latest, and to ask again.
int vfs_lease_break(struct inode *i, bool write, uint64_t *until);
// How the holder of a lease, or who asked for F_NOTIFY, is told; with locks up to RANK_NOTIFY held. Set once.
void vfs_set_file_told(struct vfs *vfs, void (*fn)(struct file *f));
// DN_*; none ends it. owner: a table of descriptors, each close of f there ends it.
int dnotify_set(struct file *f, const void *owner, uint32_t arg);
void dnotify_flush(struct file *f, const void *owner);
void dnotify_end(struct file *f);  // its last reference is gone: so are all its watches

// ---- For file systems (fs/dcache.c, fs/inode.c) -----------------------------------------------------------
// A new inode: one reference, attr.mode/uid/gid/ino/nlink as given, times now.
struct inode *inode_new(struct superblock *sb, const struct inode_ops *ops, const struct file_ops *fops,
                        const struct vfs_attr *attr);
struct inode *inode_get(struct inode *i);
void inode_put(struct inode *i);
uint64_t inode_next_ino(struct vfs *v);
int64_t inode_now(void);  // the time for stamps: coarse, as Linux', without a host call
// Owner and mode of a new object in dir: fsuid/fsgid, or the directory's group when that is set-gid.
void inode_init_owner(struct vfs_attr *a, const struct inode *dir, uint32_t mode, const struct vfs_cred *c);
// What setattr does to an attribute block: copies the fields of `which`, drops set-id bits, stamps ctime.
void inode_apply_attr(struct vfs_attr *to, const struct vfs_attr *a, unsigned which);
struct superblock *super_new(struct vfs *vfs, const struct super_ops *ops, const char *type, uint64_t magic);
void super_put(struct superblock *sb);
struct dentry *dentry_root(struct superblock *sb, struct inode *root /* taken over */);
struct dentry *dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
void dentry_name(struct dentry *d, char name[LINUX_NAME_MAX + 1]);  // as it is at this moment
void dentry_attach(struct dentry *d, struct inode *i);  // takes the reference over
// Adds a child that another answer brought along (i NULL: a negative one), unless the name is known already.
// The directory's lock is held, or nobody else has the directory yet. Returns it, referenced, or NULL.
struct dentry *dcache_prime(struct dentry *parent, const char *name, size_t len,
                            struct inode *i /* taken over */, void *priv);
void dcache_forget_children(struct dentry *dir);  // those that nobody uses
void dcache_shrink(struct vfs *vfs, unsigned n);  // frees up to n unused names
// Looks in the cache alone: referenced, or NULL.
struct dentry *dcache_find(struct dentry *parent, const char *name, size_t len);
// Is this thread's caller to die? Loops of fs/ that are as long as a file, and move nothing to or from the
// caller (whose copies end them), ask for each chunk and give up with -LINUX_EINTR. The answer is the
// sentry's, set once at the start.
bool vfs_caller_dies(const struct vfs *v);
void vfs_set_caller_dies(struct vfs *v, bool (*fn)(void));
// An open file without a name in any directory ("pipe:[12]", "anon_inode:[eventfd]"). The inode is taken over
// (NULL: a plain one is made).
int file_anon(struct vfs *vfs, const char *name, struct inode *i, const struct file_ops *ops, void *priv,
              unsigned flags, struct file **out);

// ---- The file systems themselves --------------------------------------------------------------------------
struct tmpfs_opts {
    uint32_t mode, uid, gid;
    uint64_t max_bytes, max_inodes;  // 0: no limit of its own (vfs_limit_memory() holds for all together)
};
int tmpfs_create(struct vfs *vfs, const struct tmpfs_opts *o, struct superblock **out);
// Other limits for one that is used; each, if it is to be another. EINVAL: more is used.
int tmpfs_limit(struct superblock *sb, bool set_bytes, uint64_t bytes, bool set_inodes, uint64_t inodes);
// A tmpfs with the usual nodes. open_tty: how /dev/tty finds the caller's terminal; sets f->ops, f->priv.
int devfs_create(struct vfs *vfs, struct superblock **out);
// Pseudo-terminals: an instance of its own each time.
#define DEVPTS_OWNER (~0u)  // of a new terminal: whoever opens its master
struct devpts_opts {
    uint32_t uid, gid;        // DEVPTS_OWNER, or one for all
    uint32_t mode, ptmxmode;  // of terminals, and of the node "ptmx"
    uint32_t max;             // how many; 0: as many as there can be
};
int devpts_create(struct vfs *vfs, const struct devpts_opts *o, struct superblock **out);
#define DEVPTS_MAX 4096            // of all instances together (pty.max)
unsigned devpts_count(struct vfs *v);  // how many there are
// its options for /proc/mounts; 0: it is none
int devpts_show(struct superblock *sb, char *buf, size_t size);
// TIOCGPTPEER: opens the terminal whose master f is. -LINUX_ENOTTY: f is no master.
bool pty_is_master(const struct file *f);
int pty_open_peer(const struct vfs_ctx *ctx, struct file *f, unsigned flags, struct file **out);
void devfs_set_tty(int (*open_tty)(struct file *f, const struct vfs_ctx *ctx));
// `upper` must come from tmpfs_create(); it becomes the overlay, with `lower` showing through. Takes over
// both.
int overlay_create(struct vfs *vfs, struct superblock *lower, struct superblock *upper,
                   struct superblock **out);
struct gofer_client;
int goferfs_create(struct vfs *vfs, struct gofer_client *c, unsigned root, bool read_only,
                   struct superblock **out);
// For a read-only one, before it is mounted: what the host changes is seen (after some 100 ms), at the price
// of asking.
void goferfs_follow_host(struct superblock *sb);

// An inode for file_anon() whose type or owner fstat(2) is to show (a socket's). NULL: no memory.
struct inode *vfs_anon_inode(struct vfs *vfs, uint32_t mode, uint32_t uid, uint32_t gid);
int pipe_open(struct vfs *vfs, unsigned flags, struct file *ends[2]);
int eventfd_open(struct vfs *vfs, uint64_t initial, unsigned flags, struct file **out);
bool eventfd_is(const struct file *f);
void eventfd_signal(struct file *f);  // one event more, of the kernel's own; f is one
// inotify(7). uid: whom it is charged to (EMFILE). The flags are checked here.
#define INOTIFY_MAX_QUEUED_EVENTS  16384
int inotify_open(struct vfs *vfs, uint32_t uid, unsigned flags, struct file **out);
bool inotify_mask_known(uint32_t mask);            // of LINUX_IN_*, and not empty
// -LINUX_EINVAL: f is none, or flags that do not go together
int inotify_check(struct file *f, uint32_t mask);
// After both: watches p (the caller may read it). The watch's number; EEXIST (IN_MASK_CREATE), ENOSPC,
// ENOMEM.
int inotify_add(struct file *f, const struct path *p, uint32_t mask);
int inotify_remove(struct file *f, int32_t wd);
int memfd_open(struct vfs *vfs, const char *name, unsigned flags, struct file **out);
// EPERM, EBUSY, EINVAL (no file with seals); EAGAIN: no map is known of, but some process of the host has one
// still.
int memfd_add_seals(struct file *f, unsigned seals);
int memfd_get_seals(struct file *f);

#endif
