// SPDX-License-Identifier: Apache-2.0
// /sys: the processors, caches and memory of the sandbox where programs look for them (glibc, lscpu, hwloc,
// numactl, JVMs), and the empty directories that others open without asking. Of the host only what the
// processor tells any program is in it. Processors are numbered as in /proc/cpuinfo: one package, each a
// core of its own. Sources: Documentation/ABI/{stable,testing}/sysfs-devices-{system-cpu,node}, sysfs(5).
// LIMIT: /sys has no devices, buses, modules and block devices; nothing below it can be written.
#include "sentry/procfs/cpuinfo.h"
#include "sentry/procfs/impl.h"
#include "sentry/procfs/procfs.h"
#include <stdio.h>

// ---- Sets of processors: [from, end) ----------------------------------------------------------------------
static unsigned ncpus(void) { return the_kernel->ncpus; }

static void put_list(struct proc_text *x, unsigned from, unsigned end) {
    if (end - from > 1)
        proc_printf(x, "%u-%u\n", from, end - 1);
    else
        proc_printf(x, "%u\n", from);
}

// Hexadecimal, in groups of 32 bits, the highest first and as wide as there are processors.
static void put_map(struct proc_text *x, unsigned from, unsigned end) {
    for (unsigned groups = (ncpus() + 31) / 32, g = groups; g-- > 0;) {
        unsigned bits = g + 1 < groups ? 32 : ncpus() - 32 * g;
        uint32_t v = 0;
        for (unsigned i = 0; i < 32; i++)
            v |= 32 * g + i >= from && 32 * g + i < end ? 1u << i : 0;
        proc_printf(x, "%0*x%s", (int)(bits + 3) / 4, v, g ? "," : "\n");
    }
}

static int show_all_list(struct proc_text *x, const struct proc_node *n) {
    put_list(x, 0, ncpus());
    return 0;
}
static int show_all_map(struct proc_text *x, const struct proc_node *n) {
    put_map(x, 0, ncpus());
    return 0;
}
static int show_own_list(struct proc_text *x, const struct proc_node *n) {
    put_list(x, (unsigned)n->cpu, (unsigned)n->cpu + 1);
    return 0;
}
static int show_own_map(struct proc_text *x, const struct proc_node *n) {
    put_map(x, (unsigned)n->cpu, (unsigned)n->cpu + 1);
    return 0;
}
static int show_own_number(struct proc_text *x, const struct proc_node *n) {
    proc_printf(x, "%d\n", n->cpu);
    return 0;
}

// ---- Caches -----------------------------------------------------------------------------------------------
static struct cpu_cache cache_of(const struct proc_node *n) {
    struct cpu_cache c = {0};
    cpu_cache_read((unsigned)n->cache, &c);
    return c;
}
// Those of the last level belong to the package.
static bool is_shared(const struct proc_node *n) { return cache_of(n).level > 2; }

static int show_cache_level(struct proc_text *x, const struct proc_node *n) {
    proc_printf(x, "%u\n", cache_of(n).level);
    return 0;
}
static int show_cache_type(struct proc_text *x, const struct proc_node *n) {
    static const char *const types[] = {"", "Data", "Instruction", "Unified"};
    proc_printf(x, "%s\n", types[cache_of(n).type & 3]);
    return 0;
}
static int show_cache_size(struct proc_text *x, const struct proc_node *n) {
    struct cpu_cache c = cache_of(n);
    proc_printf(x, "%lluK\n", (unsigned long long)c.line * c.partitions * c.ways * c.sets / 1024);
    return 0;
}
static int show_cache_line(struct proc_text *x, const struct proc_node *n) {
    proc_printf(x, "%u\n", cache_of(n).line);
    return 0;
}
static int show_cache_partition(struct proc_text *x, const struct proc_node *n) {
    proc_printf(x, "%u\n", cache_of(n).partitions);
    return 0;
}
static int show_cache_sets(struct proc_text *x, const struct proc_node *n) {
    proc_printf(x, "%u\n", cache_of(n).sets);
    return 0;
}
static int show_cache_ways(struct proc_text *x, const struct proc_node *n) {
    proc_printf(x, "%u\n", cache_of(n).ways);
    return 0;
}
static int show_cache_id(struct proc_text *x, const struct proc_node *n) {
    proc_printf(x, "%d\n", is_shared(n) ? 0 : n->cpu);
    return 0;
}
static int show_cache_list(struct proc_text *x, const struct proc_node *n) {
    return is_shared(n) ? show_all_list(x, n) : show_own_list(x, n);
}
static int show_cache_map(struct proc_text *x, const struct proc_node *n) {
    return is_shared(n) ? show_all_map(x, n) : show_own_map(x, n);
}

