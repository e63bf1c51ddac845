// SPDX-License-Identifier: Apache-2.0
// syslog(2), reboot(2), swapon(2), quotactl(2), ioperm(2), lsm_list_modules(2).
#pragma once

#define LINUX_SYSLOG_READ          2
#define LINUX_SYSLOG_READ_ALL      3
#define LINUX_SYSLOG_READ_CLEAR    4
#define LINUX_SYSLOG_CONSOLE_LEVEL 8
#define LINUX_SYSLOG_SIZE_BUFFER   10         // the last
#define LINUX_LOG_BUF_LEN          (1 << 17)  // bytes; CONFIG_LOG_BUF_SHIFT 17

#define LINUX_REBOOT_MAGIC1        0xfee1deadu
#define LINUX_REBOOT_MAGIC2        672274793u
#define LINUX_REBOOT_MAGIC2A       85072278u
#define LINUX_REBOOT_MAGIC2B       369367448u
#define LINUX_REBOOT_MAGIC2C       537993216u
#define LINUX_REBOOT_CMD_RESTART   0x01234567u
#define LINUX_REBOOT_CMD_RESTART2  0xa1b2c3d4u
#define LINUX_REBOOT_CMD_HALT      0xcdef0123u
#define LINUX_REBOOT_CMD_POWER_OFF 0x4321fedcu

#define LINUX_SWAP_FLAGS 0x7ffffu  // priority, PREFER, DISCARD and its two kinds

#define LINUX_MAXQUOTAS 3
#define LINUX_Q_SYNC    0x800001u  // above the type's eight bits

#define LINUX_IO_PORTS 65536

#define LINUX_LSM_ID_CAPABILITY 100
#define LINUX_LSM_ID_LANDLOCK   110
