// SPDX-License-Identifier: Apache-2.0
// Delivery: the table of restarts, frames built and returned from, hostile frames, stops, default actions.
// Guest programs that cover the rest: tests/syscalls/sig*.c.
#include "tests/unit/signal_fixture.h"

void posix_timer_taken(struct sigentry *e, struct linux_siginfo *info) {}

#define HANDLER 0x402000ull
#define ALT     (GUEST_BASE + 0x1000)

static struct task *const t = &tasks[0];

static int64_t deliver(void) { return signal_deliver(t, &fake.regs); }

static struct linux_rt_sigframe frame_at(uint64_t sp) {
    struct linux_rt_sigframe f;
    assert_int_equal(copy_in(t, &f, uaddr(sp), sizeof f), 0);
    return f;
}

static void put_frame(uint64_t sp, const struct linux_rt_sigframe *f) {
    assert_int_equal(copy_out(t, uaddr(sp), f, sizeof *f), 0);
}

// What the handler's `ret` to the restorer and the call there do.
static int64_t sigreturn(void) {
    fake.regs.rsp += 8;
    return sys_rt_sigreturn(t, NULL);
}

static void restart_table(void **state) {
    const struct {
        int64_t word;
        enum restart_how none, plain, sa_restart;
    } rows[] = {
        {-LINUX_ERESTARTSYS, RESTART_SAME, RESTART_EINTR, RESTART_SAME},
        {-LINUX_ERESTARTNOINTR, RESTART_SAME, RESTART_SAME, RESTART_SAME},
        {-LINUX_ERESTARTNOHAND, RESTART_SAME, RESTART_EINTR, RESTART_EINTR},
        {-LINUX_ERESTART_RESTARTBLOCK, RESTART_BLOCK, RESTART_EINTR, RESTART_EINTR},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(restart_decide(rows[i].word, false, false), rows[i].none);
        assert_int_equal(restart_decide(rows[i].word, true, false), rows[i].plain);
        assert_int_equal(restart_decide(rows[i].word, true, true), rows[i].sa_restart);
    }
}

static void without_a_signal_the_call_is_made_again(void **state) {
    t->restart = -LINUX_ERESTARTSYS;
    t->restart_nr = 7;
    assert_int_equal(deliver(), 0);
    assert_int_equal(fake.regs.rax, 7);
    assert_int_equal(fake.regs.rip, 0x401000 - 2);
    assert_int_equal(t->restart, 0);
    t->restart = -LINUX_ERESTART_RESTARTBLOCK;
    assert_int_equal(deliver(), 0);
    assert_int_equal(fake.regs.rax, 219);
    assert_int_equal(fake.regs.rip, 0x401000 - 4);
}

static void a_handler_makes_it_eintr(void **state) {
    set_handler(LINUX_SIGUSR1, HANDLER, 0, 0);
    t->restart = -LINUX_ERESTARTSYS;
    signal_send_task(t, LINUX_SIGUSR1, NULL);
    assert_int_equal(deliver(), 0);
    struct linux_rt_sigframe f = frame_at(fake.regs.rsp);
    assert_int_equal((int64_t)f.uc.uc_mcontext.rax, -LINUX_EINTR);
    assert_int_equal(f.uc.uc_mcontext.rip, 0x401000);
}

