# SPDX-License-Identifier: Apache-2.0
# strace of small programs: which calls on which files, counts, an injected error, a followed child.
# needs: strace
strace -o .tmp/t -e trace=openat,mkdir,rename sh -c 'mkdir d; echo x > d/f; mv d/f d/g; cat d/g'; grep -c -F 'd/f", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3' .tmp/t
strace -f -o .tmp/t -e trace=execve,exit_group sh -c 'true; /bin/true; exit 4'; echo $?; grep -o -E 'exit_group\([0-9]+\)' .tmp/t | sort
strace -o .tmp/t -e trace=unlinkat -e inject=unlinkat:error=EIO rm d/g; echo $?; grep -c INJECTED .tmp/t; strace -c -o .tmp/t cat d/g; grep -c total .tmp/t
strace -o .tmp/t -e trace=none -e signal=USR1 sh -c 'trap : USR1; kill -USR1 $$'; grep -o 'SIGUSR1 {.*si_code=[A-Z_]*' .tmp/t | sed 's/{.*, /{/'
strace -y -o .tmp/t -e trace=read cat d/g; grep -c "d/g>" .tmp/t; strace none; echo $?; rm .tmp/*
