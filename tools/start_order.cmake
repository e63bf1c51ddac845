# SPDX-License-Identifier: Apache-2.0
# What each start runs lies together in picket's text, and its constants too (tools/start_order.py): the kernel maps 64 KiB around each place that is touched.
# Where functions have no sections of their own, or the linker cannot do it, they lie as they come.
set(start_list ${CMAKE_SOURCE_DIR}/tools/start_functions.txt)
set(start_script ${CMAKE_BINARY_DIR}/gen/start_order.ld)
file(STRINGS ${start_list} start_names REGEX "^[^#]")
list(TRANSFORM start_names REPLACE "^([^.]+)$" "        *(.text.\\1 .text.\\1.* .text.startup.\\1)\n")
list(TRANSFORM start_names REPLACE "^(.+[.]o)$" "        *libc.a:\\1(.text .text.*)\n")
set(start_rodata ${start_names})
list(FILTER start_rodata INCLUDE REGEX "libc[.]a")
list(TRANSFORM start_rodata REPLACE "[.]text" ".rodata")
# Constants: not those of traces, of profiles, and what the C library has for other languages; of C-ctype.o the first page is used.
foreach(lib oci stub_blob sentry fs platform gofer host base netstack)
    list(APPEND start_rodata "        *lib${lib}.a:(.rodata .rodata.*)\n")
endforeach()
list(APPEND start_rodata "        *libc.a:itoa-digits.o(.rodata .rodata.*)\n        *libc.a:varshift.o(.rodata .rodata.*)\n        *libc.a:C-ctype.o(.rodata .rodata.*)\n")
list(JOIN start_names "" start_names)
list(JOIN start_rodata "" start_rodata)
file(GENERATE OUTPUT ${start_script} CONTENT "SECTIONS
{
    .text.start : {
${start_names}    }
}
INSERT BEFORE .text;
SECTIONS
{
    .rodata.start : {
${start_rodata}    }
}
INSERT BEFORE .rodata;
")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${start_list})
file(WRITE ${CMAKE_BINARY_DIR}/gen/start_probe.ld "SECTIONS { .text.start : { *(.text.none) } } INSERT BEFORE .text;")
check_linker_flag(C -Wl,-T,${CMAKE_BINARY_DIR}/gen/start_probe.ld PICKET_HAS_ORDER)
if(PICKET_HAS_ORDER AND CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT PICKET_SANITIZE AND NOT PICKET_FUZZ AND NOT PICKET_COVERAGE)
    target_link_options(picket PRIVATE -Wl,-T,${start_script})
    set_property(TARGET picket APPEND PROPERTY LINK_DEPENDS ${start_script})
    add_test(NAME start_order COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/start_order.py --check $<TARGET_FILE:picket>)
    set_tests_properties(start_order PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77)
endif()
