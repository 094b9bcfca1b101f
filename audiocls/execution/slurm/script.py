"""The batch script of a job array: each task goes to the study's folder and is one launch there."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audiocls.execution.slurm.profile import SlurmProfile, num_gpus

REQUEUED = "goes back into the queue"
BEGINS = "begins, run "
"""Of what a task says that nobody needs to be told."""
PLAIN = re.compile(r"[\w./:,=@%+*&|-]*")
"""Values of options that `sbatch` reads without quotes."""

BEFORE_SETUP = """
task=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
say() { echo "audiocls: task $task on $(hostname -s): $*"; }
say "begins, run $((${SLURM_RESTART_COUNT:-0} + 1)), $(date +%FT%T%z)"
trap 'say "the setup of the profile ended the task (exit code $?): the lines above say why"' EXIT
"""
"""What the lines of `setup` change of the shell, such as `set -eu`, holds for them alone."""

TASK = r"""
for needed in "$folder" "$study"; do
  cd "$needed" || { say "there is no folder $needed here; compute nodes have to see it"; exit 2; }
done
cd "$folder"
"$python" -c 'import audiocls' || {
  say "$python cannot import audiocls here; see python and setup of the profile"; exit 2; }

# A worker for each GPU that SLURM has given, or else for each core of the task.
gpus=${CUDA_VISIBLE_DEVICES#NoDevFiles}$ROCR_VISIBLE_DEVICES
if [ "$devices" = cpu ] || [ -z "$gpus$ZE_AFFINITY_MASK" ]; then
  words+=(--workers "${SLURM_CPUS_PER_TASK:-1}")
elif [ "$devices" = auto ] && [ "$asks_gpus" ] && [ "$gpus" ]; then
  words+=(--devices cuda)  # else a torch without CUDA would keep them idle
fi
end=$SLURM_JOB_END_TIME  # which SLURM 22.05 does not set
if [ -z "$end" ]; then
  end=$(squeue --noheader --jobs="$task" --format=%e 2> /dev/null)
  end=$(date -d "${end:-unknown}" +%s 2> /dev/null)
fi
begun=$study/slurm/$task.begun
touch "$begun"
"$python" -m audiocls "${words[@]}" &
launch=$!

# The time limit signals this script. Preemption signals steps alone: one does nothing but wait.
trap '[ "$asked" ] || kill -TERM $launch 2>/dev/null; asked=1; again=1' TERM
listen='trap "exit 75" TERM; sleep infinity & wait'
(while kill -0 $launch 2>/dev/null; do
  said=$(srun $overlap --nodes=1 --ntasks=1 bash -c "$listen" 2>&1)
  [ $? = 75 ] && { kill -TERM $$ 2>/dev/null; break; }
  echo "a preemption would not be heard, for there is no step: $said"; sleep 60
done) &

again=1
while [ "$again" ]; do again=; wait $launch; code=$?; done  # a signal ends a wait
trap "" TERM
why=$(grep '^error: ' "$study/slurm/$task.log" 2> /dev/null | tail -n 1)
[ $code = 137 ] && why="killed, for want of memory or by hand"
case $code in
  0|3|4|75|124) ;;
  *) say "the launch ended with exit code $code: ${why:-the lines above say why}" ;;
esac

is_at_limit=$(( ${end:-9999999999} - $(date +%s) <= warning_s + 60 ))
# A program's trial has no state to resume from: it would begin anew, and again not end.
trained=$(find "$study"/{trials,pretrained} -newer "$begun" -type f \
  -regex '.*/\(resume.pt\|record.json\|failure.json\|stage.json\)' 2> /dev/null)
rm -f "$begun"
if [ "$asked" ] && [ $is_at_limit = 1 ] && [ -z "$trained" ]; then
  say "no epoch and no trial ended within the time limit, nor would any in a later run: raise time"
# After scancel a task is no longer running, and stays cancelled.
elif [ "$asked" ] && [ $code = 75 ]; then
  case "$(squeue --noheader --jobs="$task" --format=%T)" in
    RUNNING|"") say "asked to stop, goes back into the queue"; scontrol requeue "$task" ;;
  esac
fi
exit $code
"""


@dataclass(frozen=True)
class ArrayScript:
    """What a job array runs, and where."""

    study: Path
    """The study's folder, absolute."""
    folder: Path
    """Where the study was launched, absolute: paths of the command line begin there."""
    words: tuple[str, ...]
    """Of the launch that each task is, after `audiocls`."""
    num_tasks: int
    devices: str = "auto"
    environment: Mapping[str, str] = field(default_factory=dict)
    has_overlap: bool = True
    """Whether steps of this SLURM have cores to themselves unless they say otherwise (20.11)."""

    def text(self, profile: SlurmProfile) -> str:
        """Return the script."""
        options = self.options(profile).items()
        lines = ["#!/bin/bash", *(f"#SBATCH {_option(*item)}" for item in options)]
        lines += [f"export {name}={shlex.quote(each)}" for name, each in self.environment.items()]
        lines += [BEFORE_SETUP.strip(), *profile.setup, "trap - EXIT ERR; set +eu +o pipefail"]
        lines += [
            f"folder={shlex.quote(str(self.folder))}",
            f"study={shlex.quote(str(self.study))}",
            f"python={shlex.quote(profile.python)}",
            f"devices={shlex.quote(self.devices)}",
            f"asks_gpus={num_gpus(profile.options) or ''}",
            f"warning_s={profile.warning_s}",
            f"overlap={'--overlap' if self.has_overlap else ''}",
            f"words=({shlex.join(self.words)})",
        ]
        return "\n".join(lines) + TASK

    def options(self, profile: SlurmProfile) -> dict[str, str]:
        """Return long name → value of what `sbatch` is given, empty for an option without one."""
        logs = str(self.study / "slurm").replace("%", "%%")
        return {
            "job-name": f"audiocls-{self.study.name}",
            "array": f"0-{self.num_tasks - 1}",
            "nodes": "1",
            "ntasks": "1",
            "output": f"{logs}/%A_%a.log",
            "open-mode": "append",
            "requeue": "",
            "signal": f"B:TERM@{profile.warning_s}",
            **profile.options,
        }


def _option(name: str, value: str) -> str:
    if PLAIN.fullmatch(value):
        return f"--{name}={value}" if value else f"--{name}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'--{name}="{escaped}"'
