// SPDX-License-Identifier: Apache-2.0
// What the gofer does to itself before it serves, so that code planted in it by a hostile sentry finds
// little.
#ifndef GOFER_CAGE_H
#define GOFER_CAGE_H
#include "gofer/server.h"

// All steps, in order, on the calling process; for good. `sock` is the connection's descriptor, the only one
// that may be sent to or received from. 0 or negative errno. Roots and /proc/self/fd are already open in s.
int gofer_cage(const struct gofer_server *s, int sock);

// Steps of it, for tests.
int cage_close_others(const struct gofer_server *s, int sock);
int cage_landlock(const struct gofer_server *s);  // 0 also where the host has none
int cage_capabilities(bool writable);
int cage_filter(int sock, bool writable);

#endif
