// SPDX-License-Identifier: Apache-2.0
// covers: landlock_create_ruleset, landlock_add_rule, landlock_restrict_self
// The three calls: what they refuse, who may use them, how deep domains go and who has them afterwards
// (man 7 landlock).
#include "landlock_rules.h"

TEST(version) {
    ll_needed();
    struct ll_attr a = {0};
    EXPECT_ERRNO(ll_create(&a, 0, 1), EINVAL);
    EXPECT_ERRNO(ll_create(NULL, 8, 1), EINVAL);
    EXPECT_OK(ll_create(NULL, 0, 2));
    EXPECT_ERRNO(ll_create(NULL, 0, 3), EINVAL);
    EXPECT_ERRNO(ll_create(NULL, 0, 1u << 31), EINVAL);
}

TEST(rulesets) {
    ll_needed();
    struct {
        struct ll_attr a;
        uint64_t more;
    } big = {.a = {.fs = FS_ALL}};
    EXPECT_ERRNO(ll_create(NULL, sizeof big.a, 0), EFAULT);
    EXPECT_ERRNO(ll_create(KERNEL_POINTER, sizeof big.a, 0), EFAULT);
    EXPECT_ERRNO(ll_create(&big, 7, 0), EINVAL);
    EXPECT_ERRNO(ll_create(&big, 0, 0), EINVAL);
    EXPECT_ERRNO(ll_create(&big, 4097, 0), E2BIG);
    int fd = EXPECT_OK(ll_create(&big, sizeof big, 0));
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    char c;
    EXPECT_ERRNO(read(fd, &c, 1), EINVAL);
    EXPECT_ERRNO(write(fd, &c, 1), EINVAL);
    EXPECT_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
    close(fd);
    big.more = 1;
    EXPECT_ERRNO(ll_create(&big, sizeof big, 0), E2BIG);
    static const struct ll_attr bad[] = {
        {1ull << 63, 0, 0}, {0, 4, 0}, {0, 0, 4}, {FS_ALL, 1ull << 40, 0}, {FS_ALL, 0, 1ull << 32}};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_ERRNO(ll_create(&bad[i], sizeof bad[i], 0), EINVAL);
    struct ll_attr none = {0};
    EXPECT_ERRNO(ll_create(&none, sizeof none, 0), ENOMSG);
    EXPECT_ERRNO(ll_create(&none, 8, 0), ENOMSG);
}

TEST(rules) {
    ll_needed();
    in_tmpdir();
    put_file("f", "");
    int dir = ASSERT_OK(open(".", O_PATH)), file = ASSERT_OK(open("f", O_RDONLY));
    int set = ll_ruleset(FS_READ_FILE | FS_READ_DIR, NET_BIND, 0), ends[2];
    ASSERT_OK(pipe(ends));
    struct ll_path p = {FS_READ_FILE, dir};
    EXPECT_ERRNO(ll_add(set, RULE_PATH, &p, 1), EINVAL);
    EXPECT_ERRNO(ll_add(set, 0, &p, 0), EINVAL);
    EXPECT_ERRNO(ll_add(set, 3, &p, 0), EINVAL);
    EXPECT_ERRNO(ll_add(set, RULE_PATH, NULL, 0), EFAULT);
    EXPECT_ERRNO(ll_add(-1, RULE_PATH, &p, 0), EBADF);
    EXPECT_ERRNO(ll_add(file, RULE_PATH, &p, 0), EBADFD);
    EXPECT_OK(ll_add(set, RULE_PATH, &p, 0));
    p.access = 0;
    EXPECT_ERRNO(ll_add(set, RULE_PATH, &p, 0), ENOMSG);
    p.access = FS_READ_FILE | FS_EXECUTE;
    EXPECT_ERRNO(ll_add(set, RULE_PATH, &p, 0), EINVAL);
    p = (struct ll_path){FS_READ_DIR, file};
    EXPECT_ERRNO(ll_add(set, RULE_PATH, &p, 0), EINVAL);  // not of a file
    p = (struct ll_path){FS_READ_FILE, file};
    EXPECT_OK(ll_add(set, RULE_PATH, &p, 0));
    p.fd = -1;
    EXPECT_ERRNO(ll_add(set, RULE_PATH, &p, 0), EBADF);
    p.fd = ends[0];
    EXPECT_ERRNO(ll_add(set, RULE_PATH, &p, 0), EBADFD);
    p.fd = set;
    EXPECT_ERRNO(ll_add(set, RULE_PATH, &p, 0), EBADFD);
    struct ll_port n = {NET_BIND, 65535};
    EXPECT_OK(ll_add(set, RULE_PORT, &n, 0));
    EXPECT_ERRNO(ll_add(set, RULE_PORT, KERNEL_POINTER, 0), EFAULT);
    n.port = 65536;
    EXPECT_ERRNO(ll_add(set, RULE_PORT, &n, 0), EINVAL);
    n = (struct ll_port){NET_CONNECT, 1};
    EXPECT_ERRNO(ll_add(set, RULE_PORT, &n, 0), EINVAL);
    n.access = 0;
    EXPECT_ERRNO(ll_add(set, RULE_PORT, &n, 0), ENOMSG);
    close(dir);
    close(file);
    close(set);
    close(ends[0]);
    close(ends[1]);
}