static void a_frame_and_back(void **state) {
    struct linux_fpstate *fx = (struct linux_fpstate *)fake.fp;
    fx->mxcsr = 0x1fa0;
    ((struct linux_xstate *)fake.fp)->header.xfeatures = 7;
    fake.fp[FP_SIZE - 1] = 0x5a;
    fake.regs.rbx = 0x1234;
    fake.regs.eflags |= LINUX_EFLAGS_DF | LINUX_EFLAGS_TF;
    const struct lx_regs before = fake.regs;
    unsigned char fp_before[FP_SIZE];
    memcpy(fp_before, fake.fp, FP_SIZE);
    t->blocked = SIGBIT(LINUX_SIGHUP);
    set_handler(LINUX_SIGUSR1, HANDLER, LINUX_SA_SIGINFO, SIGBIT(LINUX_SIGINT));
    struct linux_siginfo info = info_with(LINUX_SI_QUEUE, 77);
    signal_send_task(t, LINUX_SIGUSR1, &info);
    assert_int_equal(deliver(), 0);

    uint64_t sp = fake.regs.rsp;
    assert_int_equal(sp % 16, 8);
    assert_true(sp + sizeof(struct linux_rt_sigframe) + FP_SIZE + 4 <= before.rsp - LINUX_REDZONE_SIZE);
    assert_int_equal(fake.regs.rip, HANDLER);
    assert_int_equal(fake.regs.rdi, LINUX_SIGUSR1);
    assert_int_equal(fake.regs.rsi, sp + offsetof(struct linux_rt_sigframe, info));
    assert_int_equal(fake.regs.rdx, sp + offsetof(struct linux_rt_sigframe, uc));
    assert_int_equal(fake.regs.eflags & (LINUX_EFLAGS_DF | LINUX_EFLAGS_TF), 0);
    assert_int_equal(t->blocked, SIGBIT(LINUX_SIGHUP) | SIGBIT(LINUX_SIGINT) | SIGBIT(LINUX_SIGUSR1));
    assert_int_equal(fx->mxcsr, LINUX_MXCSR_INIT);

    struct linux_rt_sigframe f = frame_at(sp);
    assert_int_equal(f.pretcode, 0x7000);
    assert_int_equal(f.info.si_int, 77);
    assert_int_equal(f.uc.uc_flags, LINUX_UC_FP_XSTATE | LINUX_UC_SIGCONTEXT_SS | LINUX_UC_STRICT_RESTORE_SS);
    assert_int_equal(f.uc.uc_sigmask, SIGBIT(LINUX_SIGHUP));
    assert_int_equal(f.uc.uc_mcontext.cs, 0x33);
    assert_int_equal(f.uc.uc_mcontext.fpstate % 64, 0);
    struct linux_fpstate saved;
    uint32_t magic2;
    copy_in(t, &saved, uaddr(f.uc.uc_mcontext.fpstate), sizeof saved);
    copy_in(t, &magic2, uaddr(f.uc.uc_mcontext.fpstate + FP_SIZE), sizeof magic2);
    assert_int_equal(saved.sw_reserved.magic1, LINUX_FP_XSTATE_MAGIC1);
    assert_int_equal(saved.sw_reserved.xstate_size, FP_SIZE);
    assert_int_equal(magic2, LINUX_FP_XSTATE_MAGIC2);

    assert_int_equal(sigreturn(), SYS_RESUME);
    assert_int_equal(fake.regs.rsp, before.rsp);
    assert_int_equal(fake.regs.rip, before.rip);
    assert_int_equal(fake.regs.rbx, 0x1234);
    assert_int_equal(fake.regs.eflags, before.eflags);
    assert_int_equal(t->blocked, SIGBIT(LINUX_SIGHUP));
    assert_memory_equal(fake.fp, fp_before, FP_SIZE);
}

static void several_at_once_stack_up(void **state) {
    set_handler(LINUX_SIGUSR1, HANDLER, 0, 0);
    set_handler(LINUX_SIGUSR2, HANDLER + 0x100, 0, 0);
    signal_send_task(t, LINUX_SIGUSR2, NULL);
    signal_send_task(t, LINUX_SIGUSR1, NULL);
    assert_int_equal(deliver(), 0);
    assert_int_equal(fake.regs.rip, HANDLER + 0x100);  // the last taken runs first
    assert_int_equal(sigreturn(), SYS_RESUME);
    assert_int_equal(fake.regs.rip, HANDLER);
    assert_int_equal(t->blocked, SIGBIT(LINUX_SIGUSR1));
    assert_int_equal(sigreturn(), SYS_RESUME);
    assert_int_equal(fake.regs.rip, 0x401000);
    assert_int_equal(t->blocked, 0);
}

static void flags_of_actions(void **state) {
    set_handler(LINUX_SIGUSR1, HANDLER, LINUX_SA_RESETHAND | LINUX_SA_NODEFER, 0);
    signal_send_task(t, LINUX_SIGUSR1, NULL);
    assert_int_equal(deliver(), 0);
    assert_int_equal(fake.regs.rip, HANDLER);
    assert_int_equal(t->blocked, 0);
    assert_int_equal(group.sighand->action[LINUX_SIGUSR1 - 1].sa_handler, LINUX_SIG_DFL);
}

static void the_alternate_stack(void **state) {
    t->altstack =
        (struct linux_stack){.ss_sp = ALT, .ss_size = 8192, .ss_flags = (int32_t)LINUX_SS_AUTODISARM};
    set_handler(LINUX_SIGUSR1, HANDLER, LINUX_SA_ONSTACK, 0);
    signal_send_task(t, LINUX_SIGUSR1, NULL);
    assert_int_equal(deliver(), 0);
    assert_true(fake.regs.rsp > ALT && fake.regs.rsp < ALT + 8192);
    assert_int_equal(t->altstack.ss_flags, LINUX_SS_DISABLE);  // disarmed
    assert_int_equal(sigreturn(), SYS_RESUME);
    assert_int_equal(t->altstack.ss_sp, ALT);
    assert_int_equal((uint32_t)t->altstack.ss_flags, LINUX_SS_AUTODISARM);
}

