// SPDX-License-Identifier: Apache-2.0
// Calls with which programs have left other sandboxes. The guest must see the sentry's answer and no more;
// that none of them reached the host is seen from outside (the witness in run_escape.py).
#include "escape.h"
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

struct host_call {
    const char *name;
    uint64_t nr, args[6];
};

static void try_call(const struct host_call *c, bool may_work) {
    const uint64_t *a = c->args;
    pid_t pid = fork();
    need(pid >= 0);
    if (pid == 0) {
        if (may_work && syscall(SYS_unshare, CLONE_NEWNS) == 0)
            syscall(SYS_mount, NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
        long r = raw(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        if (r >= 0 && !may_work)
            escaped("%s returned %ld", c->name, r);
        _exit(0);
    }
    int status = wait_limited(pid, 5);
    if (WEXITSTATUS(status))
        escaped("%s: status %#x", c->name, (unsigned)status);
}

static void refused(void) {
    char buf[512] = {0};
    const uint64_t b = (uint64_t)buf;
    const struct host_call calls[] = {
        {"bpf", 321, {0, b, 72}},
        {"userfaultfd", 323, {0}},
        {"perf_event_open", 298, {b, 0, (uint64_t)-1, (uint64_t)-1, 0}},
        {"setns", 308, {0, 0}},
        {"kexec_load", 246, {0, 0, 0, 0}},
        {"kexec_file_load", 320, {0, 0, 0, 0, 0}},
        {"init_module", 175, {b, 512, b}},
        {"finit_module", 313, {0, b, 0}},
        {"delete_module", 176, {b, 0}},
        {"memfd_secret", 447, {0}},
        {"open_by_handle_at", 304, {(uint64_t)-100, b, 0}},
        {"pidfd_getfd", 438, {0, 0, 0}},
        {"process_madvise", 440, {0, b, 1, 4, 0}},
        {"iopl", 172, {3}},
        {"ioperm", 173, {0, 1, 1}},
        {"swapon", 167, {(uint64_t) "/tmp/x", 0}},
        {"acct", 163, {(uint64_t) "/tmp/x"}},
        {"quotactl", 179, {0, 0, 0, 0}},
        {"settimeofday", 164, {b, 0}},
        {"clock_settime", 227, {0, b}},
        {"modify_ldt", 154, {1, b, 16}},
        {"lookup_dcookie", 212, {0, b, 16}},
        {"kcmp", 312, {1, (uint64_t)host.sentry, 0, 0, 0}},
        {"move_pages", 279, {(uint64_t)host.victim, 1, b, b, b, 0}},
        {"migrate_pages", 256, {(uint64_t)host.victim, 1, b, b}},
        {"landlock_restrict_self", 446, {0, 0}},
        {"remap_file_pages", 216, {b & ~4095ul, 4096, 0, 0, 0}},
        {"uselib", 134, {(uint64_t) "/bin/true"}},
        {"nfsservctl", 180, {0, 0, 0}},
        {"quotactl on", 179, {0x80000200, b, 0, b}},
        {"map_shadow_stack", 453, {0, 4096, 0}},
        {"arch_prctl cpuid", 158, {0x1012, 0}},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        try_call(&calls[i], false);
}

// What changes objects of the sandbox's own, where it is served: the host must not see the call (the runner
// looks), and a mount namespace of the caller's keeps it from those that come behind.
static void served_inside(void) {
    char buf[512] = {0};
    const uint64_t b = (uint64_t)buf;
    const struct host_call calls[] = {
        {"mount", 165, {(uint64_t) "none", (uint64_t) "/tmp", (uint64_t) "proc", 0, 0}},
        {"umount2", 166, {(uint64_t) "/proc", 2}},
        {"pivot_root", 155, {(uint64_t) "/tmp", (uint64_t) "/tmp"}},
        {"open_tree", 428, {(uint64_t)-100, (uint64_t) "/", 1}},
        {"fsopen", 430, {(uint64_t) "proc", 0}},
        {"move_mount", 429, {0, b, 0, b, 0}},
        {"io_setup", 206, {16, b + 8}},
        {"unshare user", 272, {0x10000000}},
        {"unshare pid", 272, {0x20000000}},
        {"unshare ipc", 272, {0x08000000}},
        {"unshare cgroup", 272, {0x02000000}},
        {"unshare uts", 272, {0x04000000}},
        {"keyctl", 250, {0, (uint64_t)-3, 1}},
        {"add_key", 248, {(uint64_t) "user", (uint64_t) "x", b, 1, (uint64_t)-3}},
        {"request_key", 249, {(uint64_t) "user", (uint64_t) "x", 0, (uint64_t)-3}},
        {"unshare net", 272, {0x40000000}},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        try_call(&calls[i], true);
}

// The kernel's log is not the host's: empty. A reboot ends the caller's pid namespace, and nothing else.
static void machine(void) {
    char text[512];
    if (syscall(SYS_syslog, 3, text, sizeof text) > 0)
        escaped("lines of a kernel's log");
    pid_t maker = fork();
    need(maker >= 0);
    if (maker == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0)
            _exit(0);
        pid_t init = fork();
        if (init == 0)
            _exit((int)syscall(SYS_reboot, 0xfee1dead, 0x28121969, 0x01234567, 0));
        int status = wait_limited(init, 30);
        _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP ? 0 : 1);
    }
    if (WEXITSTATUS(wait_limited(maker, 60)))
        escaped("a reboot that is not of the caller's namespace alone");
}

// Numbers of the host's processes mean nothing inside.
static void host_processes(void) {
    char buf[64] = {0};
    struct iovec mine = {buf, sizeof buf}, its = {(void *)0x400000, sizeof buf};
    const int targets[] = {host.victim, host.sentry};
    for (int i = 0; i < 2; i++) {
        pid_t pid = targets[i];
        if (kill(pid, SIGKILL) == 0 || kill(pid, 0) == 0)
            escaped("kill(%d) of a host process", pid);
        if (syscall(SYS_tgkill, pid, pid, SIGKILL) == 0 || syscall(SYS_tkill, pid, SIGKILL) == 0)
            escaped("tgkill(%d)", pid);
        if (syscall(SYS_ptrace, 16, pid, 0, 0) == 0 || syscall(SYS_ptrace, 0x4206, pid, 0, 0) == 0)
            escaped("ptrace(%d)", pid);
        if (process_vm_readv(pid, &mine, 1, &its, 1, 0) >= 0 ||
            process_vm_writev(pid, &mine, 1, &its, 1, 0) >= 0)
            escaped("process_vm_readv(%d)", pid);
        if (syscall(SYS_pidfd_open, pid, 0) >= 0)
            escaped("pidfd_open(%d)", pid);
        if (syscall(SYS_prlimit64, pid, 7, NULL, buf) == 0)
            escaped("prlimit(%d)", pid);
        if (syscall(SYS_sched_getaffinity, pid, sizeof buf, buf) >= 0)
            escaped("sched_getaffinity(%d)", pid);
        if (getpgid(pid) >= 0 || getsid(pid) >= 0)
            escaped("getpgid(%d)", pid);
        snprintf(buf, sizeof buf, "/proc/%d", pid);
        if (access(buf, F_OK) == 0)
            escaped("%s is there", buf);
    }
}

static void kill_all(void) {
    // In a session of its own: who shares the sandbox is not the target here.
    kill(-1, 0);
    for (pid_t pid = 70; pid < 400; pid++)
        kill(pid, 0);
    must(getpid() > 0);
}

static void host_sockets(void) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)host.port)};
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(un.sun_path + 1, sizeof un.sun_path - 1, "%s", host.name);
    if (connect(s, (struct sockaddr *)&un,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(host.name))) == 0)
        escaped("the host's abstract socket can be reached");
    snprintf(un.sun_path, sizeof un.sun_path, "/tmp/%s.sock", host.name);
    if (connect(s, (struct sockaddr *)&un, sizeof un) == 0)
        escaped("the host's socket %s can be reached", un.sun_path);
    inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
    int t = socket(AF_INET, SOCK_STREAM, 0);
    if (t >= 0 && connect(t, (struct sockaddr *)&in, sizeof in) == 0)
        escaped("the host's 127.0.0.1 can be reached");
    inet_pton(AF_INET, "169.254.169.254", &in.sin_addr);
    in.sin_port = htons(80);
    if (t >= 0 && connect(t, (struct sockaddr *)&in, sizeof in) == 0)
        escaped("a metadata service can be reached");
    const int families[] = {40 /* VSOCK */, 38 /* ALG */,       44 /* XDP */,  29 /* CAN */,
                            30 /* TIPC */,  31 /* BLUETOOTH */, 21 /* RDS */, 15 /* KEY */};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        for (int type = 1; type <= 5; type++)
            if (socket(families[i], type, 0) >= 0)
                escaped("a socket of family %d", families[i]);
    // A packet socket sees the sandbox's own links, of which there is the loopback.
    struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(3)};
    int raw = socket(AF_PACKET, SOCK_RAW, htons(3));
    for (ll.sll_ifindex = 2; raw >= 0 && ll.sll_ifindex < 64; ll.sll_ifindex++)
        if (bind(raw, (struct sockaddr *)&ll, sizeof ll) == 0)
            escaped("a packet socket on link %d", ll.sll_ifindex);
}

