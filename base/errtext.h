// SPDX-License-Identifier: Apache-2.0
// Text of an error number, for messages of our own. (The numbers of abi/errno.h are the host's.)
#ifndef BASE_ERRTEXT_H
#define BASE_ERRTEXT_H

const char *linux_strerror(int err);  // positive; a constant, or a buffer of this thread

#endif
