// SPDX-License-Identifier: Apache-2.0
// Random reads, writes, maps, cuts, holes and copies of a few files by all ways there are, with a seed:
// `fsx DIR SEED CALLS` keeps what each file must hold in memory, looks at every byte that it reads, and
// prints what each call answers. The same seed prints the same everywhere: run_fsx.py compares. Ends with 1
// and a line "WRONG ..." when a file is not what was written.
//
// Some calls are made by a forked child, some through descriptors made earlier, some through maps that stay:
// all must see one file.
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES      3
#define FDS        3  // of each file: read-write, appending, read-only
#define MOST       (1536 * 1024u)
#define PAGE       4096u
#define PICK(list) (list)[any(sizeof(list) / sizeof(*(list)))]

struct file {
    char name[16];
    int fd[FDS];
    uint8_t *want;  // MOST bytes; zeros behind `size`
    size_t size;
    uint8_t *map;  // a shared map of its first bytes that outlives calls, or NULL
    size_t map_len;
    bool map_writable;
};
static struct {
    uint64_t random;
    long call;
    struct file file[FILES];
    uint8_t *buf;  // MOST bytes
} g;

static unsigned any(unsigned n) {
    g.random ^= g.random << 13;
    g.random ^= g.random >> 7;
    g.random ^= g.random << 17;
    return (unsigned)((g.random >> 11) % n);
}
static bool one_in(unsigned n) { return any(n) == 0; }

