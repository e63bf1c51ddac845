// SPDX-License-Identifier: Apache-2.0
// System V semaphores and message queues: semop(2), semctl(2), msgop(2), msgctl(2). What all three families
// share is in abi/mman.h and abi/shm.h.
#pragma once

#include "abi/shm.h"
#include <assert.h>
#include <stdint.h>

#define LINUX_SEM_UNDO     0x1000
#define LINUX_SEM_GETPID   11
#define LINUX_SEM_GETVAL   12
#define LINUX_SEM_GETALL   13
#define LINUX_SEM_GETNCNT  14
#define LINUX_SEM_GETZCNT  15
#define LINUX_SEM_SETVAL   16
#define LINUX_SEM_SETALL   17
#define LINUX_SEM_STAT     18
#define LINUX_SEM_INFO     19
#define LINUX_SEM_STAT_ANY 20
#define LINUX_MSG_STAT     11
#define LINUX_MSG_INFO     12
#define LINUX_MSG_STAT_ANY 13
#define LINUX_MSG_NOERROR  010000
#define LINUX_MSG_EXCEPT   020000
#define LINUX_MSG_COPY     040000

struct linux_sembuf {
    uint16_t sem_num;
    int16_t sem_op, sem_flg;
};
static_assert(sizeof(struct linux_sembuf) == 6, "struct sembuf");

struct linux_semid64_ds {
    struct linux_ipc64_perm sem_perm;
    int64_t sem_otime, unused1, sem_ctime, unused2;
    uint64_t sem_nsems, unused3, unused4;
};
static_assert(sizeof(struct linux_semid64_ds) == 104, "struct semid64_ds");

struct linux_seminfo {
    int32_t semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem;
};
static_assert(sizeof(struct linux_seminfo) == 40, "struct seminfo");

struct linux_msqid64_ds {
    struct linux_ipc64_perm msg_perm;
    int64_t msg_stime, msg_rtime, msg_ctime;
    uint64_t msg_cbytes, msg_qnum, msg_qbytes;
    int32_t msg_lspid, msg_lrpid;
    uint64_t unused4, unused5;
};
static_assert(sizeof(struct linux_msqid64_ds) == 120, "struct msqid64_ds");

struct linux_msginfo {
    int32_t msgpool, msgmap, msgmax, msgmnb, msgmni, msgssz, msgtql;
    uint16_t msgseg;
};
static_assert(sizeof(struct linux_msginfo) == 32, "struct msginfo");
