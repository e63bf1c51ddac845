// SPDX-License-Identifier: Apache-2.0
// For a sentry that was built to betray its host: every host call with LET_ON in its sixth argument is let
// on, as one that was taken over could do (run_planted.py). What can a stub reach then? Prints `try NAME
// RESULT` for each attempt, RESULT being what the host kernel gave, or `killed N`. The runner judges, and
// looks at what was aimed at. With a faithful sentry these are calls like any other.
#include "escape.h"
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define LET_ON 0x41545441

static struct {
    unsigned udp, vsock;  // ports on the host
    int key;
    const char *secret;   // a file
} aim;
static char file[96], other[96], sock[96];

// Under ptrace, rbx tells the planted tracer to look away from the next call.
static long let_on(long nr, long a, long b, long c, long d, long e) {
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = LET_ON;
    long ret;
    __asm__ volatile("mov %3, %%r12\n\t"
                     "mov %4, %%r13\n\t"
                     "mov %5, %%r14\n\t"
                     "mov %6, %%r15\n\t"
                     "mov $39, %%eax\n\t"
                     "xor %%edi, %%edi\n\t"
                     "syscall\n\t"
                     "mov %%r12, %%rax\n\t"
                     "mov %%r13, %%rdi\n\t"
                     "mov %%r14, %%rsi\n\t"
                     "mov %%r15, %%rdx\n\t"
                     "call *%2\n\t"
                     : "=a"(ret)
                     : "b"((long)LET_ON), "m"(host.gate), "m"(nr), "m"(a), "m"(b), "m"(c), "r"(r10), "r"(r8),
                       "r"(r9)
                     : "rdi", "rsi", "rdx", "rcx", "r11", "r12", "r13", "r14", "r15", "memory");
    return ret;
}
#define LET(nr, ...) LET_(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0)
#define LET_(nr, a, b, c, d, e, ...) let_on(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))

// ---- Is the sentry the planted one? -----------------------------------------------------------------------
static long control(void) {
    struct utsname u;
    long r = LET(SYS_uname, &u);
    if (r < 0)
        return r;
    return strstr(u.release, "picket") ? -1000 : 0;
}

// ---- Files ------------------------------------------------------------------------------------------------
static long get(const char *path) {
    char text[64];
    long fd = LET(SYS_openat, AT_FDCWD, path, O_RDONLY);
    return fd < 0 ? fd : LET(SYS_read, fd, text, sizeof text);
}
static long f_secret(void) { return get(aim.secret); }
static long f_environ(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", host.victim);
    return get(path);
}
static long f_self(void) { return get("/proc/self/status"); }
static long f_directory(void) { return LET(SYS_openat, AT_FDCWD, "/etc", O_RDONLY | O_DIRECTORY); }
static long f_device(void) { return LET(SYS_openat, AT_FDCWD, "/dev/tty", O_RDWR); }
static long f_write(void) {
    long fd = LET(SYS_openat, AT_FDCWD, file, O_WRONLY | O_APPEND);
    return fd < 0 ? fd : LET(SYS_write, fd, "OWNED", 5);
}
static long f_truncate(void) { return LET(SYS_truncate, file, 0); }
static long f_create(void) { return LET(SYS_openat, AT_FDCWD, other, O_WRONLY | O_CREAT, 0644); }
static long f_mkdir(void) { return LET(SYS_mkdir, other, 0755); }
static long f_mknod(void) { return LET(SYS_mknod, other, S_IFIFO | 0644, 0); }
static long f_symlink(void) { return LET(SYS_symlink, "/etc/passwd", other); }
static long f_unlink(void) { return LET(SYS_unlink, file); }
static long f_rename(void) { return LET(SYS_rename, file, other); }
static long f_here(void) { return LET(SYS_openat, AT_FDCWD, "x", O_WRONLY | O_CREAT, 0644); }
static long f_exec(void) {
    const char *argv[] = {"true", NULL};
    return LET(SYS_execve, "/bin/true", argv, argv + 1);
}
// What Landlock knows no right for.
static long p_stat(void) { struct stat st; return LET(SYS_stat, file, &st); }
static long p_readlink(void) { char text[64]; return LET(SYS_readlink, "/proc/self/exe", text, sizeof text); }
static long p_chdir(void) { return LET(SYS_chdir, "/tmp"); }
static long p_chmod(void) { return LET(SYS_chmod, file, 0600); }
static long p_utime(void) { return LET(SYS_utimensat, AT_FDCWD, file, 0, 0); }
static long p_xattr(void) { return LET(SYS_setxattr, file, "user.x", "x", 1, 0); }

