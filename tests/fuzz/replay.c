// SPDX-License-Identifier: Apache-2.0
// Runs a fuzzer over files and directories of inputs, without libFuzzer: the corpus as an ordinary test.
// Every input is also run in all its prefixes up to 64 bytes, and with each of its first 64 bytes inverted.
#include "tests/fuzz/fuzz.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void run(const uint8_t *data, size_t n) {
    uint8_t *exact = malloc(n ? n : 1);  // so that a sanitizer sees any byte read beyond
    if (!exact)
        exit(2);
    memcpy(exact, data, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

static int replay_file(const char *path) {
    static uint8_t buf[1 << 20];
    FILE *in = fopen(path, "rb");
    if (!in) {
        perror(path);
        return 1;
    }
    size_t n = fread(buf, 1, sizeof(buf), in), few = n < 64 ? n : 64;
    fclose(in);
    run(buf, n);
    for (size_t i = 0; i < few; i++)
        run(buf, i);
    for (size_t i = 0; i < few; i++) {
        buf[i] ^= 0xff;
        run(buf, n);
        buf[i] ^= 0xff;
    }
    return 0;
}

static int replay_dir(const char *path) {
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort), failed = n < 0;
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            failed |= replay_file(file);
        free(names[i]);
    }
    free(names);
    return failed;
}

int main(int argc, char **argv) {
    int failed = argc < 2;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) < 0) {
            perror(argv[i]);
            failed = 1;
        } else {
            failed |= S_ISDIR(st.st_mode) ? replay_dir(argv[i]) : replay_file(argv[i]);
        }
    }
    return failed;
}
