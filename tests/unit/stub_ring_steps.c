// SPDX-License-Identifier: Apache-2.0
// The ring's code of the stub (platform/stub/blob/), interrupted at each of its instructions, for each thing
// that the sentry may do with the call meanwhile. A child has the blob and one slot, runs it step by step
// under ptrace, and gets the interrupt's signal before one of the steps; we are the sentry and its poller.
// However it comes, the call is made once, its value and bytes arrive, no register or flag is changed but
// what the instruction changes, and the interrupt is told of once, at the call's instruction or behind it.
#include "platform/platform.h"
#include "platform/stub/layout.h"
#include "platform/stub/spawn.h"
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
// after those
#include <cmocka.h>

#define VALUE     0x1234
#define SRC       "eight by"
#define OUT       600
#define MAP_LEN   8192ull
#define PLACE_TOP 0x20000000ull

// A patched site, as a thunk leads from it to the ring's code.
extern const char site_code[], site_call[], site_ret[];
__asm__(".pushsection .text\n site_code: lea site_ret(%rip), %rcx\n jmp *%r11\n"
        "site_call: syscall\n site_ret: nop\n int3\n .popsection");

// What the poller does with the call: answers; does not come; comes so late that the thread goes for its
// value by itself; has it come; refuses the call.
enum policy { ANSWERS, NOBODY, LATE, DEFERS, REFUSES };
struct scenario {
    uint64_t nr;
    enum policy policy;
    unsigned along;  // so many bytes come with the call
    unsigned out;    // so many bytes come with the answer ...
    bool nowhere;    // ... and there is no place for them
    bool polled;
    bool fails;  // the host refuses a map that the ring's code makes itself
    bool hole;   // the place that is unmapped was made shorter before
};

struct shared {
    char text[STUB_SLOT_SIZE], slot[STUB_SLOT_SIZE];
    char src[STUB_PAGE], dst[STUB_PAGE], none[STUB_PAGE];
};
static struct shared *mem;
static struct stub_slot *slot;
static struct stub_ring *ring;
static pid_t pid;

struct run {
    struct scenario s;
    uint64_t args[6];
    unsigned at;    // the interrupt comes before this step
    unsigned late;  // steps until the poller does what comes next
    unsigned steps, waits;
    bool sent, told, again;  // the interrupt; to be sent once more
    bool hurried;
    bool taken, answered;  // the call in the ring; its value waits there
    unsigned made;
    uint64_t value;
    const ucontext_t *frame;  // of the handler that runs, or NULL
    struct user_regs_struct r;
};

static uint64_t at_blob(uint32_t offset) { return (uint64_t)mem->text + offset; }

// ---- The sentry -------------------------------------------------------------------------------------------

static void expect_bytes(const struct run *x) {
    for (unsigned i = 0; i < x->s.out && !x->s.nowhere; i++)
        assert_int_equal(mem->dst[i], (char)(i * 7 + 1));
}

// May a signal be sent to it now? Not while its call is taken, as the sentry holds it then.
static bool runs(const struct run *x) { return !x->taken || x->answered; }

static void take(struct run *x) {
    assert_int_equal(ring->nr, x->s.nr);
    assert_memory_equal(ring->args, x->args, sizeof x->args);
    assert_int_equal(ring->str_len, x->s.along);
    assert_memory_equal(ring->str, mem->src + (x->s.nr == SYS_open ? 8 : 0), x->s.along);
    x->taken = true;
    ring->state = STUB_RING_TAKEN;
}

static void answer(struct run *x) {
    x->answered = true;
    x->made++;
    ring->out_addr = (uint64_t)(x->s.nowhere ? mem->none : mem->dst);
    ring->out_len = x->s.out;
    ring->value = VALUE;
    ring->state = STUB_RING_DONE;
}

// It has turned often enough. Only when it has just posted its call.
static void wait_no_more(struct run *x) {
    if (!x->hurried)
        x->r.rcx = 1;
    x->hurried = true;
}

// Before each step of the thread's.
static void poll_ring(struct run *x) {
    bool under_way = x->sent && !x->told;
    if (ring->state == STUB_RING_REQ && x->s.policy == REFUSES && !under_way)
        ring->state = STUB_RING_REFUSED;
    else if (ring->state == STUB_RING_REQ && (x->s.policy == NOBODY || under_way))
        wait_no_more(x);
    else if (ring->state == STUB_RING_REQ)
        take(x);
    if (x->s.policy == LATE && ring->state == STUB_RING_TAKEN && !x->waits)
        wait_no_more(x);
    if (ring->state == STUB_RING_TAKEN && x->waits++ == x->late) {
        if (x->s.policy == DEFERS)
            ring->state = STUB_RING_DEFERRED;
        else
            answer(x);
    }
}

