// SPDX-License-Identifier: Apache-2.0
// Random calls on files, by several users, with a seed: `fsrandom DIR SEED CALLS [MODE...]` prints what each
// call answers and a digest of the tree that it leaves. The same seed prints the same on every Linux:
// run_fsrandom.py compares. DIR is made and becomes the root. Modes: times (which of a file's times have
// moved), plain (what the host's files below a bind have: no set-id bits, device nodes, ACLs), tree (all of
// the tree, to look into a difference). As root.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FDS        6
#define OBJECTS    400  // of the tree, at most
#define FILE_MOST  9000
#define PATH_MOST  1200
#define TICK_US    9000  // longer than the coarsest clock of a file system
#define PICK(list) (list)[any(sizeof(list) / sizeof(*(list)))]

struct object {
    char name[200];
    struct timespec atime, mtime, ctime;
};
static struct {
    uint64_t random, digest;
    bool times, plain, show;
    int fds[FDS];
    char max_name[256], long_name[257];  // 255 and 256 bytes
    unsigned user;
    struct object now[OBJECTS], before[OBJECTS];
    int objects, objects_before;
} g;

static unsigned any(unsigned n) {
    g.random ^= g.random << 13;
    g.random ^= g.random >> 7;
    g.random ^= g.random << 17;
    return (unsigned)((g.random >> 11) % n);
}
static bool one_in(unsigned n) { return any(n) == 0; }
static void mix(const void *p, size_t n) {
    for (const unsigned char *s = p; n > 0; n--)
        g.digest = (g.digest ^ *s++) * 0x100000001b3ull;
}

// ---- What calls are given ---------------------------------------------------------------------------------
static const char *some_name(void) {
    static const char *const names[] = {"a", "b", "c", "d", "e", "dir", "sub", "lnk", "x.y", "f1", "f2"};
    if (one_in(60))
        return g.max_name;
    if (one_in(120))
        return g.long_name;
    if (one_in(30))
        return one_in(2) ? "." : "..";
    return PICK(names);
}
static void some_path(char path[PATH_MOST]) {
    unsigned parts = 1 + one_in(3) + one_in(5);
    *path = 0;
    if (one_in(150))
        return;
    for (unsigned i = 0; i < parts; i++) {
        if (i > 0)
            strcat(path, one_in(40) ? "//" : "/");
        strcat(path, some_name());
    }
    strcat(path, one_in(15) ? "/" : "");
    strcat(path, one_in(60) ? "/." : "");
}
static mode_t some_mode(void) {
    static const mode_t modes[] = {0,     0777,  0755,  0644, 0600, 0700, 04755, 02755, 06777,
                                   01777, 02644, 02775, 0111, 0444, 0222, 0070,  0007};
    return PICK(modes) & (g.plain ? 01777 : 07777);
}
static unsigned some_id(void) {
    static const unsigned ids[] = {0, 1000, 1001, 2000, 3000, -1u};
    return PICK(ids);
}
static int some_fd(void) { return g.fds[any(FDS)]; }

