#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The edits of the mutants (tests/escape) fit the sources: a mutant that cannot be made is found here, and not when all
are made, which takes long.
"""
import os
import sys

import source

sys.path.insert(0, os.path.join(source.ROOT, "tests/escape"))
import run_mutants  # noqa: E402
import run_planted  # noqa: E402


def all_edits():
    """(name, edits) of each."""
    for name, _, _, edits in run_mutants.MUTANTS + run_planted.MUTANTS:
        yield name, edits
    yield "let-on", run_planted.LET_ON
    yield "planted", run_planted.PLANTED


def main():
    found = []
    for name, edits in all_edits():
        try:
            run_mutants.edited(source.ROOT, edits)
        except (OSError, ValueError) as error:
            found.append(f"{name}: {error}")
    print("\n".join(found + [f"{len(found)} mutants cannot be made"]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
