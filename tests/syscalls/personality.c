// SPDX-License-Identifier: Apache-2.0
// covers: personality
// Asking does not change; the value is kept and inherited (man 2 personality).
#include "guest.h"

#include <sys/personality.h>

TEST(asking)
{
    IN_CHILD {
        int now = EXPECT_OK(personality(0xffffffff));
        EXPECT_EQ(personality(0xffffffff), now);
        EXPECT_EQ(now & 0xff, PER_LINUX);
        EXPECT_EQ(personality(PER_LINUX | ADDR_NO_RANDOMIZE), now);
        EXPECT_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
        IN_CHILD {
            EXPECT_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
        }
    }
}