static void __attribute__((noreturn, format(printf, 1, 2))) wrong(const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    printf("WRONG call %ld: ", g.call);
    vprintf(format, ap);
    printf(" (errno %s)\n", strerrorname_np(errno));
    fflush(stdout);
    _exit(1);
}
static void __attribute__((format(printf, 2, 3))) tell(long r, const char *format, ...) {
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

// ---- What calls are given ---------------------------------------------------------------------------------
static struct file *some_file(void) { return &g.file[any(FILES)]; }
static size_t some_len(void) {
    static const unsigned most[] = {10, 200, PAGE, 3 * PAGE, 65536, 65536, 200000, 700000};
    return one_in(8) ? PAGE * any(20) : any(PICK(most));
}
// A place in the file, at its end, or behind it.
static size_t some_offset(const struct file *f) {
    static const unsigned behind[] = {1, 100, PAGE, 100000};
    size_t off = f->size;
    if (f->size > 0 && !one_in(6))
        off = any((unsigned)f->size);
    else if (one_in(2))
        off += any(PICK(behind));
    if (one_in(4))
        off &= ~(size_t)(PAGE - 1);
    return off < MOST ? off : MOST - 1;
}
static size_t fitting(size_t off, size_t len) { return off + len > MOST ? MOST - off : len; }
static void fill(uint8_t *p, size_t n) {
    uint8_t seed = (uint8_t)any(251);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(seed + i * 7 + (i >> 8));
}

// ---- What must come back ----------------------------------------------------------------------------------
static void same(const struct file *f, const uint8_t *got, size_t off, size_t n, const char *how) {
    if (!memcmp(got, f->want + off, n))
        return;
    size_t i = 0;
    while (got[i] == f->want[off + i])
        i++;
    wrong("%s of %s at %zu+%zu: byte %zu is %02x, not %02x; size %zu", how, f->name, off, n, off + i, got[i],
          f->want[off + i], f->size);
}
static void same_size(const struct file *f) {
    struct stat st;
    if (fstat(f->fd[0], &st) < 0 || (size_t)st.st_size != f->size)
        wrong("size of %s is %ld, not %zu", f->name, (long)st.st_size, f->size);
}
static void same_whole(const struct file *f) {
    same_size(f);
    for (size_t at = 0; at < f->size;) {
        ssize_t got = pread(f->fd[2], g.buf, f->size - at, (off_t)at);
        if (got <= 0)
            wrong("reading all of %s at %zu: %zd", f->name, at, got);
        same(f, g.buf, at, (size_t)got, "reading all");
        at += (size_t)got;
    }
    if (f->map)
        same(f, f->map, 0, f->map_len < f->size ? f->map_len : f->size, "the old map");
}
static void became(struct file *f, size_t size) {
    if (size < f->size)
        memset(f->want + size, 0, f->size - size);
    f->size = size;
}
static void wrote(struct file *f, size_t off, const uint8_t *from, size_t n) {
    memmove(f->want + off, from, n);
    if (n > 0 && off + n > f->size)
        f->size = off + n;
}

// ---- Files and descriptors --------------------------------------------------------------------------------
static void unmap(struct file *f) {
    if (f->map)
        munmap(f->map, f->map_len);
    f->map = NULL;
}
static void open_all(struct file *f, int more) {
    static const int flags[FDS] = {O_RDWR, O_WRONLY | O_APPEND, O_RDONLY};
    for (int k = 0; k < FDS; k++) {
        if (f->fd[k] >= 0)
            close(f->fd[k]);
        f->fd[k] = open(f->name, flags[k] | (k == 0 ? more : 0), 0644);
        if (f->fd[k] < 0)
            wrong("open of %s", f->name);
    }
}
static void call_open(struct file *f) {
    char other[32];
    unsigned how = any(5);
    switch (how) {
    case 0:  // a new file takes its name; the old one is gone
        unmap(f);
        if (unlink(f->name) < 0)
            wrong("unlink of %s", f->name);
        open_all(f, O_CREAT | O_EXCL);
        became(f, 0);
        break;
    case 1:
        open_all(f, O_TRUNC);
        became(f, 0);
        break;
    case 2:  // one more name, by which it is opened; the other goes
        snprintf(other, sizeof other, "%s.x", f->name);
        if (link(f->name, other) < 0 || unlink(f->name) < 0 || rename(other, f->name) < 0)
            wrong("link and rename of %s", f->name);
        open_all(f, 0);
        break;
    default:
        open_all(f, 0);
    }
    tell(0, "open %s %u", f->name, how);
}

// ---- Reads ------------------------------------------------------------------------------------------------
static ssize_t read_by(int fd, size_t off, size_t n, unsigned how) {
    struct iovec v[3] = {{g.buf, n / 3}, {g.buf + n / 3, n / 5}, {g.buf + n / 3 + n / 5, n - n / 3 - n / 5}};
    switch (how) {
    case 0:
        return lseek(fd, (off_t)off, SEEK_SET) < 0 ? -1 : read(fd, g.buf, n);
    case 1:
        return preadv(fd, v, 3, (off_t)off);
    case 2:
        return lseek(fd, (off_t)off, SEEK_SET) < 0 ? -1 : readv(fd, v, 3);
    default:
        return pread(fd, g.buf, n, (off_t)off);
    }
}
static void call_read(struct file *f) {
    size_t off = some_offset(f), n = fitting(off, some_len());
    unsigned how = any(5);
    int fd = f->fd[one_in(2) ? 0 : 2];
    size_t there = off < f->size ? f->size - off : 0, want = there < n ? there : n;
    memset(g.buf, 0x5a, n);
    ssize_t got = read_by(fd, off, n, how);
    if (got != (ssize_t)want)
        wrong("read %u of %s at %zu+%zu: %zd, not %zu", how, f->name, off, n, got, want);
    same(f, g.buf, off, want, "read");
    tell(got, "read %s %u %zu %zu", f->name, how, off, n);
}
static void call_map_read(struct file *f) {
    size_t off = some_offset(f) & ~(size_t)(PAGE - 1), n = fitting(off, some_len() + 1);
    if (off >= f->size)
        return;
    int shared = one_in(2) ? MAP_SHARED : MAP_PRIVATE;
    uint8_t *p = mmap(NULL, n, PROT_READ, shared, f->fd[2], (off_t)off);
    if (p == MAP_FAILED)
        wrong("map of %s", f->name);
    same(f, p, off, f->size - off < n ? f->size - off : n, "map");
    // What is behind the end in its last page is zeros, as long as nobody stores there.
    munmap(p, n);
    tell(0, "mapread %s %x %zu %zu", f->name, shared, off, n);
}
static void call_seek(struct file *f) {
    size_t off = some_offset(f);
    off_t data = lseek(f->fd[0], (off_t)off, SEEK_DATA), end = data < 0 ? (off_t)f->size : data;
    if (data < 0 && errno != ENXIO)
        wrong("SEEK_DATA");
    for (size_t i = off; i < (size_t)end && i < f->size; i++)
        if (f->want[i])
            wrong("SEEK_DATA of %s at %zu says %ld, and byte %zu is not 0", f->name, off, (long)data, i);
    off_t hole = lseek(f->fd[0], (off_t)off, SEEK_HOLE);
    if (off < f->size && (hole < (off_t)off || hole > (off_t)f->size))
        wrong("SEEK_HOLE of %s at %zu: %ld", f->name, off, (long)hole);
    tell(0, "seek %s %zu", f->name, off);
}

// ---- Writes -----------------------------------------------------------------------------------------------
static ssize_t write_by(const struct file *f, size_t off, size_t n, unsigned how) {
    struct iovec v[3] = {{g.buf, n / 4}, {g.buf + n / 4, n / 2}, {g.buf + n / 4 + n / 2, n - n / 4 - n / 2}};
    int fd = f->fd[0];
    switch (how) {
    case 0:
        return lseek(fd, (off_t)off, SEEK_SET) < 0 ? -1 : write(fd, g.buf, n);
    case 1:
        return pwritev(fd, v, 3, (off_t)off);
    case 2:
        return pwritev2(fd, v, 3, (off_t)off, RWF_DSYNC);
    case 3:
        return write(f->fd[1], g.buf, n);
    case 4:
        return pwritev2(fd, v, 3, (off_t)off, RWF_APPEND);
    default:
        return pwrite(fd, g.buf, n, (off_t)off);
    }
}
static void call_write(struct file *f) {
    unsigned how = any(8);
    bool append = how == 3 || how == 4;
    size_t off = append ? f->size : some_offset(f), n = fitting(off, some_len());
    fill(g.buf, n);
    ssize_t got = write_by(f, append && how == 4 ? 5 : off, n, how);
    if (got != (ssize_t)n)
        wrong("write %u of %s at %zu+%zu: %zd", how, f->name, off, n, got);
    wrote(f, off, g.buf, n);
    same_size(f);
    tell(got, "write %s %u %zu %zu", f->name, how, off, n);
}
// By another process, which has the descriptors and the old map from here.
static void call_child(struct file *f) {
    size_t off = some_offset(f), n = fitting(off, some_len());
    unsigned how = any(3);
    fill(g.buf, n);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        ssize_t got = how == 2 ? write_by(f, f->size, n, 3) : write_by(f, off, n, how);
        _exit(got != (ssize_t)n);
    }
    int status = 1;
    if (waitpid(pid, &status, 0) != pid || status)
        wrong("a child's write of %s at %zu+%zu: status %x", f->name, off, n, status);
    if (how == 2 && f->size + n > MOST) {
        if (ftruncate(f->fd[0], (off_t)f->size) < 0)
            wrong("cut after a child");
    } else {
        wrote(f, how == 2 ? f->size : off, g.buf, n);
    }
    same_size(f);
    tell(0, "child %s %u %zu %zu", f->name, how, off, n);
}
static void call_map_write(struct file *f) {
    size_t off = some_offset(f) & ~(size_t)(PAGE - 1), n = fitting(off, some_len() + 1);
    if (off >= f->size)
        return;
    n = f->size - off < n ? f->size - off : n;
    uint8_t *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd[0], (off_t)off);
    if (p == MAP_FAILED)
        wrong("map for writing of %s", f->name);
    size_t skip = any((unsigned)n);
    fill(p + skip, n - skip);
    wrote(f, off + skip, p + skip, n - skip);
    int r = one_in(3) ? msync(p, n, one_in(2) ? MS_SYNC : MS_ASYNC) : 0;
    munmap(p, n);
    tell(r, "mapwrite %s %zu %zu", f->name, off + skip, n - skip);
}
// The map that stays: made anew, looked at, or written through.
static void call_old_map(struct file *f) {
    if (!f->map || one_in(6)) {
        unmap(f);
        f->map_len = some_len() + 1;
        f->map_writable = one_in(2);
        int prot = PROT_READ | (f->map_writable ? PROT_WRITE : 0);
        f->map = mmap(NULL, f->map_len, prot, MAP_SHARED, f->fd[0], 0);
        if (f->map == MAP_FAILED)
            wrong("the old map of %s", f->name);
    }
    size_t n = f->map_len < f->size ? f->map_len : f->size;
    same(f, f->map, 0, n, "the old map");
    if (f->map_writable && n > 0) {
        size_t at = any((unsigned)n), len = 1 + any((unsigned)(n - at));
        fill(f->map + at, len);
        wrote(f, at, f->map + at, len);
    }
    tell(0, "oldmap %s %zu", f->name, n);
}