static void an_alternate_stack_that_overflows(void **state) {
    t->altstack = (struct linux_stack){.ss_sp = ALT, .ss_size = 2048};
    set_handler(LINUX_SIGUSR1, HANDLER, LINUX_SA_ONSTACK, 0);
    fake.regs.rsp = ALT + 600;  // running on it already
    signal_send_task(t, LINUX_SIGUSR1, NULL);
    assert_int_equal(deliver(), SYS_GONE);
    assert_int_equal(fake.exit_status, LINUX_SIGSEGV);
}

static void no_restorer_is_a_fault(void **state) {
    set_handler(LINUX_SIGUSR1, HANDLER, 0, 0);
    group.sighand->action[LINUX_SIGUSR1 - 1].sa_flags = 0;
    signal_send_task(t, LINUX_SIGUSR1, NULL);
    assert_int_equal(deliver(), SYS_GONE);
    assert_int_equal(fake.exit_status, LINUX_SIGSEGV);
}

static void a_bad_stack_is_sigsegv_on_the_other(void **state) {
    t->altstack = (struct linux_stack){.ss_sp = ALT, .ss_size = 8192};
    set_handler(LINUX_SIGUSR1, HANDLER, 0, 0);
    set_handler(LINUX_SIGSEGV, HANDLER + 0x200, LINUX_SA_ONSTACK, 0);
    fake.regs.rsp = 0x10;
    signal_send_task(t, LINUX_SIGUSR1, NULL);
    assert_int_equal(deliver(), 0);
    assert_int_equal(fake.regs.rip, HANDLER + 0x200);
    assert_int_equal(frame_at(fake.regs.rsp).info.si_code, LINUX_SI_KERNEL);
    // And when SIGSEGV itself has nowhere to go, that is the end.
    set_handler(LINUX_SIGSEGV, HANDLER, 0, 0);
    fake.regs.rsp = 0x10;
    signal_send_task(t, LINUX_SIGSEGV, NULL);
    signal_set_mask(t, 0);
    assert_int_equal(deliver(), SYS_GONE);
}

static void sigsuspends_mask(void **state) {
    set_handler(LINUX_SIGUSR1, HANDLER, 0, 0);
    t->blocked = SIGBIT(LINUX_SIGUSR1);
    signal_tmp_mask_begin(t, 0);
    signal_send_task(t, LINUX_SIGUSR1, NULL);
    t->restart = -LINUX_ERESTARTNOHAND;
    assert_int_equal(deliver(), 0);
    assert_int_equal(frame_at(fake.regs.rsp).uc.uc_sigmask, SIGBIT(LINUX_SIGUSR1));
    assert_int_equal(sigreturn(), SYS_RESUME);
    assert_int_equal(t->blocked, SIGBIT(LINUX_SIGUSR1));
    // Without a handler it is put back at once, and the call is made again.
    signal_tmp_mask_begin(t, 0);
    t->restart = -LINUX_ERESTARTNOHAND;
    assert_int_equal(deliver(), 0);
    assert_int_equal(t->blocked, SIGBIT(LINUX_SIGUSR1));
    assert_false(t->restore_mask);
}

// ---- Hostile frames ---------------------------------------------------------------------------------------
static struct linux_rt_sigframe forged(uint64_t *sp) {
    set_handler(LINUX_SIGUSR1, HANDLER, 0, 0);
    signal_send_task(t, LINUX_SIGUSR1, NULL);
    assert_int_equal(deliver(), 0);
    *sp = fake.regs.rsp;
    return frame_at(*sp);
}

static void expect_fault(void) {
    assert_int_equal(sigreturn(), SYS_RESUME);
    assert_true(t->pending->set & SIGBIT(LINUX_SIGSEGV));
    assert_true(task_interrupted(t));
}

static void A09_forged_flags_and_segments(void **state) {
    uint64_t sp;
    struct linux_rt_sigframe f = forged(&sp);
    f.uc.uc_mcontext.eflags = ~0ull;
    f.uc.uc_mcontext.cs = 0x23;
    f.uc.uc_mcontext.ss = 0;
    f.uc.uc_sigmask = ~0ull;
    put_frame(sp, &f);
    assert_int_equal(sigreturn(), SYS_RESUME);
    assert_int_equal(fake.regs.eflags & (LINUX_EFLAGS_IOPL | LINUX_EFLAGS_NT), 0);
    assert_int_equal(fake.regs.eflags >> 17 & 1, 0);  // VM
    assert_int_equal(fake.regs.cs, 0);                // never taken from the frame
    assert_int_equal(t->blocked, ~SIGSET_UNBLOCKABLE);
}

