// SPDX-License-Identifier: Apache-2.0
// Host memory files: the only host calls of tmpfs (memfd_create, ftruncate, pwrite64, fallocate, fstat,
// lseek, fcntl).
#include "base/cleanup.h"
#include "base/fdcharge.h"
#include "base/hostfstat.h"
#include "fs/tmpfs/node.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif
// Above the descriptors that programs number by hand and select(2) can name.
#define LOWEST_FD 1024

int hostmem_new(void) {
    // Kernels since 6.3 may insist on being told; older ones do not know the flag. Both kinds can be sealed.
    int fd = memfd_create("guest-file", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("guest-file", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return errno == ENOMEM ? -LINUX_ENOMEM : -LINUX_ENFILE;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, LOWEST_FD);
    if (high >= 0) {  // else a low limit: it stays where it is
        close(fd);
        fd = high;
    }
    int err = fdcharge_take(fd);
    if (err)
        close(fd);
    return err ? err : fd;
}
void hostmem_close(int fd) { fdcharge_close(fd); }
int hostmem_resize(int fd, uint64_t size) { return ftruncate(fd, (off_t)size) ? -errno : 0; }
int hostmem_write(int fd, const void *p, size_t n, uint64_t off) {
    while (n > 0) {
        ssize_t done = pwrite(fd, p, n, (off_t)off);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done ? -errno : -LINUX_EIO;
        p = (const char *)p + done;
        n -= (size_t)done;
        off += (uint64_t)done;
    }
    return 0;
}
static int allocate(int fd, int mode, uint64_t off, uint64_t len) {
    int err;
    do
        err = fallocate(fd, mode, (off_t)off, (off_t)len) ? errno : 0;
    while (err == EINTR);
    return -err;
}
int hostmem_punch(int fd, uint64_t off, uint64_t len) {
    return allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len);
}
int hostmem_fill(int fd, uint64_t off, uint64_t len) { return allocate(fd, FALLOC_FL_KEEP_SIZE, off, len); }
int hostmem_seal_write(int fd) { return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) ? -errno : 0; }
int64_t hostmem_pages(int fd) {
    struct stat st;
    return host_fstat(fd, &st) ? -errno : (int64_t)st.st_blocks / 8;
}
int64_t hostmem_seek(int fd, uint64_t off, int whence) {
    off_t at = lseek(fd, (off_t)off, whence == LINUX_SEEK_DATA ? SEEK_DATA : SEEK_HOLE);
    return at < 0 ? -errno : at;
}
