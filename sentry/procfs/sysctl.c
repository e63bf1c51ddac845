// SPDX-License-Identifier: Apache-2.0
// /proc/sys: what programs look up before they size or choose something. Those of
// the network are in sysctl_net.c.
// LIMIT: settings that have no effect here cannot be changed: their files refuse to be opened for writing.
#include "abi/caps.h"
#include "abi/misc.h"
#include "base/clock.h"
#include "fs/knobs.h"
#include "sentry/ipc/mq.h"
#include "sentry/proc/coredump.h"
#include "sentry/proc/cred.h"
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

static int store_name(char *text, size_t len, size_t which) {
    struct kernel *k = the_kernel;
    len = strcspn(text, "\n");
    if (len > 64)
        return -LINUX_EINVAL;
    LOCKED(&k->tasks_lock);
    struct uts_ns *u = task_current && task_current->nsproxy ? task_uts(task_current) : k->uts;
    memset((char *)u + which, 0, 65);
    memcpy((char *)u + which, text, len);
    return 0;
}
static int store_hostname(const struct proc_node *n, char *text, size_t len) {
    return store_name(text, len, offsetof(struct uts_ns, hostname));
}
static int store_domainname(const struct proc_node *n, char *text, size_t len) {
    return store_name(text, len, offsetof(struct uts_ns, domainname));
}

// ---- Settings with an effect ------------------------------------------------------------------------------
static int show_knob(struct proc_text *x, const struct proc_node *n) {
    int64_t v = kernel_knob(the_kernel, (enum knob_id)n->e->knob);
    if (v < -1)  // beyond the largest: as the kernel's own first values of shmmax and shmall
        proc_printf(x, "%llu\n", (unsigned long long)v);
    else
        proc_printf(x, "%lld\n", (long long)v);
    return 0;
}
static int store_knob(const struct proc_node *n, char *text, size_t len) {
    enum knob_id id = (enum knob_id)n->e->knob;
    struct knob_bounds b = knob_bounds(id);
    uint64_t v;
    if (proc_numbers(text, &v, 1) != 1)
        return -LINUX_EINVAL;
    if ((int64_t)v != b.first && ((int64_t)v < b.least || (int64_t)v > b.most))
        return -LINUX_EINVAL;
    if (id == KNOB_PIPE_MAX)  // a power of two of bytes
        while (v & (v - 1))
            v = (v | (v - 1)) + 1;
    atomic_store(&vfs_knobs(the_kernel->vfs)->v[id], (int64_t)v);
    return 0;
}

#define KEYS_KNOB(field)                                                                                     \
    static int show_##field(struct proc_text *x, const struct proc_node *n) {                                \
        proc_printf(x, "%u\n", atomic_load(&the_kernel->keys->field));                                       \
        return 0;                                                                                            \
    }                                                                                                        \
    static int store_##field(const struct proc_node *n, char *text, size_t len) {                            \
        uint64_t v;                                                                                          \
        if (proc_numbers(text, &v, 1) != 1 || v > INT32_MAX)                                                 \
            return -LINUX_EINVAL;                                                                            \
        atomic_store(&the_kernel->keys->field, (unsigned)v);                                                 \
        return 0;                                                                                            \
    }
KEYS_KNOB(max_keys)
KEYS_KNOB(max_bytes)
KEYS_KNOB(root_max_keys)
KEYS_KNOB(root_max_bytes)

static int show_core_pattern(struct proc_text *x, const struct proc_node *n) {
    char pattern[CORE_PATTERN_MAX];
    kernel_core_pattern(the_kernel, pattern);
    proc_printf(x, "%s\n", pattern);
    return 0;
}
static int store_core_pattern(const struct proc_node *n, char *text, size_t len) {
    text[strcspn(text, "\n")] = '\0';
    return kernel_set_core_pattern(the_kernel, text);
}

