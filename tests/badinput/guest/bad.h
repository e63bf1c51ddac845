// SPDX-License-Identifier: Apache-2.0
// The guest of the bad-input test: what its files share. From each served row of abi/syscalls.def come cases:
// the call with fair arguments, and with one or two of them bad (values.c). Each case is made by a child of
// its own, so that none sees what another has done, and gives a line `CALL ARG=VALUE ...: ERRNO`. The same
// program runs natively, as the oracle, and inside; run_badinput.py compares line by line.
#ifndef BADINPUT_BAD_H
#define BADINPUT_BAD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE     4096ul
#define MAX_ARGS 6
#define MAX_BAD  192  // values for one argument

struct arg {        // one argument as the table has it
    char kind[32];  // fd, size, in, out, flags ...
    char type[32];  // in brackets: what memory holds, or the name of a set
    char name[32];
    uint64_t good;
};

struct value {
    char text[40];
    uint64_t value;
    bool paired;  // stands for its kind where two arguments are bad at once
};

struct call {
    unsigned nr;
    const char *name;
    unsigned nargs;
    struct arg args[MAX_ARGS];
};

// The objects that cases work on: made once by the parent, seen by all children. Addresses and numbers are
// fixed, so that both runs use the same.
enum object {
    FILE_RW = 40,
    FILE_R,
    FILE_W,
    DIRECTORY,
    PATH_ONLY,
    PIPE_R,
    PIPE_W,
    STREAM,
    STREAM_PEER,
    EVENTFD,
    EPOLL,
    TIMERFD,
    SIGNALFD,
    INOTIFY,
    MEMFD,
    PIDFD,
    DGRAM,
    LISTENER,
    MQUEUE,
    PTY,
    OBJECTS_END
};
void memory_make(void);                     // both end the program when something is missing
void objects_make(const char *place_name);  // the descriptors and files, anew, in a folder of this name
uint64_t good_memory(const char *type, unsigned index);  // of the index-th argument, holding something fair
extern const char *const object_names[];                 // by object - FILE_RW

// The call as the table describes it, with a fair value for each argument. False: it is left out; *why says
// why.
bool call_describe(unsigned nr, struct call *call, const char **why);

// The bad values for an argument; returns how many.
unsigned bad_values(const struct call *call, const struct arg *arg, struct value *values);
#endif
