// SPDX-License-Identifier: Apache-2.0
// covers: execve
// exec from any thread ends the others and takes the pid of the group (man 2 execve).
#include "guest.h"

ROLE(check)
{
    guest.current = "in_the_new_program";
    char text[64];
    EXPECT_EQ(getpid(), atoi(argv[2]));
    EXPECT_EQ(gettid(), getpid());
    int count = 0;
    DIR *dir = opendir("/proc/self/task");
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    EXPECT_EQ(count, 1);
    EXPECT_TRUE(get_file("/proc/self/comm", text, sizeof(text)) > 0);
    return atomic_load(&guest.failures);
}

static void *run_program(void *unused)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", getpid());
    execl(guest.exe, guest.exe, "check", text, NULL);
    _exit(99);
}

static void *sleep_forever(void *unused)
{
    for (;;)
        pause();
    return NULL;
}

static void *busy(void *unused)
{
    for (volatile int i = 0;; i++)
        ;
    return NULL;
}

TEST(from_a_second_thread)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, sleep_forever, NULL);
        pthread_create(&thread, NULL, run_program, NULL);
        sleep_forever(NULL);
    }
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(from_the_main_thread)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, sleep_forever, NULL);
        pthread_create(&thread, NULL, busy, NULL);
        run_program(NULL);
    }
    EXPECT_EQ(wait_exit(pid), 0);
}
