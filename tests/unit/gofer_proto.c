// SPDX-License-Identifier: Apache-2.0
// The gofer protocol: what is encoded is decoded again, and nothing malformed is.
#include "gofer/proto.h"
#include "abi/errno.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STR(s) {s, sizeof(s) - 1}
static uint8_t buf[GOFER_MSG_MAX];

static struct gofer_in written(const struct gofer_out *out) {
    return (struct gofer_in){out->p, out->len, false};
}

static void test_walk_round_trip(void **state) {
    struct gofer_out out = {buf, 0, sizeof(buf), false};
    struct gofer_walk_req q = {.handle = 0x1122334455667788,
                               .flags = 3,
                               .names = {3, {STR("a"), STR("bc"), STR("...")}}},
                          got;
    assert_int_equal(gofer_put_walk_req(&out, &q), 0);
    struct gofer_in in = written(&out);
    assert_int_equal(gofer_get_walk_req(&in, &got), 0);
    assert_int_equal(got.handle, q.handle);
    assert_int_equal(got.names.n, 3);
    assert_string_equal(got.names.v[2].p, "...");

    static struct gofer_walk_rep r, back;
    r.stop = LINUX_ELOOP;
    r.link = (struct gofer_str)STR("/etc/target");
    r.attrs.n = GOFER_WALK_MAX;
    for (unsigned i = 0; i < GOFER_WALK_MAX; i++)
        r.attrs.v[i] = (struct gofer_attr){.ino = i, .mode = 0100644, .mtime = (uint64_t)-5};
    out.len = 0;
    assert_int_equal(gofer_put_walk_rep(&out, &r), 0);
    in = written(&out);
    assert_int_equal(gofer_get_walk_rep(&in, &back), 0);
    assert_int_equal(back.attrs.v[31].ino, 31);
    assert_int_equal((int64_t)back.attrs.v[31].mtime, -5);
    assert_string_equal(back.link.p, "/etc/target");
}

// Every proper prefix of a message, and one byte too many, is refused.
static void test_truncation(void **state) {
    struct gofer_out out = {buf, 0, sizeof(buf), false};
    struct gofer_rename_req q = {1, STR("from"), 2, STR("to"), 0}, got;
    assert_int_equal(gofer_put_rename_req(&out, &q), 0);
    for (size_t n = 0; n <= out.len + 1; n++) {
        uint8_t *copy = malloc(n ? n : 1);  // exact: a sanitizer sees any byte beyond
        memcpy(copy, buf, n);
        struct gofer_in in = {copy, n, false};
        assert_int_equal(gofer_get_rename_req(&in, &got), n == out.len ? 0 : -LINUX_EBADMSG);
        free(copy);
    }
}

