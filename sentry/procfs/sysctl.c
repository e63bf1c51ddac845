// SPDX-License-Identifier: Apache-2.0
// /proc/sys: what programs look up before they size or choose something. Those of
// the network are in sysctl_net.c.
// LIMIT: settings cannot be changed (the files refuse to be opened for writing), but for some of the network.
#include "abi/caps.h"
#include "abi/misc.h"
#include "base/clock.h"
#include "sentry/ipc/mq.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/uts_ns.h"
#include "sentry/procfs/impl.h"
#include "sentry/run/run.h"
#include <string.h>

// Of who reads it.
static int show_name(struct proc_text *x, size_t which) {
    struct kernel *k = the_kernel;
    LOCKED(&k->tasks_lock);
    const struct uts_ns *u = task_current && task_current->nsproxy ? task_uts(task_current) : k->uts;
    proc_printf(x, "%.64s\n", (const char *)u + which);
    return 0;
}
static int show_hostname(struct proc_text *x, const struct proc_node *n) {
    return show_name(x, offsetof(struct uts_ns, hostname));
}
static int show_domainname(struct proc_text *x, const struct proc_node *n) {
    return show_name(x, offsetof(struct uts_ns, domainname));
}

static void put_uuid(struct proc_text *x, unsigned char b[16]) {
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    for (int i = 0; i < 16; i++)
        proc_printf(x, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
    proc_put(x, "\n", 1);
}
static int show_uuid(struct proc_text *x, const struct proc_node *n) {
    unsigned char b[16];
    random_bytes(b, sizeof b);
    put_uuid(x, b);
    return 0;
}
static int show_boot_id(struct proc_text *x, const struct proc_node *n) {
    unsigned char b[16];
    memcpy(b, the_kernel->boot_id, sizeof b);
    put_uuid(x, b);
    return 0;
}

static int show_file_nr(struct proc_text *x, const struct proc_node *n) {
    proc_printf(x, "1024\t0\t9223372036854775807\n");
    return 0;
}

static int show_aio_nr(struct proc_text *x, const struct proc_node *n) {
    proc_printf(x, "%u\n", atomic_load(&the_kernel->aio_nr));
    return 0;
}

static int show_ptys(struct proc_text *x, const struct proc_node *n) {
    proc_printf(x, "%u\n", devpts_count(the_kernel->vfs));
    return 0;
}

static const struct proc_entry random_entries[] = {
    PROC_FILE("boot_id", show_boot_id),
    NUMBER("entropy_avail", 256),
    NUMBER("poolsize", 256),
    NUMBER("urandom_min_reseed_secs", 60),
    PROC_FILE("uuid", show_uuid),
    NUMBER("write_wakeup_threshold", 256),
    {0},
};
static const struct proc_entry pty_entries[] = {
    NUMBER("max", DEVPTS_MAX), PROC_FILE("nr", show_ptys), NUMBER("reserve", 0), {0},
};
static const struct proc_entry kernel_entries[] = {
    NUMBER("cap_last_cap", LINUX_CAP_LAST_CAP),
    PROC_CONST("core_pattern", "core\n"),
    NUMBER("core_uses_pid", 0),
    NUMBER("dmesg_restrict", 1),
    PROC_FILE("domainname", show_domainname),
    PROC_FILE("hostname", show_hostname),
    NUMBER("io_uring_disabled", 2),
    NUMBER("kptr_restrict", 1),
    NUMBER("msgmax", 8192),
    NUMBER("msgmnb", 16384),
    NUMBER("msgmni", 4096),
    NUMBER("ngroups_max", LINUX_NGROUPS_MAX),
    PROC_CONST("osrelease", KERNEL_RELEASE "\n"),
    PROC_CONST("ostype", "Linux\n"),
    NUMBER("overflowgid", 65534),
    NUMBER("overflowuid", 65534),
    NUMBER("panic", 0),
    NUMBER("perf_event_paranoid", 4),
    NUMBER("pid_max", PID_MAX),
    PROC_SYS("pty", pty_entries),
    PROC_SYS("random", random_entries),
    NUMBER("randomize_va_space", 2),
    NUMBER("sched_rr_timeslice_ms", 100),
    PROC_CONST("sem", "32000\t1024000\t500\t4096\n"),
    NUMBER("shmall", 18446744073692774399),
    NUMBER("shmmax", 18446744073692774399),
    NUMBER("shmmni", 4096),
    NUMBER("tainted", 0),
    NUMBER("threads-max", PID_MAX),
    NUMBER("unprivileged_bpf_disabled", 2),
    PROC_CONST("version", "#1 SMP Picket " PICKET_VERSION "\n"),
    {0},
};
static const struct proc_entry vm_entries[] = {
    NUMBER("dirty_background_ratio", 10), NUMBER("dirty_ratio", 20),
    NUMBER("legacy_va_layout", 0),        NUMBER("max_map_count", 65400),
    NUMBER("min_free_kbytes", 67584),     NUMBER("mmap_min_addr", 65536),
    NUMBER("nr_hugepages", 0),            NUMBER("overcommit_kbytes", 0),
    NUMBER("overcommit_memory", 0),       NUMBER("overcommit_ratio", 50),
    NUMBER("swappiness", 60),             NUMBER("vfs_cache_pressure", 100),
    {0},
};
static const struct proc_entry fs_epoll_entries[] = {NUMBER("max_user_watches", 1048576), {0}};
static const struct proc_entry fs_inotify_entries[] = {
    NUMBER("max_queued_events", INOTIFY_MAX_QUEUED_EVENTS),
    NUMBER("max_user_instances", INOTIFY_MAX_USER_INSTANCES),
    NUMBER("max_user_watches", INOTIFY_MAX_USER_WATCHES),
    {0},
};
static const struct proc_entry fs_mqueue_entries[] = {
    NUMBER("msg_default", MQ_MSG_DEFAULT),         NUMBER("msg_max", MQ_MSG_MAX),
    NUMBER("msgsize_default", MQ_MSGSIZE_DEFAULT), NUMBER("msgsize_max", MQ_MSGSIZE_MAX),
    NUMBER("queues_max", MQ_QUEUES_MAX),           {0},
};
static const struct proc_entry fs_entries[] = {
    NUMBER("aio-max-nr", 65536),
    PROC_FILE("aio-nr", show_aio_nr),
    PROC_CONST("dentry-state", "0\t0\t45\t0\t0\t0\n"),
    PROC_SYS("epoll", fs_epoll_entries),
    NUMBER("file-max", 9223372036854775807),
    PROC_FILE("file-nr", show_file_nr),
    PROC_DIR("inotify", fs_inotify_entries),
    NUMBER("lease-break-time", 45),
    NUMBER("mount-max", 100000),
    PROC_SYS("mqueue", fs_mqueue_entries),
    NUMBER("nr_open", 1048576),
    NUMBER("overflowgid", 65534),
    NUMBER("overflowuid", 65534),
    NUMBER("pipe-max-size", 1048576),
    NUMBER("pipe-user-pages-hard", 0),
    NUMBER("pipe-user-pages-soft", 16384),
    NUMBER("protected_fifos", 0),
    NUMBER("protected_hardlinks", 1),
    NUMBER("protected_regular", 0),
    NUMBER("protected_symlinks", 0),
    NUMBER("suid_dumpable", 0),
    {0},
};
static const struct proc_entry user_entries[] = {
    NUMBER("max_cgroup_namespaces", 0), NUMBER("max_ipc_namespaces", 0), NUMBER("max_mnt_namespaces", 0),
    NUMBER("max_net_namespaces", 0),    NUMBER("max_pid_namespaces", 0), NUMBER("max_user_namespaces", 0),
    NUMBER("max_uts_namespaces", 0),    {0},
};
static const struct proc_entry empty_entries[] = {{0}};

const struct proc_entry proc_sys_entries[] = {
    PROC_SYS("debug", empty_entries),
    PROC_SYS("fs", fs_entries),
    PROC_SYS("kernel", kernel_entries),
    PROC_SYS("net", proc_sys_net_entries),
    PROC_SYS("user", user_entries),
    PROC_SYS("vm", vm_entries),
    {0},
};
