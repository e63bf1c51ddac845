// SPDX-License-Identifier: Apache-2.0
// System V shared memory: shmctl(2). The numbers and flags are in abi/mman.h.
#pragma once

#include <assert.h>
#include <stdint.h>

#define LINUX_SHM_STAT_ANY 15
#define LINUX_SHM_DEST     01000  // in the mode that IPC_STAT shows: goes with the last detach
#define LINUX_SHM_LOCKED   02000

struct linux_ipc64_perm {
    int32_t key;
    uint32_t uid, gid, cuid, cgid;
    uint32_t mode;
    uint16_t seq, pad2;
    uint32_t pad3;
    uint64_t unused1, unused2;
};
static_assert(sizeof(struct linux_ipc64_perm) == 48, "struct ipc64_perm");

struct linux_shmid64_ds {
    struct linux_ipc64_perm shm_perm;
    uint64_t shm_segsz;
    int64_t shm_atime, shm_dtime, shm_ctime;
    int32_t shm_cpid, shm_lpid;
    uint64_t shm_nattch;
    uint64_t unused4, unused5;
};
static_assert(sizeof(struct linux_shmid64_ds) == 112, "struct shmid64_ds");

struct linux_shminfo64 {
    uint64_t shmmax, shmmin, shmmni, shmseg, shmall;
    uint64_t unused[4];
};
static_assert(sizeof(struct linux_shminfo64) == 72, "struct shminfo64");

struct linux_shm_info {
    int32_t used_ids, pad;
    uint64_t shm_tot, shm_rss, shm_swp, swap_attempts, swap_successes;
};
static_assert(sizeof(struct linux_shm_info) == 48, "struct shm_info");
