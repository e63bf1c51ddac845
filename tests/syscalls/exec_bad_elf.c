// SPDX-License-Identifier: Apache-2.0
// covers: execve
// Truncated, foreign and damaged ELF files are refused with ENOEXEC and harm nobody (man 2 execve, man 5
// elf).
#include "guest.h"

#include <elf.h>

// Writes a copy of the first `size` bytes of this program, after a change.
static int exec_changed(void (*change)(Elf64_Ehdr *, char *), size_t size)
{
    static char image[1 << 20];
    memset(image, 0, sizeof(image));
    int fd = ASSERT_OK(open(guest.exe, O_RDONLY));
    ASSERT_TRUE(read(fd, image, sizeof(image)) > 4096);
    close(fd);
    if (change)
        change((Elf64_Ehdr *)image, image);
    fd = ASSERT_OK(open("program", O_WRONLY | O_CREAT | O_TRUNC, 0755));
    ASSERT_EQ(write(fd, image, size), size);
    close(fd);
    pid_t pid = fork_child();
    if (pid == 0) {
        execl("./program", "x", NULL);
        _exit(errno);
    }
    return wait_exit(pid);
}

static void wrong_class(Elf64_Ehdr *header, char *image)
{
    header->e_ident[EI_CLASS] = 9;
}

static void wrong_machine(Elf64_Ehdr *header, char *image)
{
    header->e_machine = EM_S390;
}

static void wrong_type(Elf64_Ehdr *header, char *image)
{
    header->e_type = ET_CORE;
}

static void no_headers(Elf64_Ehdr *header, char *image)
{
    header->e_phnum = 0;
}

static void wrong_header_size(Elf64_Ehdr *header, char *image)
{
    header->e_phentsize = 8;
}

static void headers_beyond_the_end(Elf64_Ehdr *header, char *image)
{
    header->e_phoff = 1UL << 40;
}

static void relative_interpreter(Elf64_Ehdr *header, char *image)
{
    Elf64_Phdr *headers = (Elf64_Phdr *)(image + header->e_phoff);
    for (int i = 0; i < header->e_phnum; i++) {
        if (headers[i].p_type == PT_INTERP)
            strcpy(image + headers[i].p_offset, "/none");
    }
}

TEST(header_fields)
{
    in_tmpdir();
    EXPECT_EQ(exec_changed(wrong_machine, 8192), ENOEXEC);
    EXPECT_EQ(exec_changed(wrong_type, 8192), ENOEXEC);
    EXPECT_EQ(exec_changed(no_headers, 8192), ENOEXEC);
    EXPECT_EQ(exec_changed(wrong_header_size, 8192), ENOEXEC);
}

TEST(truncated)
{
    in_tmpdir();
    EXPECT_EQ(exec_changed(NULL, 20), ENOEXEC);
    int result = exec_changed(NULL, 100);
    EXPECT_TRUE(result == ENOEXEC || result == EIO);
    result = exec_changed(headers_beyond_the_end, 8192);
    EXPECT_TRUE(result == ENOEXEC || result == EIO);
}

TEST(wrong_class_does_not_run)
{
    in_tmpdir();
    EXPECT_TRUE(exec_changed(wrong_class, 8192) != 0);
}

TEST(missing_interpreter)
{
    in_tmpdir();
    EXPECT_EQ(exec_changed(relative_interpreter, 8192), ENOENT);
}
