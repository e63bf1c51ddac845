// SPDX-License-Identifier: Apache-2.0
// ioctl(2) requests and terminal settings, as on x86-64.
#pragma once

#include <assert.h>
#include <stdint.h>

// Direction, size, type and number of an ioctl in its number.
#define LINUX_IOC_NONE  0u
#define LINUX_IOC_WRITE 1u
#define LINUX_IOC_READ  2u
#define LINUX_IOC(dir, type, nr, size)                                                                       \
    (((uint32_t)(dir) << 30) | ((uint32_t)(size) << 16) | ((uint32_t)(type) << 8) | (uint32_t)(nr))
#define LINUX_IO(type, nr)         LINUX_IOC(LINUX_IOC_NONE, type, nr, 0)
#define LINUX_RNDGETENTCNT         LINUX_IOR('R', 0, 4)
#define LINUX_IOR(type, nr, size)  LINUX_IOC(LINUX_IOC_READ, type, nr, size)
#define LINUX_IOW(type, nr, size)  LINUX_IOC(LINUX_IOC_WRITE, type, nr, size)
#define LINUX_IOWR(type, nr, size) LINUX_IOC(LINUX_IOC_READ | LINUX_IOC_WRITE, type, nr, size)

#define LINUX_TCGETS             0x5401
#define LINUX_TCSETS             0x5402
#define LINUX_TCSETSW            0x5403
#define LINUX_TCSETSF            0x5404
#define LINUX_TCGETA             0x5405
#define LINUX_TCSETA             0x5406
#define LINUX_TCSETAW            0x5407
#define LINUX_TCSETAF            0x5408
#define LINUX_TCSBRK             0x5409
#define LINUX_TCXONC             0x540a
#define LINUX_TCFLSH             0x540b
#define LINUX_TIOCEXCL           0x540c
#define LINUX_TIOCNXCL           0x540d
#define LINUX_TIOCSCTTY          0x540e
#define LINUX_TIOCGPGRP          0x540f
#define LINUX_TIOCSPGRP          0x5410
#define LINUX_TIOCOUTQ           0x5411
#define LINUX_TIOCSTI            0x5412
#define LINUX_TIOCGWINSZ         0x5413
#define LINUX_TIOCSWINSZ         0x5414
#define LINUX_TIOCMGET           0x5415
#define LINUX_TIOCMBIS           0x5416
#define LINUX_TIOCMBIC           0x5417
#define LINUX_TIOCMSET           0x5418
#define LINUX_TIOCGSOFTCAR       0x5419
#define LINUX_TIOCSSOFTCAR       0x541a
#define LINUX_FIONREAD           0x541b
#define LINUX_TIOCINQ            LINUX_FIONREAD
#define LINUX_TIOCLINUX          0x541c
#define LINUX_TIOCCONS           0x541d
#define LINUX_TIOCPKT            0x5420
#define LINUX_FIONBIO            0x5421
#define LINUX_TIOCNOTTY          0x5422
#define LINUX_TIOCSETD           0x5423
#define LINUX_TIOCGETD           0x5424
#define LINUX_TCSBRKP            0x5425
#define LINUX_TIOCSBRK           0x5427
#define LINUX_TIOCCBRK           0x5428
#define LINUX_TIOCGSID           0x5429
#define LINUX_TCGETS2            0x802c542au
#define LINUX_TCSETS2            0x402c542bu
#define LINUX_TCSETSW2           0x402c542cu
#define LINUX_TCSETSF2           0x402c542du
#define LINUX_TIOCGPTN           0x80045430u
#define LINUX_TIOCSPTLCK         0x40045431u
#define LINUX_TIOCGDEV           0x80045432u
#define LINUX_TIOCSIG            0x40045436u
#define LINUX_TIOCVHANGUP        0x5437
#define LINUX_TIOCGPKT           0x80045438u
#define LINUX_TIOCGPTLCK         0x80045439u
#define LINUX_TIOCGEXCL          0x80045440u
#define LINUX_TIOCGPTPEER        0x5441
#define LINUX_FIONCLEX           0x5450
#define LINUX_FIOCLEX            0x5451
#define LINUX_FIOASYNC           0x5452
#define LINUX_FIOQSIZE           0x5460
#define LINUX_TIOCPKT_DATA       0x00
#define LINUX_TIOCPKT_FLUSHREAD  0x01
#define LINUX_TIOCPKT_FLUSHWRITE 0x02
#define LINUX_TIOCPKT_STOP       0x04
#define LINUX_TIOCPKT_START      0x08
#define LINUX_TIOCPKT_NOSTOP     0x10
#define LINUX_TIOCPKT_DOSTOP     0x20
#define LINUX_TIOCPKT_IOCTL      0x40

