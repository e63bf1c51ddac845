// SPDX-License-Identifier: Apache-2.0
// uname(2).
#pragma once

#include <assert.h>

#define LINUX_UTSNAME_LENGTH 65
#define LINUX_HOST_NAME_MAX  64

struct linux_utsname {
    char sysname[LINUX_UTSNAME_LENGTH];
    char nodename[LINUX_UTSNAME_LENGTH];
    char release[LINUX_UTSNAME_LENGTH];
    char version[LINUX_UTSNAME_LENGTH];
    char machine[LINUX_UTSNAME_LENGTH];
    char domainname[LINUX_UTSNAME_LENGTH];
};
static_assert(sizeof(struct linux_utsname) == 390, "struct new_utsname");
