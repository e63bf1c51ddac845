// SPDX-License-Identifier: Apache-2.0
// picket spec [--bundle DIR]: a config.json to begin with. picket features: what this runtime can do, as
// runtime-spec's features.md has it.
#include "base/cleanup.h"
#include "oci/cmd.h"
#include "oci/opt.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPS "[\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"]"

static const char spec[] =
    "{\"ociVersion\": \"" OCI_SPEC_VERSION "\","
    " \"process\": {\"terminal\": true, \"user\": {\"uid\": 0, \"gid\": 0}, \"args\": [\"sh\"],"
    "  \"env\":"
    " [\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\", \"TERM=xterm\"],"
    "  \"cwd\": \"/\","
    "  \"capabilities\": {\"bounding\": " CAPS ", \"effective\": " CAPS ", \"permitted\": " CAPS "},"
    "  \"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"hard\": 1024,"
    " \"soft\": 1024}], \"noNewPrivileges\": true},"
    " \"root\": {\"path\": \"rootfs\", \"readonly\": true}, \"hostname\": \"picket\","
    " \"mounts\": ["
    "  {\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\"},"
    "  {\"destination\": \"/dev\", \"type\": \"tmpfs\", \"source\": \"tmpfs\","
    "   \"options\": [\"nosuid\", \"strictatime\", \"mode=755\", \"size=65536k\"]},"
    "  {\"destination\": \"/dev/pts\", \"type\": \"devpts\", \"source\": \"devpts\","
    "   \"options\": [\"nosuid\", \"noexec\", \"newinstance\", \"ptmxmode=0666\","
    " \"mode=0620\", \"gid=5\"]},"
    "  {\"destination\": \"/dev/shm\", \"type\": \"tmpfs\", \"source\": \"shm\","
    "   \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"mode=1777\", \"size=65536k\"]},"
    "  {\"destination\": \"/sys\", \"type\": \"sysfs\", \"source\": \"sysfs\","
    "   \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"ro\"]}],"
    " \"linux\": {\"namespaces\": [{\"type\": \"pid\"}, {\"type\": \"network\"},"
    " {\"type\": \"ipc\"}, {\"type\": \"uts\"},"
    "   {\"type\": \"mount\"}],"
    "  \"maskedPaths\": [\"/proc/acpi\", \"/proc/kcore\", \"/proc/keys\","
    " \"/proc/timer_list\", \"/sys/firmware\"],"
    "  \"readonlyPaths\": [\"/proc/bus\", \"/proc/fs\", \"/proc/irq\","
    " \"/proc/sys\", \"/proc/sysrq-trigger\"]}}";

// What an ordinary user may ask for: a user namespace with the own number alone.
static int make_rootless(json_t *j) {
    json_t *linux_ = json_object_get(j, "linux");
    const struct {
        const char *field;
        json_int_t id;
    } maps[] = {{"uidMappings", geteuid()}, {"gidMappings", getegid()}};
    int err = json_array_append_new(json_object_get(linux_, "namespaces"), json_pack("{ss}", "type", "user"));
    for (size_t i = 0; i < 2 && err == 0; i++)
        err = json_object_set_new(linux_, maps[i].field,
                                  json_pack("[{sisIsi}]", "containerID", 0, "hostID", maps[i].id, "size", 1));
    return err;
}