static void copy_out(struct run *x) {
    if (!x->s.nowhere)
        memcpy(mem->dst, ring->out, x->s.out);
    x->value = x->s.nowhere && x->s.out ? (uint64_t)-14 : VALUE;
}

// It comes for its value (STUB_RING_WAIT).
static void arrive(struct run *x) {
    assert_true(x->taken);
    if (!x->answered)
        answer(x);
    copy_out(x);
    x->taken = x->answered = false;
    x->again = x->sent && !x->told;
    ring->state = STUB_RING_FREE;
}

static bool is_failure(uint64_t nr) { return nr == STUB_RING_FAIL + ENOMEM; }

static void call_at_site(struct run *x) {
    if (x->r.rax == STUB_RING_WAIT) {
        arrive(x);
    } else if (is_failure(x->r.rax)) {
        assert_true(x->s.fails && x->made == 1);
        x->value = (uint64_t)-ENOMEM;
    } else {
        assert_int_equal(x->r.rax, x->s.nr);
        assert_false(x->taken);
        x->value = VALUE;
        x->made++;
        copy_out(x);
    }
    x->r.rax = x->value;
}

// The frame says where the guest is interrupted.
static void interrupted(struct run *x) {
    greg_t *g = (greg_t *)(uintptr_t)x->frame->uc_mcontext.gregs;
    assert_false(x->told);
    x->told = true;
    if ((uint64_t)g[REG_RIP] == (uint64_t)site_ret) {
        assert_int_equal(x->made, 1);
        assert_int_equal(g[REG_RAX], x->value);
        expect_bytes(x);
        return;
    }
    assert_in_range(g[REG_RIP], (uint64_t)site_code, (uint64_t)site_call);
    if (is_failure((uint64_t)g[REG_RAX]))
        return;
    if ((uint64_t)g[REG_RAX] != STUB_RING_WAIT) {
        assert_int_equal(g[REG_RAX], x->s.nr);
        assert_int_equal(x->made, 0);
        return;
    }
    arrive(x);  // its value is given to it there (interrupted_on_its_way() of dispatch.c)
    x->again = false;
    g[REG_RAX] = (greg_t)x->value;
    g[REG_RIP] = (greg_t)(uintptr_t)site_ret;
}

// ---- Steps ------------------------------------------------------------------------------------------------

// A map that the ring's code proposes.
static void host_map(struct run *x) {
    const struct user_regs_struct *r = &x->r;
    const uint64_t call[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
    const uint64_t want[6] = {PLACE_TOP - MAP_LEN, MAP_LEN, 3, STUB_PLACE_FLAGS, ~0x22ull, STUB_PLACE_RING};
    assert_memory_equal(call, want, sizeof want);
    x->made++;
    x->value = x->s.fails ? (uint64_t)-ENOMEM : r->rdi;
    x->r.rax = x->value;
}

static void event(struct run *x) {
    if (x->r.rax == SYS_mmap && !x->frame) {
        host_map(x);
        return;
    }
    assert_int_equal(STUB_EV_KIND(x->r.rax), STUB_EV_INTR);
    assert_true(x->sent && x->frame);
    interrupted(x);
    x->r.rax = STUB_GO;
}

// The call's instruction, or the gate's, is ours to carry out.
static bool emulated(struct run *x) {
    if (x->r.rip == (uint64_t)site_call)
        call_at_site(x);
    else if (x->r.rip == at_blob(stub_header()->gate))
        event(x);
    else
        return false;
    x->r.rip += 2;
    x->r.rcx = x->r.rip;
    x->r.r11 = x->r.eflags;
    return true;
}

// What the last step has raised goes on to the handler.
static int step(struct run *x, int signal) {
    int status;
    bool returns = x->r.rip == at_blob(stub_header()->sigreturn);
    bool on = x->frame && !returns;  // the handler: on to its next system call, which is not made
    assert_int_equal(ptrace(PTRACE_SETREGS, pid, NULL, &x->r), 0);
    assert_int_equal(ptrace(on ? PTRACE_SYSEMU : PTRACE_SINGLESTEP, pid, NULL, (void *)(intptr_t)signal), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &x->r), 0);
    if (returns &&
        x->r.rip != at_blob(stub_header()->sigreturn))  // (a call that was not made ends by a stop)
        x->frame = NULL;
    if (on) {
        x->r.rip -= 2;
        x->r.rax = x->r.orig_rax;
        x->r.orig_rax = ~0ull;
    }
    if (x->r.rip == at_blob(stub_header()->handler))
        x->frame = (const ucontext_t *)x->r.rdx;
    return WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
}

