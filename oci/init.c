// SPDX-License-Identifier: Apache-2.0
// See init.h. One thread, no locks; blocks all signals from its start and reads them from a signalfd. What
// comes from the sandbox is one message, which at worst makes us end. It keeps nothing of the caller's open:
// its stdio is /dev/null as soon as the sandbox has its own.
#include "oci/init.h"
#include "base/cleanup.h"
#include "base/hostprocess.h"
#include "base/log.h"
#include "oci/cgroup.h"
#include "oci/console.h"
#include "oci/control.h"
#include "oci/launch.h"
#include "oci/mountns.h"
#include "oci/net_start.h"
#include "oci/opt.h"
#include "oci/pod.h"
#include "oci/proctitle.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL_SIGNALS (~UINT64_C(0))
// us: the shim tells of both by ways of its own; the end must not overtake what it was for
#define OOM_FIRST   1000000
#define PATIENCE    9000  // ms that a command waits for its init

// The host call itself: the C library's leaves two real-time signals out.
static void set_mask(int how, uint64_t set) { syscall(SYS_rt_sigprocmask, how, &set, NULL, sizeof set); }

// ---- In the init ------------------------------------------------------------------------------------------
struct self {
    int word;      // to the command; -1: it has been told
    int go;        // from the command, until that has come to its end; -1: it has
    int control;   // the connection to the sandbox
    int signals;   // signalfd
    pid_t sentry, gofer;  // our children; 0: not ours (exec)
    bool ready;    // the program is loaded
    const struct config *config;  // of a container; NULL: exec's
    int host_mounts;              // to leave its mount namespace; -1: it has none
    bool told;     // ... and has ended:
    int status;    // its wait status; without word of it: by SIGKILL
    struct meter meter;   // fd -1: none
    struct rusage usage;  // of sentry and stubs, at the end
};

static void tell(struct self *s, const char *word) {
    if (s->word < 0)
        return;
    if (write(s->word, word, strlen(word)) < 0)
        log_debug("the command has gone: errno %d", errno);
    close(s->word);
    s->word = -1;
}

static void tell_error(struct self *s, const char *message) {
    char text[1024];
    snprintf(text, sizeof text, "E%s", message);
    tell(s, text);
}

static _Noreturn void give_up(struct self *s, const struct error *e) {
    tell_error(s, e->text);
    _exit(1);
}

static void begin(struct self *s, const char *title) {
    set_mask(SIG_SETMASK, ALL_SIGNALS);
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);  // what is ignored would not reach the signalfd
    prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    uint64_t set = ALL_SIGNALS;
    s->signals = (int)syscall(SYS_signalfd4, -1, &set, sizeof set, SFD_CLOEXEC | SFD_NONBLOCK);
    proctitle_set(title);
}

// Nothing of the caller's stays open in us.
static void drop_stdio(const struct sentry_process *p) {
    drop_fds(p->more_fds);
    int null cleanup_close = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++)
        if (null >= 0)
            dup2(null, fd);
}

static void hand_on(struct self *s) {
    struct signalfd_siginfo si;
    struct error unused;
    while (read(s->signals, &si, sizeof si) == (ssize_t)sizeof si) {
        if (si.ssi_signo == SIGCHLD || si.ssi_signo == SIGPIPE)
            continue;
        struct control_signal m = {.sig = si.ssi_signo,
                                   .flags = SIGNAL_MINE | SIGNAL_QUIET |
                                            (si.ssi_code == SI_KERNEL ? SIGNAL_TERMINAL : 0)};
        if (s->control >= 0 && !s->told)
            control_send(s->control, CONTROL_SIGNAL, &m, sizeof m, NULL, 0, &unused);
    }
}

static void take_cause(struct self *s, const struct control_end *m) {
    s->meter.ended = true;
    s->meter.end = (struct report_end){.kind = REPORT_END,
                                       .cause = m->cause < END_CAUSES_N ? m->cause : END_HOST,
                                       .memory_kills = m->memory_kills,
                                       .memory_peak = m->memory_peak};
}

