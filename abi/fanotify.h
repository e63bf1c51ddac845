// SPDX-License-Identifier: Apache-2.0
// fanotify(7), and struct file_handle, by which it names objects. Events have the numbers of inotify(7) as
// far as that knows them.
#pragma once

#include <assert.h>
#include <stdint.h>

#define LINUX_FAN_ACCESS         0x00000001u
#define LINUX_FAN_MODIFY         0x00000002u
#define LINUX_FAN_ATTRIB         0x00000004u
#define LINUX_FAN_CLOSE_WRITE    0x00000008u
#define LINUX_FAN_CLOSE_NOWRITE  0x00000010u
#define LINUX_FAN_OPEN           0x00000020u
#define LINUX_FAN_MOVED_FROM     0x00000040u
#define LINUX_FAN_MOVED_TO       0x00000080u
#define LINUX_FAN_CREATE         0x00000100u
#define LINUX_FAN_DELETE         0x00000200u
#define LINUX_FAN_DELETE_SELF    0x00000400u
#define LINUX_FAN_MOVE_SELF      0x00000800u
#define LINUX_FAN_OPEN_EXEC      0x00001000u
#define LINUX_FAN_Q_OVERFLOW     0x00004000u
#define LINUX_FAN_FS_ERROR       0x00008000u
#define LINUX_FAN_EVENT_ON_CHILD 0x08000000u
#define LINUX_FAN_RENAME         0x10000000u
#define LINUX_FAN_ONDIR          0x40000000u

#define LINUX_FAN_CLOEXEC           0x00000001u
#define LINUX_FAN_NONBLOCK          0x00000002u
#define LINUX_FAN_CLASS_NOTIF       0x00000000u
#define LINUX_FAN_CLASS_CONTENT     0x00000004u
#define LINUX_FAN_CLASS_PRE_CONTENT 0x00000008u
#define LINUX_FAN_UNLIMITED_QUEUE   0x00000010u
#define LINUX_FAN_UNLIMITED_MARKS   0x00000020u
#define LINUX_FAN_ENABLE_AUDIT      0x00000040u
#define LINUX_FAN_REPORT_PIDFD      0x00000080u
#define LINUX_FAN_REPORT_TID        0x00000100u
#define LINUX_FAN_REPORT_FID        0x00000200u
#define LINUX_FAN_REPORT_DIR_FID    0x00000400u
#define LINUX_FAN_REPORT_NAME       0x00000800u
#define LINUX_FAN_REPORT_TARGET_FID 0x00001000u
#define LINUX_FAN_REPORT_FD_ERROR   0x00002000u

#define LINUX_FAN_MARK_ADD                 0x00000001u
#define LINUX_FAN_MARK_REMOVE              0x00000002u
#define LINUX_FAN_MARK_DONT_FOLLOW         0x00000004u
#define LINUX_FAN_MARK_ONLYDIR             0x00000008u
#define LINUX_FAN_MARK_MOUNT               0x00000010u
#define LINUX_FAN_MARK_IGNORED_MASK        0x00000020u
#define LINUX_FAN_MARK_IGNORED_SURV_MODIFY 0x00000040u
#define LINUX_FAN_MARK_FLUSH               0x00000080u
#define LINUX_FAN_MARK_FILESYSTEM          0x00000100u
#define LINUX_FAN_MARK_EVICTABLE           0x00000200u
#define LINUX_FAN_MARK_IGNORE              0x00000400u

#define LINUX_FAN_EVENT_INFO_TYPE_FID           1
#define LINUX_FAN_EVENT_INFO_TYPE_DFID_NAME     2
#define LINUX_FAN_EVENT_INFO_TYPE_DFID          3
#define LINUX_FAN_EVENT_INFO_TYPE_PIDFD         4
#define LINUX_FAN_EVENT_INFO_TYPE_OLD_DFID_NAME 10
#define LINUX_FAN_EVENT_INFO_TYPE_NEW_DFID_NAME 12

#define LINUX_FANOTIFY_METADATA_VERSION 3
#define LINUX_FAN_NOFD                  (-1)
#define LINUX_FAN_EPIDFD                (-2)

struct linux_fanotify_event_metadata {
    uint32_t event_len;
    uint8_t vers;
    uint8_t reserved;
    uint16_t metadata_len;
    uint64_t mask;
    int32_t fd;
    int32_t pid;
};
static_assert(sizeof(struct linux_fanotify_event_metadata) == 24, "struct fanotify_event_metadata");
struct linux_fanotify_event_info_header {
    uint8_t info_type;
    uint8_t pad;
    uint16_t len;
};
struct linux_file_handle {
    uint32_t handle_bytes;
    int32_t handle_type;
    uint8_t f_handle[];
};
static_assert(sizeof(struct linux_file_handle) == 8, "struct file_handle");
struct linux_fanotify_event_info_fid {
    struct linux_fanotify_event_info_header hdr;
    int32_t fsid[2];
};
static_assert(sizeof(struct linux_fanotify_event_info_fid) == 12, "struct fanotify_event_info_fid");
struct linux_fanotify_event_info_pidfd {
    struct linux_fanotify_event_info_header hdr;
    int32_t pidfd;
};