// ---- What they answer -------------------------------------------------------------------------------------
static void tell(long r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(long r, const char *format, ...) {
    int err = errno;
    va_list ap;
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    if (r < 0)
        printf(" = %s\n", strerrorname_np(err));
    else
        printf(" = %ld\n", r);
}
// A path as it is printed.
static const char *shown(const char *path) {
    static char text[4][80];
    static unsigned turn;
    char *t = text[turn++ % 4];
    snprintf(t, sizeof text[0], strlen(path) < 60 ? "%.60s" : "%.8s..", path);
    return t;
}

// ---- The tree ---------------------------------------------------------------------------------------------
static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static int list(int dir, char *names[100]) {
    int n = 0, copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_NOATIME);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d)
        return 0;
    for (struct dirent *e; (e = readdir(d)) && n < 100;)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            names[n++] = strdup(e->d_name);
    closedir(d);
    qsort(names, n, sizeof names[0], by_name);
    return n;
}
static ssize_t contents(int dir, const char *name, mode_t type, char *text, size_t size) {
    if (S_ISLNK(type))
        return readlinkat(dir, name, text, size);
    int fd = S_ISREG(type) ? openat(dir, name, O_RDONLY | O_NOATIME | O_NOFOLLOW) : -1;
    ssize_t n = fd < 0 ? 0 : pread(fd, text, size, 0);
    if (fd >= 0)
        close(fd);
    return n;
}
static void note(const char *name, const struct stat *st) {
    if (g.objects == OBJECTS)
        return;
    struct object *o = &g.now[g.objects++];
    snprintf(o->name, sizeof o->name, "%s", name);
    o->atime = st->st_atim;
    o->mtime = st->st_mtim;
    o->ctime = st->st_ctim;
}
static void look_below(int dir, const char *prefix, int depth);
static void look_at(int dir, const char *name, const char *prefix, int depth) {
    static char text[FILE_MOST * 2];
    char full[200];
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    snprintf(full, sizeof full, "%.120s/%.60s", prefix, name);
    note(full, &st);
    ssize_t len = contents(dir, name, st.st_mode, text, sizeof text);
    long size = S_ISDIR(st.st_mode) && g.plain ? 0 : (long)st.st_size;  // a matter of the file system
    uint64_t links = st.st_nlink;
    mix(full, strlen(full));
    mix(&st.st_mode, sizeof st.st_mode);
    mix(&links, sizeof links);
    mix(&size, sizeof size);
    mix(&st.st_uid, sizeof st.st_uid);
    mix(&st.st_gid, sizeof st.st_gid);
    mix(text, len > 0 ? (size_t)len : 0);
    if (g.show)
        printf("    %s %o links %lu size %ld %u:%u\n", full, st.st_mode, links, size, st.st_uid, st.st_gid);
    int sub = S_ISDIR(st.st_mode) ? openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME) : -1;
    if (sub < 0)
        return;
    look_below(sub, full, depth + 1);
    close(sub);
}
static void look_below(int dir, const char *prefix, int depth) {
    char *names[100];
    int n = depth < 6 ? list(dir, names) : 0;
    for (int i = 0; i < n; i++) {
        look_at(dir, names[i], prefix, depth);
        free(names[i]);
    }
}
static bool same(struct timespec a, struct timespec b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}
static void tell_times(const struct object *o) {
    for (int k = 0; k < g.objects_before; k++) {
        const struct object *b = &g.before[k];
        bool atime = !same(o->atime, b->atime), mtime = !same(o->mtime, b->mtime),
             ctime = !same(o->ctime, b->ctime);
        if (!strcmp(o->name, b->name) && (atime || mtime || ctime))
            printf(" %s:%s%s%s", o->name, atime ? "a" : "", mtime ? "m" : "", ctime ? "c" : "");
    }
}
static void look(void) {
    struct stat st;
    memcpy(g.before, g.now, sizeof g.now);
    g.objects_before = g.objects;
    g.objects = 0;
    g.digest = 0xcbf29ce484222325ull;
    int top = open("/", O_RDONLY | O_DIRECTORY | O_NOATIME);
    if (fstat(top, &st) == 0)
        note("", &st);
    look_below(top, "", 0);
    close(top);
    printf("  tree %08x", (unsigned)g.digest);
    for (int i = 0; g.times && i < g.objects; i++)
        tell_times(&g.now[i]);
    printf("\n");
}