// ---- Size and holes ---------------------------------------------------------------------------------------
static void call_cut(struct file *f) {
    size_t size = some_offset(f);
    int r = one_in(2) ? ftruncate(f->fd[0], (off_t)size) : truncate(f->name, (off_t)size);
    if (r < 0)
        wrong("cut of %s to %zu", f->name, size);
    became(f, size);
    same_size(f);
    tell(r, "cut %s %zu", f->name, size);
}
// What fallocate(2) would have done, where the file system cannot.
static int allocate_by_hand(const struct file *f, int mode, size_t off, size_t n) {
    bool zero = mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE), keeps = mode & FALLOC_FL_KEEP_SIZE;
    size_t left = off < f->size ? f->size - off : 0, cut = keeps && left < n ? left : n;
    memset(g.buf, 0, n);
    if (zero)
        return cut > 0 && pwrite(f->fd[0], g.buf, cut, (off_t)off) != (ssize_t)cut ? -1 : 0;
    return keeps || off + n <= f->size ? 0 : ftruncate(f->fd[0], (off_t)(off + n));
}
static void call_allocate(struct file *f) {
    static const int modes[] = {0,
                                FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_ZERO_RANGE,
                                FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
    int mode = PICK(modes);
    size_t off = some_offset(f), n = fitting(off, some_len() + 1);
    int r = fallocate(f->fd[0], mode, (off_t)off, (off_t)n);
    if (r < 0 && errno == EOPNOTSUPP)
        r = allocate_by_hand(f, mode, off, n);
    if (r < 0)
        wrong("fallocate %x of %s at %zu+%zu", mode, f->name, off, n);
    tell(r, "fallocate %s %x %zu %zu", f->name, mode, off, n);
    if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) && off < f->size)
        memset(f->want + off, 0, f->size - off < n ? f->size - off : n);
    if (!(mode & FALLOC_FL_KEEP_SIZE) && off + n > f->size)
        f->size = off + n;
    same_size(f);
}
static void call_sync(struct file *f) {
    static const char *const names[] = {"fsync", "fdatasync", "sync_file_range", "advise"};
    unsigned how = any(4);
    int fd = f->fd[0], r = 0;
    switch (how) {
    case 0:
        r = fsync(fd);
        break;
    case 1:
        r = fdatasync(fd);
        break;
    case 2:
        r = sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
        break;
    default:
        r = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    }
    tell(r, "%s %s", names[how], f->name);
}

