// SPDX-License-Identifier: Apache-2.0
// See hooks.h. A hook is the caller's own program: it runs with the caller's rights, in the caller's
// namespaces, with the environment that config.json gives it and no other.
#include "oci/hooks.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "oci/json.h"
#include "oci/run.h"
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SECONDS 60

static const char *const points[] = {[PRESTART] = "hooks.prestart",
                                     [CREATE_RUNTIME] = "hooks.createRuntime",
                                     [CREATE_CONTAINER] = "hooks.createContainer",
                                     [POSTSTART] = "hooks.poststart",
                                     [POSTSTOP] = "hooks.poststop"};

int hooks_check(const struct config *c, struct error *e) {
    for (unsigned p = 0; p < NHOOKS; p++) {
        size_t i;
        json_t *hook;
        json_array_foreach(config_get(c->json, points[p]), i, hook) {
            const char *path = json_string_value(json_object_get(hook, "path"));
            json_t *timeout = config_get(hook, "timeout");
            int64_t seconds = 1;
            if (!path || path[0] != '/')
                return error_set(e, "%s: %s[%zu].path: is not an absolute path", c->file, points[p], i);
            if (timeout && (!json_whole(timeout, &seconds) || seconds <= 0))
                return error_set(e, "%s: %s[%zu].timeout: is not above zero", c->file, points[p], i);
        }
    }
    return 0;
}

static char **vector(json_t *list, const char *first) {
    size_t n = json_array_size(list), i;
    char **v = xcalloc(n + 2, sizeof *v);
    json_t *s;
    if (v && n == 0 && first)
        v[0] = (char *)first;
    json_array_foreach(list, i, s) if (v) v[i] = (char *)json_string_value(s);
    return v;
}

static int run_one(json_t *hook, const char *point, const char *state, struct error *e) {
    const char *path = json_string_value(json_object_get(hook, "path"));
    char **argv cleanup_free = vector(config_get(hook, "args"), path);
    char **envp cleanup_free = vector(config_get(hook, "env"), NULL);
    int64_t seconds = DEFAULT_SECONDS;
    json_t *timeout = config_get(hook, "timeout");
    if (timeout)
        json_whole(timeout, &seconds);
    if (!argv || !envp)
        return error_set(e, "%s: no memory", point);
    char why[128];
    int status =
        run_program(path, argv, envp, state, seconds < 86400 ? (int)seconds : 86400, why, sizeof why);
    return status == 0 ? 0 : error_set(e, "%s: %s: %s", point, path, why);
}

int hooks_run(json_t *json, enum hook_point at, const struct container *c, struct error *e) {
    size_t i;
    json_t *hook, *list = config_get(json, points[at]);
    char *state cleanup_free = json_array_size(list) ? container_state_json(c, false) : NULL;
    if (json_array_size(list) && !state)
        return error_set(e, "%s: no memory", points[at]);
    json_array_foreach(list, i, hook) if (run_one(hook, points[at], state, e) < 0) return -1;
    return 0;
}
