# SPDX-License-Identifier: Apache-2.0
# bash: job control, here-documents, traps, background jobs, process substitution, coprocesses.
cd "$1"
bash -c '
exec 2>/dev/null
set -m
sleep 1 & a=$!
sleep 100 & b=$!
jobs -r | wc -l
wait_for() { for _ in $(seq 200); do jobs $1 | grep -q "sleep 100" && return; sleep 0.05; done; }
kill -STOP $b; wait_for -s; jobs -s | wc -l
kill -CONT $b; wait_for -r; kill -TERM $b; wait $b; echo "b $?"
wait $a; echo "a $?"
set +m
cat <<X
here $((6*7))
X
trap "echo usr1" USR1; kill -USR1 $$
trap "echo bye" EXIT
diff <(seq 3) <(seq 3) && echo same
coproc C { read l; echo "co $l"; }; w=${C[1]} r=${C[0]}; echo hi >&$w; read answer <&$r; echo "$answer"
(sleep 0.1; echo bg) & wait $!; echo done
( exit 5 ) ; echo $?
'