// ---- Copies -----------------------------------------------------------------------------------------------
static ssize_t splice_by_pipe(int in, loff_t *from, int out, loff_t *to, size_t n) {
    int p[2];
    if (pipe(p) < 0)
        return -1;
    ssize_t got = splice(in, from, p[1], NULL, n > 60000 ? 60000 : n, 0), put = 0;
    while (got > 0 && put < got) {
        ssize_t r = splice(p[0], NULL, out, to, (size_t)(got - put), 0);
        if (r <= 0)
            wrong("splice out of a pipe: %zd", r);
        put += r;
    }
    close(p[0]);
    close(p[1]);
    return got < 0 ? got : put;
}
static ssize_t copy_by(unsigned how, int in, size_t from, int out, size_t to, size_t n) {
    loff_t a = (loff_t)from, b = (loff_t)to;
    switch (how) {
    case 0:
        return lseek(out, b, SEEK_SET) < 0 ? -1 : sendfile(out, in, &a, n);
    case 1:
        return splice_by_pipe(in, &a, out, &b, n);
    default:
        return copy_file_range(in, &a, out, &b, n, 0);
    }
}
static void call_copy(struct file *f) {
    struct file *to = some_file();
    size_t from = some_offset(f), at = some_offset(to), n = fitting(at, fitting(from, some_len()));
    unsigned how = any(3);
    bool overlap = f == to && from < at + n && at < from + n;
    if (f == to && (overlap || how != 2))
        return;
    ssize_t got = copy_by(how, f->fd[2], from, to->fd[0], at, n);
    size_t there = from >= f->size ? 0 : f->size - from;
    if (got < 0 || (size_t)got > n || (size_t)got > there || (got == 0 && n > 0 && there > 0))
        wrong("copy %u of %s at %zu to %s at %zu, %zu: %zd", how, f->name, from, to->name, at, n, got);
    wrote(to, at, f->want + from, (size_t)got);
    same_size(to);
    // How much goes in one call is the file system's.
    tell(0, "copy %u %s %zu %s %zu %zu", how, f->name, from, to->name, at, n);
    while (0 < got && (size_t)got < (there < n ? there : n)) {
        from += (size_t)got, at += (size_t)got, n -= (size_t)got, there -= (size_t)got;
        got = copy_by(how, f->fd[2], from, to->fd[0], at, n);
        if (got <= 0)
            wrong("copy %u goes on: %zd", how, got);
        wrote(to, at, f->want + from, (size_t)got);
    }
}
static void call_look(struct file *f) {
    same_whole(f);
    tell((long)f->size, "look %s", f->name);
}

