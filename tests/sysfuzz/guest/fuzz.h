// SPDX-License-Identifier: Apache-2.0
// The guest of the system call fuzzer: what its files share. One supervisor (main.c) makes generations of
// workers (worker.c); each worker is a process with a few threads that make calls: any row of
// abi/syscalls.def with arguments of the right kinds (calls.c, values.c), and shapes, which are short
// sequences that lead deep into one part (shapes_*.c). Everything random comes from the seed; what is not
// reproducible is how threads and processes interleave.
#ifndef SYSFUZZ_FUZZ_H
#define SYSFUZZ_FUZZ_H
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE        4096ul
#define PRIVATE_AT  0x100000000ul  // the arenas: all pointers that are given to calls lie in one of them
#define SHARED_AT   0x200000000ul  // shared by all processes of a generation
#define CONTROL_AT  0x300000000ul
#define SLOTS       8u  // threads of a process that have pages of their own
#define SLOT_PAGES  4u
#define STABLE      (SLOTS * SLOT_PAGES)  // these pages are always there ...
#define ARENA_PAGES 64u  // ... those behind them are mapped, unmapped and protected all the time
#define FD_LIMIT    64u
#define PIDS        32u

struct control {  // one page, shared by all; workers may damage it, so nothing that ends the run depends on
                  // it
    _Atomic uint64_t calls;
    _Atomic int forks;  // how many more a generation may make
    _Atomic uint32_t npids;
    _Atomic int32_t pids[PIDS];  // some processes and threads of the generation
};
#define control ((struct control *)CONTROL_AT)

struct thread {
    uint64_t rng;
    unsigned slot;
    bool armed;  // `out` is set: a fault goes on with the next call
    sigjmp_buf out;
};
extern _Thread_local struct thread me;
extern bool is_root;      // as the supervisor is
extern uint64_t stop_at;  // monotonic ns: workers end by themselves
extern const char *self_path;

// ---- Chance ----
static inline uint64_t rnd(void) {  // xorshift64*
    uint64_t x = me.rng;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    me.rng = x;
    return x * 0x2545f4914f6cdd1dull;
}
static inline unsigned below(unsigned n) { return (unsigned)((rnd() >> 32) % n); }
static inline bool one_in(unsigned n) { return below(n) == 0; }
#define pick(array) ((array)[below(sizeof(array) / sizeof((array)[0]))])
uint64_t mix(uint64_t a, uint64_t b);
uint64_t now_ns(void);

// ---- Values (values.c) ----
int any_fd(void);
int any_pid(void);  // of the generation, or none; never the supervisor
int any_signal(void);
uint64_t any_int(void);
uint64_t any_size(void);
const char *any_path(void);                                         // in the arena
void *room(size_t len);                                             // memory for an argument: mostly good
void *any_pointer(void);                                            // good or bad
void fill(const char *type, size_t len, void *at, unsigned count);  // values of a type of abi/syscalls.def
uint64_t flags_of(const char *set, size_t len, bool one);
struct timespec *short_time(void);  // up to 30 ms, in the arena; sometimes NULL: for ever
uint64_t *any_sigset(void);

// ---- Calls (calls.c) ----
void calls_init(void);
void any_call(void);
#define call(...) syscall(__VA_ARGS__)

// ---- Processes and threads (worker.c) ----
void worker(uint64_t seed, unsigned life_ms, bool drop);
void some_calls(unsigned n);  // in a child: a few calls
void thread_start(void);
void remember_pid(int pid);
bool may_fork(void);

struct shape {
    void (*run)(void);
    unsigned weight;
};
extern const struct shape file_shapes[], wait_shapes[], process_shapes[], memory_shapes[], ipc_shapes[],
    socket_shapes[], inet_shapes[], ptrace_shapes[], tty_shapes[], uring_shapes[];
void any_shape(void);

#endif
