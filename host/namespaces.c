// SPDX-License-Identifier: Apache-2.0
// Namespaces and the empty root; see confine.h. A pid namespace begins with the next child of the process
// that makes it. Root makes one for the child of its fork, and takes itself back at once; the other
// namespaces are the child's to make. Who needs a user namespace for that cannot stay outside of it, so then
// three processes take part in confine_fork():
//
//   caller ---fork--> maker: unshare, maps of the user namespace
//                       |---fork--> child, process 1 of the pid namespace
//                     tells the child's number and ends; the child becomes the caller's, who is a subreaper
//
// and the child goes on when the caller has seen the maker's end: so a parent death signal means the caller.
// Where the host refuses, the maker ends at once, and a plain fork does.
#include "host/confine.h"
#include "host/inforce.h"
#include "base/cleanup.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct in_force in_force;

// A time namespace is not among them: it separates nothing but two offsets of clocks, which nobody reads.
static const struct kind {
    int flag;
    const char *name;
} kinds[] = {
    {CLONE_NEWNET, "net"}, {CLONE_NEWPID, "pid"}, {CLONE_NEWIPC, "ipc"},       {CLONE_NEWUTS, "uts"},
    {CLONE_NEWNS, "mount"}, {CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWUSER, "user"},
};
#define NKINDS (sizeof kinds / sizeof kinds[0])
#define ALL    (CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWCGROUP)

// One call for all, which costs a millisecond; one by one only where something is missing. Which were made.
static int make(int wanted) {
    if (unshare(wanted) == 0)
        return wanted;
    int made = 0;
    for (size_t i = 0; i < NKINDS; i++)
        if (wanted & kinds[i].flag && unshare(kinds[i].flag) == 0)
            made |= kinds[i].flag;
    return made;
}

static bool put(const char *path, const char *text) {
    int fd cleanup_close = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

// A user namespace in which the caller's user and group have the same numbers as outside, and nobody else has
// one. None can be made below it: that would bring capabilities back.
static bool make_user(void) {
    char uid[32], gid[32];
    snprintf(uid, sizeof uid, "%u %u 1", geteuid(), geteuid());
    snprintf(gid, sizeof gid, "%u %u 1", getegid(), getegid());
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // else the files below belong to root
    if (unshare(CLONE_NEWUSER) < 0)
        return false;
    put("/proc/self/setgroups", "deny");
    if (!put("/proc/self/gid_map", gid) || !put("/proc/self/uid_map", uid))
        return false;
    put("/proc/sys/user/max_user_namespaces", "0");
    return true;
}

// As root directly; else, also as a root without that capability, through a user namespace.
static int make_all(void) {
    int made = make(ALL);
    if (made)
        return made;
    return confine_user() == 0 && make_user() ? CLONE_NEWUSER | make(ALL) : 0;
}

struct relay {
    int told[2];   // the number of the child, from the maker
    int go[2];     // one byte, from the caller
};

static void relay_close(struct relay *r) {
    for (int i = 0; i < 2; i++) {
        close(r->told[i]);
        close(r->go[i]);
    }
}

static bool relay_open(struct relay *r) {
    if (pipe2(r->told, O_CLOEXEC) < 0)
        return false;
    if (pipe2(r->go, O_CLOEXEC) == 0)
        return true;
    close(r->told[0]);
    close(r->told[1]);
    return false;
}

// In the maker. Returns in the child alone.
static void make_child(struct relay *r) {
    char byte;
    in_force.namespaces = make_all();
    if (!in_force.namespaces)
        _exit(1);
    pid_t pid = in_force.namespaces & CLONE_NEWPID ? fork() : 0;
    if (pid != 0) {
        if (pid > 0 && write(r->told[1], &pid, sizeof pid) == (ssize_t)sizeof pid)
            _exit(0);
        _exit(1);
    }
    if (!(in_force.namespaces & CLONE_NEWPID) &&
        (pid = getpid(), write(r->told[1], &pid, sizeof pid) != (ssize_t)sizeof pid))
        _exit(1);
    close(r->go[1]);
    if (TEMP_FAILURE_RETRY(read(r->go[0], &byte, 1)) != 1)
        _exit(1);  // the caller is gone
    close(r->go[0]);
    close(r->told[0]);
    close(r->told[1]);
}

// The child's number, or 0 when there is none.
static pid_t await_child(struct relay *r, pid_t maker) {
    pid_t pid = 0;
    close(r->told[1]);
    bool told = TEMP_FAILURE_RETRY(read(r->told[0], &pid, sizeof pid)) == (ssize_t)sizeof pid;
    if (!told || pid != maker)
        TEMP_FAILURE_RETRY(waitpid(maker, NULL, 0));
    if (told && TEMP_FAILURE_RETRY(write(r->go[1], "", 1)) != 1)
        log_debug("namespaces: errno %d", errno);
    r->told[1] = -1;
    relay_close(r);
    return told ? pid : 0;
}

// -1: not possible in this way.
static pid_t fork_directly(void) {
    int own cleanup_close = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    if (own < 0 || unshare(CLONE_NEWPID) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0)
        in_force.namespaces = CLONE_NEWPID | make(ALL & ~CLONE_NEWPID);
    else if (setns(own, CLONE_NEWPID) < 0)
        log_debug("children go on in a pid namespace: errno %d", errno);
    return pid;
}

pid_t confine_fork(void) {
    struct relay r;
    in_force.sandbox = (unsigned)getpid();
    pid_t child = fork_directly();
    if (child >= 0)
        return child;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 || !relay_open(&r))
        return fork();
    pid_t maker = fork();
    if (maker < 0) {
        relay_close(&r);
        return -1;
    }
    if (maker == 0) {
        make_child(&r);
        return 0;
    }
    pid_t pid = await_child(&r, maker);
    return pid > 0 ? pid : fork();
}

