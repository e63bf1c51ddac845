// SPDX-License-Identifier: Apache-2.0
// Core files, core(5): an ELF file with the registers of the thread that died and the memory of its process,
// written as the process itself would: in its working directory, by its rights, within RLIMIT_CORE. Called by
// signal_deliver().
//
// LIMIT: a core holds the registers of the thread that died, not of the others, and at most 64 MiB of memory;
// a process that is not dumpable has none, whatever fs.suid_dumpable says; a pattern that begins with "|" is
// refused.
#include "sentry/proc/coredump.h"
#include "abi/mman.h"
#include "abi/prctl.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/user_ns.h"
#include "sentry/proc/uts_ns.h"
#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_MAX (64ull << 20)
#define AREAS_MAX  4096
#define NOTES_MAX  16384
#define STEP       65536u

// ---- The pattern ------------------------------------------------------------------------------------------
void kernel_core_pattern(struct kernel *k, char out[CORE_PATTERN_MAX]) {
    LOCKED(&k->tasks_lock);
    memcpy(out, k->core_pattern, CORE_PATTERN_MAX);
}

int kernel_set_core_pattern(struct kernel *k, const char *pattern) {
    size_t n = strlen(pattern);
    if (n >= CORE_PATTERN_MAX)
        n = CORE_PATTERN_MAX - 1;  // cut off, as Linux does
    if (pattern[0] == '|')
        return -LINUX_EINVAL;
    LOCKED(&k->tasks_lock);
    memset(k->core_pattern, 0, sizeof k->core_pattern);
    memcpy(k->core_pattern, pattern, n);
    return 0;
}

struct text {
    char *buf;
    size_t len, size;
};
static void put(struct text *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *x, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(x->buf + x->len, x->size - x->len, fmt, ap);
    va_end(ap);
    if (n > 0)
        x->len = x->len + (size_t)n < x->size ? x->len + (size_t)n : x->size - 1;
}
// A name with no way out of its directory.
static void put_name(struct text *x, const char *name) {
    size_t from = x->len;
    put(x, "%s", name);
    for (size_t i = from; i < x->len; i++)
        if (x->buf[i] == '/')
            x->buf[i] = '!';
}

static void put_host(struct task *t, struct text *x) {
    char host[65];
    {
        LOCKED(&t->k->tasks_lock);
        memcpy(host, task_uts(t)->hostname, sizeof host);
    }
    put_name(x, host);
}

static void put_field(struct task *t, struct text *x, char field, int sig) {
    switch (field) {
    case '%':
        put(x, "%%");
        break;
    case 'p':
        put(x, "%d", task_vpid(t));
        break;
    case 'P':
        put(x, "%d", t->tg->pid);
        break;
    case 'i':
        put(x, "%d", task_vtid(t));
        break;
    case 'I':
        put(x, "%d", t->tid);
        break;
    case 'u':
        put(x, "%u", t->cred->uid);
        break;
    case 'g':
        put(x, "%u", t->cred->gid);
        break;
    case 's':
        put(x, "%d", sig);
        break;
    case 'd':
        put(x, "%u", atomic_load(&t->mm->dumpable));
        break;
    case 't':
        put(x, "%llu", (unsigned long long)(real_ns() / 1000000000));
        break;
    case 'c':
        put(x, "%llu", (unsigned long long)task_rlimit(t, LINUX_RLIMIT_CORE));
        break;
    case 'h':
        put_host(t, x);
        break;
    case 'e':
        put_name(x, t->comm);
        break;
    default:  // ignored, as are those that Linux does not know
        break;
    }
}

static void core_name(struct task *t, struct text *x, int sig) {
    char pattern[CORE_PATTERN_MAX];
    bool has_pid = false;
    kernel_core_pattern(t->k, pattern);
    for (const char *p = pattern; *p; p++) {
        if (*p != '%') {
            put(x, "%c", *p);
            continue;
        }
        if (!*++p)
            break;
        has_pid |= *p == 'p';
        put_field(t, x, *p, sig);
    }
    if (!has_pid && kernel_knob(t->k, KNOB_CORE_USES_PID))
        put(x, ".%d", task_vpid(t));
}

// ---- What is in it ----------------------------------------------------------------------------------------
struct dump {
    struct task *t;
    struct vfs_ctx *ctx;
    struct file *file;
    uint64_t written, limit;  // bytes
    Elf64_Phdr *areas;
    unsigned nareas;
    uint64_t memory;     // bytes of it that will be written
    uint32_t filter;
    bool full;
};

// coredump_filter: bits 0 to 3 are private and shared memory without and with a file, 4 is ELF headers.
static uint64_t wanted(const struct dump *d, const struct vma *v) {
    uint64_t len = v->end - v->start;
    bool shared = v->flags & LINUX_MAP_SHARED;
    if (v->flags & (VMA_DONTDUMP | VMA_FIXED_KERNEL) || !(v->max_prot & LINUX_PROT_READ))
        return 0;
    if (!v->file || (!shared && v->prot & LINUX_PROT_WRITE))
        return d->filter & 1 && v->prot ? len : 0;
    if (d->filter >> (shared ? 3 : 2) & 1)
        return len;
    return d->filter & 16 && v->offset == 0 && v->prot & LINUX_PROT_READ ? GUEST_PAGE_SIZE : 0;
}

