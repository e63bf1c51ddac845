// SPDX-License-Identifier: Apache-2.0
// See json.h.
#include "oci/json.h"
#include "base/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

json_t *json_read(const char *text, size_t n, const char *name, struct error *e) {
    json_error_t why;
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    // "no limit" is written as 2^64 - 1
    if (!j && json_error_code(&why) == json_error_numeric_overflow)
        j = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &why);
    if (!j)
        error_set(e, "%s: line %d, column %d: %s", name, why.line, why.column, why.text);
    else if (!json_is_object(j))
        error_set(e, "%s: is not a JSON object", name);
    if (!json_is_object(j)) {
        json_decref(j);
        return NULL;
    }
    return j;
}

bool json_whole(json_t *j, int64_t *value) {
    double d = json_real_value(j);
    *value = json_integer_value(j);
    if (json_is_integer(j))
        return true;
    if (!json_is_real(j) || d < -0x1p63)
        return false;
    *value = d < 0x1p63 ? (int64_t)d : INT64_MAX;
    return d >= 0x1p63 || (double)*value == d;
}

static ssize_t read_whole(int fd, char *buf, size_t size) {
    size_t n = 0;
    while (n < size) {
        ssize_t r = read(fd, buf + n, size - n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -errno;
        if (r == 0)
            break;
        n += (size_t)r;
    }
    return (ssize_t)n;
}

json_t *json_read_file(int dirfd, const char *name, struct error *e) {
    bool from_stdin = !strcmp(name, "-");
    // not waited for, when it is a fifo
    int fd cleanup_close = from_stdin ? dup(0) : openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        error_errno(e, errno, "%s", name);
        return NULL;
    }
    if (!from_stdin && !S_ISREG(st.st_mode)) {
        error_set(e, "%s: is not a regular file", name);
        return NULL;
    }
    char *buf cleanup_free = malloc(JSON_FILE_MAX + 1);
    ssize_t n = buf ? read_whole(fd, buf, JSON_FILE_MAX + 1) : -ENOMEM;
    if (n < 0) {
        error_errno(e, (int)-n, "%s", name);
        return NULL;
    }
    if ((size_t)n > JSON_FILE_MAX) {
        error_set(e, "%s: more than %u MiB", name, JSON_FILE_MAX >> 20);
        return NULL;
    }
    return json_read(buf, (size_t)n, from_stdin ? "stdin" : name, e);
}
