// SPDX-License-Identifier: Apache-2.0
// The line discipline of a terminal, N_TTY of Linux (man 3 termios, drivers/tty/n_tty.c): what becomes of
// bytes on their way from the terminal's far end to those who read it, and of what is written on its way out.
// A state machine over buffers: it knows no files, waits for nobody, and has no lock (its owner's is held).
// What others are to be told it collects in `events`.
#ifndef FS_TTY_LDISC_H
#define FS_TTY_LDISC_H
#include "abi/ioctl.h"
#include "fs/tty/ring.h"
#include <stddef.h>

#define LDISC_SIZE 4096u  // the longest line with its end; one byte less without lines
#define LDISC_OUT  8192u  // bytes on their way out
#define LDISC_ECHO 1024u  // echoes that wait for room there, or for the output; the oldest are forgotten
#define LDISC_ARRIVED 4095u  // of what is on its way out, so much has arrived: no flush takes it back

// What has happened, for the owner to tell and to clear.
#define LD_INTR        1u  // to be signalled to the foreground: SIGINT, SIGQUIT, SIGTSTP
#define LD_QUIT        2u
#define LD_SUSP        4u
#define LD_SIGNALS     (LD_INTR | LD_QUIT | LD_SUSP)
#define LD_INPUT       8u   // there may be something to read
#define LD_OUTPUT      16u  // something has gone out
#define LD_STOPPED     32u  // flow control: the output stands, or goes on
#define LD_STARTED     64u
#define LD_FLUSH_READ  128u
#define LD_FLUSH_WRITE 256u

struct ldisc {
    struct linux_termios2 t;
    // Input. Positions count up, and wrap at LDISC_SIZE when used: tail <= canon <= head.
    uint32_t head, canon, tail;  // next free, end of the last whole line, next to be read
    uint8_t buf[LDISC_SIZE];
    uint64_t ends[LDISC_SIZE / 64];  // bytes that end a line; a NUL among them is an end of file
    bool lnext, erasing;             // after VLNEXT; within an erasure that ECHOPRT shows
    // Output.
    struct tty_ring out, echo;
    uint32_t column, canon_column;  // of the cursor; where the line that is being typed began
    bool stopped, held;             // the output stands; because of TCOOFF, so that keys do not start it
    uint32_t events;                // LD_*
};

bool ldisc_init(struct ldisc *ld);  // false: no memory
void ldisc_destroy(struct ldisc *ld);
// From the far end: how many of the n bytes were taken. The rest waits until somebody has read.
size_t ldisc_receive(struct ldisc *ld, const uint8_t *p, size_t n);
// What is written: how many of the n bytes went out.
size_t ldisc_write(struct ldisc *ld, const uint8_t *p, size_t n);
void ldisc_flush_echo(struct ldisc *ld);  // there is room again

static inline bool ldisc_lines(const struct ldisc *ld) {
    return (ld->t.c_lflag & (LINUX_ICANON | LINUX_EXTPROC)) == LINUX_ICANON;
}
// Bytes that can be read: of whole lines, or all; FIONREAD (without the marks of ends of file); whether
// poll(2) says so.
uint32_t ldisc_available(const struct ldisc *ld);
uint32_t ldisc_inq(const struct ldisc *ld);
bool ldisc_readable(const struct ldisc *ld);
// The next bytes for a read of `want`, as pieces: how many, and in *take what they make up in the buffer
// (more, when an end of file goes with them). One line at most. ldisc_take() consumes.
uint32_t ldisc_peek(const struct ldisc *ld, size_t want, struct iovec v[2], uint32_t *take);
void ldisc_take(struct ldisc *ld, uint32_t n);

void ldisc_set_termios(struct ldisc *ld, const struct linux_termios2 *t);
void ldisc_flush_input(struct ldisc *ld);
void ldisc_flush_output(struct ldisc *ld);
// The output stands or goes on: by a key, or held and let go by tcflow(3).
void ldisc_stop(struct ldisc *ld);
void ldisc_start(struct ldisc *ld);

// ---- Inside (ldisc_out.c, ldisc_in.c) ---------------------------------------------------------------------
static inline bool ld_iflag(const struct ldisc *ld, uint32_t f) { return ld->t.c_iflag & f; }
static inline bool ld_oflag(const struct ldisc *ld, uint32_t f) { return ld->t.c_oflag & f; }
static inline bool ld_lflag(const struct ldisc *ld, uint32_t f) { return ld->t.c_lflag & f; }
// Letters are Latin-1's, as the kernel's ctype has them.
static inline bool ld_is_cntrl(uint8_t c) { return c < 32 || c == 127; }
static inline bool ld_is_lower(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= 0xdf && c != 0xf7); }
static inline bool ld_is_upper(uint8_t c) {
    return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7);
}
static inline bool ld_is_word(uint8_t c) {
    return ld_is_lower(c) || ld_is_upper(c) || (c >= '0' && c <= '9') || c == '_';
}
// A byte within a UTF-8 character: takes no column, and is erased with the one that leads it.
static inline bool ld_is_continuation(const struct ldisc *ld, uint8_t c) {
    return ld_iflag(ld, LINUX_IUTF8) && (c & 0xc0) == 0x80;
}
static inline uint8_t ld_byte(const struct ldisc *ld, uint32_t at) { return ld->buf[at % LDISC_SIZE]; }
static inline bool ld_ends(const struct ldisc *ld, uint32_t at) {
    return ld->ends[at % LDISC_SIZE / 64] >> (at % 64) & 1;
}
void echo_plain(struct ldisc *ld, uint8_t c);  // through output processing, when that is on
void echo_char(struct ldisc *ld, uint8_t c);   // a control character as ^X, with ECHOCTL
void echo_back(struct ldisc *ld, unsigned columns);

#endif