static long connect_to(int family, int type, const void *address, size_t len) {
    long fd = LET(SYS_socket, family, type, 0);
    long r = fd < 0 ? fd : LET(SYS_connect, fd, address, len);
    return r < 0 ? r : LET(SYS_write, fd, "OWNED", 5);
}
static long inet(int type, unsigned port) {
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connect_to(AF_INET, type, &in, sizeof in);
}
static long n_tcp(void) { return inet(SOCK_STREAM, host.port); }
static long n_udp(void) { return inet(SOCK_DGRAM, aim.udp); }
static long n_listen(void) {
    struct sockaddr_in in = {.sin_family = AF_INET};
    long fd = LET(SYS_socket, AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? fd : LET(SYS_bind, fd, &in, sizeof in);
}
static long n_path(void) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%s", sock);
    return connect_to(AF_UNIX, SOCK_STREAM, &un, sizeof un);
}
static long n_abstract(void) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path + 1, sizeof un.sun_path - 1, "%s", host.name);
    return connect_to(AF_UNIX, SOCK_STREAM, &un,
                      offsetof(struct sockaddr_un, sun_path) + 1 + strlen(host.name));
}
static long n_packet(void) { return LET(SYS_socket, AF_PACKET, SOCK_RAW, htons(3)); }
static long n_raw(void) { return LET(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP); }
// The interfaces that a dump by netlink shows: 1, lo, in an empty network.
static long n_netlink(void) {
    struct {
        struct nlmsghdr h;
        struct { unsigned char family, pad; uint16_t type; int index; unsigned flags, change; } link;
    } ask = {{sizeof ask, 18 /* RTM_GETLINK */, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {0}};
    static char answer[65536];
    long fd = LET(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), links = 0;
    long r = fd < 0 ? fd : LET(SYS_write, fd, &ask, sizeof ask);
    long n = r < 0 ? r : LET(SYS_read, fd, answer, sizeof answer);
    for (struct nlmsghdr *h = (struct nlmsghdr *)answer; n > 0 && NLMSG_OK(h, n); h = NLMSG_NEXT(h, n))
        links += h->nlmsg_type == 16;
    if (n < 0)
        return n;
    return links > 1 ? links : -ENOENT;
}
static long n_vsock(void) {
    struct sockaddr_vm vm = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL, .svm_port = aim.vsock};
    return connect_to(AF_VSOCK, SOCK_STREAM, &vm, sizeof vm);
}

static long s_kill(void) { return LET(SYS_kill, host.victim, 0); }
static long s_tgkill(void) { return LET(SYS_tgkill, host.victim, host.victim, SIGKILL); }
static long s_sentry(void) {
    long sentry = LET(SYS_getppid);
    return LET(SYS_kill, sentry, 0);
}
static long s_ptrace(void) { return LET(SYS_ptrace, 16 /* ATTACH */, host.victim); }
static long s_pidfd(void) { return LET(SYS_pidfd_open, host.victim); }
static long s_limits(void) {
    struct rlimit none = {0, 0};
    return LET(SYS_prlimit64, host.victim, RLIMIT_NOFILE, &none);
}
static long s_priority(void) { return LET(SYS_setpriority, PRIO_PROCESS, host.victim, 19); }
static long s_affinity(void) {
    long mask = 1;
    return LET(SYS_sched_setaffinity, host.victim, sizeof mask, &mask);
}

static long i_shm(void) { return LET(SYS_shmget, host.shm_key, 0, 0); }
static long i_queue(void) {
    char name[80];
    snprintf(name, sizeof name, "%s", host.name);
    return LET(SYS_mq_open, name, O_RDONLY);
}
static long i_key(void) { char text[64]; return LET(SYS_keyctl, 11 /* READ */, aim.key, text, sizeof text); }
static long i_hostname(void) {
    struct utsname u;
    return LET(SYS_sethostname, "owned", 5) < 0 ? -EPERM : LET(SYS_uname, &u);
}

static long k_user(void) { return LET(SYS_unshare, CLONE_NEWUSER); }
static long k_net(void) { return LET(SYS_unshare, CLONE_NEWNET); }
static long k_mount(void) { return LET(SYS_mount, "none", "/", "tmpfs"); }
static long k_fsopen(void) { return LET(430, "proc"); }
static long k_chroot(void) { return LET(SYS_chroot, "/"); }
static long k_setuid(void) { return LET(SYS_setuid, 0) == 0 && LET(SYS_geteuid) == 0 ? 0 : -EPERM; }
static long k_bpf(void) { char attr[128] = {0}; return LET(SYS_bpf, 5 /* PROG_LOAD */, attr, sizeof attr); }

