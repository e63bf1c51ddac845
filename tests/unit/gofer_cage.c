// SPDX-License-Identifier: Apache-2.0
// The gofer as a process: started as the CLI starts it, asked over its socket, and, with code planted in it
// after the cage is up, seen to be dead or refused for everything that is not file service.
#include "tests/unit/gofer_fixture.h"
#include "gofer/cage.h"
#include <arpa/inet.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static pid_t start(int *sock, const struct gofer_root *roots, int n) {
    int sv[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(sv[0]);
        _exit(gofer_run(sv[1], roots, n));
    }
    close(sv[1]);
    *sock = sv[0];
    return pid;
}

static int end_of(pid_t pid) {
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_process(void **state) {
    struct fixture *f = *state;
    int sock, fd;
    struct gofer_root roots[] = {{f->root, true}};
    pid_t pid = start(&sock, roots, 1);
    struct gofer_client *c = gofer_client_open(sock);
    uint64_t root;
    bool writable;
    struct gofer_attr a;
    assert_int_equal(client_attach(c, 0, &root, &writable, &a), 0);
    fd = client_create(c, root, "made", 0600, geteuid(), getegid(), &a);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "abc", 3, 0), 3);
    close(fd);
    fd = client_open(c, root, "made", GOFER_OPEN_READ, &a);
    assert_true(fd >= 0);
    assert_int_equal(a.size, 3);
    close(fd);
    assert_int_equal(client_mkdir(c, root, "d", 0700, geteuid(), getegid(), &a), 0);
    assert_int_equal(client_rename(c, root, "made", root, "moved", 0), 0);
    assert_int_equal(client_link(c, root, "again", root, "moved", &a), 0);
    struct gofer_setattr_req q = {
        .handle = root, .valid = GOFER_SET_MODE | GOFER_SET_SIZE, .mode = 0640, .size = 1};
    assert_int_equal(client_setattr(c, &q, "moved", &a), 0);
    assert_int_equal(client_fsync(c, root, "moved", false), 0);
    // How it looks from outside.
    char path[64], text[64] = "";
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    fd = open(path, O_RDONLY);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    assert_string_equal(text, "picket-gofer\n");
    gofer_client_free(c);  // the peer closes: it ends well
    assert_int_equal(end_of(pid), 0);
}

static void test_broken_frame_ends_it(void **state) {
    struct fixture *f = *state;
    int sock;
    struct gofer_root roots[] = {{f->root, false}};
    pid_t pid = start(&sock, roots, 1);
    assert_int_equal(send(sock, "nonsense", 8, 0), 8);
    int status = end_of(pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    close(sock);
}

// Descriptors in a request never arrive; a peer that reads no replies harms nobody else.
static void test_descriptors_are_dropped(void **state) {
    struct fixture *f = *state;
    int sock;
    struct gofer_root roots[] = {{f->root, false}};
    pid_t pid = start(&sock, roots, 1);
    uint8_t rec[GOFER_HDR_SIZE];
    struct gofer_hdr h = {GOFER_HDR_SIZE, 60000, 0, 1, 0};
    gofer_put_hdr(rec, &h);
    char room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {rec, sizeof(rec)};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &sock, sizeof(int));
    assert_int_equal(sendmsg(sock, &m, 0), (ssize_t)sizeof(rec));
    assert_int_equal(recv(sock, rec, sizeof(rec), 0), (ssize_t)sizeof(rec));
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    int n = 0;
    DIR *d = opendir(path);
    if (d) {  // as an ordinary user: not dumpable, so not to be seen
        while (readdir(d))
            n++;
        closedir(d);
        assert_in_range(n, 2 + 3, 2 + 4);  // dots; connection, /proc/self/fd, root, stderr
    }
    close(sock);
    assert_int_equal(end_of(pid), 0);
}

// ---- Planted code -----------------------------------------------------------------------------------------
struct plant {
    const char *name;
    bool writable;
    int want;  // a signal, or 0: the planted code itself says whether it was refused
    bool (*refused)(struct gofer_server *s);
};

static long sys(long nr, long a, long b, long c, long d) { return syscall(nr, a, b, c, d, 0, 0); }
static bool p_socket(struct gofer_server *s) { return sys(SYS_socket, AF_INET, SOCK_STREAM, 0, 0) < 0; }
static bool p_unix(struct gofer_server *s) { return sys(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 0) < 0; }
static bool p_execve(struct gofer_server *s) { return sys(SYS_execve, (long)"/bin/true", 0, 0, 0) < 0; }
static bool p_fork(struct gofer_server *s) { return sys(SYS_fork, 0, 0, 0, 0) < 0; }
static bool p_open(struct gofer_server *s) { return sys(SYS_open, (long)"/etc/passwd", O_RDONLY, 0, 0) < 0; }
static bool p_openat(struct gofer_server *s) {
    return sys(SYS_openat, AT_FDCWD, (long)"/etc/passwd", 0, 0) < 0;
}
static bool p_ptrace(struct gofer_server *s) { return sys(SYS_ptrace, PTRACE_ATTACH, getppid(), 0, 0) < 0; }
static bool p_kill(struct gofer_server *s) { return sys(SYS_kill, 1, 0, 0, 0) < 0; }
#ifndef PICKET_SANITIZED  // whose run-time may map
static bool p_exec_map(struct gofer_server *s) { return sys(SYS_mmap, 0, 4096, PROT_EXEC, MAP_PRIVATE) < 0; }
#endif
static bool p_mknod(struct gofer_server *s) {
    return sys(SYS_mknodat, s->roots[0].fd, (long)"n", S_IFCHR, 259) < 0;
}
static bool p_ioctl(struct gofer_server *s) { return sys(SYS_ioctl, 2, 0x5412, 0, 0) < 0; }
static bool p_chroot(struct gofer_server *s) { return sys(SYS_chroot, (long)"/", 0, 0, 0) < 0; }
static bool p_unlink_ro(struct gofer_server *s) {
    return sys(SYS_unlinkat, s->roots[0].fd, (long)"f", 0, 0) < 0;
}
static bool p_sendmsg_other(struct gofer_server *s) {
    struct msghdr m = {0};
    return sys(SYS_sendmsg, s->roots[0].fd, (long)&m, 0, 0) < 0;
}
static bool p_x32(struct gofer_server *s) { return sys(SYS_getpid | 0x40000000, 0, 0, 0, 0) < 0; }
static bool p_absolute(struct gofer_server *s) {
    return gofer_openat2(AT_FDCWD, "/etc/passwd", O_RDONLY, 0, 0) < 0;
}
// Landlock: out of the root by "..", although the root's descriptor stands outside the chroot.
static bool p_dotdot(struct gofer_server *s) {
    int dir = gofer_openat2(s->roots[0].fd, "../../etc", O_PATH, 0, 0);
    return gofer_openat2(dir, "passwd", O_RDONLY, 0, 0) == -EACCES;
}
static bool p_write_ro(struct gofer_server *s) {
    return gofer_openat2(s->roots[0].fd, "f", O_WRONLY, 0, 0) == -EACCES &&
           gofer_openat2(s->roots[0].fd, "new", O_WRONLY | O_CREAT, 0600, 0) == -EACCES;
}