static void (*const calls[])(struct file *) = {
    call_read,      call_read,      call_read,  call_map_read, call_map_read, call_write,
    call_write,     call_write,     call_write, call_child,    call_old_map,  call_old_map,
    call_map_write, call_map_write, call_cut,   call_cut,      call_allocate, call_allocate,
    call_seek,      call_sync,      call_copy,  call_copy,     call_look,     call_open,
};

int main(int argc, char **argv) {
    if (argc != 4 || (mkdir(argv[1], 0755) < 0 && errno != EEXIST) || chdir(argv[1]) < 0) {
        fprintf(stderr, "usage: fsx DIR SEED CALLS\n");
        return 2;
    }
    g.random = strtoull(argv[2], NULL, 0) * 0x9e3779b97f4a7c15ull + 1;
    g.buf = malloc(MOST);
    for (int i = 0; i < FILES; i++) {
        struct file *f = &g.file[i];
        *f = (struct file){.fd = {-1, -1, -1}, .want = calloc(1, MOST)};
        snprintf(f->name, sizeof f->name, "file%d", i);
        if (!g.buf || !f->want)
            wrong("no memory");
        open_all(f, O_CREAT | O_TRUNC);
    }
    for (g.call = 0; g.call < atol(argv[3]); g.call++)
        PICK(calls)(some_file());
    for (int i = 0; i < FILES; i++) {
        same_whole(&g.file[i]);
        unlink(g.file[i].name);
    }
    printf("all is as written\n");
    return 0;
}
