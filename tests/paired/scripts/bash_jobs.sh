# SPDX-License-Identifier: Apache-2.0
# bash: job control in a script, traps, wait -n, kill, suspend and fg, subshells, exec redirections, ulimit, here-documents.
exec 2> .tmp/err; set -m; sleep 30 & jobs; kill %1; wait %1; echo $?; (exit 5) & wait $!; echo $?
for i in 3 1 2; do (sleep 0.$((i * 2)); exit $i) & done; wait -n; echo $?; wait -n; echo $?; wait -n; echo $?
wait -n; echo $?
sh -c 'kill -STOP $$; exit 6' & sleep 0.4; jobs -s | grep -c Stopped; kill -CONT %1; wait %1; echo $?
trap 'echo usr1' USR1; kill -USR1 $$; (trap 'echo exit trap' EXIT; exit 0)
bash -c 'trap "echo term; exit 9" TERM; sleep 5 & wait' & p=$!; sleep 0.4; kill -TERM -- $p; wait $p; echo $?
pkill -P $p 2>/dev/null
set +m; (kill -SEGV $BASHPID) ; echo $?; (ulimit -f 1; yes > big) 2>/dev/null; echo $?; stat -c %s big; (ulimit -n 8; exec 9< /dev/null) 2>/dev/null; echo $?; (ulimit -t 1; while :; do :; done) 2>/dev/null; echo $?; exec 5> five; echo five >&5; exec 5>&-; cat <<< here - five <<X
doc $((1 + 2))
X
{ echo out; echo err >&2; } 2>&1 > both | sed s/e/E/; mapfile -t a < <(seq 3); echo ${#a[@]}
printf -v d '%(%Y)T' 0; echo $d; time_out() { timeout 0.2 sleep 5; echo $?; }; time_out
nohup sh -c 'echo nohup' 2>/dev/null; setsid -w sh -c 'exit 4'; echo $?; [ -t 0 ]; echo $?; set -o noclobber
echo x > five; echo $?; set -o pipefail; false | true; echo $?
timeout -s INT 0.2 sleep 3; echo $?; timeout -k 0.2 0.2 sh -c 'trap "" TERM; sleep 2'; echo $?
timeout --foreground 0.1 cat < <(sleep 1); echo $?; [ $(nice -n 5 nice) = $(($(nice) + 5)) ]; echo $?; (exec -a other bash -c 'echo $0; exit 3')
echo $?
exec 2>&1; sed -E 's/: +[0-9]+ (Seg|Kill|Term)/: \1/' .tmp/err; rm .tmp/err
