# SPDX-License-Identifier: Apache-2.0
# cp -a, --reflink, --sparse, --parents, --backup, -u, -l, -s, --attributes-only.
# needs: cp setfattr
mkdir -p src/x/y && cd src && echo one > x/one && echo two > x/y/two && ln x/one x/y/alias && ln -s ../one x/y/sym
setfattr -n user.note -v hello x/one; chmod 0640 x/one; chmod 2755 x
truncate -s 1M hole; echo end >> hole; touch -d '2019-09-09 09:09:09.999' x/one x/y/two hole; cd ..
cp -a src a; cp -a --reflink=auto src b; cp -r --preserve=mode,links src c; cp --sparse=always -a src/hole h1
cp --sparse=never -a src/hole h2; cmp h1 h2 && echo equal; cp --parents -a src/x/y/two . 2>&1
mkdir p && cp --parents src/x/y/two p
cp -al src links; cp -rs $PWD/src/x syms; echo new > up && touch -d 2018-01-01 up && cp -u up src/x/one
cat src/x/one
cp --backup=numbered up h1; cp --backup=simple up h1; cp --attributes-only up fresh
cp -L src/x/y/sym followed; cp -d src/x/y/sym kept
cp src nothing; echo $?; cp -T up h1; cp -n up followed; cat followed; install -D -m 0711 up deep/er/file
install -d -m 0700 dd1 dd2
cp --reflink=always up reflinked 2>/dev/null; rm -f reflinked; ls -A
