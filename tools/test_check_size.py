#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What check_size.py finds, and what it lets pass."""
import unittest

import check_size


def nested(text):
    return list(check_size.nested_conditionals(check_size.code(text)))


def ladders(text):
    return check_size.ladders(check_size.code(text))


class Nested(unittest.TestCase):
    def test_found(self):
        self.assertEqual(nested("x = a ? b : c ? d : e;"), [1])
        self.assertEqual(nested("x = a ? b ? c : d : e;"), [1])
        self.assertEqual(nested("x = a ? (b ? c : d) : e;"), [1])
        self.assertEqual(nested("x = a ? (b ? c : d) + 1 : (e ? f : g);"), [1, 1])
        self.assertEqual(nested("f(a ? b : c ? d : e, 1);"), [1])
        self.assertEqual(nested("x = a\n  ? b\n  : c\n  ? d : e;"), [4])
        self.assertEqual(nested("x = a ? b : c ? d : e ? f : g;"), [1, 1])

    def test_let_pass(self):
        for text in ("f(a ? b : c, d ? e : f);", "x = a ? f(b ? c : d) : e;", "x = a ? v[b ? 0 : 1] : e;",
                     "x = (a ? b : c) + (d ? e : f);", "switch (a) {\ncase 1: x = b ? c : d;\ndefault: y = b ? c : d; }",
                     "a: x = b ? c : d;\ny = e ? f : g;", "// a ? b : c ? d : e", 'x = a ? "b ? c : d" : e;',
                     "int v[] = {a ? b : c, d ? e : f};", "#define X(a) a ? b : c ? d : e"):
            self.assertEqual(nested(text), [], text)


class Ladders(unittest.TestCase):
    def test_found(self):
        self.assertEqual(ladders("int err = f();\nif (!err)\n    err = g();"), [2])
        self.assertEqual(ladders("if (!err && more)\n    err = g();"), [1])
        self.assertEqual(ladders("if (!err) {\n    set();\n    err = g();\n}"), [1])

    def test_let_pass(self):
        for text in ("if (err)\n    return err;", "if (!to)\n    to = here;", "if (!err)\n    tell();", "err = err ? err : g();",
                     "if (!err)\n    return 0;\nerr = g();", "// if (!err) err = g();"):
            self.assertEqual(ladders(text), [], text)


class Functions(unittest.TestCase):
    def test_found(self):
        text = check_size.code("struct s {\n    int a;\n};\nint f(int a) {\n    return a;\n}\nvoid g(void) {}\n")
        self.assertEqual(list(check_size.functions(text)), [("f", 4, 3), ("g", 7, 1)])


if __name__ == "__main__":
    unittest.main()
