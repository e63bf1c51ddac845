// SPDX-License-Identifier: Apache-2.0
// The table of config.json's fields (config_fields.def), and the walk along it.
#ifndef OCI_FIELDS_H
#define OCI_FIELDS_H
#include "oci/error.h"
#include <jansson.h>

// Every value of `j` (which stands for `at` in config.json: "" or "process") has a row and is of its type,
// and nothing refused is asked for; else an error that names `file` and the field. warn: told once of each
// field that is not known or not applied; may be NULL.
int fields_check(json_t *j, const char *at, const char *file,
                 void (*warn)(void *arg, const char *field, const char *why), void *arg, struct error *e);

#endif
