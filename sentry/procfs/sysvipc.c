// SPDX-License-Identifier: Apache-2.0
// /proc/sysvipc: one line for each System V object, for ipcs(1).
#include "sentry/ipc/msg.h"
#include "sentry/ipc/sem.h"
#include "sentry/ipc/shm.h"
#include "sentry/procfs/impl.h"
#include "sentry/run/run.h"

static void put_owner(struct proc_text *x, const struct linux_ipc64_perm *p) {
    proc_printf(x, " %5u %5u %5u %5u", idmap_shown(proc_reader_uids(), p->uid),
                idmap_shown(proc_reader_gids(), p->gid), idmap_shown(proc_reader_uids(), p->cuid),
                idmap_shown(proc_reader_gids(), p->cgid));
}

static int show_msg(struct proc_text *x, const struct proc_node *n) {
    struct linux_msginfo info;
    struct linux_msqid64_ds d;
    int top = (int)msg_info(task_current, LINUX_IPC_INFO, &info);
    proc_printf(
        x, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime"
           "      rtime      ctime\n");
    for (int i = 0; i <= top; i++) {
        int64_t id = msg_stat(task_current, i, LINUX_MSG_STAT_ANY, &d);
        if (id < 0)
            continue;
        proc_printf(x, "%10d %10d  %4o  %10llu %10llu %5d %5d", d.msg_perm.key, (int)id, d.msg_perm.mode,
                    (unsigned long long)d.msg_cbytes, (unsigned long long)d.msg_qnum, d.msg_lspid,
                    d.msg_lrpid);
        put_owner(x, &d.msg_perm);
        proc_printf(x, " %10lld %10lld %10lld\n", (long long)d.msg_stime, (long long)d.msg_rtime,
                    (long long)d.msg_ctime);
    }
    return 0;
}

static int show_sem(struct proc_text *x, const struct proc_node *n) {
    struct linux_seminfo info;
    struct linux_semid64_ds d;
    int top = (int)sem_info(task_current, LINUX_IPC_INFO, &info);
    proc_printf(x, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
    for (int i = 0; i <= top; i++) {
        int64_t id = sem_stat(task_current, i, LINUX_SEM_STAT_ANY, &d);
        if (id < 0)
            continue;
        proc_printf(x, "%10d %10d  %4o %10llu", d.sem_perm.key, (int)id, d.sem_perm.mode,
                    (unsigned long long)d.sem_nsems);
        put_owner(x, &d.sem_perm);
        proc_printf(x, " %10lld %10lld\n", (long long)d.sem_otime, (long long)d.sem_ctime);
    }
    return 0;
}

static int show_shm(struct proc_text *x, const struct proc_node *n) {
    struct linux_shminfo64 info;
    struct linux_shmid64_ds d;
    int top = shm_limits(task_current, &info);
    proc_printf(x, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid"
                   "  cuid  cgid      atime"
                   "      dtime      ctime                   rss                  swap\n");
    for (int i = 0; i <= top; i++) {
        int64_t id = shm_stat(task_current, i, LINUX_SHM_STAT_ANY, &d);
        if (id < 0)
            continue;
        proc_printf(x, "%10d %10d  %4o %21llu %5d %5d  %5llu", d.shm_perm.key, (int)id, d.shm_perm.mode,
                    (unsigned long long)d.shm_segsz, d.shm_cpid, d.shm_lpid,
                    (unsigned long long)d.shm_nattch);
        put_owner(x, &d.shm_perm);
        proc_printf(x, " %10lld %10lld %10lld %21u %21u\n", (long long)d.shm_atime, (long long)d.shm_dtime,
                    (long long)d.shm_ctime, 0, 0);
    }
    return 0;
}

const struct proc_entry proc_sysvipc_entries[] = {
    PROC_FILE("msg", show_msg), PROC_FILE("sem", show_sem), PROC_FILE("shm", show_shm), {0}};
