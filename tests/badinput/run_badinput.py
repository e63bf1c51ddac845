#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the bad-input guest (guest/main.c) natively and inside Picket, and compares what each case was answered.

The host is the oracle. Where it answers ENOSYS to a call's fair case it is too old to judge that call, and its cases are
skipped. Differences that are meant are named in known.txt, each with its reason; one that is named there and is not seen
any more fails too, so that the list does not outlive its reasons.
"""
import argparse
import os
import re
import subprocess
import sys

LINE = re.compile(r"^(\w+) (.*): (.*)$")
KNOWN = re.compile(r"^(.+): (.+) -> (.+?)  +# (.+)$")


def run(command):
    """{(call, case): answer}, and the calls that were left out."""
    process = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             errors="replace")
    if process.returncode or process.stderr:
        sys.exit("%s ended with %s: %s" % (command[0], process.returncode, process.stderr[-2000:]))
    cases, left_out = {}, 0
    for line in process.stdout.splitlines():
        match = LINE.match(line)
        if match:
            cases[match[1], match[2]] = match[3]
        else:
            left_out += line.startswith("- ")
    return cases, left_out


class Known:
    """Lines `CALL CASE: NATIVE -> INSIDE  # REASON`, regular expressions but for the reason."""

    def __init__(self, path):
        self.rows = {}
        for line in open(path):
            if not line.strip() or line.startswith("#"):
                continue
            match = KNOWN.match(line.strip())
            if not match:
                sys.exit("known.txt: cannot read: " + line)
            case, native, inside, reason = match.groups()
            pattern = re.compile(r"(%s): (%s) -> (%s)" % (case, native, inside))
            self.rows[pattern] = [int(reason.startswith("host:")), line.strip()]

    def has(self, text):
        for pattern, row in self.rows.items():
            if pattern.fullmatch(text):
                row[0] += 1
                return True
        return False

    def unseen(self):
        return [line for seen, line in self.rows.values() if not seen]


def compare(native, inside, known):
    """(differences, how many are as they should be, how many the host cannot judge)"""
    different, same, skipped = [], 0, 0
    for (call, case), answer in native.items():
        got = inside.get((call, case), "nothing")
        if native.get((call, "fair")) == "ENOSYS":
            skipped += 1
        elif got == answer or known.has("%s %s: %s -> %s" % (call, case, answer, got)):
            same += 1
        else:
            different.append("%s %s: %s -> %s" % (call, case, answer, got))
    return different, same, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--guest", required=True)
    parser.add_argument("--platform", default="seccomp", choices=("seccomp", "ptrace"))
    parser.add_argument("--known", default="known.txt", help="the list of differences, beside this program")
    parser.add_argument("--kernel", default="", help="the release that the guest's list is about; another one cannot judge it")
    parser.add_argument("calls", nargs="*", help="only these")
    options = parser.parse_args()
    if not os.uname().release.startswith(options.kernel):
        print("this host is no Linux %s: nothing to compare with\n0 passed, 0 failed, 1 skipped" % options.kernel)
        return 0
    guest = [os.path.realpath(options.guest)] + options.calls
    able = subprocess.run(["unshare", "-Urmpinu", "--fork", "true"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if able.returncode:
        print("this host allows no user namespaces: nothing to compare with\n0 passed, 0 failed, 1 skipped")
        return 0
    native, left_out = run(guest)
    inside, _ = run([os.path.realpath(options.picket), "do", "--platform=" + options.platform, "--"] + guest)
    known = Known(os.path.join(os.path.dirname(os.path.abspath(__file__)), options.known))
    different, same, skipped = compare(native, inside, known)
    stale = [] if options.calls else known.unseen()
    for line in different:
        print("FAIL " + line)
    for line in stale:
        print("FAIL " + options.known + " names what is not seen: " + line)
    stuck = [case for case, answer in native.items() if answer == "does not return"]
    for case in stuck:
        print("FAIL the case waits natively, so the table needs a better value: %s %s" % case)
    print("%d calls are left out" % left_out)
    failed = len(different) + len(stale) + len(stuck) + (0 if native else 1)
    print("%d passed, %d failed, %d skipped" % (same, failed, skipped))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