int cmd_spec(struct oci *o, int argc, char **argv, struct error *e) {
    const char *bundle = ".";
    bool rootless = false;
    const struct opt opts[] = {{"bundle", 'b', OPT_TEXT, &bundle}, {"rootless", 0, OPT_FLAG, &rootless}, {0}};
    if (opt_parse(argc, argv, opts, "spec [--bundle DIR]", 0, 0, e) < 0)
        return -1;
    int dir cleanup_close = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd cleanup_close =
        dir < 0 ? -1 : openat(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return error_errno(e, errno, "spec: %s/config.json", bundle);
    json_t *j = json_loads(spec, 0, NULL);
    if (rootless && make_rootless(j) < 0)
        json_decref(take_ptr(j));
    char *text cleanup_free = j ? json_dumps(j, JSON_INDENT(4)) : NULL;
    json_decref(j);
    if (!text || dprintf(fd, "%s\n", text) < 0)
        return error_errno(e, errno ? errno : ENOMEM, "spec: %s/config.json", bundle);
    return 0;
}

static const char features[] =
    "{\"ociVersionMin\": \"1.0.0\", \"ociVersionMax\": \"" OCI_SPEC_VERSION "\","
    " \"hooks\": [\"prestart\", \"createRuntime\", \"createContainer\", \"startContainer\","
    "  \"poststart\", \"poststop\"],"
    " \"mountOptions\": [\"bind\", \"dev\", \"exec\", \"nodev\", \"noexec\","
    " \"nosuid\", \"rbind\", \"rdev\", \"rexec\", \"rnodev\", \"rnoexec\", \"rnosuid\", \"ro\","
    " \"rro\", \"rrw\", \"rsuid\", \"rw\", \"suid\", \"tmpcopyup\"],"
    " \"linux\": {"
    "  \"namespaces\": [\"cgroup\", \"ipc\", \"mount\", \"network\", \"pid\", \"user\", \"uts\"],"
    "  \"cgroup\": {\"v1\": true, \"v2\": true, \"systemd\": false,"
    " \"systemdUser\": false, \"rdma\": false},"
    "  \"seccomp\": {\"enabled\": true, \"actions\": [\"SCMP_ACT_ALLOW\", \"SCMP_ACT_ERRNO\","
    " \"SCMP_ACT_KILL\", \"SCMP_ACT_KILL_PROCESS\", \"SCMP_ACT_KILL_THREAD\", \"SCMP_ACT_LOG\","
    " \"SCMP_ACT_TRACE\", \"SCMP_ACT_TRAP\"],"
    "   \"operators\": [\"SCMP_CMP_EQ\", \"SCMP_CMP_GE\", \"SCMP_CMP_GT\", \"SCMP_CMP_LE\","
    " \"SCMP_CMP_LT\", \"SCMP_CMP_MASKED_EQ\", \"SCMP_CMP_NE\"],"
    "   \"archs\": [\"SCMP_ARCH_X32\", \"SCMP_ARCH_X86\", \"SCMP_ARCH_X86_64\"],"
    "   \"knownFlags\": [\"SECCOMP_FILTER_FLAG_LOG\", \"SECCOMP_FILTER_FLAG_SPEC_ALLOW\","
    " \"SECCOMP_FILTER_FLAG_TSYNC\"],"
    "   \"supportedFlags\": [\"SECCOMP_FILTER_FLAG_LOG\", \"SECCOMP_FILTER_FLAG_SPEC_ALLOW\","
    " \"SECCOMP_FILTER_FLAG_TSYNC\"]}, \"apparmor\": {\"enabled\": false},"
    " \"selinux\": {\"enabled\": false},"
    "  \"intelRdt\": {\"enabled\": false}, \"mountExtensions\": {\"idmap\": {\"enabled\": false}},"
    "  \"netDevices\": {\"enabled\": false}, \"memoryPolicy\": {}},"
    " \"annotations\": {\"dev.picket.version\": \"" PICKET_VERSION
    "\", \"run.oci.checkpoint.enabled\": \"false\"},"
    " \"potentiallyUnsafeConfigAnnotations\": []}";

int cmd_features(struct oci *o, int argc, char **argv, struct error *e) {
    static const struct opt none[] = {{0}};
    if (opt_parse(argc, argv, none, "features", 0, 0, e) < 0)
        return -1;
    json_t *j = json_loads(features, 0, NULL);
    char *text cleanup_free = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
    json_decref(j);
    if (!text)
        return error_set(e, "no memory");
    puts(text);
    return 0;
}
