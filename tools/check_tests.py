#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every row of abi/syscalls.def must be covered by a program in tests/syscalls: what is served by what it does, what is
not by its refusal. Names that are no calls are errors.
"""
import sys

import source


def main():
    rows = {row.name: row for row in source.syscalls()}
    covered, problems = set(), []
    for path, names in source.covers().items():
        if not names:
            problems.append(f"{path}:1: no line `// covers: ...'")
        problems += [f"{path}:1: covers {name}, which abi/syscalls.def does not have" for name in names if name not in rows]
        covered.update(names)
    missing = [row for row in rows.values() if row.name not in covered]
    problems += [f"abi/syscalls.def: {row.name} is {row.support} and no program in tests/syscalls covers it"
                 for row in missing]
    print("\n".join(problems + [f"{len(rows) - len(missing)} of {len(rows)} calls are covered"]))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
