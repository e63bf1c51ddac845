#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random reads, writes, maps and holes (fsx.c) and random calls on names (tests/fsrandom) with the same seeds natively
and inside: on the overlay, on a tmpfs, below a writable bind. Each byte read must be what was written, each answer
what Linux says. One seed after the other until the time is up.

  run_fsx.py --picket PICKET --fsx PROGRAM [--fsrandom PROGRAM] [--seconds 10] [--places overlay,tmpfs,bind]
             [--platforms seccomp,ptrace] [--calls 3000] [--first 1]
--seconds is for each place and platform; 0: one seed. A difference names the seed, and ends that place.
"""
import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time

# where it is inside, and what the native shadow (and the host's side of a bind) of fsx lies on; fsrandom's always in memory,
# for it also tries what only some file systems can (FALLOC_FL_INSERT_RANGE)
PLACES = {"overlay": ("/tmp/fsx", "memory"), "tmpfs": ("/dev/shm/fsx", "memory"), "bind": ("/mnt/fsx", "disk")}


def run(words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=900)
    return done.stdout.splitlines() + (["status %d %s" % (done.returncode, done.stderr.strip()[:300])] if done.returncode else [])


def difference(native, inside):
    for number, (a, b) in enumerate(itertools.zip_longest(native, inside)):
        if a != b:
            return "line %d: natively `%s`, inside `%s`; ends with `%s`" % (number + 1, a, b, inside[-1] if inside else "")
    return None


def compare(opts, program, args, place, platform, folders):
    where, shadow = PLACES[place]
    folder = folders["memory" if program == opts.fsrandom else shadow]
    mine = os.path.join(folder, "native")
    bound = tempfile.mkdtemp(dir=folder)
    native = run([program, mine] + args)
    inside = run([opts.picket, "do", "--platform=" + platform, "--bind", bound + ":/mnt", "--", program, where] + args)
    shutil.rmtree(bound)
    shutil.rmtree(mine, ignore_errors=True)
    return difference(native, inside)


def soak(opts, place, platform, folders):
    """Seeds until the time is up: how many passed, and the first that did not."""
    end, seed = time.monotonic() + opts.seconds, opts.first
    while True:
        wrong = compare(opts, opts.fsx, [str(seed), str(opts.calls)], place, platform, folders)
        if not wrong and opts.fsrandom:
            args = [str(seed), str(opts.calls // 10)] + (["plain"] if place == "bind" else [])
            wrong = compare(opts, opts.fsrandom, args, place, platform, folders)
        if wrong:
            return seed - opts.first, "seed %d: %s" % (seed, wrong)
        seed += 1
        if time.monotonic() >= end:
            return seed - opts.first, None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--fsx", required=True)
    parser.add_argument("--fsrandom")
    parser.add_argument("--places", default=",".join(PLACES))
    parser.add_argument("--platforms", default="seccomp,ptrace")
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--calls", type=int, default=3000)
    opts = parser.parse_args()
    if opts.fsrandom and os.geteuid() != 0:
        print("fsx: not root, so without random calls on names")
        opts.fsrandom = None
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="fsx.") as disk, tempfile.TemporaryDirectory(dir="/dev/shm", prefix="fsx.") as memory:
        os.chmod(disk, 0o755)
        for place, platform in itertools.product(opts.places.split(","), opts.platforms.split(",")):
            fine, wrong = soak(opts, place, platform, {"disk": disk, "memory": memory})
            passed, failed = passed + fine, failed + bool(wrong)
            print("%s %s %s: %d seeds%s" % ("FAIL" if wrong else "ok  ", place, platform, fine, "; " + wrong if wrong else ""),
                  flush=True)
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
