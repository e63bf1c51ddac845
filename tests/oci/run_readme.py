#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The README's commands, as printed: each line of its code blocks that begins with `./dev run` is run in a fresh directory,
with the binary in the place of `./dev run`, and must succeed. What stands behind ` # ` in a line is a remark; `# prints: TEXT`
demands that TEXT is printed."""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile


def commands(path):
    with open(path) as f:
        blocks = re.findall(r"^```\n(.*?)^```$", f.read(), re.M | re.S)
    for line in "".join(blocks).splitlines():
        command, _, remark = line.partition("  #")
        if "./dev run " in command:
            printed = re.match(r"\s*prints: (.*)$", remark)
            yield command.strip(), printed.group(1) if printed else ""


def run(picket, command):
    folder = tempfile.mkdtemp(prefix="picket-readme-")
    os.chmod(folder, 0o777)
    try:
        return subprocess.run(["bash", "-c", command.replace("./dev run ", picket + " do ")], cwd=folder, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--readme", required=True)
    options = parser.parse_args()
    passed = failed = 0
    for command, text in commands(options.readme):
        done = run(os.path.abspath(options.picket), command)
        fine = done.returncode == 0 and text in done.stdout
        print("%-4s %s" % ("ok" if fine else "FAIL", command))
        if not fine:
            print("     exit %d\n%s\n%s" % (done.returncode, done.stdout[-500:], done.stderr[-500:]))
        passed, failed = passed + fine, failed + (not fine)
    if passed + failed < 4:
        print("FAIL only %d commands were found" % (passed + failed))
        failed += 1
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
