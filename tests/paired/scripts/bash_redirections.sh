# SPDX-License-Identifier: Apache-2.0
# bash: here-documents, process substitution, descriptors moved and closed, noclobber, coproc, exec 3<>, /dev/fd, /dev/tcp refused.
exec 3> three 4>&1; echo to three >&3; echo to out >&4; exec 5>&3-; { echo gone >&3; } 2>&1 | sed 's/.*: 3/3/'; echo five >&5; exec 5>&-; cat three
exec 6<> rw; echo line >&6; cat <&6; exec 6<&-; exec 6<> rw; read -r l <&6; echo "got $l"; echo second >&6; exec 6>&-; cat rw
cat <<A - <<<"string"
from $((6 * 7))
A
cat <<'B' > quoted
$HOME `x`
B
cat quoted; diff <(seq 5) <(seq 4); paste <(seq 3) <(seq 11 13) <(seq 21 23); tee >(wc -l > n1) >(md5sum > n2) < quoted > /dev/null; sleep 0.5; cat n1 n2
set -C; echo x > quoted; echo $?; echo y >| quoted; cat quoted; set +C
coproc { while read -r a; do echo "<$a>"; done; }; echo hi >&"${COPROC[1]}"; read -r back <&"${COPROC[0]}"; echo "$back"; eval "exec ${COPROC[1]}>&-"; wait $COPROC_PID 2>/dev/null
{ echo out; echo err >&2; } > both 2>&1; cat both; { echo out; echo err >&2; } 2>&1 >/dev/null | tr a-z A-Z; echo more &>> both; cat both
f() { local fd; exec {fd}> auto; echo "n" >&$fd; exec {fd}>&-; test $fd -ge 10 && cat auto; }; f
printf '%s\n' a b c | while read -r x; do read -r y < /dev/fd/3 && echo "$x$y"; done 3< <(printf '%s\n' 1 2 3)
echo "$(< both)" | wc -l; cat < missing; echo $?; : > /; echo $?; ls /dev/fd/ | wc -l; (exec 9< both; readlink /dev/fd/9 | sed 's|.*/||')
mapfile -t lines < both; echo ${#lines[@]} "${lines[1]}"; read -r -N 3 -t 1 x < both; echo "$x"; read -t 0.2 z < <(sleep 2); echo $?
trap 'echo bye > ended' EXIT; cat <(cat <(cat <(echo deep)))