// The handler has all signals blocked.
static bool is_due(const struct run *x) {
    return !x->frame && (x->again || (!x->sent && x->steps == x->at && runs(x)));
}

// The middle of a copy by a string instruction, each byte of which is a step.
static void copy_quickly(struct run *x) {
    if (x->frame || x->s.nowhere || x->r.rcx < 4 || memcmp((const void *)x->r.rip, "\xf3\xa4", 2) != 0)
        return;
    memcpy((void *)x->r.rdi, (const void *)x->r.rsi, x->r.rcx - 2);
    x->r.rdi += x->r.rcx - 2;
    x->r.rsi += x->r.rcx - 2;
    x->r.rcx = 2;
}

static void set_args(struct run *x) {
    const uint64_t map[6] = {0, MAP_LEN, 3, 0x22, ~0ull, 0};
    // an empty path, and no descriptor
    const uint64_t other[6] = {(uint64_t)mem->src + 8, (uint64_t)mem->src, 8, 44, 55, 66};
    memcpy(x->args, x->s.nr == SYS_mmap ? map : other, sizeof map);
    if (x->s.nr == SYS_epoll_ctl)
        x->args[3] = (uint64_t)mem->src;
    slot->scratch.alone = 1;
    slot->place_low = PLACE_TOP / 2;
    slot->place_at = slot->place_top = PLACE_TOP;
    ring->room = x->s.polled ? MAP_LEN : 0;
    ring->top = ring->heap_low = ring->heap_high = other[0];
    if (x->s.hole) {
        ring->top = 0;
        slot->place_at = other[0];
        slot->hole_at = other[0] + other[1];
        slot->hole_end = PLACE_TOP;
    }
}

static void start(struct run *x) {
    memset(mem->slot, 0, STUB_SLOT_SIZE);
    memset(mem->dst, 0, sizeof mem->dst);
    slot->scratch.on = STUB_RING_ON;
    for (unsigned i = 0; i < x->s.out; i++)
        ring->out[i] = (char)(i * 7 + 1);
    ring->polled = x->s.polled;
    set_args(x);
    x->value = x->s.nowhere && x->s.out ? (uint64_t)-14 : VALUE;
    assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &x->r), 0);
    x->r.rip = (uint64_t)site_code;
    x->r.rax = x->s.nr;
    x->r.r11 = at_blob(stub_header()->ring);
    x->r.rdi = x->args[0];
    x->r.rsi = x->args[1];
    x->r.rdx = x->args[2];
    x->r.r10 = x->args[3];
    x->r.r8 = x->args[4];
    x->r.r9 = x->args[5];
    x->r.gs_base = (uint64_t)slot;
    x->r.orig_rax = ~0ull;
    x->r.eflags |= 0x8d5;
}

static void run(struct run *x) {
    struct user_regs_struct before;
    int signal = 0;
    start(x);
    before = x->r;
    while (x->r.rip != (uint64_t)site_ret || x->again || signal) {
        bool due = is_due(x) && !signal;
        if (due) {
            x->sent = true;
            x->again = false;
        }
        if (!due && !signal && emulated(x))
            continue;
        poll_ring(x);
        copy_quickly(x);
        signal = step(x, due ? PLAT_INTR_SIGNAL : signal);
        if (x->steps++ > 5000)
            fail_msg("it does not come to an end");
    }
    assert_int_equal(x->made, 1);
    assert_int_equal(x->told, x->sent);
    assert_true(x->sent || !x->s.hole || slot->place_at == PLACE_TOP);
    assert_true(x->sent || !x->s.fails || x->value == (uint64_t)-ENOMEM);
    assert_int_equal(x->r.rax, x->value);
    expect_bytes(x);
    assert_int_equal(slot->scratch.missed, 0);
    assert_true(ring->state != STUB_RING_REQ && ring->state != STUB_RING_TAKEN);
    before.rip = x->r.rip;
    before.rax = x->r.rax;
    before.rcx = x->r.rcx;
    before.r11 = x->r.r11;
    before.orig_rax = x->r.orig_rax;
    x->r.eflags = (x->r.eflags & 0xcd5) | (before.eflags & ~0xcd5ull);
    assert_memory_equal(&x->r, &before, sizeof before);
}

// How often it was interrupted.
static unsigned run_all(struct scenario s, unsigned late) {
    unsigned sent = 0, steps = 1;
    for (unsigned at = 0; at < steps; at++) {
        struct run x = {.s = s, .at = at, .late = late};
        run(&x);
        sent += x.sent;
        steps = at ? steps : x.steps + 1;
        if (!x.sent && x.steps > steps)
            steps = x.steps;
    }
    return sent;
}

