// SPDX-License-Identifier: Apache-2.0
// System time of processes: what the sentry's own threads spend on their calls. It is sampled, as Linux does
// where it counts by ticks: a worker measures one handler in SYSTIME_EVERY, which stands for those before it,
// but never for more than the worker itself has used since its last sample. So the sum is no more than what
// was spent, and a call costs a decrement.
// LIMIT: what the gofer and the event thread do for a process is nobody's time; what the host does in a stub
// is user time.
#ifndef SENTRY_TIME_SYSTIME_H
#define SENTRY_TIME_SYSTIME_H
#include <stdatomic.h>
#include <stdint.h>

#define SYSTIME_EVERY 256

struct tgroup;

extern _Thread_local unsigned systime_left;  // this worker's calls until the next that is measured
uint64_t systime_sample(void);
void systime_charge(struct tgroup *g, uint64_t began);

// Around a handler: what begin() returns goes to end(), with the process, which is still there.
static inline uint64_t systime_begin(void) { return systime_left-- ? 0 : systime_sample(); }
static inline void systime_end(struct tgroup *g, uint64_t began) {
    if (began)
        systime_charge(g, began);
}

#endif
