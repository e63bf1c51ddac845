// SPDX-License-Identifier: Apache-2.0
// The stub's blob as constant data of the sentry.
        .section .rodata
        .globl stub_blob_start, stub_blob_end
        .p2align 12
stub_blob_start:
        .incbin STUB_BLOB_FILE
stub_blob_end:
        .section .note.GNU-stack, "", @progbits
