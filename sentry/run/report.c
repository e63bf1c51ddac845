// SPDX-License-Identifier: Apache-2.0
// See sentry/report.h.
#include "sentry/report.h"

const char *end_cause_name(uint32_t cause) {
#define NAME(name, text) text,
    static const char *const names[] = {END_CAUSES(NAME)};
#undef NAME
    return cause < END_CAUSES_N ? names[cause] : names[END_HOST];
}
