// SPDX-License-Identifier: Apache-2.0
// See proctitle.h. The argument area is overwritten in place; it is never grown.
#include "oci/proctitle.h"
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>

static char *area;
static size_t area_size;

void proctitle_init(char **argv) {
    if (!argv[0])
        return;
    char *end = argv[0];
    for (char **a = argv; *a && *a == end; a++)
        end = *a + strlen(*a) + 1;
    area = argv[0];
    area_size = (size_t)(end - area);
    for (char **a = argv; *a; a++) {
        char *copy = strdup(*a);
        if (!copy) {
            area = NULL;  // then the arguments stay where they are, and the title what it was
            return;
        }
        *a = copy;
    }
}

void proctitle_set(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
    if (!area)
        return;
    memset(area, 0, area_size);
    size_t n = strlen(name);
    memcpy(area, name, n < area_size ? n : area_size - 1);
}
