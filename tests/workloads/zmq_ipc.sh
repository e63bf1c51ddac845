# SPDX-License-Identifier: Apache-2.0
# libzmq, which asks for the machine's links when it starts: requests and subscriptions between processes over ipc://, as a
# Jupyter kernel and its front end talk.
# needs: /usr/bin/python3:zmq
cd "$1" && /usr/bin/python3 - <<'P'
import multiprocessing, zmq

def kernel():
    c = zmq.Context()
    shell, iopub = c.socket(zmq.ROUTER), c.socket(zmq.PUB)
    shell.bind("ipc://shell"); iopub.bind("ipc://iopub")
    while True:
        who, text = shell.recv_multipart()
        iopub.send(b"ran " + text)
        shell.send_multipart([who, text.upper()])
        if text == b"stop": break
    c.destroy(linger=1000)

p = multiprocessing.Process(target=kernel); p.start()
c = zmq.Context()
ask, hear = c.socket(zmq.DEALER), c.socket(zmq.SUB)
hear.subscribe(b""); hear.connect("ipc://iopub"); ask.connect("ipc://shell")
heard = False
while not heard:  # until the subscription has arrived
    ask.send(b"ping"); ask.recv()
    heard = hear.poll(100)
last = hear.recv()
for n in range(1000):
    ask.send(b"execute %d" % n)
    assert ask.recv() == b"EXECUTE %d" % n
    while last != b"ran execute %d" % n: last = hear.recv()
ask.send(b"stop"); print(ask.recv())
while last != b"ran stop": last = hear.recv()
print(last); p.join(); print(p.exitcode)
c.destroy()
P
