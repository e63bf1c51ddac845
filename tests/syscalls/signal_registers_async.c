// SPDX-License-Identifier: Apache-2.0
// covers: rt_sigreturn, setitimer
// Registers survive signals that arrive at arbitrary instructions (man 7 signal).
#define GUEST_NO_WATCHDOG
#include "guest.h"

#include <sys/time.h>

static volatile int ticks;

static void tick(int signal)
{
    ticks++;
    __asm__ volatile("pxor %%xmm1, %%xmm1; pxor %%xmm8, %%xmm8" ::: "xmm1", "xmm8");
}

static void start(void)
{
    struct itimerval timer = {{0, 2000}, {0, 2000}};
    on_signal(SIGALRM, tick, SA_RESTART);
    ticks = 0;
    ASSERT_OK(setitimer(ITIMER_REAL, &timer, NULL));
}

static void stop(void)
{
    ASSERT_OK(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL));
}

TEST(integer_loop)
{
    start();
    unsigned long wrong = 0;
    while (ticks < 20) {
        unsigned long a = 0, b = 1, c = 2, d = 3;
        for (int i = 0; i < 10000; i++) {
            a += 1;
            b += 2;
            c ^= a;
            d = d * 3 + c;
            c ^= a;
        }
        wrong += a != 10000 || b != 20001 || c != 2;
    }
    stop();
    EXPECT_EQ(wrong, 0);
}

TEST(floating_point_loop)
{
    start();
    unsigned long wrong = 0;
    while (ticks < 20) {
        volatile double sum = 0;
        double x = 1.5, y = 0.25;
        for (int i = 0; i < 10000; i++)
            sum = sum + x * y;
        wrong += sum != 3750.0;
    }
    stop();
    EXPECT_EQ(wrong, 0);
}

TEST(system_calls_between)
{
    start();
    int fds[2], wrong = 0;
    ASSERT_OK(pipe(fds));
    while (ticks < 20) {
        char c = 'x';
        wrong += write(fds[1], &c, 1) != 1;
        wrong += read(fds[0], &c, 1) != 1;
    }
    stop();
    EXPECT_EQ(wrong, 0);
    close(fds[0]);
    close(fds[1]);
}

TEST(red_zone)
{
    start();
    unsigned long wrong = 0;
    while (ticks < 20) {
        unsigned long value = 0x1234567890;
        __asm__ volatile("mov %1, -64(%%rsp)\n mov $5000, %%ecx\n 1: dec %%ecx\n jnz 1b\n mov -64(%%rsp), %0"
                         : "=r"(value)
                         : "r"(value)
                         : "ecx", "memory");
        wrong += value != 0x1234567890;
    }
    stop();
    EXPECT_EQ(wrong, 0);
}
