// SPDX-License-Identifier: Apache-2.0
// covers: add_key, request_key, keyctl
// Keys are made, found, read, changed, linked and revoked; rights, quotas and the refusals: keyrings(7),
// add_key(2), keyctl(2).
#include "guest.h"

#define ANCHOR (-3)  // KEY_SPEC_SESSION_KEYRING
enum { GET_ID, JOIN, UPDATE, REVOKE, CHOWN, SETPERM, DESCRIBE, CLEAR, LINK, UNLINK, SEARCH, READ };
enum { SET_REQKEY = 14, SET_TIMEOUT, INVALIDATE = 21, RESTRICT = 29, MOVE = 30 };
#define PROCESS (-2)
#define THREAD (-1)

static long add(const char *type, const char *name, const char *text, int ring) {
    return syscall(SYS_add_key, type, name, text, strlen(text), ring);
}
#define ctl(...) syscall(SYS_keyctl, __VA_ARGS__)

// Nothing holds it any more: Linux frees it some time later, and until then nobody has it.
static bool is_gone(long k) {
    char text[8];
    return ctl(READ, k, text, sizeof text) < 0 && (errno == ENOKEY || errno == EACCES);
}

static bool unsupported(void) {
    long r = ctl(JOIN, NULL);
    return r < 0 && errno == ENOSYS;
}
#define NEED_KEYS                                                                                            \
    if (unsupported())                                                                                       \
    SKIP("no keyrings")

TEST(made_read_and_changed) {
    NEED_KEYS;
    char text[64] = "";
    long k = ASSERT_OK(add("user", "one", "secret", PROCESS));
    EXPECT_EQ(ctl(READ, k, NULL, 0), 6);
    EXPECT_EQ(ctl(READ, k, text, 3), 6);
    EXPECT_STREQ(text, "");
    EXPECT_EQ(ctl(READ, k, text, sizeof text), 6);
    EXPECT_STREQ(text, "secret");
    EXPECT_EQ(add("user", "one", "other", PROCESS), k);
    EXPECT_EQ(ctl(READ, k, text, sizeof text), 5);
    EXPECT_OK(ctl(UPDATE, k, "third!!", 7));
    EXPECT_EQ(ctl(READ, k, text, sizeof text), 7);
    long len = ctl(DESCRIBE, k, text, sizeof text);
    EXPECT_EQ(len, strlen(text) + 1);
    EXPECT_TRUE(strstr(text, "user;") && strstr(text, ";3f010000;one"));
    EXPECT_EQ(syscall(SYS_request_key, "user", "one", NULL, 0), k);
    EXPECT_ERRNO(syscall(SYS_request_key, "user", "two", NULL, 0), ENOKEY);
    EXPECT_OK(ctl(CLEAR, PROCESS));
    EXPECT_TRUE(is_gone(k));
}

TEST(rings) {
    NEED_KEYS;
    int ids[4] = {0};
    char wide[8] = "";
    long ring = ASSERT_OK(add("keyring", "ring", "", PROCESS));
    long k = ASSERT_OK(add("user", "in", "x", (int)ring));
    EXPECT_EQ(ctl(READ, ring, ids, sizeof ids), 4);
    EXPECT_EQ(ids[0], k);
    EXPECT_EQ(ctl(SEARCH, PROCESS, "user", "in", 0), k);
    EXPECT_ERRNO(ctl(LINK, PROCESS, ring), EDEADLK);
    EXPECT_ERRNO(ctl(LINK, ring, k), ENOTDIR);
    EXPECT_OK(ctl(LINK, k, PROCESS));
    EXPECT_EQ(ctl(READ, PROCESS, wide, 4), 8);
    EXPECT_OK(ctl(UNLINK, k, ring));
    EXPECT_ERRNO(ctl(UNLINK, k, ring), ENOENT);
    EXPECT_OK(ctl(MOVE, k, PROCESS, ring, 1));
    EXPECT_ERRNO(ctl(MOVE, k, PROCESS, ring, 0), ENOENT);
    EXPECT_ERRNO(ctl(MOVE, k, ring, PROCESS, 2), EINVAL);
    EXPECT_OK(ctl(RESTRICT, ring, NULL, NULL));
    EXPECT_ERRNO(add("user", "more", "x", (int)ring), EPERM);
    EXPECT_OK(ctl(CLEAR, PROCESS));
}

