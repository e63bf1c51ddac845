// SPDX-License-Identifier: Apache-2.0
// Where guest threads run. Placeholder of a policy: they run where the host puts them.
#include "platform/ptrace/pt.h"

void pt_follow(struct pt_thread *t) { (void)t; }