static void A09_forged_rip(void **state) {
    uint64_t sp;
    struct linux_rt_sigframe f = forged(&sp);
    f.uc.uc_mcontext.rip = 0x8000000000000000ull;
    put_frame(sp, &f);
    expect_fault();
}

static void A09_forged_fp(void **state) {
    const struct {
        size_t at;
        uint64_t value;
        bool fault;
    } rows[] = {
        {512 + 8, 1ull << 63, true},   // compacted
        {512, 1ull << 9, true},        // a state that is not enabled
        {464, 0, false},               // no magic1: legacy state alone
        {464 + 16, 0xffffffff, false}, // a size beyond ours: legacy state alone
        {FP_SIZE, 0, false},           // no magic2
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t sp;
        struct linux_rt_sigframe f = forged(&sp);
        uint64_t features = 0xffff;
        copy_out(t, uaddr(f.uc.uc_mcontext.fpstate + 464 + 8), &features, sizeof features);
        copy_out(t, uaddr(f.uc.uc_mcontext.fpstate + rows[i].at), &rows[i].value, i < 2 ? 8 : 4);
        if (rows[i].fault) {
            expect_fault();
            struct linux_siginfo info;
            signal_take(t, ~0ull, &info);
            t->blocked = 0;
        } else {
            assert_int_equal(sigreturn(), SYS_RESUME);
            assert_int_equal(t->pending->set, 0);
            assert_int_equal(((struct linux_xstate *)fake.fp)->header.xfeatures, 3);
        }
        fake.regs.rsp = GUEST_BASE + GUEST_SIZE - 64;
    }
}

// Sizes that agree with each other but not with the machine: nothing beyond our own buffer is ever read into
// it.
static void A09_fp_sizes(void **state) {
    const uint32_t sizes[] = {FP_SIZE + 64, 0x10000, 0xffffffff, 0, 511, 575};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct linux_fpstate fx = {0};
        uint64_t sp;
        struct linux_rt_sigframe f = forged(&sp);
        fx.sw_reserved.magic1 = LINUX_FP_XSTATE_MAGIC1;
        fx.sw_reserved.extended_size = 0xffffffff;
        fx.sw_reserved.xstate_size = sizes[i];
        assert_false(fpframe_extended(&fx, FP_SIZE));
        copy_out(t, uaddr(f.uc.uc_mcontext.fpstate + 464), &fx.sw_reserved, sizeof fx.sw_reserved);
        assert_int_equal(sigreturn(), SYS_RESUME);
        assert_int_equal(t->pending->set, 0);
        assert_int_equal(((struct linux_xstate *)fake.fp)->header.xfeatures, 3);
        fake.regs.rsp = GUEST_BASE + GUEST_SIZE - 64;
    }
}

static void A09_fp_out_of_place(void **state) {
    uint64_t sp;
    struct linux_rt_sigframe f = forged(&sp);
    f.uc.uc_mcontext.fpstate += 8;
    put_frame(sp, &f);
    expect_fault();
    f.uc.uc_mcontext.fpstate = GUEST_BASE + GUEST_SIZE - 64;
    put_frame(sp, &f);
    fake.regs.rsp = sp;
    expect_fault();
    f.uc.uc_mcontext.fpstate = 0;  // allowed: the initial state
    put_frame(sp, &f);
    fake.regs.rsp = sp;
    assert_int_equal(sigreturn(), SYS_RESUME);
    assert_int_equal(((struct linux_fpstate *)fake.fp)->cwd, LINUX_FCW_INIT);
}

static void A09_no_frame_at_all(void **state) {
    fake.regs.rsp = 0x1000;
    expect_fault();
}

// ---- Default actions and stops ----------------------------------------------------------------------------
static void default_actions(void **state) {
    signal_send_task(t, LINUX_SIGURG, NULL);
    assert_int_equal(deliver(), 0);
    signal_send_task(t, LINUX_SIGTERM, NULL);
    assert_int_equal(deliver(), SYS_GONE);
    assert_int_equal(fake.exit_status, LINUX_SIGTERM);
    assert_ptr_equal(fake.died, t);
}

static void a_fault_that_is_blocked_kills(void **state) {
    set_handler(LINUX_SIGSEGV, HANDLER, 0, 0);
    t->blocked = SIGBIT(LINUX_SIGSEGV);
    struct linux_siginfo info = {.si_signo = LINUX_SIGSEGV, .si_code = LINUX_SEGV_MAPERR};
    signal_force(t, LINUX_SIGSEGV, &info);
    assert_int_equal(deliver(), SYS_GONE);
    assert_int_equal(fake.exit_status, LINUX_SIGSEGV);
}

