// SPDX-License-Identifier: Apache-2.0
// See mountns.h. Nothing inside looks at it: the guest's file systems are the sentry's. So what cannot be
// shown is left out, and what the guest keeps in memory (tmpfs) is not there. Places are found beneath the
// root, whatever symlinks the guest has made there.
#include "oci/mountns.h"
#include "abi/misc.h"
#include "base/cleanup.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_place(int root, const char *target) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, root, target, &how, sizeof how);
}

static void bind(int root, const char *source, const struct sentry_mount *m) {
    char place[64];
    int fd cleanup_close = open_place(root, m->target);
    snprintf(place, sizeof place, "/proc/self/fd/%d", fd);
    if (fd < 0 || mount(source, place, NULL, MS_BIND | MS_REC, NULL) < 0) {
        log_debug("showing %s: errno %d", m->target, errno);
        return;
    }
    if (m->flags & LINUX_MS_RDONLY) {
        int top cleanup_close = open_place(root, m->target);
        snprintf(place, sizeof place, "/proc/self/fd/%d", top);
        mount(NULL, place, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
    }
}

// A /proc shows the pid namespace of who mounts it: a child of ours that is in the sentry's.
static void mount_proc(int root, pid_t sentry, const struct sentry_mount *m) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)sentry);
    int ns cleanup_close = open(path, O_RDONLY | O_CLOEXEC);
    int fd cleanup_close = open_place(root, m->target);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    pid_t pid = ns < 0 || fd < 0 ? -1 : fork();
    if (pid == 0) {
        char link[64];
        // "self" of the host's /proc is nobody in there
        snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)getppid(), fd);
        if (setns(ns, CLONE_NEWPID) < 0)
            _exit(1);
        pid_t inner = fork();
        if (inner == 0)
            _exit(mount("proc", link, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0);
        _exit(inner < 0 || waitpid(inner, NULL, 0) < 0);
    }
    if (pid > 0)
        TEMP_FAILURE_RETRY(waitpid(pid, NULL, 0));
}

static bool fill(const struct config *config, pid_t sentry) {
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(config->rootfs, config->rootfs, NULL, MS_BIND | MS_REC, NULL) < 0 || chdir(config->rootfs) < 0)
        return false;
    int root cleanup_close = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (const struct sentry_mount *m = config->mounts; m < config->mounts + config->nmounts; m++) {
        if (m->kind == SENTRY_BIND)
            bind(root, config->roots[m->root].host_path, m);
        else if (m->kind == SENTRY_PROC)
            mount_proc(root, sentry, m);
    }
    return syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
}

bool mountns_enter(const struct config *config, pid_t sentry, int *back) {
    *back = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (*back >= 0 && unshare(CLONE_NEWNS) == 0 && fill(config, sentry))
        return true;
    log_debug("no mount namespace: errno %d", errno);
    mountns_leave(*back);
    *back = -1;
    return false;
}

void mountns_leave(int back) {
    if (back < 0)
        return;
    if (setns(back, CLONE_NEWNS) < 0)
        log_debug("leaving the mount namespace: errno %d", errno);
    close(back);
}