static int show_last_pid(struct proc_text *x, const struct proc_node *n) {
    LOCKED(&the_kernel->tasks_lock);
    proc_printf(x, "%d\n", the_kernel->last_pid);
    return 0;
}
static int store_last_pid(const struct proc_node *n, char *text, size_t len) {
    uint64_t v;
    if (!task_current || !task_capable(task_current, LINUX_CAP_SYS_ADMIN))
        return -LINUX_EPERM;
    if (proc_numbers(text, &v, 1) != 1 || v >= PID_MAX)
        return -LINUX_EINVAL;
    LOCKED(&the_kernel->tasks_lock);
    the_kernel->last_pid = v < 1 ? 1 : (int32_t)v;
    return 0;
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

#define KNOB(n, id)                                                                                          \
    { .name = n, .mode = LINUX_S_IFREG | 0644, .show = show_knob, .store = store_knob, .knob = KNOB_##id }

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
#define KEYS_FILE(n, field)                                                                                  \
    { .name = n, .mode = LINUX_S_IFREG | 0644, .show = show_##field, .store = store_##field }
static const struct proc_entry keys_entries[] = {
    KEYS_FILE("maxbytes", max_bytes),
    KEYS_FILE("maxkeys", max_keys),
    KEYS_FILE("root_maxbytes", root_max_bytes),
    KEYS_FILE("root_maxkeys", root_max_keys),
    {0},
};
static const struct proc_entry kernel_entries[] = {
    NUMBER("cap_last_cap", LINUX_CAP_LAST_CAP),
    {.name = "core_pattern",
     .mode = LINUX_S_IFREG | 0644,
     .show = show_core_pattern,
     .store = store_core_pattern},
    KNOB("core_uses_pid", CORE_USES_PID),
    NUMBER("dmesg_restrict", 1),
    {.name = "domainname", .mode = LINUX_S_IFREG | 0644, .show = show_domainname, .store = store_domainname},
    {.name = "hostname", .mode = LINUX_S_IFREG | 0644, .show = show_hostname, .store = store_hostname},
    KNOB("io_uring_disabled", URING_DISABLED),
    KNOB("io_uring_group", URING_GROUP),
    PROC_SYS("keys", keys_entries),
    NUMBER("kexec_load_disabled", 1),
    NUMBER("kptr_restrict", 1),
    NUMBER("modules_disabled", 1),
    KNOB("msgmax", MSG_MAX),
    KNOB("msgmnb", MSG_MNB),
    KNOB("msg_next_id", MSG_NEXT_ID),
    KNOB("msgmni", MSG_MNI),
    {.name = "ns_last_pid", .mode = LINUX_S_IFREG | 0666, .show = show_last_pid, .store = store_last_pid},
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
    KNOB("randomize_va_space", RANDOMIZE),
    KNOB("sched_rr_timeslice_ms", RR_TIMESLICE),
    PROC_CONST("sem", "32000\t1024000\t500\t4096\n"),
    KNOB("sem_next_id", SEM_NEXT_ID),
    KNOB("shm_next_id", SHM_NEXT_ID),
    NUMBER("shm_rmid_forced", 0),
    KNOB("shmall", SHM_ALL),
    KNOB("shmmax", SHM_MAX),
    KNOB("shmmni", SHM_MNI),
    NUMBER("tainted", 0),
    NUMBER("threads-max", PID_MAX),
    NUMBER("unprivileged_bpf_disabled", 2),
    PROC_CONST("version", "#1 SMP Picket " PICKET_VERSION "\n"),
    {0},
};
static const struct proc_entry vm_entries[] = {
    NUMBER("dirty_background_ratio", 10), NUMBER("dirty_ratio", 20),
    NUMBER("legacy_va_layout", 0),        KNOB("max_map_count", MAP_COUNT),
    NUMBER("min_free_kbytes", 67584),     NUMBER("mmap_min_addr", 65536),
    NUMBER("nr_hugepages", 0),            NUMBER("overcommit_kbytes", 0),
    NUMBER("overcommit_memory", 0),       NUMBER("overcommit_ratio", 50),
    NUMBER("swappiness", 60),             NUMBER("vfs_cache_pressure", 100),
    {0},
};
static const struct proc_entry fs_epoll_entries[] = {NUMBER("max_user_watches", 1048576), {0}};
static const struct proc_entry fs_fanotify_entries[] = {
    KNOB("max_queued_events", FANOTIFY_EVENTS),
    KNOB("max_user_groups", FANOTIFY_GROUPS),
    KNOB("max_user_marks", FANOTIFY_MARKS),
    {0},
};
static const struct proc_entry fs_inotify_entries[] = {
    KNOB("max_queued_events", INOTIFY_EVENTS),
    KNOB("max_user_instances", INOTIFY_INSTANCES),
    KNOB("max_user_watches", INOTIFY_WATCHES),
    {0},
};
static const struct proc_entry fs_mqueue_entries[] = {
    KNOB("msg_default", MQ_MSG_DEFAULT),         KNOB("msg_max", MQ_MSG_MAX),
    KNOB("msgsize_default", MQ_SIZE_DEFAULT), KNOB("msgsize_max", MQ_SIZE_MAX),
    KNOB("queues_max", MQ_QUEUES),           {0},
};
static const struct proc_entry fs_entries[] = {
    KNOB("aio-max-nr", AIO_MAX_NR),
    PROC_FILE("aio-nr", show_aio_nr),
    PROC_CONST("dentry-state", "0\t0\t45\t0\t0\t0\n"),
    NUMBER("dir-notify-enable", 1),
    PROC_SYS("epoll", fs_epoll_entries),
    NUMBER("file-max", 9223372036854775807),
    PROC_FILE("file-nr", show_file_nr),
    PROC_DIR("fanotify", fs_fanotify_entries),
    PROC_DIR("inotify", fs_inotify_entries),
    KNOB("lease-break-time", LEASE_BREAK),
    NUMBER("mount-max", 100000),
    PROC_SYS("mqueue", fs_mqueue_entries),
    KNOB("nr_open", NR_OPEN),
    NUMBER("overflowgid", 65534),
    NUMBER("overflowuid", 65534),
    KNOB("pipe-max-size", PIPE_MAX),
    NUMBER("pipe-user-pages-hard", 0),
    NUMBER("pipe-user-pages-soft", 16384),
    NUMBER("protected_fifos", 0),
    KNOB("protected_hardlinks", PROTECTED_HARDLINKS),
    NUMBER("protected_regular", 0),
    KNOB("protected_symlinks", PROTECTED_SYMLINKS),
    NUMBER("suid_dumpable", 0),
    {0},
};
static const struct proc_entry empty_entries[] = {{0}};

const struct proc_entry proc_sys_entries[] = {
    PROC_SYS("debug", empty_entries),
    PROC_SYS("fs", fs_entries),
    PROC_SYS("kernel", kernel_entries),
    PROC_SYS("net", proc_sys_net_entries),
    PROC_SYS("user", proc_sys_user_entries),
    PROC_SYS("vm", vm_entries),
    {0},
};
