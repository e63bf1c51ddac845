#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Functions over 70 lines and files over 600 need a reason in tools/size_exceptions.txt; no line has over 110 columns.

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
TOPS = ("abi", "base", "host", "platform", "fs", "gofer", "sentry", "netstack", "egress", "oci", "tests", "bench")
# Comments, strings and characters: replaced by nothing but their line ends.
NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
NAME = re.compile(r"(\w+)\s*\(")


def blank(match):
    return "\n" * match.group(0).count("\n") or " "


def functions(text):
    """(name, first line, lines) of each function: a brace at the outer level after a closing parenthesis."""
    text = DIRECTIVE.sub(blank, NOISE.sub(blank, text))
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
        for name, first, count in functions(text):
            if count > MAX_FUNCTION:
                need(f"{path}:{name}", f"{path}:{first}: {name}() has {count} lines (more than {MAX_FUNCTION})")
    for key, number in reasons.items():
        if key not in used:
            found.append(f"{EXCEPTIONS}:{number}: {key} is within the limits, or gone")
    print("\n".join(found + [f"{len(found)} sizes without a reason"]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
