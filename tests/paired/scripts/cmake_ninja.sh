# SPDX-License-Identifier: Apache-2.0
# cmake and ninja: a C library and a C++ program, tests, install.
# needs: cmake ninja g++
# timeout: 180
mkdir s; cat > s/CMakeLists.txt <<'M'
cmake_minimum_required(VERSION 3.16)
project(demo C CXX)
enable_testing()
add_library(part SHARED part.c)
add_executable(prog prog.cc)
target_link_libraries(prog part)
add_custom_command(OUTPUT gen.txt COMMAND sh -c "echo generated > gen.txt" VERBATIM)
add_custom_target(gen ALL DEPENDS gen.txt)
add_test(NAME runs COMMAND prog)
install(TARGETS part prog)
M
echo 'int part(int n) { return n + 1; }' > s/part.c
cat > s/prog.cc <<'M'
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
extern "C" int part(int);
int main() {
    std::vector<std::thread> all; std::vector<int> got(4);
    for (int i = 0; i < 4; i++) all.emplace_back([&got, i] { got[i] = part(i); });
    for (auto &t : all) t.join();
    try { throw std::runtime_error("caught"); } catch (const std::exception &e) { std::cout << e.what() << "\n"; }
    for (int n : got) std::cout << n << " "; std::cout << std::endl;
}
M
cmake -S s -B b -G Ninja -DCMAKE_BUILD_TYPE=Release > .tmp/log; echo $?
grep -E 'Check for working|Found|done' .tmp/log; rm .tmp/log
ninja -C b --quiet; echo $?; ./b/prog; (cd b && ctest 2>&1 | grep 'tests passed')
DESTDIR=$PWD/i cmake --install b --prefix /usr > /dev/null
find i | sort; ./i/usr/bin/prog; LD_LIBRARY_PATH=i/usr/lib ./i/usr/bin/prog; ninja -C b
ninja -C b -t clean -q 2>/dev/null; rm -rf b i
