// SPDX-License-Identifier: Apache-2.0
// See errtext.h.
#include "base/errtext.h"
#include <stdio.h>
#include <string.h>

const char *linux_strerror(int err) {
    static _Thread_local char text[64];
    const char *known = strerrordesc_np(err);
    if (known)
        return known;
    snprintf(text, sizeof text, "error %d", err);
    return text;
}
