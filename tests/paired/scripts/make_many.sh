# SPDX-License-Identifier: Apache-2.0
# make -j with many targets, recursion, order, a failing target with -k, jobserver, touch and what is remade.
# needs: make gcc
mkdir src; for i in $(seq 80); do echo "int f$i(void){return $i;}" > src/f$i.c; done
echo 'extern int f1(void), f80(void); int main(void){return f1() + f80() == 81 ? 0 : 1;}' > src/main.c
cat > Makefile <<'M'
OBJ := $(patsubst src/%.c,obj/%.o,$(wildcard src/*.c))
DATA := $(addprefix data/d,$(shell seq 150))
all: prog $(DATA) sub
prog: $(OBJ) ; @gcc -o $@ $(sort $^)
obj/%.o: src/%.c | obj ; @cp $< $@.tmp && if [ $* = main ] || [ $* = f1 ] || [ $* = f80 ]; then gcc -c -o $@ $<; else echo "" | gcc -c -x c -o $@ -; fi; rm $@.tmp
obj data: ; @mkdir -p $@
data/d%: | data ; @echo $* | md5sum > $@
sub: ; @$(MAKE) --no-print-directory -f sub.mk
.PHONY: all sub
M
printf 'all: a b c\n%%: ; @echo $@ > sub.$@\n' > sub.mk
sed -i '/^OBJ/s/.*/OBJ := $(patsubst src\/%.c,obj\/%.o,$(wildcard src\/main.c src\/f1.c src\/f80.c src\/f2?.c))/' Makefile
make -j4; echo $?; ./prog; echo $?; make -j4; ls data | wc -l
sleep 0.02; touch src/f20.c; make -n prog | wc -l; make -q prog; echo $?
printf 'all: a b c\na c: ; @echo $@ ; test $@ = c\nb: ; @exit 3\n' > bad.mk
make -f bad.mk -k -j2 > .tmp/log 2>&1; echo $?; sort .tmp/log; rm .tmp/log
