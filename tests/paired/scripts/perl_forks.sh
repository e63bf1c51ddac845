# SPDX-License-Identifier: Apache-2.0
# perl: forks, pipes, signals, waitpid, sockets, flock, select, opendir, sysopen, local times, system and exec.
# needs: perl
cat > .tmp/p.pl <<'P'
use strict; use warnings; use POSIX qw(:sys_wait_h :signal_h :fcntl_h setsid mkfifo); use Fcntl qw(:flock :seek); use Socket; use Time::HiRes qw(sleep ualarm); $| = 1;
my @kids = map { my $n = $_; my $p = fork; if (!$p) { exit $n } $p } 1 .. 20; my $sum = 0; for (@kids) { waitpid($_, 0); $sum += $? >> 8 } print "$sum\n";
my ($got, $chld) = (0, 0); $SIG{USR1} = sub { $got++ }; $SIG{CHLD} = sub { while (waitpid(-1, WNOHANG) > 0) { $chld++ } }; kill USR1 => $$; print "$got\n";
for (1 .. 5) { my $p = fork; if (!$p) { exit 0 } } sleep 0.05 while $chld < 5; print "$chld\n"; $SIG{CHLD} = 'DEFAULT';
pipe(my $r, my $w); my $p = fork; if (!$p) { close $r; print $w "line $_\n" for 1 .. 1000; exit } close $w; my @l = <$r>; waitpid $p, 0; print scalar(@l), " $l[999]";
$p = fork; if (!$p) { sleep 60; exit } kill TERM => $p; waitpid $p, 0; print $? & 127, "\n"; eval { local $SIG{ALRM} = sub { die "alarm\n" }; ualarm 50_000; sleep 5 }; print $@;
socketpair(my $ea, my $eb, AF_UNIX, SOCK_STREAM, 0); syswrite $ea, "x" x 1000; sysread $eb, my $x, 5000; print length $x, "\n"; shutdown $ea, 1; print sysread($eb, $x, 1), "\n";
open(my $f, '+>', 'f'); print $f "abc\n" x 100; flock $f, LOCK_EX; $p = fork; if (!$p) { open(my $g, '<', 'f'); exit(flock($g, LOCK_SH | LOCK_NB) ? 0 : $!{EWOULDBLOCK} ? 3 : 4) } waitpid $p, 0; print $? >> 8, "\n"; close $f;
sysopen(my $s, 'new', O_CREAT | O_EXCL | O_RDWR, 0600); print sysopen($s, 'new', O_CREAT | O_EXCL | O_RDWR) ? "" : "$!\n"; truncate 'f', 10; print -s 'f', "\n"; utime 1e9, 1e9, 'f'; print((stat 'f')[9], "\n");
mkdir 'd'; for (1 .. 30) { open my $o, '>', "d/$_" } opendir my $d, 'd'; print scalar(grep { !/^\./ } readdir $d), "\n"; rewinddir $d; print scalar(() = readdir $d), "\n"; unlink glob 'd/1*'; print scalar(() = glob 'd/*'), "\n"; print rmdir('d') ? "" : "$!\n";
print `echo out; exit 3`, $? >> 8, "\n"; print system('kill -9 $$') & 127, "\n"; $p = fork; if (!$p) { setsid; print getpgrp == $$ ? "leader\n" : "not\n"; exec 'echo', 'exec' } waitpid $p, 0; my $set = POSIX::SigSet->new(SIGUSR1); sigprocmask(SIG_BLOCK, $set); kill USR1 => $$; print "$got\n"; sigprocmask(SIG_UNBLOCK, $set); print "$got\n";
socket(my $l, PF_INET, SOCK_STREAM, 0); bind $l, sockaddr_in(0, INADDR_LOOPBACK); listen $l, 5; my ($port) = sockaddr_in getsockname $l; $p = fork; if (!$p) { socket(my $c, PF_INET, SOCK_STREAM, 0); connect $c, sockaddr_in($port, INADDR_LOOPBACK); print $c "hello\n"; close $c; exit } accept my $c, $l; print scalar <$c>; waitpid $p, 0;
open(my $self, '<', "/proc/$$/status"); print grep { /^(Name|Threads)/ } <$self>; print join(',', (getpwnam 'root')[0, 2, 7]), "\n"; print POSIX::strftime("%F %T\n", gmtime 1e9); $SIG{PIPE} = 'IGNORE'; pipe $r, $w; close $r; print syswrite($w, "x") ? "" : "$!\n"; printf "%s\n", sprintf('%vd', 'abc');
P
perl .tmp/p.pl; echo $?; rm .tmp/p.pl