// ---- The calls --------------------------------------------------------------------------------------------
static int open_flags(void) {
    static const int access_modes[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR};
    static const struct {
        int flag;
        unsigned one_in;
    } more[] = {{O_CREAT, 2},    {O_EXCL, 4},       {O_TRUNC, 4}, {O_APPEND, 5},
                {O_NOFOLLOW, 8}, {O_DIRECTORY, 12}, {O_PATH, 30}, {O_NOATIME, 30}};
    int flags = PICK(access_modes) | O_NONBLOCK;
    for (size_t k = 0; k < sizeof more / sizeof more[0]; k++)
        flags |= one_in(more[k].one_in) ? more[k].flag : 0;
    if (!one_in(25) || g.plain)
        return flags;
    return O_TMPFILE | O_RDWR | (one_in(3) ? O_EXCL : 0);
}
static void call_open(void) {
    char path[PATH_MOST];
    unsigned k = any(FDS);
    int flags = open_flags();
    mode_t mode = some_mode();
    if (g.fds[k] >= 0)
        close(g.fds[k]);
    some_path(path);
    g.fds[k] = open(path, flags, mode);
    tell(g.fds[k] < 0 ? -1 : 0, "open %s %x %o", shown(path), flags, mode);
}
static void call_make(void) {
    static const mode_t types[] = {S_IFIFO, S_IFREG, S_IFSOCK, S_IFDIR, S_IFLNK, 0};
    char path[PATH_MOST], to[PATH_MOST];
    mode_t mode = some_mode(), type = g.plain ? S_IFREG : PICK(types);
    some_path(path);
    switch (any(4)) {
    case 0:
    case 1:
        tell(mkdir(path, mode), "mkdir %s %o", shown(path), mode);
        break;
    case 2:
        tell(mknod(path, type | mode, 0), "mknod %s %o", shown(path), type | mode);
        break;
    default:
        some_path(to);
        tell(symlink(to, path), "symlink %s %s", shown(to), shown(path));
    }
}
static void call_remove(void) {
    char path[PATH_MOST];
    some_path(path);
    if (one_in(3))
        tell(rmdir(path), "rmdir %s", shown(path));
    else
        tell(unlink(path), "unlink %s", shown(path));
}
static void call_rename(void) {
    static const unsigned all[] = {0, 0, 0, 0, 1, 2, 3, 8};
    char from[PATH_MOST], to[PATH_MOST];
    unsigned flags = PICK(all);
    some_path(from);
    some_path(to);
    long r = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
    tell(r, "rename %s %s %u", shown(from), shown(to), flags);
}
static void call_link(void) {
    char from[PATH_MOST], to[PATH_MOST];
    int flags = one_in(3) ? AT_SYMLINK_FOLLOW : 0, fd = one_in(4) ? some_fd() : AT_FDCWD;
    some_path(from);
    some_path(to);
    if (fd == AT_FDCWD)
        tell(linkat(fd, from, fd, to, flags), "link %s %s %x", shown(from), shown(to), flags);
    else
        tell(linkat(fd, "", AT_FDCWD, to, AT_EMPTY_PATH), "link of a file %s", shown(to));
}
static void call_mode(void) {
    char path[PATH_MOST];
    mode_t mode = some_mode();
    some_path(path);
    if (one_in(3))
        tell(fchmod(some_fd(), mode), "fchmod %o", mode);
    else
        tell(chmod(path, mode), "chmod %s %o", shown(path), mode);
}
static void call_owner(void) {
    char path[PATH_MOST];
    unsigned uid = some_id(), gid = some_id();
    int flags = one_in(3) ? AT_SYMLINK_NOFOLLOW : 0;
    some_path(path);
    if (one_in(3))
        tell(fchown(some_fd(), uid, gid), "fchown %d %d", (int)uid, (int)gid);
    else
        tell(fchownat(AT_FDCWD, path, uid, gid, flags), "chown %s %d %d %x", shown(path), (int)uid, (int)gid,
             flags);
}
static void call_cut(void) {
    char path[PATH_MOST];
    long size = one_in(3) ? (long)any(3) - 1 : (long)any(FILE_MOST);
    some_path(path);
    if (one_in(2))
        tell(ftruncate(some_fd(), size), "ftruncate %ld", size);
    else
        tell(truncate(path, size), "truncate %s %ld", shown(path), size);
}
static void call_times(void) {
    static const long ns[] = {UTIME_NOW, UTIME_OMIT, 0, 999999999, 1000000000, 5};
    char path[PATH_MOST];
    struct timespec ts[2] = {{any(2000000000), PICK(ns)}, {any(2000000000), PICK(ns)}};
    bool now = one_in(4);
    int flags = one_in(3) ? AT_SYMLINK_NOFOLLOW : 0;
    struct stat st;
    some_path(path);
    int r = utimensat(AT_FDCWD, path, now ? NULL : ts, flags);
    tell(r, "utimens %s %ld %ld %x", shown(path), now ? -1 : ts[0].tv_nsec, now ? -1 : ts[1].tv_nsec, flags);
    if (r < 0 || now || fstatat(AT_FDCWD, path, &st, flags) < 0)
        return;
    if (ts[0].tv_nsec < 1000000000)
        printf("  atime %ld.%ld\n", st.st_atim.tv_sec, st.st_atim.tv_nsec);
    if (ts[1].tv_nsec < 1000000000)
        printf("  mtime %ld.%ld\n", st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}
static void call_ask(void) {
    char path[PATH_MOST], text[100];
    struct stat st;
    int mode = (int)any(8), flags = (one_in(2) ? AT_EACCESS : 0) | (one_in(4) ? AT_SYMLINK_NOFOLLOW : 0);
    some_path(path);
    switch (any(3)) {
    case 0:
        tell(syscall(SYS_faccessat2, AT_FDCWD, path, mode, flags), "access %s %d %x", shown(path), mode,
             flags);
        break;
    case 1:
        tell(stat(path, &st), "stat %s", shown(path));
        break;
    default:
        tell(readlink(path, text, one_in(2) ? 1 : sizeof text), "readlink %s", shown(path));
    }
}
static void call_bytes(void) {
    static char buf[FILE_MOST];
    size_t n = any(6000);
    long off = one_in(2) ? -1 : (long)any(8000);
    int fd = some_fd();
    if (one_in(4)) {
        ssize_t got = off < 0 ? read(fd, buf, n) : pread(fd, buf, n, off);
        g.digest = 1;
        mix(buf, got > 0 ? (size_t)got : 0);
        tell(got, "read %zu %ld %08x", n, off, (unsigned)g.digest);
        return;
    }
    memset(buf, 'a' + (int)any(26), n);
    tell(off < 0 ? write(fd, buf, n) : pwrite(fd, buf, n, off), "write %zu %ld", n, off);
}
static void call_place(void) {
    static const int modes[] = {0, 1, 3, 3, 9, 2, 8, 32, 4, 64};
    int fd = some_fd(), whence = (int)any(g.plain ? 2 : 6), mode = PICK(modes);
    long off = (long)any(FILE_MOST) - 100, len = any(6000);
    if (one_in(2))
        tell(lseek(fd, off, whence), "lseek %ld %d", off, whence);
    else
        tell(fallocate(fd, mode, off, len), "fallocate %x %ld %ld", mode, off, len);
}
static void call_attribute(void) {
    static const char *const all[] = {"user.a", "user.b", "trusted.t", "security.s",
                                      "user.",  "bad",    "",          "system.posix_acl_access"};
    char path[PATH_MOST], buf[64];
    const char *name = g.plain ? "user.a" : PICK(all);
    size_t n = any(20);
    int flags = (int)any(4), how = (int)any(g.plain ? 4 : 5);
    long r;
    some_path(path);
    switch (how) {
    case 0:
        r = setxattr(path, name, "0123456789012345678901234", n, flags);
        break;
    case 1:
        r = lsetxattr(path, name, "0123456789012345678901234", n, flags);
        break;
    case 2:
        r = getxattr(path, name, buf, n);
        break;
    case 3:
        r = removexattr(path, name);
        break;
    default:
        r = listxattr(path, buf, one_in(2) ? 0 : n);
    }
    tell(r, "xattr %d %s %s %zu %d", how, shown(path), name, n, flags);
}
static void call_acl(void) {
    char path[PATH_MOST];
    struct {
        uint32_t version;
        struct {
            uint16_t tag, perm;
            uint32_t id;
        } e[5];
    } acl = {2,
             {{1, any(8), -1u},
              {2, any(8), 1000 + any(2)},
              {4, any(8), -1u},
              {16, any(8), -1u},
              {32, any(8), -1u}}};
    bool def = one_in(2);
    some_path(path);
    if (!g.plain)
        tell(
            setxattr(path, def ? "system.posix_acl_default" : "system.posix_acl_access", &acl, sizeof acl, 0),
            "acl %d %s %d", def, shown(path), acl.e[3].perm);
}
static void call_state(void) {
    int flags = one_in(4) ? O_APPEND : 0;
    if (one_in(2))
        printf("umask %o\n", umask(some_mode() & 077));
    else
        tell(fcntl(some_fd(), F_SETFL, flags | O_NONBLOCK), "setfl %x", flags);
}
static void (*const calls[])(void) = {
    call_open,   call_open,   call_open,   call_open,      call_make, call_make,  call_make,  call_remove,
    call_remove, call_rename, call_rename, call_link,      call_link, call_mode,  call_mode,  call_owner,
    call_owner,  call_cut,    call_times,  call_times,     call_ask,  call_ask,   call_bytes, call_bytes,
    call_bytes,  call_place,  call_place,  call_attribute, call_acl,  call_state,
};

// 0: root; 1 and 2: users with groups of their own and one in common. By the system calls: one thread is all
// there is.
static void become(unsigned user) {
    static const gid_t groups[] = {2000, 3000};
    bool ok = syscall(SYS_setresuid, -1, 0, -1) == 0 && syscall(SYS_setresgid, -1, 0, -1) == 0 &&
              syscall(SYS_setgroups, user, groups) == 0;
    if (user > 0)
        ok = ok && syscall(SYS_setresgid, -1, 999 + user, -1) == 0 &&
             syscall(SYS_setresuid, -1, 999 + user, -1) == 0;
    if (!ok)
        abort();
}
static void begin(const char *dir, uint64_t seed) {
    g.random = seed * 0x9E3779B97F4A7C15ull + 88172645463325252ull;
    memset(g.max_name, 'L', sizeof g.max_name - 1);
    memset(g.long_name, 'M', sizeof g.long_name - 1);
    for (int i = 0; i < FDS; i++)
        g.fds[i] = -1;
    umask(0);
    if (mkdir(dir, 0777) || chroot(dir) || chdir("/") || mkdir("dir", 0777) || mkdir("sub", 01777)) {
        perror(dir);
        exit(1);
    }
    umask(022);
}
int main(int argc, char **argv) {
    if (argc < 4)
        return 2;
    for (int i = 4; i < argc; i++) {
        g.times |= !strcmp(argv[i], "times");
        g.plain |= !strcmp(argv[i], "plain");
        g.show |= !strcmp(argv[i], "tree");
    }
    begin(argv[1], strtoull(argv[2], NULL, 10));
    for (unsigned i = 0; i < strtoul(argv[3], NULL, 10); i++) {
        g.user = one_in(4) ? g.user : any(3);
        become(g.user);
        if (g.times)
            usleep(TICK_US);
        printf("%u user %u: ", i, g.user);
        PICK(calls)();
        become(0);
        if (g.times)
            usleep(TICK_US);
        look();
    }
    return 0;
}