static bool note_area(void *arg, const struct vma *v) {
    struct dump *d = arg;
    if (v->flags & VMA_FIXED_KERNEL && !v->name)
        return true;
    uint64_t bytes = wanted(d, v), room = MEMORY_MAX - d->memory;
    bytes = bytes < room ? bytes : room;
    Elf64_Phdr *p = &d->areas[d->nareas++];
    *p = (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = v->start, .p_memsz = v->end - v->start, .p_filesz = bytes,
                      .p_align = GUEST_PAGE_SIZE};
    p->p_flags = (v->prot & LINUX_PROT_READ ? PF_R : 0u) | (v->prot & LINUX_PROT_WRITE ? PF_W : 0u) |
                 (v->prot & LINUX_PROT_EXEC ? PF_X : 0u);
    d->memory += bytes;
    return d->nareas < AREAS_MAX;
}

struct prstatus {  // elf_prstatus
    int32_t signo, code, err;
    int16_t cursig;
    uint64_t sigpend, sighold;
    int32_t pid, ppid, pgrp, sid;
    int64_t times[8];
    struct lx_regs regs;
    int32_t fpvalid, pad;
};
struct prpsinfo {  // elf_prpsinfo
    char state, sname, zomb, nice;
    uint64_t flag;
    uint32_t uid, gid;
    int32_t pid, ppid, pgrp, sid;
    char fname[16], psargs[80];
};
_Static_assert(sizeof(struct prstatus) == 336, "elf_prstatus of x86-64");
_Static_assert(sizeof(struct prpsinfo) == 136, "elf_prpsinfo of x86-64");

static void note(struct text *x, uint32_t type, const void *desc, size_t len) {
    Elf64_Nhdr h = {.n_namesz = 5, .n_descsz = (uint32_t)len, .n_type = type};
    size_t all = sizeof h + 8 + (len + 3) / 4 * 4;
    if (x->size - x->len < all)
        return;
    char *p = x->buf + x->len;
    memset(p, 0, all);
    memcpy(p, &h, sizeof h);
    memcpy(p + sizeof h, "CORE", 5);
    memcpy(p + sizeof h + 8, desc, len);
    x->len += all;
}

static void notes(struct task *t, struct text *x, const struct lx_regs *regs,
                  const struct linux_siginfo *info) {
    struct prstatus s = {.signo = info->si_signo, .code = info->si_code, .cursig = (int16_t)info->si_signo,
                         .sighold = t->blocked, .pid = task_vtid(t), .ppid = tgroup_ppid(t->tg),
                         .pgrp = task_pid_out(t, tgroup_pgid(t->tg)), .regs = *regs};
    struct prpsinfo p = {.sname = 'R', .nice = (char)t->nice, .uid = task_uid_out(t, t->cred->uid),
                         .gid = task_gid_out(t, t->cred->gid), .pid = task_vpid(t), .ppid = s.ppid,
                         .pgrp = s.pgrp};
    memcpy(p.fname, t->comm, sizeof p.fname);
    memcpy(p.psargs, t->comm, sizeof t->comm);
    note(x, NT_PRSTATUS, &s, sizeof s);
    note(x, NT_PRPSINFO, &p, sizeof p);
    note(x, NT_SIGINFO, info, sizeof *info);
    note(x, NT_AUXV, t->mm->auxv, t->mm->nauxv * sizeof t->mm->auxv[0]);
    size_t size = plat_layout(t->k->platform)->fpstate_size;
    char *fp cleanup_free = size >= 512 ? xcalloc(1, size) : NULL;
    if (fp && plat_get_fpstate(t->thread, fp, size) >= 0)
        note(x, NT_FPREGSET, fp, 512);
}

// ---- Writing ----------------------------------------------------------------------------------------------
static bool emit(struct dump *d, const void *p, size_t n, uint64_t at) {
    struct uio_kernel u;
    if (n > d->limit - d->written)
        return false;
    d->written += n;
    uio_kernel_init(&u, (void *)p, n);
    return vfs_pwrite(d->ctx, d->file, &u.u, at) == (int64_t)n;
}