static void child(void) {
    const struct stub_header *h = stub_header();
    struct {
        uint64_t handler, flags, restorer, mask;
    } sa = {at_blob(h->handler), SA_SIGINFO | SA_ONSTACK | SA_RESTART | 0x04000000, at_blob(h->restorer),
            ~0ull};
    stack_t ss = {.ss_sp = mem->slot, .ss_size = STUB_SLOT_SIZE, .ss_flags = (int)(1u << 31)};
    const int handled[] = {SIGSEGV, SIGBUS, SIGILL, PLAT_INTR_SIGNAL};
    for (unsigned i = 0; i < sizeof handled / sizeof *handled; i++)
        syscall(SYS_rt_sigaction, handled[i], &sa, NULL, 8);
    syscall(SYS_sigaltstack, &ss, NULL);
    syscall(SYS_ptrace, PTRACE_TRACEME, 0, NULL, NULL);
    for (;;)
        syscall(SYS_tgkill, getpid(), getpid(), SIGSTOP);
}

static int set_up(void **state) {
    char *at =
        mmap(NULL, sizeof *mem + STUB_SLOT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cpu_set_t one;
    int status;
    if (at == MAP_FAILED)
        return -1;
    mem = (struct shared *)(((uint64_t)at + STUB_SLOT_SIZE - 1) & ~(STUB_SLOT_SIZE - 1));
    slot = (struct stub_slot *)mem->slot;
    ring = (struct stub_ring *)(mem->slot + STUB_RING_AT);
    memcpy(mem->text, stub_blob_start, (size_t)(stub_blob_end - stub_blob_start));
    ((struct stub_header *)mem->text)->fsgsbase = 1;
    memcpy(mem->src, SRC, 8);
    CPU_ZERO(&one);
    CPU_SET((unsigned)sched_getcpu(), &one);
    (void)sched_setaffinity(0, sizeof one, &one);  // they run in turn
    if ((pid = fork()) == 0) {
        mprotect(mem->text, STUB_SLOT_SIZE, PROT_READ | PROT_EXEC);
        mprotect(mem->none, STUB_PAGE, PROT_NONE);
        child();
    }
    return waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) ? 0 : -1;
}

static int tear_down(void **state) {
    kill(pid, SIGKILL);
    return waitpid(pid, NULL, 0) != pid;
}

// ---- Tests ------------------------------------------------------------------------------------------------

static const struct scenario calls[] = {
    {.nr = SYS_getppid},
    {.nr = SYS_mmap},
    {.nr = SYS_munmap},
    {.nr = SYS_munmap, .hole = true},
    {.nr = SYS_brk},
    {.nr = SYS_write, .along = 8},
    {.nr = SYS_open, .along = 1},
    {.nr = SYS_epoll_ctl, .along = 12},
    {.nr = SYS_read, .out = 9},
    {.nr = SYS_read, .out = OUT},
    {.nr = SYS_read, .out = OUT, .nowhere = true},
    {.nr = SYS_read, .out = 9, .nowhere = true},
};

static void for_calls(unsigned every, enum policy policy, bool polled, unsigned late) {
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i += every) {
        struct scenario s = calls[i];
        s.policy = policy;
        s.polled = polled;
        assert_in_range(run_all(s, late), 15, 1000);
    }
}

static void test_answered(void **state) {
    for_calls(1, ANSWERS, true, 0);
    for_calls(1, ANSWERS, true, 9);
}
static void test_nobody_comes(void **state) {
    for_calls(1, NOBODY, true, 0);
    for_calls(1, NOBODY, false, 0);
}
static void test_map_fails(void **state) {
    assert_in_range(run_all((struct scenario){.nr = SYS_mmap, .policy = NOBODY, .fails = true}, 0), 15, 1000);
}
static void test_answered_late(void **state) {
    for (unsigned late = 0; late < 24; late++)
        for_calls(late % 4 ? 12 : 5, LATE, true, late);
}
static void test_deferred(void **state) { for_calls(1, DEFERS, true, 3); }
static void test_refused(void **state) { for_calls(1, REFUSES, true, 0); }

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    static const struct CMUnitTest tests[] = {
        TEST(test_answered),      TEST(test_nobody_comes), TEST(test_map_fails),
        TEST(test_answered_late), TEST(test_deferred),     TEST(test_refused),
    };
    if (!(getauxval(AT_HWCAP2) & 2)) {
        print_message("skipped: the ring needs fsgsbase\n");
        return 77;
    }
    return cmocka_run_group_tests_name("the ring's code, step by step", tests, NULL, NULL);
}
