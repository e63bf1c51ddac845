// SPDX-License-Identifier: Apache-2.0
// The files of a control group's directory, as rows.
#ifndef SENTRY_CGROUP_FILES_H
#define SENTRY_CGROUP_FILES_H
#include "sentry/cgroup/cgroup.h"
#include "sentry/procfs/impl.h"

struct cgfile {
    const char *name;
    unsigned of;  // enum cgroup_controller: there when that is enabled above; 0: always
    enum cgroup_owned owned;
    uint32_t mode;       // 0: that of what it belongs to, or 0444
    bool at_top;         // of the sandbox alone
    bool not_at_top;     // of all others
    bool fixed_at_top;   // there it is the sandbox's, and nobody inside changes it
    bool tells;          // changes are told by poll(2)
    void (*show)(struct proc_text *x, const struct cgroup *g);             // tasks_lock is held
    int (*store)(struct task *t, struct cgroup *g, char *text);            // blanks around it are gone
};
extern const struct cgfile cgroup_files[];  // ends with a nameless one

#endif
