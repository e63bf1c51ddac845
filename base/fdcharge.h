// SPDX-License-Identifier: Apache-2.0
// Descriptors of this process that guests cause: RLIMIT_NOFILE bounds them for all guests together, so each
// is charged to a user, as Linux charges what is bounded for the whole system to a user_struct. One user has
// a share, all ordinary users together leave some to administrators, and what only makes things faster
// (descriptors kept for the next open) is bounded apart. Any thread, any time; its lock is the last of all.
//
//   one ordinary user   5/8    all ordinary users   6/8    with administrators   7/8    kept for speed   1/8
#ifndef BASE_FDCHARGE_H
#define BASE_FDCHARGE_H
#include <stdbool.h>
#include <stdint.h>

struct fdcharge_who {
    uint32_t uid;  // real user id
    bool admin;    // may use what ordinary users have to leave
};
// limit: how many descriptors there are for guests. who: for whom the calling thread works now. Called once,
// before the first guest; without it nothing is counted. 0, or -LINUX_ENOMEM.
int fdcharge_init(uint32_t limit, struct fdcharge_who (*who)(void));

// Charges fd (kept open by the caller in any case) to whom the thread works for, or to nobody. -LINUX_ENFILE:
// there are none left for that one. A charge that fd had before is given back first.
int fdcharge_take(int fd);
int fdcharge_take_spare(int fd);
// Names the open descriptor as long as its charge lasts, like no other before or after it; 0: it has none.
uint64_t fdcharge_id(int fd);
void fdcharge_give(int fd);   // fd has no charge any more
void fdcharge_close(int fd);  // gives back and closes
uint32_t fdcharge_of(uint32_t uid);  // how many a user has, for tests

#endif
