# SPDX-License-Identifier: Apache-2.0
# find with every common test, -exec +, -delete, du, stat, xargs -P, ls -R.
# places: overlay
for d in a b c; do for e in 1 2 3; do mkdir -p t/$d/$e; for f in x y z; do echo $d$e$f > t/$d/$e/$f; done
done; done
truncate -s 50000 t/a/1/big; ln -s ../1/x t/a/2/sym; ln -s gone t/a/2/dang; ln t/b/1/x t/b/2/hard
mkfifo t/pipe 2>/dev/null || :; rm -f t/pipe
chmod 600 t/c/1/x; chmod 4755 t/c/1/y; touch -d 2020-01-01 t/c/2/*; mkdir t/empty
find t -type f -name 'x' | sort; find t -type l -xtype l; find t -size +40k; find t -perm -4000
find t -perm 600; find t -links 2 | sort
find t -mtime +2 | sort; find t -empty | sort; find t -newer t/c/2/x -name z | sort
find t -samefile t/b/1/x | sort; find t -maxdepth 2 -mindepth 2 | sort
find t -path '*/2/*' -printf '%P %s %m %y %l\n' | sort; find t -type d -exec sh -c 'echo $# dirs' sh {} +
find t -name z -newermt 2021-01-01 | wc -l
find t -type f -print0 | xargs -0 -P 4 -n 3 md5sum | sort
seq 1000 | xargs -P 8 -n 1 -I{} sh -c 'test {} -ne 500 || exit 1'; echo $?
du -ab --exclude=2 t | grep -v '/$' | awk '{print $2}' | sort | head -20; du -s --apparent-size -B1 t/a/1/big
du --inodes -s t | cut -f1
stat -c '%n %s %f %h %F %N' t/a/1/big t/a/2/sym t/b/2/hard t/c/1/y; stat -L -c %F t/a/2/sym; ls -R t | md5sum
ls -ld t/c/1/y | cut -c1-10
find t -name y -delete; find t -depth -type d -empty -delete
find t -name z -ok true \; < /dev/null 2>/dev/null; find . | wc -l; find t/none; echo $?
