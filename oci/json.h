// SPDX-License-Identifier: Apache-2.0
// JSON that others wrote, read with bounds: size, nesting (libjansson's own), doubled keys, and strings with
// NUL bytes are errors that name the file.
#ifndef OCI_JSON_H
#define OCI_JSON_H
#include "oci/error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define JSON_FILE_MAX (4u << 20)  // bytes

// The object in the file `name` (of the directory `dirfd`, AT_FDCWD: of the current one; "-": stdin); NULL
// and an error when there is none.
json_t *json_read_file(int dirfd, const char *name, struct error *e);
// The same of `n` bytes in memory; `name` is for messages.
json_t *json_read(const char *text, size_t n, const char *name, struct error *e);
// Is it a whole number? What is beyond 2^63 - 1 counts as that, which stands for "no limit". (In a file with
// such a number, others are exact up to 2^53.)
bool json_whole(json_t *j, int64_t *value);

#endif