#define LINUX_FS_IOC_GETFLAGS   0x80086601u
#define LINUX_FS_IOC_SETFLAGS   0x40086602u
#define LINUX_FS_IOC_GETVERSION 0x80087601u
#define LINUX_FS_IOC_FSGETXATTR 0x801c581fu
#define LINUX_FS_IOC_FSSETXATTR 0x401c5820u
#define LINUX_FIBMAP            0x0001
#define LINUX_EPIOCSPARAMS      0x40088a01u
#define LINUX_EPIOCGPARAMS      0x80088a02u
#define LINUX_FIFREEZE              0xc0045877u
#define LINUX_FITHAW                0xc0045878u
#define LINUX_FS_IOC_GETFSUUID      0x80111500u
#define LINUX_FS_IOC_GETFSSYSFSPATH 0x80811501u
#define LINUX_FIGETBSZ          0x0002
#define LINUX_FS_IOC_FIEMAP     0xc020660bu
#define LINUX_FICLONE           0x40049409u
#define LINUX_FICLONERANGE      0x4020940du
#define LINUX_FIDEDUPERANGE     0xc0189436u
#define LINUX_BLKGETSIZE64      0x80081272u
#define LINUX_NS_GET_USERNS     0xb701u

#define LINUX_FIOSETOWN      0x8901
#define LINUX_SIOCSPGRP      0x8902
#define LINUX_FIOGETOWN      0x8903
#define LINUX_SIOCGPGRP      0x8904
#define LINUX_SIOCATMARK     0x8905
#define LINUX_SIOCOUTQNSD    0x894b
#define LINUX_SIOCGSTAMP     0x8906

struct linux_winsize {
    uint16_t ws_row;
    uint16_t ws_col;
    uint16_t ws_xpixel;
    uint16_t ws_ypixel;
};
static_assert(sizeof(struct linux_winsize) == 8, "struct winsize");

#define LINUX_NCCS 19
// The kernel's struct termios; libc's is longer.
struct linux_termios {
    uint32_t c_iflag;
    uint32_t c_oflag;
    uint32_t c_cflag;
    uint32_t c_lflag;
    uint8_t c_line;
    uint8_t c_cc[LINUX_NCCS];
};
static_assert(sizeof(struct linux_termios) == 36, "struct termios");

struct linux_termios2 {
    uint32_t c_iflag;
    uint32_t c_oflag;
    uint32_t c_cflag;
    uint32_t c_lflag;
    uint8_t c_line;
    uint8_t c_cc[LINUX_NCCS];
    uint32_t c_ispeed;
    uint32_t c_ospeed;
};
static_assert(sizeof(struct linux_termios2) == 44, "struct termios2");

struct linux_termio {
    uint16_t c_iflag;
    uint16_t c_oflag;
    uint16_t c_cflag;
    uint16_t c_lflag;
    uint8_t c_line;
    uint8_t c_cc[8];
};
static_assert(sizeof(struct linux_termio) == 18, "struct termio");

