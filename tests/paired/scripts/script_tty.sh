# SPDX-License-Identifier: Apache-2.0
# script(1): a terminal made inside, its size, its output kept, exit status, a second one within; setsid -c, stty of it.
# needs: script
script -qec 'tty | sed s,[0-9]*$,N,; stty size; echo done' .tmp/log < /dev/null | tr -d '\r'
echo ${PIPESTATUS[0]}; grep -c done .tmp/log; script -qec 'exit 7' /dev/null < /dev/null; echo $?
sleep 2 | script -qec "script -qec 'test -t 1 && echo inner' /dev/null" /dev/null | tr -d '\r'
echo 'echo typed; exit 3' | script -qec 'bash --norc -i' /dev/null > .tmp/o; echo $?; grep -c '^typed' .tmp/o
script -qec 'stty -a | grep -o -E "(-?)(icanon|echo|isig|opost|onlcr)( |$)" | sort; stty -echo; stty -a | grep -o -- -echo\ ; stty rows 30 cols 90; stty size; stty sane; stty -g | tr : "\n" | wc -l' /dev/null < /dev/null | tr -d '\r'
script -qec 'set -m; sleep 5 & kill %1; wait; ps -o tty= -p $$ | sed s,[0-9]*$,N,; trap "echo hup" HUP; kill -HUP $$; ls -l /dev/tty | cut -c1-10; echo direct > /dev/tty' /dev/null < /dev/null | tr -d '\r' | grep -v Terminated
rm .tmp/*
