// SPDX-License-Identifier: Apache-2.0
// covers: mbind, set_mempolicy, get_mempolicy, migrate_pages, move_pages, set_mempolicy_home_node
// Memory policies on a machine with one node (man 7 numa).
#include "guest.h"

#include <linux/mempolicy.h>
#include <sys/mman.h>

static long get(int *mode, unsigned long *nodes, unsigned long max, void *at, unsigned long flags) {
    return syscall(SYS_get_mempolicy, mode, nodes, max, at, flags);
}
static void need_numa(void) {
    if (get(NULL, NULL, 0, NULL, 0) != 0 && errno == ENOSYS)
        SKIP("a kernel without NUMA");
    unsigned long nodes[16] = {0};
    if (get(NULL, nodes, 1024, NULL, MPOL_F_MEMS_ALLOWED) != 0 || nodes[0] != 1)
        SKIP("more nodes than one");
}

TEST(of_a_thread) {
    int mode = -1;
    unsigned long one = 1, none = 0, two = 2, got[16] = {0};
    need_numa();
    EXPECT_EQ(get(&mode, NULL, 0, NULL, 0), 0);
    EXPECT_EQ(mode, MPOL_DEFAULT);
    EXPECT_EQ(syscall(SYS_set_mempolicy, MPOL_BIND, &one, 64), 0);
    EXPECT_EQ(get(&mode, got, 1024, NULL, 0), 0);
    EXPECT_EQ(mode, MPOL_BIND);
    EXPECT_EQ(got[0], 1);
    EXPECT_EQ(syscall(SYS_set_mempolicy, MPOL_PREFERRED, NULL, 0), 0);
    EXPECT_EQ(get(&mode, got, 1024, NULL, 0), 0);
    EXPECT_EQ(mode, MPOL_LOCAL);
    EXPECT_EQ(got[0], 0);
    EXPECT_EQ(syscall(SYS_set_mempolicy, MPOL_INTERLEAVE | MPOL_F_STATIC_NODES, &one, 64), 0);
    EXPECT_EQ(get(&mode, NULL, 0, NULL, 0), 0);
    EXPECT_EQ(mode, MPOL_INTERLEAVE | MPOL_F_STATIC_NODES);
    EXPECT_EQ(get(&mode, NULL, 0, NULL, MPOL_F_NODE), 0);
    EXPECT_EQ(mode, 0);
    EXPECT_EQ(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0), 0);
    EXPECT_ERRNO(get(&mode, NULL, 0, NULL, MPOL_F_NODE), EINVAL);
    EXPECT_ERRNO(get(&mode, NULL, 0, &mode, 0), EINVAL);
    EXPECT_ERRNO(get(&mode, NULL, 0, NULL, 1 << 7), EINVAL);
    EXPECT_ERRNO(get((int *)8, NULL, 0, NULL, 0), EFAULT);
    EXPECT_ERRNO(get(&mode, NULL, 0, NULL, MPOL_F_MEMS_ALLOWED | MPOL_F_ADDR), EINVAL);
    EXPECT_ERRNO(syscall(SYS_set_mempolicy, MPOL_BIND, &none, 64), EINVAL);
    EXPECT_ERRNO(syscall(SYS_set_mempolicy, MPOL_BIND, &two, 64), EINVAL);
    EXPECT_ERRNO(syscall(SYS_set_mempolicy, MPOL_BIND, NULL, 64), EINVAL);
    EXPECT_ERRNO(syscall(SYS_set_mempolicy, MPOL_BIND, 8, 64), EFAULT);
    EXPECT_ERRNO(syscall(SYS_set_mempolicy, MPOL_DEFAULT, &one, 64), EINVAL);
    EXPECT_ERRNO(syscall(SYS_set_mempolicy, MPOL_LOCAL, &one, 64), EINVAL);
    EXPECT_ERRNO(syscall(SYS_set_mempolicy, 77, &one, 64), EINVAL);
    EXPECT_ERRNO(syscall(SYS_set_mempolicy, MPOL_BIND, &one, 1ul << 20), EINVAL);
    int both = MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES;
    EXPECT_ERRNO(syscall(SYS_set_mempolicy, both, &one, 64), EINVAL);
}

