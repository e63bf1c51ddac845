#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random calls on files with the same seed natively, on a tmpfs, and inside: on the overlay, on a tmpfs, below a bind.
Every answer and the tree after each call must be the same (fsrandom.c). As root.

  run_fsrandom.py --picket PICKET --fsrandom PROGRAM [--seeds 2] [--first 1] [--calls 1000] [--filter overlay]
A difference names the seed and the call; `fsrandom DIR SEED CALLS tree` on both sides shows what the tree has.
"""
import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile

PLACES = {  # where inside, modes of fsrandom, share of the calls
    "overlay": ("/tmp/fsrandom", [], 1.0), "tmpfs": ("/dev/shm/fsrandom", [], 1.0), "bind": ("/mnt/fsrandom", ["plain"], 0.5),
    "times": ("/tmp/fsrandom", ["times"], 0.15),
}


def run(words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=600)
    return done.stdout.splitlines() + (["status %d %s" % (done.returncode, done.stderr.strip()[:300])] if done.returncode else [])


def difference(native, inside):
    """The call and both answers at the first line that differs, or None."""
    call = "start"
    for a, b in itertools.zip_longest(native, inside):
        if a and not a.startswith(" "):
            call = a
        if a != b:
            return "after `%s`: natively `%s`, inside `%s`" % (call, a, b)
    return None


def compare(opts, folder, place, platform, seed):
    where, modes, share = PLACES[place]
    args = [str(seed), str(int(opts.calls * share))] + modes
    mine, bound = os.path.join(folder, "native"), os.path.join(folder, "bound")
    native = run([opts.fsrandom, mine] + args)
    os.mkdir(bound)
    picket = [opts.picket, "do", "--platform=" + platform, "--bind", bound + ":/mnt", "--", opts.fsrandom, where]
    inside = run(picket + args)
    shutil.rmtree(bound)
    shutil.rmtree(mine, ignore_errors=True)
    return difference(native, inside)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--fsrandom", required=True)
    parser.add_argument("--platforms", default="seccomp,ptrace")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--filter", default="")
    opts = parser.parse_args()
    opts.picket, opts.fsrandom = os.path.abspath(opts.picket), os.path.abspath(opts.fsrandom)
    if os.geteuid() != 0:
        print("fsrandom: skipped, not root")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    passed = failed = 0
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="fsrandom.") as folder:
        for place, platform in itertools.product(PLACES, opts.platforms.split(",")):
            if opts.filter not in place:
                continue
            for seed in range(opts.first, opts.first + opts.seeds):
                wrong = compare(opts, folder, place, platform, seed)
                passed, failed = passed + (not wrong), failed + bool(wrong)
                if wrong:
                    print("FAIL %s %s seed %d: %s" % (place, platform, seed, wrong), flush=True)
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
