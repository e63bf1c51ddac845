#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mutation controls: takes one defence away at a time and demands that a test notices. A mutant is a small edit of one or
two sources, compiled apart and linked with the rest of an existing build; nothing of it can get into a product. A mutant
that no test notices means that the tests are blind there, and fails. Run as root, on a build without sanitizers.

Which test must notice is said for each mutant, and only that one is run, up to its first failure:
  REGEX, REGEX/ATTACK       parts of the escape suite (run_escape.py --filter)
  bare:REGEX                the same where the host refuses namespaces: with a pid namespace, what its end takes along
  unit:NAME[/TEST]          a unit test, linked with the mutated object; TEST: only cases with that name (or pattern)
  cli:REGEX                 cases of tests/oci/run_cli.py
  oci:REGEX, limits:REGEX   cases of tests/oci/run_runtime.py and run_limits.py
  syscalls:REGEX            guest programs of tests/syscalls
Many attacks are races: a mutant has three runs to be noticed. What a test could not judge (run_escape.py: UNJUDGED) is no
notice. --baseline runs the same tests without a mutant first, and demands that they pass: a test that is always red would
notice everything.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
# name, platform, which test must notice, [(file, old text, new text)]; new ones at the end of their section
MUTANTS = [
    # ---- What a stub may say, and when ---------------------------------------------------------------------------------
    ("an event of another thread's slot is heard", "seccomp", "A04_protocol/slots_of_others", [(
        "platform/seccomp/dispatch.c", "if (STUB_EV_SLOT(nr) != t->slot)", "if (STUB_EV_SLOT(nr) > STUB_MAX_SLOTS)")]),
    ("an event of no kind is heard", "seccomp", "A04_protocol/unknown_kinds", [(
        "platform/seccomp/dispatch.c", 'sc_violation(t, "an unknown event");\n        return false;',
        "ev->kind = PLAT_INTERRUPT;\n        return true;")]),
    ("a fault in the stub's text is the guest's", "seccomp", "A04_protocol/places", [(
        "platform/seccomp/dispatch.c", "if (in_text(sc_plat(t), a[3]))", "if (false && in_text(sc_plat(t), a[3]))")]),
    ("an interrupt in the stub's text is the guest's", "seccomp", "A04_protocol/places", [(
        "platform/seccomp/dispatch.c", "if (in_text(sc_plat(t), n->data.args[0]))", "if (false)")]),
    ("an event is heard beside the gate", "seccomp", "unit:platform_refuses/test_beside*", [(
        "platform/seccomp/dispatch.c", "if (ip != p->gate_ip) {", "if (false) {")]),
    ("a proposal may have other flags", "seccomp", "A04_protocol/proposals", [(
        "platform/seccomp/dispatch.c", ": a[3] != STUB_PLACE_FLAGS ||", ":"), (
        "platform/seccomp/resume.c", "memcmp(args, op, 4 * sizeof *op)", "memcmp(args, op, 3 * sizeof *op)")]),
    ("a proposal may be of another call of the guest", "seccomp", "A04_protocol/proposals", [(
        "platform/seccomp/dispatch.c", "(flags & ~may) != STUB_PLACE_GUEST ||", "")]),
    ("a proposal may have any offset", "seccomp", "A04_protocol/proposals", [(
        "platform/seccomp/dispatch.c", "(a[5] && !by_ring))", "false)")]),
    ("a proposal may be of another thread's file", "seccomp", "A04_protocol/proposals", [(
        "platform/seccomp/dispatch.c", "STUB_FILE_FD_STUB(a[4]) != (unsigned)sc_stub_fd(t)", "false")]),
    ("a file is mapped at another offset than was decided", "seccomp", "unit:platform_files", [(
        "platform/seccomp/resume.c", " && args[5] == op[5])", ")")]),
    ("the file that lies in a stub is mapped, whichever is wanted", "seccomp", "unit:platform_files", [(
        "platform/seccomp/hostops.c", "q->file == o->file)", "q->file)")]),
    ("an event is heard instead of ordered work", "seccomp", "unit:platform_refuses/test_event*", [(
        "platform/seccomp/dispatch.c", "if (t->state != SC_RUNNING) {\n        sc_violation(t, \"an event",
        "if (false) {\n        sc_violation(t, \"an event")]),
    ("a call is served instead of ordered work", "seccomp", "unit:platform_refuses/test_call*", [(
        "platform/seccomp/dispatch.c", "if (t->state != SC_RUNNING || (t->to_handler && !t->doomed)) {", "if (false) {")]),
    ("a thread that nobody ordered lives", "seccomp", "unit:platform_refuses/test_unknown*", [(
        "platform/seccomp/dispatch.c", "kill((pid_t)n->pid, SIGKILL);", "(void)id;")]),
    ("a guest's call goes on at another place", "seccomp", "unit:platform_refuses/test_own*", [(
        "platform/seccomp/resume.c", "o->nr != call->nr || o->args[0] != at ||", "o->nr != call->nr ||")]),
    ("a guest's call goes on for more than was decided", "seccomp", "unit:platform_refuses/test_own*", [(
        "platform/seccomp/resume.c", "return call->args[1] <= len && len - call->args[1] < STUB_PAGE;", "return true;")]),
    ("a guest's call goes on with another argument", "seccomp", "unit:platform_refuses/test_own*", [(
        "platform/seccomp/resume.c", "(!unmap && o->args[2] != call->args[2])", "false")]),
    ("a guest's call goes on for another one", "seccomp", "unit:platform_refuses/test_own*", [(
        "platform/seccomp/resume.c", "o->nr != call->nr ||", "")]),
    ("text that was hidden twice is a fault", "seccomp", "unit:platform_refuses/test_hidden*", [(
        "platform/seccomp/fastcall/patch_x86.c", "(t->fetched_at == addr && t->fetched_in == patches)", "t->fetched_at == addr")]),
    ("threads are kept without bound", "seccomp", "unit:platform_kept/test_kept*", [(
        "platform/seccomp/keep.c", "proc->nkept < SC_KEPT_MOST &&", "")]),
    ("a kept thread does not end with its process's books", "seccomp", "unit:platform_kept/test_kept*", [(
        "platform/seccomp/thread.c", "    sc_keep_forget(t);\n    t->proc = NULL;", "    t->proc = NULL;")]),
    ("a kept thread has the FP state of the one before", "seccomp", "syscalls:^threads_renewed$", [(
        "platform/seccomp/keep.c", "    t->cache.fp = fp;\n", "    (void)fp;\n")]),
    ("ranges of the stub can be mapped", "seccomp", "unit:platform/test_bad_ranges", [(
        "platform/platform.c", "if (start < l->reserved[i].end && start + len > l->reserved[i].start)", "if (false)")]),
    # ---- Registers -----------------------------------------------------------------------------------------------------
    ("registers of the kernel's half are set", "seccomp", "unit:platform_refuses/test_kernel*", [(
        "platform/platform.c", "if (regs->rip >= LINUX_TASK_SIZE || regs->fs_base >= LINUX_TASK_SIZE || regs->gs_base >= LINUX_TASK_SIZE)",
        "if (regs->rip == 1)")]),
    ("segment registers are set", "ptrace", "unit:platform_refuses/test_segments", [(
        "platform/ptrace/regs.c", "t->regs.cs = old.cs;", "")]),
    ("data segments are set", "ptrace", "unit:platform_refuses/test_segments", [(
        "platform/ptrace/regs.c", "t->regs.ds = old.ds;\n    t->regs.es = old.es;", "")]),
    ("an FP state is not checked", "seccomp", "unit:platform/test_fpstate", [(
        "platform/platform.c", "int err = plat_fpstate_check(&t->p->layout, buf, len);", "int err = 0;")]),
    # ---- What an answer can do ----------------------------------------------------------------------------------------
    ("any call of the guest's is held", "seccomp", "unit:filter_seccomp", [(
        "platform/seccomp/filter.c", "held[nr] = held[nr] && !needs_context[nr];", "held[nr] = !needs_context[nr];")]),
    ("what has no name yet is held", "seccomp", "unit:filter_seccomp", [(
        "platform/seccomp/filter.c", "held_numbers(&p, held);\n    ret(&p, SECCOMP_RET_TRAP);",
        "held_numbers(&p, held);\n    ret(&p, SECCOMP_RET_USER_NOTIF);")]),
    ("the stub's text may call beside the gate", "seccomp", "unit:filter_seccomp", [(
        "platform/seccomp/filter.c", "if_ge(p, (uint32_t)(pl->base + pl->text_len) + 1, 1);\n    ret(p, SECCOMP_RET_KILL_PROCESS);",
        "if_ge(p, (uint32_t)(pl->base + pl->text_len) + 1, 1);\n    ret(p, SECCOMP_RET_USER_NOTIF);")]),
    # ---- Files in stubs, the ring --------------------------------------------------------------------------------------
    ("a file stays in the stub", "seccomp", "unit:platform_refuses/test_file*", [(
        "platform/seccomp/hostops.c", "o->file != q->file : q->file != 0;", "o->file != q->file : false;")]),
    ("a fork keeps the files of other threads", "seccomp", "unit:platform_refuses/test_fork*", [(
        "platform/seccomp/clone.c", "bool close_all = used &&", "bool close_all = false && used &&")]),
    ("a ring serves every number", "seccomp", "unit:platform_ring/test_ring_numbers", [(
        "platform/seccomp/fastcall/sites.c", "return nr < 512 && sc_plat(t)->ring_serves[nr];",
        "return sc_plat(t)->ring_serves[nr & 511] || nr < ~0ull;")]),
    ("a ring serves numbers that are none", "seccomp", "unit:platform_ring/test_ring_numbers", [(
        "platform/seccomp/fastcall/sites.c", "return nr < 512 && sc_plat(t)->ring_serves[nr];",
        "return sc_plat(t)->ring_serves[nr & 511];")]),
    ("a ring's string may be of any length", "seccomp", "unit:platform_ring/test_ring_strings", [(
        "platform/seccomp/fastcall/ring.c", "len > STUB_RING_STR ||", "")]),
    ("what is left in a ring may be of any length", "seccomp", "unit:platform_ring/test_ring_staged", [(
        "platform/seccomp/fastcall/ring.c", "bool same = len <= STUB_RING_STR && ", "bool same = ")]),
    ("a ring's string may be longer than its place", "seccomp", "unit:platform_ring/test_ring_strings", [(
        "platform/seccomp/fastcall/ring.c", "|| len > size ||", "||")]),
    ("a ring's string may be of another call", "seccomp", "unit:platform_ring/test_ring_strings", [(
        "platform/seccomp/fastcall/ring.c", "|| src != t->call.args[path])", ")")]),
    ("a ring's data may be of any length", "seccomp", "unit:platform_ring/test_ring_data", [(
        "platform/seccomp/fastcall/ring.c", "if (have > STUB_RING_STR || from > have ||", "if (from > have ||")]),
    ("a ring's data may lie beside it", "seccomp", "unit:platform_ring/test_ring_data", [(
        "platform/seccomp/fastcall/ring.c", "from > have || len > have - from)", "len > STUB_RING_STR)")]),
    ("text that is being changed is no place to wait", "seccomp", "syscalls:^threads_new_sites$", [(
        "platform/seccomp/dispatch.c", "if (signo == SIGSEGV && fetch && sc_patch_hid(t, a[1]))", "if (fetch && !t)")]),
    ("a child is born on its parent's cores", "seccomp", "unit:platform_ring/test_aside", [(
        "platform/seccomp/checkin.c", "sc_aside_born(t);", "")]),
    ("a ring is not wiped", "seccomp", "unit:platform_ring/test_ring_is_wiped", [(
        "platform/seccomp/fastcall/ring.c", "memset(sc_ring_at(p, ring), 0, STUB_RING_LEN);", "")]),
    # ---- Ends ----------------------------------------------------------------------------------------------------------
    ("stubs live on without their tracer", "ptrace", "bare:A44_spinning", [(
        "platform/ptrace/open.c", "PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD", "PTRACE_O_TRACESYSGOOD")]),
    ("the sentry lives on without the command line", "seccomp", "A44_stopped", [
        ("oci/launch.c", "prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);", ""),
        ("sentry/hostfilter/hostfilter.c", "prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? -errno : 0", "0")]),
    ("the gofer lives on without the command line", "seccomp", "A44_stopped", [
        ("oci/launch.c", "die_with(parent);\n    close(socks[0]);", "close(socks[0]);"),
        ("gofer/cage.c", "if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)", "if (false)")]),
    ("the first stub lives on without the sentry", "seccomp", "unit:stub_start/test_rights", [(
        "platform/stub/spawn.c", "if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || syscall(SYS_getppid) != parent)",
        "if (syscall(SYS_getppid) != parent)")]),
    ("the first stub may gain privileges", "seccomp", "unit:stub_start/test_rights", [(
        "platform/stub/spawn.c", "syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||", "")]),
    ("stubs may write core files", "seccomp", "unit:stub_start/test_rights", [(
        "platform/stub/spawn.c", "syscall(SYS_prlimit64, 0, RLIMIT_CORE, &no_core, NULL);", "")]),
    ("stubs stay in the sentry's process group", "seccomp", "unit:stub_start/test_rights", [(
        "platform/stub/spawn.c", "syscall(SYS_setpgid, 0, 0);", "")]),
    # ---- The filter of traced stubs ------------------------------------------------------------------------------------
    ("the ptrace filter looks at no low address", "ptrace", "unit:stub_start/test_ptrace_filter_place", [(
        "platform/ptrace/filter.c", "put(&b, JEQ((uint32_t)call_ip, 1, 0));\n    put(&b, RET(SECCOMP_RET_KILL_PROCESS));",
        "put(&b, JEQ((uint32_t)call_ip, 1, 0));\n    put(&b, LD(IP_LO));")]),
    ("the ptrace filter looks at no high address", "ptrace", "unit:stub_start/test_ptrace_filter_place", [(
        "platform/ptrace/filter.c", "put(&b, JEQ(VSYSCALL_PAGE_HI, 1, 0));\n    put(&b, RET(SECCOMP_RET_KILL_PROCESS));",
        "put(&b, JEQ(VSYSCALL_PAGE_HI, 1, 4));\n    put(&b, RET(SECCOMP_RET_KILL_PROCESS));")]),
    ("the ptrace filter lets vsyscalls pass", "ptrace", "unit:stub_start/test_ptrace_filter_place", [(
        "platform/ptrace/filter.c", "put(&b, RET(SECCOMP_RET_TRAP));", "put(&b, RET(SECCOMP_RET_ALLOW));")]),
    ("the ptrace filter lets every clone pass", "ptrace", "unit:stub_start/test_ptrace_filter_arguments", [(
        "platform/ptrace/filter.c", "allow_values(&b, SYS_clone, 0, (const uint32_t[]){PT_CLONE_FORK, PT_CLONE_VM, PT_CLONE_THREAD}, 3);",
        "allow(&b, SYS_clone);")]),
    ("the ptrace filter lets every descriptor be mapped", "ptrace", "unit:stub_start/test_ptrace_filter_arguments", [(
        "platform/ptrace/filter.c", "allow_values(&b, SYS_mmap, 4, (const uint32_t[]){(uint32_t)-1, PT_FD_FILE}, 2);",
        "allow(&b, SYS_mmap);")]),
    ("the ptrace filter lets the channel be closed", "ptrace", "unit:stub_start/test_ptrace_filter_arguments", [(
        "platform/ptrace/filter.c", "allow_values(&b, SYS_close, 0, (const uint32_t[]){PT_FD_FILE}, 1);", "allow(&b, SYS_close);")]),
    ("the ptrace filter looks at no architecture", "ptrace", "unit:stub_start/test_ptrace_filter_numbers", [(
        "platform/ptrace/filter.c", "put(&b, JEQ(AUDIT_ARCH_X86_64, 1, 0));", "put(&b, JEQ(AUDIT_ARCH_X86_64, 1, 1));")]),
    # ---- The sentry's cage ---------------------------------------------------------------------------------------------
    ("the sentry may have executable memory", "seccomp", "unit:hostfilter_rules/test_arguments", [(
        "sentry/hostfilter/hostfilter.c", ".mask = PROT_EXEC, .value = 0", ".mask = 0, .value = 0")]),
    ("the sentry may type into the terminal", "seccomp", "unit:hostfilter_rules/test_arguments", [(
        "sentry/hostfilter/hostfilter.c", "{TCGETS,", "{TIOCSTI, TCGETS,")]),
    ("a guest may type into the terminal", "seccomp", "A37_terminal$", [(
        "fs/host/hosttty.c", "{LINUX_FIONREAD,", "{LINUX_TIOCSTI, 1, 0, true},\n    {LINUX_FIONREAD,")]),
    ("the sentry may fork", "seccomp", "unit:hostfilter_rules/test_calls", [(
        "sentry/hostfilter/hostfilter.c", ".mask = CLONE_THREAD, .value = CLONE_THREAD", ".mask = 0, .value = 0")]),
    ("the sentry may make other numbers' calls", "seccomp", "unit:hostfilter_rules/test_calls", [(
        "host/filter.c", "JEQ((uint32_t)r->number, 1, 0)", "JEQ((uint32_t)r->number, 1, 1)")]),
    ("a link's descriptor may get another number", "seccomp", "unit:hostfilter_rules/test_links", [(
        "sentry/hostfilter/hostfilter.c", "{nr, FILTER_IS_NOT, condition == NO_LINK_2ND,", "{nr, FILTER_ANY, 0,")]),
    ("the sentry's filter looks at no argument", "seccomp", "unit:host_filter/test_as_the_rules_say", [(
        "host/filter.c", "JEQ(r->value, 0, 1) : JEQ(r->value, 1, 0)", "JEQ(r->value, 0, 0) : JEQ(r->value, 0, 0)")]),
    ("the sentry's filter looks at no architecture", "seccomp", "unit:host_filter/test_as_the_rules_say", [(
        "host/filter.c", "JEQ(AUDIT_ARCH_X86_64, 1, 0)", "JEQ(AUDIT_ARCH_X86_64, 1, 1)")]),
    ("the host's ring may do anything", "seccomp", "unit:hostring/test_nothing_else", [(
        "sentry/run/hostring.c", "int err = io_uring_register_restrictions(ring, may, sizeof may / sizeof may[0]);",
        "int err = may[0].opcode == 0;")]),
    ("the host's ring may be entered with flags", "seccomp", "unit:hostfilter_rules/test_arguments", [(
        "sentry/hostfilter/hostfilter.c", "FILTER_IS, 3, .mask = UINT32_MAX, .value = 0", "FILTER_IS, 3, .mask = 0, .value = 0")]),
    # ---- The gofer -----------------------------------------------------------------------------------------------------
    ("the gofer keeps the host's root", "seccomp", "A31_gofer", [(
        "gofer/cage.c", "enter_empty_root();\n    if", "if (false)\n        enter_empty_root();\n    if")]),
    ("the gofer can be traced by its user", "seccomp", "A31_gofer", [(
        "gofer/cage.c", "prctl(PR_SET_DUMPABLE, 0) < 0 ||", "")]),
    ("sentry and gofer may write core files", "seccomp", "A31_privileges", [(
        "base/hostprocess.c", "setrlimit(which, &none);", "(void)none;")]),
    ("the gofer has no filter", "seccomp", "unit:gofer_cage/test_planted_code", [(
        "gofer/cage.c", "return filter_load(&f);", "return f.nrows ? 0 : -1;")]),
    ("the gofer has no Landlock domain", "seccomp", "unit:gofer_cage/test_planted_code", [(
        "gofer/cage.c", "if ((err = cage_landlock(s)))", "if (false)")]),
    ("the gofer keeps its capabilities", "seccomp", "unit:gofer_cage/test_capabilities", [(
        "host/privileges.c", "return syscall(SYS_capset, &h, want) < 0 ? -errno : 0;", "return 0;")]),
    ("the gofer sends on other descriptors", "seccomp", "unit:gofer_cage/test_planted_code", [(
        "gofer/cage.c", "if (row->condition == ON_SOCK)", "if (false)")]),
    ("the gofer follows links and ..", "seccomp", "unit:gofer_server", [(
        "gofer/resolve.c", "(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS)", "0")]),
    ("the gofer takes names with a slash", "seccomp", "unit:gofer_server", [(
        "gofer/proto.c", "memchr(name, '/', n) ||", "")]),
    ("the gofer opens devices and fifos", "seccomp", "unit:gofer_server/test_special_nodes", [(
        "gofer/resolve.c", "case KIND_FILE: {", "case KIND_OTHER:\n    case KIND_FILE: {"),
        ("gofer/resolve.c", "case KIND_OTHER:\n        return -LINUX_ENXIO;", "")]),
    ("the gofer shows the host kernel's file systems", "seccomp", "unit:gofer_server/test_host_file_systems*", [(
        "gofer/resolve.c", "if (masked) {", "if (false) {")]),
    ("the gofer writes below read-only roots", "seccomp", "unit:gofer_server/test_read_only", [(
        "gofer/server.c", "return s->roots[o->root].writable ? 0 : -LINUX_EROFS;", "return 0;")]),
    # ---- The stubs' filter, the first stub -----------------------------------------------------------------------------
    ("filter allows getppid of the guest", "seccomp", "W_", [(
        "platform/seccomp/filter.c", "    held_numbers(&p, held);\n",
        "    load(&p, OFF_NR);\n    unless_eq(&p, 110, 1);\n    ret(&p, SECCOMP_RET_ALLOW);\n    held_numbers(&p, held);\n")]),
    ("filter allows other architectures", "seccomp", "A01|A02", [(
        "platform/seccomp/filter.c", "AUDIT_ARCH_X86_64, 1, 0);\n    ret(&p, SECCOMP_RET_TRAP);",
        "AUDIT_ARCH_X86_64, 1, 0);\n    ret(&p, SECCOMP_RET_ALLOW);")]),
    ("filter allows the vsyscall page", "seccomp", "A03", [(
        "platform/seccomp/filter.c", "unless_eq(&p, VSYSCALL_HI, 1);\n    ret(&p, SECCOMP_RET_TRAP);",
        "unless_eq(&p, VSYSCALL_HI, 1);\n    ret(&p, SECCOMP_RET_ALLOW);")]),
    ("filter allows x32 calls", "seccomp", "A01|W_", [(
        "platform/seccomp/filter.c", "    ring_numbers(&p);\n",
        "    load(&p, OFF_NR);\n    unless_ge(&p, 0x40000000u, 2);\n    if_ge(&p, 0x80000000u, 1);\n"
        "    ret(&p, SECCOMP_RET_ALLOW);\n    ring_numbers(&p);\n")]),
    ("a window makes pages of a file's holes", "seccomp", "syscalls:large_io", [(
        "fs/tmpfs/data.c", "off >= end || page_up(end) > n->data.dense)", "off >= end)")]),
    ("mincore's answer may go to the stub", "seccomp", "A16/A22_what_calls_read", [(
        "platform/platform.c", "if (!plat_memory_ok(t->p, vec.v, pages))", "if (false)")]),
    ("stubs start with the sentry's registers", "seccomp", "A16", [(
        "platform/stub/spawn.c", "xorl %%ebx, %%ebx\\n\\t", ""), ("platform/stub/spawn.c", "xorl %%r12d, %%r12d\\n\\t", ""),
        ("platform/stub/spawn.c", "xorl %%r13d, %%r13d\\n\\t", ""), ("platform/stub/spawn.c", "xorl %%r14d, %%r14d\\n\\t", "")]),
    ("filter allows everything of the stub's text", "seccomp", "A04|W_", [(
        "platform/seccomp/filter.c", "    unless_eq(p, gate_ip, 0);\n    unsigned beside = p->n - 1;\n",
        "    unless_eq(p, gate_ip, 0);\n    unsigned beside = p->n - 1;\n    ret(p, SECCOMP_RET_ALLOW);\n")]),
    ("sentry lets every gate call go on", "seccomp", "A04|W_", [(
        "platform/seccomp/dispatch.c", '        sc_violation(t, "a host call that was not ordered");', "        sc_send_continue(p, n->id);")]),
    ("sentry looks at the number of a gate call alone", "seccomp", "W_kernel_trace_of", [(
        "platform/seccomp/hostops.c", "        same = same && n->data.args[i] == o->call.args[i];", "        same = same && i >= 0;")]),
    ("sentry believes the signal number of a fault", "seccomp", "A04", [(
        "platform/seccomp/dispatch.c", "if (!is_fault((uint32_t)a[0]))", "if (!is_fault((uint32_t)a[0]) && false)")]),
    ("a foreign call is served", "seccomp", "A01|A02|A03", [(
        "sentry/run/run.c", "        if (ev->call.foreign)", "        if (ev->call.foreign && false)")]),
    ("a foreign call is served", "ptrace", "A01|A02", [(
        "sentry/run/run.c", "        if (ev->call.foreign)", "        if (ev->call.foreign && false)")]),
    ("stubs have no filter", "ptrace", "A31|W_|A0", [(
        "platform/ptrace/filter.c", "    put(&b, LD(offsetof(struct seccomp_data, arch)));",
        "    put(&b, RET(SECCOMP_RET_ALLOW));\n    put(&b, LD(offsetof(struct seccomp_data, arch)));")]),
    ("the stub lies at one place in all sandboxes", "seccomp", "A38", [(
        "platform/stub/place.c", "PLACE_LO + random_u64() % (PLACE_HI - PLACE_LO - len);", "PLACE_LO + 0 * random_u64();")]),
    ("a fork takes premapped memory along", "seccomp", "A23/in_a_copy", [(
        "platform/seccomp/guard.c", "sc_heap_give_up(t) && sc_premap_give_up(t)", "sc_heap_give_up(t)")]),
    ("a fork takes memory behind the break along", "seccomp", "A23/reaching_behind_the_break", [(
        "platform/seccomp/guard.c", "sc_heap_give_up(t) && sc_premap_give_up(t)", "sc_premap_give_up(t)")]),
    ("what is behind the break can be touched", "seccomp", "A23/reaching_behind_the_break", [(
        "platform/seccomp/heap.c", "if (addr >= h->at && addr < h->high)\n        return TOUCH_NOTHING;",
        "if (addr >= h->at && addr < h->high)\n        h->at = h->high;")]),
    ("stubs keep the sentry's memory", "seccomp", "A19", [(
        "platform/stub/spawn.c", "    if (start >= end)\n        return;", "    if (start >= end || end == LINUX_TASK_SIZE || start == 0)\n        return;")]),
    ("stubs keep descriptors", "ptrace", "A31", [(
        "platform/ptrace/open.c", "if (syscall(SYS_close_range, PT_FD_CHANNEL + 1, ~0u, 0) == 0)", "if (true)")]),
    ("capabilities are kept", "seccomp", "A31", [
        ("platform/stub/spawn.c", "syscall(SYS_capset, &head, none) ||", "(syscall(SYS_getpid, &head, none) < 0) ||"),
        ("sentry/hostfilter/hostfilter.c", "        err = confine_user();", "        err = 0;"),  # a change of user takes them too
        ("host/privileges.c", "    return syscall(SYS_capset, &h, want) < 0 ? -errno : 0;", "    return 0;")]),
    ("the sentry has no filter", "seccomp", "A31", [(
        "sentry/run/boot.c", "    err = hostfilter_load(plat_name(k->platform), has_links(c));", "    err = 0;")]),
    ("one user may have every descriptor", "seccomp", "A46", [(
        "base/fdcharge.c", "if (a->used >= 5 * part || used[ORDINARY] >= 6 * part)\n            return false;", ""), (
        "base/fdcharge.c", "return used[ORDINARY] + used[ADMIN] < limit - part;", "return true;")]),
    ("the caller's environment enters", "seccomp", "A37", [(
        "oci/cmd_do.c", "    p->envp = o->env;", "    extern char **environ;\n    p->envp = environ;")]),
    ("descriptors of the caller come in", "seccomp", "A31", [(
        "oci/main.c", "only_stdio(void) { close_range(3, ~0u, 0); }", "only_stdio(void) {}")]),
    ("nobody keeps the memory limit of a pod's container", "seccomp", "oci:pod_memory_of_one", [(
        "sentry/run/limits.c", "f->parts[i].max = atomic_load(&l->parts[i].number) ? atomic_load(&l->parts[i].memory) : 0;",
        "f->parts[i].max = 0;")]),
    ("nobody keeps the processes of a pod's container", "seccomp", "oci:pod_pids_of_one", [(
        "sentry/run/limit_parts.c", "if (most && members(k, p, number) >= most)", "if (most && members(k, p, number) > UINT32_MAX)")]),
    ("memory that is asked for ahead outruns looks", "seccomp", "limits:populate_late", [(
        "sentry/mm/mm_map.c", "populate = populate && mem_pool_may_fill(mm->pool, m->len);", "")]),
    ("a device of the host is a source", "seccomp", "oci:compat_devices", [(
        "oci/mounts.c", "    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {", "    if (S_ISFIFO(st.st_mode)) {")]),
    ("places are made where symlinks of the root lead", "seccomp", "oci:compat_places_in", [(
        "oci/mounts.c", ".resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};", ".resolve = 0};")]),
    ("users are looked up where symlinks of the root lead", "seccomp", "oci:compat_users_of_the_host", [(
        "oci/home.c", ".resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};", ".resolve = 0};")]),
    ("a pod's container maps ids otherwise than its sandbox", "seccomp", "oci:pod_has_the_users", [(
        "oci/pod.c", "&& !json_equal(a, b))", "&& !a && !b)")]),
    ("writes go to the host's files", "seccomp", "A07", [(
        "oci/cmd_do.c", 'o->roots[0] = (struct gofer_root){"/", false};', 'o->roots[0] = (struct gofer_root){"/", true};'),
        ("sentry/run/mounts.c", "    int err = goferfs_create(vfs, gofer, 0, true, &lower);\n",
         "    int err = goferfs_create(vfs, gofer, 0, false, &lower);\n    if (err == 0)\n        return vfs_mount(vfs, lower, NULL, 0, \"host\");\n")]),
    ("reserved ranges can be copied from", "seccomp", "A04|A22", [(
        "platform/memory.c", "        if (!l->reserved[i].name && start", "        if (false && start")]),
    ("memory of nobody can be touched", "seccomp", "A23", [(
        "platform/seccomp/guard.c", "ioctl(fd, UFFDIO_REGISTER, &reg)", "!reg.mode")]),
    ("a file stays in the stub after a broken receive", "ptrace", "A24", [(
        "platform/ptrace/work.c", "channel_discard(pt_owner(t));\n        close_file(t, -LINUX_EFAULT);",
        "pt_channel_leave(t);\n        finish(t, -LINUX_EFAULT);")]),
    ("a stub's word that the host refused is believed", "seccomp", "A24", [(
        "platform/seccomp/dispatch.c", "if (result < 0 && sc_ops_undo(t, result))", "if (result < 0 && false)")]),
    ("a file is sealed by our own count of its maps", "seccomp", "A24", [(
        "fs/anon/memfd.c", "int err = tdata_seal_write(n);", "int err = 0;")]),
    ("what may only be read is mapped shared", "seccomp", "A24", [(
        "sentry/mm/mm_map.c", "(area_writes_file(v) ? PLAT_SHARED : 0)", "(v->flags & LINUX_MAP_SHARED ? PLAT_SHARED : 0)")]),
    ("children of which nobody told stay", "seccomp", "bare:A24", [(
        "platform/seccomp/reap.c", "kill(-p->zygote->proc->pid, SIGKILL);", "(void)0;")]),
    # ---- Users inside, kept apart ----------------------------------------------------------------------------------------
    ("anybody may trace anybody", "seccomp", "syscalls:^ptrace_attach$", [(
        "sentry/ptrace/access.c", "bool alike = same_ids(o,", "bool alike = true || same_ids(o,")]),
    ("a tracer leads a set-user-ID program about", "seccomp", "syscalls:^setuid_program$", [(
        "sentry/loader/load.c", "!x->alone || !ptrace_tracer_capable(t)", "!x->alone")]),
    ("a tracer writes past what nobody may write", "seccomp", "syscalls:^ptrace_state$", [(
        "sentry/ptrace/memory.c", "(v->flags & (LINUX_MAP_SHARED | VMA_FIXED_KERNEL))", "(v->flags & VMA_FIXED_KERNEL)")]),
    ("file capabilities are given with no_new_privs", "seccomp", "syscalls:^file_caps$", [(
        "sentry/loader/load.c", "& ~old->cap_permitted)) && (shared || no_new_privs)) {",
        "& ~old->cap_permitted)) && shared) {")]),
    ("a program that was written keeps its capabilities", "seccomp", "syscalls:^file_caps$", [(
        "fs/tmpfs/inode.c", "if (which & ATTR_KILL_CAPS)", "if (false)")]),
    ("any owner gives his program capabilities", "seccomp", "syscalls:^file_caps$", [(
        "fs/xattr.c", "cred_has(&ctx->cred, LINUX_CAP_SETFCAP) ? 0 : -LINUX_EPERM", "0")]),
    ("an ACL is anybody's to set", "seccomp", "syscalls:^acl$", [(
        "fs/xattr.c", "else if (!inode_owner_or_capable(i, &ctx->cred))", "else if (false)")]),
    ("any owner lifts an immutable flag", "seccomp", "syscalls:^chattr$", [(
        "fs/fileattr.c", "!cred_has(&ctx->cred, LINUX_CAP_LINUX_IMMUTABLE)", "false")]),
    ("a file that is cut gives back what it seems to have", "seccomp", "unit:goferfs_disk", [(
        "fs/goferfs/attr.c", "*was = node_size(n);", "*was = i->attr.size;"), (
        "fs/goferfs/attr.c", "    LOCKED_NESTED(&f->lock);\n", "")]),
    ("each name of a host file is charged alone", "seccomp", "unit:goferfs_disk", [(
        "fs/goferfs/hostfile.c", "if (o == 0) {", "if (false) {")]),
    ("a host file gives back what another name still holds", "seccomp", "unit:goferfs_disk", [(
        "fs/goferfs/dir.c", "bool asks = n->file && others(i), told", "bool asks = false, told")]),
    ("flags are set that were not judged", "seccomp", "unit:fs_threads", [(
        "fs/tmpfs/inode.c", "if (atomic_load(&i->flags) != was)", "if (false)")]),
    # ---- Filters of guests, mounts -----------------------------------------------------------------------------------------
    ("calls that come without registers are not filtered", "seccomp", "syscalls:^seccomp_modes$", [(
        "sentry/run/before_call.c", "    if (!seccomp_on(t)) {", "    if (!seccomp_on(t) || !t->call.context) {")]),
    ("a tracer leads a call past the filters", "seccomp", "syscalls:^seccomp_trace$", [(
        "sentry/run/before_call.c", "        judge(t, stop == PT_SECCOMP ? TRACER_TOO : NOBODY_YET);", "        run_call(t);")]),
    ("a child has no filters", "seccomp", "syscalls:^seccomp_filter$", [(
        "sentry/proc/task_clone.c", "    seccomp_inherit(c, t);\n", "")]),
    ("what a supervisor answers is a word of the run loop", "seccomp", "syscalls:^seccomp_notify$", [(
        "sentry/seccomp/notify.c", "        return SYS_ANSWER;", "        return q->value;")]),
    ("anybody may mount", "seccomp", "syscalls:^mounts$", [(
        "sentry/syscalls/sys_mount.c", "    if (!may_change_mounts(t))\n        return -LINUX_EPERM;\n    if ((m.flags",
        "    if ((m.flags")]),
    ("a copy of a namespace is the namespace", "seccomp", "syscalls:^mounts$", [(
        "sentry/proc/namespaces.c", "    if (flags & LINUX_CLONE_NEWNS)\n        err =", "    if (0)\n        err =")]),
    ("a tracer's segments and bases are taken as they are", "ptrace", "syscalls:^ptrace_stops$", [(
        "sentry/ptrace/regs.c", "if (is_selector(at))", "if (!regs)"), (
        "sentry/ptrace/regs.c", "value >= LINUX_TASK_SIZE)\n        return -LINUX_EIO;\n    if (at == AT(eflags))",
        "!regs)\n        return -LINUX_EIO;\n    if (at == AT(eflags))")]),
    ("SIGKILL does not end a ptrace-stop", "seccomp", "syscalls:^ptrace_stops$", [(
        "sentry/run/park.c", "ptrace_break(t);\n", "")]),
    # ---- Namespaces made inside --------------------------------------------------------------------------------------------
    ("a capability holds over the namespaces around", "seccomp", "syscalls:^user_namespaces$", [(
        "sentry/proc/user_ns.c", "return c->user->level == 0 && (c->cap_effective", "return (c->cap_effective"), (
        "sentry/proc/user_ns.c", "(user_ns_is_in(u, c->user) && (c->cap_effective >> cap & 1))", "(c->cap_effective >> cap & 1)")]),
    ("root inside opens what belongs to nobody there", "seccomp", "syscalls:^user_namespaces$", [(
        "fs/attr.c", "(c->caps >> cap & 1) && idmap_out(c->uids, LOAD(i->attr.uid)) != ID_NONE &&", "(c->caps >> cap & 1) ||")]),
    ("anybody may map anybody", "seccomp", "syscalls:^user_namespaces$", [(
        "sentry/procfs/idmaps.c", "!may_map(m, v, n) || ", "")]),
    ("mounts that came along come off", "seccomp", "syscalls:^user_namespaces$", [(
        "fs/mnt_ns.c", "        tree_lock(c, false);", "        (void)tree_lock;")]),
    ("a mount that hides comes off with its tree", "seccomp", "syscalls:^user_namespaces$", [(
        "fs/mnt_tree.c", "(m->locked || (how & TAKE_CONNECTED))", "(how & TAKE_CONNECTED)")]),
    ("proc is mounted anew by anybody's root", "seccomp", "syscalls:^user_namespaces$", [(
        "fs/mnt_ops.c", "if (ns_is_first_user(ns->ns.owner) || !sb->revealing)", "if (true)")]),
    ("a namespace of fewer rights tells its maker of its mounts", "seccomp", "syscalls:^mounts_shared$", [(
        "fs/mnt_ns.c", "(less ? COPY_SLAVE : 0)", "0")]),
    ("flags that came along are taken away", "seccomp", "syscalls:^mounts_(shared|fd)$", [(
        "fs/mnt_ops.c", "return !(m->locked_flags & ~MOUNT_ATIME_LOCKED & ~flags);", "return true;")]),
    ("a bind shows what locked mounts cover", "seccomp", "syscalls:^mounts_(shared|fd)$", [(
        "fs/mnt_ops.c", "if (!recursive && has_locked(from->mnt, from->dentry))", "if (false)")]),
    ("locked mounts are moved away", "seccomp", "syscalls:^mounts_shared$", [(
        "fs/mnt_ops.c", "m->parent && !m->locked && !m->parent->group", "m->parent && !m->parent->group")]),
    ("anybody's root sets the clocks of others", "seccomp", "syscalls:^time_namespaces$", [(
        "sentry/procfs/process.c", "task_capable_over(task_current, time, LINUX_CAP_SYS_TIME) ? 0", "true ? 0")]),
    ("a copy holds the namespaces that were bound", "seccomp", "syscalls:^mounts$", [(
        "fs/mnt_tree.c", "return (how & COPY_NAMESPACES) || !is_ns_of_mounts(m);", "return true;")]),
    ("an init is killed from inside", "seccomp", "syscalls:^pid_namespaces$", [(
        "sentry/signal/send.c", "if (g->unkillable && !from_outside(g))", "if (0)")]),
    # ---- Terminals made inside -----------------------------------------------------------------------------------------
    ("ptys without end", "seccomp", "unit:fs_pty", [(
        "fs/tty/devpts.c", "if (was >= DEVPTS_MAX)", "if (false)")]),
    ("ptys are charged to nobody", "seccomp", "unit:fs_pty", [(
        "fs/tty/devpts.c", "bool charged = tquota_take(&d->charge, PAGES);",
        "bool charged = true;\n    atomic_fetch_add(&d->charge.quota.pages, PAGES);\n"
        "    atomic_fetch_add(&d->charge.memory->quota.pages, PAGES);")]),
    ("a locked terminal opens", "seccomp", "syscalls:^pty_devices$", [(
        "fs/tty/tty.c", "if (t->state == TTY_DEAD || t->locked)", "if (t->state == TTY_DEAD)")]),
    ("who cannot read a terminal may make it its own", "seccomp", "syscalls:^pty_jobs$", [(
        "sentry/proc/jobctl.c", "if (!t || !(f->mode & FMODE_READ))", "if (!t)")]),
    ("another session's terminal may be taken", "seccomp", "syscalls:^pty_jobs$", [(
        "sentry/proc/jobctl.c", "if (c->session && (steal != 1 || !task_capable(t, LINUX_CAP_SYS_ADMIN)))", "if (false)")]),
    ("a hung-up file goes on", "seccomp", "syscalls:^pty_hangup$", [(
        "fs/tty/tty.c", "return f->pos != t->hangups;", "return false;")]),
    # ---- What guests forbid to themselves (landlock) --------------------------------------------------------------------
    ("a file is opened past the rules", "seccomp", "syscalls:^landlock_files$", [(
        "fs/open.c", "int err = landlock_may_open(&r->ctx->cred, f);", "int err = 0;")]),
    ("a file is cut past the rules", "seccomp", "syscalls:^landlock_files$", [(
        "fs/open.c", "if (f->mode & FMODE_NO_TRUNCATE)", "if (false)")]),
    ("a file is cut by its name past the rules", "seccomp", "syscalls:^landlock_files$", [(
        "fs/attr.c", "int err = landlock_may(&ctx->cred, p, LINUX_LANDLOCK_ACCESS_FS_TRUNCATE);", "int err = 0;")]),
    ("a name is made past the rules", "seccomp", "syscalls:^landlock_files$", [(
        "fs/namei.c", "err = landlock_may(&ctx->cred, &p->w.cur, landlock_make(type));", "err = 0;")]),
    ("a name is removed past the rules", "seccomp", "syscalls:^landlock_files$", [(
        "fs/namei.c", "int err = landlock_may(c, &p->w.cur, right);", "int err = 0;")]),
    ("a file gains rights as it moves", "seccomp", "syscalls:^landlock_files$", [(
        "fs/landlock.c", "if (from->by[i] & own.by[i] & matter & ~to->by[i])", "if (false)")]),
    ("the rules of an outer layer are forgotten", "seccomp", "syscalls:^landlock_files$", [(
        "fs/landlock.c", "d->outer = landlock_get(outer);", "d->outer = NULL;")]),
    ("a device takes any ioctl past the rules", "seccomp", "syscalls:^landlock_files$", [(
        "fs/landlock.c", "if (!(f->mode & FMODE_NO_IOCTL))", "if (true)")]),
    ("who is inside a domain mounts", "seccomp", "syscalls:^landlock_files$", [(
        "sentry/syscalls/sys_mount_fd.c", "may_mount(t) && !landlock_restricts_files(t->cred->landlock)", "may_mount(t)")]),
    ("who is inside a domain changes a mounted file system", "seccomp", "syscalls:^landlock_files$", [(
        "sentry/syscalls/fstype.c", "if (!may || landlock_restricts_files(t->cred->landlock))", "if (!may)")]),
    ("who is inside a domain is given who is not to trace", "seccomp", "syscalls:^landlock_files$", [(
        "sentry/ptrace/link.c", "if (!landlock_is_inside(mine->landlock, c->landlock))", "if (false)")]),
    ("who is inside a domain looks into who is not", "seccomp", "syscalls:^landlock_files$", [(
        "sentry/ptrace/access.c", "if (!landlock_is_inside(o->landlock, c->landlock))", "if (false)")]),
    ("a domain does not outlive an exec", "seccomp", "syscalls:^landlock$", [(
        "sentry/proc/cred.c", "landlock_get(c->landlock);", "c->landlock = NULL;")]),
    ("who may gain rights makes a domain", "seccomp", "syscalls:^landlock$", [(
        "sentry/syscalls/sys_landlock.c", "if (!t->cred->no_new_privs && !task_own_capable(t, LINUX_CAP_SYS_ADMIN))", "if (false)")]),
    ("a port is used past the rules", "seccomp", "syscalls:^landlock_reach$", [(
        "fs/landlock.c", "if (access & d->table->handled.handled_access_net & ~allowed(d->table, &key))", "if (false)")]),
    ("a scope ends nowhere", "seccomp", "syscalls:^landlock_reach$", [(
        "fs/landlock.c", "return !landlock_is_inside(to, from);", "return false;")]),
    ("a signal of a file goes to a whole group past the scope", "seccomp", "syscalls:^landlock_reach$", [(
        "sentry/fd/async.c", "bool own = type != LINUX_F_OWNER_PGRP && ", "bool own = ")]),
    ("a listener is given files past its rules", "seccomp", "syscalls:^fanotify$", [(
        "fs/fan_marks.c", "err = landlock_may_open(c, *out);", "err = 0;")]),
    ("a listener without privileges is told who acts", "seccomp", "syscalls:^fanotify_fid$", [(
        "sentry/fd/fanotify.c", "(g->unprivileged && q->who.pid != t->tg->pid)", "false")]),
    ("a listener without privileges watches a file system", "seccomp", "syscalls:^fanotify_fid$", [(
        "sentry/syscalls/sys_fanotify.c", "if (m->g->unprivileged && m->on != FAN_ON_INODE)", "if (false)")]),
    ("who may not read a file watches it", "seccomp", "syscalls:^fanotify_fid$", [(
        "sentry/syscalls/sys_fanotify.c", "return vfs_permission(out->dentry->inode, MAY_READ, &ctx.cred);", "return 0;")]),
    ("SIGIO leaves the domain of who asked for it", "seccomp", "syscalls:^landlock_reach$", [(
        "sentry/fd/async.c", "o.landlock = landlock_get(t->cred->landlock);", "o.landlock = NULL;")]),
    # ---- Rings of guests -------------------------------------------------------------------------------------------------
    ("an entry of a ring is wherever its index says", "seccomp", "syscalls:^io_uring_hostile$", [(
        "sentry/uring/submit.c", "if (*index < r->sq_entries)", "if (true)")]),
    ("a registered buffer has no end", "seccomp", "syscalls:^io_uring_register$", [(
        "sentry/uring/registered.c", "addr >= b->addr && len <= b->len && addr - b->addr <= b->len - len",
        "addr >= b->addr")]),
    ("a ring is registered with itself", "seccomp", "syscalls:^io_uring_register$", [(
        "sentry/uring/registered.c", "if (!f || uring_of(f))", "if (!f)")]),
    ("a ring is sent over a socket", "seccomp", "syscalls:^io_uring_net$", [(
        "sentry/syscalls/sys_sockmsg.c", "if (uring_of(f)) {", "if (uring_of(f) && !f) {")]),
    ("what a request points to is read again", "seccomp", "syscalls:^io_uring$", [(
        "sentry/run/worker_memory.c", "return m;\n}\n\nstatic bool add", "return false;\n}\n\nstatic bool add")]),
    ("completions overwrite those that nobody has taken", "seccomp", "syscalls:^io_uring$", [(
        "sentry/uring/ring.c", "return taken(r) < r->cq_entries;", "return true;")]),
    # ---- Sockets, and the network of guests --------------------------------------------------------------------------------
    ("a socket that does not fit at all counts", "seccomp", "syscalls:^inet_reuseport$", [(
        "netstack/sock/ports.c", "        if (n < 0)\n            continue;\n", "")]),
    ("a socket that is tied to a device hears all of them", "seccomp", "syscalls:^inet_device$", [(
        "netstack/sock/sock.c", "if (!s->opt[NS_OPT_BIND_IF] || !p)\n        return true;", "return true;")]),
    ("a connection takes what comes from far", "seccomp", "syscalls:^inet_tuning$", [(
        "netstack/tcp/tcp_in.c", "if (p->ttl >= s->opt", "if (true || p->ttl >= s->opt")]),
    ("an option of a socket asks for a capability of any namespace", "seccomp", "syscalls:^inet_device$", [(
        "sentry/socket/options.c", "case OPT_ADMIN_INT:\n        if (!net_ns_capable(t, s->net, LINUX_CAP_NET_ADMIN))",
        "case OPT_ADMIN_INT:\n        if (false)")]),
    ("links are changed by whoever asks", "seccomp", "syscalls:^net_namespace$", [(
        "sentry/net/rtnetlink.c", "if (!get && !o->admin)", "if (false)")]),
    ("devices and neighbours are changed by whoever asks", "seccomp", "syscalls:^inet_device$", [(
        "sentry/net/ifreq.c", "if (change && !admin)", "if (false)")]),
    # ---- Rules of the packet filter ------------------------------------------------------------------------------------
    ("rules are for who may not change the network", "seccomp", "syscalls:^nfnl_rules$", [(
        "sentry/net/nfnl.c", "if (request && !o->admin) {", "if (false) {")]),
    ("a register may lie behind the last", "seccomp", "syscalls:^nfnl_rules$", [(
        "sentry/net/nft_value.c", "return reg >= NF_REGS || len > (NF_REGS - reg) * 4 ? -LINUX_ERANGE : 0;",
        "return 0;")]),
    ("a length in registers may overflow", "seccomp", "syscalls:^nfnl_rules$", [(
        "sentry/net/nft_value.c", "return reg >= NF_REGS || len > (NF_REGS - reg) * 4 ? -LINUX_ERANGE : 0;",
        "return reg * 4 + len > NF_REGS * 4 ? -LINUX_ERANGE : 0;")]),
    ("what a match is told may be of any length", "seccomp", "syscalls:^nfnl_rules$", [(
        "netstack/filter/xt.c", "return len == ((xt->size + 7) & ~7u) &&", "return")]),
    ("jumps may go as deep as they like", "seccomp", "syscalls:^nfnl_rules$", [(
        "netstack/filter/check.c", "if (level >= NF_DEPTH)", "if (level >= NF_DEPTH * 2)")]),
    ("rules take any memory", "seccomp", "unit:netstack_nft/rules_take*", [(
        "netstack/filter/table.c", "if (n > NF_MEMORY - nf->bytes)", "if (false)")]),
    ("a packet asks all rules", "seccomp", "unit:netstack_nft/a_packet*", [(
        "netstack/filter/eval.c", "if (++k->steps > NF_STEPS) {", "if (++k->steps > NF_STEPS * 16) {\n            k->p->ct_state = 0;\n            return NF_ACCEPT;\n        }\n        if (false) {")]),
    # ---- Daemons of FUSE ------------------------------------------------------------------------------------------------
    ("a daemon's answer may be of any length", "seccomp", "syscalls:^fuse$", [(
        "fs/fuse/dev.c", "if (n < r->out_least || n > r->out_most)", "if (n < r->out_least)")]),
    ("a daemon's names may lead elsewhere", "seccomp", "syscalls:^fuse$", [(
        "fs/fuse/dir.c", "if (memchr(name, '/', e.namelen) || memchr(name, '\\0', e.namelen))", "if (false)")]),
    ("anybody ends a daemon's mount by force", "seccomp", "syscalls:^fuse$", [(
        "sentry/syscalls/sys_mount.c", "int err = vfs_may_umount(ns, at);", "int err = 0;")]),
    ("who is over a mount waits for its daemon", "seccomp", "syscalls:^fuse$", [(
        "fs/fuse/node.c", "return !owner || user;", "return true;")]),
    ("the end of a daemon is not told", "seccomp", "syscalls:^fuse$", [(
        "fs/fuse/dev.c", "if (last)\n        fuse_abort(c);", "if (false)\n        fuse_abort(c);")]),
    # ---- Overlays that guests mount, groups, proc ------------------------------------------------------------------------
    ("a layer is searched in nobody's name", "seccomp", "syscalls:^overlay$", [(
        "fs/layers/layers.c", "vfs_permission(dir->inode, MAY_EXEC, &o->ctx.cred)", "vfs_permission(dir->inode, 0, &o->ctx.cred)")]),
    ("a layer's directory is read in nobody's name", "seccomp", "syscalls:^overlay$", [(
        "fs/layers/layers.c", "vfs_permission(p->dentry->inode, mask, &o->ctx.cred)",
        "vfs_permission(p->dentry->inode, 0, &o->ctx.cred)")]),
    ("copies are made of any owner", "seccomp", "syscalls:^overlay$", [(
        "fs/layers/copy.c", "if (!knows_owners(o, &a))", "if (knows_owners(o, &a) && false)")]),
    ("a directory's whiteouts go before it does", "seccomp", "syscalls:^overlay$", [(
        "fs/layers/names.c", "int err = vfs_rename(&c->ctx, &c->work, c->whiteout, &up, d->name, LINUX_RENAME_EXCHANGE);",
        "sweep(c, i);\n    int err = vfs_rename(&c->ctx, &c->work, c->whiteout, &up, d->name, LINUX_RENAME_EXCHANGE);")]),
    ("a remount shows who was hidden", "seccomp", "syscalls:^proc_options$", [(
        "sentry/syscalls/fstype.c", "value_or(c, FS_HIDE, o->hide)", "value_or(c, FS_HIDE, PROC_HIDE_NOTHING)")]),
    ("the leader that an exec replaces stays counted", "seccomp", "syscalls:^cgroups$", [(
        "sentry/loader/exec.c", "cgroup_count(g, -1);  // the old one", "")]),
]