static void the_whole_group_stops_and_goes_on(void **state) {
    signal_send_group(&group, LINUX_SIGSTOP, NULL);
    assert_int_equal(signal_deliver(&tasks[0], &fake.regs), SYS_PARK);
    assert_false(group.stopped);
    assert_int_equal(fake.parent_sig, 0);
    assert_int_equal(signal_deliver(&tasks[1], &fake.regs), SYS_PARK);
    assert_int_equal(signal_deliver(&tasks[1], &fake.regs), SYS_PARK);  // woken for nothing: counted once
    assert_false(group.stopped);
    assert_int_equal(signal_deliver(&tasks[2], &fake.regs), SYS_PARK);
    assert_true(group.stopped);
    assert_int_equal(group.stop_sig, LINUX_SIGSTOP);
    assert_int_equal(fake.parent_sig, LINUX_SIGCHLD);
    assert_int_equal(fake.parent_code, LINUX_CLD_STOPPED);
    fake.nnotified = 0;
    signal_send_group(&group, LINUX_SIGCONT, NULL);
    assert_int_equal(fake.nnotified, NTASKS);
    assert_int_equal(signal_deliver(&tasks[1], &fake.regs), 0);
    assert_false(group.stopped);
    assert_true(group.continued);
    assert_int_equal(fake.parent_code, LINUX_CLD_CONTINUED);
    assert_false(task_interrupted(&tasks[1]));
}

static void a_thread_that_ends_does_not_hold_up_the_stop(void **state) {
    signal_send_group(&group, LINUX_SIGSTOP, NULL);
    assert_int_equal(signal_deliver(&tasks[0], &fake.regs), SYS_PARK);
    assert_int_equal(signal_deliver(&tasks[1], &fake.regs), SYS_PARK);
    LOCKED(&kern.tasks_lock);
    list_del(&tasks[2].tg_link);
    signal_rehome(&group);
    assert_true(group.stopped);
}

static void terminal_stops_of_orphans_are_ignored(void **state) {
    fake.orphaned = true;
    signal_send_group(&group, LINUX_SIGTSTP, NULL);
    assert_int_equal(deliver(), 0);
    assert_false(group.stop.on);
    group.sighand->action[LINUX_SIGCHLD - 1].sa_flags = 0;
    parent_group.sighand->action[LINUX_SIGCHLD - 1].sa_flags = LINUX_SA_NOCLDSTOP;
    fake.parent_sig = -1;
    signal_send_group(&group, LINUX_SIGSTOP, NULL);
    for (int i = 0; i < NTASKS; i++)
        assert_int_equal(signal_deliver(&tasks[i], &fake.regs), SYS_PARK);
    assert_int_equal(fake.parent_sig, 0);  // told only through wait4
}

static void sigcont_undoes_a_stop_that_was_just_taken(void **state) {
    uint32_t then = group.stop.continues;
    signal_send_group(&group, LINUX_SIGCONT, NULL);
    stop_begin(t, LINUX_SIGSTOP, then);
    assert_false(group.stop.on);
}

static void death_ends_a_stop(void **state) {
    signal_send_group(&group, LINUX_SIGSTOP, NULL);
    assert_int_equal(deliver(), SYS_PARK);
    signal_send_group(&group, LINUX_SIGKILL, NULL);
    assert_int_equal(deliver(), SYS_GONE);
    assert_int_equal(fake.died_status, LINUX_SIGKILL);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(restart_table),
        T(without_a_signal_the_call_is_made_again),
        T(a_handler_makes_it_eintr),
        T(a_frame_and_back),
        T(several_at_once_stack_up),
        T(flags_of_actions),
        T(the_alternate_stack),
        T(an_alternate_stack_that_overflows),
        T(no_restorer_is_a_fault),
        T(a_bad_stack_is_sigsegv_on_the_other),
        T(sigsuspends_mask),
        T(A09_forged_flags_and_segments),
        T(A09_forged_rip),
        T(A09_forged_fp),
        T(A09_fp_sizes),
        T(A09_fp_out_of_place),
        T(A09_no_frame_at_all),
        T(default_actions),
        T(a_fault_that_is_blocked_kills),
        T(the_whole_group_stops_and_goes_on),
        T(a_thread_that_ends_does_not_hold_up_the_stop),
        T(terminal_stops_of_orphans_are_ignored),
        T(sigcont_undoes_a_stop_that_was_just_taken),
        T(death_ends_a_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
