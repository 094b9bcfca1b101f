import argparse

import wandb

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--layers", type=int)
given = parser.parse_args()
with wandb.init(project="mine", config=vars(given)) as run:
    if given.layers == 3 and given.lr == 0.3:
        raise ValueError("three is too many")
    for step in range(3):
        run.log({"loss": given.lr * given.layers / (step + 1)})
