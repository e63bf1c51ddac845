# SPDX-License-Identifier: Apache-2.0
# timeout, nohup, setsid, kill by name and group, trap in sh, exit statuses of every ending signal, orphans, zombies, ps.
exec 2> .tmp/err
for s in HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT XCPU XFSZ VTALRM PROF IO PWR SYS 34 64
do (sh -c "kill -$s \$\$; exit 0") 2>/dev/null; echo $s $?; done; for s in CHLD CONT URG WINCH
do sh -c "kill -$s \$\$; exit 1"; echo $s $?; done; kill -l | wc -l; timeout 0.1 sleep 9; echo $?
timeout --preserve-status 0.1 sleep 9; echo $?; timeout 5 sh -c 'exit 3'; echo $?; timeout 1 nothing; echo $?
timeout 1 /; echo $?
setsid sh -c 'ps -o pid=,sid=,pgid= -p $$' | awk '{print $1 == $2 && $2 == $3}'
sh -c 'sleep 0.3 & exec sh -c "exit 2"'; echo $?; (sh -c '(sleep 0.2; echo orphan) & exit'); sleep 0.5
setsid sh -c 'sleep 100 & sleep 100 & kill 0' 2>/dev/null & wait $!; echo $?
setsid sh -c 'trap "echo group; exit 4" TERM; sleep 9 & kill -TERM 0; wait'; echo $?; kill -0 $$; echo $?
kill -0 999999; echo $?; kill -TERM; echo $?
sh -c 'trap "" INT; kill -INT $$; sh -c "kill -INT \$\$; echo ignored"'; bash -c 'trap "echo dbg" DEBUG; :; trap - DEBUG; trap "echo err" ERR; false; trap "echo ret" RETURN; f() { :; }; f'; bash -c 'trap "echo chld" CHLD; true & wait'; python3 -c 'import os, signal, time
r = os.fork()
if r == 0: os._exit(7)
time.sleep(0.1); print(open("/proc/%d/stat" % r).read().split()[2]); print(os.waitid(os.P_PID, r, os.WEXITED | os.WNOWAIT).si_status, os.waitpid(r, 0)[1] >> 8)
print(sorted(int(s) for s in signal.valid_signals())[-1], signal.getsignal(signal.SIGPIPE).name); signal.alarm(1); signal.pause()'; echo $?; nohup echo x > .tmp/n 2>&1; cat .tmp/n; rm .tmp/n; ps -e -o comm= | grep -c '^ps$'; pgrep -c -x nothing; for i in $(seq 30); do sleep 0.05 & done; wait; nice -n 19 sh -c 'ps -o ni= -p $$'; renice -n 3 -p $$ > /dev/null; nice; chrt -p $$ | sed 's/pid [0-9]*/pid/'; ionice; taskset -cp $$ | grep -c affinity; prlimit --nofile=100:200 sh -c 'ulimit -n; ulimit -Hn'; grep -c . .tmp/err; rm .tmp/err
