#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""State of a sandbox hangs on struct kernel or struct vfs: a variable of a file, or a static one of a function, would be shared
by all sandboxes of a process, and by all namespaces of a sandbox. Those that may be there stand below with their reason.
Constants, and what each thread has for itself, are no such state.
"""
import re
import sys

import source

WHERE = ("sentry", "fs")
ALLOWED = {
    "sentry/kernel.c:the_kernel": "for code without a task at hand; kernel.h says for which",
    "sentry/mm/hostmembarrier.c:known": "what the host can do",
    "sentry/run/boot.c:needs_context": "a table made of abi/syscalls.def before there is a kernel",
    "fs/uio.c:bounce_key": "how what is a thread's own is freed with it",
    "fs/uio.c:have_key": "as bounce_key",
    "fs/uio.c:once": "as bounce_key",
    "fs/devfs/devfs.c:zeros": "never written",
    "fs/devfs/devfs.c:tty_open_fn": "code of the sentry, set once",
    "fs/tty/ctty.c:control": "code of the sentry, set once",
    "fs/host/hosttty.c:terminals": "the stdio that the process was given",
    "fs/host/hosttty.c:terminals_lock": "of these",
    "fs/notify.c:notify_watches": "a hook costs one load where nobody watches anything",
    "fs/notify.c:notify_lock": "as notify_watches",
    "fs/notify.c:last": "numbers that are only compared",
    "fs/notify_user.c:users": "under notify_lock",
    "fs/fanotify.c:fan_marks": "as notify_watches",
    "fs/anon/inotify.c:instances": "under notify_lock, as what they watch",
}
STATIC = re.compile(r"^\s*static\s+(?!inline\b|_Thread_local\b)(.*)")
GLOBAL = re.compile(r"^(?!static\b|extern\b|typedef\b|return\b|goto\b|case\b|_Thread_local\b|_Static_assert\b)([A-Za-z_][\w \t*]*)[\[;=]")
POINTER = re.compile(r"[^()]*\(\*\s*(?:_Atomic\s+)?(\w+)\)")  # to a function


def declaration(lines, at):
    """What begins at a line, up to its `;` or its initial value, as one line without comments; braces of a type are left out."""
    text = ""
    for line in lines[at:at + 40]:
        text += " " + line.split("//")[0].strip()
        if text.count("{") == text.count("}") and ";" in text or re.search(r"=\s*\{?", text):
            break
    return re.sub(r"\{.*\}", "", text.split("=")[0]).strip()


def names(text):
    pointer = POINTER.match(text)
    if pointer:
        return [pointer[1]]
    if "(" in text:
        return []  # a function
    found = (re.search(r"(\w+)\s*(?:\[[^\]]*\]\s*)*;?$", part.strip()) for part in text.split(","))
    return [one[1] for one in found if one]


def constant(text):
    """`const int x`, `T *const x`: but not `const T *x`, which can be pointed elsewhere."""
    return re.search(r"\*\s*const\b", text) if "*" in text else re.search(r"\bconst\b", text)


def variables(path):
    lines = source.read(path).splitlines()
    for at, line in enumerate(lines):
        if not STATIC.match(line) and not (GLOBAL.match(line) and not re.match(r"^(struct|union|enum) \w+;", line)):
            continue
        text = declaration(lines, at)
        if constant(text):
            continue
        for name in names(text):
            yield at + 1, name


def main():
    found, problems = set(), []
    for top in WHERE:
        for path in source.sources(top, endings=(".c",)):
            for line, name in variables(path):
                found.add(f"{path}:{name}")
                if f"{path}:{name}" not in ALLOWED:
                    problems.append(f"{path}:{line}: {name} is state outside of struct kernel and struct vfs")
    problems += [f"tools/check_state.py: {gone} is not there any more" for gone in sorted(set(ALLOWED) - found)]
    print("\n".join(problems + [f"{len(found)} variables of files, {len(problems)} problems"]))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
