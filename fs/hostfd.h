// SPDX-License-Identifier: Apache-2.0
// Files over host descriptors (the stdio that the sandbox was given). When one would block, its waiters must
// hear of the host's readiness: the sentry's event thread watches the descriptor and calls hostfd_ready().
#ifndef FS_HOSTFD_H
#define FS_HOSTFD_H
#include <stdbool.h>
#include <stdint.h>

struct hostfd;
struct vfs;
// Set once for a vfs, before the first guest: asks for one notice when `fd` has any of `events`
// (LINUX_POLL*); the answer is one call of hostfd_ready(h, events). watch may be called from any thread,
// again while one is pending (merge). unwatch returns only when no call of hostfd_ready() for h is under way
// or will come. owner is the watcher's, and outlives the vfs.
struct hostfd_watcher {
    void (*watch)(void *owner, struct hostfd *h, int fd, uint32_t events);
    void (*unwatch)(void *owner, struct hostfd *h, int fd);
};
void hostfd_set_watcher(struct vfs *vfs, const struct hostfd_watcher *w, void *owner);
struct file;
struct ctty;
// The descriptors that one process is given. Those on one object of the host have one inode number, as cat(1)
// wants it ("is this my own output?"), and those on one terminal one struct ctty. Begins as {.owner = who}.
#define HOSTFD_STDIO 19u
struct hostfd_stdio {
    const void *owner;  // borrowed, compared alone
    unsigned n;
    struct {
        uint64_t dev, ino;  // the host's
        uint64_t shown;     // inside
    } seen[HOSTFD_STDIO];
};
// An open file over a host descriptor (terminal, pipe, file, socket), which is taken over, also when it
// fails: EBADF, ENOMEM.
int hostfd_open(struct vfs *vfs, int fd, struct hostfd_stdio *of, struct file **out);
bool hostfd_is(const struct file *f);  // it is one of hostfd_open()
// The terminal that f is on, borrowed; NULL: none of the host's. A descriptor of it stays open for /dev/tty
// until its owner has gone; then the host's other end sees the end of it.
struct ctty *hostfd_terminal(struct file *f);
void hostfd_forget_terminals(const void *owner);  // NULL: all of them
// What is written to f, which is of hostfd_open(), is counted, and passed on as far as the limit goes.
struct vfs_output;
void hostfd_count(struct file *f, struct vfs_output *o);
void hostfd_ready(struct hostfd *h, uint32_t events);

#endif
