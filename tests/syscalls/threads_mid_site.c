// SPDX-License-Identifier: Apache-2.0
// covers: read, getppid
// A call site becomes hot while another thread stands in the middle of it, between two of its instructions:
// it was interrupted there, and goes on there later, whatever has been made of the site meanwhile.
#include "guest.h"
#include <ucontext.h>

#define TF  0x100
#define HOT 3000

// Sites as glibc's read(2) and Go's runtime have them; sys(a, b, c, nr): the instructions before each
// syscall.
__asm__(
    ".text\n"
    "read_site: sub $0x28,%rsp\n mov %rdx,0x18(%rsp)\n mov %rsi,0x10(%rsp)\n"
    " mov %edi,0x8(%rsp)\n mov $1,%eax\n"
    " mov 0x18(%rsp),%rdx\n mov 0x10(%rsp),%rsi\n"
    "read_1: mov %eax,%r8d\n read_2: mov 0x8(%rsp),%edi\n read_3: xor %eax,%eax\n read_4: syscall\n"
    " add $0x28,%rsp\n ret\n"
    "go_site: push %rbx\n mov %rcx,%rax\n mov %rdi,%rbx\n mov %rsi,%rcx\n mov %rdx,%rdi\n"
    "go_0: mov %rsi,%r10\n go_1: mov %rdi,%rdx\n go_2: mov %rcx,%rsi\n go_3: mov %rbx,%rdi\n go_4: syscall\n"
    " pop %rbx\n ret\n"
    "imm_site: mov $110,%eax\n imm_1: syscall\n ret\n");
typedef long site(long a, long b, long c, long nr);
extern site read_site, go_site, imm_site;
extern const char read_1[], read_2[], read_3[], read_4[], go_0[], go_1[], go_2[], go_3[], go_4[], imm_1[];

static const char *_Atomic place;  // where the other thread is to stand
static _Atomic int stands, go_on, file;
static site *under_test;
static long number, expected;

static void trap(int sig, siginfo_t *si, void *context) {
    ucontext_t *c = context;
    if ((const char *)c->uc_mcontext.gregs[REG_RIP] != place)
        return;
    c->uc_mcontext.gregs[REG_EFL] &= ~TF;
    stands = 1;
    while (!go_on)
        usleep(1000);
}

static long call(void) {
    char b[8];
    lseek(file, 0, SEEK_SET);
    return under_test(file, (long)b, sizeof b, number);
}

static void *stand(void *arg) {
    char b[8];
    lseek(file, 0, SEEK_SET);
    __asm__ volatile("sub $128,%%rsp; pushf; orl $0x100,(%%rsp); popf; add $128,%%rsp" ::: "memory", "cc");
    long r = under_test(file, (long)b, sizeof b, number);
    return (void *)r;
}

static void stand_at(const char *at) {
    pthread_t t;
    void *r;
    place = at;
    stands = go_on = 0;
    EXPECT_EQ(pthread_create(&t, NULL, stand, NULL), 0);
    while (!stands)
        usleep(1000);
    for (int i = 0; i < HOT; i++)
        if (call() != expected)
            EXPECT_EQ(i, -1);
    lseek(file, 0, SEEK_SET);
    go_on = 1;
    EXPECT_EQ(pthread_join(t, &r), 0);
    EXPECT_EQ((long)r, expected);
}

static void try_site(site *s, long nr, long want, const char *const *places) {
    struct sigaction sa = {.sa_sigaction = trap, .sa_flags = SA_SIGINFO};
    EXPECT_OK(sigaction(SIGTRAP, &sa, NULL));
    file = memfd_create("eight", 0);
    EXPECT_EQ(write(file, "12345678", 8), 8);
    under_test = s;
    number = nr;
    expected = want;
    // In a process of its own each, where the site is cold.
    for (; *places; places++) {
        pid_t pid = fork_child();
        if (pid == 0) {
            stand_at(*places);
            child_done();
        }
        EXPECT_EQ(wait_exit(pid), 0);
    }
    close(file);
}

TEST(in_a_read) { try_site(read_site, 0, 8, (const char *const[]){read_1, read_2, read_3, read_4, NULL}); }
TEST(in_a_go_call) {
    try_site(go_site, SYS_getppid, getpid(), (const char *const[]){go_0, go_1, go_2, go_3, go_4, NULL});
}
TEST(in_a_call_with_its_number) {
    try_site(imm_site, SYS_getppid, getpid(), (const char *const[]){imm_1, NULL});
}
