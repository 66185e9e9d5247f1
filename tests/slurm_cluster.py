"""
A real Slurm on this machine, for tests: munged, slurmctld, and nodes that can lose power.

Each daemon runs in the foreground, as a child of this process, is stopped by its process id, and
ends with this process however that ends. A node is a slurmd in namespaces of its own, for which it
has its own host name and process numbers: leases and journals see several machines. Killing the
namespace's first process is a power cut: all that ran on the node is gone at once.

Cores, memory and GPUs of nodes are pretended, so that many jobs can wait beside each other.
Partitions: `main` of two nodes; `power` of two, for power cuts; `low` and `urgent`, which preempts
it, of one; `hole` of two, for nodes on which nothing runs.

Nothing outside the cluster's folder is touched, and it listens on the loopback interface alone.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

NODES = tuple(f"n{i}" for i in range(1, 8))
DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "unshare", "setpriv")
ACCOUNTING = ("mariadbd", "mariadb-install-db", "mariadb", "slurmdbd", "sacct")
START_S = 30.0
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
CONF = """
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={home}/munge.sock,cred_expire=5
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool/%n
SlurmctldPidFile={home}/run/slurmctld.pid
SlurmdPidFile={home}/run/%n.pid
SlurmctldLogFile={home}/log/slurmctld.log
SlurmdLogFile={home}/log/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherParams=OverMemoryKill
JobAcctGatherFrequency=task=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=2000
ReturnToService=2
SlurmdTimeout=8
MessageTimeout=4
TCPTimeout=1
SlurmctldTimeout=30
KillWait=5
MinJobAge={remembered}
MaxArraySize=11
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SlurmctldParameters=preempt_send_user_signal
JobCompType=jobcomp/none
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName=n[1-7] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs=8 RealMemory=32000 Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=n[1-2] Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=20 State=UP
PartitionName=power Nodes=n[3-4] PriorityTier=1 State=UP
PartitionName=low Nodes=n5 PriorityTier=1 PreemptMode=REQUEUE GraceTime=20 State=UP
PartitionName=urgent Nodes=n5 PriorityTier=10 PreemptMode=OFF State=UP
PartitionName=hole Nodes=n[6-7] PriorityTier=1 State=UP
"""  # noqa: E501  # lines of Slurm's
CGROUP = "CgroupPlugin=cgroup/v1\nConstrainCores=no\nConstrainRAMSpace=no\nConstrainDevices=no\n"
DBD = """
AuthType=auth/munge
AuthInfo=socket={home}/munge.sock
DbdHost=localhost
DbdPort={dbd}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
LogFile={home}/log/slurmdbd.log
PidFile={home}/run/slurmdbd.pid
"""
GRANT = (
    "create database slurm; create user 'slurm'@'localhost' identified by 'slurm'; "
    "grant all on slurm.* to 'slurm'@'localhost'"
)


def lacking(*, accounting: bool = False) -> str:
    """Why no cluster can be started here; empty if one can."""
    wanted = (*DAEMONS, *(ACCOUNTING if accounting else ()))
    gone = [name for name in wanted if not shutil.which(name, path=PATH)]
    if gone:
        return f"no {', '.join(gone)}; `make system` installs them"
    if os.geteuid():
        return "not root, who alone has namespaces for nodes"
    tried = ["unshare", "--pid", "--uts", "--mount", "--fork", "--mount-proc", "true"]
    if subprocess.run(tried, capture_output=True, check=False).returncode:
        return "no namespaces for nodes"
    return ""


class SlurmCluster:
    """
    A cluster of the nodes `NODES`; close it.

    Args:
        home: a folder of its own, whose path is short: it holds a socket.
        accounting: have `sacct`, by a database of its own (10 s more), and a controller that
            forgets jobs seconds after their end.
    """

    def __init__(self, home: Path, *, accounting: bool = False) -> None:
        self.home, self.accounting = home, accounting
        self.conf = home / "etc" / "slurm.conf"
        self.environment = {**os.environ, "PATH": PATH, "SLURM_CONF": str(self.conf)}
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("etc", "state", "log", "run", "spool", "munge", "db"):
            (home / name).mkdir(parents=True)
        self._configure()
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def call(self, *words: str, check: bool = True) -> str:
        """What a command of Slurm prints."""
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def power_on(self, node: str) -> None:
        spaces = ["--pid", "--uts", "--mount", "--fork", "--kill-child", "--mount-proc"]
        inside = f"hostname {node} && exec slurmd -D -N {node}"
        self._spawn(node, "unshare", *spaces, "sh", "-c", inside)

    def power_off(self, node: str) -> None:
        """Cut a node's power: all that runs on it is gone, and nobody is told."""
        self._stop(node, kill=True)

    def start_controller(self) -> None:
        self._spawn("slurmctld", "slurmctld", "-D")

    def stop_controller(self) -> None:
        self._stop("slurmctld")

    def rest(self) -> None:
        """Wait until all nodes are idle, switching on those that are off."""
        for node in NODES:
            if node not in self.daemons:
                self.power_on(node)
        until(lambda: self._nodes() == {"idle"}, START_S, self._tell)

    def close(self) -> None:
        for node in NODES:
            self._stop(node, kill=True)
        for name in ("slurmctld", "slurmdbd", "mariadbd", "munged"):
            self._stop(name)

    def _configure(self) -> None:
        home = self.home
        ctld, first, dbd = _free_ports(1), _free_ports(len(NODES)), _free_ports(1)
        text = CONF.format(
            home=home, remembered=2 if self.accounting else 300,
            host=socket.gethostname().partition(".")[0],
            ctld=ctld, first=first, last=first + len(NODES) - 1,
        )  # fmt: skip
        if self.accounting:
            text += (
                "AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=localhost"
                f"\nAccountingStoragePort={dbd}\nAccountingStoragePass={home}/munge.sock\n"
            )
            path = home / "etc" / "slurmdbd.conf"
            path.write_text(DBD.format(home=home, dbd=dbd), encoding="utf-8")
            path.chmod(0o600)
        self.conf.write_text(text, encoding="utf-8")
        (home / "etc" / "cgroup.conf").write_text(CGROUP, encoding="utf-8")
        for i in (0, 1):  # GPUs that are none, so that CUDA_VISIBLE_DEVICES is set
            os.mknod(home / f"gpu{i}", 0o20666, os.makedev(1, 3))
        (home / "etc" / "gres.conf").write_text(f"Name=gpu File={home}/gpu[0-1]\n", "utf-8")
        (home / "munge").chmod(0o700)
        (home / "munge" / "key").write_bytes(os.urandom(1024))
        (home / "munge" / "key").chmod(0o400)

    def _start(self) -> None:
        home = self.home
        own = ["--force", f"--key-file={home}/munge/key", f"--socket={home}/munge.sock"]
        more = [f"--seed-file={home}/munge/seed", f"--pid-file={home}/run/munged.pid"]
        log = f"--log-file={home}/log/munged.log"
        self._spawn("munged", "munged", "--foreground", *own, *more, log)
        until((home / "munge.sock").exists, START_S, self._tell)
        if self.accounting:
            self._start_accounting()
        self.start_controller()
        self.rest()

    def _start_accounting(self) -> None:
        home, sock = self.home, f"--socket={self.home}/db/sock"
        own = ["--no-defaults", "--user=root", f"--datadir={home}/db"]
        easy = ["--skip-test-db", "--auth-root-authentication-method=normal"]
        self.call("mariadb-install-db", *own, *easy)
        small = ["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M"]
        self._spawn("mariadbd", "mariadbd", *own, sock, "--skip-networking", *small)
        ask = ["mariadb", "--no-defaults", "-u", "root", sock, "-e"]
        until(lambda: self._answers(*ask, "select 1"), START_S, self._tell)
        self.call(*ask, GRANT)
        self.environment["MYSQL_UNIX_PORT"] = f"{home}/db/sock"
        self._spawn("slurmdbd", "slurmdbd", "-D")
        until(lambda: self._answers("sacctmgr", "-n", "list", "cluster"), START_S, self._tell)
        self.call("sacctmgr", "-i", "add", "cluster", "bench")

    def _answers(self, *words: str) -> bool:
        try:
            return not subprocess.run(
                words, env=self.environment, capture_output=True, timeout=3, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            return False

    def _spawn(self, name: str, *words: str) -> None:
        with (self.home / "log" / f"{name}.out").open("ab") as log:
            self.daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *words],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                start_new_session=True,
            )

    def _stop(self, name: str, *, kill: bool = False) -> None:
        daemon = self.daemons.pop(name, None)
        if daemon is None:
            return
        (daemon.kill if kill else daemon.terminate)()
        try:
            daemon.wait(60)  # a controller keeps its state before it ends
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def _nodes(self) -> set[str]:
        """The states of the nodes; nothing while no controller answers."""
        try:
            asked = subprocess.run(
                ["sinfo", "-h", "-N", "-o", "%N %T"],
                env=self.environment, capture_output=True, text=True, timeout=5, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return set()
        return {line.split()[1] for line in asked.stdout.splitlines()}

    def _tell(self) -> str:
        """The ends of all logs."""
        logs = sorted((self.home / "log").iterdir())
        return "\n".join(
            f"{path.name}: {line}"
            for path in logs
            for line in path.read_text("utf-8", "replace").splitlines()[-8:]
        )


@contextmanager
def started(*, accounting: bool = False) -> Generator[SlurmCluster, None, None]:
    """A cluster, as long as it is wanted; skips the test where there can be none."""
    if why := lacking(accounting=accounting):
        pytest.skip(why)
    home = Path(tempfile.mkdtemp(prefix="bench-slurm-"))
    try:
        with closing(SlurmCluster(home / "c", accounting=accounting)) as cluster:
            yield cluster
    finally:
        shutil.rmtree(home, ignore_errors=True)


def enter(cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> SlurmCluster:
    """Have commands of this process go to a cluster, and its jobs run this code."""
    cluster.rest()
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, cluster.environment[name])
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    return cluster


def until(
    true: Callable[[], bool],
    seconds: float,
    tell: Callable[[], str] = lambda: "",
    every_s: float = 0.1,
) -> None:
    """Wait, by the clock, until something is so; `every_s` is for what takes a process to ask."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s\n{tell()}"
        time.sleep(every_s)


def _free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens on."""
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                for other in range(port + 1, port + count):
                    with socket.socket() as one:
                        one.bind(("127.0.0.1", other))
            except (OSError, OverflowError):
                continue
            return port
