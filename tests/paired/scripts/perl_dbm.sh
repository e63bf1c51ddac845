# SPDX-License-Identifier: Apache-2.0
# perl: tied hashes on disk (SDBM), in-place edits, sysopen and locks, sparse files, directories, File::Find and Copy.
# needs: perl
perl -MSDBM_File -MFcntl -e 'tie(my %h, "SDBM_File", "db", O_RDWR | O_CREAT, 0644) or die; $h{"key$_"} = "value " . $_ * 7 for 1..800; delete $h{"key$_"} for 1..100; untie %h;
 tie(%h, "SDBM_File", "db", O_RDONLY, 0644) or die; print scalar(keys %h), " $h{key500}\n"; my $s = 0; while (my ($k, $v) = each %h) { $s += length $v } print "$s\n"'
ls -s --block-size=1 db.dir | wc -l; stat -c %s db.pag
seq 50 > t; ln t hard; perl -pi.bak -e 's/^(\d*)5$/five $1/' t; grep -c five t; grep -c five hard; stat -c %h t hard
perl -MFcntl=:DEFAULT,:flock,:seek -e 'sysopen(my $f, "c", O_RDWR | O_CREAT, 0600) or die; for my $p (1..5) { next if fork; for (1..40) { open(my $g, "+<", "c") or die; flock($g, LOCK_EX);
 my $n = <$g> // 0; seek($g, 0, SEEK_SET); print $g $n + 1; close $g } exit } 1 while wait > 0; seek($f, 0, SEEK_SET); print <$f>, "\n"'
perl -e 'open(my $f, "+>", "s"); seek($f, 300000, 0); print $f "end"; seek($f, 100, 0); print $f "x"; truncate($f, 200000); print -s $f, "\n"; seek($f, 99, 0); read($f, my $b, 3); print unpack("H*", $b), "\n"'
mkdir -p tree/a/b tree/c; touch tree/a/1 tree/a/b/2 tree/c/3; perl -MFile::Find -e 'find({wanted => sub { push @l, $File::Find::name }, no_chdir => 1}, "tree"); print join(" ", sort @l), "\n"'
perl -MFile::Copy -MFile::Path=make_path,remove_tree -e 'make_path("m/n/o"); copy("t", "m/n/o/t2") or die; move("m/n/o/t2", "m/t3") or die; print -s "m/t3", "\n"; print remove_tree("m"), "\n"'
perl -e 'opendir(my $d, "tree") or die; my @e = sort readdir $d; rewinddir $d; print scalar(@e), " ", scalar(grep { -d "tree/$_" } readdir $d), "\n"; print mkdir("tree") ? "" : "$!\n", rmdir("tree") ? "" : "$!\n", unlink("tree"), "\n"'
perl -e 'for (1..200) { pipe(my $r, my $w); if (!fork) { print $w "x" x $_; exit } close $w; local $/; $n += length <$r>; wait } print "$n\n"'
perl -e '@s = stat "t"; printf "%o %d\n", $s[2], $s[7]; utime 5, 6, "t"; print +(stat "t")[9], "\n"; chmod 0, "t"; printf "%o\n", (stat "t")[2]; symlink "t", "l"; print readlink "l", "\n"; print -l "l" ? 1 : 0, -e "gone" ? 1 : 0, "\n"'
find . -exec touch -hd 2020-01-01 {} +
