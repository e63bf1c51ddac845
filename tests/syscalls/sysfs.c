// SPDX-License-Identifier: Apache-2.0
// covers: open, read, readlink, statfs
// /sys has the processors, their caches and the memory node where programs look for them: sysfs(5),
// Documentation/ABI/stable/sysfs-devices-system-cpu and -node.
#include "guest.h"
#include <dirent.h>
#include <sys/vfs.h>

#define CPUS  "/sys/devices/system/cpu/"
#define NODES "/sys/devices/system/node/"
#define SYSFS_MAGIC 0x62656572

static char text[65536];

static char *line_of(const char *path)
{
    text[0] = '\0';
    get_file(path, text, sizeof(text));
    text[strcspn(text, "\n")] = '\0';
    return text;
}

// How many numbers "0-3,5" has.
static int count_of(const char *list)
{
    int count = 0;
    while (*list) {
        char *end;
        long from = strtol(list, &end, 10), to = from;
        if (*end == '-')
            to = strtol(end + 1, &end, 10);
        if (end == list)
            return -1;
        count += to - from + 1;
        list = *end == ',' ? end + 1 : end;
    }
    return count;
}

TEST(is_sysfs)
{
    struct statfs fs;
    EXPECT_OK(statfs("/sys", &fs));
    EXPECT_EQ(fs.f_type, SYSFS_MAGIC);
    EXPECT_TRUE(!access("/sys/class/net", F_OK));
    EXPECT_TRUE(!access("/sys/dev/block", F_OK));
    EXPECT_TRUE(!access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK));
}

TEST(processors)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    EXPECT_EQ(count_of(line_of(CPUS "online")), online);
    EXPECT_TRUE(count_of(line_of(CPUS "present")) >= online);
    EXPECT_TRUE(count_of(line_of(CPUS "possible")) >= online);
    EXPECT_EQ(atoi(line_of(CPUS "cpu0/topology/physical_package_id")), 0);
    int mine = count_of(line_of(CPUS "cpu0/topology/thread_siblings_list"));
    int package = count_of(line_of(CPUS "cpu0/topology/core_siblings_list"));
    EXPECT_RANGE(mine, 1, package);
    EXPECT_RANGE(package, 1, online);
    unsigned long map = strtoul(line_of(CPUS "cpu0/topology/core_cpus"), NULL, 16);
    EXPECT_EQ(map & 1, 1);
    DIR *d = opendir(CPUS);
    ASSERT_TRUE(d);
    long seen = 0;
    for (struct dirent *e; (e = readdir(d));)
        seen += !strncmp(e->d_name, "cpu", 3) && e->d_name[3] >= '0' && e->d_name[3] <= '9';
    closedir(d);
    EXPECT_TRUE(seen >= online);
    EXPECT_ERRNO(open(CPUS "cpu9999/topology/core_id", O_RDONLY), ENOENT);
    EXPECT_ERRNO(open(CPUS "cpu00", O_RDONLY), ENOENT);
}

TEST(caches)
{
    char path[128];
    int level = 0, n;
    long first = 0;
    for (n = 0; n < 16; n++) {
        snprintf(path, sizeof(path), CPUS "cpu0/cache/index%d/level", n);
        if (access(path, R_OK))
            break;
        int now = atoi(line_of(path));
        EXPECT_RANGE(now, level, 4);
        level = now;
        snprintf(path, sizeof(path), CPUS "cpu0/cache/index%d/type", n);
        bool data = !strcmp(line_of(path), "Data");
        snprintf(path, sizeof(path), CPUS "cpu0/cache/index%d/size", n);
        EXPECT_TRUE(strchr(line_of(path), 'K'));
        if (data && level == 1)
            first = atol(text) * 1024;
        snprintf(path, sizeof(path), CPUS "cpu0/cache/index%d/shared_cpu_list", n);
        EXPECT_TRUE(count_of(line_of(path)) >= 1);
    }
    EXPECT_TRUE(n >= 1);
    EXPECT_EQ(first, sysconf(_SC_LEVEL1_DCACHE_SIZE));  // of which glibc asks the processor
}

TEST(node)
{
    char to[256] = "";
    EXPECT_STREQ(line_of(NODES "online"), "0");
    EXPECT_EQ(count_of(line_of(NODES "node0/cpulist")), sysconf(_SC_NPROCESSORS_ONLN));
    EXPECT_STREQ(line_of(NODES "node0/distance"), "10");
    long kb = 0;
    EXPECT_EQ(sscanf(line_of(NODES "node0/meminfo"), "Node 0 MemTotal: %ld kB", &kb), 1);
    EXPECT_TRUE(kb > 0);
    EXPECT_TRUE(readlink(NODES "node0/cpu0", to, sizeof(to) - 1) > 0);
    EXPECT_STREQ(to, "../../cpu/cpu0");
    EXPECT_TRUE(!access(CPUS "cpu0/node0/cpulist", R_OK));
}

TEST(cannot_be_changed)
{
    EXPECT_EQ(open(CPUS "kernel_max", O_WRONLY) < 0, true);
    EXPECT_EQ(mkdir("/sys/picket", 0755) < 0, true);
    EXPECT_EQ(unlink(CPUS "online") < 0, true);
}

// Documentation/ABI/testing/sysfs-class-net: the loopback is the one device that is everywhere.
TEST(network_devices) {
    char link[256] = "";
    EXPECT_TRUE(readlink("/sys/class/net/lo", link, sizeof(link) - 1) > 0);
    EXPECT_STREQ(link, "../../devices/virtual/net/lo");
    EXPECT_STREQ(line_of("/sys/class/net/lo/address"), "00:00:00:00:00:00");
    EXPECT_STREQ(line_of("/sys/class/net/lo/ifindex"), "1");
    EXPECT_STREQ(line_of("/sys/class/net/lo/iflink"), "1");
    EXPECT_STREQ(line_of("/sys/class/net/lo/type"), "772");
    EXPECT_STREQ(line_of("/sys/class/net/lo/mtu"), "65536");
    EXPECT_STREQ(line_of("/sys/class/net/lo/addr_len"), "6");
    EXPECT_STREQ(line_of("/sys/class/net/lo/operstate"), "unknown");
    EXPECT_STREQ(line_of("/sys/class/net/lo/carrier"), "1");
    EXPECT_EQ(strtol(line_of("/sys/class/net/lo/flags"), NULL, 16) & 9, 9);  // IFF_UP, IFF_LOOPBACK
    EXPECT_STREQ(line_of("/sys/class/net/lo/uevent"), "INTERFACE=lo");
    EXPECT_EQ(atoll(line_of("/sys/class/net/lo/statistics/rx_bytes")),
              atoll(line_of("/sys/class/net/lo/statistics/tx_bytes")));
    int fd = ASSERT_OK(open("/sys/class/net/lo/speed", O_RDONLY));
    EXPECT_ERRNO(read(fd, text, sizeof(text)), EINVAL);
    close(fd);
    EXPECT_ERRNO(open("/sys/class/net/nosuch/mtu", O_RDONLY), ENOENT);
    EXPECT_OK(chdir("/sys/class/net/lo/statistics"));
    EXPECT_TRUE(getcwd(link, sizeof(link)) != NULL);
    EXPECT_STREQ(link, "/sys/devices/virtual/net/lo/statistics");
    DIR *d = opendir("/sys/class/net");
    bool found = false;
    for (struct dirent *e; d && (e = readdir(d));)
        if (!strcmp(e->d_name, "lo"))
            found = e->d_type == DT_LNK;
    EXPECT_TRUE(found);
    closedir(d);
}