static bool has_landlock(void) { return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 1; }

static int run_planted(struct fixture *f, const struct plant *p) {
    int sv[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct gofer_server *s = malloc(sizeof(*s));
        struct gofer_root root = {f->root, p->writable};
        if (gofer_server_init(s, &root, 1, 10) || gofer_cage(s, sv[1]))
            _exit(2);
        _exit(p->refused(s) ? 0 : 1);
    }
    close(sv[0]);
    close(sv[1]);
    return end_of(pid);
}

static void test_planted_code(void **state) {
    struct fixture *f = *state;
    static const struct plant plants[] = {
        {"socket", true, SIGSYS, p_socket},       {"socketpair", true, SIGSYS, p_unix},
        {"execve", true, SIGSYS, p_execve},       {"fork", true, SIGSYS, p_fork},
        {"open", true, SIGSYS, p_open},           {"openat", true, SIGSYS, p_openat},
        {"ptrace", true, SIGSYS, p_ptrace},       {"kill", true, SIGSYS, p_kill},
        {"mknodat", true, SIGSYS, p_mknod},       {"ioctl", true, SIGSYS, p_ioctl},
        {"chroot", true, SIGSYS, p_chroot},       {"unlink in a read-only gofer", false, SIGSYS, p_unlink_ro},
        {"sendmsg", true, SIGSYS, p_sendmsg_other}, {"x32", true, SIGSYS, p_x32},
#ifndef PICKET_SANITIZED
        {"executable memory", true, SIGSYS, p_exec_map},
#endif
    };
    static const struct plant confined[] = {
        {"absolute path", true, 0, p_absolute},
        {"dotdot", true, 0, p_dotdot},
        {"write to a read-only root", false, 0, p_write_ro},
    };
    put_file(in_root(f, "f"), "x");
    for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
        int status = run_planted(f, &plants[i]);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != plants[i].want)
            fail_msg("%s: status %x", plants[i].name, status);
    }
    assert_int_equal(access(in_root(f, "f"), F_OK), 0);
    for (size_t i = 0; has_landlock() && i < sizeof(confined) / sizeof(confined[0]); i++)
        if (run_planted(f, &confined[i]) != 0)
            fail_msg("%s: not refused", confined[i].name);
}

static bool no_caps(struct gofer_server *s) {
    // Seen from inside by what they allow: a read-only gofer as root may read all, and change nothing.
    return prctl(PR_CAPBSET_READ, 0) <= 0;
}
static void test_capabilities(void **state) {
    struct fixture *f = *state;
    pid_t pid = fork();
    if (pid == 0) {
        if (cage_capabilities(false))
            _exit(2);
        char line[128];
        unsigned long long eff = ~0ull;
        FILE *in = fopen("/proc/self/status", "r");
        while (in && fgets(line, sizeof(line), in))
            sscanf(line, "CapEff: %llx", &eff);
        bool ok = eff == (geteuid() == 0 ? eff & (4 | 2) : 0) && (eff & (eff - 1)) == 0;
        ok &= geteuid() != 0 || no_caps(f->s);
        ok &= geteuid() != 0 || mknod(in_root(f, "dev"), S_IFCHR | 0600, 259) < 0;
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(end_of(pid), 0);
}

static void test_parent_dies(void **state) {
    struct fixture *f = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t parent = fork();
    if (parent == 0) {
        int sock;
        struct gofer_root roots[] = {{f->root, false}};
        start(&sock, roots, 1);
        usleep(100000);
        _exit(0);
    }
    // The gofer lets go of what it inherited, so the pipe ends with the parent, whatever becomes of the
    // gofer.
    close(ends[1]);
    char c;
    assert_int_equal(read(ends[0], &c, 1), 0);
    close(ends[0]);
    assert_int_equal(end_of(parent), 0);
}

#define WITH_ROOT(t) cmocka_unit_test_setup_teardown(t, fixture_up, fixture_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_ROOT(test_process),
        WITH_ROOT(test_broken_frame_ends_it),
        WITH_ROOT(test_descriptors_are_dropped),
        WITH_ROOT(test_planted_code),
        WITH_ROOT(test_capabilities),
        WITH_ROOT(test_parent_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
