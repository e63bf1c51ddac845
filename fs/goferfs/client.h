// SPDX-License-Identifier: Apache-2.0
// The sentry's end of the gofer connection: one function per message. Thread-safe: one lock per connection,
// held for the whole round trip, so that one call at a time is under way. (The gofer is single-threaded; more
// calls in flight would only queue there.) A round trip costs two host calls here and, on one core, 5-10 us.
//
// The gofer is not believed either: replies are decoded with bounds from private memory, attributes are
// checked, a donated descriptor must be a regular file. A reply that does not fit its request breaks the
// connection for good: every call then answers EIO.
//
// Results are 0 or negative LINUX_E*. Names are components (see gofer_name_ok()); `name` may be NULL where
// the object of the handle itself is meant.
#ifndef FS_GOFERFS_CLIENT_H
#define FS_GOFERFS_CLIENT_H
#include "base/lock.h"
#include "gofer/proto.h"

struct gofer_client;

// How records travel: fs/goferfs/hostchannel.c does it over a socket; tests and the fuzzer put theirs here.
struct gofer_channel {
    // Sends n bytes of req; unless rep is NULL waits for one record. Its length or negative errno.
    // Descriptors that came along, the caller's now, go to *fds, which is empty before. -LINUX_EMFILE: a
    // reply came, but there was no room here for all of them.
    int64_t (*exchange)(void *arg, const void *req, size_t n, void *rep, size_t cap, struct gofer_fds *fds);
    void (*close)(void *arg);
    void *arg;
};
struct gofer_channel gofer_channel_socket(int sock);  // takes over sock
bool gofer_fd_is_regular(int fd);

// takes over ch on success; NULL: no memory
struct gofer_client *gofer_client_new(const struct gofer_channel *ch);
struct gofer_client *gofer_client_open(int sock);                       // over a socket, which it takes over
// fn is told when a caller begins to sleep for a reply (true), and that it has it (false), with fs locks held
// up to RANK_CLIENT. Before the client is used.
void gofer_client_on_sleep(struct gofer_client *c, void (*fn)(void *owner, bool begins), void *owner);
// Drops a reference, the maker's or one of gofer_client_get(); NULL: none. The last one closes the channel.
void gofer_client_free(struct gofer_client *c);
struct gofer_client *gofer_client_get(struct gofer_client *c);

struct client_walk {
    uint64_t handle;  // 0: none
    int fd;           // the caller's; -1: none
    int stop;         // see proto.def
    struct gofer_attrs attrs;
    char link[GOFER_PATH_MAX + 1];
};

int client_attach(struct gofer_client *c, unsigned root, uint64_t *handle, bool *writable,
                  struct gofer_attr *a);
int client_walk(struct gofer_client *c, uint64_t h, unsigned flags, const struct gofer_names *names,
                struct client_walk *out);
// of which component `handle` is, when asked for HANDLE_DIR
int client_walk_dir(const struct client_walk *w);
// fd
int client_open(struct gofer_client *c, uint64_t h, const char *name, unsigned flags, struct gofer_attr *a);
// Files named `names` in directory h, as many of the first as can be read: *attrs and *fds (the caller's).
int client_open_all(struct gofer_client *c, uint64_t h, const struct gofer_names *names,
                    struct gofer_attrs *attrs, struct gofer_fds *fds);
// A batch of entries into buf (GOFER_BYTES_MAX bytes), for gofer_get_entry(); its length. names: down from h;
// *handle: of the directory there, or 0. Both may be NULL.
int client_readdir(struct gofer_client *c, uint64_t h, const struct gofer_names *names, uint64_t offset,
                   void *buf, bool *end, uint64_t *handle);
int client_readlink(struct gofer_client *c, uint64_t h, const char *name, char buf[GOFER_PATH_MAX + 1]);
int client_getattr(struct gofer_client *c, uint64_t h, const char *name, struct gofer_attr *a);
int client_create(struct gofer_client *c, uint64_t h, const char *name, uint32_t mode, uint32_t uid,
                  uint32_t gid,
                  struct gofer_attr *a);  // fd
int client_mkdir(struct gofer_client *c, uint64_t h, const char *name, uint32_t mode, uint32_t uid,
                 uint32_t gid, struct gofer_attr *a);
int client_symlink(struct gofer_client *c, uint64_t h, const char *name, const char *target, uint32_t uid,
                   uint32_t gid, struct gofer_attr *a);
int client_link(struct gofer_client *c, uint64_t h, const char *name, uint64_t from, const char *from_name,
                struct gofer_attr *a);
int client_unlink(struct gofer_client *c, uint64_t h, const char *name, bool dir);
int client_rename(struct gofer_client *c, uint64_t h, const char *name, uint64_t to, const char *to_name,
                  unsigned flags);
// `q` with everything but the name filled in.
int client_setattr(struct gofer_client *c, struct gofer_setattr_req *q, const char *name,
                   struct gofer_attr *a);
int client_statfs(struct gofer_client *c, uint64_t h, struct gofer_statfs_rep *r);
int client_fsync(struct gofer_client *c, uint64_t h, const char *name, bool data_only);
int64_t client_getxattr(struct gofer_client *c, uint64_t h, const char *name, const char *x, void *buf,
                        size_t size);
int client_setxattr(struct gofer_client *c, uint64_t h, const char *name, const char *x, const void *v,
                    size_t n, unsigned flags);
int64_t client_listxattr(struct gofer_client *c, uint64_t h, const char *name, char *buf, size_t size);
int client_removexattr(struct gofer_client *c, uint64_t h, const char *name, const char *x);
int client_connect(struct gofer_client *c, uint64_t h, const char *name);
// Gives a handle back: collected, and sent without waiting when there are GOFER_IDS_MAX, or when the gofer
// runs out.
void client_release(struct gofer_client *c, uint64_t handle);

#endif