def edited(root, edits):
    """The edited sources by path. Each old text must be there once, however it is laid out."""
    texts = {}
    for path, old, new in edits:
        if path not in texts:
            with open(os.path.join(root, path)) as f:
                texts[path] = f.read()
        text = texts[path]
        places = list(re.finditer(r"\s*".join(map(re.escape, old.split())), text))
        if len(places) != 1:
            raise ValueError("%s does not have this text once: %r" % (path, old[:60]))
        texts[path] = text[:places[0].start()] + new + text[places[0].end():]
    return texts


class Build:
    """Compiles and links like an existing build folder does."""

    def __init__(self, source, folder):
        self.source, self.folder = os.path.realpath(source), os.path.realpath(folder)
        with open(folder + "/compile_commands.json") as f:
            self.compile = {os.path.relpath(row["file"], self.source): row for row in json.load(f) if row["file"].startswith(self.source)}
        self.links = {}

    def object(self, path, text, out):
        row = self.compile[path]
        mutated = os.path.join(out, path.replace("/", "-"))
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

    def link(self, program, objects, out):
        """The binary with these objects before the libraries: what a library has for the same symbols is not taken."""
        if program not in self.links:
            lines = subprocess.run(["ninja", "-C", self.folder, "-t", "commands", program], capture_output=True, text=True,
                                   check=True).stdout
            found = re.findall(r"(?:^|&& )(\S*cc\S* .*-o %s\b.*?)(?: && .*)?$" % program, lines, re.M)
            self.links[program] = shlex.split(found[-1])
        words = list(self.links[program])
        target = os.path.join(out, program)
        at = words.index("-o")
        words[at + 1:at + 2] = [target] + objects
        subprocess.run(words, cwd=self.folder, check=True, capture_output=True, text=True)
        return target

    def mutant(self, edits, out, program="picket"):
        return self.link(program, self.mutated_objects(edits, out), out)

    def mutated_objects(self, edits, out):
        return [self.object(path, text, out) for path, text in edited(self.source, edits).items()]


