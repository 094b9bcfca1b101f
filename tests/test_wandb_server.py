"""The stand-in for W&B's server, held to the real client."""

import wandb
from wandb_server import Server

LEAN = wandb.Settings(console="off", silent=True, x_disable_stats=True, x_disable_meta=True)


def test_a_run_tells_its_config_its_rows_its_summary_and_its_end(wandb_server: Server):
    with wandb.init(project="p", config={"lr": 0.1}, group="g", tags=["t"], settings=LEAN) as run:
        for step in range(3):
            run.log({"loss": 1 / (step + 1)})
    kept = wandb_server.run(run.id)
    assert (kept.state, kept.exit_code, kept.config) == ("finished", 0, {"lr": 0.1})
    assert [row["loss"] for row in kept.history] == [1, 1 / 2, 1 / 3]
    assert (kept.group, kept.tags, kept.summary["loss"]) == ("g", ["t"], 1 / 3)
    assert not wandb_server.unknown