static const struct proc_entry cache_entries[] = {
    PROC_FILE("coherency_line_size", show_cache_line),
    PROC_FILE("id", show_cache_id),
    PROC_FILE("level", show_cache_level),
    PROC_FILE("number_of_sets", show_cache_sets),
    PROC_FILE("physical_line_partition", show_cache_partition),
    PROC_FILE("shared_cpu_list", show_cache_list),
    PROC_FILE("shared_cpu_map", show_cache_map),
    PROC_FILE("size", show_cache_size),
    PROC_FILE("type", show_cache_type),
    PROC_FILE("ways_of_associativity", show_cache_ways),
    {0},
};
static const struct proc_entry cache_entry = PROC_DIR("", cache_entries);

static int find_cache(const struct proc_node *dir, int32_t number, struct proc_node *child) {
    struct cpu_cache c;
    child->cache = number;
    return cpu_cache_read((unsigned)number, &c) ? 0 : -LINUX_ENOENT;
}
static int32_t next_cache(const struct proc_node *dir, int32_t from) {
    struct cpu_cache c;
    return cpu_cache_read((unsigned)from, &c) ? from : -1;
}
static unsigned count_caches(const struct proc_node *dir) {
    struct cpu_cache c;
    unsigned n = 0;
    while (cpu_cache_read(n, &c))
        n++;
    return n;
}
static const struct proc_list cache_list = {find_cache, next_cache, count_caches, &cache_entry, "index"};

// ---- Processors -------------------------------------------------------------------------------------------
static int find_cpu(const struct proc_node *dir, int32_t number, struct proc_node *child) {
    child->cpu = number;
    return (unsigned)number < ncpus() ? 0 : -LINUX_ENOENT;
}
static int32_t next_cpu(const struct proc_node *dir, int32_t from) {
    return (unsigned)from < ncpus() ? from : -1;
}
static unsigned count_cpus(const struct proc_node *dir) { return ncpus(); }

static const struct proc_entry topology_entries[] = {
    PROC_FILE("core_cpus", show_own_map),
    PROC_FILE("core_cpus_list", show_own_list),
    PROC_FILE("core_id", show_own_number),
    PROC_FILE("core_siblings", show_all_map),
    PROC_FILE("core_siblings_list", show_all_list),
    PROC_FILE("die_cpus", show_all_map),
    PROC_FILE("die_cpus_list", show_all_list),
    PROC_CONST("die_id", "0\n"),
    PROC_FILE("package_cpus", show_all_map),
    PROC_FILE("package_cpus_list", show_all_list),
    PROC_CONST("physical_package_id", "0\n"),
    PROC_FILE("thread_siblings", show_own_map),
    PROC_FILE("thread_siblings_list", show_own_list),
    {0},
};

static int link_to_node(const struct proc_node *n, char *buf, size_t size) {
    snprintf(buf, size, "../../node/node0");
    return 0;
}
static const struct proc_entry cpu_entries[] = {
    {.name = "cache", .mode = LINUX_S_IFDIR | 0555, .list = &cache_list},
    PROC_LINK("node0", link_to_node),
    PROC_DIR("topology", topology_entries),
    {0},
};
static const struct proc_entry cpu_entry = PROC_DIR("", cpu_entries);
static const struct proc_list cpu_list = {find_cpu, next_cpu, count_cpus, &cpu_entry, "cpu"};

static const struct proc_entry cpus_entries[] = {
    PROC_CONST("isolated", "\n"),
    PROC_CONST("kernel_max", "63\n"),  // as many as there are bits in kernel.cpus
    PROC_CONST("offline", "\n"),
    PROC_FILE("online", show_all_list),
    PROC_FILE("possible", show_all_list),
    PROC_FILE("present", show_all_list),
    {0},
};

