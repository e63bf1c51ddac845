# SPDX-License-Identifier: Apache-2.0
# strace -f: of a python program with children and threads each process, each exec and each end is in the protocol; by ATTACH
# to one that runs; and the counts of -c.
# needs: strace /usr/bin/python3
# timeout: 180
cd "$1" && cat > p.py <<'P'
import os, subprocess, threading
t = threading.Thread(target=lambda: os.getppid())
t.start()
t.join()
print(subprocess.run(["/bin/echo", "from a child"], stdout=subprocess.PIPE).stdout)
pid = os.fork()
if pid == 0:
    os._exit(5)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
P
strace -f -o out /usr/bin/python3 p.py; echo "status $?"
grep -c 'execve("/bin/echo"' out
grep -o '+++ exited with [0-9]* +++' out | sort | uniq -c | tr -s ' '
grep -o 'write(1, "from a child..", 13' out
[ "$(grep -c 'openat(' out)" -gt 20 ] && echo "opens seen"
grep -q 'resumed>' out && echo "calls that were resumed"
sleep 30 & pid=$!
strace -o attached -p $pid 2> err & tracer=$!
for i in $(seq 100); do grep -q 'attached' err && break; sleep 0.1; done
kill -USR1 $pid; { wait $pid; echo "sleep $?"; wait $tracer; } 2> /dev/null
grep -o 'SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER' attached
tail -1 attached
strace -c -e trace=getppid,write -o counts sh -c 'echo a; echo b' ; awk '$NF == "write" {print $4}' counts