static bool is_zero(const char *p, size_t n) {
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

// Pages of zeros stay holes, which RLIMIT_CORE does not count; so does what cannot be read.
static bool emit_pages(struct dump *d, const char *buf, size_t n, uint64_t at) {
    for (size_t from = 0, to; from < n; from = to) {
        size_t page = n - from < GUEST_PAGE_SIZE ? n - from : GUEST_PAGE_SIZE;
        to = from + page;
        if (is_zero(buf + from, page))
            continue;
        while (to < n && !is_zero(buf + to, n - to < GUEST_PAGE_SIZE ? n - to : GUEST_PAGE_SIZE))
            to += n - to < GUEST_PAGE_SIZE ? n - to : GUEST_PAGE_SIZE;
        if (!emit(d, buf + from, to - from, at + from))
            return false;
    }
    return true;
}

static bool emit_area(struct dump *d, const Elf64_Phdr *p, char *buf) {
    for (uint64_t done = 0; done < p->p_filesz; done += STEP) {
        uint64_t left = p->p_filesz - done;
        size_t n = left < STEP ? (size_t)left : STEP;
        if (atomic_load(&d->t->killed))
            return false;
        int64_t got = copy_in_some(d->t, buf, uaddr(p->p_vaddr + done), n);
        if (got > 0 && !emit_pages(d, buf, (size_t)got, p->p_offset + done))
            return false;
    }
    return true;
}

static bool emit_all(struct dump *d, const struct text *n) {
    Elf64_Ehdr h = {.e_type = ET_CORE, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
                    .e_phoff = sizeof h, .e_ehsize = sizeof h, .e_phentsize = sizeof(Elf64_Phdr),
                    .e_phnum = (uint16_t)(d->nareas + 1)};
    memcpy(h.e_ident, ELFMAG, SELFMAG);
    h.e_ident[EI_CLASS] = ELFCLASS64;
    h.e_ident[EI_DATA] = ELFDATA2LSB;
    h.e_ident[EI_VERSION] = EV_CURRENT;
    uint64_t at = sizeof h + (d->nareas + 1) * sizeof(Elf64_Phdr);
    Elf64_Phdr note = {.p_type = PT_NOTE, .p_offset = at, .p_filesz = n->len, .p_align = 4};
    at += n->len;
    uint64_t end = at = (at + GUEST_PAGE_SIZE - 1) / GUEST_PAGE_SIZE * GUEST_PAGE_SIZE;
    for (unsigned i = 0; i < d->nareas; i++) {
        d->areas[i].p_offset = end;
        end += d->areas[i].p_filesz;
    }
    char *buf cleanup_free = xcalloc(1, STEP);
    bool begun = buf && emit(d, &h, sizeof h, 0),
         ok = begun && emit(d, &note, sizeof note, sizeof h) &&
              emit(d, d->areas, d->nareas * sizeof *d->areas, sizeof h + sizeof note) &&
              emit(d, n->buf, n->len, note.p_offset);
    for (unsigned i = 0; i < d->nareas && ok; i++)
        ok = emit_area(d, &d->areas[i], buf);
    if (ok)
        vfs_ftruncate(d->ctx, d->file, end);
    return begun;  // one that a limit cuts is a core all the same, wait(2)
}

// A file that is somebody else's, has other names, or is more than a plain one stays as it is.
static int open_core(struct task *t, struct vfs_ctx *ctx, int sig, struct file **out) {
    char name[LINUX_PATH_MAX];
    struct text x = {.buf = name, .size = sizeof name};
    struct vfs_attr a;
    core_name(t, &x, sig);
    if (x.len == 0)
        return -LINUX_ENOENT;
    const unsigned flags = LINUX_O_CREAT | LINUX_O_RDWR | LINUX_O_NOFOLLOW | LINUX_O_NONBLOCK;
    int err = vfs_open(ctx, NULL, name, flags, 0600, 0, out);
    if (err < 0)
        return err;
    err = vfs_getattr(&(*out)->path, &a);
    if (err == 0 && (!inode_is_reg((*out)->inode) || a.nlink != 1 || a.uid != t->cred->fsuid))
        err = -LINUX_EPERM;
    return err ? err : vfs_ftruncate(ctx, *out, 0);
}

static bool write_core(struct task *t, const struct lx_regs *regs, const struct linux_siginfo *info,
                       struct dump *d) {
    char *buf cleanup_free = xcalloc(1, NOTES_MAX);
    struct text n = {.buf = buf, .size = NOTES_MAX};
    Elf64_Phdr *areas cleanup_free = xcalloc(AREAS_MAX, sizeof *areas);
    if (!buf || !areas)
        return false;
    d->areas = areas;
    mm_for_each(t->mm, note_area, d);
    notes(t, &n, regs, info);
    return emit_all(d, &n);
}

bool coredump(struct task *t, const struct lx_regs *regs, const struct linux_siginfo *info) {
    uint64_t limit = task_rlimit(t, LINUX_RLIMIT_CORE);
    if (limit < GUEST_PAGE_SIZE || !t->mm || !t->thread || atomic_load(&t->mm->dumpable) != 1 ||
        atomic_load(&t->tg->exiting) || atomic_exchange(&t->tg->dumped, true))
        return false;
    TASK_VFS_CTX(t, ctx);
    struct file *f cleanup_file = NULL;
    if (open_core(t, &ctx, info->si_signo, &f) != 0)
        return false;
    struct dump d = {.t = t, .ctx = &ctx, .file = f, .limit = limit,
                     .filter = atomic_load(&t->tg->coredump_filter)};
    plat_block_begin(t->k->platform);
    bool ok = write_core(t, regs, info, &d);
    plat_block_end(t->k->platform);
    return ok;
}
