// SPDX-License-Identifier: Apache-2.0
// See ctty.h: from what serves a terminal's bytes to the sentry's job control.
#include "fs/tty/ctty.h"
#include "abi/ioctl.h"
#include "fs/hostfd.h"
#include "fs/tty/tty.h"

static const struct ctty_control *control;
void ctty_set_control(const struct ctty_control *c) { control = c; }

void ctty_init(struct ctty *c, const struct ctty_ops *ops, uint64_t dev) {
    ref_init(&c->refs, 1);
    c->ops = ops;
    c->dev = dev;
}
struct ctty *ctty_get(struct ctty *c) {
    ref_get(&c->refs);
    return c;
}
void ctty_put(struct ctty *c) {
    if (ref_put(&c->refs))
        c->ops->free(c);
}

struct ctty *file_ctty(struct file *f) {
    struct tty *t = tty_near(f);
    return t ? &t->ctl : hostfd_terminal(f);
}

bool ctty_is_control(unsigned cmd) {
    return cmd == LINUX_TIOCGPGRP || cmd == LINUX_TIOCSPGRP || cmd == LINUX_TIOCGSID ||
           cmd == LINUX_TIOCSCTTY || cmd == LINUX_TIOCNOTTY;
}
int ctty_check(struct ctty *c, int sig) { return control ? control->check(c, sig) : 0; }
void ctty_opened(struct ctty *c, struct file *f) {
    if (control)
        control->opened(c, f);
}
int64_t ctty_ioctl(struct ctty *c, struct file *f, bool far_end, unsigned cmd, uint64_t arg,
                   struct uaccess *ua) {
    return control ? control->ioctl(c, f, far_end, cmd, arg, ua) : -LINUX_ENOTTY;
}
void ctty_signal(struct ctty *c, int sig) {
    if (control)
        control->signal(c, sig);
}
void ctty_gone(struct ctty *c) {
    if (control)
        control->gone(c);
}
bool ctty_capable(unsigned cap) { return control && control->capable(cap); }
