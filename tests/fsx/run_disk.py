#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls that wait for a disk (diskwaits.c), natively and inside: below a writable bind, and where the file that is read
lies on the host's own root. Nothing of the file is in memory when each begins, as far as the host can be asked.

  run_disk.py --picket PICKET --diskwaits PROGRAM
"""
import argparse
import array
import os
import subprocess
import sys
import tempfile

SIZE = 12 << 20


def cold(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def run(words, path):
    cold(path)
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=300)
    return "exit %d\n%s" % (done.returncode, done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--diskwaits", required=True)
    parser.add_argument("--platforms", default="seccomp,ptrace")
    opts = parser.parse_args()
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="disk.", dir="/var/tmp") as folder:
        path = os.path.join(folder, "numbers")
        with open(path, "wb") as f:
            array.array("Q", range(SIZE // 8)).tofile(f)
        native = run([opts.diskwaits, path, folder], path)
        for platform in opts.platforms.split(","):
            for name in ("/mnt/numbers", path):
                got = run([opts.picket, "do", "--platform=" + platform, "--bind", folder + ":/mnt", "--", opts.diskwaits,
                           name, "/mnt"], path)
                same = got == native == "exit 0\nall read and synced, with signals\n"
                passed, failed = passed + same, failed + (not same)
                if not same:
                    print("FAIL %s %s: natively %s inside %s" % (platform, name, native, got), flush=True)
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
