// SPDX-License-Identifier: Apache-2.0
// See hostfstat.h.
#include "base/hostfstat.h"
#include <sys/syscall.h>
#include <unistd.h>

// struct stat is the kernel's own on x86-64.
int host_fstat(int fd, struct stat *st) { return (int)syscall(SYS_fstat, fd, st); }
