#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""picket install: the engines' files, as the engines read them; cmake --install; and that the manual page and the completion know every
command there is."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile


class At:
    picket, source, build, base = "", "", "", ""


at = At()


def expect(ok, what):
    if not ok:
        raise AssertionError(what)


def install(*args, status=0):
    done = subprocess.run([at.picket, "install", *args], capture_output=True, text=True, timeout=20)
    expect(done.returncode == status, "exit %d: %s%s" % (done.returncode, done.stdout, done.stderr))
    return done


def put(name, text):
    path = os.path.join(at.base, name)
    with open(path, "w") as f:
        f.write(text)
    return path


def test_docker():
    path = put("daemon.json", '{"log-level": "warn", "runtimes": {"other": {"path": "/other"}}}')
    os.chmod(path, 0o640)
    install("--config", path, "--default", "docker")
    now = json.load(open(path))
    expect(now == {"log-level": "warn", "runtimes": {"other": {"path": "/other"}, "picket": {"path": at.picket}}, "default-runtime": "picket"}, now)
    expect(os.stat(path).st_mode & 0o777 == 0o640, "its mode")
    expect(json.load(open(path + ".before-picket"))["log-level"] == "warn", "the backup")
    before = os.stat(path).st_ino
    expect("already" in install("--config", path, "--default", "docker").stdout and os.stat(path).st_ino == before, "twice")


def test_docker_is_content():
    """dockerd itself reads the file."""
    dockerd = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/usr/bin")
    path = os.path.join(at.base, "new/dir/daemon.json")
    install("--config", path, "docker")
    if dockerd:
        done = subprocess.run([dockerd, "--validate", "--config-file", path], capture_output=True, text=True, timeout=30)
        expect(done.returncode == 0 or "unknown flag" in done.stderr, done)


def test_podman():
    path = os.path.join(at.base, "picket.conf")
    install("--config", path, "--name", "pk", "podman")
    text = open(path).read()
    expect('pk = ["%s"]' % at.picket in text and '"pk"]' in text, text)


def test_containerd():
    path = put("config.toml", 'version = 2\nroot = "/x"\n[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "pause"')
    install("--config", path, "containerd")
    containerd = shutil.which("containerd")
    if containerd:
        dump = subprocess.run([containerd, "--config", path, "config", "dump"], capture_output=True, text=True, timeout=30).stdout
        expect('BinaryName = "%s"' % at.picket in dump and 'sandbox_image = "pause"' in dump, dump[-2000:])
    expect("already" in install("--config", path, "containerd").stdout, "twice")


def test_containerd_is_read_as_toml():
    """What a comment or a string says is not what the file says; blanks and quotes are as one likes."""
    path = put("v2.toml", '# version = 3\nversion=2 # not: version = 3\n# [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.picket]\n'
               'root = "/version = 3"\n')
    install("--config", path, "containerd")
    expect('\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.picket]' in open(path).read(), "version 2, and it was not there")
    path = put("v3.toml", "version   =   3\n")
    install("--config", path, "containerd")
    expect("[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.picket]" in open(path).read(), "version 3")
    path = put("there.toml", "version = 2\n  [ plugins . 'io.containerd.grpc.v1.cri' .containerd.runtimes.picket ]  # by hand\n")
    expect("already" in install("--config", path, "containerd").stdout, "is there")
    path = put("other.toml", 'version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.picket2]\n')
    expect("already" not in install("--config", path, "containerd").stdout, "another one's name begins so")


def test_dry_run():
    path = os.path.join(at.base, "dry.json")
    done = install("--config", path, "--dry-run", "docker")
    expect(not os.path.exists(path) and at.picket in done.stdout, done)


def test_refusals():
    for words, args in (("line 1", ["--config", put("bad.json", "{nonsense"), "docker"]), ("no object", ["--config", put("list.json", '{"runtimes": []}'), "docker"]),
                        ("not docker", ["lxc"]), ("--name", ["--name", "A b", "docker"]), ("RuntimeClass", ["--config", put("c.toml", ""), "--default", "containerd"])):
        done = install(*args, status=1)
        expect(words in done.stderr and len(done.stderr.splitlines()) == 1, done)
    expect(open(os.path.join(at.base, "bad.json")).read() == "{nonsense", "is left as it was")


def commands():
    text = subprocess.run([at.picket, "help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^  ([a-z]+) ", text, re.M)


def test_manual_page():
    text = open(os.path.join(at.source, "dist/picket.1")).read()
    missing = [c for c in commands() if not re.search(r"\\fB%s\b|^\.B (.* )?%s\b" % (c, c), text, re.M)]
    expect(not missing and len(commands()) > 15, "not in the manual page: %s" % missing)


def test_completion():
    script = 'source %s; PATH=%s:$PATH; c() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _picket; echo "${COMPREPLY[*]}"; }; ' % (
        os.path.join(at.source, "dist/picket.bash"), os.path.dirname(at.picket))
    def complete(*words):
        return subprocess.run(["bash", "-c", script + 'c "$@"', "-", "picket", *words], capture_output=True, text=True, timeout=20).stdout.split()
    expect(set(commands()) <= set(complete("")), complete(""))
    expect("--memory" in complete("do", "--mem") and "--timeout" in complete("run", "--t"), complete("run", "--t"))
    expect(complete("install", "pod") == ["podman"], complete("install", "pod"))


def test_cmake_install():
    prefix = os.path.join(at.base, "prefix")
    subprocess.run(["cmake", "--install", at.build, "--prefix", prefix], check=True, capture_output=True, timeout=60)
    done = subprocess.run([prefix + "/bin/picket", "do", "--", "/bin/echo", "installed"], capture_output=True, text=True, timeout=30)
    expect(done.stdout == "installed\n" and os.path.exists(prefix + "/share/man/man1/picket.1"), done)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--picket", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--build", required=True)
    options = parser.parse_args()
    at.picket, at.source, at.build = os.path.realpath(options.picket), options.source, options.build
    at.base = tempfile.mkdtemp(prefix="picket-install-")
    results = []
    for name, test in [(n, f) for n, f in list(globals().items()) if n.startswith("test_")]:
        try:
            test()
            results.append(True)
            print("ok   %s" % name[5:])
        except Exception as e:
            results.append(False)
            print("FAIL %s: %s: %s" % (name[5:], type(e).__name__, e))
    shutil.rmtree(at.base, ignore_errors=True)
    print("%d passed, %d failed, 0 skipped" % (results.count(True), results.count(False)))
    return int(False in results)


if __name__ == "__main__":
    sys.exit(main())
