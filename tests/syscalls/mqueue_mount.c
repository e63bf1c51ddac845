// SPDX-License-Identifier: Apache-2.0
// covers: mount, mq_open, mq_unlink
// The message queue file system (man 7 mq_overview).
#include "guest.h"

#include <dirent.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/mount.h>

static void own_ipc(void) {
    if (geteuid() != 0)
        SKIP("needs CAP_SYS_ADMIN");
    if (unshare(CLONE_NEWNS | CLONE_NEWIPC) == -1 && errno == EPERM)
        SKIP("needs CAP_SYS_ADMIN");
    umask(022);
    ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    mkdir("mq", 0755);
    ASSERT_OK(mount("none", "mq", "mqueue", 0, NULL));
}
static int names(void) {
    DIR *d = opendir("mq");
    int n = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

TEST(shows_queues) {
    in_tmpdir();
    IN_CHILD {
        own_ipc();
        struct stat st;
        char text[128] = {0};
        EXPECT_OK(stat("mq", &st));
        EXPECT_EQ(st.st_mode, S_IFDIR | 01777);
        EXPECT_EQ(names(), 0);
        EXPECT_ERRNO(stat("mq/one", &st), ENOENT);
        mqd_t q = mq_open("/one", O_CREAT | O_RDWR, 0640, NULL);
        ASSERT_TRUE(q != (mqd_t)-1);
        EXPECT_EQ(names(), 1);
        EXPECT_OK(stat("mq/one", &st));
        EXPECT_EQ(st.st_mode, S_IFREG | 0640);
        EXPECT_EQ(st.st_size, 80);
        EXPECT_OK(mq_send(q, "hello", 5, 1));
        EXPECT_GE(get_file("mq/one", text, sizeof text - 1), 20);
        EXPECT_TRUE(!strncmp(text, "QSIZE:5 ", 8));
        EXPECT_TRUE(strstr(text, "NOTIFY:0 ") && strstr(text, "SIGNO:0 ") && strstr(text, "NOTIFY_PID:0"));
        EXPECT_OK(unlink("mq/one"));
        EXPECT_ERRNO(stat("mq/one", &st), ENOENT);
        EXPECT_ERRNO(mq_open("/one", O_RDWR), ENOENT);
        EXPECT_OK(mq_send(q, "more", 4, 1));  // it lives on without a name
        mq_close(q);
        EXPECT_EQ(names(), 0);
    }
}

TEST(names_by_both_ways) {
    in_tmpdir();
    IN_CHILD {
        own_ipc();
        EXPECT_ERRNO(unlink("mq/two"), ENOENT);  // a name that is known to be missing
        mqd_t q = mq_open("/two", O_CREAT | O_RDWR, 0600, NULL);
        ASSERT_TRUE(q != (mqd_t)-1);
        EXPECT_OK(unlink("mq/two"));
        mq_close(q);
        int fd = ASSERT_OK(open("mq/three", O_CREAT | O_RDWR, 0666));
        struct mq_attr a;
        EXPECT_OK(mq_getattr(fd, &a));
        EXPECT_EQ(a.mq_maxmsg, 10);
        EXPECT_OK(mq_send(fd, "x", 1, 0));
        close(fd);
        EXPECT_ERRNO(open("mq/three", O_CREAT | O_EXCL | O_RDWR, 0666), EEXIST);
        EXPECT_OK(chmod("mq/three", 0400));
        struct stat st;
        EXPECT_OK(stat("mq/three", &st));
        EXPECT_EQ(st.st_mode & 07777, 0400);
        EXPECT_OK(mq_unlink("/three"));
        EXPECT_ERRNO(access("mq/three", F_OK), ENOENT);
        EXPECT_ERRNO(mkdir("mq/d", 0755), EPERM);
        EXPECT_ERRNO(rename("mq", "mq2"), EBUSY);
    }
}

TEST(of_its_namespace) {
    in_tmpdir();
    IN_CHILD {
        own_ipc();
        mqd_t q = mq_open("/mine", O_CREAT | O_RDWR, 0600, NULL);
        ASSERT_TRUE(q != (mqd_t)-1);
        EXPECT_EQ(names(), 1);
        pid_t pid = fork();
        if (pid == 0) {
            unshare(CLONE_NEWIPC);
            bool other = names() == 1 && mq_open("/mine", O_RDWR) == (mqd_t)-1;  // the mount is the old one's
            mkdir("mq2", 0755);
            other = other && mount("none", "mq2", "mqueue", 0, NULL) == 0 && access("mq2/mine", F_OK) == -1;
            _exit(!other);
        }
        EXPECT_EQ(wait_exit(pid), 0);
        mq_close(q);
    }
}