# ---- The tests that must notice: (noticed by, blind because), from what they print -------------------------------------------
Run = collections.namedtuple("Run", "code output")


def run(command, env=None, timeout=400):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", env={**os.environ, **(env or {})}, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=timeout)
        return Run(process.returncode, output)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return Run(None, "")


def bare(picket, options, platform, part):
    return escape(picket, options, platform, part, ["--bare"])


def escape(picket, options, platform, part, more=()):
    done = run([sys.executable, HERE + "/run_escape.py", "--picket", picket, "--guests", options.build + "/escape",
                "--platform", platform, "--filter", part, "--stop-at-first", *more])
    noticed = re.findall(r"^FAIL +(\S+)", done.output, re.M)
    unjudged = re.findall(r"^UNJUDGED +(\S+)", done.output, re.M)
    nothing = not re.search(r"^(ok|FAIL|UNJUDGED) ", done.output, re.M)
    if unjudged and not noticed:
        return [], "could not be judged: " + " ".join(unjudged)
    if done.code is None or nothing:
        return noticed, "" if noticed else "no test was run, or none ended"
    return noticed, ""


def unit(program, options, platform, part):
    env = {"PLATFORM": platform}
    if "/" in part:
        env["TEST"] = part.split("/", 1)[1]
    done = run([program], env, 200)
    if done.code == 77:
        return [], "the unit test is skipped here"
    if done.code is None:
        return [], "the unit test hangs"
    noticed = re.findall(r"^\[  (?:FAILED|ERROR )  \] (test\w+)", done.output, re.M)
    if done.code and not noticed:
        noticed = ["%s: status %d" % (os.path.basename(program), done.code)]
    return sorted(set(noticed)), ""