// c_cc
#define LINUX_VINTR    0
#define LINUX_VQUIT    1
#define LINUX_VERASE   2
#define LINUX_VKILL    3
#define LINUX_VEOF     4
#define LINUX_VTIME    5
#define LINUX_VMIN     6
#define LINUX_VSWTC    7
#define LINUX_VSTART   8
#define LINUX_VSTOP    9
#define LINUX_VSUSP    10
#define LINUX_VEOL     11
#define LINUX_VREPRINT 12
#define LINUX_VDISCARD 13
#define LINUX_VWERASE  14
#define LINUX_VLNEXT   15
#define LINUX_VEOL2    16

// c_iflag
#define LINUX_IGNBRK  0x0001
#define LINUX_BRKINT  0x0002
#define LINUX_IGNPAR  0x0004
#define LINUX_PARMRK  0x0008
#define LINUX_INPCK   0x0010
#define LINUX_ISTRIP  0x0020
#define LINUX_INLCR   0x0040
#define LINUX_IGNCR   0x0080
#define LINUX_ICRNL   0x0100
#define LINUX_IUCLC   0x0200
#define LINUX_IXON    0x0400
#define LINUX_IXANY   0x0800
#define LINUX_IXOFF   0x1000
#define LINUX_IMAXBEL 0x2000
#define LINUX_IUTF8   0x4000

// c_oflag
#define LINUX_OPOST  0x0001
#define LINUX_OLCUC  0x0002
#define LINUX_ONLCR  0x0004
#define LINUX_OCRNL  0x0008
#define LINUX_ONOCR  0x0010
#define LINUX_ONLRET 0x0020
#define LINUX_OFILL  0x0040
#define LINUX_OFDEL  0x0080
#define LINUX_TABDLY 0x1800
#define LINUX_XTABS  0x1800

// c_cflag
#define LINUX_CBAUD   0x100f
#define LINUX_CBAUDEX 0x1000
#define LINUX_BOTHER  0x1000  // the speed is in c_ospeed
#define LINUX_IBSHIFT 16      // where c_cflag has the input's speed
#define LINUX_B0      0x0000
#define LINUX_B9600   0x000d
#define LINUX_B38400  0x000f
#define LINUX_CSIZE   0x0030
#define LINUX_CS5     0x0000
#define LINUX_CS6     0x0010
#define LINUX_CS7     0x0020
#define LINUX_CS8     0x0030
#define LINUX_CSTOPB  0x0040
#define LINUX_CREAD   0x0080
#define LINUX_PARENB  0x0100
#define LINUX_PARODD  0x0200
#define LINUX_HUPCL   0x0400
#define LINUX_CLOCAL  0x0800
#define LINUX_CRTSCTS 0x80000000u

// c_lflag
#define LINUX_ISIG    0x0001
#define LINUX_ICANON  0x0002
#define LINUX_XCASE   0x0004
#define LINUX_ECHO    0x0008
#define LINUX_ECHOE   0x0010
#define LINUX_ECHOK   0x0020
#define LINUX_ECHONL  0x0040
#define LINUX_NOFLSH  0x0080
#define LINUX_TOSTOP  0x0100
#define LINUX_ECHOCTL 0x0200
#define LINUX_ECHOPRT 0x0400
#define LINUX_ECHOKE  0x0800
#define LINUX_FLUSHO  0x1000
#define LINUX_PENDIN  0x4000
#define LINUX_IEXTEN  0x8000
#define LINUX_EXTPROC 0x10000

// tcflush and tcflow
#define LINUX_TCIFLUSH  0
#define LINUX_TCOFLUSH  1
#define LINUX_TCIOFLUSH 2
#define LINUX_TCOOFF    0
#define LINUX_TCOON     1
#define LINUX_TCIOFF    2
#define LINUX_TCION     3

// Files that stand for a namespace, ioctl_nsfs(2)
#define LINUX_NS_GET_USERNS    0xb701u
#define LINUX_NS_GET_PARENT    0xb702u
#define LINUX_NS_GET_NSTYPE    0xb703u
#define LINUX_NS_GET_OWNER_UID 0xb704u
