// SPDX-License-Identifier: Apache-2.0
// Shapes over System V IPC: few objects with few keys, that are removed while others wait for them.
#include "fuzz.h"
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

static key_t key(void) { return one_in(4) ? IPC_PRIVATE : (key_t)(100 + below(3)); }
static int making(void) { return one_in(6) ? (int)any_int() : IPC_CREAT | 0666; }

// ---- Messages ---------------------------------------------------------------------------------------------
static void sh_msg(void) {
    int id = (int)call(SYS_msgget, key(), making());
    long *m = room(600);
    m[0] = 1 + below(3);
    for (unsigned n = below(4); n > 0; n--)
        call(SYS_msgsnd, id, m, below(512), one_in(4) ? 0 : IPC_NOWAIT);
    call(SYS_msgrcv, id, m, below(600), (long)below(6) - 2,
         one_in(3) ? 0 : IPC_NOWAIT | (int)(below(8) << 12));
    if (one_in(6))
        call(SYS_msgctl, id, IPC_RMID, NULL);
    else if (one_in(3))
        call(SYS_msgctl, one_in(2) ? id : (int)any_int(), flags_of("ipc_cmd", 7, true), any_pointer());
}

// ---- Semaphores -------------------------------------------------------------------------------------------
static void sh_sem(void) {
    int id = (int)call(SYS_semget, key(), 1 + below(4), making());
    struct sembuf *ops = room(8 * sizeof *ops);
    unsigned n = 1 + below(4);
    for (unsigned i = 0; i < n; i++)
        ops[i] = (struct sembuf){(unsigned short)below(4), (short)((int)below(5) - 2),
                                 (short)((one_in(3) ? IPC_NOWAIT : 0) | (one_in(2) ? SEM_UNDO : 0))};
    call(SYS_semtimedop, id, ops, n, short_time());
    if (one_in(3))
        call(SYS_semctl, id, below(4),
             pick(((const int[]){GETVAL, SETVAL, GETALL, SETALL, GETNCNT, IPC_STAT, GETPID})),
             one_in(2) ? (uint64_t)below(3) : (uint64_t)any_pointer());
    if (one_in(8))
        call(SYS_semctl, id, 0, IPC_RMID, 0);
}

// ---- Shared memory ----------------------------------------------------------------------------------------
static int attach_flags(void) {
    if (one_in(2))
        return SHM_REMAP;
    return one_in(6) ? SHM_RDONLY : 0;
}

static void sh_shm(void) {
    int id = (int)call(SYS_shmget, key(), PAGE * (1 + below(4)), making());
    uint64_t at = PRIVATE_AT + (STABLE + below(ARENA_PAGES - STABLE - 4)) * PAGE;
    uint64_t got = (uint64_t)call(SYS_shmat, id, one_in(4) ? 0 : at, attach_flags());
    if (one_in(4))
        call(SYS_shmctl, id, IPC_RMID, NULL);
    else if (one_in(4))
        call(SYS_shmctl, one_in(2) ? id : (int)any_int(), IPC_STAT, any_pointer());
    if (one_in(2) || got != at)
        call(SYS_shmdt, got);
}

const struct shape ipc_shapes[] = {{sh_msg, 4}, {sh_sem, 5}, {sh_shm, 3}, {NULL, 0}};
