// SPDX-License-Identifier: Apache-2.0
// covers: open, read, mmap
// /proc/self/maps shows our areas with their permissions and names (man 5 proc, /proc/pid/maps).
#include "guest.h"

struct area {
    unsigned long start, end;
    char perms[8];
    char path[PATH_MAX];
};

static bool find_area(const void *address, struct area *area)
{
    FILE *file = fopen("/proc/self/maps", "r");
    char line[PATH_MAX + 200];
    bool found = false;
    while (file && !found && fgets(line, sizeof(line), file)) {
        area->path[0] = 0;
        sscanf(line, "%lx-%lx %7s %*s %*s %*s %s", &area->start, &area->end, area->perms, area->path);
        found = (unsigned long)address >= area->start && (unsigned long)address < area->end;
    }
    if (file)
        fclose(file);
    return found;
}

TEST(anonymous)
{
    char *p = map_pages(5, PROT_READ, MAP_PRIVATE);
    struct area area;
    ASSERT_TRUE(find_area(p, &area));
    EXPECT_STREQ(area.perms, "r--p");
    EXPECT_OK(mprotect(p + 4096, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
    ASSERT_TRUE(find_area(p + 4096, &area));
    EXPECT_STREQ(area.perms, "rwxp");
    EXPECT_EQ(area.start, (unsigned long)p + 4096);
    EXPECT_EQ(area.end, (unsigned long)p + 8192);
    EXPECT_OK(munmap(p, 5 * 4096));
    EXPECT_TRUE(!find_area(p, &area));
}

TEST(file)
{
    in_tmpdir();
    put_file("mapped", "x");
    int fd = ASSERT_OK(open("mapped", O_RDWR));
    char *p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
    struct area area;
    ASSERT_TRUE(find_area(p, &area));
    EXPECT_STREQ(area.perms, "rw-s");
    EXPECT_STREQ(strrchr(area.path, '/'), "/mapped");
    munmap(p, 4096);
    close(fd);
}

TEST(special_areas)
{
    int on_stack;
    struct area area;
    ASSERT_TRUE(find_area(&on_stack, &area));
    EXPECT_STREQ(area.path, "[stack]");
    ASSERT_TRUE(find_area(sbrk(4096), &area));
    EXPECT_STREQ(area.path, "[heap]");
    ASSERT_TRUE(find_area(find_area, &area));
    EXPECT_STREQ(area.perms, "r-xp");
    EXPECT_STREQ(area.path, guest.exe);
}
