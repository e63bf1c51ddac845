// SPDX-License-Identifier: Apache-2.0
// sysinfo(2).
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define LINUX_SI_LOAD_SHIFT 16

struct linux_sysinfo {
    int64_t uptime;
    uint64_t loads[3]; // fixed point, LINUX_SI_LOAD_SHIFT
    uint64_t totalram;
    uint64_t freeram;
    uint64_t sharedram;
    uint64_t bufferram;
    uint64_t totalswap;
    uint64_t freeswap;
    uint16_t procs;
    uint16_t pad0;
    uint32_t pad1;
    uint64_t totalhigh;
    uint64_t freehigh;
    uint32_t mem_unit;
    uint32_t pad2;
};
static_assert(sizeof(struct linux_sysinfo) == 112, "struct sysinfo");
static_assert(offsetof(struct linux_sysinfo, mem_unit) == 104, "struct sysinfo");
