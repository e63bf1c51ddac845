// SPDX-License-Identifier: Apache-2.0
// Values of /proc/sys that come from outside, before there is a program: what an OCI container's config.json
// asks for.
#include "sentry/procfs/impl.h"
#include "sentry/procfs/procfs.h"
#include "sentry/proc/uts_ns.h"
#include <stdio.h>
#include <string.h>

#define VALUE_MAX 128u

static const struct proc_entry *child_of(const struct proc_entry *e, const char *name, size_t n) {
    for (; e && e->name; e++)
        if (strlen(e->name) == n && !strncmp(e->name, name, n))
            return e;
    return NULL;
}

// By a name with points, or with slashes where a part of it has points.
static const struct proc_entry *find(const char *name) {
    const char *apart = strchr(name, '/') ? "/" : ".";
    const struct proc_entry *e = NULL, *list = proc_sys_entries;
    while (*name) {
        size_t n = strcspn(name, apart);
        e = child_of(list, name, n);
        if (!e)
            return NULL;
        list = e->children;
        name += n + (name[n] != '\0');
    }
    return e && !e->children ? e : NULL;
}

// The same words, with whatever blanks between them.
static bool same_words(const char *a, const char *b) {
    static const char blanks[] = " \t\n";
    for (;;) {
        a += strspn(a, blanks);
        b += strspn(b, blanks);
        size_t n = strcspn(a, blanks);
        if (n != strcspn(b, blanks) || strncmp(a, b, n) != 0)
            return false;
        if (!n)
            return true;
        a += n;
        b += n;
    }
}

static bool is(const char *name, const char *which) {
    for (; *name && (*name == *which || (*name == '/' && *which == '.')); name++)
        which++;
    return !*name && !*which;
}

int procfs_sysctl(const char *name, const char *value, char *why, size_t size) {
    char text[VALUE_MAX];
    size_t n = strlen(value);
    if (n >= sizeof text) {
        snprintf(why, size, "the value is too long");
        return -LINUX_EINVAL;
    }
    memcpy(text, value, n + 1);
    const struct proc_entry *e = find(name);
    if (is(name, "kernel.domainname") && n < sizeof the_kernel->uts->domainname) {
        memcpy(the_kernel->uts->domainname, text, n + 1);
        return 0;
    }
    if (is(name, "kernel.hostname")) {
        snprintf(why, size, "it cannot be changed here: the field hostname says it");
        return -LINUX_EINVAL;
    }
    snprintf(why, size, "there is no such setting in a sandbox");
    if (!e)
        return -LINUX_ENOENT;
    if (e->store) {
        snprintf(why, size, "'%s' is not a value for it", value);
        return e->store(&(struct proc_node){.e = e}, text, n);
    }
    if (e->text && same_words(e->text, text))
        return 0;
    snprintf(why, size, "cannot be changed%s%.*s", e->text ? ": it is always " : "",
             e->text ? (int)strcspn(e->text, "\n") : 0, e->text ? e->text : "");
    return -LINUX_EACCES;
}
