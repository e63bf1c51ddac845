#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mutation controls: takes one defence away at a time and demands that the escape suite notices. A mutant is a small edit
of one or two sources, compiled apart and linked with the rest of an existing build; nothing of it can get into a product.
A mutant that no test notices means that the suite is blind there, and fails. Run as root, on a build without sanitizers."""
import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# name, platform, which part of the suite must notice, [(file, old text, new text)]
MUTANTS = [
    ("filter allows getppid of the guest", "seccomp", "W_", [(
        "platform/seccomp/filter.c", "    context_numbers(&p, needs_context);\n",
        "    load(&p, OFF_NR);\n    unless_eq(&p, 110, 1);\n    ret(&p, SECCOMP_RET_ALLOW);\n    context_numbers(&p, needs_context);\n")]),
    ("filter allows other architectures", "seccomp", "A01|A02", [(
        "platform/seccomp/filter.c", "AUDIT_ARCH_X86_64, 1, 0);\n    ret(&p, SECCOMP_RET_TRAP);",
        "AUDIT_ARCH_X86_64, 1, 0);\n    ret(&p, SECCOMP_RET_ALLOW);")]),
    ("filter allows the vsyscall page", "seccomp", "A03", [(
        "platform/seccomp/filter.c", "unless_eq(&p, VSYSCALL_HI, 1);\n    ret(&p, SECCOMP_RET_TRAP);",
        "unless_eq(&p, VSYSCALL_HI, 1);\n    ret(&p, SECCOMP_RET_ALLOW);")]),
    ("filter allows x32 calls", "seccomp", "A01|W_", [(
        "platform/seccomp/filter.c", "// negative numbers have that bit too: no calls at all\n    ret(&p, SECCOMP_RET_TRAP);",
        "\n    ret(&p, SECCOMP_RET_ALLOW);")]),
    ("stubs start with the sentry's registers", "seccomp", "A16", [(
        "platform/stub/spawn.c", "xorl %%ebx, %%ebx\\n\\t", ""), ("platform/stub/spawn.c", "xorl %%r12d, %%r12d\\n\\t", ""),
        ("platform/stub/spawn.c", "xorl %%r13d, %%r13d\\n\\t", ""), ("platform/stub/spawn.c", "xorl %%r14d, %%r14d\\n\\t", "")]),
    ("filter allows everything of the stub's text", "seccomp", "A04|W_", [(
        "platform/seccomp/filter.c", "    ret(p, SECCOMP_RET_ALLOW);\n    ret(p, SECCOMP_RET_USER_NOTIF);\n    p->insn",
        "    ret(p, SECCOMP_RET_ALLOW);\n    ret(p, SECCOMP_RET_ALLOW);\n    p->insn")]),
    ("sentry lets every gate call go on", "seccomp", "A04|W_", [(
        "platform/seccomp/event.c", '        sc_violation(t, "a host call that was not ordered");', "        sc_send_continue(p, n->id);")]),
    ("sentry looks at the number of a gate call alone", "seccomp", "W_", [(
        "platform/seccomp/run.c", "        same = same && n->data.args[i] == o->call.args[i];", "        same = same && i >= 0;")]),
    ("sentry believes the signal number of a fault", "seccomp", "A04", [(
        "platform/seccomp/event.c", "if (!is_fault((uint32_t)a[0]))", "if (!is_fault((uint32_t)a[0]) && false)")]),
    ("a foreign call is served", "seccomp", "A01|A02|A03", [(
        "sentry/run.c", "        if (ev->call.foreign)", "        if (ev->call.foreign && false)")]),
    ("a foreign call is served", "ptrace", "A01|A02", [(
        "sentry/run.c", "        if (ev->call.foreign)", "        if (ev->call.foreign && false)")]),
    ("stubs have no filter", "ptrace", "A31|W_|A0", [(
        "platform/ptrace/filter.c", "    put(&b, LD(offsetof(struct seccomp_data, arch)));",
        "    put(&b, RET(SECCOMP_RET_ALLOW));\n    put(&b, LD(offsetof(struct seccomp_data, arch)));")]),
    ("stubs keep the sentry's memory", "seccomp", "A19", [(
        "platform/stub/spawn.c", "    if (start >= end)\n        return;", "    if (start >= end || end == LINUX_TASK_SIZE || start == 0)\n        return;")]),
    ("stubs keep descriptors", "ptrace", "A31", [(
        "platform/ptrace/open.c", "if (syscall(SYS_close_range, PT_FD_CHANNEL + 1, ~0u, 0) == 0)", "if (true)")]),
    ("capabilities are kept", "seccomp", "A31", [
        ("platform/stub/spawn.c", "syscall(SYS_capset, &head, none) ||", "(syscall(SYS_getpid, &head, none) < 0) ||"),
        ("sentry/hostfilter/hostfilter.c", "        err = confine_user();", "        err = 0;"),  # a change of user takes them too
        ("host/privileges.c", "    return syscall(SYS_capset, &h, want) < 0 ? -errno : 0;", "    return 0;")]),
    ("the sentry has no filter", "seccomp", "A31", [(
        "sentry/boot.c", "    err = hostfilter_load(plat_name(k->platform));", "    err = 0;")]),
    ("one user may have every descriptor", "seccomp", "A46", [(
        "base/fdcharge.c", "if (a->used >= 5 * part || used[ORDINARY] >= 6 * part)\n            return false;", ""), (
        "base/fdcharge.c", "return used[ORDINARY] + used[ADMIN] < limit - part;", "return true;")]),
    ("the caller's environment enters", "seccomp", "A37", [(
        "oci/cmd_do.c", "    c->envp = o->env;", "    extern char **environ;\n    c->envp = environ;")]),
    ("descriptors of the caller come in", "seccomp", "A31", [(
        "oci/main.c", "    close_range(3, ~0u, 0);", "    (void)0;")]),
    ("writes go to the host's files", "seccomp", "A07", [(
        "oci/cmd_do.c", 'o->roots[0] = (struct gofer_root){"/", false};', 'o->roots[0] = (struct gofer_root){"/", true};'),
        ("sentry/boot.c", "    int err = goferfs_create(vfs, gofer, 0, true, &lower);\n",
         "    int err = goferfs_create(vfs, gofer, 0, false, &lower);\n    if (err == 0)\n        return vfs_mount(vfs, lower, NULL, 0, \"host\");\n")]),
    ("reserved ranges can be copied from", "seccomp", "A04|A22", [(
        "platform/memory.c", "        if (!l->reserved[i].name && start", "        if (false && start")]),
    ("memory of nobody can be touched", "seccomp", "A23", [(
        "platform/seccomp/spare.c", "ioctl(fd, UFFDIO_REGISTER, &reg)", "!reg.mode")]),
    ("a file stays in the stub after a broken receive", "ptrace", "A24", [(
        "platform/ptrace/work.c", "channel_discard(pt_owner(t)); close_file(t, -LINUX_EFAULT);",
        "pt_channel_leave(t);\n        finish(t, -LINUX_EFAULT);")]),
    ("a stub's word that the host refused is believed", "seccomp", "A24", [(
        "platform/seccomp/event.c", "if (result < 0 && sc_ops_undo(t, result))", "if (result < 0 && false)")]),
    ("a file is sealed by our own count of its maps", "seccomp", "A24", [(
        "fs/anon/memfd.c", "int err = n->data.fd >= 0 ? hostmem_seal_write(n->data.fd) : 0;", "int err = 0;")]),
    ("what may only be read is mapped shared", "seccomp", "A24", [(
        "sentry/mm/mm_map.c", "(area_writes_file(v) ? PLAT_SHARED : 0)", "(v->flags & LINUX_MAP_SHARED ? PLAT_SHARED : 0)")]),
    ("children of which nobody told stay", "seccomp", "A24", [(
        "platform/seccomp/open.c", "kill(-p->zygote->proc->pid, SIGKILL);", "(void)0;")]),
]


class Build:
    """Compiles and links like an existing build folder does."""

    def __init__(self, source, folder):
        self.source, self.folder = os.path.realpath(source), os.path.realpath(folder)
        with open(folder + "/compile_commands.json") as f:
            self.compile = {os.path.relpath(row["file"], self.source): row for row in json.load(f) if row["file"].startswith(self.source)}
        lines = subprocess.run(["ninja", "-C", folder, "-t", "commands", "picket"], capture_output=True, text=True, check=True).stdout
        self.link = [l for l in lines.splitlines() if re.search(r"-o picket\b", l)][-1]

    def object(self, path, text, out):
        row = self.compile[path]
        mutated = os.path.join(out, os.path.basename(path))
        with open(mutated, "w") as f:
            f.write(text)
        command = shlex.split(row["command"])
        target = mutated + ".o"
        command[command.index("-o") + 1] = target
        command[command.index("-c") + 1] = mutated
        for flag in ("-MF", "-MT"):
            if flag in command:
                command[command.index(flag) + 1] = target + ".d"
        if "ccache" in command[0]:
            command = command[1:]
        subprocess.run(command + ["-Wno-error"], cwd=row["directory"], check=True, capture_output=True, text=True)
        return target

    def picket(self, objects, out):
        """The binary with these objects before the libraries: what a library has for the same symbols is not taken."""
        words = shlex.split(re.search(r"(?:&& )?(\S*cc\S* .*-o picket.*?)(?: && .*)?$", self.link).group(1))
        target = os.path.join(out, "picket")
        at = words.index("-o")
        words[at + 1:at + 2] = [target] + objects
        subprocess.run(words, cwd=self.folder, check=True, capture_output=True, text=True)
        return target

    def mutant(self, edits, out):
        texts, objects = {}, []
        for path, old, new in edits:
            text = texts.get(path)
            if text is None:
                with open(os.path.join(self.source, path)) as f:
                    text = f.read()
            places = list(re.finditer(r"\s*".join(map(re.escape, old.split())), text))  # however it is laid out
            if len(places) != 1:
                raise ValueError("%s does not have this text once: %r" % (path, old[:60]))
            texts[path] = text[:places[0].start()] + new + text[places[0].end():]
        for path, text in texts.items():
            objects.append(self.object(path, text, out))
        return self.picket(objects, out)


def suite(picket, options, platform, part):
    """Is the suite green; which tests noticed; did its best witness have to stay at home?"""
    command = [sys.executable, HERE + "/run_escape.py", "--picket", picket, "--guests", options.build + "/escape",
               "--platform", platform, "--filter", part]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400)
    noticed = re.findall(r"^FAIL (\S+)", done.stdout, re.M)
    return done.returncode == 0, noticed, "skip W_kernel_trace" in done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--filter", default=".")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skip: the mutants need root (the kernel's trace)\n0 passed, 0 failed, 1 skipped")
        return 0
    build = Build(options.source, options.build)
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    for name, platform, part, edits in MUTANTS:
        if not re.search(options.filter, name):
            continue
        out = tempfile.mkdtemp(prefix="picket-mutant-")
        os.chmod(out, 0o755)
        try:
            green, noticed, blind = suite(build.mutant(edits, out), options, platform, part)
            word, detail = ("ok", "noticed by " + " ".join(noticed[:4])) if not green else (
                ("skip", "only the kernel's trace can tell, which this host has not") if blind else ("FAIL", "nobody noticed"))
        except subprocess.CalledProcessError as e:
            word, detail = "FAIL", "does not build: " + e.stderr[-600:]
        except (ValueError, KeyError) as e:
            word, detail = "FAIL", "the mutant has to be brought up to date: %s" % e
        finally:
            shutil.rmtree(out)
        counts[word] += 1
        print("%-4s %-8s %-46s %s" % (word, platform, name, detail), flush=True)
    print("%d passed, %d failed, %d skipped" % (counts["ok"], counts["FAIL"], counts["skip"]))
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
