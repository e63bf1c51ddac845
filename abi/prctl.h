// SPDX-License-Identifier: Apache-2.0
// prctl(2) and arch_prctl(2).
#pragma once

#include "abi/caps.h" // LINUX_SECBIT_*

#define LINUX_PR_SET_PDEATHSIG             1
#define LINUX_PR_GET_PDEATHSIG             2
#define LINUX_PR_GET_DUMPABLE              3
#define LINUX_PR_SET_DUMPABLE              4
#define LINUX_PR_GET_UNALIGN               5
#define LINUX_PR_SET_UNALIGN               6
#define LINUX_PR_GET_KEEPCAPS              7
#define LINUX_PR_SET_KEEPCAPS              8
#define LINUX_PR_GET_FPEMU                 9
#define LINUX_PR_SET_FPEMU                 10
#define LINUX_PR_GET_FPEXC                 11
#define LINUX_PR_SET_FPEXC                 12
#define LINUX_PR_GET_TIMING                13
#define LINUX_PR_SET_TIMING                14
#define LINUX_PR_TIMING_STATISTICAL        0
#define LINUX_PR_SET_NAME                  15
#define LINUX_PR_GET_NAME                  16
#define LINUX_PR_GET_ENDIAN                19
#define LINUX_PR_SET_ENDIAN                20
#define LINUX_PR_GET_SECCOMP               21
#define LINUX_PR_SET_SECCOMP               22
#define LINUX_PR_CAPBSET_READ              23
#define LINUX_PR_CAPBSET_DROP              24
#define LINUX_PR_GET_TSC                   25
#define LINUX_PR_SET_TSC                   26
#define LINUX_PR_GET_SECUREBITS            27
#define LINUX_PR_SET_SECUREBITS            28
#define LINUX_PR_SET_TIMERSLACK            29
#define LINUX_PR_GET_TIMERSLACK            30
#define LINUX_PR_TASK_PERF_EVENTS_DISABLE  31
#define LINUX_PR_TASK_PERF_EVENTS_ENABLE   32
#define LINUX_PR_MCE_KILL                  33
#define LINUX_PR_MCE_KILL_GET              34
#define LINUX_PR_SET_MM                    35
#define LINUX_PR_SET_CHILD_SUBREAPER       36
#define LINUX_PR_GET_CHILD_SUBREAPER       37
#define LINUX_PR_SET_NO_NEW_PRIVS          38
#define LINUX_PR_GET_NO_NEW_PRIVS          39
#define LINUX_PR_GET_TID_ADDRESS           40
#define LINUX_PR_SET_THP_DISABLE           41
#define LINUX_PR_GET_THP_DISABLE           42
#define LINUX_PR_CAP_AMBIENT               47
#define LINUX_PR_CAP_AMBIENT_IS_SET        1
#define LINUX_PR_CAP_AMBIENT_RAISE         2
#define LINUX_PR_CAP_AMBIENT_LOWER         3
#define LINUX_PR_CAP_AMBIENT_CLEAR_ALL     4
#define LINUX_PR_GET_SPECULATION_CTRL      52
#define LINUX_PR_SET_SPECULATION_CTRL      53
#define LINUX_PR_SET_IO_FLUSHER            57
#define LINUX_PR_GET_IO_FLUSHER            58
#define LINUX_PR_SET_SYSCALL_USER_DISPATCH 59
#define LINUX_PR_SCHED_CORE                62
#define LINUX_PR_SET_MDWE                  65
#define LINUX_PR_MDWE_REFUSE_EXEC_GAIN     1u
#define LINUX_PR_MDWE_NO_INHERIT           2u
#define LINUX_PR_GET_MDWE                  66
#define LINUX_PR_SET_MEMORY_MERGE          67
#define LINUX_PR_GET_MEMORY_MERGE          68
#define LINUX_PR_GET_AUXV                  0x41555856
#define LINUX_PR_SET_VMA                   0x53564d41
#define LINUX_PR_SET_VMA_ANON_NAME         0
#define LINUX_PR_SET_PTRACER               0x59616d61
#define LINUX_PR_SET_PTRACER_ANY           (~0ull)

#define LINUX_TASK_COMM_LEN 16

#define LINUX_PR_TSC_ENABLE  1
#define LINUX_PR_TSC_SIGSEGV 2

#define LINUX_PR_MCE_KILL_CLEAR   0
#define LINUX_PR_MCE_KILL_SET     1
#define LINUX_PR_MCE_KILL_DEFAULT 2

#define LINUX_PR_SPEC_L1D_FLUSH 2  // the last that may be asked for
#define LINUX_PR_SPEC_ENABLE    2

// /proc/PID/coredump_filter: the bits there are, and those set at first.
#define LINUX_COREDUMP_FILTER_ALL     0x1ffu
#define LINUX_COREDUMP_FILTER_DEFAULT 0x33u

#define LINUX_ARCH_SET_GS         0x1001
#define LINUX_ARCH_SET_FS         0x1002
#define LINUX_ARCH_GET_FS         0x1003
#define LINUX_ARCH_GET_GS         0x1004
#define LINUX_ARCH_GET_CPUID      0x1011
#define LINUX_ARCH_SET_CPUID      0x1012
#define LINUX_ARCH_GET_XCOMP_SUPP 0x1021
#define LINUX_ARCH_GET_XCOMP_PERM 0x1022
#define LINUX_ARCH_REQ_XCOMP_PERM 0x1023
#define LINUX_ARCH_CET_STATUS     0x3001
#define LINUX_ARCH_SHSTK_ENABLE   0x5001
#define LINUX_ARCH_SHSTK_DISABLE  0x5002
#define LINUX_ARCH_SHSTK_LOCK     0x5003
#define LINUX_ARCH_SHSTK_UNLOCK   0x5004
#define LINUX_ARCH_SHSTK_STATUS   0x5005
