// SPDX-License-Identifier: Apache-2.0
// See script.h; execve(2), "Interpreter scripts", and fs/binfmt_script.c of Linux for the corner cases: only
// the first 256 bytes count, and a line that goes on beyond them is good for an interpreter only if the name
// itself ends within.
#include "sentry/loader/script.h"
#include "abi/errno.h"
#include <string.h>

static bool blank(char c) { return c == ' ' || c == '\t'; }
static const char *skip_blanks(const char *p, const char *end) {
    while (p < end && blank(*p))
        p++;
    return p;
}
static const char *word_end(const char *p, const char *end) {
    while (p < end && !blank(*p) && *p)
        p++;
    return p;
}

// Where the line ends: at its newline, or at the limit when what is before it is whole. NULL: it is not.
static const char *line_end(const char *start, const char *limit) {
    const char *end = memchr(start, '\n', (size_t)(limit - start));
    if (end)
        return end;
    const char *name = skip_blanks(start, limit);
    return name == limit || word_end(name, limit) == limit ? NULL : limit;
}

int script_parse(const char *buf, size_t len, struct script *out) {
    char line[LINUX_BINPRM_BUF_SIZE] = {0};  // a short file counts as followed by NULs
    if (len < 2 || buf[0] != '#' || buf[1] != '!')
        return 1;
    memcpy(line, buf, len < sizeof line ? len : sizeof line);
    const char *start = line + 2, *limit = line + sizeof line - 1;
    const char *end = line_end(start, limit);
    if (!end)
        return -LINUX_ENOEXEC;  // nothing, or cut off in the middle
    while (end > start && blank(end[-1]))
        end--;
    const char *name = skip_blanks(start, end), *stop = word_end(name, end);
    if (name == stop)
        return -LINUX_ENOEXEC;
    *out = (struct script){.has_arg = false};
    memcpy(out->interp, name, (size_t)(stop - name));
    if (stop < end && *stop) {
        const char *arg = skip_blanks(stop, end);
        size_t n = strnlen(arg, (size_t)(end - arg));
        out->has_arg = n > 0;
        memcpy(out->arg, arg, n);
    }
    return 0;
}
