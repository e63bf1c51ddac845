# SPDX-License-Identifier: Apache-2.0
# diff in its formats, patch with fuzz, reject, reverse, backups, new and removed files; diff3, sdiff, cmp, comm.
# needs: patch diff
mkdir a; for i in 1 2 3; do seq 100 > a/f$i; done; cp -r a b; sed -i 's/^50$/fifty/; 20d' b/f1
echo end >> b/f2; rm b/f3; seq 5 > b/new
touch -d 2020-01-01 a/* b/*; diff -ruN a b > p; echo $?; cp -r a c; patch -d c -p1 < p
diff -r b c && echo applied; patch -d c -p1 -R < p; diff -r a c && echo reversed
sed -i '1i zero' c/f1; patch -d c -p1 -b < p; echo $?; sed -i 's/^5[0-9]$/other/' a/f1; patch -d a -p1 -f < p
echo $?; ls a c
diff -c a/f2 b/f2 | sed 1,2d; diff -e a/f2 b/f2; diff -y -W 40 --suppress-common-lines a/f2 b/f2; diff -q a b
diff --brief -r a b | sort; cmp a/f2 b/f2
printf '1\n2\n3\n' > o; printf '1\nx\n3\n' > m; printf '1\n2\n3\n4\n' > y; diff3 -m m o y; comm o y
sdiff -s o m; echo $?; patch -p0 --dry-run nosuch < p 2>&1 | head -2
find . -name '*.rej' -o -name '*.orig' | sort; rm p; sed -i '/^[-+*]\{3\} /d' $(find . -name '*.rej')