// ---- Memory: one node -------------------------------------------------------------------------------------
static int show_node_meminfo(struct proc_text *x, const struct proc_node *n) {
    proc_put_meminfo(x, "Node 0 ");
    proc_printf(x, "Node 0 MemUsed:        %8llu kB\nNode 0 FilePages:             0 kB\n",
                (unsigned long long)kernel_mem_used(the_kernel) / 1024);  // names that nodes alone have
    return 0;
}

static int link_to_cpu(const struct proc_node *n, char *buf, size_t size) {
    snprintf(buf, size, "../../cpu/cpu%d", n->cpu);
    return 0;
}
static const struct proc_entry node_cpu_entry = PROC_LINK("", link_to_cpu);
static const struct proc_list node_cpu_list = {find_cpu, next_cpu, NULL, &node_cpu_entry, "cpu"};
static const struct proc_entry node_entries[] = {
    PROC_FILE("cpulist", show_all_list),
    PROC_FILE("cpumap", show_all_map),
    PROC_CONST("distance", "10\n"),
    PROC_FILE("meminfo", show_node_meminfo),
    {0},
};
static const struct proc_entry nodes_entries[] = {
    PROC_CONST("has_cpu", "0\n"),
    PROC_CONST("has_memory", "0\n"),
    PROC_CONST("has_normal_memory", "0\n"),
    {.name = "node0", .mode = LINUX_S_IFDIR | 0555, .children = node_entries, .list = &node_cpu_list},
    PROC_CONST("online", "0\n"),
    PROC_CONST("possible", "0\n"),
    {0},
};

// ---- The tree ---------------------------------------------------------------------------------------------
static const struct proc_entry none[] = {{0}};

static const struct proc_entry system_entries[] = {
    {.name = "cpu", .mode = LINUX_S_IFDIR | 0555, .children = cpus_entries, .list = &cpu_list},
    PROC_DIR("node", nodes_entries),
    {0},
};
static const struct proc_entry devices_entries[] = {
    PROC_DIR("system", system_entries),
    PROC_DIR("virtual", sysfs_virtual_entries),
    {0},
};
static const struct proc_entry class_entries[] = {
    PROC_DIR("block", none),
    {.name = "net", .mode = LINUX_S_IFDIR | 0555, .list = &sysfs_class_net_list},
    PROC_DIR("tty", none),
    {0},
};
static const struct proc_entry dev_entries[] = {
    PROC_DIR("block", none),
    PROC_DIR("char", none),
    {0},
};
static const struct proc_entry fs_entries[] = {
    PROC_DIR("cgroup", none),
    {0},
};
// The sandbox asks for no huge pages; what MADV_HUGEPAGE leads to is the host's to decide.
static const struct proc_entry thp_entries[] = {
    PROC_CONST("defrag", "always defer defer+madvise [madvise] never\n"),
    PROC_CONST("enabled", "always [madvise] never\n"),
    PROC_CONST("hpage_pmd_size", "2097152\n"),
    {0},
};
static const struct proc_entry mm_entries[] = {
    PROC_DIR("hugepages", none),
    PROC_DIR("transparent_hugepage", thp_entries),
    {0},
};
static const struct proc_entry kernel_entries[] = {
    PROC_CONST("address_bits", "64\n"),
    PROC_CONST("cpu_byteorder", "little\n"),
    PROC_DIR("debug", none),
    PROC_CONST("fscaps", "1\n"),
    PROC_DIR("mm", mm_entries),
    PROC_DIR("security", none),
    PROC_DIR("tracing", none),
    {0},
};
static const struct proc_entry root_entries[] = {
    PROC_DIR("block", none),
    PROC_DIR("bus", none),
    PROC_DIR("class", class_entries),
    PROC_DIR("dev", dev_entries),
    PROC_DIR("devices", devices_entries),
    PROC_DIR("firmware", none),
    PROC_DIR("fs", fs_entries),
    PROC_DIR("hypervisor", none),
    PROC_DIR("kernel", kernel_entries),
    PROC_DIR("module", none),
    PROC_DIR("power", none),
    {0},
};
static const struct proc_entry root = PROC_DIR("", root_entries);

int sysfs_create(struct vfs *vfs, struct superblock **out) {
    return procfs_create_tree(vfs, the_kernel->pid_ns, &root, "sysfs", LINUX_SYSFS_MAGIC, out);
}