def cases(program, picket, platform, part, *more):
    done = run([sys.executable, TESTS + "/oci/" + program, "--picket", picket, "--platform", platform, "--filter", part, *more])
    return re.findall(r"^FAIL +(\S+)", done.output, re.M), "" if done.code is not None else "hangs"


def cli(picket, options, platform, part):
    return cases("run_cli.py", picket, platform, part)


def oci(picket, options, platform, part):
    return cases("run_runtime.py", picket, platform, part)


def limits(picket, options, platform, part):
    return cases("run_limits.py", picket, platform, part, "--nasty", options.build + "/tests/oci/nasty")


def syscalls(picket, options, platform, part):
    done = run([sys.executable, TESTS + "/harness/run_syscalls.py", options.build + "/guest", "--picket", picket, "--modes",
                platform, "--filter", part])
    noticed = re.findall(r"^(\w+) on %s: (?:FAIL|TIME|LEAK)" % platform, done.output, re.M)
    return noticed, "" if re.search(r"^\d+ passed", done.output, re.M) else "no test was run"


ATTEMPTS = 3  # at a mutant: many attacks are races, and what one run does not win the next may


def suite_of(part):
    """(how it is run, its argument, the program that is to be linked)"""
    name, colon, rest = part.partition(":")
    if not colon or name not in ("unit", "cli", "oci", "limits", "syscalls", "bare"):
        return escape, part, "picket"
    if name == "unit":
        return unit, rest, "unit_" + rest.split("/")[0]
    return {"cli": cli, "oci": oci, "limits": limits, "syscalls": syscalls, "bare": bare}[name], rest, "picket"


