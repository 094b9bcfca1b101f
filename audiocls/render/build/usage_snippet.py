"""A program of ten lines that uses an exported file without audiocls."""

from collections.abc import Mapping
from typing import Any

READ = """\
audio, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
assert rate == {rate}, f"resample to {rate} Hz first: got {{rate}} Hz"
waves = audio.mean(axis=1, dtype="float32")[None]  # one channel, any length; the file pads
"""
SHOW = """\
shares = {shares}
for label, share in sorted(zip(labels, shares.tolist()), key=lambda each: -each[1]):
    print(f"{{label}}\\t{{share:.6f}}")
"""
ONNX = """\
import json, sys, numpy, onnxruntime, soundfile
session = onnxruntime.InferenceSession({file!r})
labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
{read}[[logits]] = session.run(["logits"], {{"waves": waves}})
{show}"""
TORCHSCRIPT = """\
import json, sys, soundfile, torch
model = torch.jit.load({file!r}, _extra_files=(known := {{"labels": ""}}))
labels = json.loads(known["labels"])
{read}[logits] = model(torch.from_numpy(waves)).detach()
{show}"""
SHARES = {
    ("onnx", "softmax"): "numpy.exp(logits - numpy.logaddexp.reduce(logits))",
    ("onnx", "sigmoid"): "1 / (1 + numpy.exp(-logits))",
    ("torchscript", "softmax"): "logits.softmax(0)",
    ("torchscript", "sigmoid"): "logits.sigmoid()",
}
"""(Form, what makes probabilities) → an expression of the logits."""


def usage_snippet(file: str, form: str, facts: Mapping[str, Any]) -> str:
    """Return the program: it prints each label of the file in its first argument, and how likely.

    Empty for a model of features, which its user computes.
    """
    if facts["input"] != "waves":
        return ""
    shares = SHARES[form, facts["output"].rpartition(", ")[2]]
    read, show = READ.format(rate=facts["sample_rate"]), SHOW.format(shares=shares)
    return {"onnx": ONNX, "torchscript": TORCHSCRIPT}[form].format(file=file, read=read, show=show)
