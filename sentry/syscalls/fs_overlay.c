// SPDX-License-Identifier: Apache-2.0
// See fs_overlay.h. Options as overlay(5) of Linux has them; a backslash takes the meaning from the colon,
// comma or backslash behind it.
// LIMIT: an overlay of guests has no data-only lower layers (datadir+, "::"), no nfs_export and no verity.
#include "sentry/syscalls/fs_overlay.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "fs/layers.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct overlay_config {
    struct path *lower;  // owned, as are the paths
    unsigned nlower, room;
    struct path upper, work;
    bool userxattr, is_volatile, redirect, metacopy;
    char *lower_text, *upper_text, *work_text;  // owned: for /proc/mounts
};

struct overlay_config *overlay_config_new(void) { return znew(struct overlay_config); }

static void drop_lower(struct overlay_config *c) {
    for (unsigned k = 0; k < c->nlower; k++)
        path_put(&c->lower[k]);
    c->nlower = 0;
    free(take_ptr(c->lower_text));
}
void overlay_config_free(struct overlay_config *c) {
    if (!c)
        return;
    drop_lower(c);
    path_put(&c->upper);
    path_put(&c->work);
    free(c->lower);
    free(c->upper_text);
    free(c->work_text);
    free(c);
}

// ---- Directories ------------------------------------------------------------------------------------------
static void unescape(char *s) {
    char *to = s;
    for (; *s; s++) {
        if (*s == '\\' && s[1])
            s++;
        *to++ = *s;
    }
    *to = '\0';
}
static int find(struct task *t, const char *name, struct path *out) {
    TASK_VFS_CTX(t, ctx);
    int err = *name ? vfs_walk(&ctx, NULL, name, WALK_FOLLOW, out) : -LINUX_EINVAL;
    if (err == 0 && !inode_is_dir(out->dentry->inode)) {
        path_put(out);
        return -LINUX_EINVAL;
    }
    return err;
}
// p: a reference, taken over in any case.
static int add_lower(struct overlay_config *c, struct path p) {
    if (c->nlower == c->room) {
        unsigned room = c->room ? c->room * 2 : 8;
        struct path *more = xrealloc(c->lower, room * sizeof *more);
        if (!more) {
            path_put(&p);
            return -LINUX_ENOMEM;
        }
        c->lower = more;
        c->room = room;
    }
    if (c->nlower == LAYERS_MAX) {
        path_put(&p);
        return -LINUX_EINVAL;
    }
    c->lower[c->nlower++] = p;
    return 0;
}
static int add_text(struct overlay_config *c, const char *before, const char *name) {
    size_t len = c->lower_text ? strlen(c->lower_text) : 0, n = len + strlen(before) + strlen(name) + 1;
    char *text = xrealloc(c->lower_text, n);
    if (!text)
        return -LINUX_ENOMEM;
    snprintf(text + len, n - len, "%s%s", before, name);
    c->lower_text = text;
    return 0;
}
static int take_lower(struct task *t, struct overlay_config *c, const char *name, const char *before) {
    struct path p;
    char *plain cleanup_free = xstrdup(name);
    if (!plain)
        return -LINUX_ENOMEM;
    if (*before != ',')
        unescape(plain);
    int err = find(t, plain, &p);
    err = err ? err : add_lower(c, p);
    return err ? err : add_text(c, before, name);
}
static char *end_of(char *s) {
    while (*s && *s != ':')
        s += *s == '\\' && s[1] ? 2 : 1;
    return s;
}
static int take_list(struct task *t, struct overlay_config *c, const char *value) {
    char *list cleanup_free = xstrdup(value);
    int err = list ? 0 : -LINUX_ENOMEM;
    drop_lower(c);
    for (char *at = list, *next; at && *list && !err; at = next) {
        char *end = end_of(at);
        next = *end ? end + 1 : NULL;
        *end = '\0';
        err = take_lower(t, c, at, c->nlower ? ":" : "");
    }
    return err;
}
// p: taken over.
static int take_dir(struct path *to, char **text, struct path p, const char *name) {
    char *copy = xstrdup(name);
    if (!copy) {
        path_put(&p);
        return -LINUX_ENOMEM;
    }
    path_put(to);
    free(*text);
    *to = p;
    *text = copy;
    return 0;
}
static int take_named(struct task *t, struct path *to, char **text, const char *value) {
    struct path p;
    char *plain cleanup_free = xstrdup(value);
    if (!plain)
        return -LINUX_ENOMEM;
    unescape(plain);
    int err = find(t, plain, &p);
    return err ? err : take_dir(to, text, p, value);
}

