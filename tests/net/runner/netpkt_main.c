// SPDX-License-Identifier: Apache-2.0
// netpkt [-v] FILE|FOLDER...: runs packet scripts; the last line counts them. See netpkt.h.
#include "tests/net/runner/netpkt.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static unsigned passed, failed;
static bool verbose;

static bool is_script(const char *name) {
    size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, ".pkt") == 0;
}

static void run(const char *path) {
    struct stat st;
    if (stat(path, &st) < 0) {
        perror(path);
        failed++;
        return;
    }
    if (!S_ISDIR(st.st_mode)) {
        *(run_file(path, verbose) ? &passed : &failed) += 1;
        return;
    }
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char child[4096];
        snprintf(child, sizeof child, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && stat(child, &st) == 0 && (S_ISDIR(st.st_mode) || is_script(child)))
            run(child);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0)
            verbose = true;
        else
            run(argv[i]);
    }
    printf("%u passed, %u failed, 0 skipped\n", passed, failed);
    return failed > 0 || passed == 0;
}
