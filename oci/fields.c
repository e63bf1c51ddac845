// SPDX-License-Identifier: Apache-2.0
// See fields.h. Paths are built in a buffer of fixed size: names too long for it belong to no row anyway.
#include "oci/fields.h"
#include "oci/json.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum type { STRING, BOOL, NUMBER, LIST, OBJECT, MAP, ANY };
enum treatment { ACTED, NOTHING, WARNED, REFUSED };
static const struct field {
    const char *path;
    enum type type;
    enum treatment treatment;
    const char *note;
} fields[] = {
#define FIELD(path, type, treatment, note) {path, type, treatment, note},
#include "oci/config_fields.def"
};

#define PATH_SIZE 256
struct walk {
    const char *file;
    void (*warn)(void *arg, const char *field, const char *why);
    void *arg;
    struct error *e;
};

static const struct field *find(const char *path) {
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (!strcmp(fields[i].path, path))
            return &fields[i];
    return NULL;
}

static bool is_type(json_t *j, enum type type) {
    int64_t unused;
    switch (type) {
    case STRING:
        return json_is_string(j);
    case BOOL:
        return json_is_boolean(j);
    case NUMBER:
        return json_whole(j, &unused);
    case LIST:
        return json_is_array(j);
    case OBJECT:
    case MAP:
        return json_is_object(j);
    default:
        return true;
    }
}
static const char *type_name(enum type type) {
    static const char *const names[] = {
        [STRING] = "a string", [BOOL] = "true or false", [NUMBER] = "a whole number in range",
        [LIST] = "a list",     [OBJECT] = "an object",   [MAP] = "an object",
        [ANY] = "a value"};
    return names[type];
}

// Zeros and emptiness are what clients write for "not set".
static bool asks(json_t *j) {
    switch (json_typeof(j)) {
    case JSON_NULL:
    case JSON_FALSE:
        return false;
    case JSON_INTEGER:
        return json_integer_value(j) != 0;
    case JSON_REAL:
        return json_real_value(j) != 0;
    case JSON_STRING:
        return json_string_length(j) > 0;
    case JSON_ARRAY: {
        size_t i;
        json_t *v;
        json_array_foreach(j, i, v)
            if (asks(v))
                return true;
        return false;
    }
    case JSON_OBJECT: {
        const char *key;
        json_t *v;
        json_object_foreach(j, key, v)
            if (asks(v))
                return true;
        return false;
    }
    default:
        return true;
    }
}

static void warn(const struct walk *w, const char *field, const char *why) {
    if (w->warn)
        w->warn(w->arg, field, why);
}

static int check(const struct walk *w, json_t *j, const char *path);

static int check_member(const struct walk *w, const char *path, bool map, const char *key, json_t *v) {
    char at[PATH_SIZE];
    int n = snprintf(at, sizeof at, "%s%s%s", path, *path ? "." : "", map ? "*" : key);
    if (n < 0 || (size_t)n >= sizeof at || !find(at)) {
        char shown[PATH_SIZE];
        snprintf(shown, sizeof shown, "%s%s%.64s", path, *path ? "." : "", key);
        warn(w, shown, "a field that is not known");
        return 0;
    }
    return check(w, v, at);
}

static int check_below(const struct walk *w, json_t *j, const char *path, bool map) {
    char at[PATH_SIZE];
    const char *key;
    size_t i;
    json_t *v;
    snprintf(at, sizeof at, "%s[]", path);
    json_array_foreach(j, i, v) {
        if (json_is_null(v))
            return error_set(w->e, "%s: %s: has an element that is null", w->file, path);
        if (check(w, v, at) < 0)
            return -1;
    }
    json_object_foreach(j, key, v)
        if (check_member(w, path, map, key, v) < 0)
            return -1;
    return 0;
}

static int check(const struct walk *w, json_t *j, const char *path) {
    const struct field *f = find(path);
    if (json_is_null(j) || !f)  // as if it were not there
        return 0;
    if (!is_type(j, f->type))
        return error_set(w->e, "%s: %s: is not %s", w->file, path, type_name(f->type));
    bool wants = f->type == MAP ? json_object_size(j) > 0 : asks(j);  // a name alone can be a wish
    if (f->treatment == REFUSED && wants)
        return error_set(w->e, "%s: %s: is not supported: %s", w->file, path, f->note);
    if (f->treatment == WARNED && wants)
        warn(w, path, f->note);
    return f->type == ANY ? 0 : check_below(w, j, path, f->type == MAP);
}

int fields_check(json_t *j, const char *at, const char *file,
                 void (*warn_fn)(void *arg, const char *field, const char *why), void *arg, struct error *e) {
    const struct walk w = {file, warn_fn, arg, e};
    return *at ? check(&w, j, at) : check_below(&w, j, "", false);
}
