// SPDX-License-Identifier: Apache-2.0
// landlock(7): what a task has forbidden to itself and to all that it will start. A domain is a chain of
// layers, each a set of rules that was put on with one landlock_restrict_self(2); something is allowed when
// every layer that handles it has a rule for it. Rules on files name directories (or files) and hold for what
// lies below; whoever asks walks up from the object to the root.
//
// A ruleset is a file to which rules are added; a domain has the rules as they were when it was made. Both
// are charged to one budget of the sandbox. The checks of names are made by fs/open.c, fs/namei.c, fs/attr.c;
// those of ports and scopes by the sentry. An object without a domain costs one load.
// LIMIT: a rule for an object of procfs or sysfs below their roots holds for nothing, as each look-up there
// makes the object anew; one for the root does hold.
// LIMIT: rulesets and domains of a sandbox have 65,536 rules together, one ruleset 26,000; ENOMEM beyond.
// LIMIT: nothing is logged: there is no audit here. The flags of landlock_restrict_self(2) change nothing.
#ifndef FS_LANDLOCK_H
#define FS_LANDLOCK_H
#include "abi/landlock.h"
#include "fs/vfs.h"

#define LANDLOCK_VERSION 7
#define LANDLOCK_ERRATA  7  // TCP alone; signals within a process; directories that were moved
#define LANDLOCK_LAYERS  16
#define LANDLOCK_FS_ALL  ((LINUX_LANDLOCK_ACCESS_FS_IOCTL_DEV << 1) - 1)
#define LANDLOCK_NET_ALL ((LINUX_LANDLOCK_ACCESS_NET_CONNECT_TCP << 1) - 1)
#define LANDLOCK_SCOPES  ((LINUX_LANDLOCK_SCOPE_SIGNAL << 1) - 1)

struct landlock_domain;

// ---- Rulesets ---------------------------------------------------------------------------------------------
// The bits are known ones; -LINUX_ENOMSG: none. flags: LINUX_O_*.
int landlock_ruleset_open(struct vfs *vfs, const struct linux_landlock_ruleset_attr *a, struct file **out);
bool landlock_is_ruleset(const struct file *f);
// f is a ruleset, here and below. Can a rule of that type (LINUX_LANDLOCK_RULE_*) allow these?
// -LINUX_ENOMSG: none; EINVAL: not all of them are handled.
int landlock_check_access(struct file *f, int type, uint64_t access);
// Then: -LINUX_EINVAL: not of a file, or no port; EBADFD: not a name; ENOMEM.
int landlock_add_path(struct file *f, const struct path *p, uint64_t access);
int landlock_add_port(struct file *f, uint64_t port, uint64_t access);

// ---- Domains ----------------------------------------------------------------------------------------------
// The rules of f as they are now, over those of `outer` (NULL: none). -LINUX_E2BIG: too many layers; ENOMEM.
int landlock_restrict(struct file *f, struct landlock_domain *outer, struct landlock_domain **out);
struct landlock_domain *landlock_get(struct landlock_domain *d);  // NULL is passed through, here and below
void landlock_put(struct landlock_domain *d);                     // no lock held
// Is d the domain of `outer`, or one made inside it? (Who may trace, who may be traced.)
bool landlock_is_inside(const struct landlock_domain *d, const struct landlock_domain *outer);
// Does LINUX_LANDLOCK_SCOPE_* keep who is in `from` from reaching what was made in `to`?
bool landlock_is_scoped(const struct landlock_domain *from, const struct landlock_domain *to, uint64_t scope);
bool landlock_restricts_files(const struct landlock_domain *d);
bool landlock_handles_ports(const struct landlock_domain *d, uint64_t access);           // any of these
int landlock_may_port(const struct landlock_domain *d, uint16_t port, uint64_t access);  // 0, EACCES

// ---- Checks of the VFS: 0, or -LINUX_EACCES ---------------------------------------------------------------
// What is done in a directory (LINUX_LANDLOCK_ACCESS_FS_MAKE_*, REMOVE_*), or to an object by its name.
int landlock_may(const struct vfs_cred *c, const struct path *p, uint64_t access);
// f is about to be opened: also notes what may not be done to it later (FMODE_NO_*).
int landlock_may_open(const struct vfs_cred *c, struct file *f);
int landlock_may_ioctl(const struct file *f, unsigned cmd);
uint64_t landlock_make(uint32_t mode);  // LINUX_LANDLOCK_ACCESS_FS_MAKE_* of a type
// A name `od` is also to be, or (removes) to become, `nd` of `ndir`, on one mount. -LINUX_EXDEV: not with
// these directories.
struct landlock_refer {
    const struct path *ndir;
    const struct dentry *od, *nd;  // nd may be negative
    bool removes, exchange;
};
int landlock_may_refer(const struct vfs_cred *c, const struct landlock_refer *r);

#endif
