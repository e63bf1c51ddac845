# SPDX-License-Identifier: Apache-2.0
# What programs print of the machine and of processes agrees with itself and with the kernel's answers: nproc, lscpu, free, vmstat,
# top, ps, pmap, lsof, ss, lsblk, df, findmnt.
# needs: lscpu free vmstat top ps pmap lsof ss lsblk df findmnt python3
# timeout: 120
cd "$1"
export LC_ALL=C COLUMNS=200
same() { [ "$2" = "$3" ] && echo "$1 agrees" || echo "$1: $2 and $3"; }
n=$(nproc --all)
same "lscpu" "$n" "$(lscpu -p=cpu | grep -vc '#')"
same "cpuinfo" "$n" "$(grep -c '^processor' /proc/cpuinfo)"
same "stat" "$n" "$(grep -c '^cpu[0-9]' /proc/stat)"
lscpu | grep -cE '^(Architecture|CPU\(s\)|Model name|L1d cache|L2 cache|NUMA node0 CPU\(s\)):'
same "free" "$(free -k | awk '/^Mem:/ {print $2}')" "$(awk '/^MemTotal/ {print $2}' /proc/meminfo)"
free -k | awk '/^Mem:/ {print ($3 + $4 <= $2 + 0), ($7 <= $2 + 0)}'
vmstat 1 2 | tail -1 | awk '{t = $13 + $14 + $15 + $16 + $17; print (t >= 98 && t <= 102) ? "vmstat adds up" : $0}'
# A program that computes is seen to: its state, its time, and the processor's.
before=$(awk '/^cpu / {print $2 + $4}' /proc/stat)
python3 -c 'import time
while time.process_time() < 0.3: pass
time.sleep(100)' & pid=$!
for _ in $(seq 600); do [ "$(ps -o cputimes= -p $pid | tr -d ' ')" -ge 0 ] && [ "$(ps -o stat= -p $pid | cut -c1)" = S ] &&
    [ "$(awk '{print ($14 + $15 >= 25)}' /proc/$pid/stat)" = 1 ] && break; sleep 0.1; done
awk '{print ($14 + $15 >= 25) ? "busy" : "idle"}' /proc/$pid/stat
[ $(($(awk '/^cpu / {print $2 + $4}' /proc/stat) - before)) -ge 25 ] && echo "the processors' times have grown"
top -b -n1 -p $pid | awk -v p=$pid '$1 == p {print "top", $NF}'
same "ps parent" "$(ps -o ppid= -p $pid | tr -d ' ')" $$
same "pmap" "$(pmap $pid | awk '/^[0-9a-f]+ / && !/^ffffffffff6/ {n += $2} END {print n}')" "$(($(awk '{print $1}' /proc/$pid/statm) * 4))"
lsof -p $pid -a -d cwd -Fn | grep '^n' | sed "s|$PWD|HERE|"
kill $pid; wait $pid 2> /dev/null
python3 - <<'P'
import socket, subprocess, os
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
port = s.getsockname()[1]
out = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True).stdout
print("ss shows it", any(":%d " % port in line for line in out.splitlines()))
P
lsblk > /dev/null 2>&1; echo "lsblk $?"
df -P . | tail -1 | awk '{print ($2 >= $4) ? "df" : $0}'
findmnt -n -o FSTYPE /proc
