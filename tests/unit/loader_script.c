// SPDX-License-Identifier: Apache-2.0
// The #! line, and what it makes of the arguments.
#include "abi/errno.h"
#include "sentry/loader/loader.h"
#include "sentry/loader/script.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the above first.
#include <cmocka.h>

static struct script s;
static int parse(const char *text) { return script_parse(text, strlen(text), &s); }

static void test_plain(void **state) {
    assert_int_equal(parse("#!/bin/sh\necho\n"), 0);
    assert_string_equal(s.interp, "/bin/sh");
    assert_false(s.has_arg);
    assert_int_equal(parse("#! \t/bin/sh  -e -u \t\n"), 0);
    assert_string_equal(s.interp, "/bin/sh");
    assert_true(s.has_arg);
    assert_string_equal(s.arg, "-e -u");  // one argument, blanks inside it
    assert_int_equal(parse("#!/bin/sh"), 0);  // no newline at the file's end
    assert_string_equal(s.interp, "/bin/sh");
    assert_int_equal(parse("#!/bin/sh   "), 0);
    assert_false(s.has_arg);
}
static void test_not_a_script(void **state) {
    assert_int_equal(parse(""), 1);
    assert_int_equal(parse("#"), 1);
    assert_int_equal(parse(" #!/bin/sh\n"), 1);
    assert_int_equal(parse("\x7f" "ELF"), 1);
}
static void test_bad(void **state) {
    assert_int_equal(parse("#!"), -LINUX_ENOEXEC);
    assert_int_equal(parse("#!\n/bin/sh"), -LINUX_ENOEXEC);
    assert_int_equal(parse("#!  \t \n"), -LINUX_ENOEXEC);
    char nul[] = "#!\0/bin/sh\n";
    assert_int_equal(script_parse(nul, sizeof nul, &s), -LINUX_ENOEXEC);
}
static void test_long_lines(void **state) {
    char line[600];
    memset(line, 'x', sizeof line);
    memcpy(line, "#!/", 3);
    assert_int_equal(script_parse(line, sizeof line, &s), -LINUX_ENOEXEC);  // the name is cut off
    line[20] = ' ';
    assert_int_equal(script_parse(line, sizeof line, &s), 0);  // only the argument is
    assert_int_equal(strlen(s.interp), 18);
    assert_int_equal(strlen(s.arg), 255 - 21);
    memset(line + 2, ' ', sizeof line - 2);
    assert_int_equal(script_parse(line, sizeof line, &s), -LINUX_ENOEXEC);
    memset(line, 'x', sizeof line);
    memcpy(line, "#!/", 3);
    line[254] = '\n';
    assert_int_equal(script_parse(line, sizeof line, &s), 0);
    assert_int_equal(strlen(s.interp), 252);
}

static void test_args(void **state) {
    struct exec_args a = {0};
    assert_int_equal(exec_args_add(&a, "old", false), 0);
    assert_int_equal(exec_args_add(&a, "one", false), 0);
    assert_int_equal(exec_args_add(&a, "E=1", true), 0);
    assert_int_equal(exec_args_script(&a, "/bin/sh", "-e", "./x"), 0);
    static const char want[] = "/bin/sh\0-e\0./x\0one\0E=1";
    assert_int_equal(a.argc, 4);
    assert_int_equal(a.envc, 1);
    assert_int_equal(a.len, sizeof want);
    assert_memory_equal(a.strings, want, sizeof want);
    assert_int_equal(exec_args_script(&a, "/i", NULL, "/bin/sh"), 0);
    assert_int_equal(a.argc, 5);
    assert_memory_equal(a.strings, "/i\0/bin/sh\0-e\0./x", 18);
    exec_args_free(&a);
}
static void test_arg_limits(void **state) {
    struct exec_args a = {0};
    char *big = malloc(LINUX_MAX_ARG_STRLEN + 1);
    assert_non_null(big);
    memset(big, 'a', LINUX_MAX_ARG_STRLEN);
    big[LINUX_MAX_ARG_STRLEN] = 0;
    assert_int_equal(exec_args_add(&a, big, false), -LINUX_E2BIG);
    big[LINUX_MAX_ARG_STRLEN - 1] = 0;
    int r = 0, n = 0;
    for (; r == 0; n++)
        r = exec_args_add(&a, big, false);
    assert_int_equal(r, -LINUX_E2BIG);
    assert_int_equal(n, 16);  // fifteen fit beside their pointers
    exec_args_free(&a);
    for (r = n = 0; r == 0; n++)
        r = exec_args_add(&a, "", false);
    assert_int_equal(r, -LINUX_E2BIG);
    assert_int_equal(n - 1, EXEC_ARG_MAX / 9);  // a byte and a pointer each
    exec_args_free(&a);
    free(big);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain), cmocka_unit_test(test_not_a_script),
        cmocka_unit_test(test_bad),   cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_args),  cmocka_unit_test(test_arg_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
