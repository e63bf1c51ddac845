// SPDX-License-Identifier: Apache-2.0
// What the files of procfs share. The tree is made of tables of entries: an entry says how its text is made,
// where its link points, or what is in it. procfs.c turns entries into inodes; all other files hold tables
// and text.
//
// An entry's functions run without any lock but the file's own offset, so they may take tasks_lock and inner
// ones.
#ifndef SENTRY_PROCFS_IMPL_H
#define SENTRY_PROCFS_IMPL_H
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/pid_ns.h"

// ---- Text -------------------------------------------------------------------------------------------------
#define PROC_TEXT_MAX (16u << 20)  // more than the longest maps
struct proc_text {
    char *buf;
    size_t len, cap;
    bool failed;  // no memory, or too long
};
void proc_printf(struct proc_text *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void proc_put(struct proc_text *x, const void *p, size_t n);
void proc_put_path(struct proc_text *x, const char *s, const char *escape);  // octal for what is in `escape`
void proc_text_free(struct proc_text *x);
// Up to `most` numbers, as Linux takes them apart: blanks between, what follows the last is not looked at; of
// fewer the others stay. How many, or -1.
int proc_numbers(char *text, uint64_t *v, int most);

// ---- Entries ----------------------------------------------------------------------------------------------
// Which object an inode stands for: the entry, and whose it is.
struct proc_node {
    const struct proc_entry *e;
    struct tgroup *g;  // owned by the inode; NULL: of the system
    int32_t tid;       // the thread that it is about; 0: the process
    int32_t fd;        // below fd/ and fdinfo/
    int32_t cpu;       // of sysfs: the processor ...
    int32_t cache;     // ... and which of its caches
    int32_t link;      // of sysfs and sys/net: the network device
    const struct pid_ns *ns;  // borrowed: whose numbers are shown; that of the file system
};

// Numbered names of a directory, or names for numbers.
struct proc_list {
    // Fills `child` (its reference of g is taken by the caller). 0 or -LINUX_ENOENT.
    int (*find)(const struct proc_node *dir, int32_t number, struct proc_node *child);
    int32_t (*next)(const struct proc_node *dir, int32_t from);  // the first existing one >= from, or -1
    // of directories: how many there are; else NULL
    unsigned (*links)(const struct proc_node *dir);
    const struct proc_entry *child;                              // what they are, for listing
    const char *prefix;                                          // before the number; NULL: nothing
    // Where the numbers have names; else NULL. Into buf, false: it is gone; and back, -1: there is none.
    bool (*name)(const struct proc_node *dir, int32_t number, char *buf, size_t size);
    int32_t (*number)(const struct proc_node *dir, const char *name);
};

#define PROC_PTRACE   1u  // reading or following needs the right to trace the process
// with PROC_PTRACE: its memory is shown, so what has none is shown (empty) to everybody
#define PROC_MEMORY   2u
#define PROC_NEEDS_MM 4u  // what has no memory cannot be opened: ESRCH
// goes by the namespaces, which a thread gives back when it ends: then EINVAL, or ENOENT
#define PROC_NSPROXY  8u
#define PROC_POLLS    32u // poll(2) tells of changes of the mounts
#define PROC_SYSCTL   16u // a directory below sys/: has one link, whatever is in it

struct proc_entry {
    const char *name;
    uint32_t mode;  // with the type
    unsigned flags;
    int knob;          // of show_knob(): which setting (fs/knobs.h)
    const char *text;  // a file that never changes
    int (*show)(struct proc_text *x, const struct proc_node *n);                   // 0 or -LINUX_E*
    int (*store)(const struct proc_node *n, char *text, size_t len);               // text is NUL ended
    int (*link)(const struct proc_node *n, char *buf, size_t size);                // what readlink(2) says
    int (*jump)(const struct proc_node *n, struct path *out);                      // a magic link
    uint32_t (*mode_of)(const struct proc_node *n);                                // permissions that depend
    // what is no text: sets f->ops
    int (*open)(const struct proc_node *n, struct file *f);
    const struct file_ops *fops;                                                   // ... to these
    const struct proc_entry *children;                                             // ends with a nameless one
    const struct proc_list *list;
};

#define PROC_DIR(n, c)      {.name = n, .mode = LINUX_S_IFDIR | 0555, .children = c}
#define PROC_SYS(n, c)      {.name = n, .mode = LINUX_S_IFDIR | 0555, .flags = PROC_SYSCTL, .children = c}
#define PROC_FILE(n, s)     {.name = n, .mode = LINUX_S_IFREG | 0444, .show = s}
#define PROC_CONST(n, t)    {.name = n, .mode = LINUX_S_IFREG | 0444, .text = t}
#define PROC_TEXT_(v) #v
#define PROC_TEXT(v)  PROC_TEXT_(v)
#define NUMBER(n, v)  PROC_CONST(n, PROC_TEXT(v) "\n")
#define PROC_MAGIC(n, l, j) \
    { .name = n, .mode = LINUX_S_IFLNK | 0777, .flags = PROC_PTRACE, .link = l, .jump = j }
#define PROC_LINK(n, l)     {.name = n, .mode = LINUX_S_IFLNK | 0777, .link = l}

// A file system with that tree (procfs.c).
int procfs_create_tree(struct vfs *vfs, struct pid_ns *ns, const struct proc_entry *root, const char *type,
                       int64_t magic, struct superblock **out);
extern const struct proc_entry proc_root_entry;     // root.c
extern const struct proc_entry proc_process_entry;  // process.c: /proc/PID ...
extern const struct proc_entry proc_thread_entry;   // ... and /proc/PID/task/TID
extern const struct proc_entry proc_sys_user_entries[];  // idmaps.c
extern const struct proc_entry proc_sys_net_entries[];  // sysctl_net.c
extern const struct proc_entry proc_sys_entries[], proc_net_entries[], proc_sysvipc_entries[];
extern const struct proc_list proc_fd_list, proc_fdinfo_list;  // fds.c
// net_sockets.c, for proc_net_entries
int proc_show_tcp(struct proc_text *x, const struct proc_node *n);
int proc_show_tcp6(struct proc_text *x, const struct proc_node *n);
int proc_show_udp(struct proc_text *x, const struct proc_node *n);
int proc_show_udp6(struct proc_text *x, const struct proc_node *n);
int proc_show_raw(struct proc_text *x, const struct proc_node *n);
int proc_show_raw6(struct proc_text *x, const struct proc_node *n);
int proc_show_sockstat(struct proc_text *x, const struct proc_node *n);
int proc_show_sockstat6(struct proc_text *x, const struct proc_node *n);
int proc_show_unix(struct proc_text *x, const struct proc_node *n);
// The rows of /proc/meminfo, each with that text before it.
void proc_put_meminfo(struct proc_text *x, const char *before);  // root.c
int proc_show_snmp(struct proc_text *x, const struct proc_node *n);
// net_tables.c
int proc_show_arp(struct proc_text *x, const struct proc_node *n);
int proc_show_route(struct proc_text *x, const struct proc_node *n);
int proc_show_ipv6_route(struct proc_text *x, const struct proc_node *n);
int proc_show_igmp(struct proc_text *x, const struct proc_node *n);
int proc_show_igmp6(struct proc_text *x, const struct proc_node *n);
int proc_show_dev_mcast(struct proc_text *x, const struct proc_node *n);
int proc_show_netstat(struct proc_text *x, const struct proc_node *n);
int proc_show_packet(struct proc_text *x, const struct proc_node *n);
// sysfs_net.c: the network devices of who looks, by index
struct net_link;
int proc_find_link(const struct proc_node *dir, int32_t index, struct proc_node *child);
int32_t proc_next_link(const struct proc_node *dir, int32_t from);
unsigned proc_count_links(const struct proc_node *dir);
bool proc_link_name(const struct proc_node *dir, int32_t index, char *buf, size_t size);
int32_t proc_link_number(const struct proc_node *dir, const char *name);
bool proc_link_of(const struct proc_node *n, struct net_link *out);  // false: it is gone
extern const struct proc_list sysfs_class_net_list;
extern const struct proc_entry sysfs_virtual_entries[];
// keys.c
int proc_show_keys(struct proc_text *x, const struct proc_node *n);
int proc_show_key_users(struct proc_text *x, const struct proc_node *n);
// What several tables have.
struct mnt_ns *proc_mnt_ns(const struct proc_node *n);  // a reference, or NULL: it has ended
int proc_show_mounts(struct proc_text *x, const struct proc_node *n);
int proc_show_mountinfo(struct proc_text *x, const struct proc_node *n);
int proc_show_mountstats(struct proc_text *x, const struct proc_node *n);
int proc_show_stat(struct proc_text *x, const struct proc_node *n);
int proc_show_status(struct proc_text *x, const struct proc_node *n);
int proc_show_statm(struct proc_text *x, const struct proc_node *n);
int proc_show_limits(struct proc_text *x, const struct proc_node *n);
int proc_show_cmdline(struct proc_text *x, const struct proc_node *n);
int proc_show_environ(struct proc_text *x, const struct proc_node *n);
int proc_show_auxv(struct proc_text *x, const struct proc_node *n);
int proc_show_maps(struct proc_text *x, const struct proc_node *n);
int proc_show_smaps(struct proc_text *x, const struct proc_node *n);
int proc_show_smaps_rollup(struct proc_text *x, const struct proc_node *n);
int proc_open_idmap(const struct proc_node *n, struct file *f);  // idmaps.c
int proc_open_setgroups(const struct proc_node *n, struct file *f);
extern const struct file_ops proc_idmap_fops, proc_setgroups_fops;
int proc_link_exe(const struct proc_node *n, char *buf, size_t size);
int proc_jump_exe(const struct proc_node *n, struct path *out);
int proc_link_cwd(const struct proc_node *n, char *buf, size_t size);
int proc_jump_cwd(const struct proc_node *n, struct path *out);
int proc_link_root(const struct proc_node *n, char *buf, size_t size);
int proc_jump_root(const struct proc_node *n, struct path *out);

extern const struct file_ops proc_mem_fops;  // mem.c
int proc_open_mem(const struct proc_node *n, struct file *f);
extern const struct file_ops proc_pagemap_fops;  // pagemap.c
int proc_open_pagemap(const struct proc_node *n, struct file *f);

// ---- The objects behind a node (who.c): referenced, or NULL when they are gone ----------------------------
struct task *proc_task(const struct proc_node *n);  // the thread; for a process, its leader (a zombie too)
// mapquery.c: the ioctl of maps
int64_t proc_map_query(const struct proc_node *n, uint64_t arg, struct uaccess *ua);
struct mm *proc_mm(const struct proc_node *n);
// The network namespace of the thread; of the system's files, the caller's. A reference; NULL: it has ended.
struct net_ns *proc_net(const struct proc_node *n);
struct net_ns *proc_callers_net(void);
// that of a process whom the caller may trace: one look at both
struct mm *proc_mm_traced(const struct proc_node *n);
struct fdtable *proc_files(const struct proc_node *n);
bool proc_alive(const struct proc_node *n);  // not reaped
// the thread (for a process: its leader) runs no more, or is reaped
bool proc_ended(const struct proc_node *n);
// May the caller look into it? ptrace(2), "Ptrace access mode checking", PTRACE_MODE_READ_FSCREDS.
bool proc_may_trace(const struct proc_node *n);
// The path as the caller would name it, into buf: 0 or -LINUX_E*.
int proc_path_text(const struct path *p, char *buf, size_t size);
// The maps by which who reads sees users and groups; NULL: the first namespace's.
const struct id_map *proc_reader_uids(void);
const struct id_map *proc_reader_gids(void);
// The root of the caller (owned by the caller then); the sandbox's when there is none.
int proc_caller_root(struct path *out);

#endif
