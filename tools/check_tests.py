#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every FULL or PARTIAL call of abi/syscalls.def must be covered by a program in tests/syscalls.

A program says what it covers in lines `// covers: read, write` at its head. Names that are no calls are errors.
"""
import re
import sys

import source

COVERS = re.compile(r"^//\s*covers:\s*(.*)$", re.M)


def main():
    rows = {row.name: row for row in source.syscalls()}
    covered, problems = set(), []
    for path in source.sources("tests/syscalls", endings=(".c",)):
        lists = COVERS.findall(source.read(path))
        if not lists:
            problems.append(f"{path}:1: no line `// covers: ...'")
        for name in re.split(r"[,\s]+", " ".join(lists).strip()) if lists else []:
            if name and name not in rows:
                problems.append(f"{path}:1: covers {name}, which abi/syscalls.def does not have")
            covered.add(name)
    served = [row for row in rows.values() if row.support != "NONE"]
    missing = [row for row in served if row.name not in covered]
    problems += [f"abi/syscalls.def: {row.name} is {row.support} and no program in tests/syscalls covers it"
                 for row in missing]
    print("\n".join(problems + [f"{len(served) - len(missing)} of {len(served)} served calls are covered"]))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
