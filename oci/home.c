// SPDX-License-Identifier: Apache-2.0
// HOME as other runtimes set it where the client does not: docker, containerd and kubelet rely on it. The
// container's /etc/passwd is hostile: a regular file below the root or nothing, and read up to a limit.
#include "base/cleanup.h"
#include "base/fault.h"
#include "oci/config.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINES_MAX 10000
#define LINE_SIZE  4096

static FILE *open_passwd(const char *rootfs) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    struct stat st;
    char path[64];
    int root cleanup_close = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int place cleanup_close = root < 0 ? -1 : (int)syscall(SYS_openat2, root, "etc/passwd", &how, sizeof how);
    if (place < 0 || fstat(place, &st) < 0 || !S_ISREG(st.st_mode))
        return NULL;
    snprintf(path, sizeof path, "/proc/self/fd/%d", place);
    return fopen(path, "re");
}

// name:password:uid:gid:comment:home:shell. The home, when the line is that user's; it is cut out of the
// line.
static char *home_of(char *line, uint32_t uid) {
    char *fields[7], *end;
    for (int i = 0; i < 7; i++)
        if (!(fields[i] = strsep(&line, ":")))
            return NULL;
    errno = 0;
    unsigned long n = strtoul(fields[2], &end, 10);
    return end != fields[2] && !*end && !errno && n == uid && fields[5][0] == '/' ? fields[5] : NULL;
}

static char *make_home(const char *rootfs, uint32_t uid) {
    char line[LINE_SIZE], *found = NULL, *text;
    FILE *f = open_passwd(rootfs);
    for (int i = 0; f && !found && i < LINES_MAX && fgets(line, sizeof line, f); i++)
        found = home_of(line, uid);
    if (f)
        fclose(f);
    return asprintf(&text, "HOME=%s", found ? found : "/") < 0 ? NULL : text;
}

int process_set_home(struct process_config *p, const char *rootfs, struct error *e) {
    size_t n = 0, at = 0;
    for (char *const *v = p->what.envp; v[n]; n++)
        if (!strncmp(v[n], "HOME=", 5) && v[n][5])
            return 0;
    for (at = 0; at < n && strcmp(p->what.envp[at], "HOME=") != 0; at++)
        ;
    char **envp = xcalloc(n + 2, sizeof *envp);
    p->home = envp ? make_home(rootfs, p->what.uid) : NULL;
    if (!p->home) {
        free(envp);
        return error_set(e, "no memory");
    }
    memcpy(envp, p->what.envp, n * sizeof *envp);
    envp[at] = p->home;
    free((void *)p->what.envp);
    p->what.envp = envp;
    return 0;
}
