"""SLURM's own programs, replaced by small fakes that say what they are told to."""

import shlex
from pathlib import Path

FAKES = {
    "sbatch": """
case "$1" in
  --version) [ -e "$fake/broken" ] && { cat "$fake/broken" >&2; exit 1; }
     echo "$(<"$fake/version")" ;;
  --help) echo "  -p, --partition=partition   --time=minutes" ;;
  *) [ -e "$fake/refusal" ] && { cat "$fake/refusal" >&2; exit 1; }
     [ "$1" = --test-only ] && { echo "sbatch: Job 78 to start now" >&2; exit; }
     printf '%s\\n' "$@" > "$fake/options"; [ -e "$fake/warning" ] && cat "$fake/warning" >&2
     cat > "$fake/script"; cat "$fake/greeting" 2> /dev/null; echo 77 ;;
esac
""",
    "sinfo": """
case "$*" in
  *%n*) cat "$fake/hosts" 2> /dev/null || hostname ;;
  *) printf "cpu|infinite\\ngpu|1-00:00:00\\n" ;;
esac
""",
    "squeue": """
case "$*" in
  *%e*) cat "$fake/ends" 2> /dev/null ;;
  *) cat "$fake/queue" 2> /dev/null ;;
esac
""",
    "scancel": 'echo "$@" >> "$fake/cancelled"',
    "scontrol": 'echo "$@" >> "$fake/requeued"',
    "srun": 'until [ -e "$fake/preempted" ]; do sleep 0.02; done; exit 75',
}


class Fake:
    """A folder with SLURM's programs, and what they are to say."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name, text in FAKES.items():
            file = folder / name
            file.write_text(f"#!/bin/bash\nfake={shlex.quote(str(folder))}\n{text.strip()}\n")
            file.chmod(0o755)
        self.say("version", "slurm-wlm 23.11.4\n")

    def say(self, what: str, text: str) -> None:
        (self.folder / what).write_text(text)

    def heard(self, what: str) -> str:
        file = self.folder / what
        return file.read_text() if file.exists() else ""
