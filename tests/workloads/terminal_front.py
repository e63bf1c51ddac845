# SPDX-License-Identifier: Apache-2.0
"""Who is in front of a terminal: a key that means a signal, or that the line discipline edits, is typed only when the
program that it is for has the terminal. A pause of fixed length is not enough on a machine that does other work."""
import os
import time


def wait_in_front(master, command, seconds=30):
    """Waits until the foreground process group of the terminal behind MASTER is led by a process called COMMAND."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with open("/proc/%d/comm" % os.tcgetpgrp(master)) as f:
                if f.read().strip() == command:
                    return
        except OSError:
            pass  # nobody has the terminal yet, or who had it has just ended
        time.sleep(.01)
    raise TimeoutError("%s never came in front" % command)
