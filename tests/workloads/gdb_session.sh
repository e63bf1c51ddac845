# SPDX-License-Identifier: Apache-2.0
# gdb: breakpoints with conditions, steps, values, backtraces, watchpoints, threads, catchpoints, following a fork's child,
# attaching to a process that runs, calling a function of it.
# needs: gdb gcc
# timeout: 300
cd "$1" && cat > p.c <<'C'
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static int total;
__attribute__((noinline)) int fact(int n) { return n <= 1 ? 1 : n * fact(n - 1); }
__attribute__((noinline)) void add(int n) { total += n; }
static void *work(void *p) { add(3); add(4); return p; }
int main(void) {
    pthread_t t;
    printf("%d\n", fact(5));
    pthread_create(&t, 0, work, 0);
    pthread_join(t, 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(fact(3));
    int status;
    waitpid(pid, &status, 0);
    printf("child %d total %d\n", WEXITSTATUS(status), total);
    return 0;
}
C
cat > wait.c <<'C'
#include <unistd.h>
volatile int go_on;
int twice(int x) { return 2 * x; }
int main(void) { while (!go_on) usleep(10000); return twice(21); }
C
gcc -g -O0 -pthread p.c -o p && gcc -g -O0 wait.c -o w || exit 2
debug() { gdb -q -nx -batch -iex 'set debuginfod enabled off' -ex 'set confirm off' -ex 'set pagination off' "$@" 2>&1; }

echo "break, print, backtrace, finish"
debug -ex 'break fact if n == 2' -ex run -ex 'print n' -ex 'info args' -ex bt -ex finish p |
    grep -E '^(Breakpoint 1, |\$1 = |n = 2|#[0-4]|Value returned)' | sed 's/0x[0-9a-f]*/ADDR/'
echo "a watchpoint in a thread"
debug -ex 'break add' -ex run -ex 'watch total' -ex 'delete 1' -ex continue -ex continue -ex 'info threads' \
    -ex 'delete' -ex continue p | grep -E '^(Old|New) value|exited normally|^\* 2 ' | sed 's/Thread .*"p"/THREAD/; s/(LWP.*)//; s/process [0-9]*/PROCESS/'
# The parent goes on beside gdb, whose lines come in pieces: its words are not to stand between them.
echo "the child of a fork"
debug -ex 'set follow-fork-mode child' -ex 'break fact if n == 1' -ex 'run > /dev/null' -ex 'delete 1' -ex 'catch fork' -ex continue \
    -ex 'break fact' -ex 'delete 2' -ex continue -ex 'print n' -ex delete -ex continue p |
    grep -E '^\$1 = |exited with code' | sed 's/process [0-9]*/PROCESS/'
echo "attach"
./w & pid=$!
debug -p $pid -ex 'print twice(8)' -ex 'set var go_on = 1' -ex detach w | grep -E '^\$1'
wait $pid; echo "status $?"
echo "step by instructions"
debug -ex 'starti' -ex 'stepi 5' -ex 'print $_siginfo.si_signo' -ex kill w | grep -E '^\$1'
