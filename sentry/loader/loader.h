// SPDX-License-Identifier: Apache-2.0
// Programs: #! scripts and ELF images (static, PIE, with an interpreter) from a file into a fresh address
// space.
#ifndef SENTRY_LOADER_LOADER_H
#define SENTRY_LOADER_LOADER_H
#include "fs/vfs.h"
#include "platform/platform.h"
#include "sentry/mm/mm.h"

struct task;
struct cred;

#define EXEC_ARG_MAX (2u << 20)  // bytes of argv and envp together, with their pointers: E2BIG beyond

// Argument vectors, copied once from the guest (or given by the CLI).
struct exec_args {
    char *strings;     // owned: argv then envp, NUL ended each, back to back
    size_t len, size;
    unsigned argc, envc;
    char *execfn;      // owned: AT_EXECFN when it is not the path itself ("/dev/fd/5/x"); NULL
    // by a close-on-exec descriptor: a script's interpreter could not open it, execveat(2) ENOENT
    bool hidden;
};
int exec_args_add(struct exec_args *a, const char *s, bool env);  // argv first, then env; -E2BIG, -ENOMEM
int exec_args_add_n(struct exec_args *a, const char *s, size_t len, bool env);
// argv[0] is replaced by the interpreter, its argument (may be NULL) and the script's name.
int exec_args_script(struct exec_args *a, const char *interp, const char *arg, const char *script);
void exec_args_free(struct exec_args *a);

// One exec, from the path to the first instruction. All that may fail happens in exec_load(), before the old
// program is touched; the memory is then written in exec_finish(), when the host has carried out the maps.
#define EXEC_MAX_ZERO 8
struct exec_image {
    struct file *file;          // owned: the ELF file that runs (an interpreter's for #!)
    struct mm *mm;              // owned
    struct plat_thread *thread; // owned: held, with the maps queued
    struct cred *cred;          // owned: what the task's will be
    struct exec_args args;
    char path[LINUX_PATH_MAX];  // AT_EXECFN: as given to execve
    char comm[16];
    uint64_t entry, phdr, phnum, phent, base, program_entry;
    struct {
        uint64_t start, end;
    } zero[EXEC_MAX_ZERO];      // ends of file-backed pages that the program wants to be zero
    unsigned nzero;
    uint64_t stack_top;
    // AT_SECURE: it gains rights that its caller does not have, or would have but for
    // what is shared
    bool secure;
    // the caller's place, which nobody may join until the exec ends; borrowed; or NULL
    struct fs_ctx *alone;
    uint32_t set_uid, set_gid;  // ~0u: unchanged
    uint32_t personality_clear; // bits of the caller's that it does not keep
};
// `args` is taken over in any case. On error everything is given back; errno as execve(2).
int exec_load(struct task *t, const struct vfs_ctx *ctx, const struct path *base, const char *path,
              unsigned walk, struct exec_args *args, struct exec_image **out);
// After the flush of image->thread: stack, auxv, registers. The thread is then ready for plat_resume().
int exec_finish(struct task *t, struct exec_image *im);
// gives back what was not taken (taken pointers are set to NULL)
void exec_image_free(struct exec_image *im);

#endif
