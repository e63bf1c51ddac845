// SPDX-License-Identifier: Apache-2.0
// fstat(2) by its own number. The C library's fstat() is newfstatat with an empty path (glibc 2.33 to 2.38):
// a filter that let it pass could not look at the path, and would show what every file of the host is.
#ifndef BASE_HOSTFSTAT_H
#define BASE_HOSTFSTAT_H
#include <sys/stat.h>

int host_fstat(int fd, struct stat *st);  // 0, or -1 and errno

#endif