TEST(of_memory) {
    int mode = -1;
    unsigned long one = 1, got[16] = {0};
    need_numa();
    char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    EXPECT_EQ(syscall(SYS_mbind, p + 4096, 8192, MPOL_BIND, &one, 64, 0), 0);
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(get(&mode, got, 1024, p + i * 4096, MPOL_F_ADDR), 0);
        EXPECT_EQ(mode, i == 1 || i == 2 ? MPOL_BIND : MPOL_DEFAULT);
    }
    p[0] = 1;
    EXPECT_EQ(get(&mode, NULL, 0, p, MPOL_F_ADDR | MPOL_F_NODE), 0);
    EXPECT_EQ(mode, 0);
    EXPECT_EQ(syscall(SYS_mbind, p, 16384, MPOL_DEFAULT, NULL, 0, 0), 0);
    EXPECT_EQ(get(&mode, NULL, 0, p + 4096, MPOL_F_ADDR), 0);
    EXPECT_EQ(mode, MPOL_DEFAULT);
    EXPECT_EQ(syscall(SYS_mbind, p, 0, MPOL_BIND, &one, 64, 0), 0);
    EXPECT_ERRNO(syscall(SYS_mbind, p + 1, 4096, MPOL_BIND, &one, 64, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_mbind, p, -4096ul, MPOL_BIND, &one, 64, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_mbind, p, 4096, MPOL_BIND, &one, 64, 1 << 9), EINVAL);
    EXPECT_ERRNO(syscall(SYS_mbind, p, 4096, 99, &one, 64, 0), EINVAL);
    munmap(p + 8192, 4096);
    EXPECT_ERRNO(syscall(SYS_mbind, p, 16384, MPOL_BIND, &one, 64, 0), EFAULT);
    EXPECT_ERRNO(get(&mode, NULL, 0, p + 8192, MPOL_F_ADDR), EFAULT);
    munmap(p, 16384);
}

TEST(pages) {
    unsigned long one = 1;
    need_numa();
    char *p = map_pages(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    p[0] = 1;
    void *pages[2] = {p, p + 8192};
    int status[2] = {-1, -1}, nodes[2] = {0, 0}, wrong[2] = {5, 5};
    munmap(p + 4096, 4096);
    pages[1] = p + 4096;
    EXPECT_EQ(syscall(SYS_move_pages, 0, 2, pages, NULL, status, 0), 0);
    EXPECT_EQ(status[0], 0);
    EXPECT_EQ(status[1], -EFAULT);
    EXPECT_EQ(syscall(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE), 0);
    EXPECT_EQ(status[0], 0);
    EXPECT_ERRNO(syscall(SYS_move_pages, 0, 1, pages, wrong, status, MPOL_MF_MOVE), ENODEV);
    EXPECT_ERRNO(syscall(SYS_move_pages, 0, 1, NULL, NULL, status, 0), EFAULT);
    EXPECT_ERRNO(syscall(SYS_move_pages, 0, 1, pages, NULL, NULL, 0), EFAULT);
    EXPECT_ERRNO(syscall(SYS_move_pages, 0, 1, pages, NULL, status, 1 << 8), EINVAL);
    EXPECT_ERRNO(syscall(SYS_move_pages, 99999, 1, pages, NULL, status, 0), ESRCH);
    EXPECT_EQ(syscall(SYS_move_pages, 0, 0, NULL, NULL, NULL, 0), 0);
    EXPECT_EQ(syscall(SYS_migrate_pages, 0, 64, &one, &one), 0);
    EXPECT_ERRNO(syscall(SYS_migrate_pages, 99999, 64, &one, &one), ESRCH);
    EXPECT_ERRNO(syscall(SYS_migrate_pages, 0, 64, &one, 8), EFAULT);
    munmap(p, 4096);
}

TEST(home_node) {
    unsigned long one = 1;
    need_numa();
    char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    EXPECT_ERRNO(syscall(SYS_set_mempolicy_home_node, p, 4096, 0, 0), ENOENT);
    EXPECT_EQ(syscall(SYS_mbind, p, 4096, MPOL_INTERLEAVE, &one, 64, 0), 0);
    EXPECT_ERRNO(syscall(SYS_set_mempolicy_home_node, p, 4096, 0, 0), EOPNOTSUPP);
    EXPECT_EQ(syscall(SYS_mbind, p, 4096, MPOL_BIND, &one, 64, 0), 0);
    EXPECT_EQ(syscall(SYS_set_mempolicy_home_node, p, 4096, 0, 0), 0);
    EXPECT_ERRNO(syscall(SYS_set_mempolicy_home_node, p, 4096, 0, 1), EINVAL);
    EXPECT_ERRNO(syscall(SYS_set_mempolicy_home_node, p, 4096, 7000, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_set_mempolicy_home_node, p + 1, 4096, 0, 0), EINVAL);
    munmap(p, 4096);
}
