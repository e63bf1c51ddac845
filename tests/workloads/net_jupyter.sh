# SPDX-License-Identifier: Apache-2.0
# A Jupyter kernel over TCP: started by its client, five ports of ZeroMQ, code that prints, fails, and is interrupted.
# needs: /usr/bin/python3:jupyter_client /usr/bin/python3:ipykernel
# timeout: 240
cd "$1" && chmod 755 .
export HOME=$PWD JUPYTER_RUNTIME_DIR=$PWD/runtime JUPYTER_DATA_DIR=$PWD/data IPYTHONDIR=$PWD/ipython
/usr/bin/python3 -W ignore - <<'P' 2> errors || tail -3 errors
import queue
import sys
import threading
import time

from jupyter_client.manager import KernelManager

m = KernelManager(transport="tcp", kernel_name="python3")
m.kernel_spec.argv[:] = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
m.start_kernel()
c = m.client()
c.start_channels()
c.wait_for_ready(timeout=120)
print("transport:", m.transport)


def run(code, timeout=120):
    told, ident, idle = [], c.execute(code), False
    while True:  # what is told may come behind the word that all is done
        try:
            msg = c.get_iopub_msg(timeout=2 if idle else timeout)
        except queue.Empty:
            if idle:
                return told
            raise
        if msg["parent_header"].get("msg_id") != ident:
            continue
        if msg["msg_type"] == "stream":
            told.append(msg["content"]["text"].strip())
        elif msg["msg_type"] == "execute_result":
            told.append(msg["content"]["data"]["text/plain"])
        elif msg["msg_type"] == "error":
            told.append(msg["content"]["ename"])
        elif msg["msg_type"] == "status" and msg["content"]["execution_state"] == "idle":
            idle = True


print(run("print('hello'); 6 * 7"))
print(run("1 / 0"))
print(run("len('x' * 3_000_000)"))
print(run("print(sum(range(1000)))"))
m.interrupt_kernel()
c.stop_channels()
m.shutdown_kernel()
print("alive:", m.is_alive())
P