// A message of the sandbox's; false: there will be none any more.
static bool take_message(struct self *s) {
    union {
        struct control_head head;
        struct control_end end;
        char room[sizeof(struct control_failed)];
    } m;
    ssize_t n = recv(s->control, &m, sizeof m, MSG_DONTWAIT | MSG_TRUNC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n < (ssize_t)sizeof m.head || n > (ssize_t)sizeof m || m.head.length != (uint32_t)n)
        return false;
    if (m.head.kind == CONTROL_READY && !s->ready) {
        s->ready = true;
        meter_protect(&s->meter, s->sentry);  // its stubs have been made from it before
        meter_protect(&s->meter, s->gofer);
        meter_protect(&s->meter, getpid());
        if (s->config)
            mountns_enter(s->config, s->sentry, &s->host_mounts);
        tell(s, "R");
    } else if (m.head.kind == CONTROL_END && n == (ssize_t)sizeof m.end && !s->told) {
        s->told = true;
        s->status = control_wait_status(m.end.wait_status);
        if (m.end.cause != END_NONE && s->meter.fd < 0)  // a pod's container: no report comes
            take_cause(s, &m.end);
    }
    return true;
}

// The command has something to say, or has gone: then nobody knows of this container.
static void take_go(struct self *s) {
    char byte;
    ssize_t n = read(s->go, &byte, 1);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n == 0)
        _exit(1);  // sentry and gofer go with us
    close(s->go);
    s->go = -1;
}

// Reaps the gofer, too, which may lie in the sentry's pid namespace: that cannot end before.
static bool sentry_gone(struct self *s) {
    struct rusage usage;
    pid_t pid;
    while ((pid = wait4(-1, NULL, WNOHANG, &usage)) > 0) {
        if (pid == s->sentry) {
            s->usage = usage;
            return true;
        }
    }
    return false;
}

// Until the sandbox (or, for exec, its connection) has ended.
static void serve(struct self *s) {
    for (;;) {
        struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN},
                               {.fd = s->control, .events = POLLIN},
                               {.fd = s->go, .events = POLLIN},
                               {.fd = s->meter.fd, .events = POLLIN}};
        if (poll(fds, 4, -1) < 0)
            continue;
        hand_on(s);
        if (fds[3].revents)
            meter_serve(&s->meter);
        if (fds[2].revents)
            take_go(s);
        if (fds[1].revents && !take_message(s)) {
            close(s->control);
            s->control = -1;
        }
        int status;
        bool gone = s->sentry ? sentry_gone(s) : s->control < 0 || s->told;
        if (!gone)
            continue;
        while (s->control >= 0 && !s->told && recv(s->control, &status, 1, MSG_DONTWAIT | MSG_PEEK) > 0 &&
               take_message(s))
            ;
        return;
    }
}

// As the program ended: so that our parent sees what it would see of it.
static _Noreturn void end_as(int status) {
    if (WIFEXITED(status))
        _exit(WEXITSTATUS(status));
    int sig = WTERMSIG(status);
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(sig, SIG_DFL);
    kill(getpid(), sig);
    set_mask(SIG_UNBLOCK, PROCESS_SIGBIT(sig));
    _exit(128 + sig);
}

// ---- A container's init -----------------------------------------------------------------------------------
// The last line of the log, without the name of the process: why the sandbox did not come up.
static void why_failed(const struct container *c, char *text, size_t size) {
    char buf[2048];
    int fd cleanup_close = openat(c->dir, "log", O_RDONLY | O_CLOEXEC);
    off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    ssize_t n = end < 0 ? -1 : pread(fd, buf, sizeof buf - 1, end > 2047 ? end - 2047 : 0);
    snprintf(text, size, "the sandbox did not come up");
    if (n <= 0)
        return;
    buf[n] = '\0';
    if (buf[n - 1] == '\n')
        buf[n - 1] = '\0';
    const char *line = strrchr(buf, '\n') ? strrchr(buf, '\n') + 1 : buf, *words = strstr(line, ": ");
    snprintf(text, size, "%.400s", words && !strncmp(line, "picket", 6) ? words + 2 : line);
    error_lower_last(text);
}

