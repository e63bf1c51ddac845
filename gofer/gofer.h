// SPDX-License-Identifier: Apache-2.0
// The gofer: the one process that touches host files. The CLI forks it and calls gofer_run() there;
// everything else about it is private to this folder, but for the protocol (gofer/proto.h).
#ifndef GOFER_GOFER_H
#define GOFER_GOFER_H
#include <stdbool.h>
#include <stdint.h>

#define GOFER_ROOTS_MAX 64

// Who a file belongs to, on the host and inside. Ranges do not overlap, on neither side.
#define GOFER_ID_RANGES_MAX 340u
struct gofer_id_range {
    uint32_t inside, outside, count;
};
struct gofer_idmap {
    struct gofer_id_range uid[GOFER_ID_RANGES_MAX], gid[GOFER_ID_RANGES_MAX];
    unsigned nuid, ngid;
};

struct gofer_root {
    const char *host_path;  // a directory, or one file; symlinks in it are followed once, at the start
    bool writable;
    const struct gofer_idmap *ids;  // NULL: the same inside as on the host; borrowed
};

// Serves `sock` (one end of a SOCK_SEQPACKET pair, taken over) in the calling process until the peer closes
// it or breaks the framing. The process is changed for good: it has given up its capabilities, all
// descriptors but what it needs and stderr, and runs under a seccomp filter. To be called in a freshly
// forked, single-threaded process, which then ends with _exit(the result): 0, or 1 when it could not start (a
// line on stderr says why).
int gofer_run(int sock, const struct gofer_root *roots, int n);

#endif
