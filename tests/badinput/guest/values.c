// SPDX-License-Identifier: Apache-2.0
// Bad values by the kind of an argument: pointers that cannot be read or written, sizes and offsets at the
// ends of their range, numbers that nobody has, every single flag, every name of a set, descriptors of every
// kind of object.
#include "bad.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "abi/flags.h"
#include "places.h"

struct list {
    struct value *values;
    unsigned count;
};

static void add(struct list *list, const char *text, uint64_t value, bool paired) {
    if (list->count == MAX_BAD)
        return;
    struct value *v = &list->values[list->count++];
    *v = (struct value){.value = value, .paired = paired};
    snprintf(v->text, sizeof(v->text), "%s", text);
}

static void add_number(struct list *list, uint64_t value, bool paired) {
    char text[32];
    snprintf(text, sizeof(text), "%#lx", value);
    add(list, text, value, paired);
}

static void pointers(struct list *list, bool written) {
    add(list, "null", 0, true);
    add(list, "unmapped", UNMAPPED_AT, true);
    add(list, "no-access", NONE_AT, false);
    if (written)
        add(list, "read-only", READ_ONLY_AT, false);
    add(list, "half", EDGE_AT - 4, false);
    add(list, "last-byte", EDGE_AT - 1, false);
    add(list, "odd", GOOD_AT + MAX_ARGS * GOOD_STEP + 1, false);
    add(list, "low", 0x1000 - 8, false);
    add(list, "noncanonical", 0x800000000000, false);
    add(list, "kernel", 0xffff888000000000, true);
    add(list, "wraps", (uint64_t)-4, false);
}

static void paths(struct list *list) {
    add(list, "null", 0, true);
    add(list, "unmapped", UNMAPPED_AT, false);
    add(list, "no-access", NONE_AT, false);
    add(list, "unended", EDGE_AT - 4, false);
    add(list, "kernel", 0xffff888000000000, false);
    add(list, "empty", NAMES_AT + NAME_EMPTY, true);
    add(list, "long-name", NAMES_AT + NAME_LONG, false);
    add(list, "too-long", NAMES_AT + NAME_LONGEST, false);
    add(list, "missing", NAMES_AT + NAME_MISSING, true);
    add(list, "below-file", NAMES_AT + NAME_BELOW_FILE, false);
    add(list, "loop", NAMES_AT + NAME_LOOP, false);
    add(list, "a-directory", NAMES_AT + NAME_DIRECTORY, false);
}

static void descriptors(struct list *list) {
    add(list, "-1", (uint64_t)-1, true);
    add(list, "9999", 9999, false);
    add(list, "INT_MIN", (uint64_t)INT_MIN, false);
    for (int i = FILE_RW; i < OBJECTS_END; i++)
        add(list, object_names[i - FILE_RW], (uint64_t)i, i == PATH_ONLY || i == EVENTFD);
}

static void numbers(struct list *list, const uint64_t *some, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        add_number(list, some[i], i < 2);
}

static void bits(struct list *list) {
    add(list, "all", UINT64_MAX, true);
    for (unsigned i = 0; i < 32; i++)
        add_number(list, 1ull << i, i == 30);
    add_number(list, 1ull << 32, false);
}

static void one_of(struct list *list, const char *set_name) {
    add(list, "-1", (uint64_t)-1, true);
    add(list, "INT_MAX", INT_MAX, false);
    for (unsigned i = 0; i < 24; i++)
        add_number(list, i, false);
    const struct flagset *set = flagset_find(set_name, strlen(set_name));
    for (size_t i = 0; set && i < set->count; i++) {
        if (set->entries[i].value >= 24)
            add(list, set->entries[i].name, set->entries[i].value, false);
    }
}

static const uint64_t sizes[] = {(uint64_t)-1,          0,        1,       7, 4095, 4097, INT_MAX,
                                 (uint64_t)INT_MAX + 1, UINT_MAX, LONG_MAX};
static const uint64_t ints[] = {(uint64_t)-1, INT_MAX, 0, 1, 2, 3, 7, 100, (uint64_t)INT_MIN, 1ull << 32};
static const uint64_t longs[] = {(uint64_t)-1, LONG_MAX,   (uint64_t)LONG_MIN, 1,
                                 4095,         1ull << 32, LONG_MAX - 4095};
static const uint64_t modes[] = {UINT_MAX, 0,      07777,   0170000, 0100644,
                                 020644,   010644, 0140644, 040755,  0120777};
static const uint64_t signals[] = {(uint64_t)-1, 65, 64, INT_MAX, (uint64_t)INT_MIN, 1ull << 32};
static const uint64_t pids[] = {(uint64_t)INT_MIN, INT_MAX, 4194305, 999999, (uint64_t)-999999};
static const uint64_t ids[] = {UINT_MAX, 1, INT_MAX, 65534, UINT_MAX - 1, 1ull << 32};
static const uint64_t devs[] = {UINT_MAX, 0, 1ull << 32, (uint64_t)-1};
#define NUMBERS(list, some) numbers(list, some, sizeof(some) / sizeof((some)[0]))

static bool is(const struct arg *arg, const char *kind) { return !strcmp(arg->kind, kind); }

unsigned bad_values(const struct call *call, const struct arg *arg, struct value *values) {
    struct list list = {.values = values};
    if (is(arg, "in") || is(arg, "out") || is(arg, "inout") || is(arg, "ptr"))
        pointers(&list, !is(arg, "in"));
    else if (is(arg, "path"))
        paths(&list);
    else if (is(arg, "fd") || is(arg, "dirfd"))
        descriptors(&list);
    else if (is(arg, "size"))
        NUMBERS(&list, sizes);
    else if (is(arg, "int") || is(arg, "uint") || is(arg, "sockopt"))
        NUMBERS(&list, ints);
    else if (is(arg, "long") || is(arg, "off") || is(arg, "fcntlarg"))
        NUMBERS(&list, longs);
    else if (is(arg, "mode"))
        NUMBERS(&list, modes);
    else if (is(arg, "sig"))
        NUMBERS(&list, signals);
    else if (is(arg, "pid"))
        NUMBERS(&list, pids);
    else if (is(arg, "uid") || is(arg, "gid"))
        NUMBERS(&list, ids);
    else if (is(arg, "dev"))
        NUMBERS(&list, devs);
    else if (is(arg, "flags") || is(arg, "hex") || is(arg, "oct"))
        bits(&list);
    else if (is(arg, "enum"))
        one_of(&list, arg->type);
    (void)call;
    return list.count;
}