def judge(build, options, mutant):
    name, platform, part, edits = mutant
    how, argument, program = suite_of(part)
    out = tempfile.mkdtemp(prefix="picket-mutant-")
    os.chmod(out, 0o755)
    try:
        mutated = build.mutant(edits, out, program)
        for _ in range(ATTEMPTS):
            noticed, blind = how(mutated, options, platform, argument)
            if noticed:
                return "ok", "noticed by " + " ".join(noticed[:4])
        return "FAIL", blind or "nobody noticed"
    except subprocess.CalledProcessError as e:
        return "FAIL", "does not build: " + (e.stderr or "")[-600:]
    except (ValueError, KeyError, IndexError) as e:
        return "FAIL", "the mutant has to be brought up to date: %s" % e
    finally:
        shutil.rmtree(out, ignore_errors=True)


def baseline(build, options, mutants):
    """The same tests on what is not mutated: all must pass."""
    def one(test):
        platform, part = test
        how, argument, program = suite_of(part)
        noticed, blind = how(os.path.join(build.folder, program), options, platform, argument)
        return ("FAIL", "red without a mutant: %s %s" % (" ".join(noticed[:4]), blind)) if noticed or blind else ("ok", "")

    tests = sorted({(m[1], m[2]) for m in mutants})
    return [("baseline", platform, part, lambda test=(platform, part): one(test)) for platform, part in tests]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--filter", default=".", help="only mutants whose name matches")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="mutants at a time")
    parser.add_argument("--baseline", action="store_true", help="first, the tests without a mutant")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skip: the mutants need root (the kernel's trace)\n0 passed, 0 failed, 1 skipped")
        return 0
    build = Build(options.source, options.build)
    mutants = [m for m in MUTANTS if re.search(options.filter, m[0])]
    work = baseline(build, options, mutants) if options.baseline else []
    work += [("mutant", m[1], m[0], lambda m=m: judge(build, options, m)) for m in mutants]
    counts = collections.Counter()

    def one(item):
        kind, platform, name, do = item
        started = time.monotonic()
        word, detail = do()
        counts[word] += 1
        print("%-4s %-8s %-8s %-50s %5.1f s  %s" % (word, kind, platform, name, time.monotonic() - started, detail), flush=True)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(one, work))
    print("%d passed, %d failed, %d skipped" % (counts["ok"], counts["FAIL"], counts["skip"]))
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
