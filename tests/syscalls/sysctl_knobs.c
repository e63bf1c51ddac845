// SPDX-License-Identifier: Apache-2.0
// Settings below /proc/sys that can be changed, and their effect: proc(5), sysctl.d. Natively they are the
// whole machine's, so there only what is refused, and what stands there already, is written.
// covers: msgget, shmget, pipe2, mq_open, inotify_init1
#include "guest.h"
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/shm.h>

static bool inside(void) {
    char text[256] = "";
    get_file("/proc/version", text, sizeof text);
    return strstr(text, "Picket") != NULL;
}
static int set(const char *name, const char *value) {
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/%s", name);
    int fd = open(path, O_WRONLY);
    if (fd < 0)
        return errno;
    int r = write(fd, value, strlen(value)) < 0 ? errno : 0;
    close(fd);
    return r;
}
static const char *get(const char *name) {
    static char text[128];
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/%s", name);
    memset(text, 0, sizeof text);
    get_file(path, text, sizeof text);
    return text;
}
#define NEED_ROOT                                                                                            \
    if (geteuid())                                                                                           \
    SKIP("needs root")
#define NEED_INSIDE                                                                                          \
    if (geteuid() || !inside())                                                                              \
    SKIP("would change the machine")

TEST(written_back) {
    NEED_ROOT;
    static const char *names[] = {"fs/lease-break-time", "fs/nr_open", "fs/pipe-max-size", "kernel/msgmni",
                                  "kernel/shmmni", "kernel/domainname", "vm/max_map_count",
                                  "fs/inotify/max_user_instances", "kernel/randomize_va_space"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char was[128];
        snprintf(was, sizeof was, "%s", get(names[i]));
        EXPECT_EQ(set(names[i], was), 0);
        EXPECT_STREQ(get(names[i]), was);
    }
}

TEST(refused) {
    NEED_ROOT;
    EXPECT_EQ(set("kernel/msgmni", "x"), EINVAL);
    EXPECT_EQ(set("fs/protected_symlinks", "7"), EINVAL);
}

TEST(ipc) {
    NEED_INSIDE;
    EXPECT_EQ(set("kernel/msgmni", "1"), 0);
    int q = ASSERT_OK(msgget(IPC_PRIVATE, 0600));
    EXPECT_ERRNO(msgget(IPC_PRIVATE, 0600), ENOSPC);
    EXPECT_OK(msgctl(q, IPC_RMID, NULL));
    EXPECT_EQ(set("kernel/msgmni", "4096"), 0);
    EXPECT_EQ(set("kernel/msg_next_id", "32771"), 0);
    q = ASSERT_OK(msgget(IPC_PRIVATE, 0600));
    EXPECT_EQ(q, 32771);
    EXPECT_STREQ(get("kernel/msg_next_id"), "-1\n");
    EXPECT_OK(msgctl(q, IPC_RMID, NULL));
    EXPECT_EQ(set("kernel/shmmax", "8192"), 0);
    EXPECT_ERRNO(shmget(IPC_PRIVATE, 8193, 0600), EINVAL);
    EXPECT_EQ(set("kernel/shmmax", "100000000"), 0);
    EXPECT_EQ(set("kernel/shmmni", "0"), 0);
    EXPECT_ERRNO(shmget(IPC_PRIVATE, 8192, 0600), ENOSPC);
    EXPECT_EQ(set("kernel/shmmni", "4096"), 0);
    EXPECT_EQ(set("kernel/msgmax", "10"), 0);
    struct {
        long type;
        char text[16];
    } m = {1, "too long by now"};
    q = ASSERT_OK(msgget(IPC_PRIVATE, 0600));
    EXPECT_ERRNO(msgsnd(q, &m, 11, 0), EINVAL);
    EXPECT_OK(msgsnd(q, &m, 10, 0));
    EXPECT_OK(msgctl(q, IPC_RMID, NULL));
    EXPECT_EQ(set("kernel/msgmax", "8192"), 0);
}

TEST(files) {
    NEED_INSIDE;
    EXPECT_EQ(set("fs/pipe-max-size", "5000"), 0);
    EXPECT_STREQ(get("fs/pipe-max-size"), "8192\n");
    EXPECT_EQ(set("fs/pipe-max-size", "1048576"), 0);
    EXPECT_EQ(set("fs/inotify/max_user_instances", "0"), 0);
    EXPECT_ERRNO(inotify_init1(0), EMFILE);
    EXPECT_EQ(set("fs/inotify/max_user_instances", "128"), 0);
    EXPECT_EQ(set("kernel/domainname", "example.org"), 0);
    EXPECT_STREQ(get("kernel/domainname"), "example.org\n");
    EXPECT_EQ(set("vm/max_map_count", "200"), 0);
    int refused = 0;
    void *at[256];
    int n = 0;
    for (; n < 256 && !refused; n++) {
        at[n] = mmap(NULL, 4096, n % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        refused = at[n] == MAP_FAILED ? errno : 0;
    }
    EXPECT_EQ(refused, ENOMEM);
    EXPECT_EQ(set("vm/max_map_count", "65400"), 0);
    for (int i = 0; i < n - 1; i++)
        munmap(at[i], 4096);
}

// The last map may pass the limit by one; then no area is made two, by whatever call (LTP's munmap04).
TEST(maps_at_the_limit) {
    NEED_INSIDE;
    EXPECT_EQ(set("vm/max_map_count", "200"), 0);
    char *at[256];
    int n = 0;
    for (bool full = false; n < 256 && !full; n++) {
        at[n] = mmap(NULL, 3 * 4096, n % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        full = at[n] == MAP_FAILED;
    }
    ASSERT_TRUE(n > 8 && n < 256);
    EXPECT_ERRNO(munmap(at[2] + 4096, 4096), ENOMEM);
    EXPECT_ERRNO(mprotect(at[2] + 4096, 4096, PROT_READ), ENOMEM);
    EXPECT_ERRNO(mlock(at[3] + 4096, 4096), ENOMEM);
    EXPECT_EQ((long)mmap(at[2] + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), -1);
    EXPECT_OK(mprotect(at[4], 3 * 4096, PROT_NONE));  // a whole one stays one
    EXPECT_OK(munmap(at[5], 3 * 4096));
    EXPECT_OK(munmap(at[6] + 2 * 4096, 4096));  // an end is cut off, nothing becomes two
    EXPECT_EQ(set("vm/max_map_count", "65400"), 0);
    EXPECT_OK(munmap(at[2] + 4096, 4096));
}

// In a directory that all may write to, somebody else's link is not followed.
TEST(symlinks) {
    NEED_INSIDE;
    in_tmpdir();
    ASSERT_OK(chmod(".", 01777));
    put_file("secret", "x");
    ASSERT_OK(symlink("secret", "link"));
    ASSERT_OK(lchown("link", 1234, 1234));
    EXPECT_OK(close(open("link", O_RDONLY)));
    EXPECT_EQ(set("fs/protected_symlinks", "1"), 0);
    EXPECT_ERRNO(open("link", O_RDONLY), EACCES);
    EXPECT_EQ(set("fs/protected_symlinks", "0"), 0);
}
