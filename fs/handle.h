// SPDX-License-Identifier: Apache-2.0
// Handles of objects (struct file_handle): what fanotify(7) and /proc/PID/fdinfo name an object by. Two are
// equal when the objects are one, within a file system; nothing is opened by one.
#ifndef FS_HANDLE_H
#define FS_HANDLE_H
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define HANDLE_BYTES 12
#define HANDLE_TYPE  0x81  // FILEID_INO64_GEN: a number of 64 bits and a generation, which is always 0 here

static inline void handle_of_ino(uint64_t ino, uint8_t out[HANDLE_BYTES]) {
    memset(out, 0, HANDLE_BYTES);
    memcpy(out, &ino, sizeof ino);
}

// In hexadecimal digits, as fdinfo shows it.
static inline void handle_text(uint64_t ino, char out[2 * HANDLE_BYTES + 1]) {
    uint8_t bytes[HANDLE_BYTES];
    handle_of_ino(ino, bytes);
    for (int i = 0; i < HANDLE_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

#endif
