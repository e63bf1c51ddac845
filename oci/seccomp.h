// SPDX-License-Identifier: Apache-2.0
// config.json's linux.seccomp: which of its own calls the program may make. The sentry asks the filter about
// each, as if the program had put it in force itself with seccomp(2).
#ifndef OCI_SECCOMP_H
#define OCI_SECCOMP_H
#include "abi/seccomp.h"
#include "oci/error.h"
#include "oci/oci.h"
#include "sentry/sentry.h"
#include <jansson.h>

// j: linux.seccomp, its types checked by the table of fields; NULL: none. 0 and *out, whose instructions the
// caller frees; or -1.
int seccomp_read(const struct oci *o, json_t *j, const char *file, struct sentry_filter *out,
                 struct error *e);

#endif
