# SPDX-License-Identifier: Apache-2.0
# ln, readlink, realpath, namei, basename, pathchk, loops, long chains, dots, trailing slashes, cd -P and -L, pwd.
mkdir -p a/b/c; echo x > a/f; ln -s a/b ab; ln -s ../../f a/b/c/up; ln -s loop loop; ln -s nowhere dang
ln -sr a/f a/b/rel; ln -sfn a/b/c ab2; ln -sf a/f ab2; for i in $(seq 39); do ln -s c$((i - 1)) c$i; done
ln -s a c0; ls c39/f c38/b; for i in 40 41 42; do ln -s c$((i - 1)) c$i; done; cat c42/f; echo $?
for p in ab ab/c/up loop dang ab/.. a/b/../../a; do readlink $p; readlink -f $p | sed "s#$HOME#H#"
realpath -e --relative-to=. $p 2>&1 | sed "s#$HOME#H#"; realpath -m --relative-to=. $p; done; (cd ab; pwd -L
pwd -P; cd ..; pwd; cd -P ab/c; cd ..; pwd) | sed "s#$HOME#H#"
cat dang; echo x > dang; cat nowhere; ln a/f hard; ln -P ab hardlink; stat -c '%F %h' hard hardlink
ln a dirlink; echo $?; ln -t a/b a/f; ln a/f hard; echo $?
ls -l a/b | awk 'NR > 1 {print $1, $2, $9, $10, $11}'; rm ab/; echo $?; rmdir a/b; echo $?; unlink ab
rmdir a/b/c/..; echo $?; mkdir a/.; echo $?; touch a/f/; echo $?; ls a/f/; echo $?; cat a; echo $?
n=$(printf 'n%.0s' $(seq 255)); touch $n; touch ${n}n 2>&1 | cut -c1-20; mkdir -p $(printf 'd/%.0s' $(seq 300)); find d | wc -l; python3 -c 'import os; os.chdir("d"); print(len(os.listdir("."))); p = "/".join(["d"] * 299); print(os.path.isdir(p)); 
try: os.stat("x/" * 2100)
except OSError as e: print(e.errno)'; ls "$(printf 'a/../%.0s' $(seq 300))a" ; touch $'new\nline' ' sp ace' '*' $'\377bytes' 'ümlaut' -- -dash; ls | wc -l; rm -rf d
