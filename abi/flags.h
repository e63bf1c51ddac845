// SPDX-License-Identifier: Apache-2.0
// Flag sets as data (abi/flags/*.def): names for printing, and the bits that a call knows.
// strace and logs print with the tables; handlers refuse unknown bits with LINUX_KNOWN_<set>.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "abi/caps.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/futex.h"
#include "abi/inotify.h"
#include "abi/ioctl.h"
#include "abi/netdevice.h"
#include "abi/misc.h"
#include "abi/ptrace.h"
#include "abi/mman.h"
#include "abi/poll.h"
#include "abi/prctl.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "abi/seccomp.h"
#include "abi/signal.h"
#include "abi/socket.h"
#include "abi/stat.h"
#include "abi/time.h"
#include "abi/uio.h"
#include "abi/wait.h"

// A value has this name when its bits under mask equal value.
struct flagentry {
    uint64_t mask;
    uint64_t value;
    char name[56]; // in line: pointers would be relocated at each start, into private memory
};

struct flagset {
    const char *name;
    const struct flagentry *entries;
    size_t count;
    uint64_t known; // all bits that any entry covers
};

// flagset_open, flagset_signal ...
#define SET(set) extern const struct flagset flagset_##set;
#define FLAG(name)
#define FIELD(mask, name)
#define VALUE(name)
#define END(set)
#include "abi/flags/all.def"
#undef SET
#undef FLAG
#undef FIELD
#undef END

// LINUX_KNOWN_open ...: the bits that a set covers. Whether a call refuses other bits is the call's own
// matter: open(2) ignores them, openat2(2) does not.
#define SET(set)          static const uint64_t LINUX_KNOWN_##set __attribute__((unused)) = 0
#define FLAG(name)        | (uint64_t)LINUX_##name
#define FIELD(mask, name) | (uint64_t)(mask)
#define END(set)          ;
#include "abi/flags/all.def"
#undef SET
#undef FLAG
#undef FIELD
#undef VALUE
#undef END

// A set by its name of `len' bytes, or NULL.
const struct flagset *flagset_find(const char *name, size_t len);

// The name of one value ("EPERM" for 1 in flagset_errno), or NULL.
const char *flagset_name(const struct flagset *set, uint64_t value);
