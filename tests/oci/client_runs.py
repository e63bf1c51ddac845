# SPDX-License-Identifier: Apache-2.0
"""Options of `podman run` and `docker run`, which both have alike: what a program inside sees of each. A table; define() makes tests of it.
The image is runtime.make_rootfs()'s; there is no network."""
import concurrent.futures
import os
import re

from runtime import at, expect

# name: options, the shell's text, what its output has to match as a whole, exit status
RUNS = {
    "nothing": ([], "pwd; echo $HOME; whoami; id -u", r"/\n/\nroot\n0\n", 0),
    "status": ([], "exit 77", r"", 77),
    "signal": ([], "kill -TERM $$; sleep 9", r"", 143),
    "env": (["-e", "A=b c", "--env", "D=$x"], "echo \"$A.$D\"", r"b c\.\$x\n", 0),
    "env_file": (["--env-file", "{dir}/env"], "echo $FROM", r"a file\n", 0),
    "workdir": (["-w", "/data"], "pwd", r"/data\n", 0),
    "workdir_that_is_made": (["-w", "/made/here"], "pwd", r"/made/here\n", 0),
    "hostname": (["-h", "box-of-mine"], "hostname", r"box-of-mine\n", 0),
    "user": (["-u", "7"], "id -u; id -g", r"7\n0\n", 0),
    "user_and_group": (["-u", "7:8", "--group-add", "99"], "id -u; id -g; id -G | grep -c 99", r"7\n8\n1\n", 0),
    "user_by_name": (["-u", "root"], "id -u", r"0\n", 0),
    "entrypoint": (["--entrypoint", "/bin/echo"], "words", r"-c words\n", 0),
    "init": (["--init"], "sleep 0 & wait; cat /proc/1/comm", r"[\w.-]*init\n", 0),
    "read_only": (["--read-only"], "touch /x 2>&1; touch /dev/shm/y && echo shm", r".*Read-only file system\nshm\n", 0),
    "tmpfs": (["--tmpfs", "/t:size=64k"], "df -k /t | tail -n 1 | awk '{print $2}'; dd if=/dev/zero of=/t/x bs=1k count=100 2>&1 | grep -c space", r"64\n1\n", 0),
    "shm_size": (["--shm-size", "2m"], "df -k /dev/shm | tail -n 1 | awk '{print $2}'", r"2048\n", 0),
    "ulimit": (["--ulimit", "nofile=55:66", "--ulimit", "core=0"], "ulimit -n; ulimit -H -n; ulimit -c", r"55\n66\n0\n", 0),
    "cap_drop": (["--cap-drop", "ALL"], "grep CapEff /proc/self/status; chown 5 /etc/passwd 2>&1", r"CapEff:\t0{16}\n.*not permitted\n", 1),
    "cap_drop_one": (["--cap-drop", "CHOWN"], "chown 5 /etc/passwd 2>&1; mkdir /fine", r".*not permitted\n", 0),
    "cap_add": (["--cap-drop", "ALL", "--cap-add", "CHOWN"], "grep CapEff /proc/self/status; chown 5 /etc/passwd", r"CapEff:\t0{15}1\n", 0),
    "no_new_privileges": (["--security-opt", "no-new-privileges"], "grep NoNewPrivs /proc/self/status", r"NoNewPrivs:\t1\n", 0),
    "seccomp": (["--security-opt", "seccomp={dir}/profile.json"], "mkdir /d 2>&1; touch /f && echo others", r".*Operation not permitted\nothers\n", 0),
    "seccomp_unconfined": (["--security-opt", "seccomp=unconfined"], "grep Seccomp: /proc/self/status", r"Seccomp:\t0\n", 0),
    "seccomp_default": ([], "grep Seccomp: /proc/self/status", r"Seccomp:\t2\n", 0),
    "sysctl": (["--sysctl", "net.ipv4.ip_unprivileged_port_start=77"], "cat /proc/sys/net/ipv4/ip_unprivileged_port_start", r"77\n", 0),
    "memory": (["--memory", "72m"], "grep MemTotal /proc/meminfo", r"MemTotal: +73728 kB\n", 0),
    "cpus": (["--cpus", "1"], "nproc", r"1\n", 0),
    "pids_limit": (["--pids-limit", "9"], "for i in 1 2 3 4 5 6 7 8 9; do sleep 9 & done 2>&1", r"(?s).*can't fork.*", None),
    "oom_score_adj": (["--oom-score-adj", "321"], "cat /proc/self/oom_score_adj", r"321\n", 0),
    "volume": (["-v", "{dir}/shared:/v"], "cat /v/given; echo back > /v/back", r"given\n", 0),
    "volume_read_only": (["-v", "{dir}/shared:/v:ro"], "cat /v/given; touch /v/no 2>&1", r"given\n.*Read-only file system\n", 1),
    "volume_of_a_file": (["-v", "{dir}/shared/given:/etc/given"], "cat /etc/given", r"given\n", 0),
    "mount_bind": (["--mount", "type=bind,src={dir}/shared,dst=/m,readonly"], "cat /m/given; touch /m/no 2>&1", r"given\n.*Read-only file system\n", 1),
    "mount_tmpfs": (["--mount", "type=tmpfs,dst=/m,tmpfs-mode=0700"], "stat -c %a /m; grep -c ' /m tmpfs' /proc/mounts", r"700\n1\n", 0),
    "volume_over_its_files": (["-v", "{dir}/shared:/bin/x", "--tmpfs", "/bin/x/t"], "cat /bin/x/given; touch /bin/x/t/y && echo t", r"given\nt\n", 0),
    "add_host": (["--add-host", "friend:10.9.8.7"], "grep friend /etc/hosts", r"10\.9\.8\.7\s+friend\n", 0),
    "masked_paths": ([], "cat /proc/kcore | wc -c; ls /proc/acpi 2> /dev/null | wc -l; touch /proc/sys/kernel/x 2>&1 | wc -l", r"0\n0\n1\n", 0),
    "devices": ([], "echo x > /dev/null; head -c 9 /dev/zero | wc -c; head -c 5 /dev/urandom | wc -c; echo y > /dev/full", r"9\n5\n", 1),
    "large_output": ([], "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the last", r"x{3000000}\nthe last\n", 0),
}


