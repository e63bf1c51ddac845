// SPDX-License-Identifier: Apache-2.0
// Where the memory of the cases lies: far from the program, its heap and its stack, so that a call that
// unmaps or protects it hurts nothing else.
#ifndef BADINPUT_PLACES_H
#define BADINPUT_PLACES_H
#define GOOD_AT      0x100000000000ul
#define GOOD_STEP    0x10000ul
#define GOOD_SIZE    0x4000ul
#define EDGE_AT      0x110000001000ul  // the page before it is there, the page at it is not
#define NONE_AT      0x120000000000ul
#define READ_ONLY_AT 0x130000000000ul
#define UNMAPPED_AT  0x140000000000ul
#define NAMES_AT     0x150000000000ul
#define RESULT_AT    0x160000000000ul
enum {  // offsets of names
    NAME_FILE = 0,
    NAME_MISSING = 16,
    NAME_BELOW_FILE = 32,
    NAME_LOOP = 48,
    NAME_NEW = 64,
    NAME_DIRECTORY = 80,
    NAME_XATTR = 96,
    NAME_EMPTY = 112,
    NAME_QUEUE = 128,
    NAME_LONG = 1024,
    NAME_LONGEST = 4096
};
#endif
