# SPDX-License-Identifier: Apache-2.0
# ar, ranlib, ld -r, objcopy, strip, nm, size, readelf: archives made, changed in place, taken apart, linked.
# needs: gcc ar objcopy readelf
for i in 1 2 3 4; do echo "int f$i(void) { return $i; } const char text${i}[] = \"text $i\";" > f$i.c; gcc -c -O1 f$i.c -o f$i.o; done
ar rcsD lib.a f1.o f2.o f3.o; ar t lib.a; ar rD lib.a f4.o; ar dD lib.a f2.o; ar mD lib.a f1.o; ar t lib.a
ranlib -D lib.a; nm -s lib.a | head -20; mkdir x && cd x && ar x ../lib.a; ls; cmp f1.o ../f1.o; cd ..
ld -r -o both.o f1.o f2.o; nm both.o; size both.o | tail -1
printf 'int f1(void), f3(void), f4(void); int main(void) { return f1() + f3() + f4(); }' > main.c
gcc -g main.c lib.a -o main; ./main; echo $?; cp main stripped; strip stripped; ./stripped; echo $?
test $(stat -c %s stripped) -lt $(stat -c %s main) && echo smaller
objcopy --only-keep-debug main main.debug; objcopy --add-gnu-debuglink=main.debug stripped; readelf -S stripped | grep -c gnu_debuglink
objcopy -O binary -j .rodata both.o raw; od -c raw | head -4; strings -n 5 raw
gcc -shared -fPIC f1.c f2.c -o libf.so -Wl,-soname,libf.so.1; ln -s libf.so libf.so.1; readelf -d libf.so | grep SONAME
printf 'int f2(void); int main(void) { return f2(); }' > m2.c; gcc m2.c -L. -lf -o m2; LD_LIBRARY_PATH=. ./m2; echo $?
rm -f main main.debug stripped m2 libf.so *.o x/*.o
