// SPDX-License-Identifier: Apache-2.0
// A daemon of FUSE that speaks the protocol itself (fuse(4), <linux/fuse.h>), and its mount, for guest
// programs. It keeps a few files in memory, and answers as a test wants.
#ifndef HARNESS_FUSE_DAEMON_H
#define HARNESS_FUSE_DAEMON_H
#include "guest.h"
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/uio.h>

// ---- A daemon ---------------------------------------------------------------------------------------------
#define NODES 32
#define BYTES 300000
static struct node {
    bool used;
    uint64_t parent;
    uint32_t mode;
    size_t size;
    char name[64], *data;
} nodes[NODES];

// What a test wants of it.
enum { PLAIN, SILENT_READ, NONSENSE, NO_OPEN, NO_CREATE, BAD_NAME, SYNCS, LATE, AGAIN, FOR_OTHERS };
static struct shared {
    int way;
    _Atomic int lookups, forgets, releases, flushes, interrupts, opens, getattrs, late;
    uint64_t entry_valid;
} * sh;

static char request[BYTES + 8192];
static struct fuse_in_header *in = (void *)request;
static int dev;

static void reply(int error, const void *p, size_t n) {
    struct fuse_out_header h = {.len = (uint32_t)(sizeof h + n), .error = error, .unique = in->unique};
    struct iovec v[] = {{&h, sizeof h}, {(void *)(uintptr_t)p, n}};
    if (writev(dev, v, 2) < 0 && errno != ENOENT)
        _exit(90);
}
static struct fuse_attr attr_of(uint64_t id) {
    const struct node *n = &nodes[id];
    return (struct fuse_attr){
        .ino = id, .mode = n->mode, .size = n->size, .nlink = 1, .blksize = 4096, .mtime = 1000, .rdev = 0};
}
static uint64_t find(uint64_t parent, const char *name) {
    for (uint64_t i = 2; i < NODES; i++)
        if (nodes[i].used && nodes[i].parent == parent && !strcmp(nodes[i].name, name))
            return i;
    return 0;
}
static struct fuse_entry_out entry(uint64_t id) {
    return (struct fuse_entry_out){.nodeid = id,
                                   .generation = 1,
                                   .entry_valid = sh->entry_valid,
                                   .attr_valid = sh->entry_valid,
                                   .attr = attr_of(id)};
}
static uint64_t make(uint64_t parent, const char *name, uint32_t mode) {
    for (uint64_t i = 2; i < NODES; i++)
        if (!nodes[i].used) {
            nodes[i] = (struct node){.used = true, .parent = parent, .mode = mode};
            snprintf(nodes[i].name, sizeof nodes[i].name, "%s", name);
            nodes[i].data = calloc(1, BYTES);
            return i;
        }
    _exit(91);
}
static void made(uint64_t id) {
    struct fuse_entry_out e = entry(id);
    reply(0, &e, sizeof e);
}
static void do_readdir(const struct fuse_read_in *r) {
    char buf[4096];
    size_t n = 0;
    for (uint64_t i = r->offset ? r->offset : 2; i < NODES; i++) {
        if (!nodes[i].used || nodes[i].parent != in->nodeid)
            continue;
        struct fuse_dirent d = {
            .ino = i, .off = i + 1, .namelen = (uint32_t)strlen(nodes[i].name), .type = nodes[i].mode >> 12};
        size_t size = FUSE_DIRENT_ALIGN(sizeof d + d.namelen);
        if (n + size > sizeof buf || n + size > r->size)
            break;
        memset(buf + n, 0, size);
        memcpy(buf + n, &d, sizeof d);
        memcpy(buf + n + sizeof d, nodes[i].name, d.namelen);
        if (sh->way == BAD_NAME)
            buf[n + sizeof d + 1] = '/';
        n += size;
    }
    reply(0, buf, n);
}
static void do_setattr(const struct fuse_setattr_in *s) {
    struct node *n = &nodes[in->nodeid];
    if (s->valid & FATTR_MODE)
        n->mode = (n->mode & S_IFMT) | (s->mode & 07777);
    if (s->valid & FATTR_SIZE)
        n->size = s->size;
    struct fuse_attr_out o = {.attr_valid = sh->entry_valid, .attr = attr_of(in->nodeid)};
    if (s->valid & FATTR_MTIME)
        o.attr.mtime = s->mtime;
    reply(0, &o, sizeof o);
}
static void do_read(const struct fuse_read_in *r) {
    const struct node *n = &nodes[in->nodeid];
    if (sh->way == SILENT_READ)
        return;
    if (sh->way == AGAIN) {
        reply(-EAGAIN, NULL, 0);
        return;
    }
    if (sh->way == NONSENSE) {  // more than was asked for
        struct fuse_out_header h = {.len = (uint32_t)(sizeof h + r->size + 1), .unique = in->unique};
        struct iovec v[] = {{&h, sizeof h}, {n->data, r->size + 1}};
        if (writev(dev, v, 2) != -1 || errno != EINVAL)
            _exit(92);
        return;
    }
    if (r->offset >= n->size)
        reply(0, NULL, 0);
    else
        reply(0, n->data + r->offset, n->size - r->offset < r->size ? n->size - r->offset : r->size);
}
static void do_write(const struct fuse_write_in *w) {
    struct node *n = &nodes[in->nodeid];
    memcpy(n->data + w->offset, w + 1, w->size);
    if (n->size < w->offset + w->size)
        n->size = w->offset + w->size;
    struct fuse_write_out o = {.size = w->size};
    reply(0, &o, sizeof o);
}
static void do_open(bool create, uint64_t id) {
    struct {
        struct fuse_entry_out e;
        struct fuse_open_out o;
    } both = {.o = {.fh = 7, .open_flags = sh->way == SILENT_READ ? FOPEN_DIRECT_IO | FOPEN_NOFLUSH : 0}};
    atomic_fetch_add(&sh->opens, 1);
    if (sh->way == NO_OPEN && !create) {
        reply(-ENOSYS, NULL, 0);
        return;
    }
    both.e = entry(id);
    reply(0, create ? (void *)&both : &both.o, create ? sizeof both : sizeof both.o);
}
static void do_rename(uint64_t newdir, const char *from) {
    const char *to = from + strlen(from) + 1;
    uint64_t id = find(in->nodeid, from), old = find(newdir, to);
    if (!id) {
        reply(-ENOENT, NULL, 0);
        return;
    }
    nodes[old].used = old ? false : nodes[old].used;
    nodes[id].parent = newdir;
    snprintf(nodes[id].name, sizeof nodes[id].name, "%s", to);
    reply(0, NULL, 0);
}
static void do_xattr(const char *name, uint32_t size) {
    const char value[] = "of the daemon";
    struct fuse_getxattr_out o = {.size = sizeof value};
    if (strcmp(name, "user.x") != 0)
        reply(-ENODATA, NULL, 0);
    else if (size == 0)
        reply(0, &o, sizeof o);
    else if (size < sizeof value)
        reply(-ERANGE, NULL, 0);
    else
        reply(0, value, sizeof value);
}
static void do_interrupt(const struct fuse_interrupt_in *i) {
    atomic_fetch_add(&sh->interrupts, 1);
    in->unique = i->unique;
    reply(-EINTR, NULL, 0);
}
static void do_init(void) {
    struct fuse_init_out o = {.major = 7,
                              .minor = 31,
                              .max_readahead = 131072,
                              .max_write = 32768,
                              .max_background = 12,
                              .congestion_threshold = 9,
                              .time_gran = 1};
    reply(0, &o, sizeof o);
}
static void handle(void *arg);
// What was asked is done; the answer comes later than that of another question.
static void be_late(void) {
    const struct fuse_in_header first = *in;
    struct pollfd p = {.fd = dev, .events = POLLIN};
    if (sh->way != LATE || atomic_fetch_add(&sh->late, 1) > 0)
        return;
    bool enough = false;
    while (!enough && poll(&p, 1, 1000) == 1 && read(dev, request, sizeof request) > 0) {
        enough = in->opcode == FUSE_LOOKUP || in->opcode == FUSE_WRITE;
        handle(in + 1);
    }
    *in = first;
}
static bool handle_name(void *arg) {
    const struct fuse_create_in *c = arg;
    const struct fuse_mknod_in *k = arg;
    const struct fuse_mkdir_in *m = arg;
    uint64_t id;
    switch (in->opcode) {
    case FUSE_LOOKUP:
        atomic_fetch_add(&sh->lookups, 1);
        id = find(in->nodeid, arg);
        if (id)
            made(id);
        else
            reply(-ENOENT, NULL, 0);
        break;
    case FUSE_READLINK:
        reply(0, nodes[in->nodeid].data, strlen(nodes[in->nodeid].data));
        break;
    case FUSE_SYMLINK:
        id = make(in->nodeid, arg, S_IFLNK | 0777);
        strcpy(nodes[id].data, (char *)arg + strlen(arg) + 1);
        made(id);
        break;
    case FUSE_MKNOD:
        made(make(in->nodeid, (char *)(k + 1), k->mode));
        break;
    case FUSE_MKDIR:
        id = make(in->nodeid, (char *)(m + 1), S_IFDIR | m->mode);
        be_late();
        made(id);
        break;
    case FUSE_CREATE:
        if (sh->way == NO_CREATE) {
            reply(-ENOSYS, NULL, 0);
            break;
        }
        id = make(in->nodeid, (char *)(c + 1), c->mode);
        be_late();
        do_open(true, id);
        break;
    case FUSE_UNLINK:
    case FUSE_RMDIR:
        nodes[find(in->nodeid, arg)].used = false;
        reply(0, NULL, 0);
        break;
    case FUSE_RENAME:
        do_rename(((struct fuse_rename_in *)arg)->newdir, (char *)arg + sizeof(struct fuse_rename_in));
        break;
    case FUSE_RENAME2:
        do_rename(((struct fuse_rename2_in *)arg)->newdir, (char *)arg + sizeof(struct fuse_rename2_in));
        break;
    default:
        return false;
    }
    return true;
}
static void handle(void *arg) {
    const struct fuse_attr_out a = {.attr_valid = sh->entry_valid, .attr = attr_of(in->nodeid)};
    const struct fuse_statfs_out fs = {
        .st = {.blocks = 100, .bfree = 50, .bsize = 4096, .namelen = 60, .frsize = 4096}};
    if (handle_name(arg))
        return;
    switch (in->opcode) {
    case FUSE_INIT:
        do_init();
        break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
        atomic_fetch_add(&sh->forgets, 1);
        break;
    case FUSE_GETATTR:
        atomic_fetch_add(&sh->getattrs, 1);
        if (nodes[in->nodeid].size == 3)
            be_late();
        reply(0, &a, sizeof a);
        break;
    case FUSE_SETATTR:
        do_setattr(arg);
        break;
    case FUSE_OPEN:
        do_open(false, in->nodeid);
        break;
    case FUSE_OPENDIR: {
        struct fuse_open_out o = {.fh = 9};
        reply(0, &o, sizeof o);
        break;
    }
    case FUSE_READDIR:
        do_readdir(arg);
        break;
    case FUSE_READ:
        do_read(arg);
        break;
    case FUSE_WRITE:
        do_write(arg);
        break;
    case FUSE_STATFS:
        reply(0, &fs, sizeof fs);
        break;
    case FUSE_GETXATTR:
        do_xattr((char *)arg + sizeof(struct fuse_getxattr_in), ((struct fuse_getxattr_in *)arg)->size);
        break;
    case FUSE_FLUSH:
        atomic_fetch_add(&sh->flushes, 1);
        reply(nodes[in->nodeid].size == 13 ? -EDQUOT : 0, NULL, 0);
        break;
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
        reply(0, NULL, 0);
        atomic_fetch_add(&sh->releases, 1);
        break;
    case FUSE_FSYNC:
        reply(sh->way == SYNCS ? 0 : -EIO, NULL, 0);
        break;
    case FUSE_INTERRUPT:
        do_interrupt(arg);
        break;
    default:
        reply(-ENOSYS, NULL, 0);
    }
}
static void serve(void) {
    nodes[1] = (struct node){.used = true, .mode = S_IFDIR | 0755};
    uint64_t id = make(1, "hello", S_IFREG | 0644);
    strcpy(nodes[id].data, "Hello, World!\n");
    nodes[id].size = 14;
    make(1, "dir", S_IFDIR | 0755);
    for (;;) {
        ssize_t n = read(dev, request, sizeof request);
        if (n < 0 && errno == ENODEV)
            _exit(0);
        if (n < 0 && (errno == EINTR || errno == ENOENT))
            continue;
        if (n < (ssize_t)sizeof *in || in->len != n)
            _exit(93);
        handle(in + 1);
    }
}

