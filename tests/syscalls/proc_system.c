// SPDX-License-Identifier: Apache-2.0
// covers: open, read
// /proc/meminfo, cpuinfo, mounts, self/mounts, stat, uptime and version have what programs look for (man 5
// proc).
#include "guest.h"

static char text[200000];

TEST(meminfo)
{
    long total = 0, avail = 0;
    ASSERT_TRUE(get_file("/proc/meminfo", text, sizeof(text)) > 0);
    EXPECT_EQ(sscanf(text, "MemTotal: %ld kB", &total), 1);
    char *line = strstr(text, "MemAvailable:");
    ASSERT_TRUE(line);
    EXPECT_EQ(sscanf(line, "MemAvailable: %ld kB", &avail), 1);
    EXPECT_RANGE(avail, 1, total);
}

TEST(cpuinfo)
{
    ASSERT_TRUE(get_file("/proc/cpuinfo", text, sizeof(text)) > 0);
    int count = 0;
    for (char *p = text; (p = strstr(p, "processor\t:")); p++)
        count++;
    EXPECT_EQ(count, sysconf(_SC_NPROCESSORS_ONLN));
    EXPECT_TRUE(strstr(text, "flags\t"));
}

TEST(mounts)
{
    ASSERT_TRUE(get_file("/proc/mounts", text, sizeof(text)) > 0);
    EXPECT_TRUE(strstr(text, " / "));
    EXPECT_TRUE(strstr(text, " /proc proc "));
    ASSERT_TRUE(get_file("/proc/self/mounts", text, sizeof(text)) > 0);
    EXPECT_TRUE(strstr(text, " / "));
}

TEST(others)
{
    double up = 0;
    ASSERT_TRUE(get_file("/proc/uptime", text, sizeof(text)) > 0);
    EXPECT_EQ(sscanf(text, "%lf", &up), 1);
    EXPECT_TRUE(up >= 0);
    ASSERT_TRUE(get_file("/proc/stat", text, sizeof(text)) > 0);
    EXPECT_EQ(strncmp(text, "cpu ", 4), 0);
    ASSERT_TRUE(get_file("/proc/version", text, sizeof(text)) > 0);
    EXPECT_EQ(strncmp(text, "Linux version ", 14), 0);
    ASSERT_TRUE(get_file("/proc/filesystems", text, sizeof(text)) > 0);
    EXPECT_TRUE(strstr(text, "nodev\tproc\n"));
}

TEST(reading_in_pieces)
{
    int fd = ASSERT_OK(open("/proc/meminfo", O_RDONLY));
    char c[8] = {0};
    EXPECT_EQ(read(fd, c, 3), 3);
    EXPECT_STREQ(c, "Mem");
    EXPECT_EQ(read(fd, c, 5), 5);
    EXPECT_MEMEQ(c, "Total", 5);
    EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
    EXPECT_EQ(pread(fd, c, 5, 3), 5);
    EXPECT_MEMEQ(c, "Total", 5);
    close(fd);
}
