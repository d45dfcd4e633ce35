#!/bin/bash
# sudo bash scripts/setup-slurm.sh
#
# Installs Debian's Slurm and starts it with this machine as its only node, for the test of `reproduce --where slurm`:
#
#   SLURM=1 npm test -- test/grid/slurm
set -euo pipefail

apt-get install -y --no-install-recommends slurmd slurmctld slurm-client munge
mkdir -p /run/munge /var/spool/slurmctld /var/spool/slurmd /etc/slurm
chown munge /run/munge
[ -e /etc/munge/munge.key ] || mungekey --create
chown munge /etc/munge/munge.key

cat > /etc/slurm/slurm.conf <<END
ClusterName=here
SlurmctldHost=$(hostname)
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
ReturnToService=2
JobRequeue=1
NodeName=$(hostname) CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END

pgrep -x munged > /dev/null || runuser -u munge -- munged --force
pgrep -x slurmctld > /dev/null || slurmctld
pgrep -x slurmd > /dev/null || slurmd
for _ in $(seq 30); do
  [ "$(sinfo --noheader --format=%t 2> /dev/null)" = idle ] && break
  sleep 1
done
sinfo
