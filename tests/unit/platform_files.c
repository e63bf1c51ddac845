// SPDX-License-Identifier: Apache-2.0
// Maps of files: what the guest's handler makes at once goes on only if it is what was decided, and which
// file lies in the stub is known.
#include "abi/mman.h"
#include "base/fdcharge.h"
#include "platform/seccomp/sc.h"
#include "tests/unit/platform_guest.h"
#include <sys/syscall.h>

#define AT 0x40000000ull
#define FIXED (LINUX_MAP_PRIVATE | LINUX_MAP_FIXED)

// mmap as its registers say, and then what it has returned, by another call; for ever.
GUEST(mapper, "1: mov $9, %eax; mov %r12, %rdi; mov %r13, %rsi; mov %r14, %rdx; mov %rbx, %r10; syscall; "
              "mov %rax, %rdi; mov $1, %eax; syscall; jmp 1b");

// Two pages, which begin with `first` and `second`.
static int file_with(const char first[4], const char second[4]) {
    int fd = memfd_create("of-pages", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 8192), 0);
    assert_int_equal(pwrite(fd, first, 4, 0), 4);
    assert_int_equal(pwrite(fd, second, 4, 4096), 4);
    assert_int_equal(fdcharge_take(fd), 0);
    return fd;
}

static void start_mapper(struct guest *g, void **state, uint64_t flags) {
    guest_start_with(g, *state, GUEST_AT(mapper),
                     (struct lx_regs){.rbx = flags, .r12 = AT, .r13 = 4096, .r14 = 1, .r8 = 5});
}

static void wait_map(struct guest *g, uint64_t flags) {
    const uint64_t want[6] = {AT, 4096, 1, flags, 5, 0};
    wait_call(g, SYS_mmap);
    assert_memory_equal(g->ev.call.args, want, sizeof want);
}

static void map_and_answer(struct guest *g, int fd, uint64_t offset, int64_t value) {
    assert_int_equal(plat_map(g->t, uaddr(AT), 4096, LINUX_PROT_READ, PLAT_NORESERVE, fd, offset), 0);
    plat_answer(g->t, value);
    wait_call(g, 1);
    assert_int_equal(g->ev.call.args[0], value);
}

static void next_one(struct guest *g) {
    plat_answer(g->t, 0);
    wait_map(g, FIXED);
}

static void is_mapped(struct guest *g, const char want[4]) {
    char text[4];
    assert_int_equal(plat_copy_in(g->as, text, uaddr(AT), 4), 4);
    assert_memory_equal(text, want, 4);
}

static void test_file_maps(void **state) {
    struct guest g;
    char c;
    int a = file_with("aaaa", "AAAA"), b = file_with("bbbb", "BBBB");
    start_mapper(&g, state, FIXED);
    wait_map(&g, FIXED);
    map_and_answer(&g, a, 0, AT);  // as it stands
    is_mapped(&g, "aaaa");
    next_one(&g);
    map_and_answer(&g, b, 0, AT);  // another file
    is_mapped(&g, "bbbb");
    next_one(&g);
    map_and_answer(&g, b, 0, AT);  // the same
    is_mapped(&g, "bbbb");
    next_one(&g);
    map_and_answer(&g, b, 4096, AT);  // another offset than was asked for
    is_mapped(&g, "BBBB");
    next_one(&g);
    map_and_answer(&g, -1, 0, AT);  // no file
    is_mapped(&g, "\0\0\0\0");
    next_one(&g);
    map_and_answer(&g, a, 0, AT);
    is_mapped(&g, "aaaa");
    next_one(&g);
    plat_answer(g.t, -13);  // refused
    wait_call(&g, 1);
    assert_int_equal((int64_t)g.ev.call.args[0], -13);
    is_mapped(&g, "aaaa");
    next_one(&g);
    assert_int_equal(plat_unmap(g.t, uaddr(AT), 4096), 0);  // something else
    plat_answer(g.t, 0);
    wait_call(&g, 1);
    assert_int_not_equal(plat_copy_in(g.as, &c, uaddr(AT), 1), 1);
    guest_end(&g);
    fdcharge_close(a);
    fdcharge_close(b);
}

// A number that is another file's now: the name is not.
static void test_number_again(void **state) {
    struct guest g;
    int a = file_with("aaaa", "AAAA"), number = a;
    start_mapper(&g, state, FIXED);
    wait_map(&g, FIXED);
    assert_int_equal(plat_map(g.t, uaddr(AT), 4096, LINUX_PROT_READ, PLAT_NORESERVE, a, 0), 0);
    fdcharge_close(a);
    int b = file_with("bbbb", "BBBB");
    assert_int_equal(b, number);
    assert_int_equal(plat_map(g.t, uaddr(AT + 4096), 4096, LINUX_PROT_READ, PLAT_NORESERVE, b, 0), 0);
    plat_answer(g.t, AT);
    wait_call(&g, 1);
    is_mapped(&g, "aaaa");
    char text[4];
    assert_int_equal(plat_copy_in(g.as, text, uaddr(AT + 4096), 4), 4);
    assert_memory_equal(text, "bbbb", 4);
    guest_end(&g);
    fdcharge_close(b);
}

// The first map without a wish is made where we were told that there will be room.
static void test_first_place(void **state) {
    const uint64_t top = 0x7000000000, flags = LINUX_MAP_PRIVATE | LINUX_MAP_ANONYMOUS;
    struct guest g;
    guest_start_with(&g, *state, GUEST_AT(mapper),
                     (struct lx_regs){.rbx = flags, .r13 = 4096, .r14 = 3, .r8 = ~0ull});
    plat_place_below(g.t, uaddr(top));
    wait_call(&g, SYS_mmap);
    bool seccomp = strcmp(plat_name(*state), "seccomp") == 0;
    assert_int_equal(g.ev.call.proposal, seccomp ? top - 4096 : 0);
    assert_int_equal(plat_map(g.t, uaddr(top - 4096), 4096, 3, PLAT_NORESERVE, -1, 0), 0);
    plat_answer(g.t, (int64_t)top - 4096);
    wait_call(&g, 1);
    assert_int_equal(g.ev.call.args[0], top - 4096);
    guest_end(&g);
}

static struct fdcharge_who nobody(void) { return (struct fdcharge_who){1000, false}; }

int main(void) {
    const struct CMUnitTest tests[] = {
        platform_test(test_file_maps),
        platform_test(test_number_again),
        platform_test(test_first_place),
    };
    alarm(550);
    if (fdcharge_init(100, nobody))
        return 1;
    return run_backends_afresh("platform files", tests, sizeof tests / sizeof *tests);
}