// Seven keyrings in each other are too deep to be linked into an eighth that is searched.
TEST(depth) {
    NEED_KEYS;
    long inner = ASSERT_OK(add("keyring", "d", "", PROCESS));
    int refused = 0;
    for (int i = 0; i < 12 && !refused; i++) {
        char name[16];
        snprintf(name, sizeof name, "d%d", i);
        long outer = ASSERT_OK(add("keyring", name, "", THREAD));
        refused = ctl(LINK, inner, outer) < 0 ? errno : 0;
        inner = outer;
    }
    EXPECT_EQ(refused, ELOOP);

    EXPECT_OK(ctl(CLEAR, THREAD));
    EXPECT_OK(ctl(CLEAR, PROCESS));
}

TEST(ends) {
    NEED_KEYS;
    char text[8];
    long k = ASSERT_OK(add("user", "r", "x", PROCESS));
    EXPECT_OK(ctl(REVOKE, k));
    EXPECT_ERRNO(ctl(READ, k, text, sizeof text), EKEYREVOKED);
    EXPECT_ERRNO(syscall(SYS_request_key, "user", "r", NULL, 0), ENOKEY);
    EXPECT_ERRNO(ctl(SEARCH, PROCESS, "user", "r", 0), EKEYREVOKED);
    EXPECT_ERRNO(ctl(REVOKE, k), EKEYREVOKED);
    k = ASSERT_OK(add("user", "t", "x", PROCESS));
    EXPECT_OK(ctl(SET_TIMEOUT, k, 1));
    sleep_ms(1200);
    EXPECT_ERRNO(ctl(READ, k, text, sizeof text), EKEYEXPIRED);
    EXPECT_ERRNO(syscall(SYS_request_key, "user", "t", NULL, 0), ENOKEY);
    EXPECT_ERRNO(ctl(SEARCH, PROCESS, "user", "t", 0), EKEYEXPIRED);
    k = ASSERT_OK(add("user", "i", "x", PROCESS));
    EXPECT_OK(ctl(INVALIDATE, k));
    EXPECT_TRUE(is_gone(k));
    EXPECT_OK(ctl(CLEAR, PROCESS));
}

TEST(types) {
    NEED_KEYS;
    static char big[32769];
    char text[8];
    memset(big, 'x', 32768);
    EXPECT_ERRNO(add("user", "u", "", PROCESS), EINVAL);
    EXPECT_ERRNO(add("user", "u", big, PROCESS), EINVAL);
    EXPECT_ERRNO(add("keyring", "u", "x", PROCESS), EINVAL);
    EXPECT_ERRNO(add("logon", "plain", "x", PROCESS), EINVAL);
    long k = ASSERT_OK(add("logon", "a:b", "x", PROCESS));
    EXPECT_ERRNO(ctl(READ, k, text, sizeof text), EOPNOTSUPP);
    EXPECT_ERRNO(add("nonsense", "u", "x", PROCESS), ENODEV);
    EXPECT_ERRNO(add(".dot", "u", "x", PROCESS), EPERM);
    EXPECT_ERRNO(add("keyring", ".dot", "", PROCESS), EPERM);
    EXPECT_ERRNO(ctl(JOIN, ".dot"), EPERM);
    EXPECT_ERRNO(add("user", "u", "x", -6), EINVAL);
    EXPECT_ERRNO(add("user", "u", "x", 0), EINVAL);
    EXPECT_ERRNO(add("user", "u", "x", (int)k), ENOTDIR);
    EXPECT_ERRNO(syscall(SYS_add_key, "user", "u", NULL_POINTER, 1, PROCESS), EFAULT);
    EXPECT_ERRNO(syscall(SYS_add_key, NULL_POINTER, "u", "x", 1, PROCESS), EFAULT);
    EXPECT_ERRNO(syscall(SYS_add_key, "user", KERNEL_POINTER, "x", 1, PROCESS), EFAULT);
    EXPECT_ERRNO(syscall(SYS_add_key, "user", "u", "x", (size_t)1 << 20, PROCESS), EINVAL);
    EXPECT_ERRNO(ctl(SETPERM, k, 0x40), EINVAL);
    EXPECT_ERRNO(ctl(READ, 0x7ffffff0, text, sizeof text), ENOKEY);
    EXPECT_ERRNO(ctl(12, k, "x", 1, 0), EPERM);
    EXPECT_ERRNO(ctl(9999), EOPNOTSUPP);
    EXPECT_OK(ctl(CLEAR, PROCESS));
}