static void test_names(void **state) {
    static const struct {
        const char *p;
        size_t n;
        bool ok;
    } rows[] = {
        {"a", 1, true},     {"..a", 3, true},  {"...", 3, true},  {"a b\n", 4, true}, {"\xff\xfe", 2, true},
        {"", 0, false},     {".", 1, false},   {"..", 2, false},  {"a/b", 3, false},  {"/", 1, false},
        {"a\0b", 3, false}, {"\0", 1, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gofer_out out = {buf, 0, sizeof(buf), false};
        struct gofer_unlink_req q = {1, {rows[i].p, (uint32_t)rows[i].n}, 0}, got;
        assert_int_equal(gofer_name_ok(rows[i].p, rows[i].n), rows[i].ok);
        assert_int_equal(gofer_put_unlink_req(&out, &q), rows[i].ok ? 0 : -LINUX_EMSGSIZE);
        // The same by hand, past our own encoder.
        uint8_t raw[64] = {1};
        raw[8] = (uint8_t)rows[i].n;
        memcpy(raw + 10, rows[i].p, rows[i].n);
        struct gofer_in in = {raw, 8 + 2 + rows[i].n + 1 + 4, false};
        assert_int_equal(gofer_get_unlink_req(&in, &got), rows[i].ok ? 0 : -LINUX_EBADMSG);
    }
}

static void test_long_names(void **state) {
    char name[300];
    memset(name, 'x', sizeof(name));
    assert_true(gofer_name_ok(name, 255));
    assert_false(gofer_name_ok(name, 256));
    uint8_t raw[400] = {1};
    raw[8] = 0;
    raw[9] = 1;  // 256
    memcpy(raw + 10, name, 256);
    struct gofer_unlink_req got;
    struct gofer_in in = {raw, 8 + 2 + 256 + 1 + 4, false};
    assert_int_equal(gofer_get_unlink_req(&in, &got), -LINUX_EBADMSG);
    raw[8 + 2 + 255] = 'x';
    raw[8] = 255;
    raw[9] = 0;
    in = (struct gofer_in){raw, 8 + 2 + 255 + 1 + 4, false};
    assert_int_equal(gofer_get_unlink_req(&in, &got), -LINUX_EBADMSG);  // no NUL after the text
}

static void test_counts(void **state) {
    struct gofer_out out = {buf, 0, sizeof(buf), false};
    struct gofer_release_req q = {{.n = GOFER_IDS_MAX + 1}}, got;
    assert_int_equal(gofer_put_release_req(&out, &q), -LINUX_EMSGSIZE);
    uint8_t raw[2 + 8 * 65] = {65};
    struct gofer_in in = {raw, sizeof(raw), false};
    assert_int_equal(gofer_get_release_req(&in, &got), -LINUX_EBADMSG);
    raw[0] = raw[1] = 0xff;
    in = (struct gofer_in){raw, sizeof(raw), false};
    assert_int_equal(gofer_get_release_req(&in, &got), -LINUX_EBADMSG);
}

static void test_bytes_bound(void **state) {
    static uint8_t raw[4 + GOFER_BYTES_MAX + 1];
    raw[0] = 1;
    raw[2] = 1;  // 65537
    struct gofer_getxattr_rep got;
    struct gofer_in in = {raw, sizeof(raw), false};
    assert_int_equal(gofer_get_getxattr_rep(&in, &got), -LINUX_EBADMSG);
    raw[0] = 0;
    in = (struct gofer_in){raw, sizeof(raw) - 1, false};
    assert_int_equal(gofer_get_getxattr_rep(&in, &got), 0);
    assert_int_equal(got.value.n, GOFER_BYTES_MAX);
}

static void test_header(void **state) {
    uint8_t raw[GOFER_HDR_SIZE];
    struct gofer_hdr h = {GOFER_HDR_SIZE, 7, 1, 99, -2}, got;
    gofer_put_hdr(raw, &h);
    assert_int_equal(gofer_get_hdr(raw, sizeof(raw), &got), 0);
    assert_memory_equal(&h, &got, sizeof(h));
    assert_int_equal(gofer_get_hdr(raw, 15, &got), -LINUX_EPROTO);
    h.size = 17;
    gofer_put_hdr(raw, &h);
    assert_int_equal(gofer_get_hdr(raw, sizeof(raw), &got), -LINUX_EPROTO);
}

static void test_entries(void **state) {
    struct gofer_out out = {buf, 0, 300, false};
    struct gofer_entry e = {
        .offset = 5, .ino = 9, .dtype = 8, .has_attr = true, .name = STR("file"), .attr.size = 77};
    unsigned n = 0;
    while (gofer_put_entry(&out, &e))
        n++;
    assert_int_equal(n, 2);  // 300 bytes: what did not fit left no trace
    struct gofer_in in = written(&out);
    struct gofer_entry got;
    assert_int_equal(gofer_get_entry(&in, &got), 1);
    assert_int_equal(gofer_get_entry(&in, &got), 1);
    assert_int_equal(got.attr.size, 77);
    assert_int_equal(gofer_get_entry(&in, &got), 0);
    in = written(&out);
    in.left--;
    gofer_get_entry(&in, &got);
    assert_int_equal(gofer_get_entry(&in, &got), -LINUX_EBADMSG);
    assert_int_equal(gofer_get_entry(&in, &got), -LINUX_EBADMSG);
}

static void test_table(void **state) {
    assert_string_equal(gofer_type_name(GOFER_TYPE_walk), "walk");
    assert_null(gofer_type_name(0));
    assert_null(gofer_type_name(60000));
    assert_int_equal(gofer_type_flags(GOFER_TYPE_create), GOFER_WRITES | GOFER_DONATES);
    assert_int_equal(gofer_type_flags(60000), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk_round_trip), cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_names),           cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_counts),          cmocka_unit_test(test_bytes_bound),
        cmocka_unit_test(test_header),          cmocka_unit_test(test_entries),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
