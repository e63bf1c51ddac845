// SPDX-License-Identifier: Apache-2.0
// Files that are opened one after another in the order in which their directory lists them, as by grep -r:
// the next ones are opened with them, in one round trip, as readahead does with pages. Their descriptors wait
// with their nodes (node_adopt()) like those of files that were closed. Called by node.c.
//
// Nothing more is believed for it: each descriptor is that of the very file that the node stands for, and
// whoever opens the name has it looked up, and asked for again, as ever.
#include "fs/goferfs/node.h"
#include "base/fdcharge.h"
#include <string.h>

#define AHEAD_FIRST 4u
#define AHEAD_MOST  (GOFER_FDS_MAX - 1u)
#define LOOKS       64u  // at nodes, for one batch

// The node behind n in its directory that is a file; NULL: none near.
static struct node *file_behind(struct node *dir, struct list *at, unsigned *looks) {
    for (at = at->next; at != &dir->kids && *looks; at = at->next, --*looks) {
        struct node *n = container_of(at, struct node, link_in_dir);
        if ((n->type & LINUX_S_IFMT) == LINUX_S_IFREG && !n->deleted)
            return n;
    }
    return NULL;
}

// How many are to be opened ahead of a file that is opened now.
static unsigned how_many(struct node *dir, const struct node *n) {
    unsigned looks = LOOKS;
    if (dir->next_open != n)
        return file_behind(dir, &dir->kids, &looks) == n ? AHEAD_FIRST : 0;
    if (dir->ahead == 0)
        return AHEAD_FIRST;
    return dir->ahead * 2 < AHEAD_MOST ? dir->ahead * 2 : AHEAD_MOST;
}

// n, and up to `most` that come behind it and have no descriptor. Leaves in dir what comes then.
static unsigned choose(struct node *dir, struct node *n, unsigned most, struct node **nodes) {
    unsigned count = 0, looks = LOOKS;
    nodes[count++] = n;
    while ((n = file_behind(dir, &n->link_in_dir, &looks)) && count <= most)
        if (n->opens == 0 && n->fd_read < 0 && n->fd_write < 0 && !n->handle)
            nodes[count++] = n;
    dir->next_open = n;
    dir->ahead = most;
    return count;
}

// A file that somebody has put there meanwhile is not the node's.
static void adopt(struct gfs *g, struct node *n, const struct gofer_attr *a, int fd) {
    if (a->ino != n->host_ino || a->dev != n->host_dev)
        close(fd);
    else
        node_adopt(g, n, fd, false);
}

int ahead_open(struct gfs *g, struct node *n, struct gofer_attr *a) {
    struct node *dir = n->parent, *nodes[GOFER_FDS_MAX];
    unsigned count = choose(dir, n, how_many(dir, n), nodes);
    struct gofer_names names = {.n = count};
    struct gofer_attrs attrs;
    struct gofer_fds fds;
    uint64_t h;
    if (count == 1)
        return -1;
    for (unsigned i = 0; i < count; i++)
        names.v[i] = (struct gofer_str){nodes[i]->name, (uint32_t)strlen(nodes[i]->name)};
    if (node_handle(g, dir, &h) || client_open_all(g->c, h, &names, &attrs, &fds) || fds.n == 0)
        return -1;
    for (unsigned i = 1; i < fds.n; i++)
        adopt(g, nodes[i], &attrs.v[i], fds.v[i]);
    if (fds.n > 1 && nodes[1]->fd_read < 0)  // no room for what is only likely
        dir->ahead = 0;
    *a = attrs.v[0];
    return fds.v[0];
}