// Threads, processes and programs: what is theirs goes with them, what is the session's stays.
TEST(inherited) {
    NEED_KEYS;
    long session = ASSERT_OK(ctl(JOIN, NULL)), k = ASSERT_OK(add("user", "s", "x", ANCHOR));
    ASSERT_OK(add("user", "p", "x", PROCESS));
    EXPECT_OK(ctl(SET_REQKEY, 1));
    EXPECT_OK(ctl(GET_ID, THREAD, 0));
    EXPECT_ERRNO(ctl(SET_REQKEY, 6), EINVAL);
    EXPECT_EQ(ctl(SET_REQKEY, -1), 1);
    IN_CHILD {
        EXPECT_EQ(ctl(GET_ID, ANCHOR, 0), session);
        EXPECT_EQ(syscall(SYS_request_key, "user", "s", NULL, 0), k);
        EXPECT_ERRNO(syscall(SYS_request_key, "user", "p", NULL, 0), ENOKEY);
        EXPECT_ERRNO(ctl(GET_ID, THREAD, 0), ENOKEY);
        EXPECT_ERRNO(ctl(GET_ID, PROCESS, 0), ENOKEY);
    }
    EXPECT_OK(ctl(SET_REQKEY, 0));
    EXPECT_OK(ctl(CLEAR, PROCESS));
}

// A key that allows nothing can be neither read nor changed, and is not found.
TEST(rights) {
    NEED_KEYS;
    char text[8];
    long k = ASSERT_OK(add("user", "q", "x", PROCESS));
    EXPECT_OK(ctl(SETPERM, k, 0x20200000));
    EXPECT_ERRNO(ctl(READ, k, text, sizeof text), EACCES);
    EXPECT_ERRNO(ctl(UPDATE, k, "y", 1), EACCES);
    EXPECT_ERRNO(ctl(DESCRIBE, k, text, sizeof text), EACCES);
    EXPECT_ERRNO(syscall(SYS_request_key, "user", "q", NULL, 0), ENOKEY);
    EXPECT_ERRNO(ctl(SEARCH, PROCESS, "user", "q", 0), EACCES);
    if (geteuid())
        EXPECT_ERRNO(ctl(CHOWN, k, 12345, -1), EACCES);
    EXPECT_OK(ctl(CLEAR, PROCESS));
}

// What is moved lies in what it takes the place of, and nothing else holds that.
TEST(moved_out_of_what_it_replaces) {
    NEED_KEYS;
    char text[64];
    int ids[2];
    long to = ASSERT_OK(add("keyring", "to", "", PROCESS)), q = ASSERT_OK(add("keyring", "q", "", (int)to));
    long from = ASSERT_OK(add("keyring", "from", "", (int)q));
    long k = ASSERT_OK(add("keyring", "q", "", (int)from));
    ASSERT_OK(add("user", "inside", "x", (int)k));
    EXPECT_OK(ctl(MOVE, k, from, to, 0));
    EXPECT_EQ(ctl(READ, to, ids, sizeof ids), sizeof(int));
    EXPECT_EQ(ids[0], k);
    EXPECT_EQ(ctl(READ, k, ids, sizeof ids), sizeof(int));
    EXPECT_TRUE(is_gone(q) && is_gone(from));
    EXPECT_TRUE(ctl(DESCRIBE, k, text, sizeof text) > 0);
    EXPECT_OK(ctl(CLEAR, PROCESS));
}