// ---- Options ----------------------------------------------------------------------------------------------
// Which of the words it is, or EINVAL.
static int word(const char *value, const char *const words[]) {
    for (int k = 0; words[k]; k++)
        if (!strcmp(words[k], value))
            return k;
    return -LINUX_EINVAL;
}
static const char *const switches[] = {"off", "on", NULL};
static const char *const redirects[] = {"off", "follow", "nofollow", "on", NULL};
static const char *const xinos[] = {"off", "auto", "on", NULL};
static const char *const uuids[] = {"off", "null", "auto", "on", NULL};

static int set_switch(const char *value, const char *const words[], int on, bool *to) {
    int k = word(value, words);
    if (k >= 0 && to)
        *to = k == on;
    return k < 0 ? k : 0;
}
int overlay_config_param(struct task *t, struct overlay_config *c, enum overlay_option o, const char *value) {
    switch (o) {
    case OVERLAY_LOWER:
        return take_list(t, c, value);
    case OVERLAY_LOWER_ADD:
        return take_lower(t, c, value, ",lowerdir+=");
    case OVERLAY_UPPER:
        return take_named(t, &c->upper, &c->upper_text, value);
    case OVERLAY_WORK:
        return take_named(t, &c->work, &c->work_text, value);
    case OVERLAY_USERXATTR:
        c->userxattr = true;
        return 0;
    case OVERLAY_VOLATILE:
        c->is_volatile = true;
        return 0;
    case OVERLAY_REDIRECT:
        return set_switch(value, redirects, 3, &c->redirect);
    case OVERLAY_METACOPY:
        return set_switch(value, switches, 1, &c->metacopy);
    case OVERLAY_SWITCH:
        return set_switch(value, switches, 1, NULL);
    case OVERLAY_XINO:
        return set_switch(value, xinos, 2, NULL);
    case OVERLAY_UUID:
        return set_switch(value, uuids, 3, NULL);
    }
    return -LINUX_EINVAL;
}
int overlay_config_path(struct task *t, struct overlay_config *c, enum overlay_option o,
                        const struct path *p) {
    char text[LINUX_PATH_MAX];
    if (o != OVERLAY_LOWER_ADD && o != OVERLAY_UPPER && o != OVERLAY_WORK)
        return -LINUX_EINVAL;
    if (!inode_is_dir(p->dentry->inode))
        return -LINUX_EINVAL;
    TASK_VFS_CTX(t, ctx);
    int64_t n = path_text(t->k->vfs, p, &ctx.root, text, sizeof text);
    if (n < 0)
        return (int)n;
    path_get(p);
    if (o == OVERLAY_UPPER)
        return take_dir(&c->upper, &c->upper_text, *p, text);
    if (o == OVERLAY_WORK)
        return take_dir(&c->work, &c->work_text, *p, text);
    int err = add_lower(c, *p);
    return err ? err : add_text(c, ",lowerdir+=", text);
}

// ---- The mount --------------------------------------------------------------------------------------------
static char *options_of(const struct overlay_config *c) {
    const char *first = *c->lower_text == ',' ? "" : ",lowerdir=";
    char *text = NULL;
    int n = asprintf(&text, "%s%s%s%s%s%s%s%s", first, c->lower_text, c->upper.dentry ? ",upperdir=" : "",
                     c->upper.dentry ? c->upper_text : "", c->upper.dentry ? ",workdir=" : "",
                     c->upper.dentry ? c->work_text : "", c->userxattr ? ",userxattr" : "",
                     c->is_volatile ? ",volatile" : "");
    return n < 0 ? NULL : text;
}
static void put_cred(void *cred) { cred_put(cred); }

int overlay_config_make(struct task *t, struct overlay_config *c, struct superblock **sb) {
    // A working directory alone is of no use, and does no harm; what needs other attributes cannot be with
    // those of users.
    if (c->nlower == 0 || (c->upper.dentry && !c->work.dentry) ||
        (c->userxattr && (c->redirect || c->metacopy)))
        return -LINUX_EINVAL;
    char *text cleanup_free = options_of(c);
    if (!text)
        return -LINUX_ENOMEM;
    TASK_VFS_CTX(t, ctx);
    const struct layers_opts o = {.lower = c->lower,
                                  .nlower = c->nlower,
                                  .upper = c->upper.dentry ? &c->upper : NULL,
                                  .work = c->upper.dentry ? &c->work : NULL,
                                  .userxattr = c->userxattr,
                                  .is_volatile = c->is_volatile && c->upper.dentry,
                                  .options = text,
                                  .ctx = &ctx,
                                  .cred = cred_get(t->cred),
                                  .cred_put = put_cred};
    int err = layers_mount(t->k->vfs, &o, sb);
    if (err < 0)
        cred_put(o.cred);
    return err;
}
