// SPDX-License-Identifier: Apache-2.0
// The binary's entry point alone, so that tests can link all the rest.
#include "oci/cmd.h"

int main(int argc, char **argv) { return picket_main(argc, argv); }