// ---- Its mount --------------------------------------------------------------------------------------------
static pid_t daemon_pid;
static char options[128];
GUEST_FN void own_mounts(void) {
    static bool done;
    if (done)
        return;
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0)
        SKIP("needs CAP_SYS_ADMIN");
    ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    done = true;
}
GUEST_FN void mounted(int way, uint64_t valid) {
    own_mounts();
    sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sh->way = way;
    sh->entry_valid = valid;
    dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (dev < 0)
        SKIP("no /dev/fuse");
    EXPECT_ERRNO(read(dev, request, sizeof request), EPERM);
    ASSERT_OK(mkdir("m", 0755));
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u%s", dev, getuid(),
             getgid(), way == FOR_OTHERS ? ",allow_other" : "");
    if (mount("src", "m", "fuse.guest", MS_NOSUID | MS_NODEV, options) < 0) {
        if (errno == EPERM || errno == ENODEV)
            SKIP("may not mount FUSE");
        FAIL("mount: %d", errno);
    }
    daemon_pid = fork_child();
    if (daemon_pid == 0)
        serve();
    close(dev);
}
GUEST_FN void unmounted(void) {
    EXPECT_OK(umount2("m", 0));
    EXPECT_EQ(wait_exit(daemon_pid), 0);
}
// The daemon is told of what nobody waits for some time later.
GUEST_FN void comes_to(const _Atomic int *n, int want) {
    for (int k = 0; k < 2000 && *n < want; k++)
        sleep_ms(5);
    EXPECT_EQ(*n, want);
}

#endif
