// SPDX-License-Identifier: Apache-2.0
// The only way to guest memory. Each copy checks the range against the layout (overflow, kernel half, the
// platform's reserved ranges) and is done by the host against the guest's own mappings, so protection and
// holes are the host MMU's word: no walk of our map is needed. Each guest byte is read once, into private
// memory. -LINUX_EFAULT on anything else. One host call each, about 400 ns up to 4 KiB.
#ifndef SENTRY_MM_USERCOPY_H
#define SENTRY_MM_USERCOPY_H
#include "abi/mman.h"
#include "base/uaddr.h"
#include "fs/vfs.h"
#include <stddef.h>
#include <stdint.h>

struct task;

int copy_in(struct task *t, void *dst, uaddr_t src, size_t n);         // all, or -LINUX_EFAULT
int copy_out(struct task *t, uaddr_t dst, const void *src, size_t n);  // all, or -LINUX_EFAULT
// As copy_in(), of what the call of `t` says to read, and may have brought along (plat_call_data()).
int copy_in_with_call(struct task *t, void *dst, uaddr_t src, size_t n);
// The same, of what the call of `t` itself gives back, when that call changes nothing: it may reach guest
// memory only with the answer (plat_copy_out_answer()).
int copy_out_answer(struct task *t, uaddr_t dst, const void *src, size_t n);
// As much as there is: bytes, or -LINUX_EFAULT when none.
int64_t copy_in_some(struct task *t, void *dst, uaddr_t src, size_t n);
int64_t copy_out_some(struct task *t, uaddr_t dst, const void *src, size_t n);
int clear_user(struct task *t, uaddr_t dst, size_t n);
// access_ok() of Linux: false for a range that cannot be user space at all, also when nothing is moved.
static inline bool user_range_ok(uint64_t addr, uint64_t len) {
    return len <= LINUX_TASK_SIZE && addr <= LINUX_TASK_SIZE - len;
}
// A NUL-ended string with its NUL: length without it, -LINUX_EFAULT, or -LINUX_ENAMETOOLONG when size is too
// small.
int64_t copy_in_str(struct task *t, char *dst, uaddr_t src, size_t size);
// A path name: as above with PATH_MAX. buf has LINUX_PATH_MAX bytes.
static inline int copy_in_path(struct task *t, char *buf, uaddr_t src) {
    int64_t n = copy_in_str(t, buf, src, LINUX_PATH_MAX);
    return n < 0 ? (int)n : 0;
}
#define copy_in_obj(t, obj, src)  copy_in((t), (obj), (src), sizeof *(obj))
#define copy_out_obj(t, dst, obj) copy_out((t), (dst), (obj), sizeof *(obj))
// For a result that the caller may do without: nothing at NULL.
static inline int copy_out_optional(struct task *t, uaddr_t dst, const void *src, size_t n) {
    return uaddr_is_null(dst) ? 0 : copy_out(t, dst, src, n);
}
#define copy_out_opt(t, dst, obj) copy_out_optional((t), (dst), (obj), sizeof *(obj))
// A structure that grows from one kernel to the next, with the size that the caller knows: missing ends are
// zero, and bytes behind the n that we know must be. -LINUX_EINVAL below `least`, -LINUX_E2BIG for more than
// a page or for bytes that we do not know, -LINUX_EFAULT.
int copy_in_struct(struct task *t, void *dst, size_t n, uaddr_t src, uint64_t size, size_t least);

// Guest buffers as a uio. Vectors are read and checked once (count <= IOV_MAX, each length and the sum within
// SSIZE_MAX, ranges inside user space).
#define UIO_FAST_IOV 8
struct uio_user {
    struct uio u;
    struct task *t;
    struct user_iov {
        uint64_t base, len;
    } *iov, fast[UIO_FAST_IOV];
    unsigned n, i;
    uint64_t off;  // within iov[i]
    bool answer;   // as copy_out_answer(); false after uio_user_buf()
};
// len is capped as Linux does
int uio_user_buf(struct uio_user *u, struct task *t, uaddr_t buf, uint64_t len);
int uio_user_iov(struct uio_user *u, struct task *t, uaddr_t iov, uint64_t count);
void uio_user_done(struct uio_user *u);
// Moves on without copying: for reruns that have done `n` bytes already.
void uio_user_skip(struct uio_user *u, uint64_t n);

// For ioctl handlers of fs/.
struct uaccess_user {
    struct uaccess a;
};
void uaccess_user_init(struct uaccess_user *u, struct task *t);

#endif