// The keyrings of a user are his whoever is charged for them.
TEST(users_ring_given_away) {
    NEED_KEYS;
    if (geteuid())
        SKIP("needs CAP_SYS_ADMIN");
    IN_CHILD {
        ASSERT_OK(setresuid(4322, 4322, 0));
        long ring = ASSERT_OK(ctl(GET_ID, -4, 1)), session = ASSERT_OK(ctl(GET_ID, -5, 1));
        ASSERT_OK(ctl(SETPERM, ring, 0x3f3f3f3f));
        ASSERT_OK(ctl(SETPERM, session, 0x3f3f3f3f));
        ASSERT_OK(seteuid(0));
        EXPECT_OK(ctl(CHOWN, ring, 4323, -1));
        EXPECT_OK(ctl(CHOWN, session, 4323, -1));
        EXPECT_EQ(ctl(GET_ID, -4, 0), ring);
        long rings[] = {ring, session};
        for (int i = 0; i < 2; i++) {  // as they were
            EXPECT_OK(ctl(CHOWN, rings[i], 4322, -1));
            EXPECT_OK(ctl(SETPERM, rings[i], 0x1f3f0000));
        }
    }
}

static bool is_shown(const char *description) {
    static char text[1 << 20];
    FILE *f = fopen("/proc/keys", "r");
    ASSERT_TRUE(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    return strstr(text, description);
}

// /proc/keys has what the reader may view: here what only a possessor may, as far as keyrings lead to it.
TEST(shown_to_who_possesses) {
    NEED_KEYS;
    if (access("/proc/keys", R_OK) < 0)
        SKIP("no /proc/keys");
    long outer = ASSERT_OK(add("keyring", "outer", "", PROCESS));
    long inner = ASSERT_OK(add("keyring", "inner", "", (int)outer));
    long k = ASSERT_OK(add("user", "for-possessors", "x", (int)inner));
    ASSERT_OK(add("user", "for-anybody", "x", (int)inner));
    EXPECT_OK(ctl(SETPERM, k, 0x09000000));
    EXPECT_TRUE(is_shown("for-possessors") && is_shown("for-anybody"));
    IN_CHILD {
        EXPECT_TRUE(!is_shown("for-possessors") && is_shown("for-anybody"));
    }
    long unfound = ASSERT_OK(add("user", "not-to-be-found", "x", (int)inner));
    EXPECT_OK(ctl(SETPERM, unfound, 0x01000000));  // nobody possesses what cannot be searched for
    EXPECT_TRUE(!is_shown("not-to-be-found"));
    EXPECT_ERRNO(ctl(DESCRIBE, unfound, NULL, 0), EACCES);
    EXPECT_OK(ctl(SETPERM, inner, 0x37370000));  // no search: it leads nowhere
    EXPECT_TRUE(!is_shown("for-possessors"));
    EXPECT_OK(ctl(CLEAR, PROCESS));
}

// A user's keys are counted: EDQUOT comes before memory is gone.
TEST(quota) {
    NEED_KEYS;
    if (geteuid())
        SKIP("needs another user");
    IN_CHILD {
        ASSERT_OK(setresuid(4321, 4321, 4321));
        int refused = 0;
        for (int i = 0; i < 300 && !refused; i++) {
            char name[16];
            snprintf(name, sizeof name, "n%d", i);
            refused = add("user", name, "payload", PROCESS) < 0 ? errno : 0;
        }
        EXPECT_EQ(refused, EDQUOT);
        static char big[20001];
        memset(big, 'x', 20000);
        EXPECT_ERRNO(add("user", "big", big, PROCESS), EDQUOT);
    }
}