// Through a ring, whose calls no seccomp filter sees: its memory is ours, so that nothing has to be mapped.
static long ring_open(const char *path, int flags) {
    static char ring[4096] __attribute__((aligned(4096)));
    static struct io_uring_sqe sqes[4096 / sizeof(struct io_uring_sqe)] __attribute__((aligned(4096)));
    struct io_uring_params p = {.flags = 1u << 14 /* NO_MMAP */ | 1u << 16 /* NO_SQARRAY */};
    memset(ring, 1, sizeof ring);  // there before the kernel pins them
    memset(sqes, 0, sizeof sqes);
    memcpy((char *)&p.cq_off + 32, &(uint64_t){(uint64_t)ring}, 8);  // user_addr
    memcpy((char *)&p.sq_off + 32, &(uint64_t){(uint64_t)sqes}, 8);
    long fd = LET(SYS_io_uring_setup, 1, &p);
    if (fd < 0)
        return fd;
    sqes[0] = (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
                                    .fd = AT_FDCWD,
                                    .addr = (uint64_t)path,
                                    .len = 0644,
                                    .open_flags = (unsigned)flags};
    __atomic_store_n((unsigned *)(ring + p.sq_off.tail), 1, __ATOMIC_RELEASE);
    long r = LET(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, 0);
    if (r < 1)
        return r < 0 ? r : -ENODATA;
    return ((struct io_uring_cqe *)(ring + p.cq_off.cqes))->res;
}
static long f_ring(void) { return ring_open(aim.secret, O_RDONLY); }
static long f_ring_create(void) { return ring_open(other, O_WRONLY | O_CREAT); }

static const struct {
    const char *name;
    long (*run)(void);
} tries[] = {
#define TRY(name) {#name, name}
    TRY(control),    TRY(f_secret),  TRY(f_environ),  TRY(f_self),    TRY(f_directory), TRY(f_device),
    TRY(f_write),    TRY(f_truncate), TRY(f_create),  TRY(f_mkdir),   TRY(f_mknod),     TRY(f_symlink),
    TRY(f_unlink),   TRY(f_rename),  TRY(f_here),     TRY(f_exec),    TRY(f_ring),      TRY(f_ring_create),
    TRY(p_stat),     TRY(p_readlink), TRY(p_chdir),   TRY(p_chmod),   TRY(p_utime),     TRY(p_xattr),
    TRY(n_tcp),      TRY(n_udp),     TRY(n_listen),   TRY(n_path),    TRY(n_abstract),  TRY(n_packet),
    TRY(n_raw),      TRY(n_netlink), TRY(n_vsock),    TRY(s_kill),    TRY(s_tgkill),    TRY(s_sentry),
    TRY(s_ptrace),   TRY(s_pidfd),   TRY(s_limits),   TRY(s_priority), TRY(s_affinity), TRY(i_shm),
    TRY(i_queue),    TRY(i_key),     TRY(i_hostname), TRY(k_user),    TRY(k_net),       TRY(k_mount),
    TRY(k_fsopen),   TRY(k_chroot),  TRY(k_setuid),   TRY(k_bpf),
};

// In a child: under ptrace no attempt is expected to come back.
static void attempt_at(size_t i) {
    pid_t pid = fork();
    need(pid >= 0);
    if (pid == 0) {
        long r = tries[i].run();
        say("try %s %ld", tries[i].name, r);
        _exit(0);
    }
    int status = wait_limited(pid, 10);
    if (status == -1)
        say("try %s hung", tries[i].name);
    else if (WIFSIGNALED(status))
        say("try %s killed %d", tries[i].name, WTERMSIG(status));
}

// PROGRAM UDP-PORT VSOCK-PORT KEY SECRET-FILE
int main(int argc, char **argv) {
    need(argc == 5);
    hear_host();
    aim.udp = (unsigned)atoi(argv[1]);
    aim.vsock = (unsigned)atoi(argv[2]);
    aim.key = atoi(argv[3]);
    aim.secret = argv[4];
    snprintf(file, sizeof file, "/tmp/%s.file", host.name);
    snprintf(other, sizeof other, "/tmp/%s.owned", host.name);
    snprintf(sock, sizeof sock, "/tmp/%s.sock", host.name);
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
        attempt_at(i);
    say("done");
    return 0;
}