static int join_network(const struct config *config, struct error *e) {
    if (config->netns) {
        int fd cleanup_close = open(config->netns, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
            return error_errno(e, errno, "config.json: linux.namespaces: network: %s", config->netns);
    } else if (!config->host_network && unshare(CLONE_NEWNET) < 0) {
        log_debug("no network namespace: errno %d", errno);  // a user's: the sandbox has its own
    }
    return 0;
}

static void fill_config(const struct oci *o, const struct config *config,
                        const struct process_inherited *none, struct sentry_config *s) {
    *s = (struct sentry_config){
        .control_fd = -1,
        .stops_fd = -1,
        .inherited = none,
        .platform = o->platform,
        .plain_calls = o->fast_calls_off,
        .strace = o->strace,
        .process = config->process.what,
        .hostname = config->hostname ? config->hostname : "picket",
        .domainname = config->domainname,
        .write_through = !config->in_memory,
        .root_readonly = config->readonly,
        .main_is_1 = true,
        .mounts = config->mounts,
        .nmounts = config->nmounts,
        .net_later = net_comes_later(o, config->host_network),
        .filter = config->filter,
        .sysctls = config->sysctls,
        .nsysctls = config->nsysctls,
        .limits = config->limits,
        .report_fd = -1,
    };
}

// The main program's end, as far as it is known. Where nothing came from the sentry it was ended by somebody
// else: by the kernel, when the cgroup had no memory left.
static const char *cause_of(const struct self *s, const char *cgroup) {
    uint32_t cause = s->meter.ended ? s->meter.end.cause : END_HOST;
    if (s->told && !s->meter.ended)
        cause = WIFEXITED(s->status) ? END_EXITED : END_SIGNAL;
    if (cause == END_HOST && cgroup && cgroup_oom_kills(cgroup) > 0)
        cause = END_MEMORY;
    return end_cause_name(cause);
}

// Who was ended for want of memory is looked for in the bundle (conmon) and in the cgroup's events (shim);
// the kernel tells there of its own kills itself. kills: by whomever.
static void tell_oom(const struct self *s, const struct container *c, uint32_t kills) {
    if (!kills)
        return;
    int bundle cleanup_close = open(c->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int file cleanup_close = openat(bundle, "oom", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (file < 0)
        log_debug("no file 'oom' in the bundle: errno %d", errno);
    if (c->cgroup && s->meter.end.memory_kills)
        cgroup_tell_oom(c->cgroup);
    usleep(OOM_FIRST);
}

// The note of the end. The directory may be gone, or the container another's, when something was forced.
static void note_end(const struct oci *o, const struct container *was, const struct self *s) {
    struct container c;
    struct error unused;
    if (container_load(o, was->id, true, &c, &unused) == 0 && c.pid == getpid()) {
        c.status = STOPPED;  // with our pid: who wants us gone finds us until we are
        c.wait_status = s->status;
        struct ended ended = {.wait_status = s->status,
                              .cause = cause_of(s, c.cgroup),
                              .wall = (double)s->meter.end.wall_ns / 1e9,
                              .usage = s->usage,
                              .report = s->meter.end};
        ended.report.memory_kills += c.cgroup ? (uint32_t)cgroup_oom_kills(c.cgroup) : 0;
        snprintf(c.cause, sizeof c.cause, "%s", ended.cause);
        json_decref(c.result);
        c.result = ended_json(&ended);
        container_save(&c, &unused);
        tell_oom(s, &c, ended.report.memory_kills);
    }
    container_close(&c);
}

// Until the command has put us into the cgroup we go with it, also when we are stopped.
static void wait_go(int go) {
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (TEMP_FAILURE_RETRY(read(go, &byte, 1)) != 1)
        _exit(1);
    prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
}

static _Noreturn void container_init(const struct oci *o, const struct config *config,
                                     const struct container *c, int slave, int go, struct self *s) {
    static struct process_inherited none;  // the caller's limits are not the container's
    struct sentry_config sentry;
    struct error e;
    int conn[2];
    char why[512];
    begin(s, "picket-init");
    setsid();
    wait_go(go);
    s->go = go;
    for (int i = 0; i < RLIM_NLIMITS; i++)
        none.limits[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    none.orphaned = true;
    fill_config(o, config, &none, &sentry);
    if (slave >= 0 && console_take(slave) < 0)
        error_errno(&e, errno, "taking the terminal"), give_up(s, &e);
    if (join_network(config, &e) < 0)
        give_up(s, &e);
    struct launched l = {.log_fd = openat(c->dir, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
    sentry.listen_fd = control_listen(c, &e);
    if (l.log_fd < 0 || sentry.listen_fd < 0)
        give_up(s, &e);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, conn) < 0)
        error_errno(&e, errno, "socketpair"), give_up(s, &e);
    s->control = conn[0];
    sentry.init_fd = conn[1];
    if (meter_open(&s->meter, &sentry.report_fd) < 0)
        error_errno(&e, errno, "socketpair"), give_up(s, &e);
    const int mine[LAUNCH_MINE] = {conn[0], s->word, s->go, s->signals, c->dir, s->meter.fd, s->meter.proc};
    memcpy(l.mine, mine, sizeof mine);
    if (launch_start(&sentry, config->roots, config->nroots, &l) < 0)
        give_up(s, &e);
    s->sentry = s->meter.sentry = l.sentry;
    s->gofer = l.gofer;
    close(sentry.report_fd);
    close(conn[1]);
    close(sentry.listen_fd);
    close(l.log_fd);
    drop_stdio(&config->process.what);
    s->config = config;
    serve(s);
    meter_finish(&s->meter);
    mountns_leave(s->host_mounts);
    net_give_back_saved(c->dir);
    waitpid(s->gofer, NULL, 0);
    if (!s->ready) {
        why_failed(c, why, sizeof why);
        tell_error(s, why);
        _exit(1);
    }
    note_end(o, c, s);
    end_as(s->status);
}

// The init of a container in another one's sandbox. Its gofer ends with it; its processes, when the
// connection closes.
static _Noreturn void member_init(const struct oci *o, const struct config *config, const struct container *c,
                                  int slave, int go, struct self *s) {
    struct error e;
    int gofer;
    begin(s, "picket-init");
    setsid();
    wait_go(go);
    s->go = go;
    if (slave >= 0 && console_take(slave) < 0)
        error_errno(&e, errno, "taking the terminal"), give_up(s, &e);
    if (join_network(config, &e) < 0 || (s->control = pod_connect(c, &e)) < 0)
        give_up(s, &e);
    struct launched l = {.mine = {s->control, s->word, s->go, s->signals, c->dir, -1, -1},
                         .log_fd = openat(c->dir, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
    if (l.log_fd < 0 || launch_gofer(config->roots, config->nroots, &l, &gofer) < 0)
        error_errno(&e, errno, "starting the gofer"), give_up(s, &e);
    s->gofer = l.gofer;
    if (pod_make(s->control, c, config, gofer, &e) < 0)
        give_up(s, &e);
    close(gofer);
    close(l.log_fd);
    s->ready = true;
    tell(s, "R");
    drop_stdio(&config->process.what);
    serve(s);
    kill(s->gofer, SIGKILL);
    waitpid(s->gofer, NULL, 0);
    note_end(o, c, s);
    end_as(s->status);
}

// Forks. In the child 0, and *s and *go are its own; in the parent *init is filled in.
static pid_t split(struct init *init, struct self *s, int *go, struct error *e) {
    int there[2], word[2];
    *init = (struct init){.go = -1, .word = -1};
    if (pipe2(there, O_CLOEXEC) < 0 || pipe2(word, O_CLOEXEC) < 0)
        return error_errno(e, errno, "pipe");
    fflush(NULL);
    init->pid = fork();
    if (init->pid == 0) {
        close(there[1]);
        close(word[0]);
        *s = (struct self){.word = word[1],
                           .go = -1,
                           .control = -1,
                           .status = SIGKILL,
                           .host_mounts = -1,
                           .meter = {.fd = -1, .proc = -1}};
        *go = there[0];
        return 0;
    }
    close(there[0]);
    close(word[1]);
    init->go = there[1];
    init->word = word[0];
    return init->pid < 0 ? error_errno(e, errno, "fork") : init->pid;
}

int init_fork(const struct oci *o, const struct config *config, const struct container *c, int slave,
              struct init *init, struct error *e) {
    struct self s;
    int go;
    pid_t pid = split(init, &s, &go, e);
    if (pid < 0)
        return -1;
    if (pid == 0) {
        struct container mine = *c;
        char path[4400];
        // the command's lock is on its descriptor: ours is another one
        snprintf(path, sizeof path, "%s/%s", o->root, c->id);
        mine.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(c->dir);
        mine.pid = getpid();
        mine.pid_start = process_start_time(mine.pid);
        if (pod_sandbox(c->annotations))
            member_init(o, config, &mine, slave, go, &s);
        container_init(o, config, &mine, slave, go, &s);
    }
    drop_fds(config->process.what.more_fds);
    if (slave >= 0)
        close(slave);
    return 0;
}

// ---- An exec's init ---------------------------------------------------------------------------------------
static _Noreturn void exec_init(const struct sentry_process *p, int control, int slave, int go,
                                struct self *s) {
    struct error e;
    int fds[SENTRY_FDS];
    for (int i = 0; i < (int)SENTRY_FDS; i++)
        fds[i] = i;
    begin(s, "picket-exec");
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // till it is told of: goes with the command, stopped or not
    setsid();
    wait_go(go);
    close(go);
    s->control = control;
    if (slave >= 0 && console_take(slave) < 0)
        error_errno(&e, errno, "taking the terminal"), give_up(s, &e);
    if (control_exec(control, p, fds, &e) < 0)
        give_up(s, &e);
    prctl(PR_SET_PDEATHSIG, 0);
    tell(s, "R");
    drop_stdio(p);
    serve(s);
    end_as(s->status);
}

int init_fork_exec(const struct sentry_process *p, int control, int slave, struct init *init,
                   struct error *e) {
    struct self s;
    int go;
    pid_t pid = split(init, &s, &go, e);
    if (pid < 0)
        return -1;
    if (pid == 0)
        exec_init(p, control, slave, go, &s);
    drop_fds(p->more_fds);
    close(control);
    if (slave >= 0)
        close(slave);
    return 0;
}

// ---- In the command ---------------------------------------------------------------------------------------
int init_go(struct init *init, struct error *e) {
    char text[1024] = "";
    size_t n = 0;
    ssize_t got;
    if (write(init->go, "", 1) < 0)
        log_debug("init: errno %d", errno);
    struct pollfd word = {.fd = init->word, .events = POLLIN};
    bool answers = false;
    while (n < sizeof text - 1 && (answers = TEMP_FAILURE_RETRY(poll(&word, 1, PATIENCE)) > 0) &&
           (got = TEMP_FAILURE_RETRY(read(init->word, text + n, sizeof text - 1 - n))) > 0)
        n += (size_t)got;
    close(init->word);
    init->word = -1;
    if (text[0] == 'R')
        return 0;
    if (!answers) {
        init_kill(init);
        return error_set(e, "the sandbox does not come up: no word of its init in %d s", PATIENCE / 1000);
    }
    TEMP_FAILURE_RETRY(waitpid(init->pid, NULL, 0));
    init->pid = 0;
    return error_set(e, "%s", text[0] == 'E' ? text + 1 : "the sandbox's init has ended");
}

void init_keep(struct init *init) {
    if (write(init->go, "", 1) < 0)
        log_debug("init: errno %d", errno);
    close(init->go);
    init->go = -1;
}

void init_kill(struct init *init) {
    if (init->go >= 0)
        close(init->go);
    if (init->word >= 0)
        close(init->word);
    init->go = init->word = -1;
    if (init->pid <= 0)
        return;
    kill(init->pid, SIGKILL);
    TEMP_FAILURE_RETRY(waitpid(init->pid, NULL, 0));
    init->pid = 0;
}

int init_wait(pid_t pid) {
    uint64_t set = ALL_SIGNALS;
    int status = 0x7f00;
    set_mask(SIG_SETMASK, ALL_SIGNALS);
    int fd cleanup_close = (int)syscall(SYS_signalfd4, -1, &set, sizeof set, SFD_CLOEXEC);
    struct signalfd_siginfo si;
    while (waitpid(pid, &status, WNOHANG) == 0)
        if (read(fd, &si, sizeof si) == (ssize_t)sizeof si && si.ssi_signo != SIGCHLD &&
            si.ssi_signo != SIGPIPE)
            kill(pid, (int)si.ssi_signo);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
