#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`./dev test`: builds every flavour that the tests need, runs them, two at a time, and sums up.

A flavour is a build of one of the presets (CMakePresets.json), in a folder of its name, made while the tests of the flavour before
run. Which of its tests run is said in
FLAVOURS; their names get the flavour as prefix (asan.unit.lock), and --part selects by a regular expression over these
full names. A test is any ctest; one that ends in a line `N passed, N failed, N skipped` counts that many. Most tests wait more
than they work, so two run at once: of different families (FAMILY), which share nothing on the machine, and never beside one
that measures (ALONE).

What failed within AGAIN_SECONDS is run once more, by itself. What passes then is `unsteady`: it is a fault of the test or of a race, is printed with what
it said at first, and fails the run all the same if more than UNSTEADY_MOST of them came together. At the end everything that
failed is printed again.
"""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
SUMS = re.compile(r"(\d+) passed +(\d+) failed +(\d+) skipped +([\d.]+) s")  # in the line of run_one()
PASSED = re.compile(r"ok |\S+ +(\d+ +)?ok +[\d.]+ m?s$")  # a case's line, in a suite that prints one for each
LANES = 2
UNSTEADY_MOST, AGAIN_SECONDS = 3, 200
ALONE = re.compile(r"netstack\.goodput|architecture")
# Those of one family use the same names, mounts or namespaces of the host; units and fuzzers have none.
CONTAINERS = ("oci", "podman", "rootless", "docker", "containerd", "cri", "links", "limits", "cycles")
FAMILY = {**dict.fromkeys(CONTAINERS, "containers"), **dict.fromkeys(("netstack", "network"), "network"),
          **dict.fromkeys(("unit", "fuzz", "check"), None)}
# name, preset, which ctests, environment, as which user
UBSAN = {"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99"}
FLAVOURS = [
    ("dev", "dev", r".", {}, None),
    ("user", "dev", r"^(syscalls\.(native|ptrace|seccomp)|(cli|stdio|inherit|network|oci|limits|cycles)\.|escape\.(ptrace|seccomp))", {
        "HOME": "/tmp", "PATH": "/usr/local/bin:/usr/bin:/bin"}, "nobody"),
    ("asan", "asan", r"^(unit|fuzz|netstack\.(pkt|soak|linux|clients))", {
        "ASAN_OPTIONS": "detect_leaks=1:exitcode=99", **UBSAN}, None),
    # The leak checker starts a process of its own, which the sentry's filter forbids; the sentry proves at its end that
    # nothing of its objects is left.
    ("asan", "asan", r"^(stress|sysfuzz|syscalls\.(ptrace|seccomp))", {
        "ASAN_OPTIONS": "detect_leaks=0:exitcode=99:allocator_may_return_null=1", **UBSAN}, None),
    # Deadlocks are the ranked locks' matter (base/lock.h), which know of orders that TSan takes for cycles.
    ("tsan", "tsan", r"^(unit|netstack\.pkt|stress|sysfuzz|syscalls\.threads)", {
        "TSAN_OPTIONS": "halt_on_error=1:exitcode=99:detect_deadlocks=0"}, None),
    ("clang", "clang", r"^(unit|netstack\.(pkt|soak))", {}, None),
]


def build(options, preset):
    folder, dev = (os.path.join(options.build, name) for name in (preset, "dev"))
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        guests = [] if preset == "dev" else ["-DPICKET_GUESTS=" + dev]  # they are the same in all flavours
        subprocess.run(["cmake", "-S", options.root, "--preset", preset, "-B", folder] + guests, check=True,
                       stdout=subprocess.DEVNULL)
    idle = [] if preset == "dev" or not shutil.which("chrt") else ["chrt", "--idle", "0"]  # tests run meanwhile
    started = time.monotonic()
    if subprocess.run(idle + ["ninja", "-C", folder, "--quiet", "-j", str(options.jobs)]).returncode:
        sys.exit("suite: the %s build failed" % preset)
    seconds = time.monotonic() - started
    if seconds > 1:
        print("built %s in %.0f s" % (preset, seconds), flush=True)
    return folder


def tests_of(folder):
    text = subprocess.run(["ctest", "--show-only=json-v1"], cwd=folder, check=True, capture_output=True, text=True).stdout
    found = []
    for test in json.loads(text)["tests"]:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        if "command" in test:
            found.append((test["name"], test["command"], properties))
    return found


class Stage:
    """What an ordinary user needs to run the tests, copied to where one can read it (a checkout may be root's alone)."""

    def __init__(self, options):
        self.folder = tempfile.mkdtemp(prefix="picket-user-")
        os.chmod(self.folder, 0o755)
        self.places = []
        for source in (os.path.join(options.build, "dev", "picket"), os.path.join(options.build, "dev", "guest"),
                       os.path.join(options.build, "dev", "escape"), os.path.join(options.build, "dev", "tests", "oci", "nasty"),
                       os.path.join(options.root, "tests"), os.path.join(options.root, "abi"),
                       os.path.join(options.root, "platform")):
            target = os.path.join(self.folder, os.path.basename(source))
            (shutil.copytree if os.path.isdir(source) else shutil.copy2)(source, target)
            self.places.append((source, target))
        subprocess.run(["chmod", "-R", "a+rX", self.folder], check=True)

    def command(self, command, user):
        moved = []
        for word in command:
            for source, target in self.places:
                if word == source or word.startswith(source + "/"):
                    word = target + word[len(source):]
            moved.append(word)
        if os.path.basename(moved[0]).startswith("python3") and os.access("/usr/bin/python3", os.X_OK):
            moved[0] = "/usr/bin/python3"
        return ["setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups"] + moved

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def run_one(name, command, properties, env, folder):
    """Returns (passed, failed, skipped) and what is to be printed: the output, too, of what failed."""
    started = time.monotonic()
    timeout = LANES * float(properties.get("TIMEOUT", 600))
    try:
        done = subprocess.run(command, cwd=properties.get("WORKING_DIRECTORY", folder), env={**os.environ, **env},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
        code, output = done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        code, output = -1, (e.stdout or b"").decode(errors="replace") + "\ntimed out after %g s" % timeout
    counts = SUMMARY.findall(output)
    if counts:
        passed, failed, skipped = map(int, counts[-1])
        failed = max(failed, 0 if code == 0 else 1)
    elif code == int(properties.get("SKIP_RETURN_CODE", -12345)):
        passed, failed, skipped = 0, 0, 1
    else:
        passed, failed, skipped = int(code == 0), int(code != 0), 0
    word = "FAIL" if failed else "skip" if skipped and not passed else "ok"
    text = ["%-4s %-34s %4d passed %3d failed %3d skipped %6.1f s" % (word, name, passed, failed, skipped,
                                                                      time.monotonic() - started)]
    if failed:
        lines = [line for line in output.splitlines() if not PASSED.match(line)]
        text += ["     | " + line for line in lines[-80:]]
    elif skipped:
        text += ["     | " + line.strip() for line in output.splitlines()
                 if re.search(r"skip", line, re.I) and not SUMMARY.match(line)]
    return (passed, failed, skipped), "\n".join(text)


class Lanes:
    """Runs tests in their order, LANES at a time, as far as they may be beside each other."""

    def __init__(self, tests):
        self.waiting, self.running = list(tests), []
        self.changed = threading.Condition()
        self.total, self.failed = [0, 0, 0], []  # failed: (test, what it printed)

    @staticmethod
    def family(test):
        word = test[0].split(".")[0]
        return FAMILY.get(word, word)

    def may_start(self, test):
        alone = ALONE.match(test[0]) or any(ALONE.match(other[0]) for other in self.running)
        family = self.family(test)
        return not self.running or not (alone or (family and any(self.family(other) == family for other in self.running)))

    def take(self):
        """The first that may start now; None: there are no more."""
        with self.changed:
            while self.waiting:
                for test in self.waiting:
                    if self.may_start(test):
                        self.waiting.remove(test)
                        self.running.append(test)
                        return test
                self.changed.wait()
        return None

    def work(self):
        while (test := self.take()) is not None:
            _, full, *how = test
            counts, text = run_one(full, *how)
            with self.changed:
                print(text, flush=True)
                self.total = [a + b for a, b in zip(self.total, counts)]
                self.failed += [(test, text)] if counts[1] else []
                self.running.remove(test)
                self.changed.notify_all()

    def run(self):
        threads = [threading.Thread(target=self.work) for _ in range(LANES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.total, self.failed


def run_again(failed, total):
    """Runs each by itself. Returns those that failed again and those that did not, (name, what they printed), and the new sums."""
    wrong, unsteady = [], []
    for test, first in failed:
        *before, seconds = SUMS.search(first).groups()
        if float(seconds) > AGAIN_SECONDS:
            wrong.append((test[1], first))
            continue
        (passed, again, skipped), text = run_one(test[1], *test[2:])
        print("once more: " + text, flush=True)
        (wrong if again else unsteady).append((test[1], first))
        total = [total[0] + passed - int(before[0]), total[1] + again - int(before[1]), total[2] + skipped - int(before[2])]
    return wrong, unsteady, total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--part", default=".")
    options = parser.parse_args()
    # A shell ignores them for what it runs in the background, and whoever is below inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    part = re.compile(options.part)
    total, failed, unsteady = [0, 0, 0], [], []
    flavours = []
    for flavour in FLAVOURS:
        name, user = flavour[0], flavour[4]
        if user is not None and (os.geteuid() != 0 or not shutil.which("setpriv")):
            print("skip the runs as an ordinary user: this is one already, or setpriv(1) is missing")
            continue
        # A part that names a flavour or nothing builds only what it may concern.
        if options.part == "." or name in ("dev", "user") or re.search(name, options.part):
            flavours.append(flavour)
    # One after the other, while the tests of those before run: most of these wait.
    builder = concurrent.futures.ThreadPoolExecutor(max_workers=1)
    built = {preset: builder.submit(build, options, preset) for preset in dict.fromkeys(flavour[1] for flavour in flavours)}
    for name, preset, pattern, env, user in flavours:
        try:
            folder = built[preset].result()
        except SystemExit:
            builder.shutdown(wait=False, cancel_futures=True)
            raise
        stage = Stage(options) if user is not None else None
        tests = []
        for test, command, properties in tests_of(folder):
            full = test if name == "dev" else name + "." + test
            if re.search(pattern, test) and part.search(full):
                command = stage.command(command, user) if stage else command
                tests.append((test, full, command, properties, env, "/tmp" if stage else folder))
        counts, wrong = Lanes(tests).run()
        wrong, passed_then, counts = run_again(wrong, counts)
        total = [a + b for a, b in zip(total, counts)]
        failed += wrong
        unsteady += passed_then
        if stage:
            stage.remove()
    if sum(total) == 0:
        sys.exit("suite: no test matches '%s'" % options.part)
    for word, those in (("unsteady", unsteady), ("failed", failed)):
        if those:
            print("\n".join(text for _, text in those))
            print("%s: %s" % (word, " ".join(name for name, _ in those)))
    print("%d passed, %d failed, %d skipped" % tuple(total))
    sys.exit(1 if total[1] or len(unsteady) > UNSTEADY_MOST else 0)


if __name__ == "__main__":
    main()