TEST(who_may) {
    ll_needed();
    int set = ll_ruleset(FS_MAKE_SOCK, 0, 0);
    IN_CHILD {
        if (geteuid() == 0)
            ASSERT_OK(setresuid(1000, 1000, 1000));
        EXPECT_ERRNO(ll_restrict(set, 0), EPERM);
        EXPECT_ERRNO(ll_restrict(-1, ~0u), EPERM);
        ASSERT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        EXPECT_ERRNO(ll_restrict(-1, 0), EBADF);
        EXPECT_ERRNO(ll_restrict(STDOUT_FILENO, 0), EBADFD);
        EXPECT_ERRNO(ll_restrict(set, 8), EINVAL);
        EXPECT_OK(ll_restrict(-1, 4));
        EXPECT_OK(ll_restrict(set, 7));
    }
    IN_CHILD {
        if (geteuid() != 0)
            SKIP("not root");
        EXPECT_OK(ll_restrict(set, 0));
    }
    close(set);
}

TEST(sixteen_layers) {
    ll_needed();
    in_tmpdir();
    IN_CHILD {
        int set = ll_ruleset(FS_MAKE_DIR, 0, 0);
        ll_allow(set, ".", FS_MAKE_DIR);
        ASSERT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        for (int i = 0; i < 16; i++)
            EXPECT_OK(ll_restrict(set, 0));
        EXPECT_ERRNO(ll_restrict(set, 0), E2BIG);
        EXPECT_OK(mkdir("d", 0700));
        EXPECT_ERRNO(mkdir("/landlock_of_a_test", 0700), EACCES);
    }
}

// A ruleset's rules are those that it had when it was put on; a rule more is for later.
TEST(rules_later) {
    ll_needed();
    in_tmpdir();
    ASSERT_OK(mkdir("a", 0700));
    IN_CHILD {
        int set = ll_ruleset(FS_MAKE_DIR, 0, 0);
        ASSERT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        ASSERT_OK(ll_restrict(set, 0));
        ll_allow(set, "a", FS_MAKE_DIR);
        EXPECT_ERRNO(mkdir("a/b", 0700), EACCES);
    }
    IN_CHILD {
        int set = ll_ruleset(FS_MAKE_DIR | FS_MAKE_REG, 0, 0);
        ll_allow(set, "a", FS_MAKE_DIR);
        ll_allow(set, "a", FS_MAKE_REG);  // both hold
        ll_enter(set);
        EXPECT_OK(mkdir("a/b", 0700));
        put_file("a/f", "");
        EXPECT_ERRNO(mkdir("c", 0700), EACCES);
    }
}

static void *in_thread(void *arg) {
    *(int *)arg = open("/", O_RDONLY | O_DIRECTORY) < 0 ? errno : 0;
    return NULL;
}
static pthread_barrier_t entered;
static void *before(void *arg) {
    pthread_barrier_wait(&entered);
    return in_thread(arg);
}

ROLE(look) { return open("/", O_RDONLY | O_DIRECTORY) < 0 ? errno : 0; }

// The thread alone, and what it starts: by clone, fork, exec.
TEST(inherited) {
    ll_needed();
    IN_CHILD {
        pthread_t old, new;
        int of_old = -1, of_new = -1;
        pthread_barrier_init(&entered, NULL, 2);
        ASSERT_EQ(pthread_create(&old, NULL, before, &of_old), 0);
        ll_enter(ll_ruleset(FS_READ_DIR, 0, 0));
        pthread_barrier_wait(&entered);
        pthread_join(old, NULL);
        ASSERT_EQ(pthread_create(&new, NULL, in_thread, &of_new), 0);
        pthread_join(new, NULL);
        EXPECT_EQ(of_old, 0);
        EXPECT_EQ(of_new, EACCES);
        pid_t pid = fork_child();
        if (pid == 0) {
            EXPECT_ERRNO(open("/", O_RDONLY | O_DIRECTORY), EACCES);
            execl(guest.exe, guest.exe, "look", NULL);
            _exit(1);
        }
        EXPECT_EQ(wait_exit(pid), EACCES);
    }
    EXPECT_OK(open("/", O_RDONLY | O_DIRECTORY));
}

// Rules of a sandbox are bounded: a guest that adds them without end is told, and all is given back.
TEST(many_rules) {
    ll_needed();
    alarm(200);  // a slow machine may take long for so many calls
    for (int round = 0; round < 2; round++) {
        int set = ll_ruleset(0, NET_BIND, 0);
        int n = 0;
        struct ll_port r = {NET_BIND, 0};
        for (; n < 20000; n++) {
            r.port = n;
            if (ll_add(set, RULE_PORT, &r, 0) < 0)
                break;
        }
        EXPECT_EQ(n, 20000);
        close(set);
    }
}