bool confine_first(void) { return in_force.namespaces & CLONE_NEWPID && getpid() == 1; }

// ---- The root ---------------------------------------------------------------------------------------------
#define PLACE "/proc"  // a directory that is there on every host

// A file system with one empty directory, seen in place of PLACE.
static bool mount_empty(void) {
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("picket", PLACE, "tmpfs", flags, "mode=0555,size=4096,nr_inodes=4") == 0 &&
           mkdir(PLACE "/empty", 0555) == 0 &&
           mount(NULL, PLACE, NULL, MS_REMOUNT | MS_RDONLY | flags, NULL) == 0;
}

void confine_root(void) {
    if (!(in_force.namespaces & CLONE_NEWNS) || !mount_empty() || chdir(PLACE) < 0) {
        log_debug("no empty root: errno %d", errno);
        return;
    }
    // The host's mounts leave the namespace. Below an initial ramdisk the root cannot be replaced; there they
    // stay, behind a root that this process has no capability to leave.
    if (syscall(SYS_pivot_root, ".", ".") == 0)
        umount2(".", MNT_DETACH);
    // Not the root of the mount namespace but a directory of it: in such a place no user namespace can be
    // made.
    if (chroot("empty") == 0 && chdir("/") == 0)
        in_force.empty_root = true;
}

// ---- What is in force -------------------------------------------------------------------------------------
void confine_describe(char *text, size_t size) {
    char names[64] = "";
    for (size_t i = 0; i < NKINDS; i++)
        if (in_force.namespaces & kinds[i].flag) {
            strcat(names, *names ? " " : "");
            strcat(names, kinds[i].name);
        }
    snprintf(text, size, "namespaces: %s; root: %s; user: %s; Landlock: %d", *names ? names : "none",
             in_force.empty_root ? "empty" : "the host's", in_force.own_user ? "its own" : "the caller's",
             in_force.landlock);
}