def define(tests, run, folder, left_out=()):
    """Puts test_run_NAME for each into `tests`. run(*words, options, status) starts a container; folder() has what the options name."""
    def one(options, text, want, status):
        place = folder()
        done = run("sh", "-c", text, options=[word.replace("{dir}", place) for word in options], status=status) if "--entrypoint" not in options else run(
            "-c", text, options=options, status=status)
        expect(re.fullmatch(want, done.stdout), "%r, not %r; %s" % (done.stdout[-300:], want, done.stderr))
    for name, row in RUNS.items():
        if name not in left_out:
            tests["test_run_" + name] = lambda row=row: one(*row)


def make_folder():
    """What the options name."""
    place = at.base + "/runs"
    if not os.path.isdir(place):
        os.makedirs(place + "/shared")
        os.chmod(place + "/shared", 0o777)
        for name, text in (("env", "FROM=a file\n"), ("shared/given", "given\n"), ("profile.json", '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": '
                           '[{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}')):
            with open(os.path.join(place, name), "w") as f:
                f.write(text)
    return place


def many_execs(execute, loses=False):
    """In one container, four at a time: each one's output and status are its own. PICKET_EXECS=200: as many (./dev nightly). `loses`: the
    client may show nothing of what was printed."""
    n = int(os.environ.get("PICKET_EXECS", 20))

    def one(i):
        done = execute("sh", "-c", "echo %d | tee -a /tmp/told; exit %d" % (i, i % 7), status=i % 7)
        expect(done.stdout == "%d\n" % i or (loses and not done.stdout), "the %dth: %r" % (i, done.stdout))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(n)))
    told = execute("sh", "-c", "wc -l < /tmp/told; ps | grep -c [t]ee", status=1).stdout
    expect(told == "%d\n0\n" % n or (loses and not told), "each was there, and none is left: %r" % told)
