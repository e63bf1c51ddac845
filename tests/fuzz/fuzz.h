// SPDX-License-Identifier: Apache-2.0
// What a fuzzer defines: libFuzzer and replay.c call it.
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#endif