static void host_shm(void) {
    long id = syscall(SYS_shmget, host.shm_key, 0, 0);
    if (id >= 0)
        escaped("the host's System V shared memory is there");
    for (int i = 0; i < 64; i++)
        if (syscall(SYS_shmat, i, NULL, 010000) < -4095 || syscall(SYS_msgget, host.shm_key, 0) >= 0)
            escaped("System V objects of the host");
}

// Files of the host: changes stay inside (the runner looks at the originals). Device nodes are not the
// host's.
static void host_files(void) {
    char path[128];
    snprintf(path, sizeof path, "/tmp/%s.file", host.name);
    int fd = open(path, O_RDWR | O_TRUNC);
    if (fd >= 0) {
        must(write(fd, "changed", 7) == 7);
        close(fd);
    }
    unlink(path);
    snprintf(path, sizeof path, "/tmp/%s.fifo", host.name);
    fd = open(path, O_RDWR | O_NONBLOCK);
    if (fd >= 0 && write(fd, "x", 1) == 1)
        close(fd);
    // /dev/fuse is the sandbox's own.
    const char *const nodes[] = {"/dev/mem",     "/dev/kvm",       "/dev/cuse",  "/dev/kmsg",
                                 "/dev/net/tun", "/dev/vhost-net", "/dev/vsock", "/dev/loop-control",
                                 "/dev/port",    "/dev/sda",       "/dev/vda",   "/dev/rtc0"};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (open(nodes[i], O_RDWR | O_NONBLOCK) >= 0 || open(nodes[i], O_RDONLY | O_NONBLOCK) >= 0)
            escaped("%s can be opened", nodes[i]);
    snprintf(path, sizeof path, "/tmp/%s.node", host.name);
    if (mknod(path, S_IFCHR | 0666, 0x101) == 0 && open(path, O_RDWR) >= 0)  // 1:1 is /dev/mem
        escaped("a node of /dev/mem can be made and opened");
}

// Input pushed to the terminal of the one who started the sandbox (when there is one).
static void terminal_input(void) {
    for (int fd = 0; fd < 3; fd++) {
        if (ioctl(fd, TIOCSTI, "x") == 0)
            escaped("TIOCSTI on descriptor %d", fd);
        char c = 3;
        if (ioctl(fd, TIOCLINUX, &c) == 0)
            escaped("TIOCLINUX on descriptor %d", fd);
    }
}

ATTACKS({"A07_refused", refused, SURVIVES}, {"A07_served_inside", served_inside, SURVIVES},
        {"A07_machine", machine, SURVIVES}, {"A07_host_processes", host_processes, SURVIVES},
        {"A07_kill_all", kill_all, SURVIVES}, {"A07_host_sockets", host_sockets, SURVIVES},
        {"A07_host_shm", host_shm, SURVIVES}, {"A07_host_files", host_files, SURVIVES},
        {"A37_terminal_input", terminal_input, SURVIVES})
