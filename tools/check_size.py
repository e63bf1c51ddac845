#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Functions over 70 lines and files over 600 need a reason in tools/size_exceptions.txt; no line has over 110 columns,
no conditional expression is within another, and no step asks whether the last one has failed.

A line there is `path: reason` for a file, `path:function: reason` for a function. A reason that nothing needs any more
is an error too. Functions are found by a scan for braces at the outer level, comments and strings taken out.
"""
import re
import sys

import source

MAX_FUNCTION = 70
MAX_FILE = 600
MAX_LINE = 110
EXCEPTIONS = "tools/size_exceptions.txt"
TOPS = ("abi", "base", "host", "platform", "fs", "gofer", "sentry", "netstack", "oci", "tests", "bench")
# Comments, strings and characters: replaced by nothing but their line ends.
NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
NAME = re.compile(r"(\w+)\s*\(")
# Folders that still have what nested_conditionals() and ladders() find.
NOT_YET = ()
# `if (!err) err = step();`, with braces or a further condition too. By the names that errors have: `if (!to) to = here;`
# is a default.
LADDER = re.compile(r"if \(!(err|error|rc|ret|res|result|got)\b(?: &&[^;{}]*?)?\)\s*(?:\{[^{}]*?)?\b\1 = ")


def blank(match):
    return "\n" * match.group(0).count("\n") or " "


def code(text):
    """The text without comments, strings and directives, line for line."""
    return DIRECTIVE.sub(blank, NOISE.sub(blank, text))


def functions(text):
    """(name, first line, lines) of each function of code: a brace at the outer level after a closing parenthesis."""
    depth, line, start, head = 0, 1, None, ""
    for char in text:
        if char == "\n":
            line += 1
        if char == "{":
            if depth == 0 and head.rstrip().endswith(")"):
                names = NAME.findall(head)
                start = (names[0] if names else "?", line)
            depth += 1
        elif char == "}":
            depth = max(depth - 1, 0)
            if depth == 0 and start:
                yield start[0], start[1], line - start[1] + 1
                start = None
            head = ""
            continue
        if depth == 0:
            head = "" if char == ";" else head + char


def nested_conditionals(text):
    """The line of each conditional expression of code that is a part of another. One in an argument or an index is
    not; one in parentheses is. `inside` has what is open: `(` a group, `[` a call or an index, `?` and `:` a conditional."""
    line, inside, last = 1, [], ""
    for char in text:
        if char == "\n":
            line += 1
        elif char in "([":
            inside.append("[" if char == "[" or re.match(r"[\w\])]", last) else "(")
        elif char in ")]":
            while inside and inside.pop() not in "([":
                pass
        elif char in ";{}":
            inside.clear()
        elif char == ",":
            while inside and inside[-1] in "?:":
                inside.pop()
        elif char == "?":
            here = "".join(inside).rpartition("[")[2]
            if "?" in here or ":" in here:
                yield line
            inside.append("?")
        elif char == ":" and "?" in inside:
            while inside.pop() != "?":
                pass
            inside.append(":")
        if not char.isspace():
            last = char


def ladders(text):
    """The line of each step of code that first asks whether the last one has failed."""
    return [text.count("\n", 0, match.start()) + 1 for match in LADDER.finditer(text)]


def hard_to_follow(path, text):
    for line in nested_conditionals(text):
        yield f"{path}:{line}: a conditional expression within another"
    for line in ladders(text):
        yield f"{path}:{line}: asks whether the last step failed: return there"


def exceptions():
    reasons = {}
    for number, line in enumerate(source.read(EXCEPTIONS).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        key, _, reason = line.partition(": ")
        if not reason.strip():
            raise SystemExit(f"{EXCEPTIONS}:{number}: no reason")
        reasons[key] = number
    return reasons


def main():
    reasons, found, used = exceptions(), [], set()

    def need(key, text):
        if key in reasons:
            used.add(key)
        else:
            found.append(text)

    for path in source.sources(*TOPS, endings=(".c", ".h", ".S", ".py")):
        text = source.read(path)
        lines = text.count("\n")
        if lines > MAX_FILE:
            need(path, f"{path}:1: {lines} lines (more than {MAX_FILE})")
        if path.endswith(".py"):
            continue
        found += [f"{path}:{number}: {len(line)} columns (more than {MAX_LINE})"
                  for number, line in enumerate(text.splitlines(), 1) if len(line) > MAX_LINE]
        if path.endswith(".S"):
            continue
        text = code(text)
        if not path.startswith(NOT_YET):
            found += hard_to_follow(path, text)
        for name, first, count in functions(text):
            if count > MAX_FUNCTION:
                need(f"{path}:{name}", f"{path}:{first}: {name}() has {count} lines (more than {MAX_FUNCTION})")
    for key, number in reasons.items():
        if key not in used:
            found.append(f"{EXCEPTIONS}:{number}: {key} is within the limits, or gone")
    print("\n".join(found + [f"{len(found)} places to mend"]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
