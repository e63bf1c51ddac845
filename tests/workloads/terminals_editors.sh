# SPDX-License-Identifier: Apache-2.0
# Full-screen programs on a terminal of their own, driven by expect as by a person: vi (Debian: vim) (insert, search and replace, undo, write,
# a shell out of it), less (search, end, quit), screen (a window, its shell, detach), and what they leave behind.
# needs: expect vi less screen
# timeout: 120
cd "$1" && chmod 755 .
export HOME="$PWD" TERM=xterm LC_ALL=C.UTF-8 SCREENDIR="$PWD/screens" SHELL=/bin/sh
mkdir -m 700 screens
seq 1 500 > numbers
printf 'one two\nthree two\n' > text
cat > drive.exp <<'X'
log_user 0
set timeout 60
proc must {what} { expect -re $what {} timeout { puts "no $what"; exit 1 } eof { puts "end before $what"; exit 1 } }
proc ends {what} { expect eof {} timeout { puts "$what does not end"; exit 1 }; puts "$what status [lindex [wait] 3]" }

spawn -noecho vi -u NONE -N -i NONE text
must "three two"
send "ggOzero\033"
send ":%s/two/2/g\r"
send "Gofour\033u"
send ":!echo shell-\$((40+2))\r"
must "shell-42"
send "\r:wq\r"
ends vim

spawn -noecho less numbers
must "\n20"
send "/^49\[0-9\]\$\r"
must "490"
send "G"
must "500"
send "q"
ends less

spawn -noecho screen -c /dev/null -S work /bin/sh
must "\[#$\] "
send "echo in-\$((6*7)) > made; tty | grep -c pts > where\r"
must "made"
for {set i 0} {$i < 300 && ![file exists where]} {incr i} { after 100 }
send "\001d"
must "detached"
ends screen
X
expect -f drive.exp
cat text made where
screen -S work -X quit && for _ in $(seq 100); do [ -z "$(ls screens)" ] && break; sleep 0.1; done; ls screens | wc -l
