#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents name must be there.

- `path/file.c:name` in docs/ARCHITECTURE.md: the file defines that function (or struct)
- `path/file.c`, `folder/` in backquotes, in any document of docs/: exists
- `file.c` in a folder's README.md: exists in that folder or below, or is a path from the root
- every relative link of every Markdown file of the tree leads to a file
- SECURITY.md lists the variables of the caller's that oci/cmd_do.c passes on
"""
import os
import re
import subprocess
import sys

import source

HOP = re.compile(r"`([\w./-]+\.[chS]):(\w+)`")
PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)+\.(?:c|h|S|def|py|md|sh)|[\w-]+(?:/[\w-]+)*/)`")
PLACEHOLDER = re.compile(r"NAME")  # tests/syscalls/NAME.c
FILE = re.compile(r"`([\w./-]+\.(?:c|h|S|def|py|sh|txt))`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
GENERATED = ("docs/CAVEATS.md", "docs/COMPAT.md", "docs/HOST_SYSCALLS.md")


def documents():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=source.ROOT, text=True,
                            capture_output=True)
    if listed.returncode == 0:
        return sorted(set(listed.stdout.split()))
    return sorted(source.sources("docs", endings=(".md",)))  # not a checkout


def defines(text, name):
    """A definition begins at the start of a line and is no prototype; macros may wrap the name."""
    head = re.compile(r"^(?:[A-Za-z_][\w \t*(),]*[ \t*])?%s\([^;{}]*?\)[^;{}]*\{|^struct %s \{" % (name, name), re.M)
    return bool(head.search(text))


def hops(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        for file, name in HOP.findall(line):
            if not os.path.exists(os.path.join(source.ROOT, file)):
                yield f"{path}:{number}: no file {file}"
            elif not defines(source.read(file), name):
                yield f"{path}:{number}: {file} does not define {name}()"


def places(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        for name in PATH.findall(line):
            if not PLACEHOLDER.search(name) and not os.path.exists(os.path.join(source.ROOT, name)):
                yield f"{path}:{number}: no {name}"


def residents(path, text):
    folder = os.path.dirname(path)
    here = [file for _, _, files in os.walk(os.path.join(source.ROOT, folder)) for file in files]
    for number, line in enumerate(text.splitlines(), 1):
        for name in FILE.findall(line):
            if name not in here and not PLACEHOLDER.search(name) and not any(
                    os.path.exists(os.path.join(source.ROOT, base, name)) for base in ("", folder)):
                yield f"{path}:{number}: no {name}"


def links(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        for target in LINK.findall(line):
            if not os.path.exists(os.path.join(source.ROOT, os.path.dirname(path), target)):
                yield f"{path}:{number}: the link to {target} leads nowhere"


def variables():
    code = re.search(r'#define PASSED_ON "([A-Z_ ]+)"', source.read("oci/cmd_do.c"))
    listed = re.search(r"variables are passed on: ((?:`[A-Z_]+`,?\s+)*`[A-Z_]+`)", source.read("SECURITY.md"))
    if not code or not listed or code[1].split() != re.findall(r"[A-Z_]+", listed[1]):
        yield "SECURITY.md: the variables that are passed on are not those of oci/cmd_do.c"


def main():
    problems, named = list(variables()), 0
    for path in documents():
        text = source.read(path)
        problems += links(path, text)
        if path.endswith("/README.md"):
            problems += residents(path, text)
        if path.startswith("docs/") and path not in GENERATED:
            named += len(HOP.findall(text))
            problems += hops(path, text)
            problems += places(path, text)
    print("\n".join(problems + [f"{named} functions named, {len(problems)} problems"]))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
